"""The lexing automaton as arrays (kernels/lr.py, LexStates), one context at a time as kernels ask for them.

With each state goes what is needed to drop dead ends at once: the terminals that may end there or later, and, past
whatever is ignored, the terminals that may come in a context at all. A comment that only another comment can follow
is such an end.

Cost: linear in the states a context reaches that are new; most are shared between contexts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from structgen.grammars.ir_lr import END, LexedGrammar
from structgen.kernels.codes import UNKNOWN
from structgen.kernels.lr import LexStates


class LexTable:
    """Owner of the arrays; `open` extends them."""

    def __init__(self, grammar: LexedGrammar) -> None:
        self.grammar = grammar
        self._lexer = grammar.lexer()
        self._words = (len(grammar.terminals) + 63) // 64
        self._ignored = sum(1 << terminal for terminal in grammar.ignored)
        self._types = [0]  # by state: terminals that may end there or later, as bits
        self._skips = [0]  # by state: guards that an ignored token may leave there or later, as bits
        shape = (len(grammar.contexts), 8)
        self.arrays = LexStates(
            next=np.zeros((1, grammar.symbols), np.int32),
            first_end=np.zeros(2, np.int32),
            ends=np.zeros((0, 2), np.int32),
            reach=np.zeros((1, self._words), np.uint64),
            first_skip=np.zeros(2, np.int32),
            skips=np.zeros(0, np.int32),
            fresh=np.zeros(1, np.uint8),
            starts=np.full(shape, UNKNOWN, np.int32),
            through=np.zeros((shape[0], shape[1] * self._words), np.uint64),
        )

    def open(self, context: int, guard: int) -> None:
        """Make the states of a context, `guard` being what the token before left, and of what ignored tokens lead
        to.
        """
        opened: dict[int, int] = {}
        pending = [guard]
        while pending:
            guard = pending.pop()
            if guard in opened or self._is_open(context, guard):
                continue
            opened[guard] = start = self._lexer.start(self.grammar.contexts[context], guard)
            self._add_states(start)
            pending += members(self._skips[start])
        self._widen(max(opened, default=0))
        for guard, start in opened.items():
            self.arrays.starts[context, guard] = start
        self._fill_through(context, opened)

    def _is_open(self, context: int, guard: int) -> bool:
        starts = self.arrays.starts
        return guard < starts.shape[1] and bool(starts[context, guard] != UNKNOWN)

    def _add_states(self, start: int) -> None:
        """Tabulate the states that `start` reaches and that are new: their numbers follow the known ones."""
        known, lexer = len(self._types), self._lexer
        rows: list[NDArray[np.int32]] = []
        ends: list[list[tuple[int, int]]] = []
        number, newest = known, start
        while number <= newest:
            row = np.zeros(self.grammar.symbols, np.int32)
            for mask, target in lexer.successors(number):
                row[members(mask)] = target
                newest = max(newest, target)
            rows.append(row)
            ends.append(lexer.ends(number))
            number += 1
        if rows:
            self._fill_reach(known, rows, ends)
            self._append(known, rows, ends)

    def _fill_reach(self, known: int, rows: list[NDArray[np.int32]], ends: list[list[tuple[int, int]]]) -> None:
        """`_types` and `_skips` of new states, backwards to a fixpoint."""
        before: dict[int, list[int]] = {}
        for state, (row, found) in enumerate(zip(rows, ends, strict=True), known):
            self._types.append(sum(1 << terminal for terminal in {terminal for terminal, _ in found}))
            self._skips.append(sum(1 << guard for guard in {g for t, g in found if t in self.grammar.ignored}))
            for target in np.unique(row).tolist():
                before.setdefault(target, []).append(state)
        queue = deque(target for target in before if target)
        while queue:
            target = queue.popleft()
            for state in before.get(target, ()):
                types, skips = self._types[state] | self._types[target], self._skips[state] | self._skips[target]
                if (types, skips) != (self._types[state], self._skips[state]):
                    self._types[state], self._skips[state] = types, skips
                    queue.append(state)

    def _append(self, known: int, rows: list[NDArray[np.int32]], ends: list[list[tuple[int, int]]]) -> None:
        arrays, lexer = self.arrays, self._lexer
        flat = [end for found in ends for end in found]
        skips = [members(mask) for mask in self._skips[known:]]
        fresh = [3 if lexer.may_end(known + k) else 0 for k in range(len(rows))]
        self.arrays = arrays._replace(
            next=np.concatenate([arrays.next, np.array(rows)]),
            first_end=_extended(arrays.first_end, ends),
            ends=np.concatenate([arrays.ends, np.array(flat, np.int32).reshape(-1, 2)]),
            reach=np.concatenate([arrays.reach, np.array([self._bits(mask) for mask in self._types[known:]])]),
            first_skip=_extended(arrays.first_skip, skips),
            skips=np.concatenate([arrays.skips, np.array([g for found in skips for g in found], np.int32)]),
            fresh=np.concatenate([arrays.fresh, np.array(fresh, np.uint8)]),
        )
        self._widen(max((guard for _, guard in flat), default=0))

    def _widen(self, guard: int) -> None:
        """Room for this guard in the columns of `starts` and `through`."""
        arrays = self.arrays
        contexts, width = arrays.starts.shape
        if guard >= width:
            starts = np.full((contexts, 2 * guard + 2), UNKNOWN, np.int32)
            through = np.zeros((contexts, (2 * guard + 2) * self._words), np.uint64)
            starts[:, :width], through[:, : width * self._words] = arrays.starts, arrays.through
            self.arrays = arrays._replace(starts=starts, through=through)

    def _fill_through(self, context: int, opened: dict[int, int]) -> None:
        """The terminals that may come after any ignored ones, per guard just opened; END where the text may end."""
        through = {}
        for guard, start in opened.items():
            ends = self._lexer.may_end(start) if start else False
            through[guard] = self._types[start] & ~self._ignored & ~(1 << END) | (ends << END)
        grew = True
        while grew:
            grew = False
            for guard, start in opened.items():
                found = through[guard]
                for after in members(self._skips[start]):
                    found |= (
                        through[after]
                        if after in through
                        else self._mask(self.arrays.through[context, self._columns(after)])
                    )
                grew |= found != through[guard]
                through[guard] = found
        for guard, found in through.items():
            self.arrays.through[context, self._columns(guard)] = self._bits(found)

    def _columns(self, guard: int) -> slice:
        return slice(guard * self._words, (guard + 1) * self._words)

    def _bits(self, mask: int) -> NDArray[np.uint64]:
        return np.frombuffer(mask.to_bytes(8 * self._words, "little"), np.uint64)

    @staticmethod
    def _mask(bits: NDArray[np.uint64]) -> int:
        return int.from_bytes(bits.tobytes(), "little")


def _extended(starts: NDArray[np.int32], groups: Sequence[Sequence[object]]) -> NDArray[np.int32]:
    """CSR starts with more groups behind."""
    sizes = np.array([len(group) for group in groups])
    return np.concatenate([starts, starts[-1] + np.cumsum(sizes)]).astype(np.int32)


def members(mask: int) -> list[int]:
    """The positions of the bits that are set, ascending."""
    return [k for k in range(mask.bit_length()) if mask >> k & 1]
