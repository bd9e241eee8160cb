"""How JSON writes a set of code points inside a string: a spelling for `lower`.

"canonical": raw UTF-8, except `"` and `\\` and the controls below U+0020, which are written `\\"`, `\\\\`, `\\b`,
`\\f`, `\\n`, `\\r`, `\\t` or else \\u00XX (hex digits of either case). "any": besides that every other spelling
RFC 8259 allows: `\\/`, \\uXXXX for all of the Basic Multilingual Plane, surrogate pairs for the rest. With `ascii_only`
no raw byte is above 7F, and what is not ASCII is written in \\u escapes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal as OneOf

from structgen.grammars.ir import EPSILON, NOTHING, Expr, Literal, alt, seq
from structgen.grammars.regular.charset import CharSet, Place, byte_set, positional, utf8
from structgen.grammars.regular.unicode_sets import ASCII

Spelling = Callable[[CharSet], Expr]

_SHORT = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", '"': '"', "\\": "\\"}
_CONTROLS = CharSet.span(0, 0x1F)
_ESCAPED = _CONTROLS | CharSet.of('"\\')
_PLANE = CharSet.span(0, 0xFFFF)


def _digit(value: int) -> int:
    """The bytes that write a hexadecimal digit."""
    return (1 << ord(f"{value:x}")) | (1 << ord(f"{value:X}"))


def _hex(bits: int = 4, *, first: int = 0, before: Expr = EPSILON) -> Place:
    return Place(bits, tuple(_digit(first + value) for value in range(1 << bits)), before)


_U = Literal(b"\\u")
_U_D = seq(_U, byte_set(_digit(13)))
_BASIC = (_hex(before=_U), _hex(), _hex(), _hex())
_PAIR = (_hex(2, first=8, before=_U_D), _hex(), _hex(), _hex(2, first=12, before=_U_D), _hex(), _hex())


@lru_cache(maxsize=8)
def json_spell(style_escapes: OneOf["canonical", "any"] = "canonical", ascii_only: bool = False) -> Spelling:
    """The spelling function of a style; the same object for the same style."""

    @lru_cache(maxsize=4096)
    def spell(charset: CharSet) -> Expr:
        raw = charset - _ESCAPED
        shorts = _shorts(charset, slash=style_escapes == "any")
        if style_escapes == "any":
            long = charset
        else:
            long = (charset & _CONTROLS) - CharSet.of("".join(_SHORT))
            if ascii_only:
                long = long | (charset - ASCII)
        options = [utf8(raw & ASCII if ascii_only else raw), shorts, unicode_escapes(long)]
        return alt(*(option for option in options if option != NOTHING))

    return spell


def _shorts(charset: CharSet, *, slash: bool) -> Expr:
    """The two-character escapes."""
    mask = 0
    for character, letter in _SHORT.items():
        if ord(character) in charset:
            mask |= 1 << ord(letter)
    if slash and ord("/") in charset:
        mask |= 1 << ord("/")
    return seq(Literal(b"\\"), byte_set(mask))


@lru_cache(maxsize=1024)
def unicode_escapes(charset: CharSet) -> Expr:
    """Every member as \\uXXXX, or as a pair of them beyond the Basic Multilingual Plane."""
    options = [positional((charset & _PLANE).ranges, _BASIC)]
    beyond = charset - _PLANE
    if beyond:  # both halves begin with \\uD, so a pair is a number of twenty bits
        options.append(positional(((low - 0x10000, high - 0x10000) for low, high in beyond.ranges), _PAIR))
    return alt(*(option for option in options if option != NOTHING))
