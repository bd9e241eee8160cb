"""Automata whose states are more than one int, as ints again: values by number.

A product of two automata (arrays of distinct elements, monitors) has pairs as states. `Interned` numbers them, so that
matchers, forks and rollback need not know. Cost: a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from structgen.errors import LimitExceeded
from structgen.kernels.layout import START

__all__ = ["Interned"]

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Values <-> numbers in the order of their first appearance. 0, 1, 2 are dead, finished and start, as everywhere.

    Raises LimitExceeded(`limit`) beyond `most` values. Not thread-safe: used under the lock of its automaton.
    """

    def __init__(self, fixed: tuple[T, T, T], *, most: int, limit: str) -> None:
        self._values: list[T] = list(fixed)
        self._numbers: dict[T, int] = {value: number for number, value in enumerate(fixed)}
        self._most, self._limit = most, limit

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def number(self, value: T) -> int:
        """The number of a value, a new one if it has none."""
        known = self._numbers.get(value)
        if known is None:
            if len(self._values) >= self._most:
                raise LimitExceeded(f"more than {self._most} states", limit=self._limit, allowed=self._most)
            known = self._numbers[value] = len(self._values)
            self._values.append(value)
        return known

    def keep(self, live: Iterable[int], renamed: Callable[[T], T]) -> dict[int, int]:
        """Forget all values but those of `live` and the fixed ones, and put `renamed(value)` in their place.

        Old number -> new. Numbers keep their order; `renamed` must keep the fixed values, and unequal ones unequal.
        """
        kept = sorted({*range(START + 1), *live})
        self._values = [self._values[old] if old <= START else renamed(self._values[old]) for old in kept]
        self._numbers = {value: number for number, value in enumerate(self._values)}
        return {old: new for new, old in enumerate(kept)}
