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

from structgen.protocols import Scorer
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.weights import Path
from structgen.search.frontier import MEMORY, Search, check_least, ways_on

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
        ways = _ways(search, live, candidates)
        ahead = [way.copy() for way in ways or ()]
        cut = ways is None or not search.roll_out(ahead, most=length)
        if cut:
            break
        run.stats.attempts += len(ahead)
        chosen = _best(search, ways or [], ahead, width - ended)
        ended += sum(way.finish is not None for way in chosen)
        live, steps = [way for way in chosen if way.finish is None], steps + 1
    note = f"{steps} steps, {run.stats.attempts} rollouts"
    return search.result("lookahead", note, cut=cut)


def _ways(search: Search, live: list[Path], candidates: int) -> list[Path] | None:
    """Every way on from every live path; None where the budget is spent."""
    if search.run.spent():
        return None
    rows = search.rows.rows([path.prefix for path in live])
    return [way for path, row in zip(live, rows, strict=True) for way in ways_on(path, row, candidates)]


def _best(search: Search, ways: list[Path], ahead: list[Path], room: int) -> list[Path]:
    """The ways with the best rollouts; none whose rollout is forbidden."""
    search.values(ahead)
    scores = search.given.scores(ahead)
    judged = [
        (score + search.likelihood * way.log_prob, way.log_prob, -at)
        for at, (way, score) in enumerate(zip(ways, scores, strict=True))
        if score > -math.inf
    ]
    return [ways[-at] for _, _, at in sorted(judged, reverse=True)[:room]]
