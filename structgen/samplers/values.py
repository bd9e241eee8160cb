"""What beginnings are worth, learnt from the rows of earlier rounds: proposal and twist of the next.

The state s of a constraint is one int, so what an automaton knows of the future is a table. Taking the model's law for
one that depends on the state alone,

    P(s, s')   mean, over the prefixes read at s, of the mass of the events that lead to s' (or to bottom)
    V(s)       P(s, bottom) + sum over s' of P(s, s') V(s')        the value: a guess of c(u) for every prefix u at s

Prefixes that were read themselves know better: their own rows, and what was read behind them.

    V(u)       sum over t of p(t|u) V(ut) for a prefix u that was read, V(s_u) for any other

    proposal   r(t|u) in proportion to p(t|u) V(ut)                twist    psi(u) = V(u)

A step from a prefix that was read weighs sum_t p(t|u) V(ut) / V(u) = 1, whatever the states are worth: all that varies
is what comes behind the first prefix nobody has read. Values are fixed before a round begins, and a round is unbiased
for any proposal and twist, so whatever they were learnt from only the variance depends on it. States gain much where
what a text needs next follows from its state; prefixes gain where it depends on what was written, as far as a round
goes the ways of another.

A state nobody has read at is guessed, with optimism, as what is taken for worthless will never be seen:

    g(s')  the largest V of a known state that is no nearer to an end, in bytes;
           more, up to 1, where all unread successors of a state s would have less than `explore` of V(s) together
           in the last of three rounds or more, which finds nothing for others: the mean V of those as near to an end

Only the `HEAD` likeliest events of a row are told apart, the others are worth their mean. Cost: HEAD look-ups and 20
bytes for each of them per row; an update some dozens of passes over the edges and one over the prefixes.

Sources: Whiteley and Lee 2014 (twisted particles); Guarniero, Johansen and Lee 2017 (the twist learnt in rounds); Zhao
et al. 2024 (twists for language models, by networks). Tables over the states of a constraint and over what was read are
this library's, the optimism is that of Brafman and Tennenholtz 2002.
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

    def add(self, read: _Read) -> None:
        """One row more."""
        self.rows += 1
        masses = np.bincount(read.which, np.exp(read.log_probs), len(read.targets)).tolist()
        for to, mass in zip(read.targets, masses, strict=True):
            self.masses[to] = self.masses.get(to, 0.0) + mass
        if read.log_tail > -np.inf:
            self.masses[_TAIL] = self.masses.get(_TAIL, 0.0) + float(np.exp(read.log_tail))


@dataclass(frozen=True, slots=True)
class _Read:
    """A prefix that was read.   h events told apart

    field      shape     meaning
    ids        i64 (h,)  the events
    log_probs  f64 (h,)  log p of each
    targets    list      states they lead to, and _BOTTOM
    which      i32 (h,)  place in `targets`, of each
    log_tail   float     log of the probability of all other events
    """

    ids: NDArray[np.int64]
    log_probs: Floats
    targets: list[int]
    which: NDArray[np.int32]
    log_tail: float


class Values:
    """log V of every prefix, as far as rows were read; 0 everywhere until the first `update`.

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
        self._read: dict[Tokens, _Read] = {}
        self._behind: dict[Tokens, list[tuple[int, Tokens]]] = {}  # (place in its head, prefix one token further)
        self._log_values: dict[int, float] = {}  # and of states that were guessed since
        self._log_of: dict[Tokens, float] = {}  # of prefixes that were read before the last update
        self._horizon = _Horizon(np.zeros(0, np.int64), np.zeros(0))
        self._distances: dict[int, int] = {}

    def __len__(self) -> int:
        """States that were read at."""
        return len(self._reads)

    def learn(self, prefix: Prefix, row: Row) -> None:
        """Remember what a row says of its prefix and of its state, for the next `update`; once for each prefix."""
        tokens, state = prefix.tokens, prefix.state
        if tokens in self._read:
            return
        read = self._read[tokens] = self._told_apart(state, row)
        self._reads.setdefault(state, _Reads()).add(read)
        self._lease.add([state, *(to for to in read.targets if to >= 0)])
        before = self._read.get(tokens[:-1]) if tokens else None
        if before is not None:
            self._behind.setdefault(tokens[:-1], []).extend(
                (place, tokens) for place in np.flatnonzero(before.ids == tokens[-1]).tolist()
            )

    def log_value(self, prefix: Prefix) -> float:
        """log V of a prefix."""
        if not self._log_values:
            return 0.0
        known = self._log_of.get(prefix.tokens)
        return self._log_value(prefix.state) if known is None else known

    def log_values_after(self, prefix: Prefix, row: Row) -> Floats:
        """(n,) log V one event further, for each event of a row."""
        if not self._log_values or row.dead:
            return np.zeros(row.ids.size)
        read = self._read.get(prefix.tokens) or self._told_apart(prefix.state, row)
        after, mean = self._after(prefix.tokens, read)
        places = np.searchsorted(row.ids, read.ids).clip(max=row.ids.size - 1)
        out, here = np.full(row.ids.size, mean), row.ids[places] == read.ids  # a row read again may differ by rounding
        out[places[here]] = after[here]
        return out

    def _told_apart(self, state: int, row: Row) -> _Read:
        """The events of a row and where they lead."""
        head = _head(row.log_probs)
        ids, log_probs = row.ids[head], row.log_probs[head]
        tail = np.delete(row.log_probs, head)
        targets, which = np.unique(self._targets(state, ids), return_inverse=True)
        return _Read(ids, log_probs, targets.tolist(), which.astype(np.int32), log_sum(tail) if tail.size else -np.inf)

    def _after(self, tokens: Tokens, read: _Read) -> tuple[Floats, float]:
        """(h,) log V one event further, for each that is told apart; and the mean by states, for all others."""
        after = np.array([self._log_value(to) for to in read.targets])[read.which]
        mean = log_sum(read.log_probs + after) - log_sum(read.log_probs)
        for place, further in self._behind.get(tokens, ()):
            if (known := self._log_of.get(further)) is not None:
                after[place] = known
        return after, mean

    def update(self, optimistic: bool = True) -> None:
        """The values anew from everything read so far: the largest solution, approached from above.

        `optimistic`: what nobody has read is to be looked at; else it is guessed to be as others are.
        """
        graph = _Graph.of({state: reads for state, reads in self._reads.items() if any(reads.masses.values())})
        if not graph.states:
            return
        distances = np.array([self._distance(state) for state in graph.states])
        log_v, self._horizon = graph.solved(distances, self.explore if optimistic else None)
        self._log_values = {_BOTTOM: 0.0, **dict(zip(graph.states, log_v.tolist(), strict=True))}
        self._log_of = {}
        for tokens in sorted(self._read, key=len, reverse=True):  # what is behind a prefix comes before it
            self._log_of[tokens] = self._of_a_row(tokens, self._read[tokens])

    def _of_a_row(self, tokens: Tokens, read: _Read) -> float:
        """log V of a prefix by its own row."""
        if not read.ids.size:
            return -np.inf
        after, mean = self._after(tokens, read)
        return float(np.logaddexp(log_sum(read.log_probs + after), read.log_tail + mean))

    def _log_value(self, state: int) -> float:
        """log V of a state, _BOTTOM among them; of one that nobody has met what its distance says."""
        known = self._log_values.get(state)
        if known is None:
            known = self._log_values[state] = float(self._horizon.of(np.array([self._distance(state)]))[0])
        return known

    def _targets(self, state: int, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The state after each token, _BOTTOM at the end."""
        step = self.constraint.step
        return np.array([_BOTTOM if token == self.stop else step(state, token) for token in tokens.tolist()], np.int64)

    def _distance(self, state: int) -> int:
        if state not in self._distances:
            self._distances[state] = self.constraint.distance(state)
        return self._distances[state]


@dataclass(frozen=True, slots=True)
class _Horizon:
    """What to guess by distance: `distances` (r,) of known states, ascending, and a guess for each.

    The best log V among those that are no nearer, or the log of the mean V of those that are as near.
    """

    distances: NDArray[np.int64]
    guesses: Floats

    @classmethod
    def best(cls, distances: NDArray[np.int64], log_v: Floats) -> _Horizon:
        """Of known states in any order."""
        order = np.argsort(distances, kind="stable")
        return cls(distances[order], np.maximum.accumulate(log_v[order][::-1])[::-1])

    @classmethod
    def mean(cls, distances: NDArray[np.int64], log_v: Floats) -> _Horizon:
        """Of known states in any order."""
        classes, which, counts = np.unique(distances, return_inverse=True, return_counts=True)
        sums = np.full(classes.size, -np.inf)
        np.logaddexp.at(sums, which, log_v)
        return cls(classes, sums - np.log(counts))

    def of(self, distances: NDArray[np.int64]) -> Floats:
        """The guess at these distances; beyond the furthest, as there."""
        return np.asarray(self.guesses[np.searchsorted(self.distances, distances).clip(max=self.guesses.size - 1)])


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

    def solved(self, distances: NDArray[np.int64], explore: float | None) -> tuple[Floats, _Horizon]:
        """(n,) log V, the guesses of what was not read among them, and what to guess of states that are not here.

        Without a share to `explore` guesses are means, with one they are optimistic.
        """
        read, everything = self.first.size, len(self.states)
        horizon_of = _Horizon.mean if explore is None else _Horizon.best
        log_v = np.zeros(everything + 1)
        for _ in range(_SWEEPS):
            before = log_v[:read].copy()
            log_v[read:everything] = horizon_of(distances[:read], log_v[:read]).of(distances[read:])
            if explore is not None:
                log_v[read:everything] = np.maximum(log_v[read:everything], self._fair(before, explore))
            log_v[:read] = self._sums(self.log_mass + log_v[self.to])
            if np.abs(log_v[:read] - before).max() < _SETTLED:
                break
        return log_v[:everything], horizon_of(distances[:read], log_v[:read])

    def _fair(self, log_v: Floats, explore: float) -> Floats:
        """(n - r,) the guess, up to 0, that leaves all unread successors of a state a share of its value."""
        read, everything = self.first.size, len(self.states)
        unread = (self.to >= read) & (self.to < everything)
        values = np.concatenate([log_v, np.zeros(everything + 1 - read)])
        known = self._sums(np.where(unread, -np.inf, self.log_mass + values[self.to]))
        with np.errstate(divide="ignore", invalid="ignore"):  # explore 0; a state without unread successors
            new = self._sums(np.where(unread, self.log_mass, -np.inf))
            level = np.fmin(np.log(explore / (1 - explore)) + known - new, 0.0)
        guess = np.zeros(everything - read)
        np.minimum.at(guess, self.to[unread] - read, level[self.source[unread]])
        return guess

    def _sums(self, edges: Floats) -> Floats:
        """(r,) log of the sum of exp over the edges of each state read at."""
        highest = np.maximum.reduceat(edges, self.first)
        shift = np.where(np.isfinite(highest), highest, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.add.reduceat(np.exp(edges - shift[self.source]), self.first)) + shift)


def _head(weights: Floats) -> NDArray[np.int64]:
    """Places of the largest HEAD weights, of all if they are no more."""
    return np.arange(weights.size) if weights.size <= HEAD else np.argpartition(-weights, HEAD)[:HEAD]
