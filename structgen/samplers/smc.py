"""Sequential Monte Carlo: N particles extended together, weighed at every step, resampled when few carry the weight.

    x_i    particle i, a path             lw_i   its log-weight: the account of `weights`,
    psi    twist, a guess of the future   ESS    (sum W)^2 / sum W^2        tau   ess_threshold

    repeat until every particle is finished or dead
        one event each, by the proposal            lw_i += its entry in the account
        lw_i += log psi(u_t) - log psi(u_{t-1})    at bottom the true potentials take psi's place
        if ESS < tau N and some particle goes on   resample all N, the finished ones too; lw_i = log-mean of all lw

Z-hat = mean of W is unbiased for every N, tau, scheme, proposal and twist: zeros count, so runs in which all particles
died must be averaged too (status "degenerate"). Estimates by normalised weights have a bias of O(1/N). N = 1, or
tau = 0 without twist, is masked decoding with its weights (under the proposal "mask").

With `rounds` all of this is done several times, and what one round reads is proposal and twist of the next (`values`).
The set is that of the last round: as unbiased as a single one, whatever the earlier ones have taught.

Particles that share a prefix share one model call. Sources: Del Moral, Doucet, Jasra 2006; Loula et al. 2025; error of
the evidence by lineages: Lee and Whiteley 2018; rounds: Guarniero, Johansen, Lee 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError, PredicateError
from structgen.options import check_least
from structgen.samplers.awrs import AWRS
from structgen.samplers.logspace import effective_size, log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.proposals import Guided, Proposal, proposal_of
from structgen.samplers.resampling import check_scheme, resample
from structgen.samplers.result import Round, Sample, SampleSet
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.values import Values
from structgen.samplers.weights import Path

__all__ = ["Particles", "smc"]

Twist = Callable[[Prefix], float]


def smc(
    run: Run,
    n: int,
    *,
    ess_threshold: float = 0.5,
    resampling: str = "stratified",
    proposal: str | Proposal = "auto",
    awrs: AWRS | None = None,
    twist: Twist | None = None,
    rounds: int = 1,
    scouts: int | None = None,
    enough: float = 0.0,
    explore: float = 0.1,
    memory: int = 64 << 20,
) -> SampleSet:
    """n weighted particles, all of one run; not exact, better the larger n.

    `ess_threshold` tau: resample when the effective size falls below tau n; 0 never does. `proposal`: one of
    `proposals`, "auto" is "awrs" under predicates and "mask" without. `twist`: log psi of a prefix, finite wherever an
    output can still be reached; the problem's potentials if not given. A budget that runs out leaves no particle: an
    unfinished run has no weights that mean anything.

    `rounds`: the later ones are guided by what earlier ones read (`values`, with its `explore`); then the proposal is
    "auto". All but the last have `scouts` particles, n if not given; after one whose relative error of the evidence is
    below `enough` the last follows at once. The last finished round is returned, what came of each stands in
    `SampleSet.rounds`. Rows are read once, so far as `memory` bytes hold them.
    """
    if not 0 <= ess_threshold < np.inf:
        raise OptionError(f"ess_threshold is a share of n, not {ess_threshold}", option="ess_threshold")
    check_least(rounds=(rounds, 1), scouts=(scouts, 1))
    sizes = [*[n if scouts is None else scouts] * (rounds - 1), n]
    if not enough >= 0:
        raise OptionError(f"enough is a relative error, not {enough}", option="enough")
    check_scheme(resampling)
    psi, awrs, values = twist or _potentials, awrs or AWRS(), None
    step = proposal_of(proposal, run.problem, awrs)
    if rounds > 1:
        if proposal != "auto":
            raise OptionError("rounds have a proposal of their own: leave it 'auto'", option="proposal")
        values = Values(run.problem, explore)
        step, psi = Guided(values, RowMemory(run, memory), awrs), _times(psi, values)
    if run.budget.attempts is not None and run.budget.attempts < sum(sizes):
        note = f"{sum(sizes)} particles are more than the budget of attempts"
        return run.result("smc", [], status="budget", note=note)

    def finish(particles: Particles) -> bool:
        return particles.finish(step, ess_threshold, resampling)

    return _in_rounds(run, sizes, psi, finish, values, enough)


def _in_rounds(
    run: Run, sizes: list[int], psi: Twist, finish: Callable[[Particles], bool], values: Values | None, enough: float
) -> SampleSet:
    """Rounds of these sizes, and the particles of the last; where a round leaves an error below `enough`, only that."""
    history: list[Round] = []
    before: Particles | None = None
    rounds, streams = len(sizes), 0
    while sizes:
        size, scored = sizes[0], run.stats.prefixes_scored
        particles, sizes = Particles(run, size, psi, streams), sizes[1:]
        streams += size + 1
        run.stats.attempts += size
        run.finished = partial(_finished, particles, before)
        if not finish(particles):
            return _cut(run, before, history, rounds)
        if values is not None:
            scored = run.stats.prefixes_scored - scored
            history.append(Round(particles.log_mean, particles.evidence_error, particles.ess, scored, len(values)))
            if (error := particles.evidence_error) is not None and error < enough:
                sizes = sizes[-1:]
            if sizes:  # the last round explores for nobody, unless the only one before it did not either
                values.update(optimistic=len(sizes) > 1 or len(history) == 1)
        before = particles
    return particles.result(rounds=tuple(history))


def _finished(particles: Particles, before: Particles | None) -> list[Sample]:
    """What is finished in a round, else in the one before it."""
    return particles.finished or (before.finished if before else [])


def _cut(run: Run, before: Particles | None, history: list[Round], rounds: int) -> SampleSet:
    """The budget ended a round: the one before it, if there is one."""
    if before is None:
        return run.result("smc", [], status="budget", note="the run was not finished: it has no samples")
    note = f"{len(history)} of {rounds} rounds were finished before the budget was spent"
    return before.result(status="budget", note=note, rounds=tuple(history))


def _times(twist: Twist, values: Values) -> Twist:
    """A twist times the value of the state."""
    return lambda prefix: twist(prefix) + values.log_value(prefix)


class Particles:
    """The N particles of one run."""

    def __init__(self, run: Run, n: int, twist: Twist, first: int = 0) -> None:
        """`first`: the number of the first of n + 1 streams of choices, the last of which is for resampling."""
        self.run, self.twist, self.resamples = run, twist, 0
        self.paths = [run.root() for _ in range(n)]
        self.choosers, self.resampler = [run.chooser(first + slot) for slot in range(n)], run.chooser(first + n)
        self.ancestors: NDArray[np.int64] = np.arange(n)
        start = _log_psi(twist, self.paths[0].prefix)
        self.log_psi = np.full(n, start)
        self._settled: list[Path] = []  # finished after the last whole step; nothing changes them any more
        for path in self.paths:
            path.log_weight, path.finish = start, None if start > -np.inf else "dead"

    @property
    def live(self) -> list[int]:
        """Slots of particles that go on."""
        return [slot for slot, path in enumerate(self.paths) if path.finish is None]

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """(N,) log W."""
        return np.array([path.log_weight for path in self.paths], np.float64)

    @property
    def log_mean(self) -> float:
        """log of the mean weight: at the end log Z-hat."""
        return log_sum(self.log_weights) - float(np.log(len(self.paths)))

    @property
    def ess(self) -> float:
        """Effective number of particles."""
        return effective_size(self.log_weights)

    def finish(self, step: Proposal, ess_threshold: float, resampling: str) -> bool:
        """Until every particle is finished or dead; False, with some unfinished, once the budget is spent."""
        while self.live:
            if self.run.spent():
                return False
            self.advance(step)
            if self.live and -np.inf < self.log_mean and self.ess < ess_threshold * len(self.paths):
                self.resample(resampling)
        return True

    def advance(self, step: Proposal) -> None:
        """One event for every particle that goes on; a weight of zero ends it."""
        live = self.live
        rows = step.rows(self.run, [self.paths[slot].prefix for slot in live])
        for slot, row in zip(live, rows, strict=True):
            path = self.paths[slot]
            step.step(self.run, path, row, self.choosers[slot])
            if path.finish is None:
                log_psi = _log_psi(self.twist, path.prefix)
                path.log_weight += log_psi - float(self.log_psi[slot])
                self.log_psi[slot] = log_psi
            elif path.finish == "stop":
                path.log_weight -= float(self.log_psi[slot])
            if path.log_weight == -np.inf:
                path.finish = "dead"
        self._settle()

    @property
    def finished(self) -> list[Sample]:
        """What was finished after t whole steps: weighted draws from the target among outputs of at most t tokens."""
        return [path.sample(self.run.problem.vocabulary) for path in self._settled]

    def _settle(self) -> None:
        """What is finished now; an interrupt inside a step leaves the step before."""
        self._settled = [path for path in self.paths if path.finish == "stop"]
        self.run.stats.accepted = len(self._settled)

    def resample(self, scheme: str) -> None:
        """All N from all N, by weight; all then have the mean weight."""
        chosen, log_mean = resample(self.log_weights, len(self.paths), self.resampler, scheme), self.log_mean
        self.paths = [self.paths[slot].copy() for slot in chosen.tolist()]
        self.log_psi, self.ancestors = self.log_psi[chosen], self.ancestors[chosen]
        for path in self.paths:
            path.log_weight, path.log_q = log_mean, None
        self.resamples += 1
        self.run.stats.resamples += 1
        self._settle()

    def result(self, **known: Any) -> SampleSet:
        """The set of finished particles, dead ones included; `known` are further facts of it."""
        run = self.run
        run.stats.unique_ancestors = len(set(self.ancestors.tolist())) if self.resamples else None
        samples = [path.sample(run.problem.vocabulary) for path in self.paths]
        facts = {"log_evidence": self.log_mean, "evidence_error": self.evidence_error}
        return run.result("smc", samples, **(facts | known))

    @property
    def evidence_error(self) -> float | None:
        """Relative standard error of Z-hat, from how the weight is spread over the ancestors at the start.

        After r resamplings the relative variance is estimated by 1 - (N / (N - 1))^(r + 1) (1 - sum over ancestors of
        their share squared); without resampling that is the variance of a mean. It can fall below the variance of the
        weights as they stand, even below zero; the larger of the two is given.
        """
        n, log_mean = len(self.paths), self.log_mean
        if n == 1 or log_mean == -np.inf:
            return None
        shares = np.exp(self.log_weights - log_mean) / n
        lines = np.bincount(self.ancestors, shares, n)
        ratio = n / (n - 1)
        by_lines = 1 - ratio ** (self.resamples + 1) * (1 - float((lines**2).sum()))
        as_they_are = 1 - ratio * (1 - float((shares**2).sum()))
        return float(np.sqrt(max(by_lines, as_they_are, 0.0)))


def _potentials(prefix: Prefix) -> float:
    """The problem's potentials of an unfinished text: the twist if no other is given."""
    return prefix.log_score(complete=False)


def _log_psi(twist: Twist, prefix: Prefix) -> float:
    """The twist's answer. PredicateError if it raises, or answers NaN or infinity."""
    try:
        value = float(twist(prefix))
    except PredicateError:
        raise
    except Exception as error:
        data = repr(prefix.tokens)
        raise PredicateError(f"{type(error).__name__}: {error}", function="twist", text=data, complete=False) from error
    if np.isnan(value) or value == np.inf:
        raise PredicateError(f"it returned {value}", function="twist", text=repr(prefix.tokens), complete=False)
    return value
