"""Structural tags: free text in which triggers open constrained regions, behind a section for thinking.

    output    thinking? then an answer, or text with calls
    thinking  begin, text without the end, end
    calls     (free text, tag) at_least to at_most times, then free text without a trigger
    tag       begin, content, one of its ends

Marks are text, or special tokens (`Special`), which no text can contain. A trigger is the beginning of a tag: where the
text reaches it, only tags that begin so can follow. Everything becomes grammar IR, so that the switch between free and
constrained is a state like any other. Cost: linear in marks and contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from structgen.errors import OptionError
from structgen.grammars.ir import EPSILON, Expr, Grammar, GrammarBuilder, Literal, Repeat, alt, optional, seq, special
from structgen.grammars.named_rules import import_rules
from structgen.grammars.tags.free_text import free_text

__all__ = ["CompiledTag", "Special", "TagLayout", "compile_tags"]


@dataclass(frozen=True, slots=True)
class Special:
    """A special token of the vocabulary, by its name."""

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("a special token has a name", option="name")


Mark: TypeAlias = str | Special


@dataclass(frozen=True, slots=True)
class CompiledTag:
    """`begin` and one of `ends` around a content; the region opens at `trigger`, a beginning of `begin` (all of it if
    None)."""

    begin: Mark
    content: Grammar
    ends: tuple[Mark, ...]
    trigger: str | None = None


@dataclass(frozen=True, slots=True)
class TagLayout:
    """How tags, thinking and answer make an output.

    field       meaning
    tags        what may be called
    at_least    calls that must come
    at_most     calls that may come, None = any number
    stop        the output ends behind the first call
    between     free text may stand around calls
    thinking    marks around a section of free text that comes first: (begin or None, ends)
    answer      a constrained answer behind the thinking, instead of calls
    """

    tags: tuple[CompiledTag, ...] = ()
    at_least: int = 0
    at_most: int | None = None
    stop: bool = False
    between: bool = True
    thinking: tuple[Mark | None, tuple[Mark, ...]] | None = None
    answer: Grammar | None = None


def compile_tags(layout: TagLayout) -> Grammar:
    """The grammar of all outputs."""
    builder = GrammarBuilder()
    start = builder.declare("output")
    parts: list[Expr] = []
    if layout.thinking is not None:
        begin, ends = layout.thinking
        parts.append(EPSILON if begin is None else mark(begin))
        parts.append(builder.rule("thinking", _until(dict.fromkeys(ends, EPSILON))))
    if layout.answer is not None:
        parts.append(import_rules(builder, layout.answer))
    else:
        parts.append(_calls(builder, layout))
    return builder.build(builder.define(start, seq(*parts)))


def mark(value: Mark) -> Expr:
    """A mark as it is written."""
    return special(value.name) if isinstance(value, Special) else Literal(value.encode())


def _calls(builder: GrammarBuilder, layout: TagLayout) -> Expr:
    behind: dict[Mark, list[Expr]] = {}
    whole: list[Expr] = []
    for tag in layout.tags:
        trigger = tag.begin if tag.trigger is None else tag.trigger
        rest = seq(import_rules(builder, tag.content), alt(*map(mark, tag.ends)))
        left = tag.begin[len(trigger) :] if isinstance(tag.begin, str) and isinstance(trigger, str) else ""
        behind.setdefault(trigger, []).append(seq(mark(left), rest))
        whole.append(seq(mark(tag.begin), rest))
    if layout.between:
        call = builder.rule("call", _until({trigger: alt(*options) for trigger, options in behind.items()}))
        texts = [trigger for trigger in behind if isinstance(trigger, str)]
        tail: Expr = builder.rule("text", free_text(dict.fromkeys(texts, EPSILON), may_end=True))
    else:
        call, tail = builder.rule("call", alt(*whole)), EPSILON
    if layout.stop:
        return call if layout.at_least else alt(call, tail)
    most = layout.at_most
    counted = optional(call) if (layout.at_least, most) == (0, 1) else Repeat(call, layout.at_least, most)
    return seq(counted, tail)


def _until(after: dict[Mark, Expr]) -> Expr:
    """Free text, the first trigger, and what it leads to."""
    texts = {trigger: body for trigger, body in after.items() if isinstance(trigger, str)}
    symbols = {mark(trigger): body for trigger, body in after.items() if isinstance(trigger, Special)}
    return free_text(texts, symbols, may_end=False)
