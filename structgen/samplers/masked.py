"""Masked decoding: t ~ p(t|u) 1[t in A(u)] / m(u). Fast and distorted; the weight W(w) = prod m(u) says how much.

Known as grammar-constrained or locally constrained decoding. q(w) = p(w bottom) / W(w), E_q[W] = Z,
KL(q || pi) = log Z - E_q log W; it is exact if and only if W is the same for all outputs.

Draws are made `batch` at a time. What one batch read is remembered for the next, up to `memory` bytes, so a prefix is
scored once, however many draws pass it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structgen.options import check_least
from structgen.protocols import Floats
from structgen.samplers.result import SampleSet
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.weights import Path

__all__ = ["Pick", "extend_paths", "masked", "masked_paths"]

Pick = Callable[[Floats], int]  # log-probabilities of what may follow -> the place of what does


def masked(run: Run, n: int, *, batch: int = 64, memory: int = 64 << 20) -> SampleSet:
    """n independent draws of plain masked decoding, each with its importance weight; not exact."""
    paths = masked_paths(run, n, batch, memory)
    return run.weighted_result("masked", [path.sample(run.problem.vocabulary) for path in paths], n)


def masked_paths(run: Run, n: int, batch: int, memory: int) -> list[Path]:
    """n finished masked paths, `batch` at a time; fewer when the budget is spent. Raises OptionError."""
    check_least(batch=(batch, 1))
    if run.budget.attempts is not None:
        n = min(n, run.budget.attempts)
    rows = RowMemory(run, memory)
    done: list[Path] = []
    wave: list[Path] = []
    run.finished = lambda: [path.sample(run.problem.vocabulary) for path in (*done, *wave) if path.finish]
    for first in range(0, n, batch):
        wave = [run.root() for _ in range(first, min(first + batch, n))]
        if not extend_paths(rows, wave, [run.chooser(first + i).choice for i in range(len(wave))]):
            break
        done, wave = done + wave, []
        run.stats.attempts = len(done)
        run.stats.accepted = sum(path.finish == "stop" for path in done)
    return done


def extend_paths(
    rows: RowMemory,
    paths: Sequence[Path],
    picks: Sequence[Pick],
    most: int | None = None,
    ends: Callable[[Path], bool] = lambda path: False,
) -> bool:
    """Continue paths together under the mask, each by its own picks, in place; False once the budget is spent.

    A path goes on to its end, for at most `most` events, or up to where `ends` says that it is far enough.
    """
    live = [(path, pick) for path, pick in zip(paths, picks, strict=True) if path.finish is None]
    taken = 0
    while live and (most is None or taken < most):
        if rows.run.spent():
            return False
        for (path, pick), row in zip(live, rows.rows([path.prefix for path, _ in live]), strict=True):
            if row.dead:
                path.die()
            else:
                path.take(row, pick(row.log_probs))
        live = [pair for pair in live if pair[0].finish is None and not ends(pair[0])]
        taken += 1
    return True
