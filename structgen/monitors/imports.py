"""Imports: behind `from m import` comes a name of the module, behind `import a.` one of the package. Python.

The same questions as for members (members.py), at other places: behind the dot of a module's name, and behind `import`,
an opening bracket or a comma of a `from` statement, where a bracket, a star or a line's continuation may come as well.
"""

from __future__ import annotations

import re
from typing import Any

from structgen.monitors.lexical.python import NAMES_OF, Python, Spot
from structgen.monitors.members import Members
from structgen.monitors.question import Analysis

__all__ = ["Imports"]

_HEAD = re.compile(rb"(?:.*[\w\x80-\xf4])?\.|(?:.*t)?[ \t]|(?:.*t)?[ \t]*\(|(?:.*[\w\x80-\xf4])?[ \t]*,", re.DOTALL)


class Imports(Members):
    """A monitor (monitors.Monitor) of what is imported; `path`, `before` and `after` as for Members."""

    name = "imports"
    lexer: Python

    def __init__(self, analysis: Analysis, path: str, *, before: str = "", after: str = "") -> None:
        super().__init__(analysis, path, before=before, after=after, language="python")

    @property
    def triggers(self) -> bytes:
        """A dot; and blanks, brackets and commas of `from` statements."""
        return b". \t(,"

    def may_end(self, head: bytes) -> bool:
        """Whether such a place can stand behind the bytes of a token."""
        return _HEAD.fullmatch(head) is not None

    def is_due(self, state: Spot, byte: int) -> bool:
        """Behind the dot of a module, and where names of a module begin."""
        if not self.lexer.in_code(state):
            return False
        if byte == 0x2E:
            is_name = state.word not in (b"", b"import") and not state.word[:1].isdigit()
            return is_name and state.first in (b"import", b"from")
        if byte in b" \t":
            return state.first == b"from" and state.word == b"import"
        if byte == 0x28:
            is_over = state.first == NAMES_OF and state.last == b"import"
            return is_over or (state.first == b"from" and state.word == b"import")
        return byte == 0x2C and state.first == NAMES_OF and bool(state.word or state.last)

    def others(self, state: Spot) -> bytes:
        """What may stand in place of a name: a bracket, a star, the end of a list, a comment, a line's continuation."""
        return b"(*\\)#" if state.first == NAMES_OF or state.word == b"import" else b""

    def _may_be_made(self, state: Any) -> bool:
        return False
