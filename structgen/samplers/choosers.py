"""Where random choices come from.

A method draws only through a `Chooser` (`structgen.protocols`), so the same code runs on seeded streams and, in tests,
on every possible outcome in turn with its exact probability: expectations then come out to rounding error, without
noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from structgen.errors import InvariantError, LimitExceeded
from structgen.protocols import Chooser, Floats

__all__ = ["ExhaustiveChooser", "RandomChooser", "every_outcome", "stream_of"]

T = TypeVar("T")
_BLOCK = 512  # weights summed at once
_ROUNDS, _REPEATS = 8, 4  # of draws with replacement before an order sorts what is left


class RandomChooser:
    """A seeded stream. `key` numbers it: streams of different keys are independent, whatever runs beside them."""

    def __init__(self, seed: int, *key: int) -> None:
        self.generator = np.random.default_rng(np.random.SeedSequence([seed, *key]))

    def choice(self, log_weights: Floats) -> int:
        """Inversion of the cumulative sum in float64: one uniform number, however many weights.

        The sum goes by blocks, and inside the one that is reached: the sum of a whole row costs as much as all else.
        """
        highest = log_weights.max(initial=-np.inf)
        if not np.isfinite(highest):
            raise InvariantError("a choice has a possible outcome", f"{log_weights.size} weights, highest {highest}")
        weights = np.exp(log_weights - highest)
        blocks = np.add.reduceat(weights, np.arange(0, weights.size, _BLOCK)).cumsum()
        reached = self.generator.random() * blocks[-1]
        block = min(int(blocks.searchsorted(reached, side="right")), blocks.size - 1)
        first, before = block * _BLOCK, blocks[block - 1] if block else 0.0
        inside = weights[first : first + _BLOCK].cumsum()
        place = first + min(int(inside.searchsorted(reached - before, side="right")), inside.size - 1)
        # rounding may point just past the last possible weight
        return place if weights[place] > 0 else int(np.flatnonzero(weights[: place + 1])[-1])

    def order(self, log_weights: Floats) -> Iterator[int]:
        """Draws with replacement whose repeats are passed over; after some rounds of them the rest by Gumbel keys.

        Both have the law of draws without replacement, and as later draws do not depend on earlier ones, one may go
        over to the other at any time. A round costs a cumulative sum of what is left and ends with a few repeats; keys
        cost a sort, and reach what is too unlikely to be drawn at all.
        """
        left = np.array(log_weights, np.float64)
        for _ in range(_ROUNDS):
            highest = left.max(initial=-np.inf)
            if highest == -np.inf:
                return
            cumulative, repeats = np.exp(left - highest).cumsum(), 0
            while repeats < _REPEATS:
                reached = self.generator.random() * cumulative[-1]
                place = min(int(cumulative.searchsorted(reached, side="right")), left.size - 1)
                if left[place] == -np.inf:
                    repeats += 1
                else:
                    left[place] = -np.inf
                    yield place
        rest = np.flatnonzero(left > -np.inf)
        keys = np.log(self.generator.standard_exponential(rest.size)) - left[rest]
        yield from rest[np.argsort(keys, kind="stable")].tolist()

    def accept(self, log_probability: float) -> bool:
        """One uniform number in [0, 1)."""
        return bool(self.generator.random() < np.exp(log_probability))


def stream_of(seed: int | Chooser, *key: int) -> Chooser:
    """The stream of one particle, attempt, chain or row; the chooser itself where one was given for a seed."""
    return RandomChooser(seed, *key) if isinstance(seed, int) else seed


class ExhaustiveChooser:
    """Replays a list of earlier choices, then takes the first possible one; `probability` is that of what it chose."""

    def __init__(self, script: list[int]) -> None:
        self.script, self.log, self.probability = script, [0] * 0, 1.0
        self.widths: list[list[int]] = []

    def choice(self, log_weights: Floats) -> int:
        """The scripted outcome, else the first of positive weight."""
        possible = np.flatnonzero(log_weights > -np.inf).tolist()
        at = len(self.log)
        index = self.script[at] if at < len(self.script) else possible[0]
        weights = np.exp(log_weights - log_weights.max())
        self.probability *= float(weights[index] / weights.sum())
        self.log.append(index)
        self.widths.append(possible)
        return index

    def order(self, log_weights: Floats) -> Iterator[int]:
        """Sequential choices without replacement: the same law as Gumbel noise."""
        left = np.array(log_weights, np.float64)
        while (left > -np.inf).any():
            index = self.choice(left)
            left[index] = -np.inf
            yield index

    def accept(self, log_probability: float) -> bool:
        """A choice between yes and no."""
        probability = float(np.exp(log_probability))
        with np.errstate(divide="ignore"):
            return self.choice(np.log(np.array([probability, max(0.0, 1 - probability)]))) == 0


def every_outcome(experiment: Callable[[ExhaustiveChooser], T], limit: int = 1_000_000) -> Iterator[tuple[float, T]]:
    """(probability, result) of every way `experiment` can go, by depth-first search over its choices.

    Cost: one run per outcome. Raises LimitExceeded beyond `limit` outcomes.
    """
    script: list[int] | None = []
    for _ in range(limit):
        assert script is not None
        chooser = ExhaustiveChooser(script)
        result = experiment(chooser)
        yield chooser.probability, result
        script = _next_script(chooser)
        if script is None:
            return
    raise LimitExceeded("an experiment with this many outcomes is not enumerated", limit="outcomes", allowed=limit)


def _next_script(chooser: ExhaustiveChooser) -> list[int] | None:
    """The choices that lead to the next outcome in depth-first order, None after the last."""
    for at in range(len(chooser.log) - 1, -1, -1):
        later = [index for index in chooser.widths[at] if index > chooser.log[at]]
        if later:
            return [*chooser.log[:at], later[0]]
    return None
