"""What the slots of every canvas are: open, or restricted to some classes of tokens."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import ClassTokens

__all__ = ["Slots"]


class Slots:
    """n open slots.   G classes

    _allowed  u8 (n, G)  the classes a slot is restricted to
    _open     u8 (n,)    it may hold all
    _useful   u8 (n, G)  the classes that some valid fill has there
    """

    def __init__(self, classes: ClassTokens, slots: int) -> None:
        self._allowed, self._useful = np.zeros((2, slots, classes.classes), np.uint8)
        self._open = np.ones(slots, np.uint8)

    def _hold(self, slot: int, classes: Any) -> None:
        """Restrict a slot to some classes; None: open it."""
        self._open[slot] = classes is None
        self._allowed[slot] = 0
        if classes is not None:
            self._allowed[slot, classes] = 1

    def fork(self) -> Self:
        """An independent copy."""
        other = object.__new__(type(self))
        arrays: dict[str, NDArray[Any]] = {}
        arrays |= {name: each.copy() for name, each in vars(self).items() if isinstance(each, np.ndarray)}
        vars(other).update(vars(self), **arrays)
        return other
