"""From a pushdown automaton and a vocabulary to classes of tokens: those that do the same to every state and its stack.

Tokens are read together, byte by byte: what a text does to all states is a column, and a byte makes one column of
another once. What a token puts on the stack and leaves as its state is a *landing*; each suffix of that is a *kind* of
frame, so that a frame tells what was read in it when it was made. Cost: columns times states in Python, some hundred
milliseconds for 128,256 tokens; docs/benchmarks.md, "Canvases". Twin: every fill (benchmarks/canvas_check.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structgen.automata.pushdown import MOST_EFFECTS, Effect, Pushdown
from structgen.automata.token_classes import ClassTokens, check_bounds, check_ranges, grouped_tokens
from structgen.errors import InvariantError, LimitExceeded, UnsupportedCombination
from structgen.kernels.layout import FINISHED, START
from structgen.vocabulary import Vocabulary

__all__ = ["TokenEffects", "token_effects"]

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Column = tuple[tuple[int, int], ...]  # (state, number of a set of effects), by state
_MOST_STEPS = 3_000_000  # of texts from states: two seconds


@dataclass(frozen=True, eq=False)
class TokenEffects(ClassTokens):
    """S states, G classes, T transitions, Q rests, K kinds.   Kind 0: the bottom of the stack. The last class: the end
    of the text, maybe of no token

    transitions  i32 (T, 3)    (state, gate or -1, rest): what is left to do behind a gate
    first        i64 (G + 1,)  class g has the transitions of_class[first[g] : first[g + 1]]
    of_class     i32
    gates        i32 (., 2)    (state, return state): the part of the state ends, and that is on top
    rests        i32 (Q, 4)    (return state to take off or -1, rest behind that, next state, landing). Those with
                               one to take off first, each before the one behind it
    landing      i64 (. + 1,)  landing l puts frames of the kinds kinds_of[landing[l] : landing[l + 1]] on the stack,
                               the lowest first; landing 0 none
    kinds_of     i32
    returns      i32 (K,)      the return state of each kind, -1 of the bottom
    size         i32 ()        S
    """

    transitions: Ints
    first: Longs
    of_class: Ints
    gates: Ints
    rests: Ints
    landing: Longs
    kinds_of: Ints
    returns: Ints
    size: Ints

    @property
    def states(self) -> int:
        """S."""
        return int(self.size)

    def check(self) -> None:
        """See ClassTokens."""
        check_bounds([("first", self.first, len(self.of_class)), ("landing", self.landing, len(self.kinds_of))])
        states, rests = self.states, len(self.rests)
        check_ranges([("of_class", self.of_class, len(self.transitions)), ("gates", self.gates, states)])
        check_ranges([("kinds_of", self.kinds_of, len(self.returns)), ("returns", self.returns + 1, states + 1)])
        state, gate, rest = self.transitions.T
        check_ranges([("transitions", state, states), ("transitions", gate + 1, len(self.gates) + 1)])
        off, behind, after, landing = self.rests.T
        check_ranges([("transitions", rest, rests), ("rests", off + 1, states + 1), ("rests", behind + 1, rests + 1)])
        check_ranges([("rests", after, states), ("rests", landing, len(self.landing) - 1)])
        if (behind[off >= 0] <= np.flatnonzero(off >= 0)).any() or (np.diff(off >= 0) & (off[1:] >= 0)).any():
            raise InvariantError("rests that take something off do not stand before those behind them")


class _Columns:
    """What texts do, each column and each set of effects once; column 0 is that of no state."""

    def __init__(self, machine: Pushdown) -> None:
        self._machine = machine
        self.sets: list[frozenset[Effect]] = []
        self._set_numbers: dict[frozenset[Effect], int] = {}
        self.columns: list[Column] = [()]
        self._numbers: dict[Column, int] = {(): 0}
        self._next: dict[tuple[int, int], int] = {}
        self._steps = 0
        states = range(START, machine.size)
        self.of_nothing = self.number({state: frozenset({((), (), state)}) for state in states})

    def number(self, effects: dict[int, frozenset[Effect]]) -> int:
        """The column of some effects by state."""
        return self._number(tuple((state, self._set(each)) for state, each in effects.items() if each))

    def _number(self, column: Column) -> int:
        if column not in self._numbers:
            self._numbers[column] = len(self.columns)
            self.columns.append(column)
        return self._numbers[column]

    def _set(self, effects: frozenset[Effect]) -> int:
        if effects not in self._set_numbers:
            self._set_numbers[effects] = len(self.sets)
            self.sets.append(effects)
        return self._set_numbers[effects]

    def after(self, column: int, label: int) -> int:
        """The column of a text and one more byte. Raises LimitExceeded."""
        self._steps += len(self.columns[column])
        if self._steps > _MOST_STEPS:
            raise LimitExceeded("tokens do many things to a stack", limit="steps", allowed=_MOST_STEPS)
        found = []
        for state, number in self.columns[column]:
            key = number, label
            if key not in self._next:
                made = frozenset(more for each in self.sets[number] for more in self._machine.extended(each, label))
                if len(made) > MOST_EFFECTS:
                    raise LimitExceeded("a token does many things to a stack", limit="effects", allowed=MOST_EFFECTS)
                self._next[key] = self._set(made) if made else -1
            if self._next[key] >= 0:
                found.append((state, self._next[key]))
        return self._number(tuple(found))

    def of_text(self, text: bytes) -> int:
        """The column of a text."""
        column = self.of_nothing
        for byte in text:
            column = self.after(column, self._machine.labels[byte])
        return column

    def effects(self, column: int) -> dict[int, frozenset[Effect]]:
        """A column, as it was given to `number`."""
        return {state: self.sets[number] for state, number in self.columns[column]}


def token_effects(machine: Pushdown, vocabulary: Vocabulary, pads: Iterable[int] = ()) -> TokenEffects:
    """The classes of a vocabulary's tokens. `pads`: as of `token_classes`.

    Raises LimitExceeded, and UnsupportedCombination where a token is both a text and a symbol of the grammar."""
    columns = _Columns(machine)
    column = _text_columns(columns, machine, vocabulary)
    stops = frozenset(vocabulary.stop_ids)
    stays = {FINISHED: frozenset({((), (), FINISHED)})}
    ends = {state: frozenset(machine.ends(state)) for state in range(START, machine.size)}
    for token in sorted({*vocabulary.symbols, *stops, *pads}):
        text = vocabulary.token_bytes(token)
        own = columns.of_text(text) if text and b"\xff" not in text and b"\xfe" not in text else 0
        symbol = columns.of_text(vocabulary.symbols[token]) if token in vocabulary.symbols else 0
        if symbol and (own or token in stops):
            reason = f"token {token} is a symbol of the grammar, and a text or a stop token besides"
            raise UnsupportedCombination(f"no exact recursion on a canvas: {reason}", operation="canvas")
        found = columns.effects(symbol or own)
        if token in stops:
            found = {state: found.get(state, frozenset()) | ends.get(state, frozenset()) for state in {**found, **ends}}
        column[token] = columns.number({**found, **stays} if token in stops or token in pads else found)
    end = columns.number({**ends, **stays})
    used = [0, *(each for each in np.unique(column).tolist() if each not in (0, end)), end]
    places = np.zeros(len(columns.columns), np.int32)
    places[used] = np.arange(len(used))
    return _assembled(machine, columns, used, places[column])


def _text_columns(columns: _Columns, machine: Pushdown, vocabulary: Vocabulary) -> Longs:
    """The column of every token that is only text, (V,); 0 for others. All tokens take a byte at a time."""
    spans, data = vocabulary.spans, np.frombuffer(vocabulary.data, np.uint8)
    labels = np.array(machine.labels, np.int64)
    column = np.zeros(vocabulary.size, np.int64)
    tokens = np.flatnonzero(spans[:, 0] >= 0)
    now, at = np.full(len(tokens), columns.of_nothing, np.int64), spans[tokens, 0]
    while len(tokens):
        keys, places = np.unique(now << 8 | labels[data[at]], return_inverse=True)
        after = np.array([columns.after(key >> 8, key & 255) for key in keys.tolist()], np.int64)
        now, at = after[places], at + 1
        done = at == spans[tokens, 1]
        column[tokens[done]] = now[done]
        goes_on = ~done & (now > 0)
        tokens, now, at = tokens[goes_on], now[goes_on], at[goes_on]
    return column


def _assembled(machine: Pushdown, columns: _Columns, used: list[int], cls: Ints) -> TokenEffects:
    """Classes whose columns are `used`, as arrays."""
    by_class = [
        [(state, *effect) for state, number in columns.columns[column] for effect in sorted(columns.sets[number])]
        for column in used
    ]
    rests: dict[Effect, int] = {}
    wanted = {(off[1:], on, after) for each in by_class for _, off, on, after in each if off}
    wanted |= {(off, on, after) for each in by_class for _, off, on, after in each if not off}
    wanted |= {(off[i:], on, after) for off, on, after in wanted for i in range(len(off) + 1)}
    for rest in sorted(wanted, key=lambda rest: (-len(rest[0]), rest)):
        rests[rest] = len(rests)
    gates: dict[tuple[int, int], int] = {}
    transitions: dict[tuple[int, int, int], int] = {}
    of_class, first = list[int](), [0]
    for each in by_class:
        found = set[int]()
        for state, off, on, after in each:
            gate = gates.setdefault((state, off[0]), len(gates)) if off else -1
            key = state, gate, rests[off[1:], on, after]
            found.add(transitions.setdefault(key, len(transitions)))
        of_class += sorted(found)
        first.append(len(of_class))
    kinds: dict[tuple[int, tuple[int, ...]], int] = {}
    landings: dict[tuple[int, tuple[int, ...]], int] = {}
    kinds_of, landing, rows = list[int](), [0, 0], list[tuple[int, int, int, int]]()
    for off, on, after in rests:
        if on and not off and (after, on) not in landings:
            landings[after, on] = len(landing) - 1
            kinds_of += [kinds.setdefault((after, on[i:]), len(kinds) + 1) for i in range(len(on))]
            landing.append(len(kinds_of))
        behind = rests[off[1:], on, after] if off else -1
        rows.append((off[0] if off else -1, behind, after, 0 if off or not on else landings[after, on]))
    return TokenEffects(
        *grouped_tokens(cls, len(used)),
        np.array(list(transitions), np.int32).reshape(-1, 3),
        np.array(first, np.int64),
        np.array(of_class, np.int32),
        np.array(list(gates), np.int32).reshape(-1, 2),
        np.array(rows, np.int32).reshape(-1, 4),
        np.array(landing, np.int64),
        np.array(kinds_of, np.int32),
        np.array([-1, *(on[0] for _, on in kinds)], np.int32),
        np.array(machine.size, np.int32),
    )
