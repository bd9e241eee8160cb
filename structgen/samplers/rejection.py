"""Rejection sampling: draw from the model alone, keep what the constraint accepts. Exact, and hopeless for small Z.

No masks: each token is only checked. P(accept) = Z, so an output costs 1 / Z attempts; the yardstick of exactness.
"""

from __future__ import annotations

from structgen.options import check_least
from structgen.samplers.result import Sample, SampleSet
from structgen.samplers.run import Run

__all__ = ["rejection"]


def rejection(run: Run, n: int, *, batch: int = 64) -> SampleSet:
    """n exact independent draws by trial and error, an attempt ending at its first forbidden token.

    Without a budget it gives up after 10,000 + 1,000 n attempts. `batch` attempts run side by side and are all finished
    before any of them counts.
    """
    check_least(batch=(batch, 1))
    samples: list[Sample] = []
    accepted: list[bool] = []
    limit, cut = run.attempt_limit(n), False
    run.finished = lambda: samples
    for first in range(0, limit, batch):
        outcomes = _wave(run, range(first, min(first + batch, limit)))
        if outcomes is None:
            cut = True
            break
        for outcome in outcomes:
            accepted.append(outcome is not None)
            if outcome is not None:
                samples.append(outcome)
                if len(samples) == n:
                    break
        run.stats.attempts, run.stats.accepted = len(accepted), len(samples)
        if len(samples) == n:
            break
    return run.exact_result("rejection", samples, [0.0] * len(accepted), accepted, n, cut=cut)


def _wave(run: Run, indices: range) -> list[Sample | None] | None:
    """What became of each attempt, None for rejected ones; None altogether once the budget is spent."""
    problem = run.problem
    done: dict[int, Sample | None] = {}
    root = problem.root()
    live = [(index, root, 0.0, run.chooser(index)) for index in indices]
    while live:
        if run.spent():
            return None
        further = []
        laws = run.laws([prefix for _, prefix, _, _ in live])
        for (index, prefix, log_prob, chooser), law in zip(live, laws, strict=True):
            event = chooser.choice(law)
            run.stats.constraint_checks += 1
            total = log_prob + float(law[event])
            if event == problem.stop:
                accepted = problem.is_complete(prefix)
                done[index] = _sample(run, prefix.tokens, total) if accepted else None
                continue
            if problem.permits(prefix, event):
                further.append((index, prefix.extend(event), total, chooser))
            else:
                done[index] = None
        live = further
    return [done[index] for index in indices]


def _sample(run: Run, tokens: tuple[int, ...], log_prob: float) -> Sample:
    return Sample(tokens, run.problem.vocabulary.decode(tokens), log_prob, None, 0.0, "stop")
