"""A grammar as tokens of up to so many bytes see it: what they cannot tell apart is one state.

A token completes the repetition it begins in, and another for every so many bytes as the shortest takes; bounds that
are further away are out of its reach. So in the blurred grammar of a reach a count stands for all that have the same
bounds within reach, the least of them, and a node for all that no text of so many bytes tells from it
(kernels/similar.py). Its states are few: within a word of at most 20 letters one is left, to which letters lead back.
A mask is the row of the blurred state, for tokens within reach, and a walk in the grammar itself over the few that are
longer (automata/masks.py).

Proof, by induction over the bytes of a token: an item and its blurred one agree within r bytes, so after a byte they
lead to items that agree within r - 1, and blurring those changes nothing within r. A count a of complete repetitions is
asked whether a + 1, ..., a + m are below the most, or at least the least, m being the repetitions that the bytes
complete. Where the most is further than m away, no answer is about it; where the count is the least or more, all are
yes about that, and where it is further than m below, all are no.

Cost: nodes and edges once, some microseconds per state that is asked about. Reference: `MaskTable(check=True)`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.kernels import entries
from structgen.kernels.layout import (
    ARC_TO,
    ARG,
    BODY,
    CALL_TO,
    CALLED,
    CALLS,
    COUNTED,
    EXTRA,
    FIRST,
    LIKE,
    MINIMUM,
    MORE,
    OP,
    RULE,
    SEGMENT,
    SILENT,
    SILENT_TO,
    SORT,
    START,
    UPTO,
)

__all__ = ["Blurred", "like_count", "similar"]

ALL_ITEMS = -1  # in place of a rule
MOST_NODES = 1 << 16  # of a network whose nodes are compared: 10 ms

Row = NDArray[np.uint32]


def similar(configurations: Configurations, reaches: tuple[int, ...]) -> NDArray[np.int32]:
    """i32 (reaches, n): of each node the first that no text of up to so many bytes tells from it."""
    n = len(configurations.networks.arrays.nodes) - 1
    names = np.tile(np.arange(n, dtype=np.int32), (len(reaches), 1))
    if n <= MOST_NODES:
        configurations.call(entries.similar_nodes, np.array(reaches, np.int64), names)
    return names


def like_count(count: int, least: int, most: int, more: int) -> int:
    """The least count that up to so many `more` repetitions cannot tell from `count`: twin of registers.like_count."""
    if most - count <= more:
        return count
    if count >= least:
        return least
    return count if least - count <= more else 0


class Blurred:
    """The blurred grammar of one reach, and `rows` of its states. Not thread-safe: used under the lock of `sharp`.

    names i32 (n,): see `similar`.
    """

    def __init__(self, sharp: Configurations, names: NDArray[np.int32], reach: int) -> None:
        self.reach, self.rows = reach, dict[int, Row]()
        self._sharp, self._names = sharp, names
        a = sharp.networks.arrays
        arcs, segments, silent = a.arcs.copy(), a.segments.copy(), a.silent.copy()
        arcs[:, ARC_TO] = names[arcs[:, ARC_TO]]
        counted = segments[:, SORT] == COUNTED
        counted[-1] = False  # it only ends spans
        segments[counted, MORE] = 1 + (reach - 1) // np.maximum(segments[counted, BODY], 1)
        completes = silent[:, OP] == UPTO
        sources = np.repeat(np.arange(len(a.nodes) - 1), np.diff(a.nodes[:, SILENT]))
        silent[completes, OP], silent[completes, ARG] = LIKE, a.nodes[sources[completes], SEGMENT]
        networks = dataclasses.replace(sharp.networks, arrays=a._replace(arcs=arcs, segments=segments, silent=silent))
        self.automaton = Configurations(networks)
        self._bounds = [
            tuple(row) if c else None
            for row, c in zip(segments[:, (MINIMUM, EXTRA, MORE)].tolist(), counted.tolist(), strict=True)
        ]
        far = counted & (segments[:, EXTRA] - segments[:, MINIMUM] > segments[:, MORE])
        self._blurs = far[a.nodes[:-1, SEGMENT]] & (a.nodes[:-1, SEGMENT] >= 0)
        self._blurs |= np.bincount(names, minlength=len(names))[names] > 1
        self._known: dict[tuple[int, int], tuple[int, bool]] = {}
        self._first_calls: dict[int, frozenset[int]] = {}
        self._calling: dict[tuple[int, int], bool] = {}

    @property
    def blurs(self) -> bool:
        """Whether anything in the grammar stands for several."""
        return bool(self._blurs.any())

    def state(self, sharp: int) -> tuple[int, bool]:
        """The blurred state of one of the grammar, and whether anything in it stands for several."""
        known, pending = self._known, [(sharp, ALL_ITEMS)]
        while pending:
            top, rule = key = pending[-1]
            if key not in known:
                items = self._sharp.kernel(top) if top > START else []
                if rule != ALL_ITEMS:  # who asks returns to those alone that called this rule
                    items = [item for item in items if self._leads_to(item[0], rule)]
                origins = [(origin, self._rule_of(node)) for node, origin, _ in items]
                below = [origin for origin in origins if origin not in known]
                if below:
                    pending += below
                    continue
                known[key] = self._blur(top, items, [known[origin] for origin in origins])
            pending.pop()
        return known[sharp, ALL_ITEMS]

    def _blur(self, top: int, items: list[tuple[int, int, int]], origins: list[tuple[int, bool]]) -> tuple[int, bool]:
        """A blurred state, and whether anything in it, or in what called its rules, stands for several."""
        if not items:
            return min(top, START), False
        found, blurred = [], False
        for (node, _, attr), (origin, below) in zip(items, origins, strict=True):
            bounds = self._bounds[self._segment_of(node)]
            found.append((self._names.item(node), origin, attr if bounds is None else like_count(attr, *bounds)))
            blurred = blurred or below or self._blurs.item(node)
        return self.automaton.gather(found), blurred

    def _rule_of(self, node: int) -> int:
        return self._sharp.networks.arrays.nodes.item(node, RULE)

    def _segment_of(self, node: int) -> int:
        return self._sharp.networks.arrays.nodes.item(node, SEGMENT)  # -1: the last, which has no bounds

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
        a = self._sharp.networks.arrays
        return a.calls[a.nodes[node, CALLS] : a.nodes[node + 1, CALLS], CALLED].tolist()  # type: ignore[no-any-return]

    def _calls_first(self, rule: int) -> frozenset[int]:
        """The rules that are called where a rule begins."""
        if rule not in self._first_calls:
            a = self._sharp.networks.arrays
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
