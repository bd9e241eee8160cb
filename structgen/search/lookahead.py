"""Lookahead: a beam whose ways on are judged by what a short rollout makes of them (DeAL).

    at a prefix u, for each of its k likeliest allowed events t:
        r      = u t and up to `length` more events, the likeliest allowed ones, one after the other
        c(u t) = scorer(text of r) + likelihood * log p(u t)
    the `width` best u t go on; of equal ones the likelier

A rollout is under the mask, so what is scored is the beginning of a valid output, and a whole one where `length` lets
it end. The paper's c = log p + alpha h is `likelihood=1` and a scorer that gives alpha h.

Source: Huang et al. 2024, "DeAL: Decoding-time Alignment for Large Language Models"; the rollout as a heuristic: Lu et
al. 2022, "NeuroLogic A*esque Decoding". Cost: at each of T steps k * width rollouts, read together in at most `length`
calls of the model; the rollout of the way that is taken is remembered. Exact only where everything is kept.
"""

from __future__ import annotations

import math

from structgen.options import check_least
from structgen.protocols import Scorer
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path
from structgen.search.frontier import MEMORY, Search, ways_on

__all__ = ["lookahead"]


def lookahead(
    run: Run,
    n: int,
    *,
    scorer: Scorer,
    candidates: int = 8,
    length: int = 16,
    width: int | None = None,
    likelihood: float = 0.0,
    memory: int = MEMORY,
) -> SampleSet:
    """The n best outputs a beam of `width` (n if not given) meets, rollouts counted; best first, nothing proven.

    `candidates`: ways on that are tried at each prefix; `length`: events of a rollout, 0 scores the prefix as it is.
    """
    check_least(candidates=(candidates, 1), length=(length, 0), width=(width, n))
    search, width = Search(run, n, scorer, likelihood, memory), width or n
    live, ended, steps, cut = [run.root()], 0, 0, False
    while live and not search.satisfied:
        if cut := run.spent():
            break
        ways = _ways(search, live, candidates)
        ahead = [way.copy() for way in ways]
        if cut := not search.roll_out(ahead, most=length):
            break
        run.stats.attempts += len(ahead)
        chosen = _best(search, ways, ahead, width - ended)
        ended += sum(way.finish is not None for way in chosen)
        live, steps = [way for way in chosen if way.finish is None], steps + 1
    return search.result("lookahead", f"{steps} steps, {run.stats.attempts} rollouts", cut=cut)


def _ways(search: Search, live: list[Path], candidates: int) -> list[Path]:
    """Every way on from every live path."""
    rows = search.rows.rows([path.prefix for path in live])
    return [way for path, row in zip(live, rows, strict=True) for way in ways_on(path, row, candidates)]


def _best(search: Search, ways: list[Path], ahead: list[Path], room: int) -> list[Path]:
    """The ways with the best rollouts; none whose rollout is forbidden."""
    search.values(ahead)  # what ended is an output met
    scores = search.given.scores(ahead)

    def judged(at: int) -> tuple[float, float]:
        return scores[at] + search.likelihood * ways[at].log_prob, ways[at].log_prob

    allowed = [at for at, score in enumerate(scores) if score > -math.inf]
    return [ways[at] for at in sorted(allowed, key=judged, reverse=True)[:room]]
