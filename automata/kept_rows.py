"""From a mask row that was just made to the one of its kind: rows of a vocabulary that are equal share their memory.

Of 6,900 rows of a hundred schemas 875 are different. Receipt: with these schemas' constraints kept, 113 MB in place of
169, and masks as fast as before: what comparing costs, 1.6 us a row of 128k tokens, touching less memory gives back.
At most MOST_BYTES are held for rows to come.
"""

from __future__ import annotations

import threading
import weakref

import numpy as np
from numpy.typing import NDArray

from structgen.kernels.kept import place_of
from structgen.memory import Held, register

__all__ = ["KeptRows"]

Row = NDArray[np.uint32]
MOST_BYTES = 1 << 24  # of a vocabulary's rows


class KeptRows:
    """The rows of one vocabulary met lately, each once. Thread-safe.

    Where two rows have the same place the later one stays: whoever holds the other keeps it.
    """

    def __init__(self, words: int) -> None:
        places = 1 << max(4, (MOST_BYTES // max(4 * words, 64)).bit_length() - 1)
        self._addresses = np.zeros(places, np.int64)
        self._rows: list[Row | None] = [None] * places
        self._lock = threading.Lock()
        _ALL.add(self)

    def kept(self, row: Row) -> Row:
        """A row equal to u32 `row` (words,), read-only: one that was met, or this one, which nobody may write to from
        now on."""
        with self._lock:
            place: int = place_of(row, self._addresses)
            if place >= 0:
                return self._rows[place]  # type: ignore[return-value]  # its address is noted
            self._rows[-1 - place] = row
        row.flags.writeable = False
        return row

    def clear(self) -> None:
        """Remember none of them."""
        with self._lock:
            self._addresses[:] = 0
            self._rows = [None] * len(self._rows)

    def held(self) -> tuple[int, int, int]:
        """How many rows, their bytes, and the most rows."""
        rows = [row for row in self._rows if row is not None]
        return len(rows), sum(row.nbytes for row in rows), len(self._rows)


_ALL: weakref.WeakSet[KeptRows] = weakref.WeakSet()


def _held() -> Held:
    pools = list(_ALL)
    entries, nbytes, most = (sum(column) for column in zip((0, 0, 0), *(each.held() for each in pools), strict=True))
    return Held(entries, nbytes, most, MOST_BYTES * len(pools))


def _clear() -> None:
    for each in list(_ALL):
        each.clear()


register("automata.kept_rows", _held, _clear)
