"""What searches with a scorer share: ways on from a path, rows that are remembered, the best outputs met, the result.

Every complete path that a search comes by is an output met, whatever it was made for, and the best of them are what it
returns: a rollout that finds the best output need not be found again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from structgen.errors import OptionError
from structgen.protocols import Floats, Scorer, Tokens
from structgen.samplers.masked import Pick, extend_paths
from structgen.samplers.result import Sample, SampleSet, Status
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row
from structgen.search.scorers import Scores

__all__ = ["MEMORY", "Search", "likeliest", "ways_on"]

MEMORY = 64 << 20  # bytes of rows a search remembers


class Search:
    """The state of one search for the n best outputs.

    field  meaning
    rows   rows after prefixes, those read before remembered
    given  the scorer's answers
    met    how many different outputs were met so far
    """

    def __init__(self, run: Run, n: int, scorer: Scorer, likelihood: float, memory: int) -> None:
        if not (likelihood >= 0 and math.isfinite(likelihood)):
            raise OptionError(f"likelihood must be finite, at least 0, not {likelihood}", option="likelihood")
        self.run, self.n, self.likelihood = run, n, likelihood
        self.rows = RowMemory(run, memory)
        self.given = Scores(scorer, run.problem.vocabulary, run.stats)
        self.ceiling = self.given.bounds([run.root()])[0]
        self.best: list[tuple[float, Path]] = []  # the n best, best first
        self._seen: set[Tokens] = set()
        run.finished = self.samples

    @property
    def met(self) -> int:
        """Different outputs so far."""
        return len(self._seen)

    @property
    def satisfied(self) -> bool:
        """The n best have reached what the scorer's bound says of all outputs: nothing can be better."""
        return len(self.best) == self.n and self.best[-1][0] >= self.ceiling

    def values(self, paths: Sequence[Path]) -> list[float]:
        """scorer + likelihood * log p of each path as far as it goes; complete ones are outputs met."""
        values = [
            score + self.likelihood * path.log_prob if score > -math.inf else score
            for path, score in zip(paths, self.given.scores(paths), strict=True)
        ]
        for path, value in zip(paths, values, strict=True):
            if path.finish == "stop":
                self._offer(path, value)
        return values

    def roll_out(self, paths: Sequence[Path], picks: Sequence[Pick] | None = None, most: int | None = None) -> bool:
        """Continue paths in place, by the likeliest token if nothing else picks; False once the budget is spent.

        Those that have ended before that are outputs met.
        """
        if extend_paths(self.rows, paths, picks or [likeliest] * len(paths), most):
            return True
        self.values([path for path in paths if path.finish == "stop"])
        return False

    def _offer(self, path: Path, value: float) -> None:
        if path.prefix.tokens in self._seen:
            return
        self._seen.add(path.prefix.tokens)
        if value > -math.inf:
            self.best.append((value, path))
            self.best.sort(key=lambda pair: (-pair[0], -pair[1].log_prob, pair[1].prefix.tokens))
            del self.best[self.n :]

    def samples(self) -> list[Sample]:
        """The best outputs met so far, best first."""
        vocabulary = self.run.problem.vocabulary
        return [path.sample(vocabulary, log_q=None, log_weight=0.0, score=value) for value, path in self.best]

    def result(self, method: str, note: str, *, cut: bool, score_rest: float | None = None) -> SampleSet:
        """The best outputs met. `score_rest`: what no other exceeds, where that is known; -inf: there is no other."""
        if self.satisfied and score_rest is None:
            score_rest = self.ceiling
        status: Status = "budget" if cut and not self.satisfied else "complete"
        if not cut and len(self.best) < self.n:
            exhausted = score_rest == -math.inf
            status = ("complete" if self.best else "empty") if exhausted else "degenerate"
            note = f"there are only {len(self.best)} outputs; {note}" if exhausted and self.best else note
        self.run.stats.accepted = self.met
        note = f"{note}; {self.met} outputs met"
        return self.run.result(method, self.samples(), target="argmax", status=status, note=note, score_rest=score_rest)


def likeliest(log_probs: Floats) -> int:
    """The place of the greatest; of equal ones the first, whose token has the lowest id."""
    return int(np.argmax(log_probs))


def ways_on(path: Path, row: Row, most: int, first: int = 0) -> list[Path]:
    """The path and each of the likeliest events after it, `most` of them from the rank `first` on, likeliest first."""
    out = []
    for place in np.argsort(-row.log_probs, kind="stable")[first : first + most].tolist():
        child = path.copy()
        child.take(row, place)
        out.append(child)
    return out
