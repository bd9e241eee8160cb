"""How a JSON value may be spelled. A style decides spelling, never meaning.

    whitespace      "flexible"    what json.dumps writes compact, by default or with indent; every gap is bounded
                    "compact"     none
                    "json_dumps"  one space after ':' and ','
                    "any"         blanks, tabs and line ends wherever JSON allows them, without bound
                    a number      at most so many of them in one place, and none before or after the whole value
    property_order  "declared"    as the schema lists them, then names it requires or asks for in conditions without
                                  listing them, then others
                    "any"         every order, each known key at most once
    numbers         "canonical"   integers as digits; other numbers as json.dumps writes them; no -0
                    "any"         1.0 and 1e2 are integers too (left out: see `number_text`)
    max_digits      most digits a number may have where no keyword bounds it. Of a number that may have decimals at most
                    308 before the point, so that it is finite as a double, and 1,074 behind it, which is what the
                    smallest double has; exponents end where doubles do. None: no bound. A multipleOf that is no power
                    of ten is not counted (its digits run through remainders): there the digits before the point have
                    no bound
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

Whitespace = OneOf["flexible", "compact", "json_dumps", "any"] | int
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
    max_digits: int | None = 4300  # of an integer, what Python reads

    def __post_init__(self) -> None:
        blanks = get_args(get_args(Whitespace)[0])
        if isinstance(self.whitespace, int) and not isinstance(self.whitespace, bool) and self.whitespace >= 0:
            blanks = (*blanks, self.whitespace)
        allowed = {"whitespace": blanks} | dict.fromkeys(("numbers", "escapes"), get_args(Spelling))
        for name, choices in {**allowed, "property_order": get_args(PropertyOrder)}.items():
            if getattr(self, name) not in choices:
                raise OptionError(f"{name} must be one of {', '.join(map(str, choices))}", option=name)
        digits = self.max_digits
        if digits is not None and (isinstance(digits, bool) or not isinstance(digits, int) or digits < 1):
            raise OptionError(f"max_digits is an integer of at least 1, or None, not {digits!r}", option="max_digits")

    @staticmethod
    def any() -> JsonStyle:
        """Everything the JSON standard allows."""
        return JsonStyle("any", "any", "any", "any", max_digits=None)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What stands between the values of a JSON text: punctuation, and the blanks that may stand around it."""

    outer: Expr  # before and after the whole value
    opening: Expr  # after '[' or '{', before the first member
    closing: Expr  # before ']' or '}', after the last member
    empty: Expr  # inside an array or object without members
    comma: Expr  # ',' with what may stand around it
    colon: Expr  # ':' with what may stand around it
    bracket: Expr  # '['
    bracket_end: Expr  # ']'
    brace: Expr  # '{'
    after_all: Expr  # '}' behind the last member
    after_none: Expr  # '}' of an object without members


def _gaps(outer: Expr, opening: Expr, closing: Expr, empty: Expr, comma: Expr, colon: Expr) -> Gaps:
    bracket, brace, end = (Literal(b"["), Literal(b"]")), Literal(b"{"), Literal(b"}")
    return Gaps(outer, opening, closing, empty, comma, colon, *bracket, brace, seq(closing, end), seq(empty, end))


@lru_cache(maxsize=32)
def gaps(whitespace: Whitespace) -> Gaps:
    """The gaps of a whitespace style: the same objects in every grammar."""
    comma, colon, space = Literal(b","), Literal(b":"), Literal(b" ")
    if whitespace == "compact" or whitespace == 0:
        return _gaps(EPSILON, EPSILON, EPSILON, EPSILON, comma, colon)
    if whitespace == "json_dumps":
        return _gaps(EPSILON, EPSILON, EPSILON, EPSILON, Literal(b", "), Literal(b": "))
    if whitespace == "any" or isinstance(whitespace, int):
        blank = Repeat(ByteSet.of(b" \t\n\r"), 0, whitespace if isinstance(whitespace, int) else None)
        outer = blank if whitespace == "any" else EPSILON
        return _gaps(outer, blank, blank, blank, seq(blank, comma, blank), seq(blank, colon, blank))
    line = Terminal(seq(Literal(b"\n"), Repeat(space, 0, MAX_INDENT)))
    indent = alt(EPSILON, line)
    after_comma, after_colon = alt(EPSILON, space, line), alt(EPSILON, space)
    return _gaps(EPSILON, indent, indent, EPSILON, seq(comma, after_comma), seq(colon, after_colon))
