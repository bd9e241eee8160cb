"""`sample`: a problem, a method and a budget -> a SampleSet. The table of methods is here, one line each.

`Run` is what a method gets: rows for prefixes (equal prefixes share one model call), streams of choices, the budget and
the costs so far.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from structgen.errors import OptionError, SamplingInterrupted, suggest
from structgen.protocols import Chooser, Floats, Tokens
from structgen.samplers.choosers import stream_of
from structgen.samplers.logspace import log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.result import Sample, SampleSet, Stats, Status
from structgen.samplers.weights import Path, Row

__all__ = [
    "METHODS",
    "SCORED",
    "WEIGHTED",
    "Budget",
    "Progress",
    "Run",
    "accepted_evidence",
    "method_of",
    "options_of",
    "required_of",
    "sample",
]

Progress = Callable[[Stats], object]

METHODS = {
    "masked": "structgen.samplers.masked",
    "asap": "structgen.samplers.asap",
    "cars": "structgen.samplers.cars",
    "rejection": "structgen.samplers.rejection",
    "importance": "structgen.samplers.importance",
    "smc": "structgen.samplers.smc",
    "enumeration": "structgen.samplers.exact",
    "mcmc": "structgen.samplers.mcmc",
    "beam": "structgen.samplers.beam",
    "best_first": "structgen.samplers.best_first",
    "auto": "structgen.samplers.auto",
    "lookahead": "structgen.search.lookahead",
    "astar": "structgen.search.astar",
    "mcts": "structgen.search.mcts",
    "adaptive": "structgen.search.adaptive",
}

# Whose draws have weights of their own: who wants n outputs draws more and picks among them by weight. ("auto" is none
# of its own: its sets are those of what it chose.)
WEIGHTED = frozenset({"masked", "asap", "smc"})

# Whose account has the user's potentials in it; the others draw from the model given the constraint and nothing else.
SCORED = frozenset({"masked", "importance", "smc", "enumeration", "mcmc", "auto"})

# Whose outputs are no sample of anything.
_SEARCHES = frozenset({"beam", "best_first", "lookahead", "astar", "mcts", "adaptive"})


class Method(Protocol):
    """A function of this shape, named as its line in METHODS; keyword-only parameters are its options."""

    def __call__(self, run: Run, n: int, **options: Any) -> SampleSet: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop early; None is no limit.

    Only `attempts` leaves exact samples exact: the others cut long outputs off more often than short ones, so what is
    unfinished is dropped and the result says status "budget" and exact False.
    """

    prefixes_scored: int | None = None
    seconds: float | None = None
    attempts: int | None = None

    def __post_init__(self) -> None:
        for name in ("prefixes_scored", "seconds", "attempts"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError(f"budget {name} must be positive, not {value}", option="budget")


class Run:
    """The state of one `sample` call: its budget, its costs so far, its random streams.

    `finished` is for the method to set: what is finished at any moment, whole outputs with their whole account.
    """

    def __init__(
        self,
        problem: Problem,
        budget: Budget | None = None,
        seed: int | Chooser = 0,
        progress: Progress | None = None,
    ) -> None:
        self.problem, self.budget, self.stats = problem, budget or Budget(), Stats()
        self.finished: Callable[[], Sequence[Sample]] = tuple
        self._seed, self._started, self._progress = seed, time.perf_counter(), progress
        self._read_before = problem.model.tokens_forwarded
        self._asked_before = getattr(problem.constraint, "calls", 0)

    def root(self) -> Path:
        """The empty path."""
        return Path(self.problem.root())

    def chooser(self, *key: int) -> Chooser:
        """The stream of one particle, attempt or chain; the chooser itself where one was given for a seed."""
        return stream_of(self._seed, *key)

    def spent(self) -> bool:
        """The budget of prefixes or seconds is used up: drop what is unfinished and return."""
        most, seconds = self.budget.prefixes_scored, self.budget.seconds
        if most is not None and self.stats.prefixes_scored >= most:
            return True
        return seconds is not None and time.perf_counter() - self._started >= seconds

    def rows(self, prefixes: Sequence[Prefix]) -> list[Row]:
        """The row after each prefix: equal ones share it, and where nothing is allowed the model is not asked."""
        allowed: dict[tuple[int, ...], Any] = {}
        for prefix in prefixes:
            if prefix.tokens not in allowed:
                allowed[prefix.tokens] = (prefix, self.problem.allowed(prefix))
        self.stats.masks_filled += len(allowed)
        live = [(prefix, ids) for prefix, ids in allowed.values() if ids.size]
        rows = {tokens: Row.of(ids, np.zeros(0)) for tokens, (_, ids) in allowed.items() if not ids.size}
        for (prefix, ids), law in zip(live, self._laws([prefix for prefix, _ in live]), strict=True):
            rows[prefix.tokens] = Row.of(ids, law[ids])
        self.stats.cache_hits += len(prefixes) - len(allowed)
        self._tell()
        return [rows[prefix.tokens] for prefix in prefixes]

    def laws(self, prefixes: Sequence[Prefix]) -> list[Floats]:
        """(V,) log p(t|u) after each prefix, unconstrained; equal ones share it."""
        distinct = {prefix.tokens: prefix for prefix in prefixes}
        laws = dict(zip(distinct, self._laws(list(distinct.values())), strict=True))
        self.stats.cache_hits += len(prefixes) - len(distinct)
        self._tell()
        return [laws[prefix.tokens] for prefix in prefixes]

    def read_besides(self) -> list[Tokens]:
        """Prefixes that the model has read since the last call, though it was not asked for them; parents first."""
        ask = getattr(self.problem.model, "read_besides", None)
        return [] if ask is None else ask()

    def _laws(self, prefixes: list[Prefix]) -> Sequence[Floats]:
        self.stats.prefixes_scored += len(prefixes)
        return list(self.problem.laws(prefixes)) if prefixes else []

    def _count(self) -> None:
        """The costs that others count, as they stand."""
        self.stats.seconds = time.perf_counter() - self._started
        self.stats.tokens_forwarded = self.problem.model.tokens_forwarded - self._read_before
        self.stats.function_calls = getattr(self.problem.constraint, "calls", 0) - self._asked_before

    def _tell(self) -> None:
        """Say how far the run is, to whoever asked; a copy, which stays as it is."""
        if self._progress is not None:
            self._count()
            self._progress(replace(self.stats))

    def interrupted(self, method: str, n: int) -> SamplingInterrupted:
        """What a method's run is left with by an interrupt."""
        found = self.finished()
        target = "argmax" if method in _SEARCHES else "distribution"
        note = "interrupted: what was unfinished is missing, so short outputs are too many" if found else "interrupted"
        result = self.result(method, found, status="interrupted", target=target, note=note)
        return SamplingInterrupted(found=len(found), wanted=n, result=result)

    def found(self, paths: Sequence[Path]) -> list[Sample]:
        """What a search has found, as outputs of equal weight without a proposal."""
        return [path.sample(self.problem.vocabulary, log_q=None, log_weight=0.0) for path in paths]

    def result(self, method: str, samples: Sequence[Sample], **known: Any) -> SampleSet:
        """The set, with law, costs and status (from the weights, unless it is among `known`)."""
        self._count()
        alive = any(sample.log_weight > -np.inf for sample in samples)
        status: Status = "complete" if alive else "degenerate"
        return SampleSet(tuple(samples), method, self.problem.law, **({"status": status, "stats": self.stats} | known))

    def weighted_result(self, method: str, samples: Sequence[Sample], n: int, **known: Any) -> SampleSet:
        """A result whose evidence is the mean weight of its draws; fewer than `n` mean that the budget was spent."""
        if len(samples) < n:
            known.setdefault("status", "budget")
        evidence, error = mean_weight([sample.log_weight for sample in samples])
        return self.result(method, samples, **({"log_evidence": evidence, "evidence_error": error} | known))

    def attempt_limit(self, n: int) -> int:
        """Most attempts for n accepted ones: the budget's, else enough for an acceptance of one in a thousand."""
        return 10_000 + 1_000 * n if self.budget.attempts is None else self.budget.attempts

    def exact_result(
        self,
        method: str,
        samples: Sequence[Sample],
        log_uppers: Sequence[float],
        accepted: Sequence[bool],
        n: int,
        *,
        cut: bool,
        **known: Any,
    ) -> SampleSet:
        """A result of attempts: log U at the launch of each, and which were accepted.

        `cut`: a budget of calls or seconds ended it, which favours short outputs, so they are not exact any more.
        """
        self.stats.attempts, self.stats.accepted = len(accepted), len(samples)
        evidence, error = accepted_evidence(log_uppers, accepted)
        note = ""
        if self.stats.attempts >= 200 and self.stats.accept_rate < 0.01:
            note = f"{len(samples)} of {len(accepted)} attempts were accepted: smc or mcmc may serve better"
        status: Status = "complete" if len(samples) == n else "budget"
        facts = {"status": status, "exact": not cut, "note": note, "log_evidence": evidence, "evidence_error": error}
        return self.result(method, samples, **(facts | known))


def accepted_evidence(log_uppers: Sequence[float], accepted: Sequence[bool]) -> tuple[float | None, float | None]:
    """(log Z-hat, relative error) from attempts, each accepted with probability Z / U for the U at its launch.

    Z-hat = (number accepted) / (sum of 1 / U): each attempt counts by its precision. The plain mean of U 1{accepted} is
    unbiased too, but in any run one will see far too low, as the first attempts have no chance. An accepted last
    attempt is left out: counting until the n-th success overestimates the rate (Haldane 1945). Fewer than two accepted
    tell nothing: None.
    """
    if sum(accepted) < 2:
        return None, None
    end = len(accepted) - 1 if accepted[-1] else len(accepted)
    count, inverse = sum(accepted[:end]), -np.asarray(log_uppers[:end], np.float64)
    evidence = float(np.log(count)) - log_sum(inverse)
    chances = np.exp(np.minimum(evidence + inverse, 0.0))
    return evidence, float(np.sqrt((chances * (1 - chances)).sum()) / count)


def mean_weight(log_weights: Sequence[float]) -> tuple[float | None, float | None]:
    """(log of the mean weight, relative standard error of the mean); None where there is nothing to tell it from."""
    n = len(log_weights)
    if n == 0:
        return None, None
    evidence = log_sum(log_weights) - float(np.log(n))
    if n == 1 or evidence == -np.inf:
        return evidence, None
    ratios = np.exp(np.asarray(log_weights, np.float64) - evidence)
    return evidence, float(ratios.std(ddof=1) / np.sqrt(n))


def method_of(name: str) -> Method:
    """The method of this name. OptionError names the nearest when there is none."""
    if name not in METHODS:
        choices = ", ".join(map(repr, METHODS))
        raise OptionError(f"method is one of {choices}, not {name!r}{suggest(name, METHODS)}", option="method")
    function: Method = getattr(import_module(METHODS[name]), name)
    return function


def options_of(name: str) -> tuple[str, ...]:
    """Names of the options a method takes."""
    parameters = inspect.signature(method_of(name)).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def required_of(name: str) -> tuple[str, ...]:
    """Names of the options a method cannot do without."""
    parameters = inspect.signature(method_of(name)).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is p.empty)


def sample(
    problem: Problem,
    n: int,
    method: str = "masked",
    *,
    budget: Budget | None = None,
    seed: int | Chooser = 0,
    progress: Progress | None = None,
    **options: Any,
) -> SampleSet:
    """n draws from (or towards) the problem's target.

    `options` are the method's own. `progress` is called with the costs so far (`Stats`) after every step, whether the
    model was asked or not. Raises OptionError for an unknown method or option, and what a user's function raises as
    PredicateError; a KeyboardInterrupt becomes SamplingInterrupted, which has what was finished. Whatever else can go
    wrong while sampling ends in `SampleSet.status`.
    """
    function = method_of(method)
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise OptionError(f"n must be at least 1, not {n!r}", option="n")
    if isinstance(seed, int) and seed < 0:
        raise OptionError(f"seed must not be negative, not {seed}", option="seed")
    known = options_of(method)
    for name in options:
        if name not in known:
            raise OptionError(f"{method} has no option {name!r}; it has {', '.join(known) or 'none'}", option=name)
    for name in required_of(method):
        if options.get(name) is None:
            raise OptionError(f"{method} needs {name}", option=name)
    if problem.law.potentials and method not in SCORED:
        able = ", ".join(sorted(SCORED))
        raise OptionError(f"{method} knows no potentials; {able} do", option="method")
    run = Run(problem, budget, seed, progress)
    try:
        return function(run, n, **options)
    except KeyboardInterrupt as interrupt:
        raise run.interrupted(method, n) from interrupt
