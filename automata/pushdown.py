"""From the tables of parts that call each other to a pushdown automaton over bytes, and what a text does to its stack.

A state belongs to one part; the stack holds return states. Nothing is called or returned from before a byte asks for
it, so what a byte does to a state is: take return states off, put others on, be in a state (`Effect`). A part that
may be empty is passed without a call; a call behind which nothing follows puts nothing on the stack (tail calls: Steele
1977). So where a text ends at most one return state is left, one of the first part, and `ends` are effects as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from structgen.automata.minimal import ByteTable
from structgen.errors import LimitExceeded, UnsupportedCombination
from structgen.kernels.layout import DEAD, FINISHED, START

__all__ = ["MOST_EFFECTS", "Effect", "Pushdown"]

MOST_EFFECTS = 5_000  # of a text in a state
Effect: TypeAlias = "tuple[tuple[int, ...], tuple[int, ...], int]"


class _Call(NamedTuple):
    part: int
    then: int  # the state behind it


class Pushdown:
    """States of all parts, those of the first part with their numbers: 0 dead, 1 finished, 2 START.

    An Effect is (return states that are taken off, the top first; those that are put on, the top last; the next state).
    Raises UnsupportedCombination where a part calls itself before a byte (left recursion), and where a part
    that is called may end behind a call and go on there, so that a byte may return from any number of parts.
    """

    def __init__(self, tables: Sequence[ByteTable], marks: bytes) -> None:
        by_byte = np.concatenate([table_by_byte(table) for table in tables], axis=1)  # (256, states of all)
        by_byte[list(marks)] = 0
        columns, labels = np.unique(by_byte, axis=0, return_inverse=True)
        self.labels = labels.reshape(256).tolist()
        self.size, self.final = 0, list[bool]()
        self._part, self._entry, self._calls = list[int](), list[int](), list[list[_Call]]()
        for number, table in enumerate(tables):
            shift = self.size
            self.size += len(table.trans)
            self.final += table.accepting.astype(bool).tolist()
            self._part += [number] * len(table.trans)
            self._entry.append(shift + START)
            called = [(part, table.labels[mark]) for part, mark in enumerate(marks, 1) if table.labels[mark] >= 0]
            self._calls += [
                [_Call(part, shift + int(row[label])) for part, label in called if row[label]] for row in table.trans
            ]
        starts = np.repeat(np.cumsum([0, *(len(table.trans) for table in tables[:-1])]), [len(t.trans) for t in tables])
        self._steps = np.where(columns, columns + starts, DEAD).T.tolist()
        self._live = [bool(calls) or any(steps) for calls, steps in zip(self._calls, self._steps, strict=True)]
        self._read: dict[tuple[int, int], list[Effect]] = {}
        self._within: dict[tuple[int, int], list[tuple[tuple[int, ...], int]]] = {}
        self._check()

    def _is_tail(self, state: int) -> bool:
        """Whether nothing follows behind a state that accepts."""
        return self.final[state] and not self._live[state]

    @cached_property
    def _skips(self) -> list[list[int]]:
        """The states that each is in without a byte: itself, and those behind calls of parts that may be empty."""
        empty = [False] * len(self._entry)
        while True:
            found = []
            for state in range(self.size):
                reached = [state]
                for each in reached:  # grows meanwhile
                    reached += [c.then for c in self._calls[each] if empty[c.part] and c.then not in reached]
                found.append(reached)
            now = [any(self.final[state] for state in found[entry]) for entry in self._entry]
            if now == empty:
                return found
            empty = now

    @cached_property
    def accepting(self) -> list[bool]:
        """Whether the part of each state may end there."""
        return [any(self.final[state] for state in reached) for reached in self._skips]

    def _calls_of(self, state: int) -> list[_Call]:
        return [call for each in self._skips[state] for call in self._calls[each]]

    @cached_property
    def _returns(self) -> list[list[int]]:
        """The return states that may be on top of the stack while each part is read."""
        found: list[set[int]] = [set() for _ in self._entry]
        changed = True
        while changed:
            before = sum(map(len, found))
            for state, calls in enumerate(self._calls):
                for call in calls:
                    found[call.part] |= found[self._part[state]] if self._is_tail(call.then) else {call.then}
            changed = sum(map(len, found)) > before
        return [sorted(each) for each in found]

    def _check(self) -> None:
        for part, entry in enumerate(self._entry):
            called = [call.part for call in self._calls_of(entry)]
            for each in called:  # grows meanwhile
                called += [c.part for c in self._calls_of(self._entry[each]) if c.part not in called]
            if part in called:
                reason = "a rule begins with itself (left recursion)"
                raise UnsupportedCombination(f"no exact recursion on a canvas: {reason}", operation="canvas")
        first = self._part.count(0)
        if any(self.accepting[state] and state >= first for returns in self._returns for state in returns):
            reason = "a rule may end behind a part in which it stands itself"
            raise UnsupportedCombination(f"no exact recursion on a canvas: {reason}", operation="canvas")

    def read(self, state: int, label: int) -> list[Effect]:
        """What a byte does in a state; several effects where the part ends before it, or the grammar is ambiguous."""
        key = state, label
        if key not in self._read:
            found: list[Effect] = [((), on, after) for on, after in self._inside(state, label)]
            if self.accepting[state]:
                for back in self._returns[self._part[state]]:
                    found += [((back,), on, after) for on, after in self._inside(back, label)]
            self._read[key] = list(dict.fromkeys(found))
        return self._read[key]

    def ends(self, state: int) -> list[Effect]:
        """What the end of the text does in a state."""
        if not self.accepting[state]:
            return []
        backs = [back for back in self._returns[self._part[state]] if self.accepting[back]]
        return [((), (), FINISHED), *(((back,), (), FINISHED) for back in backs)]

    def _inside(self, state: int, label: int) -> list[tuple[tuple[int, ...], int]]:
        """The same for effects that take nothing off the stack, (put on, next state). Raises LimitExceeded."""
        key = state, label
        if key in self._within:
            return self._within[key]
        found: list[tuple[tuple[int, ...], int]]
        found = [((), after) for each in self._skips[state] if (after := self._steps[each][label])]
        for call in self._calls_of(state):
            behind = () if self._is_tail(call.then) else (call.then,)
            found += [((*behind, *on), after) for on, after in self._inside(self._entry[call.part], label)]
            if len(found) > MOST_EFFECTS:
                raise LimitExceeded("a byte does many things to a stack", limit="effects", allowed=MOST_EFFECTS)
        self._within[key] = found
        return found

    def extended(self, effect: Effect, label: int) -> list[Effect]:
        """What a text and one more byte do."""
        off, on, state = effect
        found = list[Effect]()
        for taken, put, after in self.read(state, label):
            if not taken:
                found.append((off, on + put, after))
            elif not on:
                found.append((off + taken, put, after))
            elif on[-1] == taken[0]:
                found.append((off, on[:-1] + put, after))
        return found


def table_by_byte(table: ByteTable) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """The transitions of a table by byte, i32 (256, S)."""
    found = np.zeros((256, len(table.trans)), np.int32)
    allowed = table.labels >= 0
    found[allowed] = table.trans.T[table.labels[allowed]]
    return found
