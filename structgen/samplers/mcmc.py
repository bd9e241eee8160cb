"""Metropolis-Hastings over outputs: chains that keep a part of the present one, write the rest anew, or stay.

Every chain starts from a masked draw that did not die and makes `steps` steps of the kernel of `cuts`, which leaves pi
as it is; a proposal that dies is a rejected one. With restarts all proposals are masked draws, so their mean weight
estimates Z.

Source: Gonzalez et al. 2025, "Constrained Sampling for Language Models Should Be Easy: An MCMC Perspective". Cost: a
proposal reads the rows that were not read lately (`row_memory`); chains are read together, and ahead (`chains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from structgen.errors import OptionError
from structgen.options import check_least
from structgen.samplers.chains import Chains
from structgen.samplers.cuts import CUTS, Trace, certificate
from structgen.samplers.logspace import log_sum
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run, mean_weight

__all__ = ["mcmc"]

_HOPELESS = 1_000  # first draws that all died, after which no more are made


def mcmc(
    run: Run,
    n: int,
    *,
    cut: str = "restart",
    steps: int = 10,
    chains: int | None = None,
    thin: int | None = None,
    batch: int = 64,
    memory: int = 64 << 20,
) -> SampleSet:
    """n outputs, each after `steps` steps of its own chain from a masked draw: nearer to the target with every step.

    Fewer `chains` than n give several outputs each, `thin` steps apart (as many as `steps` if not given); those of one
    chain depend on each other. `cut` is "restart", "uniform" or "priority". `memory` bounds the rows that are kept. A
    budget that ends the run leaves the outputs reached so far, after one step at least, with status "budget".
    """
    count, thin = n if chains is None else min(n, chains), steps if thin is None else thin
    check_least(steps=(steps, 1), chains=(count, 1), thin=(thin, 1), batch=(batch, 1))
    if cut not in CUTS:
        raise OptionError(f"cut is one of {', '.join(CUTS)}, not {cut!r}", option="cut")
    walk = Chains(run, count, cut, batch, memory)
    outputs: list[Trace] = []
    run.finished = lambda: [trace.sample(run.problem.vocabulary) for trace in (*outputs, *walk.moved())][:n]
    limit = run.attempt_limit(n)
    started = walk.start(limit, max(count, _HOPELESS) if run.budget.attempts is None else limit)
    if not started or not walk.chains:
        return _no_start(run, walk, cut_off=not started)
    last = steps + thin * (-(-n // len(walk.chains)) - 1)
    if run.budget.attempts is not None:
        last = min(last, (run.budget.attempts - run.stats.attempts) // len(walk.chains))
    for goal in range(min(steps, last), last + 1, thin):
        if not walk.advance(goal, last):
            break
        if goal >= steps:
            outputs += walk.states(goal)
    if not outputs and walk.made:
        outputs = walk.states(walk.made)
    return _result(run, walk, outputs[:n], n, walk.made, steps)


def _no_start(run: Run, walk: Chains, *, cut_off: bool) -> SampleSet:
    """No chain found a first output."""
    if cut_off:
        return run.result("mcmc", [], status="budget", note="the budget was spent before the first outputs")
    if walk.rows.rows([run.problem.root()])[0].dead:
        return run.result("mcmc", [], status="empty", log_evidence=-np.inf)
    told = f"within max_tokens = {run.problem.max_tokens} none met an end that is allowed"
    note = f"all {run.stats.attempts:,} first draws died: {told}"
    return run.result("mcmc", [], status="degenerate", note=note)


def _result(run: Run, walk: Chains, outputs: Sequence[Trace], n: int, done: int, steps: int) -> SampleSet:
    """With M, the bounds it certifies, and what the proposals say of Z where they are independent."""
    root = walk.chains[0].past[-1].log_m[0]
    lower = min(log_sum(list(walk.seen.values())), root)
    bounded = not run.problem.law.potentials
    known: dict[str, Any] = {"status": "complete", "evidence_bounds": (lower, root) if bounded else None}
    if len(outputs) < n or done < steps:
        reached = (
            f"{done} of {steps} steps were made" if done < steps else f"{len(outputs)} of {n} outputs were reached"
        )
        known |= {"status": "budget", "note": f"{reached} before the budget was spent"}
    else:
        if bounded:
            known["tv_bound"] = certificate(walk.cut, run.problem.max_tokens, steps, lower)
        if walk.cut == "restart":
            known["log_evidence"], known["evidence_error"] = mean_weight(walk.log_weights)
    return run.result("mcmc", [trace.sample(run.problem.vocabulary) for trace in outputs], **known)
