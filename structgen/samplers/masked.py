"""Masked decoding: t ~ p(t|u) 1[t in A(u)] / m(u). Fast and distorted; the weight W(w) = prod m(u) says how much.

Known as grammar-constrained or locally constrained decoding. q(w) = p(w bottom) / W(w), E_q[W] = Z,
KL(q || pi) = log Z - E_q log W; it is exact if and only if W is the same for all outputs.

Draws are made `batch` at a time. What one batch read is remembered for the next, up to `memory` bytes, so a prefix is
scored once, however many draws pass it.
"""

from __future__ import annotations

from structgen.errors import OptionError
from structgen.protocols import Chooser
from structgen.samplers.result import SampleSet
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.weights import Path

__all__ = ["masked", "masked_paths"]


def masked(run: Run, n: int, *, batch: int = 64, memory: int = 64 << 20) -> SampleSet:
    """n independent draws of plain masked decoding, each with its importance weight; not exact."""
    paths = masked_paths(run, n, batch, memory)
    return run.weighted_result("masked", [path.sample(run.problem.vocabulary) for path in paths], n)


def masked_paths(run: Run, n: int, batch: int, memory: int) -> list[Path]:
    """n finished masked paths, `batch` at a time; fewer when the budget is spent. Raises OptionError."""
    if batch < 1:
        raise OptionError(f"batch must be at least 1, not {batch}", option="batch")
    if run.budget.attempts is not None:
        n = min(n, run.budget.attempts)
    rows = RowMemory(run, memory)
    done: list[Path] = []
    wave: list[Path] = []
    run.finished = lambda: [path.sample(run.problem.vocabulary) for path in (*done, *wave) if path.finish]
    for first in range(0, n, batch):
        wave = [run.root() for _ in range(first, min(first + batch, n))]
        if not _finish(rows, wave, [run.chooser(first + i) for i in range(len(wave))]):
            break
        done, wave = done + wave, []
        run.stats.attempts = len(done)
        run.stats.accepted = sum(path.finish == "stop" for path in done)
    return done


def _finish(rows: RowMemory, paths: list[Path], choosers: list[Chooser]) -> bool:
    """Continue paths by masked decoding, each with its own stream; False once the budget is spent."""
    live = [(path, chooser) for path, chooser in zip(paths, choosers, strict=True) if path.finish is None]
    while live:
        if rows.run.spent():
            return False
        for (path, chooser), row in zip(live, rows.rows([path.prefix for path, _ in live]), strict=True):
            if row.dead:
                path.die()
            else:
                path.take(row, chooser.choice(row.log_probs))
        live = [pair for pair in live if pair[0].finish is None]
    return True
