"""Tools, a choice among them and a format -> what an output may be, as structural-tag JSON, and how it is read back.

    output    thinking? then text, then calls to the end     "auto"
              thinking? then calls                            "required", or a tool's name: that one, once
              thinking? then text                             "none"
    with an answer's schema it stands where text does: the answer or calls

No text follows the first call, since models that go on there do not stop. `Layout.tag` is what
`grammars/tags/formats.py` reads, and what other engines take; reading.py reads outputs by the same layout.
Cost: linear in the tools; their grammars are made where the tag is compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from structgen.errors import OptionError, suggest
from structgen.python_types.target import Target
from structgen.tags import Special, Thinking, ends_of
from structgen.tools.formats import ToolFormat
from structgen.tools.tool import Tool

__all__ = ["Layout", "Thought", "layout_of"]

Kind = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thought:
    """A section in which the model thinks. `when`: it "may" or "must" come first; the prompt has begun it ("begun"); it
    has been begun and must end at once ("ended")."""

    begin: str
    end: str
    when: Literal["may", "must", "begun", "ended"]


@dataclass(frozen=True)
class Layout:
    """What an output may be.

    field     meaning
    tools     those that may be called
    format    how
    choice    "auto", "required" (a named tool too), "none"
    parallel  whether a turn may have several calls
    thought   the section for thinking, None where there is none
    answer    what reads the answer that may stand instead of text, None where text is free
    """

    tools: tuple[Tool, ...]
    format: ToolFormat
    choice: Literal["auto", "required", "none"]
    parallel: bool
    thought: Thought | None
    answer: Target | None

    @cached_property
    def tag(self) -> Kind:
        """The layout as structural-tag JSON."""
        parts = [*self._thinking(), self._body()]
        return {"type": "structural_tag", "format": parts[0] if len(parts) == 1 else _sequence(*parts)}

    @cached_property
    def key(self) -> str:
        """Equal for equal layouts."""
        answer = None if self.answer is None else repr(self.answer.enforced)
        parts = [self.format.name, self.choice, self.parallel, self.thought, answer, *(tool.key for tool in self.tools)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def marks(self) -> tuple[str, ...]:
        """All marks that an output may hold."""
        found, thought = self.format, self.thought
        parts = (found.begin, found.end, found.trigger, *(found.section or ()), *(found.text or ()))
        return parts if thought is None else (*parts, thought.begin, thought.end)

    def _thinking(self) -> list[Kind]:
        thought = self.thought
        if thought is None:
            return []
        blank = {"type": "regex", "pattern": "\\n{0,2}"}  # which is not text
        inside = {"type": "any_text", "excludes": [thought.begin]}
        rest = _sequence({"type": "tag", "begin": "", "content": inside, "end": thought.end}, blank)
        if thought.when == "ended":
            return [_const(thought.end), blank]
        if thought.when == "begun":
            return [rest]
        whole = _sequence(_const(thought.begin), rest)
        return [whole if thought.when == "must" else {"type": "optional", "content": whole}]

    def _body(self) -> Kind:
        trigger = self.format.trigger
        calls = {"type": "sequence", "elements": [_const(trigger), self._calls()]} if self.choice != "none" else None
        if self.choice == "required":
            assert calls is not None
            return calls
        if self.answer is None:
            text = self._free() if self.format.text is not None or calls is None else None
        else:
            text = {"type": "json_schema", "json_schema": self.answer.enforced}
        if text is None:
            rules = [[trigger, self._calls()]]
            return {"type": "dispatch", "rules": rules, "loop": False, "excludes": self._unsaid()}
        if self.format.text is not None:
            text = _sequence(_const(self.format.text[0]), text)
        return text if calls is None else {"type": "or", "elements": [text, calls]}

    def _free(self) -> Kind:
        return {"type": "any_text", "excludes": [self.format.trigger, *self._unsaid()]}

    def _unsaid(self) -> list[str]:
        """The marks of thinking, which text does not hold."""
        return list(self.format.thinking) if self.format.text is None else []

    def _calls(self) -> Kind:
        """All that may follow a trigger: the rest of a section, or of a first call, and the calls behind it."""
        found, trigger = self.format, self.format.trigger
        several = self.parallel and found.between is not None
        if found.section is not None:
            begin, end = found.section
            call: Kind = {"type": "or", "elements": [self._call(tool, found.begin) for tool in self.tools]}
            more = {"type": "star", "content": _sequence(_const(found.between or ""), call)}
            opening = _any_of(found.spelled(begin[len(trigger) :]))
            return _sequence(opening, call, *([more] if several else []), _const(end))
        rest: Kind = {"type": "or", "elements": [self._call(tool, found.begin[len(trigger) :]) for tool in self.tools]}
        if not several:
            return rest
        again = _any_of(found.spelled(f"{found.between}{trigger}"))
        return _sequence(rest, {"type": "star", "content": _sequence(again, rest)})

    def _call(self, tool: Tool, begin: str) -> Kind:
        """One call, from what is left of its opening mark."""
        before, number, behind = begin.partition("{number}")
        marks = [_const(before.replace("{name}", tool.name))]
        if number:
            marks += [{"type": "regex", "pattern": "0|[1-9][0-9]{0,5}"}, _const(behind)]
        arguments = {"type": "json_schema", "json_schema": tool.target.enforced, "style": self.format.style}
        return _sequence(*marks, arguments, _const(self.format.end))


def layout_of(
    tools: Sequence[Tool],
    format: ToolFormat,
    *,
    choice: str = "auto",
    parallel: bool = True,
    thinking: bool | Thinking | None = None,
    begun: bool = False,
    thinks: bool = True,
    answer: Target | None = None,
) -> Layout:
    """The layout of a call.

    choice    "auto", "required", "none", or the name of the tool to call, once
    parallel  whether a turn may have several calls
    thinking  None: as the model does; False: not; True: it must; or the marks of a section that must come
    begun     whether the prompt ends inside the section
    thinks    whether the model thinks at all, where `thinking` does not say
    answer    what may be answered instead of text

    Raises OptionError.
    """
    names = [tool.name for tool in tools]
    if choice in ("auto", "required", "none"):
        kind: Any = choice
    elif choice in names:
        kind, parallel = "required", False
        tools = [tool for tool in tools if tool.name == choice]
    else:
        known = ["auto", "required", "none", *names]
        raise OptionError(f"tool_choice {choice!r}: no tool is called so{suggest(choice, known)}", option="tool_choice")
    thought = _thought(format, thinking, begun, thinks)
    return Layout(tuple(tools), format, kind, parallel, thought, answer)


def _thought(format: ToolFormat, thinking: bool | Thinking | None, begun: bool, thinks: bool) -> Thought | None:
    if isinstance(thinking, Thinking):
        ends = ends_of(thinking.end)
        if len(ends) > 1:
            raise OptionError("thinking beside tools has one end", option="thinking")
        begin = "" if thinking.begin is None else _named(thinking.begin)
        return Thought(begin, _named(ends[0]), "begun" if begun or thinking.begin is None else "must")
    begin, end = format.thinking
    if thinking is False:
        return Thought(begin, end, "ended") if begun else None
    if begun:
        return Thought(begin, end, "begun")
    if thinking:
        return Thought(begin, end, "must")
    return Thought(begin, end, "may") if thinks else None


def _named(mark: str | Special) -> str:
    return mark.name if isinstance(mark, Special) else mark


def _const(text: str) -> Kind:
    return {"type": "const_string", "value": text}


def _sequence(*parts: Mapping[str, Any]) -> Kind:
    return {"type": "sequence", "elements": [part for part in parts if part != _EMPTY] or [_EMPTY]}


_EMPTY = _const("")


def _any_of(texts: Sequence[str]) -> Kind:
    """One of some marks."""
    return _const(texts[0]) if len(texts) == 1 else {"type": "or", "elements": [_const(text) for text in texts]}
