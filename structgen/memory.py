"""What a process remembers, by name: how much it is, how much it may become, and how to have it forgotten; and how what
was freed goes back to the system.

Everything here is a memo: forgetting costs time, never a result. Memos of functions (functools.lru_cache) are found in
the modules of this library that are loaded; whatever else remembers registers itself when its module is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

__all__ = ["HEAP", "Bounded", "Cache", "Heap", "Held", "caches", "clear_caches", "register"]

STEP = 16 << 20  # bytes by which a process may grow before freed memory is given back
STATM = Path("/proc/self/statm")  # of Linux
EVERY = 8  # looks of which one reads how large the process is: 10 µs

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Held(NamedTuple):
    """What a memo holds: entries and bytes, and the most it may; None where it is not counted or not bounded so."""

    entries: int
    nbytes: int | None = None
    most: int | None = None
    most_bytes: int | None = None


class Cache(NamedTuple):
    """One memo: `name`, what it `held` when it was looked at, and `clear()`."""

    name: str
    held: Held
    clear: Callable[[], object]


_registered: dict[str, tuple[Callable[[], Held], Callable[[], object]]] = {}


def register(name: str, look: Callable[[], Held], clear: Callable[[], object]) -> None:
    """Make a memo known under `name` (module.what)."""
    _registered[name] = look, clear


def caches() -> list[Cache]:
    """Every memo of the process, the largest first; those of functions after those that count bytes."""
    found = [Cache(name, look(), clear) for name, (look, clear) in _registered.items()]
    for name, module in list(sys.modules.items()):
        if name.startswith("structgen."):
            for attribute, function in list(vars(module).items()):
                if hasattr(function, "cache_info") and getattr(function, "__module__", None) == name:
                    info = function.cache_info()
                    held = Held(info.currsize, None, info.maxsize)
                    found.append(Cache(f"{name.removeprefix('structgen.')}.{attribute}", held, function.cache_clear))
    return sorted(found, key=lambda cache: (-(cache.held.nbytes or 0), -cache.held.entries, cache.name))


def clear_caches() -> None:
    """Forget everything that `caches` lists, and give what is freed back to the system, where the C library can. What
    is in use stays alive with whoever uses it."""
    for cache in caches():
        cache.clear()
    trim()


class Bounded(dict[K, V]):
    """A memo of at most `most` entries and `most_bytes`: where another would be too much, all are forgotten first."""

    def __init__(self, most: int, *, most_bytes: int | None = None) -> None:
        super().__init__()
        self.most, self.most_bytes, self.nbytes = most, most_bytes, 0

    def remember(self, key: K, value: V, nbytes: int = 0) -> V:
        """Note and return a value that takes so many bytes."""
        full = self.most_bytes is not None and self.nbytes + nbytes > self.most_bytes
        if full or (len(self) >= self.most and key not in self):
            self.clear()
        self.nbytes += nbytes
        self[key] = value
        return value

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self.nbytes = 0

    def held(self) -> Held:
        """For `register`."""
        return Held(len(self), self.nbytes if self.most_bytes is not None else None, self.most, self.most_bytes)


class Heap:
    """What the C library keeps of memory that was freed goes back to the system whenever the process has grown by
    `step` bytes, or a 64th if that is more, since it last did. Without locks: two threads that look at once trim twice.

    glibc keeps holes between what is in use for itself, however large they are (docs/adr/0035-freed-memory.md). Giving
    them back takes some milliseconds; a process that grows by what it uses does so 45 times while it doubles.
    """

    def __init__(
        self, resident: Callable[[], int], trim: Callable[[], object] | None, step: int = STEP, every: int = EVERY
    ) -> None:
        self._resident, self._trim, self._step, self._every = resident, trim, step, every
        self._looks, self._due = 0, sys.maxsize

    def look(self, *, now: bool = False) -> None:
        """Called between pieces of work that free much; only every so often something is done, unless `now`."""
        self._looks += 1
        if self._trim is None or (self._looks % self._every and not now):
            return
        size = self._resident()
        if size >= self._due:
            self._trim()
            size, self._due = self._resident(), sys.maxsize
        self._due = min(self._due, size + max(self._step, size >> 6))


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], object] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim() -> None:
    """Give what is freed back to the system, without the interpreter's lock; nothing where the C library is not glibc.
    Some milliseconds."""
    found = _malloc_trim()
    if found is not None:
        found(0)


HEAP = Heap(_resident, trim if STATM.exists() else None)
