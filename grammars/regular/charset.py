"""Sets of Unicode code points, and how a set is written in bytes.

A `CharSet` is a sorted tuple of inclusive intervals over the scalar values: 0..10FFFF without the surrogates
D800..DFFF. Set operations are linear in the number of intervals. `utf8` turns a set into IR over bytes: only canonical
encodings, deterministic on the lead byte, equal tails shared. It is one instance of `positional`, which writes numbers
digit by digit in any mixture of radices and is used for JSON's \\uXXXX as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from structgen.grammars.ir import EPSILON, NOTHING, ByteSet, Expr, Literal, alt, seq

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CharSet:
    """An immutable set of scalar values. `ranges` is sorted, disjoint, non-adjacent and free of surrogates."""

    ranges: Ranges

    @staticmethod
    def of(characters: str) -> CharSet:
        """The set of the characters in a string."""
        if len(characters) == 1:
            return CharSet.span(ord(characters), ord(characters))
        return CharSet.spans((ord(c), ord(c)) for c in characters)

    @staticmethod
    def span(low: int, high: int) -> CharSet:
        """Code points low..high, both included."""
        if low <= high and (high < 0xD800 or low > 0xDFFF):
            return CharSet(((low, high),))
        return CharSet.spans([(low, high)])

    @staticmethod
    def spans(ranges: Iterable[tuple[int, int]]) -> CharSet:
        """The union of arbitrary inclusive ranges; surrogates are left out."""
        return CharSet(tuple(_without_surrogates(_merge(sorted(ranges)))))

    def __contains__(self, point: int) -> bool:
        at = bisect_right(self.ranges, (point, LAST)) - 1
        return at >= 0 and point <= self.ranges[at][1]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __or__(self, other: CharSet) -> CharSet:
        if not other.ranges or self is other:
            return self
        return CharSet.spans(self.ranges + other.ranges) if self.ranges else other

    def __and__(self, other: CharSet) -> CharSet:
        if self is ANY:
            return other
        return self if other is ANY else CharSet(tuple(_common(self.ranges, other.ranges)))

    def __invert__(self) -> CharSet:
        return CharSet(tuple(_without_surrogates(_gaps(self.ranges))))

    def __sub__(self, other: CharSet) -> CharSet:
        return self & ~other

    def isdisjoint(self, other: CharSet) -> bool:
        """Whether the two sets share nothing."""
        return next(_common(self.ranges, other.ranges), None) is None


def _merge(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join overlapping and adjacent members of a sorted list of ranges."""
    start, end = -2, -2
    for low, high in ranges:
        if low > end + 1:
            if end >= start >= 0:
                yield start, end
            start, end = low, high
        elif high > end:
            end = high
    if end >= start >= 0:
        yield start, end


def _without_surrogates(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for low, high in ranges:
        if high < 0xD800 or low > 0xDFFF:
            yield low, high
            continue
        if low < 0xD800:
            yield low, 0xD7FF
        if high > 0xDFFF:
            yield 0xE000, high


def _common(one: Ranges, two: Ranges) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < len(one) and j < len(two):
        low, high = max(one[i][0], two[j][0]), min(one[i][1], two[j][1])
        if low <= high:
            yield low, high
        if one[i][1] < two[j][1]:
            i += 1
        else:
            j += 1


def _gaps(ranges: Ranges) -> Iterator[tuple[int, int]]:
    low = 0
    for start, end in ranges:
        if low < start:
            yield low, start - 1
        low = end + 1
    if low <= LAST:
        yield low, LAST


NONE = CharSet(())
ANY = CharSet.span(0, LAST)


# ------------------------------------------------------------------------------------------------ numbers as digits


@dataclass(frozen=True, slots=True)
class Place:
    """One digit of `bits` bits: digit d is any byte of `masks[d]`, and `before` precedes it."""

    bits: int
    masks: tuple[int, ...]
    before: Expr = EPSILON


Places = tuple[Place, ...]


def byte_set(mask: int) -> Expr:
    """A set of bytes as IR; a single byte becomes a literal, so that neighbours join."""
    if mask & (mask - 1):
        return ByteSet(mask)
    return Literal(bytes((mask.bit_length() - 1,))) if mask else NOTHING


def positional(ranges: Iterable[tuple[int, int]], places: Places) -> Expr:
    """The numbers in `ranges` (sorted, disjoint), written most significant digit first."""
    if not places:
        return EPSILON
    first, rest = places[0], places[1:]
    below = sum(place.bits for place in rest)
    size = 1 << below
    full, partial = 0, dict[int, list[tuple[int, int]]]()
    for low, high in ranges:
        for digit, start, end in _by_digit(low, high, below):
            if end - start + 1 == size:
                full |= first.masks[digit]
            else:
                partial.setdefault(digit, []).append((start, end))
    tails: dict[Expr, int] = {}
    if full:
        tails[_all_digits(rest)] = full
    for digit, inner in partial.items():
        tail = positional(inner, rest)
        tails[tail] = tails.get(tail, 0) | first.masks[digit]
    return alt(*(seq(first.before, byte_set(mask), tail) for tail, mask in tails.items()))


def _by_digit(low: int, high: int, below: int) -> Iterator[tuple[int, int, int]]:
    """Split low..high by its leading digit: (digit, first, last) of what follows it."""
    last = (1 << below) - 1
    for digit in range(low >> below, (high >> below) + 1):
        base = digit << below
        yield digit, max(low - base, 0), min(high - base, last)


@lru_cache(maxsize=64)
def _all_digits(places: Places) -> Expr:
    parts: list[Expr] = []
    for place in places:
        mask = 0
        for member in place.masks:
            mask |= member
        parts += [place.before, byte_set(mask)]
    return seq(*parts)


def _lead(bits: int, marker: int) -> Place:
    return Place(bits, tuple(1 << (marker + digit) for digit in range(1 << bits)))


_TAIL = _lead(6, 0x80)
_UTF8: tuple[tuple[int, int, Places], ...] = (
    (0x80, 0x7FF, (_lead(5, 0xC0), _TAIL)),
    (0x800, 0xFFFF, (_lead(4, 0xE0), _TAIL, _TAIL)),
    (0x10000, LAST, (_lead(3, 0xF0), _TAIL, _TAIL, _TAIL)),
)


def ascii_mask(charset: CharSet) -> int:
    """The members below 128 as a 128-bit integer."""
    mask = 0
    for low, high in charset.ranges:
        if low > 0x7F:
            break
        mask |= (2 << min(high, 0x7F)) - (1 << low)
    return mask


@lru_cache(maxsize=4096)
def utf8(charset: CharSet) -> Expr:
    """The set's members in UTF-8. Equal to NOTHING for the empty set."""
    options = [byte_set(ascii_mask(charset))]
    if charset.ranges and charset.ranges[-1][1] > 0x7F:
        for low, high, places in _UTF8:
            inside = tuple(_common(charset.ranges, ((low, high),)))
            if inside:
                options.append(positional(inside, places))
    return alt(*(option for option in options if option != NOTHING))
