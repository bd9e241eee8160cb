"""A*: best first by what a beginning may still come to. With an admissible bound the best outputs, proven.

    f(u) = bound(text of u) + likelihood * log p(u)       of an unfinished prefix: no output that begins so exceeds it
    f(w) = scorer(w)        + likelihood * log p(w)       of an output

Whatever has the highest f comes off the queue first; an output that comes off is the best one left, and of equal ones
the likeliest. A scorer without a bound is asked about the beginning itself, f(u) = scorer(text of u) + ..., and ties go
to the higher log p per event: best-first search by a judge of partial solutions, which proves nothing.

A prefix comes back for its further ways: its `candidates` likeliest events become prefixes of their own, and a place
for all the others goes back on the queue, under the prefix's own bound: nothing is lost, however few these are.

Source: Hart, Nilsson and Raphael 1968; Chatziveroglou 2025, "A*-Decoding: Token-Efficient Inference Scaling", whose
process reward is the scorer here. Cost: a prefix read for each that comes off, `limit` at most; a loose bound means
very many, and a budget then leaves the best outputs met and `score_rest`, which is certain. It does not end where the
best possible score is reached: it looks for the likeliest output that reaches it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from structgen.options import check_least
from structgen.protocols import Scorer
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row
from structgen.search.frontier import MEMORY, Search, ways_on

__all__ = ["astar"]


@dataclass(order=True, slots=True)
class Place:
    """A path on the queue, for its ways on from the rank `first`; a finished one stands for itself.

    field  meaning
    key    minus f
    tie    decides among equal f, lowest first
    bound  of the path's text; the score of one without a bound
    """

    key: float
    tie: float
    number: int
    bound: float = field(compare=False)
    path: Path = field(compare=False)
    first: int = field(compare=False, default=0)


class Queue:
    """Places by f, highest first."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.proves = search.given.bounded
        self.heap: list[Place] = []
        self._made = 0

    def put(self, path: Path, bound: float, first: int = 0, log_prob: float | None = None) -> None:
        """A path, or what is left of its ways on, the best of which has `log_prob`."""
        log_prob = path.log_prob if log_prob is None else log_prob
        best = bound + self.search.likelihood * log_prob
        if best == -math.inf or log_prob == -math.inf:
            return
        self._made += 1
        tie = -log_prob if self.proves else -log_prob / (1 + len(path.prefix.tokens))
        heapq.heappush(self.heap, Place(-best, tie, self._made, bound, path, first))

    def extend(self, place: Place, row: Row, candidates: int) -> list[Path]:
        """Some ways on from a place; the others go back on the queue."""
        beyond = np.sort(-row.log_probs)[place.first + candidates :]
        if beyond.size:
            self.put(place.path, place.bound, place.first + candidates, place.path.log_prob - float(beyond[0]))
        return ways_on(place.path, row, candidates, place.first)

    def put_ways(self, ways: Sequence[tuple[Path, float]]) -> None:
        """Ways on, each with the bound of where it comes from. Raises ScorerError where an output exceeds that."""
        given = self.search.given
        outputs = [(way, above) for way, above in ways if way.finish is not None]
        beginnings = [(way, above) for way, above in ways if way.finish is None]
        finished, unfinished = [way for way, _ in outputs], [way for way, _ in beginnings]
        self.search.values(finished)
        for (way, above), score in zip(outputs, given.scores(finished), strict=True):
            given.check(way, score, above)
            self.put(way, score)
        hopes = given.bounds(unfinished) if self.proves else given.scores(unfinished)
        for (way, above), hope in zip(beginnings, hopes, strict=True):
            self.put(way, min(hope, above))


def astar(
    run: Run,
    n: int,
    *,
    scorer: Scorer,
    limit: int = 10_000,
    candidates: int = 16,
    batch: int = 1,
    likelihood: float = 0.0,
    memory: int = MEMORY,
) -> SampleSet:
    """The n best outputs in order, each proven to be it where the scorer has an admissible bound.

    `limit`: most places whose ways on are looked at; `batch` of them are read in one call, some of them for no proof.
    Without a bound the first n outputs that come off end the search, and the best that were met are returned.
    """
    check_least(limit=(limit, 1), candidates=(candidates, 1), batch=(batch, 1))
    search = Search(run, n, scorer, likelihood, memory)
    queue = Queue(search)
    queue.put(run.root(), search.ceiling if queue.proves else 0.0)
    came_off, opened, cut = 0, 0, False
    while came_off < n and queue.heap:
        if queue.heap[0].path.finish is not None:
            heapq.heappop(queue.heap)
            came_off += 1
            continue
        cut = run.spent() or opened >= limit
        if cut:
            break
        taken = [heapq.heappop(queue.heap)]
        while len(taken) < min(batch, limit - opened) and queue.heap and queue.heap[0].path.finish is None:
            taken.append(heapq.heappop(queue.heap))
        opened += len(taken)
        rows, ways = search.rows.rows([place.path.prefix for place in taken]), list[tuple[Path, float]]()
        for place, row in zip(taken, rows, strict=True):
            above = place.bound if queue.proves else math.inf
            ways += [(way, above) for way in queue.extend(place, row, candidates)]
        queue.put_ways(ways)
    run.stats.attempts = opened
    rest = -queue.heap[0].key if queue.heap else -math.inf
    note = f"{opened} places opened" + (", the limit" if opened >= limit else "")
    return search.result("astar", note, cut=cut, score_rest=rest if queue.proves or not queue.heap else None)
