"""Structural tags as data: regions of free text, each under a constraint that is named as `compile` takes it.

StructuralTag(
    tags=[Tag("<tool_call>\n", "\n</tool_call>", schema=GetWeather), Tag("<run>", "</run>", regex=r"[a-z]+")],
    thinking=Thinking(Special("<think>"), Special("</think>")),
    at_most=1,
)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from structgen.errors import OptionError
from structgen.grammars.tags.marks import Special

__all__ = ["Special", "StructuralTag", "Tag", "Thinking", "ends_of", "tag_of"]


_THINK, _END_OF_THINKING = Special("<think>"), Special("</think>")


class Tag:
    """A region: `begin`, a content under one constraint (schema=, regex=, gbnf=, ...), `end`.

    `begin` is text or a `Special` token, `end` one of these or several of them, any of which ends the region. The
    region opens where the text reaches `trigger`, a beginning of `begin`; without one, where all of `begin` is written.
    """

    def __init__(
        self,
        begin: str | Special,
        end: str | Special | Sequence[str | Special] = "",
        *,
        trigger: str | None = None,
        **content: Any,
    ) -> None:
        if not isinstance(begin, str | Special):
            raise OptionError(f"begin is a text or a Special{_several(begin)}, not {begin!r}", option="begin")
        if not begin:
            raise OptionError("a tag begins with something", option="begin")
        ends_of(end)
        if trigger is not None and not (isinstance(begin, str) and trigger and begin.startswith(trigger)):
            raise OptionError(f"the trigger {trigger!r} is not how {begin!r} begins", option="trigger")
        self.begin, self.end, self.trigger, self.content = begin, end, trigger, content

    def __repr__(self) -> str:
        return f"Tag({self.begin!r}, {self.end!r}, trigger={self.trigger!r}, {self.content!r})"


@dataclass(frozen=True, slots=True)
class Thinking:
    """A section of free text before everything else. `begin` None: the prompt has written it. `end` as a tag's."""

    begin: str | Special | None = _THINK
    end: str | Special | Sequence[str | Special] = _END_OF_THINKING

    def __post_init__(self) -> None:
        if self.begin is not None and not isinstance(self.begin, str | Special):
            raise OptionError(f"begin is a text, a Special or None, not {self.begin!r}", option="begin")
        if not all(ends_of(self.end)):
            raise OptionError("thinking ends with something", option="end")


def ends_of(end: object) -> tuple[str | Special, ...]:
    """The marks any of which ends a region. Raises OptionError for what is no mark."""
    ends = (end,) if isinstance(end, str | Special) else end
    if not isinstance(ends, list | tuple) or not ends or not all(isinstance(one, str | Special) for one in ends):
        raise OptionError(f"end is a text, a Special, or a list of these, not {end!r}", option="end")
    return tuple(ends)


def _several(begin: object) -> str:
    return " (for several write a Tag for each)" if isinstance(begin, list | tuple) else ""


@dataclass(frozen=True, slots=True)
class StructuralTag:
    """Free text with calls, or a thinking section and an answer.

    field             meaning
    tags              regions that may be opened
    at_least, at_most how many calls (None: any number)
    stop_after_first  the output ends behind the first call
    between           whether free text may stand before, between and behind the calls
    thinking          a section that comes first
    answer            what must follow the thinking, as options of `compile` ({"schema": Person}); instead of tags
    """

    tags: Sequence[Tag] = ()
    at_least: int = 0
    at_most: int | None = None
    stop_after_first: bool = False
    between: bool = True
    thinking: Thinking | None = None
    answer: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.tags, list | tuple) or not all(isinstance(tag, Tag) for tag in self.tags):
            raise OptionError(f"tags is a list of Tag, not {self.tags!r}", option="tags")
        if bool(self.tags) == (self.answer is not None):
            raise OptionError("a structural tag has tags or an answer", option="tags")
        if self.at_least < 0 or (self.at_most is not None and self.at_most < max(self.at_least, 1)):
            raise OptionError(f"at_least={self.at_least} and at_most={self.at_most} leave no number", option="at_most")
        if self.stop_after_first and (self.at_least > 1 or self.at_most not in (None, 1)):
            raise OptionError("stop_after_first allows one call", option="stop_after_first")
        triggers = [tag.begin if tag.trigger is None else tag.trigger for tag in self.tags]
        for one in triggers:
            for two in triggers:
                if isinstance(one, str) and isinstance(two, str) and one != two and one in two:
                    raise OptionError(f"{two!r} is never reached: {one!r} opens a region inside it", option="tags")

    def to_json(self) -> dict[str, Any]:
        """The same as structural-tag JSON, which `tag=` takes as well, and vLLM, SGLang and xgrammar do.

        Raises OptionError for constraints that it has no form for (gbnf, lark, grammar, options beside a schema), and
        what a schema raises.
        """
        parts = [] if self.thinking is None else _thinking(self.thinking)
        parts.append(_content(self.answer) if self.answer is not None else self._calls())
        format = parts[0] if len(parts) == 1 else {"type": "sequence", "elements": parts}
        return {"type": "structural_tag", "format": format}

    def _calls(self) -> dict[str, Any]:
        """Calls as they are counted, with free text around them or without."""
        triggers = [tag.begin if tag.trigger is None else tag.trigger for tag in self.tags]
        free = {"type": "any_text", "excludes": list(dict.fromkeys(one for one in triggers if isinstance(one, str)))}
        tags = [_tag(tag) for tag in self.tags]
        one: dict[str, Any] = tags[0] if len(tags) == 1 else {"type": "or", "elements": tags}
        call = {"type": "sequence", "elements": [free, one]} if self.between else one
        if self.stop_after_first:
            if self.at_least:
                return call
            return {"type": "or", "elements": [call, free if self.between else _EMPTY]}
        most = -1 if self.at_most is None else self.at_most
        calls = {"type": "repeat", "min": self.at_least, "max": most, "content": call}
        return {"type": "sequence", "elements": [calls, free]} if self.between else calls


def tag_of(given: Any) -> StructuralTag | Mapping[str, Any]:
    """A structural tag from JSON: its fields by name, tags as {"begin", "end", "trigger", "schema" | "regex" | ...}; or
    structural-tag JSON as servers pass it on, which stays as it is. Raises OptionError."""
    if isinstance(given, Mapping) and ("format" in given or "structures" in given):
        return given
    try:
        fields = {**given, "tags": [Tag(**tag) for tag in given.get("tags", ())]}
        if given.get("thinking") is not None:
            fields["thinking"] = Thinking(**given["thinking"])
        return StructuralTag(**fields)
    except (TypeError, AttributeError) as error:
        raise OptionError(f"the tag: {error}", option="tag") from error


_EMPTY = {"type": "const_string", "value": ""}


def _mark(mark: str | Special) -> Any:
    return mark if isinstance(mark, str) else {"type": "token", "token": mark.name}


def _ends(end: object) -> Any:
    """Ends of a tag: a text, a token, or texts; a token among several is written by its name."""
    ends = ends_of(end)
    return _mark(ends[0]) if len(ends) == 1 else [each if isinstance(each, str) else each.name for each in ends]


def _thinking(thinking: Thinking) -> list[dict[str, Any]]:
    begin = "" if thinking.begin is None else _mark(thinking.begin)
    return [{"type": "tag", "begin": begin, "content": {"type": "any_text"}, "end": _ends(thinking.end)}]


def _tag(tag: Tag) -> dict[str, Any]:
    return {"type": "tag", "begin": _mark(tag.begin), "content": _content(tag.content), "end": _ends(tag.end)}


def _content(options: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a region, given as `compile` takes it."""
    given = {name: value for name, value in options.items() if value is not None}
    match given:
        case {"schema": schema, **rest} if not rest:
            from structgen.python_types.types import target_of

            found = target_of(schema)
            if found.enforced == found.schema:
                return {"type": "json_schema", "json_schema": found.schema}
        case {"regex": str(pattern), **rest} if not rest and _is_regex_everywhere(pattern):
            return {"type": "regex", "pattern": pattern}
        case {"ebnf": str(text), **rest} if not rest:
            return {"type": "grammar", "grammar": text}
        case {"choices": choices, **rest} if not rest:
            return {"type": "or", "elements": [{"type": "const_string", "value": choice} for choice in choices]}
        case {"tag": StructuralTag() as tag, **rest} if not rest:
            inner: dict[str, Any] = tag.to_json()["format"]
            return inner
    names = ", ".join(given)
    raise OptionError(f"structural-tag JSON has no form for this: {names}", option=next(iter(given), "tag"))


def _is_regex_everywhere(pattern: str) -> bool:
    """Whether a pattern means the same in Python and in ECMA-262, as structural-tag JSON reads it."""
    from structgen.errors import RegexError
    from structgen.grammars.regular.language import Language

    try:
        ecma = Language.regex(pattern, "ecma", search=False)
    except RegexError:
        return False
    return Language.regex(pattern, "python", search=False).equivalent(ecma)
