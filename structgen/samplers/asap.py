"""ASAp with weights: adaptive sampling with approximate expected futures, and the weights it is used without.

Proposal q_S(t|u) = p(t|u) theta(ut) / theta(u) for the trie S as it stands; S learns from every draw, so q_S -> pi for
a finite language. The weight W_S(w) = p(w bottom) / q_S(w) has E[W_S | S] = Z for every S: the draws of an adaptive run
are weighted samples from the first one on. With an empty trie the first draw is plain masked decoding.

KL(q_S || pi) does not fall monotonically: half-learned corrections push mass to siblings nobody has visited.

Source: Park, Wang, Berg-Kirkpatrick, Polikarpova, D'Antoni 2024, "Grammar-Aligned Decoding". Cost: one model call per
new prefix, ever; memory as the trie says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from structgen.errors import OptionError
from structgen.samplers.attempts import Attempt, Attempts, trie_for
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.trie import Trie

__all__ = ["asap"]


def asap(
    run: Run, n: int, *, trie: Trie | None = None, concurrency: int = 16, tv_bound: float | None = None
) -> SampleSet:
    """n weighted draws whose proposal learns where the grammar leads; asymptotically exact, weights right at once.

    `trie` carries what was learned from one call to the next. With `tv_bound` it first learns, from draws that are not
    returned, until the proposal is certain to be that near to the target; each of the n draws then is, weights or no.
    Failing that (in 10,000 + 1,000 n draws or the budget) it returns what it drew, with status "budget".
    """
    if tv_bound is not None and not 0 <= tv_bound < 1:
        raise OptionError(f"tv_bound must be in [0, 1), not {tv_bound}", option="tv_bound")
    trie = trie_for(run, trie)
    attempts = Attempts(run, trie, reject=False, concurrency=concurrency)
    every: list[Attempt] = []
    run.finished = lambda: [a.sample(run.problem.vocabulary, exact=False) for a in (*every, *attempts.finished())]
    if tv_bound is not None:
        _follow(run, attempts.in_order(run.attempt_limit(n), tv_bound), every)
    learned, near = len(every), tv_bound is None or trie.tv_bound <= tv_bound
    if near:
        left = n if run.budget.attempts is None else min(n, run.budget.attempts - learned)
        _follow(run, attempts.in_order(left), every)
    drawn = every[learned:] if near else every
    samples = [attempt.sample(run.problem.vocabulary, exact=False) for attempt in drawn]
    known: dict[str, Any] = {"evidence_bounds": (trie.log_lower, trie.log_upper), "tv_bound": trie.tv_bound}
    if trie.log_upper == -float("inf"):
        return run.result("asap", samples, status="empty", log_evidence=trie.log_upper, **known)
    if not near:
        known |= {"status": "budget", "note": f"the bound was {trie.tv_bound:.3g} after {learned} draws"}
    return run.weighted_result("asap", samples, n, **known)


def _follow(run: Run, attempts: Iterator[Attempt], every: list[Attempt]) -> None:
    """Draws to their end, put behind `every` and counted as they come."""
    for attempt in attempts:
        every.append(attempt)
        run.stats.attempts = len(every)
        run.stats.accepted += attempt.outcome == "stop"
