"""Importance weights: the one place where the log-probabilities of a step are added up, for every method.

    step at prefix u, event t (a token, or bottom)        added to log_prob    added to log_weight
    masked: t ~ p 1_A / m                                 log p(t|u)           log m(u)
    model alone, then a check                             log p(t|u)           0, or -inf if t is not allowed
    any proposal r on A                                   log p(t|u)           log p(t|u) - log r(t|u)
    properly weighted (AWRS)                              log p(t|u)           log Z-hat of the step
    trie: t ~ p e^lambda / theta                          log p(t|u)           log theta(u) - lambda at the choice
    slots of a canvas, from a draw of the whole fill      sum of log p         log Z(u) - log Z(u t)
    any of these with t = bottom, under potentials Phi                         + log Phi(w)

so E[exp(log_weight) f(w)] = sum over L of p(w bottom) Phi(w) f(w), and its mean estimates Z. A path that dies has
weight zero and is counted. float64 throughout; masses are summed over the allowed set, never as one minus the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.protocols import Floats
from structgen.samplers.logspace import log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.result import Sample
from structgen.vocabulary import Vocabulary

__all__ = ["Account", "Path", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """The law at one prefix u, on what may follow.   n allowed events

    field      shape/type  meaning
    ids        i64 (n,)    A(u) where p is positive, ascending; bottom appears as `Problem.stop`
    log_probs  f64 (n,)    log p(t|u), normalised over the whole vocabulary
    log_mass   float       log m(u); -inf when nothing may follow
    """

    ids: NDArray[np.int64]
    log_probs: Floats
    log_mass: float

    @classmethod
    def of(cls, ids: NDArray[np.int64], log_probs: Floats) -> Row:
        """From the allowed ids; those of probability zero are left out."""
        possible = log_probs > -np.inf
        kept = log_probs if possible.all() else log_probs[possible]
        return cls(ids if possible.all() else ids[possible], kept, min(log_sum(kept), 0.0))

    @property
    def dead(self) -> bool:
        """Nothing may follow."""
        return self.ids.size == 0


@dataclass(slots=True, kw_only=True)
class Account:
    """What the steps of one output add up to.

    `log_q` is the proposal's log-probability of the path, None once a step had none that is known.
    """

    log_prob: float = 0.0
    log_q: float | None = 0.0
    log_weight: float = 0.0
    step_log_mass: list[float] = field(default_factory=list)

    def add(self, log_prob: float, log_mass: float, log_weight: float, log_q: float | None) -> None:
        """A step, with everything the account says of it."""
        self.log_prob += log_prob
        self.log_weight += log_weight
        self.log_q = None if self.log_q is None or log_q is None else self.log_q + log_q
        self.step_log_mass.append(log_mass)


@dataclass(slots=True)
class Path(Account):
    """One output being written from left to right, and its account."""

    prefix: Prefix
    finish: str | None = None

    def take(self, row: Row, place: int, log_weight: float | None = None, log_q: float | None = None) -> None:
        """Append event `row.ids[place]`, drawn from p on A unless the step's `log_weight` says otherwise.

        `log_q` is then the step's log-probability under the proposal, None where it is unknown.
        """
        log_prob = float(row.log_probs[place])
        if log_weight is None:
            log_weight, log_q = row.log_mass, log_prob - row.log_mass
        self.enter(int(row.ids[place]), log_prob, row.log_mass, log_weight, log_q)

    def enter(self, event: int, log_prob: float, log_mass: float, log_weight: float, log_q: float | None) -> None:
        """Append an event with everything the account says of it."""
        self.add(log_prob, log_mass, log_weight, log_q)
        if event == self.prefix.stop:
            self.log_weight += self.prefix.log_score(complete=True)
            self.finish = "stop"  # the last to be entered: what says that it is finished has its whole account
        else:
            self.prefix = self.prefix.extend(event)

    def die(self, log_mass: float = -np.inf) -> None:
        """Nothing may follow: the path has weight zero."""
        self.step_log_mass.append(log_mass)
        self.log_weight, self.finish = -np.inf, "dead"

    def copy(self) -> Path:
        """An independent path at the same place."""
        return replace(self, step_log_mass=list(self.step_log_mass))

    def sample(self, vocabulary: Vocabulary, **changes: Any) -> Sample:
        """The finished path as a sample; `changes` replace fields of it."""
        known: dict[str, Any] = {
            "token_ids": self.prefix.tokens,
            "data": vocabulary.decode(self.prefix.tokens),
            "log_prob": self.log_prob,
            "log_q": self.log_q,
            "log_weight": self.log_weight,
            "finish": self.finish or "dead",
            "step_log_mass": tuple(self.step_log_mass),
        }
        return Sample(**(known | changes))
