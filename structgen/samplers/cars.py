"""CARS: constrained adaptive rejection sampling. Exact: every accepted output is an independent draw from pi.

Draw through the trie, but where a bound turns out lower than it was when it was used (a row is read for the first
time, or another attempt has learned since), reject with the ratio instead of renormalising. Then
P(accept w) = p(w bottom) / U for every state of the trie: acceptance is Z / U, which only rises, and U 1{accepted} is
an unbiased estimate of Z (`accepted_evidence` combines the attempts). A rejected attempt still teaches the whole
allowed set of every prefix it read.

Source: Parys et al. 2025, "Constrained Adaptive Rejection Sampling". Cost: one model call per new prefix, ever; U / Z
attempts per output.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from structgen.samplers.attempts import Attempt, Attempts, trie_for
from structgen.samplers.result import Sample, SampleSet
from structgen.samplers.run import Run
from structgen.samplers.trie import Trie

__all__ = ["accepted_outputs", "accepted_samples", "cars"]


def cars(run: Run, n: int, *, trie: Trie | None = None, concurrency: int = 16) -> SampleSet:
    """n exact independent draws from the target, or fewer and the reason.

    Without a budget it gives up after 10,000 + 1,000 n attempts. `trie` carries what was learned from one call to the
    next; any number of attempts in flight leaves the outputs exact.
    """
    attempts = Attempts(run, trie_for(run, trie), reject=True, concurrency=concurrency)
    return accepted_outputs(run, attempts, n, run.attempt_limit(n))


def accepted_outputs(run: Run, attempts: Attempts, n: int, limit: int) -> SampleSet:
    """n outputs from at most `limit` more attempts."""
    samples: list[Sample] = []
    log_uppers: list[float] = []
    accepted: list[bool] = []
    run.finished = lambda: [*samples, *accepted_samples(run, attempts.finished(), n - len(samples))]
    for attempt in attempts.in_order(limit):
        log_uppers.append(attempt.log_upper)
        accepted.append(attempt.outcome == "stop")
        samples += accepted_samples(run, [attempt], 1)
        run.stats.attempts, run.stats.accepted = len(accepted), len(samples)
        if len(samples) == n:
            break
    trie = attempts.trie
    known: dict[str, Any] = {
        "evidence_bounds": (trie.log_lower, trie.log_upper),
        "tv_bound": None if attempts.cut else 0.0,
    }
    if trie.log_upper == -np.inf:
        known |= {"status": "empty", "log_evidence": -np.inf}
    return run.exact_result("cars", samples, log_uppers, accepted, n, cut=attempts.cut, **known)


def accepted_samples(run: Run, attempts: Iterable[Attempt], n: int) -> list[Sample]:
    """Those of the attempts that were accepted, n at most."""
    stopped = (attempt for attempt in attempts if attempt.outcome == "stop")
    return [attempt.sample(run.problem.vocabulary, exact=True) for attempt in islice(stopped, n)]
