"""How a JSON value may be spelled. A style decides spelling, never meaning.

    whitespace      "flexible"    what json.dumps writes compact, by default or with indent; every gap is bounded
                    "compact"     none
                    "json_dumps"  one space after ':' and ','
                    "any"         blanks, tabs and line ends wherever JSON allows them, without bound
    property_order  "declared"    as the schema lists them, then names it requires or asks for in conditions without
                                  listing them, then others
                    "any"         every order, each known key at most once
    numbers         "canonical"   integers as digits; other numbers as json.dumps writes them; no -0
                    "any"         1.0 and 1e2 are integers too (left out: see `number_text`)
    escapes         "canonical"   the one spelling json.dumps writes for each character
                    "any"         every escape JSON allows
    ascii_only      characters beyond ASCII are written as \\u escapes
    distinct_keys   keys that no schema names are not repeated in one object either: a check beside the automaton, like
                    that of uniqueItems, which slows down objects that are open to such keys

`JsonStyle.any()` is the full standard in every respect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal as OneOf
from typing import get_args

from structgen.errors import OptionError
from structgen.grammars.ir import EPSILON, ByteSet, Expr, Literal, Repeat, Terminal, alt, seq

__all__ = ["Gaps", "JsonStyle", "gaps"]

Whitespace = OneOf["flexible", "compact", "json_dumps", "any"]
PropertyOrder = OneOf["declared", "any"]
Spelling = OneOf["canonical", "any"]

MAX_INDENT = 40


@dataclass(frozen=True, slots=True)
class JsonStyle:
    """One way of spelling JSON values; see the module for the fields."""

    whitespace: Whitespace = "flexible"
    property_order: PropertyOrder = "declared"
    numbers: Spelling = "canonical"
    escapes: Spelling = "canonical"
    ascii_only: bool = False
    distinct_keys: bool = False

    def __post_init__(self) -> None:
        allowed = {"whitespace": Whitespace, "property_order": PropertyOrder, "numbers": Spelling, "escapes": Spelling}
        for name, choices in allowed.items():
            if getattr(self, name) not in get_args(choices):
                raise OptionError(f"{name} must be one of {', '.join(get_args(choices))}", option=name)

    @staticmethod
    def any() -> JsonStyle:
        """Everything the JSON standard allows."""
        return JsonStyle("any", "any", "any", "any")


@dataclass(frozen=True, slots=True)
class Gaps:
    """What may stand between the tokens of a JSON text."""

    outer: Expr  # before and after the whole value
    opening: Expr  # after '[' or '{', before the first member
    closing: Expr  # before ']' or '}', after the last member
    empty: Expr  # inside an array or object without members
    comma: Expr  # ',' with what may stand around it
    colon: Expr  # ':' with what may stand around it


@lru_cache(maxsize=8)
def gaps(whitespace: Whitespace) -> Gaps:
    """The gaps of a whitespace style."""
    comma, colon, space = Literal(b","), Literal(b":"), Literal(b" ")
    if whitespace == "compact":
        return Gaps(EPSILON, EPSILON, EPSILON, EPSILON, comma, colon)
    if whitespace == "json_dumps":
        return Gaps(EPSILON, EPSILON, EPSILON, EPSILON, Literal(b", "), Literal(b": "))
    if whitespace == "any":
        blank = Repeat(ByteSet.of(b" \t\n\r"))
        return Gaps(blank, blank, blank, blank, seq(blank, comma, blank), seq(blank, colon, blank))
    line = Terminal(seq(Literal(b"\n"), Repeat(space, 0, MAX_INDENT)))
    indent = alt(EPSILON, line)
    after_comma, after_colon = alt(EPSILON, space, line), alt(EPSILON, space)
    return Gaps(EPSILON, indent, indent, EPSILON, seq(comma, after_comma), seq(colon, after_colon))
