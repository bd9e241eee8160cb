"""What the states of a constraint are worth, learnt from the rows of earlier rounds: proposal and twist of the next.

The state s of a constraint is one int, so what an automaton knows of the future is a table. Taking the model's law for
one that depends on the state alone,

    P(s, s')   mean, over the prefixes read at s, of the mass of the events that lead to s' (or to bottom)
    V(s)       P(s, bottom) + sum over s' of P(s, s') V(s')        the value: a guess of c(u) for every prefix u at s

    proposal   r(t|u) in proportion to p(t|u) V(s_ut)              twist    psi(u) = V(s_u)

With c for V a step weighs sum_t p(t|u) V(s_ut) / V(s_u) = 1. Values are fixed before a round begins, and a round is
unbiased for any proposal and twist, so whatever they were learnt from only the variance depends on it. They gain much
where what a text needs next follows from its state, and nothing where it depends on the prefix.

A state nobody has read at is guessed, with optimism, as what is taken for worthless will never be seen:

    g(s')  the largest V of a known state that is no nearer to an end, in bytes;
           more, up to 1, where all unread successors of a state s would have less than `explore` of V(s) together

Only the `HEAD` likeliest events of a row are told apart, the others are worth their mean. Cost: HEAD look-ups per row;
an update some dozens of passes over the edges.

Sources: Whiteley and Lee 2014 (twisted particles); Guarniero, Johansen and Lee 2017 (the twist learnt in rounds); Zhao
et al. 2024 (twists for language models, by networks). Tables over the states of a constraint are this library's, the
optimism is that of Brafman and Tennenholtz 2002.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError
from structgen.matcher import Constraint
from structgen.protocols import Floats, Tokens
from structgen.samplers.logspace import log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.weights import Row

__all__ = ["HEAD", "Values"]

HEAD = 512  # events of a row that are told apart
_BOTTOM, _TAIL = -2, -3  # where an event leads that leads to no state: to the end, or nobody has looked
_SWEEPS, _SETTLED = 100, 1e-3  # an update ends after so many passes, or when no value changes by more nats


@dataclass(slots=True)
class _Reads:
    """What was read at one state: how many rows, and the sum of their masses by where events lead."""

    rows: int = 0
    masses: dict[int, float] = field(default_factory=dict)


class Values:
    """log V of every state, as far as rows were read; 0 everywhere until the first `update`.

    Raises OptionError for a constraint that is no automaton, and for `explore` outside [0, 1).
    """

    def __init__(self, problem: Problem, explore: float) -> None:
        if not 0 <= explore < 1:
            raise OptionError(f"explore is a share below 1, not {explore}", option="explore")
        if problem.automaton is None:
            raise OptionError("values of states need a compiled constraint, whose state is known", option="rounds")
        self.constraint: Constraint = problem.automaton
        self.stop, self.explore = problem.stop, explore
        self._lease = self.constraint.pin(())
        self._reads: dict[int, _Reads] = {}
        self._known: set[Tokens] = set()
        self._log_values: dict[int, float] = {}  # and of states that were guessed since
        self._horizon = _Horizon(np.zeros(0, np.int64), np.zeros(0))
        self._distances: dict[int, int] = {}

    def __len__(self) -> int:
        """States that were read at."""
        return len(self._reads)

    def learn(self, prefix: Prefix, row: Row) -> None:
        """Remember what a row says of its prefix's state, for the next `update`; once for each prefix."""
        if prefix.tokens in self._known:
            return
        self._known.add(prefix.tokens)
        reads = self._reads.setdefault(prefix.state, _Reads())
        reads.rows += 1
        masses = np.exp(row.log_probs)
        head = _head(masses)
        for to, mass in zip(self._targets(prefix.state, row.ids[head]), masses[head].tolist(), strict=True):
            reads.masses[to] = reads.masses.get(to, 0.0) + mass
        if head.size < masses.size:
            reads.masses[_TAIL] = reads.masses.get(_TAIL, 0.0) + float(masses.sum() - masses[head].sum())
        self._lease.add([prefix.state, *(to for to in reads.masses if to >= 0)])

    def log_value(self, prefix: Prefix) -> float:
        """log V of the state of a prefix."""
        return self._log_value(prefix.state) if self._log_values else 0.0

    def log_values_after(self, prefix: Prefix, row: Row) -> Floats:
        """(n,) log V of where each event of a row leads."""
        if not self._log_values:
            return np.zeros(row.ids.size)
        head = _head(row.log_probs)
        out = np.zeros(row.ids.size)
        out[head] = [self._log_value(to) for to in self._targets(prefix.state, row.ids[head])]
        if head.size < out.size:
            rest = np.ones(out.size, np.bool_)
            rest[head] = False
            out[rest] = log_sum(row.log_probs[head] + out[head]) - log_sum(row.log_probs[head])
        return out

    def update(self) -> None:
        """The values anew from everything read so far: the largest solution, approached from above."""
        graph = _Graph.of({state: reads for state, reads in self._reads.items() if any(reads.masses.values())})
        if not graph.states:
            return
        distances = np.array([self._distance(state) for state in graph.states])
        log_v, self._horizon = graph.solved(distances, self.explore)
        self._log_values = {_BOTTOM: 0.0, **dict(zip(graph.states, log_v.tolist(), strict=True))}

    def _log_value(self, state: int) -> float:
        """log V of a state, _BOTTOM among them; of one that nobody has met what its distance says."""
        known = self._log_values.get(state)
        if known is None:
            known = self._log_values[state] = float(self._horizon.of(np.array([self._distance(state)]))[0])
        return known

    def _targets(self, state: int, tokens: NDArray[np.int64]) -> list[int]:
        """The state after each token, _BOTTOM at the end."""
        return [_BOTTOM if token == self.stop else self.constraint.step(state, token) for token in tokens.tolist()]

    def _distance(self, state: int) -> int:
        if state not in self._distances:
            self._distances[state] = self.constraint.distance(state)
        return self._distances[state]


@dataclass(frozen=True, slots=True)
class _Horizon:
    """`distances` (r,) of known states, ascending, and of each the `best` (r,) log V among those that are no nearer."""

    distances: NDArray[np.int64]
    best: Floats

    @classmethod
    def of_values(cls, distances: NDArray[np.int64], log_v: Floats) -> _Horizon:
        """Of known states in any order."""
        order = np.argsort(distances, kind="stable")
        return cls(distances[order], np.maximum.accumulate(log_v[order][::-1])[::-1])

    def of(self, distances: NDArray[np.int64]) -> Floats:
        """The guess at these distances; beyond the furthest, as there."""
        return np.asarray(self.best[np.searchsorted(self.distances, distances).clip(max=self.best.size - 1)])


@dataclass(frozen=True, slots=True)
class _Graph:
    """The states met, those read at first.   n states, r of them read at, e edges ordered by where they begin

    field       shape     meaning
    states      list (n)  their numbers; r of them were read at
    first       i64 (r,)  the first edge of each state read at
    source, to  i64 (e,)  places in `states`; `to` of bottom is n
    log_mass    f64 (e,)  log P, the tail's shared out among the others
    """

    states: list[int]
    first: NDArray[np.int64]
    source: NDArray[np.int64]
    to: NDArray[np.int64]
    log_mass: Floats

    @classmethod
    def of(cls, reads: dict[int, _Reads]) -> _Graph:
        """Of what was read, a mass above zero at every state."""
        places = {state: place for place, state in enumerate(reads)}
        first, source, to, mass = [], list[int](), list[int](), list[float]()
        for state, read in reads.items():
            head = {target: summed for target, summed in read.masses.items() if target != _TAIL and summed > 0}
            tail = read.masses.get(_TAIL, 0.0) / sum(head.values())
            first.append(len(source))
            source += [places[state]] * len(head)
            to += [-1 if target == _BOTTOM else places.setdefault(target, len(places)) for target in head]
            mass += [summed * (1 + tail) / read.rows for summed in head.values()]
        edges = np.array(to, np.int64)
        edges[edges < 0] = len(places)
        return cls(list(places), np.array(first, np.int64), np.array(source, np.int64), edges, np.log(mass))

    def solved(self, distances: NDArray[np.int64], explore: float) -> tuple[Floats, _Horizon]:
        """(n,) log V, the guesses of what was not read among them, and what to guess of states that are not here."""
        read, everything = self.first.size, len(self.states)
        unread = (self.to >= read) & (self.to < everything)
        log_v = np.zeros(everything + 1)
        for _ in range(_SWEEPS):
            before, edges = log_v[:read].copy(), self.log_mass + log_v[self.to]
            known, new = self._sums(np.where(unread, -np.inf, edges)), np.where(unread, self.log_mass, -np.inf)
            with np.errstate(divide="ignore", invalid="ignore"):  # explore 0; a state without unread successors
                level = np.fmin(np.log(explore / (1 - explore)) + known - self._sums(new), 0.0)
            guess = np.zeros(everything - read)
            np.minimum.at(guess, self.to[unread] - read, level[self.source[unread]])
            horizon = _Horizon.of_values(distances[:read], log_v[:read])
            log_v[read:everything] = np.maximum(guess, horizon.of(distances[read:]))
            log_v[:read] = self._sums(self.log_mass + log_v[self.to])
            if np.abs(log_v[:read] - before).max() < _SETTLED:
                break
        return log_v[:everything], _Horizon.of_values(distances[:read], log_v[:read])

    def _sums(self, edges: Floats) -> Floats:
        """(r,) log of the sum of exp over the edges of each state read at."""
        highest = np.maximum.reduceat(edges, self.first)
        shift = np.where(np.isfinite(highest), highest, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.add.reduceat(np.exp(edges - shift[self.source]), self.first)) + shift)


def _head(weights: Floats) -> NDArray[np.int64]:
    """Places of the largest HEAD weights, of all if they are no more."""
    return np.arange(weights.size) if weights.size <= HEAD else np.argpartition(-weights, HEAD)[:HEAD]
