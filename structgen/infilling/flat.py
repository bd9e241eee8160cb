"""The slots of a canvas over a table of states: which classes of tokens each may hold, kept up to date.

Layers of states forwards and backwards (kernels/canvas.py). A slot that changes costs the layers that change with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import TokenClasses
from structgen.infilling.flat_law import FlatWays, Layers
from structgen.infilling.slots import Slots
from structgen.kernels.canvas import find_useful, reach_backward, reach_forward
from structgen.kernels.layout import FINISHED, START

__all__ = ["FlatSlots"]


class FlatSlots(Slots):
    """`slots` open slots behind a state; the text may go on for `later` more."""

    def __init__(self, classes: TokenClasses, slots: int, later: int, start: int = START) -> None:
        super().__init__(classes, slots)
        self.classes, self._start = classes, start
        self._ends = ((classes.least >= 0) & (classes.least <= later)).astype(np.uint8)
        self._forward, self._backward = np.zeros((2, slots + 1, classes.states), np.uint8)
        self._forward[0, start], self._backward[slots] = 1, self._ends
        self._changed = (0, slots - 1)  # the first and last slot that changed since the layers were computed

    def restrict(self, slot: int, classes: NDArray[np.integer[Any]] | None) -> None:
        """Restrict a slot to some classes; None: open it."""
        self._hold(slot, classes)
        low, high = self._changed
        self._changed = (slot, slot) if low > high else (min(low, slot), max(high, slot))

    def update(self) -> None:
        """Bring the layers up to date: those that a changed slot can reach."""
        low, high = self._changed
        if low > high:
            return
        c, row, slots = self.classes, np.zeros(self.classes.states, np.uint8), len(self._open)
        shared = (c.first, c.pairs, c.next_first, c.following, self._allowed, self._open)
        last = reach_forward(*shared, self._forward, row, low, high)
        first = reach_backward(*shared, self._backward, row, low, high)
        ways = (self._allowed, self._open, self._forward, self._backward, self._useful)
        find_useful(c.first, c.pairs, *ways, max(0, min(first - 1, low)), min(slots, max(last, high) + 1))
        self._changed = (slots, -1)

    def feasible(self) -> bool:
        """Whether some valid text is left."""
        self.update()
        return bool(self._backward[0, self._start])

    def useful(self) -> NDArray[np.uint8]:
        """u8 (slots, G): the classes that some valid fill has in each slot."""
        self.update()
        return self._useful

    def is_behind(self, slot: int) -> bool:
        """Whether the text may have ended when a slot is written."""
        self.update()
        return bool(self._forward[slot + 1, FINISHED] and self._backward[slot + 1, FINISHED])

    def least(self) -> int:
        """The fewest slots that a valid text takes."""
        return int(self.classes.least[self._start])

    def following(self, slots: int, later: int) -> FlatSlots:
        """Open slots behind these, which hold one feasible fill."""
        (state,) = np.flatnonzero(self._forward[-1] & self._backward[-1])
        return FlatSlots(self.classes, slots, later, int(state))

    def ways(self) -> FlatWays:
        """What fits the slots, with weights."""
        self.update()
        layers = Layers(self._start, self._ends, self._forward.copy(), self._backward.copy())  # slots may change
        return FlatWays(self.classes, layers)
