"""AWRS: one event that a black-box check accepts, and an unbiased estimate of how much mass it would accept.

Given p(t), not necessarily of sum one, and a check f(t) in {0, 1}, draw events without replacement until f accepts x.
Then x ~ p f / m with m = sum of p f, and the estimate Z-hat, from the draws alone, is proper:

    E[Z-hat 1{x = a}] = p(a) f(a)   for every a, hence E[Z-hat] = m

Let psi be the mass of what was rejected, everything but psi and x be the rest, and y_1, ..., y_B the next B draws after
x, B = max(lookahead, 1 + per_reject * rejections before x). Des Raj's ordered estimators of the accepted share of the
rest,

    t_j = sum over i < j of p~(y_i) f(y_i) + (1 - sum over i < j of p~(y_i)) f(y_j),   p~ = p / mass of the rest,

give Z-hat = p(x) + rest * mean of t_j; if the draws exhaust the events it is m itself. `max_rejects` = M gives up (no
event, weight zero) after M rejections; x found by the M-th check then has Z-hat = x and rest together, whatever f.

Every t_j is unbiased given what was drawn before y_j, and B is known before y_1 is drawn, so Z-hat is proper for any B
that the past decides (one that the answers for y decide would not be). One look tells all or nothing of the rest: where
a thousandth of the mass is accepted, Z-hat then has a relative variance of hundreds. As many looks as there were
rejections make it about one, for at most twice the checks and one; where nothing was rejected, they cost nothing more.

Masses are sums over what is left, never one minus what is gone, and no tolerance stops the draws: an event of mass 1e-6
is found like any other.

Expected checks until x: at most 1 / m; then B. Sources: Lipkin et al. 2025, "Fast controlled generation from language
models with adaptive weighted rejection sampling" (whose estimator draws x twice); Des Raj 1956.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from structgen.errors import OptionError
from structgen.protocols import Chooser, Floats
from structgen.samplers.logspace import log_sum

__all__ = ["AWRS", "Draw"]


@dataclass(frozen=True, slots=True)
class Draw:
    """What came of one event: its place (None: nothing was accepted), log Z-hat, and how many events were checked."""

    place: int | None
    log_estimate: float
    checks: int


@dataclass(frozen=True, slots=True)
class AWRS:
    """The estimator: further checks for less variance, and a limit.

    field        meaning
    lookahead    fewest checks after x
    max_rejects  M: give up after so many rejections; None: never
    per_reject   checks after x for each rejection before it; 0: always `lookahead`
    """

    lookahead: int = 1
    max_rejects: int | None = None
    per_reject: int = 1

    def __post_init__(self) -> None:
        if self.lookahead < 1:
            raise OptionError(f"lookahead must be at least 1, not {self.lookahead}", option="lookahead")
        if self.max_rejects is not None and self.max_rejects < 1:
            raise OptionError(f"max_rejects must be at least 1, not {self.max_rejects}", option="max_rejects")
        if self.per_reject < 0:
            raise OptionError(f"per_reject must not be negative, not {self.per_reject}", option="per_reject")

    def draw(self, log_p: Floats, accepts: Callable[[int], bool], chooser: Chooser) -> Draw:
        """One event by (V,) log p; `accepts` is asked of places."""
        left, order, rejected = log_p.copy(), chooser.order(log_p), 0
        for x in order:
            if accepts(x):
                break
            left[x] = -np.inf
            rejected += 1
            if rejected == self.max_rejects:
                return Draw(None, -np.inf, rejected)
        else:
            return Draw(None, -np.inf, rejected)
        if self.max_rejects is not None and rejected == self.max_rejects - 1:
            return Draw(x, log_sum(left), rejected + 1)
        left[x] = -np.inf
        looks = max(self.lookahead, 1 + self.per_reject * rejected)
        estimate, checks = self._rest(left, order, accepts, looks)
        return Draw(x, float(np.logaddexp(log_p[x], estimate)), rejected + 1 + checks)

    def _rest(
        self, left: Floats, order: Iterator[int], accepts: Callable[[int], bool], looks: int
    ) -> tuple[float, int]:
        """(log of the estimated accepted mass of what is left, checks) from `looks` draws; uses `left` up."""
        remaining = int(np.count_nonzero(left > -np.inf))
        seen = min(looks, remaining)
        log_accepted, terms = -np.inf, []  # accepted mass so far; rest * t_j
        for y in itertools.islice(order, seen):
            accepted = accepts(y)
            terms.append(float(np.logaddexp(log_accepted, log_sum(left))) if accepted else log_accepted)
            if accepted:
                log_accepted = float(np.logaddexp(log_accepted, left[y]))
            left[y] = -np.inf
        if seen == remaining:
            return log_accepted, seen
        return log_sum(terms) - float(np.log(seen)), seen
