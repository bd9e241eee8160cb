"""What drafts are worth: acceptance counted by drafter and kind, the measured cost of a call by its size, the payoff.

Cost: a dictionary look-up for each draft, and for each that was put to the test.
"""

from __future__ import annotations

import bisect
import itertools

from structgen.speculation.tree import Label

__all__ = ["Acceptance", "CallCost", "Payoff"]

_WEIGHT = 4.0  # of a prior, in tests
_FORGET = 0.98  # of earlier counts, at each new one
_TRIAL = 12  # calls by which drafting is judged
_SHORTEST_PAUSE, _LONGEST_PAUSE = 16, 256  # calls
_NEW = 0.1  # share of a new measurement in a mean
_UP, _DOWN = 0.05, 0.3  # and in a quantile that it is above or below
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


class Acceptance:
    """By label (drafter, kind): the share of such drafts that were taken, of those whose parent was reached and whose
    better siblings were not taken. Old counts fade."""

    def __init__(self) -> None:
        self._counts: dict[Label, tuple[float, float]] = {}  # taken, tested

    def chance(self, label: Label, prior: float) -> float:
        """The share, between 0 and 1; the prior counts for four tests."""
        taken, tested = self._counts.get(label, (0.0, 0.0))
        return (taken + _WEIGHT * prior) / (tested + _WEIGHT)

    def count(self, label: Label, taken: bool) -> None:
        """One more draft of this label was taken or not."""
        old_taken, old_tested = self._counts.get(label, (0.0, 0.0))
        self._counts[label] = (_FORGET * old_taken + taken, _FORGET * old_tested + 1)


class CallCost:
    """Seconds of a call by its number of nodes: of each size a low quantile of what was measured, growing with it.

    Low, since another process on the machine makes calls longer and nothing makes them shorter; and no size is taken to
    cost more than a larger one, so that a size that was measured at a bad moment is tried again.

    `slope`: what a node more is taken to cost, as a share of a call with one node, until it was measured; `fixed`:
    nothing is measured, so that the same drafts are read at every run.
    """

    def __init__(self, slope: float = 0.03, *, fixed: bool = False) -> None:
        self._slope, self._fixed, self._quantiles = slope, fixed, dict[int, float]()
        self._sizes: list[int] = []
        self._costs: list[float] = []

    def measured(self, nodes: int, seconds: float) -> None:
        """A call of so many nodes took so long."""
        if self._fixed:
            return
        size = min((each for each in _SIZES if each >= nodes), default=_SIZES[-1])
        known = self._quantiles.get(size)
        if known is not None:
            seconds = known + (_DOWN if seconds < known else _UP) * (min(seconds, 2 * known) - known)
        self._quantiles[size] = seconds
        self._sizes = sorted(self._quantiles)
        self._costs = list(itertools.accumulate((self._quantiles[each] for each in reversed(self._sizes)), min))[::-1]

    def __call__(self, nodes: int) -> float:
        """Seconds; without any measurement, calls of one node cost 1."""
        if not self._sizes:
            return 1 + self._slope * (nodes - 1)
        at = bisect.bisect_left(self._sizes, nodes)
        if at == len(self._sizes):
            return self._costs[-1] + self._slope * self._one() * (nodes - self._sizes[-1])
        if at == 0:
            return self._one() * (1 + self._slope * (nodes - 1))
        low, high = self._sizes[at - 1], self._sizes[at]
        return self._costs[at - 1] + (nodes - low) / (high - low) * (self._costs[at] - self._costs[at - 1])

    def _one(self) -> float:
        return self._costs[0] / (1 + self._slope * (self._sizes[0] - 1))


class Payoff:
    """Whether drafting pays: seconds a token with drafts, drafting included, against a call of one node.

    What is compared is a fading mean. Where drafts do not pay, none are made for a while, twice as long each time, and
    then tried again: so a text that nothing predicts costs little more than plain decoding.
    """

    def __init__(self, *, fixed: bool = False) -> None:
        self._fixed = fixed
        self._drafted: float | None = None  # seconds a token
        self._trial, self._rest, self._pause = 0, 0, _SHORTEST_PAUSE

    def drafts(self) -> bool:
        """Whether to draft for the next call."""
        if self._rest:
            self._rest -= 1
            return False
        return True

    def measured(self, seconds: float, tokens: int, plain: float) -> None:
        """A call with drafts gave so many tokens in so many seconds, of which a plain one takes `plain` for one."""
        if self._fixed or not tokens:
            return
        each = seconds / tokens
        self._drafted = each if self._drafted is None else self._drafted + _NEW * (each - self._drafted)
        self._trial += 1
        if self._trial < _TRIAL:
            return
        if self._drafted < plain:
            self._pause = _SHORTEST_PAUSE
            return
        self._rest, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        self._trial, self._drafted = 0, None
