"""Slabs of rows that grow where they are, and serve one grammar after the other.

A slab has pages of its own. The system moves them to a larger range without copying (mremap): 36 MB take 0.5 ms, copied
40. What transitions a small grammar leaves behind the next one takes over, since touching fresh memory costs up to 8 µs
a page (receipt: a page fault less per new state, 8 % of its time in maskbench). Rows that may be forgotten go back to
the system where they are, on Linux.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.memory import Held, register

__all__ = ["FORGETS", "LARGE", "ROOM", "Slab", "give_back", "transitions"]

LARGE = 1 << 20  # bytes from which copying takes longer
ROOM = 36_000  # rows of transitions: memory that is never touched costs nothing
SPARE, USED = 8, 2048  # slabs that are kept for other grammars, and the most rows that were used in one
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
FORGETS = sys.platform == "linux"  # whether the system takes pages back and shows zeros in their place

_spare: deque[Slab] = deque(maxlen=SPARE)
register(
    "automata.slabs.spare",
    lambda: Held(len(_spare), sum(s.row_bytes * s.touched for s in list(_spare)), SPARE, SPARE * USED * 1024),
    lambda: _spare.clear(),
)


class Slab:
    """Rows of numbers; `rows()` is a view of them. It grows in place where nobody holds a view.

    `touched`: how many rows were ever written to, as far as it was said: the others take no memory.
    """

    __slots__ = ("_pages", "columns", "dtype", "size", "touched")

    def __init__(self, size: int, columns: int, dtype: Any) -> None:
        self.size, self.columns, self.dtype = size, columns, np.dtype(dtype)
        self.touched: int = 0
        self._pages = mmap.mmap(-1, self.nbytes, **_PRIVATE)

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return int(self.columns * self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Of all rows."""
        return self.size * self.row_bytes

    def rows(self) -> NDArray[Any]:
        """(size, columns), writeable; new rows are 0."""
        count = self.size * self.columns
        return np.frombuffer(self._pages, self.dtype, count).reshape(self.size, self.columns)

    def doubled(self) -> Slab:
        """Twice as many rows, the first with the same content: this slab itself if it can grow, else a copy."""
        try:
            self._pages.resize(2 * self.nbytes)
        except (BufferError, SystemError, OSError):  # somebody is looking at it; a system without mremap
            copy = Slab(2 * self.size, self.columns, self.dtype)
            copy.rows()[: self.size] = self.rows()
            return copy
        self.size *= 2
        return self

    def forget(self, first: int) -> None:
        """Set the rows from `first` on to zeros, but for those that share a page with earlier ones; they take no memory
        then. Only where the system FORGETS."""
        start = -(-first * self.row_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self._pages.madvise(mmap.MADV_DONTNEED, start, self.nbytes - start)


def transitions() -> Slab:
    """i32 (ROOM, 256): a slab that another grammar left behind, with whatever it wrote; or a new one."""
    with contextlib.suppress(IndexError):
        return _spare.pop()
    return Slab(ROOM, 256, np.int32)


def give_back(slab: Slab, used: int) -> None:
    """Keep a slab of transitions of which few rows were used for other grammars."""
    slab.touched = max(slab.touched, used)
    if slab.size == ROOM and slab.touched <= USED:
        _spare.append(slab)
