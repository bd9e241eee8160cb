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

from structgen.grammars.ir import EPSILON, Expr, Grammar, GrammarBuilder, Repeat, alt, optional, seq
from structgen.grammars.named_rules import Imports
from structgen.grammars.tags.free_text import closed_text, free_text
from structgen.grammars.tags.marks import Mark, Special, mark

__all__ = ["CompiledTag", "Special", "TagLayout", "compile_tags"]


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
    imports = Imports(builder)
    start = builder.declare("output")
    parts: list[Expr] = []
    if layout.thinking is not None:
        begin, ends = layout.thinking
        parts.append(EPSILON if begin is None else mark(begin))
        parts.append(builder.rule("thinking", closed_text(tuple((end,) for end in dict.fromkeys(ends)))))
    if layout.answer is not None:
        parts.append(imports.add(layout.answer))
    else:
        parts.append(_calls(builder, imports, layout))
    return builder.build(builder.define(start, seq(*parts)))


def _calls(builder: GrammarBuilder, imports: Imports, layout: TagLayout) -> Expr:
    behind: dict[Mark, list[Expr]] = {}
    whole: list[Expr] = []
    for tag in layout.tags:
        trigger = tag.begin if tag.trigger is None else tag.trigger
        rest = seq(imports.add(tag.content), alt(*map(mark, tag.ends)))
        left = tag.begin[len(trigger) :] if isinstance(tag.begin, str) and isinstance(trigger, str) else ""
        behind.setdefault(trigger, []).append(seq(mark(left), rest))
        whole.append(seq(mark(tag.begin), rest))
    if layout.between:
        call = builder.rule("call", free_text({(trigger,): alt(*options) for trigger, options in behind.items()}))
        texts = [trigger for trigger in behind if isinstance(trigger, str)]
        tail: Expr = builder.rule("text", free_text({}, excludes=texts, may_end=True))
    else:
        call, tail = builder.rule("call", alt(*whole)), EPSILON
    if layout.stop:
        return call if layout.at_least else alt(call, tail)
    most = layout.at_most
    counted = optional(call) if (layout.at_least, most) == (0, 1) else Repeat(call, layout.at_least, most)
    return seq(counted, tail)
