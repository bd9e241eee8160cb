"""Best-first search: the n likeliest outputs, proven. A search, not a sampler: `target="argmax"`.

The log p of a prefix bounds that of every output it begins. Taking places off a queue in the order of their bounds, the
first complete output that comes off is the mode of pi, the next one the second likeliest, and so on. A place is a
prefix and the rank of one event that may follow; taking it off puts in the place of the next event, so the queue grows
by at most two at a time however large the vocabulary is. Of a row the `KEPT` likeliest events stay in memory; the few
prefixes that need more are read again.

Source: Dijkstra 1959; for language models Meister, Vieira and Cotterell 2020, "Best-First Beam Search". Cost: one model
call per prefix more likely than the n-th output, which may be very many: `limit`, and the budget, end it with what was
proven, the best that was met besides, and a bound on all the rest (`log_rest`).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.options import check_least
from structgen.protocols import Floats
from structgen.samplers.result import SampleSet, Status
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row

__all__ = ["best_first"]

KEPT = 64


@dataclass(frozen=True, slots=True)
class Events:
    """Events after a path, likeliest first, from the one of rank `first` on; `log_next`: log p of the one beyond."""

    first: int
    ids: NDArray[np.int64]
    log_probs: Floats
    log_mass: float
    log_next: float

    @classmethod
    def of(cls, row: Row, first: int) -> Events:
        """At most KEPT of a row."""
        order = np.argsort(-row.log_probs, kind="stable")
        here, last = order[first : first + KEPT], first + KEPT
        log_next = float(row.log_probs[order[last]]) if last < order.size else -np.inf
        return cls(first, row.ids[here], row.log_probs[here], row.log_mass, log_next)


@dataclass(order=True, slots=True)
class Place:
    """A path and the rank of an event among `events`; past their end it stands for all further ones."""

    key: float  # minus the bound
    number: int  # breaks ties by age
    path: Path = field(compare=False)
    events: Events = field(compare=False)
    rank: int = field(compare=False)

    @property
    def is_output(self) -> bool:
        """Its event is bottom."""
        return self.rank < self.events.ids.size and int(self.events.ids[self.rank]) == self.path.prefix.stop

    def taken(self) -> tuple[Path, int]:
        """What it leads to: the path by its event, or the same path and the rank of the first event not kept."""
        events, rank = self.events, self.rank
        if rank == events.ids.size:
            return self.path, events.first + rank
        child, log_prob = self.path.copy(), float(events.log_probs[rank])
        child.enter(int(events.ids[rank]), log_prob, events.log_mass, events.log_mass, log_prob - events.log_mass)
        return child, 0


class Queue:
    """Places by bound, highest first."""

    def __init__(self) -> None:
        self._heap: list[Place] = []
        self._made = 0

    def put(self, path: Path, events: Events, rank: int = 0) -> None:
        """The place of one event, unless there is none of this rank."""
        inside = rank < events.ids.size
        bound = path.log_prob + (float(events.log_probs[rank]) if inside else events.log_next)
        if bound > -np.inf:
            self._made += 1
            heapq.heappush(self._heap, Place(-bound, self._made, path, events, rank))

    def pop(self) -> tuple[Path, int]:
        """What the first place leads to; its next event takes its turn."""
        place = heapq.heappop(self._heap)
        if place.rank < place.events.ids.size:
            self.put(place.path, place.events, place.rank + 1)
        return place.taken()

    @property
    def log_bound(self) -> float:
        """Nothing that is still to come off has a higher log p."""
        return -self._heap[0].key if self._heap else -np.inf

    def next_is_output(self) -> bool:
        """The first place is a complete output."""
        return bool(self._heap) and self._heap[0].is_output

    def __len__(self) -> int:
        return len(self._heap)


def best_first(run: Run, n: int, *, limit: int = 100_000, batch: int = 1) -> SampleSet:
    """The n likeliest outputs in order, each proven to be it; fewer when the language has no more.

    Gives up after reading `limit` prefixes. `batch` of them are read in one call, some of which no proof needed.
    """
    check_least(limit=(limit, 1), batch=(batch, 1))
    queue, waiting, met = Queue(), [(run.root(), 0)], _Best(n)
    proven, visited, cut = 0, 0, False
    run.finished = lambda: run.found(met.paths)
    while proven < n and (waiting or len(queue)) and not cut:
        while proven < n and not waiting and queue.next_is_output():
            queue.pop()
            proven += 1
        while proven < n and len(queue) and len(waiting) < batch and not queue.next_is_output():
            waiting.append(queue.pop())
        cut = run.spent() or visited + len(waiting) > limit
        if waiting and not cut:
            visited += len(waiting)
            for (path, first), row in zip(waiting, run.rows([path.prefix for path, _ in waiting]), strict=True):
                if not first:
                    met.look(path, row)
                queue.put(path, Events.of(row, first))
            waiting = []
    return _result(run, met.paths, n, _log_rest(queue, waiting), cut=cut and proven < n, limited=visited >= limit)


def _log_rest(queue: Queue, waiting: Sequence[tuple[Path, int]]) -> float:
    """The highest log p of any output not proven yet; what was taken off but never read counts."""
    return max([queue.log_bound, *(path.log_prob for path, _ in waiting)])


class _Best:
    """The n likeliest of the outputs met so far, whether they were proven yet or not."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.paths: list[Path] = []

    def look(self, path: Path, row: Row) -> None:
        """Whether this path may end here, and is then among the best."""
        ends = np.flatnonzero(row.ids == path.prefix.stop)
        if ends.size:
            done = path.copy()
            done.take(row, int(ends[0]))
            self.paths.append(done)
            self.paths.sort(key=lambda p: -p.log_prob)
            del self.paths[self.n :]


def _result(run: Run, paths: Sequence[Path], n: int, log_rest: float, *, cut: bool, limited: bool) -> SampleSet:
    status: Status = "budget" if cut else "complete" if paths else "empty"
    note = ""
    if cut:
        note = "the limit of prefixes was reached" if limited else "the budget was spent"
    elif len(paths) < n:
        note = f"there are only {len(paths)} outputs"
    run.stats.attempts = run.stats.accepted = len(paths)
    return run.result("best_first", run.found(paths), target="argmax", status=status, note=note, log_rest=log_rest)
