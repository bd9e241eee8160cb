"""Slabs of transition rows that grow where they are, and serve one grammar after the other.

A slab is i32 (rows, 256) in pages of its own. The system moves pages to a larger range without copying them (mremap):
36 MB take 0.5 ms, copied 40. What a small grammar leaves behind the next one takes over, since touching fresh memory
costs up to 8 µs a page (receipt: a page fault less per new state, 8 % of its time in maskbench).
"""

from __future__ import annotations

import contextlib
import mmap
from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slab", "give_back", "new_slab"]

ROOM = 36_000  # rows of a new slab: memory that is never touched costs nothing
SPARE, USED = 8, 2048  # slabs that are kept for other grammars, and the most rows that were used in one
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}

_spare: deque[Slab] = deque(maxlen=SPARE)


class Slab:
    """Rows of transitions; `rows()` is a view of them. Nobody may hold one while `double` is called."""

    __slots__ = ("_pages", "size")

    def __init__(self, size: int = ROOM) -> None:
        self.size = size
        self._pages = mmap.mmap(-1, 1024 * size, **_PRIVATE)

    def rows(self) -> NDArray[np.int32]:
        """i32 (size, 256), writeable."""
        return np.frombuffer(self._pages, np.int32).reshape(-1, 256)

    def doubled(self) -> Slab:
        """Twice as many rows, the first with the same content: this slab itself if it can grow, else a copy."""
        try:
            self._pages.resize(2048 * self.size)
        except (BufferError, SystemError, OSError):  # somebody is looking at it; a system without mremap
            copy = Slab(2 * self.size)
            copy.rows()[: self.size] = self.rows()
            return copy
        self.size *= 2
        return self


def new_slab() -> Slab:
    """A slab that another grammar left behind, or a new one."""
    with contextlib.suppress(IndexError):
        return _spare.pop()
    return Slab()


def give_back(slab: Slab, used: int) -> None:
    """Keep a slab of which few rows were used for other grammars."""
    if slab.size == ROOM and used <= USED:
        _spare.append(slab)
