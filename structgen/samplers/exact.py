"""A problem enumerated: every output, its probability, its masked weight; hence pi, q, Z and all divergences.

For small languages only: one model call per viable prefix. It is the oracle of the tests, the ground truth of the
benchmarks, and the method "enumeration".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from structgen.errors import LimitExceeded
from structgen.protocols import Floats, Tokens
from structgen.samplers.logspace import log_sum
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path

__all__ = ["Exact", "enumerate_outputs", "enumeration", "kl_divergence", "total_variation"]

_AT_ONCE = 256  # prefixes per model call


@dataclass(frozen=True, slots=True)
class Exact:
    """All n outputs of a problem, shorter ones first.

    field         shape     meaning
    paths         tuple     one finished masked path per output: its whole account
    log_prob      f64 (n,)  log p(w bottom), and the potentials
    log_mass      f64 (n,)  log W(w), the potentials in it: q(w) = p(w bottom) / W(w)
    log_evidence  float     log Z; -inf for an empty language
    log_future    dict      prefix -> log c(u), the probability (times potentials) of going on from u into L
    """

    paths: tuple[Path, ...]
    log_prob: Floats
    log_mass: Floats
    log_evidence: float
    log_future: dict[Tokens, float] = field(repr=False)

    @property
    def outputs(self) -> tuple[Tokens, ...]:
        """Token sequences, without bottom."""
        return tuple(path.prefix.tokens for path in self.paths)

    @property
    def target(self) -> Floats:
        """pi(w), (n,)."""
        return np.exp(self.log_prob - self.log_evidence)

    @property
    def masked(self) -> Floats:
        """q(w), (n,): sums to less than one where masked decoding can die."""
        return np.exp(self.log_prob - self.log_mass)

    def frequencies(self, samples: SampleSet) -> Floats:
        """(n,) the weight that samples put on each output; KeyError for an output outside the language."""
        places = {w: i for i, w in enumerate(self.outputs)}
        out = np.zeros(len(self.paths))
        for sample, probability in zip(samples.samples, samples.probabilities().tolist(), strict=True):
            if probability > 0:
                out[places[sample.token_ids]] += probability
        return out


def enumerate_outputs(problem: Problem, limit: int = 100_000, run: Run | None = None) -> Exact:
    """Every output of positive probability. Raises LimitExceeded beyond `limit` viable prefixes."""
    run = run or Run(problem)
    level, visited = [run.root()], 0
    done: list[Path] = []
    log_future: dict[Tokens, float] = {}
    edges: list[tuple[Tokens, float, Tokens | None]] = []  # (u, log p(t|u), ut or None at the end), parents first
    while level:
        visited += len(level)
        if visited > limit:
            raise LimitExceeded("a language with this many prefixes is not enumerated", limit="limit", allowed=limit)
        following: list[Path] = []
        for first in range(0, len(level), _AT_ONCE):
            block = level[first : first + _AT_ONCE]
            for path, row in zip(block, run.rows([path.prefix for path in block]), strict=True):
                u = path.prefix.tokens
                log_future[u] = -np.inf
                for place in range(row.ids.size):
                    child = path.copy()
                    child.take(row, place)
                    (done if child.finish else following).append(child)
                    score = path.prefix.log_score(complete=True) if child.finish else 0.0
                    edges.append(
                        (u, float(row.log_probs[place]) + score, None if child.finish else child.prefix.tokens)
                    )
        level = following
    for u, log_p, child_tokens in reversed(edges):
        beyond = 0.0 if child_tokens is None else log_future[child_tokens]
        log_future[u] = float(np.logaddexp(log_future[u], log_p + beyond))
    log_prob = np.array([path.log_prob + path.prefix.log_score(complete=True) for path in done], np.float64)
    log_mass = np.array([path.log_weight for path in done], np.float64)
    return Exact(tuple(done), log_prob, log_mass, log_sum(log_prob), log_future)


def enumeration(run: Run, n: int, *, limit: int = 100_000) -> SampleSet:
    """n exact independent draws from the enumerated target: for small languages, as a reference."""
    exact = enumerate_outputs(run.problem, limit, run)
    if not exact.paths:
        return run.result("enumeration", [], status="empty", log_evidence=-np.inf)
    chooser = run.chooser(0)
    drawn = [exact.paths[chooser.choice(exact.log_prob)] for _ in range(n)]
    run.stats.attempts = run.stats.accepted = n
    log_q = [path.log_prob + path.prefix.log_score(complete=True) - exact.log_evidence for path in drawn]
    vocabulary = run.problem.vocabulary
    samples = [path.sample(vocabulary, log_q=q, log_weight=0.0) for path, q in zip(drawn, log_q, strict=True)]
    bounds = (exact.log_evidence, exact.log_evidence)
    known = {"log_evidence": exact.log_evidence, "evidence_error": 0.0, "evidence_bounds": bounds, "tv_bound": 0.0}
    return run.result("enumeration", samples, exact=True, **known)


def kl_divergence(p: Floats, q: Floats) -> float:
    """KL(p || q) in nats; inf where q is zero and p is not."""
    inside = p > 0
    with np.errstate(divide="ignore"):
        return float((p[inside] * (np.log(p[inside]) - np.log(q[inside]))).sum())


def total_variation(p: Floats, q: Floats) -> float:
    """Half the L1 distance."""
    return float(np.abs(p - q).sum() / 2)
