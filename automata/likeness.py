"""States that allow the same short tokens: counts far from their bounds are one count, nodes far from a difference one.

A token completes the repetition it begins in, and another for every so many bytes as the shortest takes; bounds that
are further away are out of its reach. So each state has a like one for each of some reaches: its items, and those of
the states their rules were called in, with the least count that has the same bounds within reach, and with the first
node that no text of so many bytes can tell from theirs (kernels/similar.py). Tokens of up to so many bytes are allowed
in both or in neither, and a mask is put together from the row of the like state and a walk over the few tokens that
are longer (automata/masks.py).

Proof, by induction over the bytes of a token: an item and its like take the same byte to items alike within one byte
less. A count a of complete repetitions is asked whether a + 1, ..., a + m are below the most, or at least the least, m
being the repetitions that the bytes complete. Where the most is further than m away, no answer is about it; where the
count is the least or more, all are yes about that, and where it is further than m below, all are no.

Cost: nodes and edges once, some microseconds per state that is asked about. Reference: `MaskTable(check=True)`.
"""

from __future__ import annotations

import numpy as np

from structgen.automata.configurations import Configurations
from structgen.kernels import entries
from structgen.kernels.layout import (
    BODY,
    CALL_TO,
    CALLED,
    CALLS,
    COUNTED,
    EXTRA,
    FIRST,
    MINIMUM,
    RULE,
    SEGMENT,
    SILENT,
    SILENT_TO,
    SORT,
    START,
)

__all__ = ["Likeness"]

ALL_ITEMS = -1
MOST_NODES = 1 << 16  # of a network whose nodes are compared: 10 ms


class Likeness:
    """The like states of one grammar, by reach. Not thread-safe: used under the lock of the configurations."""

    def __init__(self, configurations: Configurations, reaches: tuple[int, ...]) -> None:
        self.reaches = reaches
        self._configurations = configurations
        arrays = configurations.networks.arrays
        n = len(arrays.nodes) - 1
        self._rule = arrays.nodes[:, RULE]
        self._segment = arrays.nodes[:, SEGMENT]
        self._segments = [
            (row[MINIMUM], row[EXTRA], max(row[BODY], 1)) if row[SORT] == COUNTED else None
            for row in arrays.segments.tolist()
        ]
        self._names = np.tile(np.arange(n, dtype=np.int32), (len(reaches), 1))
        if n <= MOST_NODES:
            configurations.call(entries.similar_nodes, np.array(reaches, np.int64), self._names)
        self._known: list[dict[tuple[int, int], int]] = [{} for _ in reaches]
        self._first_calls: dict[int, frozenset[int]] = {}
        self._calling: dict[tuple[int, int], bool] = {}

    def like(self, number: int, state: int) -> int:
        """The state like `state` within reaches[number] bytes; like states are like themselves."""
        known, pending = self._known[number], [(state, ALL_ITEMS)]
        while pending:
            top, rule = key = pending[-1]
            if key not in known:
                items = self._configurations.kernel(top) if top > START else []
                if rule != ALL_ITEMS:  # who asks returns to those alone that called this rule
                    items = [item for item in items if self._leads_to(item[0], rule)]
                origins = [(origin, self._rule.item(node)) for node, origin, _ in items]
                below = [origin for origin in origins if origin not in known]
                if below:
                    pending += below
                    continue
                like = [
                    self._like_item(number, node, known[origin], attr)
                    for (node, _, attr), origin in zip(items, origins, strict=True)
                ]
                known[key] = self._configurations.gather(like) if like else top
            pending.pop()
        return known[state, ALL_ITEMS]

    def _leads_to(self, node: int, rule: int) -> bool:
        """Whether an item at `node` makes its state one in which `rule` was called."""
        key = node, rule
        if key not in self._calling:
            pending, seen = list(self._calls_at(node)), set[int]()
            while pending:
                called = pending.pop()
                if called not in seen:
                    seen.add(called)
                    pending += self._calls_first(called)
            self._calling[key] = rule in seen
        return self._calling[key]

    def _calls_at(self, node: int) -> list[int]:
        a = self._configurations.networks.arrays
        return a.calls[a.nodes[node, CALLS] : a.nodes[node + 1, CALLS], CALLED].tolist()  # type: ignore[no-any-return]

    def _calls_first(self, rule: int) -> frozenset[int]:
        """The rules that are called where a rule begins."""
        if rule not in self._first_calls:
            a = self._configurations.networks.arrays
            pending, seen, found = [a.rules.item(rule, FIRST)], set[int](), set[int]()
            while pending:
                node = pending.pop()
                if node in seen:
                    continue
                seen.add(node)
                found.update(self._calls_at(node))
                pending += a.silent[a.nodes[node, SILENT] : a.nodes[node + 1, SILENT], SILENT_TO].tolist()
                pending += a.calls[a.nodes[node, CALLS] : a.nodes[node + 1, CALLS], CALL_TO].tolist()  # may be empty
            self._first_calls[rule] = frozenset(found)
        return self._first_calls[rule]

    def _like_item(self, number: int, node: int, origin: int, attr: int) -> tuple[int, int, int]:
        segment = self._segment.item(node)
        bounds = None if segment < 0 else self._segments[segment]
        if bounds is not None:
            least, most, unit = bounds
            attr = like_count(attr, least, most, 1 + (self.reaches[number] - 1) // unit)
        return self._names.item(number, node), origin, attr


def like_count(count: int, least: int, most: int, more: int) -> int:
    """The least count that up to so many `more` repetitions cannot tell from `count`."""
    if most - count <= more:
        return count
    if count >= least:
        return least
    return count if least - count <= more else 0
