"""Masked decoding: t ~ p(t|u) 1[t in A(u)] / m(u). Fast and distorted; the weight W(w) = prod m(u) says how much.

Known as grammar-constrained or locally constrained decoding. q(w) = p(w bottom) / W(w), E_q[W] = Z,
KL(q || pi) = log Z - E_q log W; it is exact if and only if W is the same for all outputs.
"""

from __future__ import annotations

from structgen.errors import OptionError
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path

__all__ = ["masked", "masked_paths"]


def masked(run: Run, n: int, *, batch: int = 64) -> SampleSet:
    """n independent draws of plain masked decoding, each with its importance weight; not exact."""
    paths = masked_paths(run, n, batch)
    return run.weighted_result("masked", [path.sample(run.problem.vocabulary) for path in paths], n)


def masked_paths(run: Run, n: int, batch: int = 64) -> list[Path]:
    """n finished masked paths, `batch` at a time; fewer when the budget is spent."""
    if batch < 1:
        raise OptionError(f"batch must be at least 1, not {batch}", option="batch")
    if run.budget.attempts is not None:
        n = min(n, run.budget.attempts)
    done: list[Path] = []
    for first in range(0, n, batch):
        wave = [run.root() for _ in range(first, min(first + batch, n))]
        if not finish_masked(run, wave, [(first + i,) for i in range(len(wave))]):
            break
        done += wave
        run.stats.attempts += len(wave)
    run.stats.accepted += sum(path.finish == "stop" for path in done)
    return done


def finish_masked(run: Run, paths: list[Path], keys: list[tuple[int, ...]]) -> bool:
    """Continue paths by masked decoding, each with the stream of its key; False once the budget is spent."""
    choosers = [run.chooser(*key) for key in keys]
    live = [(path, chooser) for path, chooser in zip(paths, choosers, strict=True) if path.finish is None]
    while live:
        if run.spent():
            return False
        for (path, chooser), row in zip(live, run.rows([path.prefix for path, _ in live]), strict=True):
            if row.dead:
                path.die()
            else:
                path.take(row, chooser.choice(row.log_probs))
        live = [pair for pair in live if pair[0].finish is None]
    return True
