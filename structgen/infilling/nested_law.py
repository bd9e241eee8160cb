"""The ways through a canvas whose texts nest without bound, weighted: inside and outside weights of levels.

What a level is: automata/levels.py; the sums, the maxima and their cost: kernels/nested_law.py. A way is followed from
the end back to the beginning: what led to a place of a level, and where that was a return, which call it answered and
how what was called came to its end; likely ways more often, or the likeliest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_effects import TokenEffects
from structgen.errors import LimitExceeded
from structgen.kernels.nested_law import (
    LOG_RADIX,
    Inside,
    Levels,
    Wide,
    class_worths,
    inside_levels,
    outside_levels,
    transition_weights,
)
from structgen.protocols import Chooser, Floats

__all__ = ["MOST_LAW_BYTES", "NestedWays"]

MOST_LAW_BYTES = 1 << 30  # of inside and outside weights: what takes more takes a minute
Ints = NDArray[np.int32]
Choose = Callable[[Floats], int]
_END = 0  # the cell of a text that has ended


class NestedWays:
    """The fills of slots that hold `useful` classes, u8 (n, G); all but `slots`, the canvas's own, hold one class each.
    See `law.Ways`. Raises LimitExceeded where weights take more than MOST_LAW_BYTES."""

    def __init__(self, effects: TokenEffects, levels: Levels, useful: NDArray[np.uint8], slots: slice) -> None:
        rows, columns = (len(useful) + 1) * (len(useful) + 2) // 2, _columns(levels)
        if 2 * 12 * rows * sum(columns) > MOST_LAW_BYTES:
            reason = f"the law of {len(useful) - 1} slots takes much memory if nesting has no bound; depth=4 is one"
            raise LimitExceeded(reason, limit="canvas_law_bytes", allowed=MOST_LAW_BYTES)
        self.effects, self.levels, self.useful, self.slots = effects, levels, useful, slots

    def best(self, top: Floats) -> tuple[Ints, float]:
        """See `law.Ways`."""
        weights = _Weights(self, top, largest=True)
        return weights.follow(lambda logs: int(logs.argmax())), weights.log_sum

    def sums(self, total: Floats) -> _Weights:
        """See `law.Ways`."""
        return _Weights(self, total, largest=False)


class _Weights:
    """The weights of all levels under log-weights of classes, (n, G), see `law.Sums`; or their maxima."""

    def __init__(self, ways: NestedWays, given: Floats, largest: bool) -> None:
        self._ways, self._logs = ways, np.where(ways.useful, 0.0, -np.inf)
        self._logs[ways.slots] = given
        effects, levels, n = ways.effects, ways.levels, len(self._logs)
        self._transitions = _wide(n, len(effects.transitions))
        transition_weights(effects.first, effects.of_class, self._logs, *self._transitions, int(largest))
        self._inside, self._begun = _inside(levels, n), np.zeros((n + 1, len(levels.starts)), np.uint8)
        self._scratch = (np.zeros(levels.joints, np.uint8), np.zeros_like(levels.join_first), levels.joins.copy())
        inside_levels(levels, self._transitions, self._inside, self._begun, *self._scratch, int(largest))
        self.log_sum = float(_logs(self._inside.held, _row(n, 0), _END))

    def shifts(self) -> Floats:
        """See `law.Sums`."""
        effects, levels, n = self._ways.effects, self._ways.levels, len(self._logs)
        outside, worth = _inside(levels, n), _wide(n, len(effects.transitions))
        outside.held.values[_row(n, 0), _END] = 1.0
        outside_levels(levels, self._transitions, self._inside, self._begun, *self._scratch, outside, worth)
        found = np.zeros_like(self._logs)
        class_worths(effects.first, effects.of_class, worth, self._ways.useful, found, _wide(1, 1))
        return found[self._ways.slots] - self.log_sum

    def draw(self, chooser: Chooser) -> list[int]:
        """See `law.Sums`."""
        return [int(g) for g in self.follow(chooser.choice)]

    def follow(self, choose: Choose) -> Ints:
        """The classes of a way, of whose last steps and calls one is chosen by log-weight, again and again."""
        steps, transition, n = _Backwards(self._ways.levels), np.zeros(len(self._logs), np.int64), len(self._logs)
        left = [(n, 0, _END)]  # places that a way passes: a layer, where the level began, a target
        while left:
            layer, begun, target = left.pop()
            slot = layer if steps.is_pop(target) else layer - 1
            if slot < begun:
                continue  # the level begins so
            own, back = steps.own(target), steps.back(target)
            logs = np.concatenate([self._own(slot, begun, own), self._back(slot, begun, back)])
            k = choose(logs)
            source, t, _ = (own[k] if k < len(own) else back[k - len(own)]).tolist()
            if t >= 0:
                transition[slot] = t
            if k < len(own):
                left.append((slot, begun, source))
                continue
            joins, layers = steps.joins(source), np.arange(begun, slot + 1)
            calls = _logs(self._inside.called, _row(layers, begun)[:, None], joins[:, 0])
            place, k = divmod(choose((calls + self._held(slot, layers[:, None], joins[:, 1])).ravel()), len(joins))
            call, source = joins[k, :2].tolist()
            left += [(begun + place, begun, steps.columns + call), (slot, begun + place, source)]
        return self._classes_of(transition, choose)[self._ways.slots]

    def _held(self, layer: int, begun: Any, columns: Ints) -> Floats:
        return _logs(self._inside.held, _row(layer, begun), columns)

    def _own(self, slot: int, begun: int, steps: Ints) -> Floats:
        """Log-weights of steps within a level."""
        return self._held(slot, begun, steps[:, 0]) + _logs(self._transitions, slot, steps[:, 1])

    def _back(self, slot: int, begun: int, steps: Ints) -> Floats:
        """Log-weights of steps behind a return."""
        taken = np.where(steps[:, 1] >= 0, _logs(self._transitions, slot, steps[:, 1]), 0.0)
        found: Floats = _logs(self._inside.joined, _row(slot, begun), steps[:, 0]) + taken
        return found

    def _classes_of(self, transitions: NDArray[np.int64], choose: Choose) -> Ints:
        """A class for the transition of each slot."""
        first, of_class = self._ways.effects.first, self._ways.effects.of_class
        classes, found = np.repeat(np.arange(len(first) - 1), np.diff(first)), list[int]()
        for logs, t in zip(self._logs, transitions, strict=True):
            own = classes[of_class == t]
            found.append(int(own[choose(logs[own])]))
        return np.array(found, np.int32)


class _Backwards:
    """Steps by where they lead."""

    def __init__(self, levels: Levels) -> None:
        self.columns = levels.cells + levels.pops
        self._cells = levels.cells
        calls, targets = len(levels.callee), self.columns + len(levels.callee)
        self._own, self._back = _sorted(levels.own, 2, targets), _sorted(levels.back, 2, targets)
        call = np.repeat(np.arange(calls, dtype=np.int32), np.diff(levels.join_first))
        self._joins = _sorted(np.column_stack([call, levels.joins]), 2, levels.joints)

    def is_pop(self, target: int) -> bool:
        """Whether it is reached within a slot, and not at its end."""
        return self._cells <= target < self.columns

    def own(self, target: int) -> Ints:
        """(., 3), as in Levels."""
        rows, first = self._own
        return rows[first[target] : first[target + 1]]

    def back(self, target: int) -> Ints:
        """(., 3), as in Levels."""
        rows, first = self._back
        return rows[first[target] : first[target + 1]]

    def joins(self, joint: int) -> Ints:
        """(., 3): the call, the place that returns, the joint."""
        rows, first = self._joins
        return rows[first[joint] : first[joint + 1]]


def _sorted(rows: Ints, column: int, count: int) -> tuple[Ints, NDArray[np.int64]]:
    """Rows by a column of numbers below `count`, and where those of each begin."""
    ordered = rows[np.argsort(rows[:, column], kind="stable")]
    return ordered, np.searchsorted(ordered[:, column], np.arange(count + 1)).astype(np.int64)


def _row(layer: Any, begun: Any) -> Any:
    """See kernels/nested_law.Inside."""
    return layer * (layer + 1) // 2 + begun


def _columns(levels: Levels) -> tuple[int, int, int]:
    return levels.cells + levels.pops, len(levels.callee), levels.joints


def _wide(rows: int, columns: int) -> Wide:
    return Wide(np.zeros((rows, columns)), np.zeros((rows, columns), np.int32))


def _inside(levels: Levels, slots: int) -> Inside:
    held, called, joined = (_wide((slots + 1) * (slots + 2) // 2, columns) for columns in _columns(levels))
    return Inside(held, called, joined)


def _logs(wide: Wide, rows: Any, columns: Any) -> Floats:
    """Logarithms of some numbers."""
    with np.errstate(divide="ignore"):
        found: Floats = np.log(wide.values[rows, columns]) + wide.powers[rows, columns] * LOG_RADIX
    return found
