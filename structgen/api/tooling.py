"""One prompt and the tools beside it -> its tokens, the layout of the output, and the source of its constraint.

A chat is written by the model's own template, with the tools in it (structgen/tools/prompt.py); a text that no template
is for gets them in front. How calls are written is asked of template and vocabulary unless `tool_format` says it, and
whether the model thinks first of the template and of what it wrote. Cost: the prompt's; a layout that was compiled
before costs a hash of its tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structgen.api.options import Settings
from structgen.api.prompts import framed
from structgen.api.sources import Source, document_of, formats_source
from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.python_types.target import Target
from structgen.tools.detect import detect_format
from structgen.tools.formats import ToolFormat, format_named
from structgen.tools.layout import Layout, layout_of
from structgen.tools.prompt import chat_of, inside_thinking, system_text
from structgen.tools.tool import Tool

__all__ = ["answers_of", "tooled"]


def answers_of(settings: Settings, count: int, is_batch: bool) -> list[Target | None]:
    """What each prompt of a call may be answered with instead of text: the target of its schema, or None."""
    given = settings.schema
    if isinstance(given, list | tuple):
        if not is_batch or len(given) != count:
            raise OptionError(f"{len(given)} values of schema for {count} prompts", option="schema")
    else:
        given = [given] * count
    return [None if schema is None else document_of(schema, settings.registry, settings.dialect) for schema in given]


def tooled(
    prompt: Any, tools: Sequence[Tool], answer: Target | None, settings: Settings, engine: Any
) -> tuple[list[int], Layout, Source]:
    """Token ids, layout and source of one prompt. Raises OptionError."""
    template = getattr(engine, "chat_template", None)
    names = engine.vocabulary.names
    format = detect_format(template, names) if settings.tool_format is None else format_named(settings.tool_format)
    schema = None if answer is None else answer.schema
    given = framed(prompt, schema, settings, engine, bundled=False)
    text, ids = _written(given, tools, format, template, settings, engine)
    layout = layout_of(
        tools,
        format,
        choice=settings.tool_choice,
        parallel=settings.parallel_tool_calls,
        thinking=settings.thinking,
        begun=inside_thinking(text, format),
        thinks=_thinks(template, names, text, format),
        answer=answer,
    )
    style = settings.style or JsonStyle()
    return ids, layout, formats_source(lambda: layout.tag, f"{layout.key}|{style!r}", style)


def _written(
    given: Any, tools: Sequence[Tool], format: ToolFormat, template: str | None, settings: Settings, engine: Any
) -> tuple[str, list[int]]:
    """A prompt as text ("" where it is tokens) and as tokens."""
    told = () if settings.tool_choice == "none" else tools
    if isinstance(given, str):
        text = f"{system_text(told, format)}\n\n{given}" if told else given
        return text, engine.encode(text)
    if not given or not isinstance(given[0], Mapping):
        return "", engine.encode(given)
    if template is None:
        raise OptionError("the model's tokenizer has no chat template", option="prompt")
    switch = settings.thinking if isinstance(settings.thinking, bool | None) else True
    chat, variables = chat_of(given, told, format, template, thinking=switch)
    text = engine.chat_text(chat, **variables)
    return text, engine.tokens_of(text)


def _thinks(template: str | None, names: Mapping[str, int], text: str, format: ToolFormat) -> bool:
    """Whether a model may think first: its template or its vocabulary knows the marks, and the prompt has not closed
    the section already."""
    begin, end = format.thinking
    knows = begin in names or (template is not None and end in template and begin in template)
    return knows and not text.rstrip().endswith(end)
