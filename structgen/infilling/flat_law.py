"""The ways through a table of states, weighted: layers forwards and backwards, in another semiring.

One token sequence is one path, because the automaton is deterministic. Cost: kernels/canvas_law.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import TokenClasses
from structgen.kernels.canvas_law import best_paths, class_marginals, follow_best, sum_paths
from structgen.protocols import Chooser, Floats

__all__ = ["FlatWays", "Layers"]

Ints = NDArray[np.int32]


class Layers(NamedTuple):
    """Which states the slots of a canvas may pass.   n slots, S states

    start     the state before the first slot
    ends      u8 (S,) where a fill may end
    forward   u8 (n + 1, S) the slots before a layer reach the state
    backward  u8 (n + 1, S) the slots behind it lead on to an end
    """

    start: int
    ends: NDArray[np.uint8]
    forward: NDArray[np.uint8]
    backward: NDArray[np.uint8]


class FlatWays:
    """The paths through a table, see `law.Ways`."""

    def __init__(self, classes: TokenClasses, layers: Layers) -> None:
        self._classes, self._layers = classes, layers

    def _paths(self, kernel: Any, weights: Floats, *scratch: Floats) -> Floats:
        """Weights of the paths from every state to an end, (n + 1, S)."""
        layers, classes = self._layers, self._classes
        found = np.full(layers.forward.shape, -np.inf)
        found[-1, layers.ends != 0] = 0.0
        kernel(classes.edge_first, classes.edges, weights, layers.forward, layers.backward, found, *scratch)
        return found

    def best(self, top: Floats) -> tuple[Ints, float]:
        """See `law.Ways`."""
        classes, layers = self._classes, self._layers
        best, path = self._paths(best_paths, top), np.zeros(len(top), np.int32)
        follow_best(classes.edge_first, classes.edges, top, best, layers.start, path)
        return path, float(best[0, layers.start])

    def sums(self, total: Floats) -> FlatSums:
        """See `law.Ways`."""
        scratch = (np.zeros(self._classes.classes), np.zeros(self._classes.states))
        mass = self._paths(sum_paths, total, *scratch)
        return FlatSums(self._classes, self._layers.start, total, mass)


class FlatSums:
    """See `law.Sums`. `mass` f64 (n + 1, S): the log-sum of the paths from a state to an end."""

    def __init__(self, classes: TokenClasses, start: int, total: Floats, mass: Floats) -> None:
        self._classes, self._start, self._total, self._mass = classes, start, total, mass
        self.log_sum = float(mass[0, start])

    def draw(self, chooser: Chooser) -> Iterator[int]:
        """See `law.Sums`."""
        classes, state = self._classes, self._start
        for i in range(len(self._total)):
            edges = classes.edges[classes.edge_first[state] : classes.edge_first[state + 1]]
            g, state = edges[chooser.choice(self._total[i, edges[:, 0]] + self._mass[i + 1, edges[:, 1]])].tolist()
            yield g

    def shifts(self) -> Floats:
        """See `law.Sums`."""
        classes, chance = self._classes, np.zeros(self._mass.shape)
        chance[0, self._start] = 1.0
        chances, scratch = np.zeros(self._total.shape), (np.zeros(classes.classes), np.zeros(classes.states))
        class_marginals(classes.edge_first, classes.edges, self._total, self._mass, chance, chances, *scratch)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = np.where(chances > 0, np.log(chances) - self._total, -np.inf)
        return found
