"""From the classes of an alphabet to a byte automaton that reads one character: UTF-8, only canonical encodings.

Row 0 is before a character, row u > 0 inside one; equal rows are shared. Cost: linear in the intervals of the classes.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache, lru_cache

from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.charset import LAST

CLASS = 1 << 20  # entry CLASS + c: the character is complete and of class c; -1: no character goes on like this

_LEADS = ((0xC2, 0xDF, 1, 0x1F), (0xE0, 0xEF, 2, 0x0F), (0xF0, 0xF4, 3, 0x07))  # first, last, bytes to come, payload


def byte_rows(alphabet: Alphabet) -> tuple[tuple[int, ...], ...]:
    """Rows of 256 entries: a row to go on in, CLASS + class, or -1."""
    return _rows(alphabet.bounds, alphabet.owner)


@lru_cache(maxsize=8)
def _rows(bounds: tuple[int, ...], owner: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    rows: dict[tuple[int, ...], int] = {}

    def entry(low: int, places: int) -> int:
        """What is known when the bytes so far leave the code points low .. low + 64**places - 1."""
        at = bisect_right(bounds, low) - 1
        if places == 0:
            return CLASS + owner[at]
        span = 64**places
        whole = at + 1 == len(bounds) or bounds[at + 1] >= low + span
        if whole and not _impossible(low, places):
            below: tuple[int, ...] = (uniform(places - 1, owner[at]),) * 64
        else:
            below = tuple(
                -1 if _impossible(low + k * (span // 64), places) else entry(low + k * (span // 64), places - 1)
                for k in range(64)
            )
        row = (-1,) * 0x80 + below + (-1,) * 0x40
        return rows.setdefault(row, len(rows) + 1)

    @cache
    def uniform(places: int, symbol: int) -> int:
        if places == 0:
            return CLASS + symbol
        row = (-1,) * 0x80 + (uniform(places - 1, symbol),) * 64 + (-1,) * 0x40
        return rows.setdefault(row, len(rows) + 1)

    first = [CLASS + owner[bisect_right(bounds, point) - 1] for point in range(0x80)] + [-1] * 0x80
    for low, high, places, payload in _LEADS:
        for lead in range(low, high + 1):
            first[lead] = entry((lead & payload) << 6 * places, places)
    return (tuple(first), *rows)


def _impossible(low: int, places: int) -> bool:
    """Overlong forms, surrogates and what lies beyond the last code point."""
    least = {3: 0x10000, 2: 0x800, 1: 0x80}
    return low < least.get(places, 0) or low > LAST or 0xD800 <= low <= 0xDFFF
