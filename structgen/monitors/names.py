"""A set of names as what may be written next: their beginnings, and what is left of them behind one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

__all__ = ["Names"]


class Names:
    """A non-empty set of names, sorted. Cost: the names and all their beginnings, once."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self.sorted = tuple(sorted(set(names)))
        self._beginnings = {name[:size] for name in self.sorted for size in range(1, len(name) + 1)}
        self._whole = frozenset(self.sorted)

    def __repr__(self) -> str:
        return f"Names({', '.join(name.decode('utf-8', 'replace') for name in self.sorted[:8])})"

    def begins(self, part: bytes) -> bool:
        """Whether some name begins so."""
        return not part or part in self._beginnings

    def has(self, part: bytes) -> bool:
        """Whether this is a name."""
        return part in self._whole

    def rests(self, part: bytes) -> tuple[bytes, ...]:
        """What is left of each name that begins so."""
        return tuple(name[len(part) :] for name in self.sorted if name.startswith(part))

    @cached_property
    def firsts(self) -> frozenset[int]:
        """The bytes that names begin with."""
        return frozenset(name[0] for name in self.sorted)
