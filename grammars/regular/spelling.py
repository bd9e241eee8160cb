"""How a spelling treats single characters, remembered per spelling: what `lower` and key exclusion write over and over.

A spelling (`Spell`) writes a set of code points in bytes. Most of what JSON and UTF-8 write are `PLAIN` characters,
printable ASCII that needs no escape; where a spelling writes those as themselves, sets of them are byte sets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from structgen.grammars.ir import ByteSet, Expr, Literal, seq
from structgen.grammars.regular.charset import ANY, CharSet, ascii_mask, byte_set

__all__ = ["PLAIN", "PLAIN_BITS", "RARE", "Spell", "characters", "plain_set", "spelled"]

Spell = Callable[[CharSet], Expr]

PLAIN = CharSet.of("".join(map(chr, range(0x20, 0x7F)))) - CharSet.of('"\\')
PLAIN_BITS = ascii_mask(PLAIN)
RARE = ANY - PLAIN


class _Characters(dict[str, Expr]):
    """Each character's spelling, made when first asked for."""

    def __init__(self, spell: Spell) -> None:
        self.spell = spell

    def __missing__(self, char: str) -> Expr:
        expr = self[char] = self.spell(CharSet.of(char))
        return expr


@lru_cache(maxsize=64)
def characters(spell: Spell) -> _Characters:
    """Character -> its spelling."""
    return _Characters(spell)


@lru_cache(maxsize=64)
def _is_direct(spell: Spell) -> bool:
    return spell(PLAIN) == ByteSet(PLAIN_BITS)


@lru_cache(maxsize=1 << 14)
def plain_set(bits: int, spell: Spell) -> Expr:
    """The spelling of a set of plain characters, given as the bits of an integer."""
    if _is_direct(spell):
        return byte_set(bits)
    return spell(CharSet.of("".join(chr(point) for point in range(128) if bits >> point & 1)))


def spelled(text: str, spell: Spell) -> Expr:
    """The spelling of one text."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text and _is_direct(spell):
        return Literal(text.encode())
    parts = list(map(characters(spell).__getitem__, text))
    if set(map(type, parts)) <= {Literal}:
        return Literal(b"".join([part.value for part in parts]))  # type: ignore[union-attr]
    return seq(*parts)
