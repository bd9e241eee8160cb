"""The law of a canvas: what a denoiser says of each slot by itself, given that the whole text is valid.

A denoiser gives scores (n, V), one independent distribution per slot. `CanvasLaw` is their product restricted to valid
fills, exactly: its probability Z before it was restricted, its likeliest fill, its marginals, independent draws of
whole fills. What is taken from one fill is consistent whatever part of it is used; what is taken slot by slot is not.

A token of probability zero is impossible only while others will do: where every valid fill has some, the law is that of
the limit in which they all get one and the same vanishing probability. Cost: kernels/canvas_law.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import TokenClasses
from structgen.errors import ModelError, Unsatisfiable
from structgen.kernels.canvas_law import (
    IMPOSSIBLE,
    best_paths,
    class_marginals,
    class_scores,
    follow_best,
    spread_shifts,
    sum_paths,
)
from structgen.protocols import Chooser, Floats

__all__ = ["CanvasLaw", "Layers"]

Longs = NDArray[np.int64]


class Layers(NamedTuple):
    """What a canvas knows of its slots.   n slots, S states, G classes

    start     the state before the first slot
    ends      u8 (S,) where a fill may end
    forward   u8 (n + 1, S) the slots before a layer reach the state
    backward  u8 (n + 1, S) the slots behind it lead on to an end
    useful    u8 (n, G) classes that some valid fill has
    fixed     the tokens of fixed slots
    chosen    i64, the tokens that a slot is restricted to, ascending
    """

    start: int
    ends: NDArray[np.uint8]
    forward: NDArray[np.uint8]
    backward: NDArray[np.uint8]
    useful: NDArray[np.uint8]
    fixed: Mapping[int, int]
    chosen: Mapping[int, Longs]


class CanvasLaw:
    """The law of the fills of a canvas under `scores`, float32 or float64 (n, >= V), logits or log-probabilities.

    Raises ModelError where a score is NaN or +inf, Unsatisfiable where there is no valid fill.
    """

    def __init__(self, classes: TokenClasses, layers: Layers, scores: Any) -> None:
        self._classes, self._layers = classes, layers
        n, size = len(layers.useful), len(classes.cls)
        if not layers.backward[0, layers.start]:
            raise Unsatisfiable(f"no valid text fits the {n} slots of this canvas as they are", pointer=None)
        given = np.asarray(scores)
        if given.ndim != 2 or given.shape[0] != n or given.shape[1] < size:
            raise ModelError(f"scores of shape {given.shape} for {n} slots of {size} tokens")
        wide = np.float32 if given.dtype == np.float32 else np.float64
        self._scores: Any = np.ascontiguousarray(given, wide)
        self._free = np.array([i for i in range(n) if i not in layers.fixed], np.int32)
        highest = self._scores[:, :size].max(axis=1).astype(np.float64)
        for i in self._free[~(highest[self._free] < np.inf)].tolist():
            raise ModelError(f"the model's scores of slot {i} hold NaN or infinity")
        highest[highest == -np.inf] = -IMPOSSIBLE  # nothing is possible there: all tokens alike
        self._floor = highest + IMPOSSIBLE
        self._norm = np.zeros(n)  # log-sum of a slot's scores
        self._top, self._total = np.full((2, n, classes.classes), -np.inf)
        self._likeliest = np.full((n, classes.classes), -1, np.int64)
        for i in self._free.tolist():
            self._read(i, float(highest[i]))
        for i, token in layers.fixed.items():
            g = classes.cls[token]
            self._top[i, g], self._total[i, g], self._likeliest[i, g] = 0.0, 0.0, token
        for i, tokens in layers.chosen.items():
            self._restrict(i, tokens)

    def _read(self, slot: int, highest: float) -> None:
        """Sum the scores of a slot by class, and all of them."""
        c, size = self._classes, len(self._classes.cls)
        weights = self._scores[slot, :size] - highest
        np.exp(weights, out=weights)
        own = (c.cls, c.token_first, c.tokens, self._layers.useful, self._top, self._likeliest, self._total)
        class_scores(self._scores, weights, slot, highest, self._floor[slot], *own)
        mass = float(weights.sum(dtype=np.float64))
        self._norm[slot] = highest + np.log(mass) if mass else self._floor[slot] + np.log(size)

    def _restrict(self, slot: int, tokens: Longs) -> None:
        """Make the classes of a slot those of some tokens."""
        self._top[slot], self._total[slot] = -np.inf, -np.inf
        of = self._classes.cls[tokens]
        for g in np.unique(of[self._layers.useful[slot, of] != 0]).tolist():
            own = tokens[of == g]
            scores = self._scores_of(slot, own)
            place = int(scores.argmax())
            highest = float(scores[place])
            self._top[slot, g], self._likeliest[slot, g] = highest, own[place]
            self._total[slot, g] = highest + np.log(np.exp(scores - highest).sum())

    def _scores_of(self, slot: int, tokens: NDArray[np.integer]) -> Floats:
        found: Floats = np.maximum(self._scores[slot, tokens].astype(np.float64), self._floor[slot])
        return found

    @cached_property
    def _mass(self) -> Floats:
        return self._paths(sum_paths, self._total, *self._scratch())

    def _scratch(self) -> tuple[Floats, Floats]:
        return np.zeros(self._classes.classes), np.zeros(self._classes.states)

    def _paths(self, kernel: Any, weights: Floats, *scratch: Floats) -> Floats:
        """Weights of the paths from every state to an end, (n + 1, S)."""
        layers, classes = self._layers, self._classes
        found = np.full(layers.forward.shape, -np.inf)
        found[-1, layers.ends != 0] = 0.0
        kernel(classes.edge_first, classes.edges, weights, layers.forward, layers.backward, found, *scratch)
        return found

    @cached_property
    def log_z(self) -> float:
        """The log-probability that independent draws of the open slots make a valid text together; -inf where each
        valid text has a token of probability zero."""
        found = float(self._mass[0, self._layers.start] - self._norm.sum())
        return found if found > IMPOSSIBLE / 2 else -np.inf

    def best(self) -> tuple[Longs, float]:
        """The likeliest fill, i64 (n,), and its log-probability under the law. Of equally likely tokens the first."""
        classes, layers = self._classes, self._layers
        best = self._paths(best_paths, self._top)
        path = np.zeros(len(layers.useful), np.int32)
        follow_best(classes.edge_first, classes.edges, self._top, best, layers.start, path)
        tokens = self._likeliest[np.arange(len(path)), path]
        return tokens, float(best[0, layers.start] - self._mass[0, layers.start])

    def sample(self, chooser: Chooser) -> Longs:
        """An exact draw of a whole fill, i64 (n,): for each slot its class, then a token of it."""
        classes, layers, mass = self._classes, self._layers, self._mass
        tokens, state = np.zeros(len(layers.useful), np.int64), layers.start
        for i in range(len(tokens)):
            edges = classes.edges[classes.edge_first[state] : classes.edge_first[state + 1]]
            g, state = edges[chooser.choice(self._total[i, edges[:, 0]] + mass[i + 1, edges[:, 1]])].tolist()
            tokens[i] = layers.fixed[i] if i in layers.fixed else self._of_class(i, g, chooser)
        return tokens

    def _of_class(self, slot: int, g: int, chooser: Chooser) -> int:
        own = self._classes.tokens[self._classes.token_first[g] : self._classes.token_first[g + 1]]
        if slot in self._layers.chosen:
            own = np.intersect1d(own, self._layers.chosen[slot])
        return int(own[chooser.choice(self._scores_of(slot, own))])

    @cached_property
    def _by_class(self) -> Floats:
        """The probability of each class in each slot, (n, G)."""
        classes, layers = self._classes, self._layers
        marginal, chance = np.zeros(layers.useful.shape), np.zeros(layers.forward.shape)
        chance[0, layers.start] = 1.0
        class_marginals(classes.edge_first, classes.edges, self._total, self._mass, chance, marginal, *self._scratch())
        return marginal

    def log_marginals(self) -> NDArray[np.floating[Any]]:
        """(n, V) log-probability of each token in each slot under the law, in the dtype of the scores."""
        classes, layers = self._classes, self._layers
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(self._by_class > 0, np.log(self._by_class) - self._total, -np.inf)
        out: Any = np.empty((len(shift), len(classes.cls)), self._scores.dtype)
        out[[*layers.chosen, *layers.fixed]] = -np.inf
        rest = np.array([i for i in self._free.tolist() if i not in layers.chosen], np.int32)
        spread_shifts(self._scores, rest, classes.cls, shift, self._floor, out)
        for i, tokens in layers.chosen.items():
            out[i, tokens] = self._scores_of(i, tokens) + shift[i, classes.cls[tokens]]
        for i, token in layers.fixed.items():
            out[i, token] = 0.0
        found: NDArray[np.floating[Any]] = out
        return found

    def marginals(self) -> NDArray[np.floating[Any]]:
        """(n, V) probability of each token in each slot under the law, in the dtype of the scores."""
        found: Any = self.log_marginals()
        probabilities: NDArray[np.floating[Any]] = np.exp(found, out=found)
        return probabilities
