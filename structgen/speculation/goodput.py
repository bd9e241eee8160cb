"""Which drafts pay: counted acceptance against the measured cost of a call.

A tree of nodes S is expected to give 1 + sum of worth(v), v in S, tokens for one call of cost(|S|). The nodes are taken
worthiest first while the next one is worth more than what its share of the call costs (goodput, Liu et al. 2024; the
order is DySpec's). With no node left that pays, a call is a plain one. Everything is measured while decoding: the cost
of a call by its number of nodes, the acceptance by drafter and rank.

Cost: a sort of the tree's nodes a call.
"""

from __future__ import annotations

from structgen.speculation.tree import DraftTree

__all__ = ["Acceptance", "CallCost", "worth_reading"]

_PRIOR = (2.0, 4.0)  # accepted, tried, before anything was seen
_FORGET = 0.97  # of earlier counts, at each new one
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


class Acceptance:
    """Of one drafter: the share of its tokens that were taken where their parents were reached, by rank."""

    def __init__(self, ranks: int = 8) -> None:
        self._taken, self._tried = [_PRIOR[0] / (1 + rank) for rank in range(ranks)], [_PRIOR[1]] * ranks

    def __call__(self, rank: int) -> float:
        """The share, between 0 and 1."""
        at = min(rank, len(self._tried) - 1)
        return self._taken[at] / self._tried[at]

    def count(self, rank: int, taken: bool) -> None:
        """One more token of this rank was taken or not."""
        at = min(rank, len(self._tried) - 1)
        self._taken[at] = _FORGET * self._taken[at] + taken
        self._tried[at] = _FORGET * self._tried[at] + 1


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


def worth_reading(tree: DraftTree, cost: CallCost, most: int) -> list[int]:
    """The nodes to read, node 0 among them, each with its parent: at most `most`."""
    order = sorted(range(1, len(tree)), key=lambda node: (-tree.worth[node], node))
    best, best_rate, tokens = 1, 1 / cost(1), 1.0
    for count, node in enumerate(order[: most - 1], 2):
        tokens += tree.worth[node]
        if tokens / cost(count) > best_rate:
            best, best_rate = count, tokens / cost(count)
    return [0, *order[: best - 1]]
