"""Sampling importance resampling: many masked draws, few kept, by weight.

q is plain masked decoding, W(w) = prod m(u). Picking among N draws in proportion to W tends to pi as N grows; it needs
about exp(KL(pi || q)) of them. Source: Rubin 1988.
"""

from __future__ import annotations

import numpy as np

from structgen.errors import OptionError
from structgen.samplers.masked import masked_paths
from structgen.samplers.resampling import resample
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run, mean_weight

__all__ = ["importance"]


def importance(
    run: Run,
    n: int,
    *,
    draws: int | None = None,
    resampling: str | None = "stratified",
    batch: int = 64,
    memory: int = 64 << 20,
) -> SampleSet:
    """n outputs picked by weight among `draws` masked ones (10 n if not given); biased, less so the more draws.

    Each has the mean weight of all draws. `resampling=None` returns all draws with their own weights instead. Draws are
    made `batch` at a time; later ones find up to `memory` bytes of the rows that earlier ones read.
    """
    count = 10 * n if draws is None else draws
    if count < n:
        raise OptionError(f"draws must be at least n = {n}, not {count}", option="draws")
    paths = masked_paths(run, count, batch, memory)
    log_weights = np.array([path.log_weight for path in paths], np.float64)
    evidence, error = mean_weight(log_weights.tolist())
    if resampling is None or evidence is None or evidence == -np.inf:
        return run.weighted_result("importance", [path.sample(run.problem.vocabulary) for path in paths], count)
    places = resample(log_weights, n, run.chooser(count), resampling)
    run.stats.resamples = 1
    run.stats.unique_ancestors = len(set(places.tolist()))
    samples = [paths[i].sample(run.problem.vocabulary, log_q=None, log_weight=evidence) for i in places.tolist()]
    status = "complete" if len(paths) == count else "budget"
    return run.result("importance", samples, status=status, log_evidence=evidence, evidence_error=error)
