"""What drafts are worth: acceptance counted by drafter and kind, and the measured cost of a call by its size.

Cost: a dictionary look-up for each draft, and for each that was put to the test.
"""

from __future__ import annotations

from structgen.speculation.tree import Label

__all__ = ["Acceptance", "CallCost"]

_WEIGHT = 4.0  # of a prior, in tests
_FORGET = 0.98  # of earlier counts, at each new one
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

    def shares(self) -> dict[Label, tuple[float, float]]:
        """(share taken, how many count) by label, without priors."""
        return {label: (taken / tested, tested) for label, (taken, tested) in self._counts.items()}


class CallCost:
    """Seconds of a call by its number of nodes, as measured: the least of each size, growing with the size.

    `slope`: what a node more is taken to cost, as a share of a call with one node, until it was measured.
    """

    def __init__(self, slope: float = 0.03) -> None:
        self._slope, self._least = slope, dict[int, float]()

    def measured(self, nodes: int, seconds: float) -> None:
        """A call of so many nodes took so long. Old figures fade, as the text grows."""
        size = min((each for each in _SIZES if each >= nodes), default=_SIZES[-1])
        known = self._least.get(size)
        self._least[size] = seconds if known is None else min(1.02 * known, seconds)

    def __call__(self, nodes: int) -> float:
        """Seconds; without any measurement, calls of one node cost 1."""
        if not self._least:
            return 1 + self._slope * (nodes - 1)
        one = self._one()
        sizes = sorted(self._least)
        below = [size for size in sizes if size <= nodes]
        above = [size for size in sizes if size >= nodes]
        if below and above:
            low, high = below[-1], above[0]
            share = 0.0 if low == high else (nodes - low) / (high - low)
            return max(one, self._least[low] + share * (self._least[high] - self._least[low]))
        if below:
            return max(one, self._least[below[-1]] + self._slope * one * (nodes - below[-1]))
        return max(one, self._least[above[0]] - self._slope * one * (above[0] - nodes))

    def _one(self) -> float:
        size = min(self._least)
        return self._least[size] / (1 + self._slope * (size - 1))
