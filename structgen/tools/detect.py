"""A chat template and a vocabulary -> the format in which the model calls.

The template is asked first: of the formats all of whose clues it holds, the most specific one. A template may read
tools and yet write no calls (one of Kimi K2's does not): then the marks among the vocabulary's tokens tell. A model of
which nothing tells is taught hermes where its template knows no tools, since then they are described in our words; a
template that does read tools, in a way that is not known here, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from structgen.errors import OptionError
from structgen.tools.formats import FORMATS, ToolFormat

__all__ = ["detect_format", "reads_tools"]

_TOOLS = re.compile(r"(?<![\w.'\"])tools(?![\w'\"])")  # as a variable, not as a word in a text


def detect_format(template: str | None, names: Collection[str]) -> ToolFormat:
    """The format of a model with this chat template and these names of tokens. Raises OptionError that lists them."""
    found = [each for each in FORMATS.values() if template is not None and all(clue in template for clue in each.clues)]
    if found:
        return max(found, key=lambda each: len(each.clues))
    found = [each for each in FORMATS.values() if each.marks and all(mark in names for mark in each.marks)]
    if found:
        return max(found, key=lambda each: len(each.marks))
    if template is not None and reads_tools(template):
        known = ", ".join(FORMATS)
        raise OptionError(
            f"how this model writes calls is not known: tool_format= takes one of {known}", option="tool_format"
        )
    return FORMATS["hermes"]


def reads_tools(template: str) -> bool:
    """Whether a chat template puts tools into the prompt."""
    return _TOOLS.search(template) is not None
