"""A grammar as tokens of up to so many bytes see it: what they cannot tell apart is one state.

A token completes the repetition it begins in, and another for every so many bytes as the shortest takes; bounds that
are further away are out of its reach. So in the blurred grammar of a reach a count stands for all that have the same
bounds within reach, the least of them, and a node for all that no text of so many bytes tells from it
(automata/likeness.py). Its states are few: within a word of at most 20 letters one is left, to which letters lead back.
A mask is the row of the blurred state, for tokens within reach, and a walk in the grammar itself over the few that are
longer (automata/masks.py). Receipt: strings of at most 30 words and 300 characters, 900 masks of one schema, 920 -> 290
ms since weights are blurred and silent edges are followed.

Proof, by induction over the bytes of a token: an item and its blurred one agree within r bytes, so after a byte they
lead to items that agree within r - 1, and blurring those changes nothing within r. A count a of complete repetitions is
asked whether a + 1, ..., a + m are below the most, or at least the least, m being the repetitions that the bytes
complete. Where the most is further than m away, no answer is about it; where the count is the least or more, all are
yes about that, and where it is further than m below, all are no. A weight that no r bytes make too heavy is asked
whether it is light enough, and always is.

Cost: nodes and edges once, some microseconds per state that is asked about. Reference: `MaskTable(check=True)`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.likeness import longest_run
from structgen.automata.network import RuleNetworks
from structgen.kernels.layout import (
    ARC_TO,
    ARG,
    BODY,
    BROAD,
    CALL_TO,
    CALLED,
    CALLS,
    COUNTED,
    EXTRA,
    FIRST,
    LIKE,
    MEMBER,
    MINIMUM,
    MORE,
    OP,
    RULE,
    SEGMENT,
    SEPARATOR,
    SILENT,
    SILENT_TO,
    SORT,
    SPARE,
    START,
    UPTO,
    WEIGH,
    WEIGHED,
)
from structgen.memory import Bounded

__all__ = ["Blurred", "Callers", "like_count"]

ALL_ITEMS = -1  # in place of a rule
NO_ITEMS = np.zeros((0, 3), np.int64)
MOST_STATES, MOST_BYTES = 4096, 1 << 24  # of which it is remembered what their items call

Row = NDArray[np.uint32]


def _light(networks: RuleNetworks, reach: int) -> NDArray[np.int64]:
    """i64 (segments,): up to which weight an item of a WEIGHED segment does as one without any: whatever so many bytes
    add, each of its bounds holds. 0 of other segments."""
    a = networks.arrays
    light = np.zeros(len(a.segments), np.int64)
    segment_of = np.where(a.nodes[:-1, SEGMENT] >= 0, a.nodes[:-1, SEGMENT], len(a.segments) - 1)
    edges_of = np.repeat(segment_of, np.diff(a.nodes[:, SILENT]))
    for segment in np.flatnonzero(a.segments[:-1, SORT] == WEIGHED).tolist():
        bounds = a.silent[(edges_of == segment) & (a.silent[:, OP] == SPARE), ARG]
        added = longest_run(networks, segment_of == segment, WEIGH)  # between two bytes
        if added is not None and len(bounds):
            light[segment] = max(0, int(bounds.min()) - (reach + 1) * added)
    return light


def like_count(count: int, least: int, most: int, more: int) -> int:
    """The least count that up to so many `more` repetitions cannot tell from `count`: twin of registers.like_count."""
    if most - count <= more:
        return count
    if count >= least:
        return least
    return count if least - count <= more else 0


class Callers:
    """Which items of a state are at a node where a rule is called: at once, or where what is called begins.

    Cost: once per rule a search of what it begins with, once per state a pass over its items. Receipt: rows of
    schemas of JsonSchemaStore under any style 21 -> 7, 28 -> 14 and 204 -> 20 ms.
    """

    def __init__(self, sharp: Configurations) -> None:
        self._sharp, self._arrays = sharp, sharp.networks.arrays
        self._begins: dict[int, list[int]] = {}
        self._nearest: dict[int, list[int]] = {}
        self._calls: Bounded[int, _Calls] = Bounded(MOST_STATES, most_bytes=MOST_BYTES)

    def items(self, state: int, rule: int) -> NDArray[np.int64]:
        """i64 (k, 3): the items of a state at whose nodes `rule` is called; of all rules, all its items."""
        if state <= START:
            return NO_ITEMS
        calls = self._calls_of(state)
        if rule == ALL_ITEMS:
            return calls.items
        chosen: NDArray[np.int64] = calls.items[np.unique(calls.item[calls.begun[calls.rule, rule]])]
        return chosen

    def _calls_of(self, state: int) -> _Calls:
        calls = self._calls.get(state)
        if calls is None:
            items = self._sharp.kernel_items(state)
            nodes = self._arrays.nodes
            first, end = nodes[items[:, 0], CALLS], nodes[items[:, 0] + 1, CALLS]
            item = np.repeat(np.arange(len(items)), end - first)
            place = np.arange(len(item)) - np.repeat(np.cumsum(end - first) - end, end - first)
            rules, rule = np.unique(self._arrays.calls[place, CALLED], return_inverse=True)
            begun = np.zeros((len(rules), len(self._arrays.rules)), np.bool_)
            for row, called in zip(begun, rules.tolist(), strict=True):
                row[self._begun_by(called)] = True
            calls = _Calls(items, item, rule, begun)
            self._calls.remember(state, calls, sum(part.nbytes for part in calls))
        return calls

    def _begun_by(self, rule: int) -> list[int]:
        """The rules that are called where a rule begins, those where they begin, and so on; itself among them."""
        known = self._begins.get(rule)
        if known is None:
            pending, seen = [rule], {rule}
            while pending:
                more = [called for called in self._calls_first(pending.pop()) if called not in seen]
                seen.update(more)
                pending += more
            known = self._begins[rule] = sorted(seen)
        return known

    def _calls_first(self, rule: int) -> list[int]:
        """The rules that are called where a rule begins."""
        known = self._nearest.get(rule)
        if known is None:
            a = self._arrays
            pending, seen, found = [a.rules.item(rule, FIRST)], set[int](), set[int]()
            while pending:
                node = pending.pop()
                if node in seen:
                    continue
                seen.add(node)
                calls = a.calls[a.nodes.item(node, CALLS) : a.nodes.item(node + 1, CALLS)]
                found.update(calls[:, CALLED].tolist())
                pending += calls[:, CALL_TO].tolist()  # what is called may be empty
                pending += a.silent[a.nodes.item(node, SILENT) : a.nodes.item(node + 1, SILENT), SILENT_TO].tolist()
            known = self._nearest[rule] = sorted(found)
        return known


class _Calls(NamedTuple):
    """What the items of a state call.   k items, c calls

    items  i64 (k, 3) as (node, origin, attr)
    item   i64 (c,) the number of the item that calls
    rule   i64 (c,) what it calls: a row of `begun`
    begun  bool (called, rules): which rules are called where that one begins, it included
    """

    items: NDArray[np.int64]
    item: NDArray[np.int64]
    rule: NDArray[np.int64]
    begun: NDArray[np.bool_]


class Blurred:
    """The blurred grammar of one reach, and `rows` of its states. Not thread-safe: used under the lock of `sharp`.

    names i32 (n,): see likeness.similar. `callers` of `sharp`, shared by all reaches.
    """

    def __init__(self, sharp: Configurations, names: NDArray[np.int32], reach: int, callers: Callers) -> None:
        self.reach, self.rows = reach, dict[int, Row]()
        self._sharp, self._names, self._callers = sharp, names, callers
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
        self._light = _light(sharp.networks, reach)
        far = counted & (segments[:, EXTRA] - segments[:, MINIMUM] > segments[:, MORE]) | (self._light > 0)
        self._blurs = far[a.nodes[:-1, SEGMENT]] & (a.nodes[:-1, SEGMENT] >= 0)
        self._blurs |= np.bincount(names, minlength=len(names))[names] > 1
        broad = segments[:, BROAD] == 1
        broad &= (segments[:, SORT] == MEMBER) | (segments[:, SORT] == SEPARATOR)
        broad[-1] = False
        self._broad = broad[a.nodes[:-1, SEGMENT]] & (a.nodes[:-1, SEGMENT] >= 0)
        self._sets: dict[int, int] = {}  # of the grammar's interned sets: their numbers here
        self._known: dict[tuple[int, int], tuple[int, bool]] = {}

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
                items = self._callers.items(top, rule)  # who asks returns to those alone that called this rule
                rules = self._sharp.networks.arrays.nodes[items[:, 0], RULE]
                origins = list(zip(items[:, 1].tolist(), rules.tolist(), strict=True))
                below = [origin for origin in origins if origin not in known]
                if below:
                    pending += below
                    continue
                known[key] = self._blur(top, items.tolist(), [known[origin] for origin in origins])
            pending.pop()
        return known[sharp, ALL_ITEMS]

    def _blur(self, top: int, items: list[list[int]], origins: list[tuple[int, bool]]) -> tuple[int, bool]:
        """A blurred state, and whether anything in it, or in what called its rules, stands for several."""
        if not items:
            return min(top, START), False
        found, blurred = [], False
        for (node, _, attr), (origin, below) in zip(items, origins, strict=True):
            bounds = self._bounds[self._segment_of(node)]
            if bounds is not None:
                attr = like_count(attr, *bounds)
            elif self._broad.item(node):
                attr = self._set_here(attr)
            elif 0 < attr <= self._light.item(self._segment_of(node)):
                attr = 0
            found.append((self._names.item(node), origin, attr))
            blurred = blurred or below or self._blurs.item(node)
        return self.automaton.gather(found), blurred

    def _set_here(self, number: int) -> int:
        """The number here of one of the grammar's interned sets: each automaton interns its own."""
        if number not in self._sets:
            self._sets[number] = self.automaton.number_of(self._sharp.members(number))
        return self._sets[number]

    def _segment_of(self, node: int) -> int:
        return self._sharp.networks.arrays.nodes.item(node, SEGMENT)  # -1: the last, which has no bounds
