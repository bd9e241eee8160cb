"""The slots of a canvas whose texts nest without bound: which classes of tokens each may hold.

Frames of a stack over slots (kernels/nested.py). Slots of the canvas, slots that the text may have behind it, and one
that only the end of the text fits. Cost: some milliseconds for 64 open slots, growing with their third power; a change
computes what is behind it forwards, and all backwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_effects import TokenEffects
from structgen.errors import LimitExceeded, UnsupportedCombination
from structgen.infilling.nested_law import NestedWays
from structgen.infilling.slots import Slots
from structgen.infilling.tables import levels_of
from structgen.kernels.layout import FINISHED, START
from structgen.kernels.nested import Effects, Frames, nest_backward, nest_forward

__all__ = ["MOST_BYTES", "NestedSlots"]

MOST_BYTES = 128 << 20  # of the arrays of a canvas: what takes more takes seconds for each change
_MOST_SLOTS = 1 << 10  # in which the shortest text is looked for


class NestedSlots(Slots):
    """`slots` open slots, with room for `later` more. Raises LimitExceeded where they take more than MOST_BYTES."""

    _reach: NDArray[np.uint64]
    _ends: NDArray[np.uint64]
    _callers: NDArray[np.uint64]
    _used: NDArray[np.uint64]
    _popped: NDArray[np.uint64]
    _middle: NDArray[np.uint64]

    def __init__(self, effects: TokenEffects, slots: int, later: int) -> None:
        self.classes, self._before, self._slots = effects, 0, slots
        total = slots + later + 1
        self._width = -(-len(effects.returns) // 64)
        words = self._width * (total + 1)
        sizes = {
            "_reach": (total + 1) * effects.states,
            "_ends": (total + 1) * effects.states,
            "_callers": 64 * words,
            "_used": 64 * words,
            "_popped": total * len(effects.gates),
            "_middle": total * int((effects.rests[:, 0] >= 0).sum()),
        }
        if 8 * words * sum(sizes.values()) > MOST_BYTES:
            reason = f"a canvas of {slots + later} slots takes much memory if nesting has no bound; depth=4 is one"
            raise LimitExceeded(reason, limit="canvas_bytes", allowed=MOST_BYTES)
        super().__init__(effects, total)
        for name, rows in sizes.items():
            setattr(self, name, np.zeros((rows, words), np.uint64))
        self._reach[START, 0] = 1
        self._changed = 0  # the first slot that changed since everything was computed
        self._feasible = False
        self._hold(total - 1, [effects.classes - 1])

    def restrict(self, slot: int, classes: NDArray[np.integer[Any]] | None) -> None:
        """Restrict a slot to some classes; None: open it."""
        self._hold(self._before + slot, classes)
        self._changed = min(self._changed, self._before + slot)

    def update(self) -> None:
        """Bring everything up to date."""
        if self._changed >= len(self._open):
            return
        e, words = self.classes, self._reach.shape[1]
        effects = Effects(e.transitions, e.first, e.of_class, e.gates, e.rests, e.landing, e.kinds_of, e.returns)
        scratch = (np.zeros((len(e.rests), words), np.uint64), np.zeros(len(e.transitions), np.uint8))
        frames = Frames(self._reach, self._callers, self._popped, self._middle, *scratch)
        slots = (effects, self._allowed, self._open, frames)
        nest_forward(*slots, self._changed, self._width)
        wanted = np.zeros((len(e.gates), words), np.uint64)
        found = nest_backward(*slots, self._ends, self._used, wanted, self._useful, self._width)
        self._feasible, self._changed = bool(found), len(self._open)

    def feasible(self) -> bool:
        """Whether some valid text is left."""
        self.update()
        return self._feasible

    def useful(self) -> NDArray[np.uint8]:
        """u8 (slots, G): the classes that some valid fill has in each slot."""
        self.update()
        return self._useful[self._before : self._before + self._slots]

    def is_behind(self, slot: int) -> bool:
        """Whether the text may have ended when a slot is written."""
        self.update()
        return bool(self._ends[(self._before + slot + 1) * self.classes.states + FINISHED, 0])

    def least(self) -> int:
        """The fewest slots that a valid text takes, behind those before. Raises LimitExceeded where they are many."""
        before, slots = self._before, 1
        while slots <= _MOST_SLOTS:
            opened = NestedSlots(self.classes, before + slots, 0)
            opened._allowed[:before], opened._open[:before] = self._allowed[:before], self._open[:before]
            if opened.feasible():
                return next((slot for slot in range(slots) if opened.is_behind(before + slot)), slots)
            slots *= 2
        raise LimitExceeded("the shortest text takes many slots", limit="slots", allowed=_MOST_SLOTS)

    def following(self, slots: int, later: int) -> NestedSlots:
        """Open slots behind these, of those that were left."""
        other = self.fork()
        other._before, other._slots = self._before + self._slots, slots
        return other

    def ways(self) -> NestedWays:
        """What fits the slots, with weights. Raises UnsupportedCombination and LimitExceeded: see `Canvas.law`."""
        self.update()
        if self._before + self._slots + 1 < len(self._open):
            reason = "the law of a text that goes on behind its canvas takes a table of states; depth=4 has one"
            raise UnsupportedCombination(reason, operation="canvas")
        levels = levels_of(self.classes, len(self._open))
        return NestedWays(self.classes, levels, self._useful.copy(), slice(self._before, self._before + self._slots))
