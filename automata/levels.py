"""From what tokens do to a stack to levels: the reading of a frame's inside, whoever called it. For sums over fills.

A level begins in a state, or with a call where a token puts several frames on the stack; it is in states, calls, is
returned to, and ends where something takes its frame off. Steps are listed by the starts of levels that can take them,
so kernels/nested_law.py meets pairs that exist and no others. Cost: starts times transitions, in Python; a tenth of a
second for any JSON and 128,256 tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from structgen.automata.token_effects import TokenEffects
from structgen.kernels.layout import FINISHED, START
from structgen.kernels.nested_law import Levels

__all__ = ["made_levels"]

CELL, POP, CALL = range(3)  # to be in a state; to be left behind a rest, within a slot; to have called a kind
Place: TypeAlias = "tuple[int, int]"  # one of these, and the number of the state, rest or kind
Joint: TypeAlias = "tuple[int, int]"  # (0, gate) or (1, rest): how what is called takes its frame off
Start: TypeAlias = "tuple[int, Place]"  # how many frames are put on above the level's own, and its first place
_WHOLE: Start = (-1, (CELL, START))  # the text


class _Steps:
    """What leads where, whatever the level."""

    def __init__(self, effects: TokenEffects) -> None:
        self._rests = effects.rests.tolist()
        self._kinds, self._landing = effects.kinds_of.tolist(), effects.landing.tolist()
        self._returns = effects.returns.tolist()
        self.start_of: dict[int, Start] = {}  # of each kind: how the level above begins when its frame is put on
        self._own, self._through = defaultdict[int, Any](list), defaultdict[int, Any](list)
        self._gates = defaultdict[tuple[int, int], list[int]](list)
        for _, _, after, landing in self._rests:
            kinds = self._kinds[self._landing[landing] : self._landing[landing + 1]]
            for above, kind in enumerate(reversed(kinds)):
                self.start_of[kind] = (above, (CALL, kinds[-above]) if above else (CELL, after))
        for t, (state, gate, rest) in enumerate(effects.transitions.tolist()):
            (self._own[state] if gate < 0 else self._through[gate]).append((t, rest))
        for gate, (state, back) in enumerate(effects.gates.tolist()):
            self._gates[state, back].append(gate)

    def _at(self, rest: int, start: Start) -> Place | None:
        """Where a rest leads in a level; None where that cannot be."""
        off, _, after, landing = self._rests[rest]
        if off >= 0:
            return None if start == _WHOLE else (POP, rest)
        if landing:
            return CALL, self._kinds[self._landing[landing]]
        return (CELL, after) if after != FINISHED or start == _WHOLE else None

    def own(self, state: int, start: Start) -> Iterator[tuple[int, Place]]:
        """The transitions of a state that take nothing off the stack, and where they lead."""
        for t, rest in self._own[state]:
            if place := self._at(rest, start):
                yield t, place

    def joints(self, kind: int, place: Place) -> list[Joint]:
        """How a level that was called as `kind` returns from a place."""
        sort, number = place
        if sort == CELL:
            return [(0, gate) for gate in self._gates.get((number, self._returns[kind]), ())]
        return [(1, number)] if sort == POP and self._rests[number][0] == self._returns[kind] else []

    def back(self, joint: Joint, start: Start) -> Iterator[tuple[int, Place]]:
        """What follows a return in the level that is returned to: transitions or -1, and where they lead."""
        sort, number = joint
        for t, rest in [(-1, self._rests[number][1])] if sort else self._through[number]:
            if place := self._at(rest, start):
                yield t, place


def _places(steps: _Steps) -> dict[Start, set[Place]]:
    """The places of the levels of each start, those that others begin with before them."""
    found = {_WHOLE: {_WHOLE[1]}} | {start: {start[1]} for start in sorted(set(steps.start_of.values()))}
    grown = True
    while grown:
        grown = False
        for start, own in found.items():
            before = len(own)
            for sort, number in list(own):
                if sort == CELL:
                    own.update(place for _, place in steps.own(number, start))
                elif sort == CALL:
                    for source in list(found[steps.start_of[number]]):
                        for joint in steps.joints(number, source):
                            own.update(place for _, place in steps.back(joint, start))
            grown |= len(own) > before
    return found


def made_levels(effects: TokenEffects) -> Levels:
    """The levels of a pushdown automaton over tokens."""
    steps = _Steps(effects)
    places = {start: sorted(own) for start, own in _places(steps).items()}
    column: dict[tuple[Start, Place], int] = {}
    for wanted in (CELL, POP, CALL):
        for start, own in places.items():
            column |= {(start, each): len(column) + k for k, each in enumerate(p for p in own if p[0] == wanted)}
    cells, held = (sum(p[0] <= sort for own in places.values() for p in own) for sort in (CELL, POP))
    number = {start: k for k, start in enumerate(places)}
    joint_columns: dict[tuple[Start, Joint], int] = {}
    starts, callee = list[list[int]](), list[int]()
    own_steps, joins, back = (list[list[tuple[int, ...]]]() for _ in range(3))
    for start, own in places.items():
        calls = [p for p in own if p[0] == CALL]
        starts.append([column[start, start[1]], -1] if start[1][0] == CELL else [-1, column[start, start[1]] - held])
        own_steps.append(
            [(column[start, p], t, column[start, to]) for p in own if p[0] == CELL for t, to in steps.own(p[1], start)]
        )
        met = dict[Joint, int]()
        for _, kind in calls:
            above = steps.start_of[kind]
            callee.append(number[above])
            joins.append([])
            for source in places[above]:
                for joint in steps.joints(kind, source):
                    met[joint] = joint_columns.setdefault((start, joint), len(joint_columns))
                    joins[-1].append((column[above, source], met[joint]))
        back.append([(k, t, column[start, to]) for joint, k in met.items() for t, to in steps.back(joint, start)])
    call_first = np.array([0, *accumulate(sum(p[0] == CALL for p in own) for own in places.values())], np.int64)
    return Levels(
        np.array(starts, np.int32),
        *_listed(own_steps, 3),
        call_first,
        np.array(callee, np.int32),
        *_listed(joins, 2),
        *_listed(back, 3),
        cells,
        held - cells,
        len(joint_columns),
    )


def _listed(rows: Iterable[list[tuple[int, ...]]], width: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where the rows of each list begin, and all of them."""
    rows = list(rows)
    first = np.array([0, *accumulate(map(len, rows))], np.int64)
    return first, np.array([row for each in rows for row in each], np.int32).reshape(-1, width)
