"""Adaptive decoding: looks ahead only where the model is uncertain, and how far depends on how uncertain it is.

    H(u) = entropy, in nats, of the model's law on what is allowed after u
    looks(u) = 1 where H <= low, `trials` where H > high, in between in proportion to H

One look is plain decoding. Where there are several they are compared, by the scorer if there is one, else (and among
equal scores) by the model's mean log p of their events:

    "cautious"  continuations drawn under the mask, up to a token that holds punctuation; the best is taken whole
    "rerank"    the likeliest events, each continued by likeliest ones for `length` events; that of the best is taken

Under a mask the entropy of what is allowed is what counts: where a schema leaves one way on there is nothing to think
about, however flat the model's own law is.

Sources: Wang et al. 2025, "Cautious Next Token Prediction" (entropies from 0.01 to 1.5, lowest perplexity wins); He et
al. 2025, "AdaDec" (pause and rerank above a threshold, which there is learnt per model: here low = high is given).
Cost: plain decoding, and `looks` short continuations at each uncertain place, read together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from structgen.errors import OptionError
from structgen.options import check_least
from structgen.protocols import Chooser, Scorer
from structgen.samplers.masked import Pick, extend_paths
from structgen.samplers.result import Sample, SampleSet, Status
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row
from structgen.search.frontier import MEMORY, likeliest, ways_on
from structgen.search.scorers import Scores

__all__ = ["adaptive"]

PUNCTUATION = frozenset(b".,;:!?")


@dataclass(frozen=True, slots=True)
class Style:
    """How to look: entropies between which the number of looks grows to `trials`, and most events of a look."""

    low: float
    high: float
    trials: int
    length: int


STYLES = {"cautious": Style(0.01, 1.5, 10, 64), "rerank": Style(1.0, 1.0, 4, 8)}


def adaptive(
    run: Run,
    n: int,
    *,
    scorer: Scorer | None = None,
    style: Literal["cautious", "rerank"] = "cautious",
    low: float | None = None,
    high: float | None = None,
    trials: int | None = None,
    length: int | None = None,
    memory: int = MEMORY,
) -> SampleSet:
    """n outputs, each decoded by itself; in "rerank" nothing is drawn, so there is one. What is None is the style's.

    Nothing is proven; `note` says at how many steps it looked ahead. A scorer also gives the outputs their scores.
    """
    if style not in STYLES:
        raise OptionError(f"style is 'cautious' or 'rerank', not {style!r}", option="style")
    if style == "rerank" and n > 1:
        raise OptionError('style="rerank" draws nothing: n outputs would be one n times', option="n")
    check_least(trials=(trials, 1), length=(length, 0 if style == "rerank" else 1))
    given: dict[str, Any] = {"low": low, "high": high, "trials": trials, "length": length}
    chosen = replace(STYLES[style], **{name: value for name, value in given.items() if value is not None})
    if not 0 <= chosen.low <= chosen.high:
        raise OptionError(f"0 <= low <= high, not {chosen.low} and {chosen.high}", option="low")
    scores = None if scorer is None else Scores(scorer, run.problem.vocabulary, run.stats)
    rows = RowMemory(run, memory)
    writers = [Writer(rows, scores, chosen, style == "rerank", number) for number in range(n)]
    run.finished = lambda: _samples(run, writers, scores)
    cut = not all(writer.write() for writer in writers)
    samples, looked = _samples(run, writers, scores), sum(writer.looked for writer in writers)
    run.stats.attempts, run.stats.accepted = n, len(samples)
    status: Status = "budget" if cut else "complete" if len(samples) == n else "degenerate"
    note = f"looked ahead at {looked} of {sum(writer.steps for writer in writers)} steps"
    return run.result("adaptive", samples, target="argmax", status=status, note=note)


def _samples(run: Run, writers: Sequence[Writer], scores: Scores | None) -> list[Sample]:
    """The finished outputs, but for those whose score forbids them."""
    paths = [writer.path for writer in writers if writer.path.finish == "stop"]
    found: Sequence[float | None] = [None] * len(paths) if scores is None else scores.scores(paths)
    return [
        path.sample(run.problem.vocabulary, log_q=None, log_weight=0.0, score=score)
        for path, score in zip(paths, found, strict=True)
        if score != -math.inf
    ]


class Writer:
    """One output being written. `number`: which of the n; `steps`, and at how many of them it `looked` ahead."""

    def __init__(self, rows: RowMemory, scores: Scores | None, style: Style, reranks: bool, number: int) -> None:
        self.rows, self.scores, self.style, self.reranks, self.number = rows, scores, style, reranks, number
        self.path, self.steps, self.looked = rows.run.root(), 0, 0
        self.pick: Pick = likeliest if reranks else rows.run.chooser(number).choice

    def write(self) -> bool:
        """To the end; False once the budget is spent."""
        while self.path.finish is None:
            if self.rows.run.spent():
                return False
            row = self.rows.rows([self.path.prefix])[0]
            if row.dead:
                self.path.die()
                return True
            self.steps += 1
            looks = _looks(row, self.style)
            if looks == 1:
                self.path.take(row, self.pick(row.log_probs))
            elif not self._look(row, looks):
                return False
        return True

    def _look(self, row: Row, looks: int) -> bool:
        """Look ahead, and go on as the best look does; False once the budget is spent."""
        self.looked += 1
        if self.reranks:
            ways = ways_on(self.path, row, looks)
            ahead = [way.copy() for way in ways]
            picks: list[Pick] = [likeliest] * len(ways)
        else:
            ways = ahead = [self.path.copy() for _ in range(looks)]
            choosers: list[Chooser] = [self.rows.run.chooser(self.number, self.steps, at) for at in range(looks)]
            picks = [chooser.choice for chooser in choosers]
        if not extend_paths(self.rows, ahead, picks, self.style.length, ends=self._is_cut):
            return False
        self.path = ways[self._best(ahead)]
        return True

    def _is_cut(self, path: Path) -> bool:
        """A cautious look ends behind punctuation."""
        last = self.rows.run.problem.vocabulary.token_bytes(path.prefix.tokens[-1])
        return not self.reranks and not PUNCTUATION.isdisjoint(last)

    def _best(self, ahead: Sequence[Path]) -> int:
        """The place of the look with the best score, and then with the highest mean log p of its events."""
        scores = [0.0] * len(ahead) if self.scores is None else self.scores.scores(ahead)
        before = len(self.path.step_log_mass)

        def judged(at: int) -> tuple[float, float]:
            if ahead[at].finish == "dead":
                return (-math.inf, -math.inf)
            events = len(ahead[at].step_log_mass) - before
            return scores[at], (ahead[at].log_prob - self.path.log_prob) / events

        return max(range(len(ahead)), key=judged)


def _looks(row: Row, style: Style) -> int:
    """How many ways on to compare after this row."""
    log_q = row.log_probs - row.log_mass
    entropy = -float((np.exp(log_q) * log_q).sum())
    if entropy <= style.low:
        return 1
    share = 1.0 if entropy > style.high else (entropy - style.low) / (style.high - style.low)
    return max(1, round(style.trials * share))
