"""Draws through the trie, many in flight: they wait for rows together, share a model call, and come out in order.

One attempt, from the root: arrive at a node, survive, draw an event in proportion to p theta, go on. Arriving at u,
whose bound was lambda when its parent chose it and is theta now, the ratio theta / lambda <= 1 is either the chance to
survive ("reject": accepted outputs are exactly pi, P(accept w) = p(w bottom) / U) or a factor of the weight
("weight": E[W] = Z for every state of the trie). Both hold however attempts interleave, because the ratio uses the
bound that was in force at the choice. Attempts must be used in the order they were launched: whoever takes the first to
finish prefers short outputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.errors import InvariantError, OptionError
from structgen.options import check_least
from structgen.protocols import Chooser, Tokens
from structgen.samplers.prefix import Prefix
from structgen.samplers.result import Sample
from structgen.samplers.run import Run
from structgen.samplers.trie import TAIL, Trie
from structgen.samplers.weights import Row
from structgen.vocabulary import Vocabulary

__all__ = ["Attempt", "Attempts", "trie_for"]

_NOISE = 1e-6  # a bound may seem to rise by this much


@dataclass(slots=True)
class Attempt:
    """One draw. `prefix` follows `tokens` lazily: the constraint has to be there only where the model is asked."""

    index: int
    chooser: Chooser
    prefix: Prefix
    tokens: list[int] = field(default_factory=list)
    node: int = 0
    bound: float = 0.0  # lambda: the bound of this node when its parent chose it
    arrived: bool = False
    log_upper: float = 0.0
    log_prob: float = 0.0
    log_weight: float = 0.0
    log_q: float = 0.0
    masses: list[float] = field(default_factory=list)
    outcome: str | None = None  # "stop", "dead" or "rejected"
    learned: bool = False
    tail_of: NDArray[np.int64] | None = None  # it drew from the tail of a row in which these events had places

    def here(self) -> Prefix:
        """The prefix of the node it is at."""
        for token in self.tokens[len(self.prefix.tokens) :]:
            self.prefix = self.prefix.extend(token)
        return self.prefix

    def sample(self, vocabulary: Vocabulary, *, exact: bool) -> Sample:
        """As a sample: of equal weight and without a known proposal where it is exact."""
        tokens, dead = tuple(self.tokens), self.outcome == "dead"
        log_weight = -np.inf if dead else 0.0 if exact else self.log_weight
        return Sample(
            token_ids=tokens,
            data=vocabulary.decode(tokens),
            log_prob=self.log_prob,
            log_q=None if exact else self.log_q,
            log_weight=log_weight,
            finish="dead" if dead else "stop",
            step_log_mass=tuple(self.masses),
        )


class Attempts:
    """Attempts on one trie, `concurrency` in flight, with streams from the `first` on. `cut`: the budget ended them."""

    def __init__(self, run: Run, trie: Trie, *, reject: bool, concurrency: int, first: int = 0) -> None:
        check_least(concurrency=(concurrency, 1))
        self.run, self.trie, self.reject, self.concurrency = run, trie, reject, concurrency
        self.cut = False
        self.launched = first
        self._queue: deque[Attempt] = deque()  # launched and not given yet, in order

    def in_order(self, limit: int, tv_bound: float = -1.0) -> Iterator[Attempt]:
        """At most `limit` more attempts, as they were launched; ends early when U = 0 or the budget is spent.

        None is launched once 1 - M / U is `tv_bound` or less.
        """
        flying: list[Attempt] = []
        queue = self._queue = deque()
        last = self.launched + limit
        while True:
            while len(flying) < self.concurrency and self.launched < last and self._wanted(tv_bound):
                flying.append(Attempt(self.launched, self.run.chooser(self.launched), self.run.problem.root()))
                queue.append(flying[-1])
                self.launched += 1
            if not flying:
                return
            if self.run.spent():
                self.cut = True
                return
            self._read(flying)
            for attempt in flying:
                self._advance(attempt)
            flying = [attempt for attempt in flying if attempt.outcome is None]
            while queue and queue[0].outcome is not None:
                yield queue.popleft()

    def finished(self) -> list[Attempt]:
        """Those that wait for their turn: an earlier one is not finished."""
        return [attempt for attempt in self._queue if attempt.outcome is not None]

    def _wanted(self, tv_bound: float) -> bool:
        """There is something to draw, and the trie is not good enough yet."""
        return self.trie.log_upper > -np.inf and (tv_bound < 0 or self.trie.tv_bound > tv_bound)

    def _read(self, flying: Sequence[Attempt]) -> None:
        """One model call for all rows that attempts wait for."""
        waiting = [a for a in flying if a.tail_of is not None or not self.trie.ready(a.node)]
        self.run.stats.cache_hits += len(flying) - len(waiting)
        self.trie.forget_rows()
        asked = {a.here().tokens: (a.here(), a.node) for a in waiting}
        for attempt, row in zip(waiting, self.run.rows([a.here() for a in waiting]), strict=True):
            if not self.trie.ready(attempt.node):
                attempt.learned = attempt.learned or not self.trie.visited(attempt.node)
                self.trie.store(attempt.node, row)
            if attempt.tail_of is not None:
                self._from_tail(attempt, row, attempt.tail_of)
        self._learn(asked)

    def _learn(self, known: dict[Tokens, tuple[Prefix, int]]) -> None:
        """Store what the model has read behind prefixes that were asked for: bounds fall for all who go there."""
        for tokens in self.run.read_besides():
            before = known.get(tokens[:-1])
            if before is None or before[1] not in self.trie.rows or tokens[-1] == self.trie.stop:
                continue  # behind the end there is nothing to read
            (prefix, parent), row = before, self.trie.rows[before[1]]
            place, further = np.flatnonzero(row.ids == tokens[-1]), prefix.try_extend(tokens[-1])
            if not place.size or further is None:
                continue
            node = self.trie.extend(parent, tokens[-1], float(row.log_probs[place[0]]))
            known[tokens] = further, node
            if not self.trie.ready(node):
                self.trie.store(node, self.run.rows([further])[0])
                self.trie.settle(node)

    def _from_tail(self, attempt: Attempt, row: Row, placed: NDArray[np.int64]) -> None:
        """Draw among the events that had no place when the attempt chose the tail."""
        inside = ~np.isin(row.ids, placed)
        drawn = attempt.chooser.choice(np.where(inside, row.log_probs, -np.inf))
        event, log_prob = int(row.ids[drawn]), float(row.log_probs[drawn])
        attempt.tail_of = None
        self.trie.give_place(attempt.node, event, log_prob, row)
        self._go(attempt, event, log_prob, 0.0)

    def _advance(self, attempt: Attempt) -> None:
        """As far as known rows lead."""
        trie = self.trie
        while attempt.outcome is None and attempt.tail_of is None and trie.ready(attempt.node):
            if not attempt.arrived and not self._survives(attempt):
                break
            place = trie.draw(attempt.node, attempt.chooser)
            row = trie.rows[attempt.node]
            if place == TAIL:
                attempt.tail_of = row.ids
                return
            log_prob = float(row.log_probs[place])
            self._go(attempt, int(row.ids[place]), log_prob, float(row.bounds[place]))
        if attempt.outcome is not None:
            if attempt.learned:
                trie.settle(attempt.node)
            trie.recent.append(attempt.learned)

    def _survives(self, attempt: Attempt) -> bool:
        """Account for the bound having fallen since the parent chose this node."""
        theta = self.trie.theta[attempt.node]
        ratio = theta - attempt.bound
        if ratio > _NOISE:
            raise InvariantError("bounds never rise", f"log theta {theta} above {attempt.bound}")
        attempt.arrived = True
        attempt.masses.append(self.trie.mass[attempt.node])
        if attempt.node == 0:
            attempt.log_upper = theta
        if theta == -np.inf:
            attempt.outcome, attempt.log_weight = "rejected" if self.reject else "dead", -np.inf
        elif self.reject and attempt.node and ratio < 0 and not attempt.chooser.accept(ratio):
            attempt.outcome = "rejected"
        else:
            attempt.log_weight += ratio
            attempt.log_q -= theta
        return attempt.outcome is None

    def _go(self, attempt: Attempt, event: int, log_prob: float, bound: float) -> None:
        """Take an event whose bound at this moment is `bound`."""
        attempt.log_prob += log_prob
        attempt.log_q += log_prob + bound
        if event == self.trie.stop:
            attempt.outcome = "stop"
            return
        attempt.tokens.append(event)
        attempt.node, attempt.bound, attempt.arrived = self.trie.extend(attempt.node, event, log_prob), bound, False


def trie_for(run: Run, trie: Trie | None) -> Trie:
    """The caller's trie, which must be of this problem, or a new one."""
    if trie is None:
        return Trie(run.problem)
    if trie.fingerprint != run.problem.fingerprint:
        raise OptionError("the trie was learned on another model, prompt, law or constraint", option="trie")
    return trie
