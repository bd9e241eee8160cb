"""The ways through a table of states, weighted: layers forwards and backwards, in another semiring.

One token sequence is one path, because the automaton is deterministic. Classes that lead to the same state are one
step, a bundle. Cost: kernels/canvas_law.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import TokenClasses
from structgen.kernels.canvas_law import (
    best_paths,
    bundle_marginals,
    bundle_shifts,
    bundle_weights,
    follow_best,
    sum_paths,
)
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
        layers, c = self._layers, self._classes
        found = np.full(layers.forward.shape, -np.inf)
        found[-1, layers.ends != 0] = 0.0
        kernel(c.next_first, c.links, weights, layers.forward, layers.backward, found, *scratch)
        return found

    def _bundled(self, weights: Floats) -> tuple[Floats, Floats]:
        """The largest weight in each bundle, and the log-sum, (n, B)."""
        c = self._classes
        best, total = np.empty((2, len(weights), len(c.bundle_first) - 1))
        bundle_weights(c.bundle_first, c.bundles, weights, best, total)
        return best, total

    def best(self, top: Floats) -> tuple[Ints, float]:
        """See `law.Ways`."""
        c, start, (weights, _) = self._classes, self._layers.start, self._bundled(top)
        best, path = self._paths(best_paths, weights), np.zeros(len(top), np.int32)
        follow_best(c.next_first, c.links, weights, best, start, path)
        own = [c.bundles[c.bundle_first[b] : c.bundle_first[b + 1]] for b in path.tolist()]
        found = [classes[row[classes].argmax()] for classes, row in zip(own, top, strict=True)]
        return np.array(found, np.int32), float(best[0, start])

    def sums(self, total: Floats) -> FlatSums:
        """See `law.Ways`."""
        _, weights = self._bundled(total)
        scratch = (np.zeros(weights.shape[1]), np.zeros(self._classes.states))
        return FlatSums(self._classes, self._layers.start, total, weights, self._paths(sum_paths, weights, *scratch))


class FlatSums:
    """See `law.Sums`. `weights` f64 (n, B): the log-sum of each bundle; `mass` f64 (n + 1, S): of the paths from a
    state to an end."""

    def __init__(self, classes: TokenClasses, start: int, total: Floats, weights: Floats, mass: Floats) -> None:
        self._classes, self._start, self._total, self._weights, self._mass = classes, start, total, weights, mass
        self.log_sum = float(mass[0, start])

    def draw(self, chooser: Chooser) -> Iterator[int]:
        """See `law.Sums`."""
        c, state = self._classes, self._start
        for i, total in enumerate(self._total):
            links = c.links[c.next_first[state] : c.next_first[state + 1]]
            place = chooser.choice(self._weights[i, links[:, 0]] + self._mass[i + 1, links[:, 1]])
            bundle, state = links[place].tolist()
            own = c.bundles[c.bundle_first[bundle] : c.bundle_first[bundle + 1]]
            yield int(own[chooser.choice(total[own]) if len(own) > 1 else 0])

    def shifts(self) -> Floats:
        """See `law.Sums`."""
        c, chance = self._classes, np.zeros(self._mass.shape)
        chance[0, self._start] = 1.0
        chances, scratch = np.zeros(self._weights.shape), (np.zeros(self._weights.shape[1]), np.zeros(c.states))
        bundle_marginals(c.next_first, c.links, self._weights, self._mass, chance, chances, *scratch)
        found = np.empty_like(self._total)
        by_class = np.zeros(c.classes)
        bundle_shifts(c.bundle_first, c.bundles, chances, self._weights, self._total, by_class, found)
        return found
