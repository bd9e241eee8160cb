"""Monte Carlo tree search over tokens, whose rollouts the user's tests judge (PG-TD).

    select    from the root to a place without children: the child with the highest
                  Q(s, t) + beta(s) P(t|s) sqrt(log N(s)) / (1 + N(s, t)),   beta(s) = log((N(s) + base + 1) / base) + c
              Q: the best value found below, 0 where nothing was; P: the model's law on what is allowed; N: visits
    expand    its `candidates` likeliest allowed events become children
    evaluate  a rollout to the end under the mask, the likeliest events or, with `sampled`, draws; its value
    back up   visits and the best value, to the root

Values are put on [0, 1] by the least and the greatest found so far, so `c` means the same for every scorer. A place
below which everything is known is not visited again: on a small language the search ends with all of it. Places with
one way on, of which a mask makes many, are passed without a rollout. `batch` rollouts are made together, and visits
count from the choice on, so that they spread.

Source: Zhang et al. 2023, "Planning with Large Language Models for Code Generation": P-UCB, the maximum for Q, both
caches. Theirs of sequences is the rows that are remembered and the texts that were scored; theirs of the model's keys
and values is the prefix model's. Cost: a rollout reads what no other has read, T prefixes at most; the scorer is asked
once a text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from structgen.errors import OptionError
from structgen.options import check_least
from structgen.protocols import Scorer
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row
from structgen.search.frontier import MEMORY, Search, ways_on

__all__ = ["mcts"]


@dataclass(slots=True)
class Node:
    """A place of the tree.

    field     meaning
    path      up to here
    prior     P of its last event
    visits    N
    best      Q: the highest value found below, -inf while nothing was
    children  None until it is expanded
    known     everything below it was met, as far as `candidates` reach
    """

    path: Path
    prior: float
    visits: int = 1
    best: float = -math.inf
    children: list[Node] | None = None
    known: bool = False


@dataclass(slots=True)
class Tree:
    """All places, what guides the choice among them, and whether some way on was left out."""

    root: Node
    base: float
    c: float
    least: float = math.inf
    greatest: float = -math.inf
    pruned: bool = field(default=False)

    def select(self) -> list[Node]:
        """From the root to a place without children; visits are counted."""
        trail = [self.root]
        while trail[-1].children:
            here = trail[-1]
            open_ways = [child for child in here.children or () if not child.known]
            trail.append(max(open_ways, key=lambda child: self._p_ucb(here, child)))
        for node in trail:
            node.visits += 1
        return trail

    def _p_ucb(self, here: Node, child: Node) -> float:
        beta = math.log((here.visits + self.base + 1) / self.base) + self.c
        return self._scaled(child.best) + beta * child.prior * math.sqrt(math.log(here.visits)) / child.visits

    def _scaled(self, value: float) -> float:
        """On [0, 1] among the values found so far."""
        if value == -math.inf or self.greatest <= self.least:
            return 0.0
        return (value - self.least) / (self.greatest - self.least)

    def expand(self, trail: list[Node], row: Row, candidates: int) -> None:
        """Give the last place of a trail its children; where there is one way on the trail goes on."""
        node = trail[-1]
        self.pruned = self.pruned or row.ids.size > candidates
        ways = ways_on(node.path, row, candidates)
        node.children = [Node(way, math.exp(way.log_prob - node.path.log_prob - row.log_mass)) for way in ways]
        if row.ids.size == 1:
            trail.append(node.children[0])
            trail[-1].visits += 1

    def back_up(self, trail: list[Node], value: float) -> None:
        """A value found from the last place of a trail."""
        if value > -math.inf:
            self.least, self.greatest = min(self.least, value), max(self.greatest, value)
        for node in reversed(trail):
            node.best = max(node.best, value)
            finished = node.path.finish is not None
            node.known = finished or (node.children is not None and all(child.known for child in node.children))


def mcts(
    run: Run,
    n: int,
    *,
    scorer: Scorer,
    rollouts: int = 64,
    candidates: int = 8,
    batch: int = 4,
    sampled: bool = False,
    c: float = 4.0,
    base: float = 10.0,
    likelihood: float = 0.0,
    memory: int = MEMORY,
) -> SampleSet:
    """The n best outputs that `rollouts` rollouts meet, best first; proven where they are all there are."""
    check_least(rollouts=(rollouts, 1), candidates=(candidates, 1), batch=(batch, 1))
    for name, value, positive in (("c", c, False), ("base", base, True)):
        if not (value > 0 or (value == 0 and not positive)) or value == math.inf:
            raise OptionError(f"{name} must be {'positive' if positive else 'at least 0'}, not {value}", option=name)
    search, tree, cut = Search(run, n, scorer, likelihood, memory), Tree(Node(run.root(), 1.0), base, c), False
    while run.stats.attempts < rollouts and not tree.root.known and not search.satisfied and not cut:
        cut = not _round(search, tree, min(batch, rollouts - run.stats.attempts), candidates, sampled=sampled)
    note = f"{run.stats.attempts} rollouts"
    everything = tree.root.known and not tree.pruned
    return search.result("mcts", note, cut=cut, score_rest=-math.inf if everything else None)


def _round(search: Search, tree: Tree, size: int, candidates: int, *, sampled: bool) -> bool:
    """A batch of rollouts from different places; False once the budget is spent."""
    run = search.run
    if run.spent():
        return False
    trails: dict[int, list[Node]] = {}
    while len(trails) < size:
        trail = tree.select()
        if id(trail[-1]) in trails:
            break
        trails[id(trail[-1])] = trail
    fresh = [trail for trail in trails.values() if trail[-1].path.finish is None]
    while fresh and not run.spent():
        for trail, row in zip(fresh, search.rows.rows([trail[-1].path.prefix for trail in fresh]), strict=True):
            tree.expand(trail, row, candidates)
        fresh = [trail for trail in fresh if trail[-1].children is None and trail[-1].path.finish is None]
    paths = [trail[-1].path.copy() for trail in trails.values()]
    first = run.stats.attempts
    picks = [run.chooser(first + at).choice for at in range(len(paths))] if sampled else None
    if not search.roll_out(paths, picks):
        return False
    run.stats.attempts += len(paths)
    for trail, value in zip(trails.values(), search.values(paths), strict=True):
        tree.back_up(trail, value)
    return True
