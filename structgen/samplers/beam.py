"""Beam search and diverse beam search: likely outputs. A search, not a sampler: `target="argmax"`.

The score is log p(w bottom), the model's own law, so that the best output is the mode of pi; a beam over the masked law
would look for the mode of q. As log p only falls along an output, what has fallen below the n-th best finished output
is given up at once, and the search ends when nothing is left: no length penalty, no early stopping.

    B   width: how many unfinished prefixes of one length are kept
    R   the highest log p of anything that was given up: every output that is not returned has log p <= R (`log_rest`)

Outputs with log p >= R are proven to be the likeliest ones (`SampleSet.proven`): all of them if it is wide enough.

Diverse beam search splits the beam into groups that choose one after the other, step by step; an event that earlier
groups have chosen at this step loses `diversity` times as often as they did, in the choice only, not in the account.

Sources: Vijayakumar et al. 2018, "Diverse Beam Search". Cost: at most B prefixes a step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from structgen.errors import OptionError
from structgen.options import check_least
from structgen.protocols import Tokens
from structgen.samplers.result import SampleSet, Status
from structgen.samplers.run import Run
from structgen.samplers.weights import Path, Row

__all__ = ["beam"]


@dataclass(slots=True)
class Group:
    """A part of the beam: what is unfinished, the best `most` that are finished, and R of this part."""

    width: int
    most: int
    live: list[Path]
    done: list[Path] = field(default_factory=list)
    log_rest: float = -np.inf

    def finish(self, path: Path) -> None:
        """A complete output, kept if it is among the best."""
        self.done.append(path)
        self.done.sort(key=lambda p: (-p.log_prob, p.prefix.tokens))
        for worse in self.done[self.most :]:
            self.log_rest = max(self.log_rest, worse.log_prob)
        del self.done[self.most :]

    @property
    def threshold(self) -> float:
        """What cannot reach this is of no use."""
        return self.done[-1].log_prob if len(self.done) == self.most else -np.inf

    def extend(self, rows: Sequence[Row], chosen: Counter[int], diversity: float) -> None:
        """One step: every live prefix by every event, the best `width` of them kept. `chosen`: by earlier groups."""
        candidates: list[tuple[float, float, int, int]] = []  # score, log p, place of the prefix, place of the event
        for at, (path, row) in enumerate(zip(self.live, rows, strict=True)):
            ends = np.flatnonzero(row.ids == path.prefix.stop)
            if ends.size:
                finished = path.copy()
                finished.take(row, int(ends[0]))
                self.finish(finished)
            candidates += self._best_of(at, row, path, chosen, diversity)
        candidates.sort(key=lambda c: (-c[0], c[2:]))
        threshold = self.threshold
        following: list[Path] = []
        for _, log_prob, at, place in candidates:
            if len(following) == self.width or log_prob < threshold:
                self.log_rest = max(self.log_rest, log_prob)
                continue
            child = self.live[at].copy()
            child.take(rows[at], place)
            chosen[int(rows[at].ids[place])] += 1
            following.append(child)
        self.live = following

    def _best_of(
        self, at: int, row: Row, path: Path, chosen: Counter[int], diversity: float
    ) -> list[tuple[float, float, int, int]]:
        """The best `width` ways on from one prefix; the best of the others goes into R."""
        totals = np.where(row.ids == path.prefix.stop, -np.inf, path.log_prob + row.log_probs)
        scores = totals.copy()
        for event, times in chosen.items():
            scores[row.ids == event] -= diversity * times
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > -np.inf]
        if order.size > self.width:
            self.log_rest = max(self.log_rest, float(totals[order[self.width :]].max()))
        return [(float(scores[i]), float(totals[i]), at, int(i)) for i in order[: self.width]]


def beam(run: Run, n: int, *, width: int | None = None, groups: int = 1, diversity: float = 1.0) -> SampleSet:
    """n likely and different outputs, likeliest first; no sample of anything. Fewer when the beam meets no more.

    `width` is 8 or n if not given, split among `groups`; with several groups (diverse beam) each gives its best in turn
    and `diversity` is the price, in nats, of an event an earlier group has taken.
    """
    width = max(8, n, groups) if width is None else width
    check_least(width=(width, max(n, 1)), groups=(groups, 1))
    if width % groups or not diversity >= 0:
        what = "groups must divide width" if width % groups else "diversity must not be negative"
        raise OptionError(what, option="groups" if width % groups else "diversity")
    parts = [Group(width // groups, n, [run.root()]) for _ in range(groups)]
    cut = False
    run.finished = lambda: run.found(_in_turn(parts, n))
    while any(part.live for part in parts):
        if run.spent():
            cut = True
            break
        rows = iter(run.rows([path.prefix for part in parts for path in part.live]))
        chosen: Counter[int] = Counter()
        for part in parts:
            part.extend([next(rows) for _ in part.live], chosen, diversity if groups > 1 else 0.0)
    return _result(run, parts, n, cut=cut)


def _result(run: Run, parts: list[Group], n: int, *, cut: bool) -> SampleSet:
    """The outputs of all groups; R holds for one group only, as another may have met what this one has lost."""
    for part in parts:
        part.log_rest = max([part.log_rest, *(path.log_prob for path in part.live)])
    found = _in_turn(parts, n)
    found.sort(key=lambda path: (-path.log_prob, path.prefix.tokens))
    log_rest = parts[0].log_rest if len(parts) == 1 else None
    status: Status = "complete"
    note = ""
    if len(found) < n:
        proven = not cut and all(part.log_rest == -np.inf for part in parts)
        status = "budget" if cut else ("complete" if found else "empty") if proven else "degenerate"
        note = f"there are only {len(found)} outputs" if proven else f"the beam has met {len(found)} outputs"
    elif cut:
        status = "budget"
    run.stats.attempts = run.stats.accepted = len(found)
    return run.result("beam", run.found(found), target="argmax", status=status, note=note, log_rest=log_rest)


def _in_turn(parts: Sequence[Group], n: int) -> list[Path]:
    """The best of every group that no other has given yet, and again, until there are n."""
    found: dict[Tokens, Path] = {}
    left = [list(part.done) for part in parts]
    while any(left) and len(found) < n:
        for done in left:
            while done and done[0].prefix.tokens in found:
                done.pop(0)
            if done and len(found) < n:
                best = done.pop(0)
                found[best.prefix.tokens] = best
    return list(found.values())
