"""The law of a canvas: what a denoiser says of each slot by itself, given that the whole text is valid.

A denoiser gives scores (n, V), one independent distribution per slot. `CanvasLaw` is their product restricted to valid
fills, exactly: its probability Z before it was restricted, its likeliest fill, its marginals, independent draws of
whole fills. What is taken from one fill is consistent whatever part of it is used; what is taken slot by slot is not.
Here scores of tokens become those of classes and back; in between are the ways of classes that make a text (`Ways`).

A token of probability zero is impossible only while others will do: where every valid fill has some, the law is that of
the limit in which they all get one and the same vanishing probability. Cost: kernels/canvas_law.py, nested_law.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_classes import ClassTokens
from structgen.errors import ModelError
from structgen.kernels.canvas_law import IMPOSSIBLE, class_scores, spread_shifts
from structgen.protocols import Chooser, Floats

__all__ = ["CanvasLaw", "Held", "Sums", "Ways"]

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]


class Held(NamedTuple):
    """What slots hold: `useful` u8 (n, G), the classes that some valid fill has; the tokens of `fixed` slots; `chosen`,
    those that a slot is restricted to, i64, ascending."""

    useful: NDArray[np.uint8]
    fixed: Mapping[int, int]
    chosen: Mapping[int, Longs]


class Sums(Protocol):
    """The valid ways through a canvas, each weighted with the product of its classes."""

    log_sum: float

    def draw(self, chooser: Chooser) -> Iterable[int]:
        """The classes of one way, slot by slot, with a probability in proportion to its weight."""

    def shifts(self) -> Floats:
        """(n, G): the log-probability that a way has a class in a slot, less the class's own log-weight; else -inf."""


class Ways(Protocol):
    """All valid fills of a canvas, of which there is one at least, by their classes. Log-weights are (n, G)."""

    def best(self, top: Floats) -> tuple[Ints, float]:
        """The classes of the way of largest weight, (n,), and its log-weight."""

    def sums(self, total: Floats) -> Sums:
        """All ways under these weights."""


class CanvasLaw:
    """The law of the fills of a canvas under `scores`, float32 or float64 (n, >= V), logits or log-probabilities.

    Raises ModelError where a score is NaN or +inf.
    """

    def __init__(self, classes: ClassTokens, ways: Ways, held: Held, scores: Any) -> None:
        self._classes, self._ways, self._held = classes, ways, held
        n, size = len(held.useful), len(classes.cls)
        given = np.asarray(scores)
        if given.ndim != 2 or given.shape[0] != n or given.shape[1] < size:
            raise ModelError(f"scores of shape {given.shape} for {n} slots of {size} tokens")
        wide = np.float32 if given.dtype == np.float32 else np.float64
        self._scores: Any = np.ascontiguousarray(given, wide)
        self._free = np.array([i for i in range(n) if i not in held.fixed], np.int32)
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
        for i, token in held.fixed.items():
            g = classes.cls[token]
            self._top[i, g], self._total[i, g], self._likeliest[i, g] = 0.0, 0.0, token
        for i, tokens in held.chosen.items():
            self._restrict(i, tokens)

    def _read(self, slot: int, highest: float) -> None:
        """Sum the scores of a slot by class, and all of them."""
        c, size = self._classes, len(self._classes.cls)
        weights = self._scores[slot, :size] - highest
        np.exp(weights, out=weights)
        own = (c.cls, c.token_first, c.tokens, self._held.useful, self._top, self._likeliest, self._total)
        class_scores(self._scores, weights, slot, highest, self._floor[slot], *own)
        mass = float(weights.sum(dtype=np.float64))
        self._norm[slot] = highest + np.log(mass) if mass else self._floor[slot] + np.log(size)

    def _restrict(self, slot: int, tokens: Longs) -> None:
        """Make the classes of a slot those of some tokens."""
        self._top[slot], self._total[slot] = -np.inf, -np.inf
        of = self._classes.cls[tokens]
        for g in np.unique(of[self._held.useful[slot, of] != 0]).tolist():
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
    def _sums(self) -> Sums:
        return self._ways.sums(self._total)

    @property
    def log_z(self) -> float:
        """The log-probability that independent draws of the open slots make a valid text together; -inf where each
        valid text has a token of probability zero."""
        found = float(self._sums.log_sum - self._norm.sum())
        return found if found > IMPOSSIBLE / 2 else -np.inf

    def log_prob_of(self, slots: Longs, tokens: Longs) -> float:
        """The log-probability that independent draws of some open slots are these tokens, valid or not."""
        scores = [self._scores_of(slot, token) for slot, token in zip(slots, tokens[:, None], strict=True)]
        return float(np.sum(scores) - self._norm[slots].sum())

    def best(self) -> tuple[Longs, float]:
        """The likeliest fill, i64 (n,), and its log-probability under the law. Of equally likely tokens the first."""
        path, weight = self._ways.best(self._top)
        return self._likeliest[np.arange(len(path)), path], float(weight - self._sums.log_sum)

    def sample(self, chooser: Chooser) -> Longs:
        """An exact draw of a whole fill, i64 (n,): for each slot its class, then a token of it."""
        tokens, fixed = np.zeros(len(self._held.useful), np.int64), self._held.fixed
        for i, g in enumerate(self._sums.draw(chooser)):
            tokens[i] = fixed[i] if i in fixed else self._of_class(i, g, chooser)
        return tokens

    def _of_class(self, slot: int, g: int, chooser: Chooser) -> int:
        own = self._classes.tokens[self._classes.token_first[g] : self._classes.token_first[g + 1]]
        if slot in self._held.chosen:
            own = np.intersect1d(own, self._held.chosen[slot])
        return int(own[chooser.choice(self._scores_of(slot, own))])

    def log_marginals(self) -> NDArray[np.floating[Any]]:
        """(n, V) log-probability of each token in each slot under the law, in the dtype of the scores."""
        classes, held, shift = self._classes, self._held, self._sums.shifts()
        out: Any = np.empty((len(shift), len(classes.cls)), self._scores.dtype)
        out[[*held.chosen, *held.fixed]] = -np.inf
        rest = np.array([i for i in self._free.tolist() if i not in held.chosen], np.int32)
        spread_shifts(self._scores, rest, classes.cls, shift, self._floor, out)
        for i, tokens in held.chosen.items():
            out[i, tokens] = self._scores_of(i, tokens) + shift[i, classes.cls[tokens]]
        for i, token in held.fixed.items():
            out[i, token] = 0.0
        found: NDArray[np.floating[Any]] = out
        return found

    def marginals(self) -> NDArray[np.floating[Any]]:
        """(n, V) probability of each token in each slot under the law, in the dtype of the scores."""
        found: Any = self.log_marginals()
        probabilities: NDArray[np.floating[Any]] = np.exp(found, out=found)
        return probabilities
