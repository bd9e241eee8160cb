"""ASAp with weights: adaptive sampling with approximate expected futures, and the weights it is used without.

Proposal q_S(t|u) = p(t|u) theta(ut) / theta(u) for the trie S as it stands; S learns from every draw, so q_S -> pi for
a finite language. The weight W_S(w) = p(w bottom) / q_S(w) has E[W_S | S] = Z for every S: the draws of an adaptive run
are weighted samples from the first one on. With an empty trie the first draw is plain masked decoding.

KL(q_S || pi) does not fall monotonically: half-learned corrections push mass to siblings nobody has visited.

Source: Park, Wang, Berg-Kirkpatrick, Polikarpova, D'Antoni 2024, "Grammar-Aligned Decoding". Cost: one model call per
new prefix, ever; memory as the trie says.
"""

from __future__ import annotations

from structgen.samplers.attempts import Attempts, trie_for
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.trie import Trie

__all__ = ["asap"]


def asap(run: Run, n: int, *, trie: Trie | None = None, concurrency: int = 16) -> SampleSet:
    """n weighted draws whose proposal learns where the grammar leads; asymptotically exact, weights right at once.

    `trie` carries what was learned from one call to the next.
    """
    trie = trie_for(run, trie)
    limit = n if run.budget.attempts is None else min(n, run.budget.attempts)
    attempts = Attempts(run, trie, reject=False, concurrency=concurrency)
    drawn = list(attempts.in_order(limit))
    run.stats.attempts, run.stats.accepted = len(drawn), sum(a.outcome == "stop" for a in drawn)
    samples = [attempt.sample(run.problem, exact=False) for attempt in drawn]
    known = {"evidence_bounds": (trie.log_lower, trie.log_upper), "tv_bound": trie.tv_bound}
    if trie.log_upper == -float("inf"):
        return run.result("asap", samples, status="empty", log_evidence=trie.log_upper, **known)
    return run.weighted_result("asap", samples, n, **known)
