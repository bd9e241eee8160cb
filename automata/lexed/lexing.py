"""The lexing automaton as arrays (kernels/lr.py, LexStates): all of it, made before the first byte is read.

What comes after a token is lexed in the context of the stack's top, behind the guard that the token left. Which
contexts follow which terminal stands in the parser's table, so everything that any text may ask for is found by a
search from (first context, no guard). With each state go the *ends* it leads to: pairs (terminal, guard) of a token
that may end there or later. What of that fits the stack is for liveness.py to say.

Cost: linear in lexer states times groups of character classes; contexts share most of their states. 10 to 100 ms for
JSON, SQL and C grammars, 0.9 s for lark's Python.
"""

from __future__ import annotations

import functools
import operator
from collections import deque

import numpy as np
from numpy.typing import NDArray

from structgen.grammars.ir_lr import END, LexedGrammar
from structgen.kernels.lr import CLASS, LexStates

Pair = tuple[int, int]  # (terminal, guard)
_ANY = (1 << 64) - 1  # every column


class LexTable:
    """Owner of the arrays.

    field   meaning
    pairs   the ends of all tokens by number; number 0 stands for the end of the text
    ends    per lexer state, the pairs that a token may end with there or later, as bits
    starts  (context, guard) -> state before a token, 0 where nothing can be lexed
    arrays  the same for kernels
    """

    def __init__(self, grammar: LexedGrammar) -> None:
        self.grammar = grammar
        self._lexer = grammar.lexer()
        self._newline = -1 if grammar.indentation is None else grammar.indentation.newline
        entries = {entry for row in grammar.bytes for entry in row if entry >= CLASS}
        self._readable = sum(1 << (entry - CLASS) for entry in entries)  # classes with a character that can be spelled
        self._number: dict[Pair, int] = {(END, 0): 0}
        self._here: list[list[int]] = [[]]  # by state: pairs of a token that may end exactly there
        self._rows: list[NDArray[np.int32]] = [np.zeros(grammar.symbols, np.int32)]
        self.ends: list[int] = [0]
        self.starts: dict[Pair, int] = {}
        self._explore()
        self.pairs: tuple[Pair, ...] = tuple(self._number)
        self.arrays = self._arrays()

    def may_end(self, context: int, guard: int) -> bool:
        """Whether the text may end in a context, behind a guard."""
        start = self.starts[context, guard]
        return bool(start) and self._lexer.may_end(start)

    def _explore(self) -> None:
        """Make the states of every context behind every guard that can come before it."""
        after = self._contexts_after()
        pending = [(self.grammar.context_of[self.grammar.start], 0)]
        pairs: list[Pair] = list(self._number)
        while pending:
            context, guard = pending.pop()
            if (context, guard) in self.starts:
                continue
            start = self._lexer.start(self.grammar.contexts[context], guard)
            self.starts[context, guard] = start
            self._add_states(start)
            pairs += list(self._number)[len(pairs) :]
            for pair in members(self.ends[start]):
                terminal, left = pairs[pair]
                unseen = terminal in self.grammar.ignored or terminal == self._newline
                pending += [(follower, left) for follower in (*after[terminal], *((context,) if unseen else ()))]

    def _contexts_after(self) -> list[set[int]]:
        """Per terminal, the contexts of the states it is shifted to; after a newline, of blocks that begin or end."""
        grammar = self.grammar
        after: list[set[int]] = [set() for _ in grammar.terminals]
        for shifts in grammar.shifts:
            for terminal, target in shifts.items():
                after[terminal].add(grammar.context_of[target])
        if grammar.indentation is not None:
            blocks = grammar.indentation
            after[blocks.newline] |= after[blocks.indent] | after[blocks.dedent]
        return after

    def _add_states(self, start: int) -> None:
        """Tabulate the states that `start` reaches and that are new: their numbers follow the known ones."""
        known, lexer = len(self._rows), self._lexer
        number, newest = known, start
        while number <= newest:
            row = np.zeros(self.grammar.symbols, np.int32)
            for mask, target in lexer.successors(number):
                row[_chosen(mask & self._readable, len(row))] = target
                newest = max(newest, target)
            self._rows.append(row)
            self._here.append([self._number.setdefault(end, len(self._number)) for end in lexer.ends(number)])
            number += 1
        self._fill_ends(known)

    def _fill_ends(self, known: int) -> None:
        """`ends` of the states from `known` on, backwards to a fixpoint."""
        before: dict[int, list[int]] = {}
        for state in range(known, len(self._rows)):
            self.ends.append(sum(1 << pair for pair in self._here[state]))
            for target in set(self._rows[state].tolist()):
                before.setdefault(target, []).append(state)
        queue = deque(target for target in before if target)
        while queue:
            target = queue.popleft()
            for state in before.get(target, ()):
                found = self.ends[state] | self.ends[target]
                if found != self.ends[state]:
                    self.ends[state] = found
                    queue.append(state)

    def _later(self, state: int) -> int:
        """The pairs that a token may end with when at least one more character of it comes."""
        return functools.reduce(operator.or_, (self.ends[target] for target in set(self._rows[state].tolist())), 0)

    def _columns(self, lines: int) -> list[tuple[int, int]]:
        """LexStates.columns, a least fixpoint."""
        found = [(0, 0)] * len(self._rows)
        if not lines:
            return found
        widths = self._widths()
        here = [any(lines >> pair & 1 for pair in pairs) for pairs in self._here]
        grew = True
        while grew:
            grew = False
            for state in (k for k in range(len(self._rows) - 1, 0, -1) if self.ends[k] & lines):
                adds, further = found[state]
                for symbol, target in enumerate(self._rows[state].tolist()):
                    if target and self.ends[target] & lines:
                        more, begun = found[target][0] | here[target], found[target][1]
                        for width in widths[symbol]:
                            if width < 0:
                                further |= more
                            else:
                                adds |= _moved(more, width)
                        further |= begun
                grew |= found[state] != (adds, further)
                found[state] = adds, further
        return found

    def _widths(self) -> list[set[int]]:
        """Per class of characters the columns that one of them may take; -1: it begins a line."""
        blocks, rows = self.grammar.indentation, self.grammar.bytes
        special = {10: -1, 32: 1, 9: 0 if blocks is None else blocks.tab}
        found: list[set[int]] = [set() for _ in range(self.grammar.symbols)]
        for row, entries in enumerate(rows):
            for byte, entry in enumerate(entries):
                if entry >= CLASS:
                    found[entry - CLASS].add(0 if row else special.get(byte, 0))
        return found

    def _arrays(self) -> LexStates:
        words = (len(self.pairs) + 63) // 64
        flat = [pair for here in self._here for pair in here]
        starts = np.zeros((len(self.grammar.contexts), 1 + max(guard for _, guard in self.starts)), np.int32)
        for (context, guard), start in self.starts.items():
            starts[context, guard] = start
        lines = sum(1 << number for pair, number in self._number.items() if pair[0] == self._newline)
        states = range(1, len(self._rows))
        known = list(zip(self.ends, self._columns(lines), strict=True))
        return LexStates(
            next=np.array(self._rows),
            first_end=np.cumsum([0, *(len(here) for here in self._here)]).astype(np.int32),
            ends=np.array([(*self.pairs[pair], pair) for pair in flat], np.int32).reshape(-1, 3),
            reach=np.array([bits_of(self._later(state), words) for state in range(len(self._rows))]),
            newline=np.array(
                [1 * (mask & lines != 0) + 2 * (further == _ANY) for mask, (_, further) in known], np.uint8
            ),
            columns=np.array([columns for _, columns in known], np.uint64),
            lines=bits_of(lines, words).copy(),
            guards=np.array([guard for _, guard in self.pairs], np.int32),
            fresh=np.array([0, *(3 * self._lexer.may_end(state) for state in states)], np.uint8),
            starts=starts,
        )


def _moved(columns: int, width: int) -> int:
    """Columns as bits, each `width` further on; 63 stands for all beyond."""
    moved = columns << width
    return moved & _ANY | (moved >> 64 != 0) << 63


def bits_of(mask: int, words: int) -> NDArray[np.uint64]:
    """An integer as words of 64 bits."""
    return np.frombuffer(mask.to_bytes(8 * words, "little"), np.uint64)


def members(mask: int) -> list[int]:
    """The positions of the bits that are set, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def _chosen(mask: int, size: int) -> NDArray[np.bool_]:
    """The same as a selection of an array."""
    bits = np.frombuffer(mask.to_bytes((size + 7) // 8, "little"), np.uint8)
    return np.unpackbits(bits, count=size, bitorder="little").astype(np.bool_)
