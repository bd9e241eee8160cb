"""From a byte table and a vocabulary to classes of tokens: tokens that lead every state to the same next one.

The vocabulary disappears: a canvas of any JSON to a nesting of 4 has some hundred classes in place of 128,256 tokens.
Stop tokens lead from accepting states to FINISHED and stay there; tokens that grammars may name are read as
`Constraint.step` reads them. Cost: kernels/columns.py, and a pass over the classes' pairs. Twin: every token walked
from every state (tests/infilling/test_classes.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from structgen.automata.minimal import ByteTable
from structgen.automata.trie import TokenTrie
from structgen.bits import row_of, words_for
from structgen.errors import InvariantError, LimitExceeded
from structgen.kernels.codes import GROW, UNKNOWN
from structgen.kernels.columns import OF_NOTHING, index_columns, token_columns
from structgen.kernels.layout import DEAD, FINISHED
from structgen.vocabulary import Vocabulary

__all__ = ["ClassTokens", "TokenClasses", "check_bounds", "check_ranges", "grouped_tokens", "token_classes"]

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
_WIDE = 64  # classes with more than a 64th of the vocabulary are packed: there are fewer than 64 of them
_MOST_PAIRS = 40_000_000


@dataclass(frozen=True, eq=False)
class ClassTokens(ABC):
    """The tokens of G classes.   Class 0: tokens that are never allowed

    cls         i32 (V,)       the class of each token
    token_first i64 (G + 1,)   class g has the tokens tokens[token_first[g] : token_first[g + 1]]
    tokens      i32 (V,)       by class, ascending
    wide        i32 (G,)       the row of `packed` u32 (., words) with the tokens of a large class, else -1
    """

    cls: Ints
    token_first: Longs
    tokens: Ints
    wide: Ints
    packed: NDArray[np.uint32]

    @property
    def classes(self) -> int:
        """G."""
        return len(self.wide)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in vars(self).values())

    def stored(self) -> dict[str, NDArray[Any]]:
        """The arrays from which `restored` makes the same."""
        return {name: array for name, array in vars(self).items() if name not in _OF_CLS}

    @classmethod
    def restored(cls, stored: Mapping[str, NDArray[Any]]) -> Self:
        """What was stored. Raises KeyError, TypeError or InvariantError where that cannot have been it."""
        classes = len(stored["first"]) - 1
        check_ranges([("cls", stored["cls"], classes)])
        derived: dict[str, Any] = dict(zip(_OF_CLS, grouped_tokens(stored["cls"], classes)[1:], strict=True))
        found = cls(**derived, **stored)
        found.check()
        return found

    @abstractmethod
    def check(self) -> None:
        """Raise InvariantError where an array leads outside another."""


_OF_CLS = ("token_first", "tokens", "wide", "packed")


def check_ranges(numbers: Iterable[tuple[str, NDArray[Any], int]]) -> None:
    """Raise InvariantError where a named array has other numbers than those from 0 to a limit, the limit excluded."""
    for name, array, limit in numbers:
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < limit:
            raise InvariantError(f"{name} has numbers outside 0 to {limit - 1}")


def check_bounds(bounds: Iterable[tuple[str, NDArray[Any], int]]) -> None:
    """Raise InvariantError where a named array of bounds does not ascend from 0 to a length."""
    for name, array, length in bounds:
        if not array.size or array[0] != 0 or array[-1] != length or (np.diff(array) < 0).any():
            raise InvariantError(f"{name} does not ascend from 0 to {length}")


@dataclass(frozen=True, eq=False)
class TokenClasses(ClassTokens):
    """S states, G classes, E pairs (class, state) that lead somewhere.

    first       i64 (G + 1,)   class g has rows first[g] to first[g + 1] of `pairs`
    pairs       i32 (E, 2)     (state, next state), by class and state
    next_first  i64 (S + 1,)   state s leads to following[next_first[s] : next_first[s + 1]]
    following   i32            different next states, ascending
    links       i32 (., 2)     the same, (bundle, next state)
    bundles     i32            the classes of bundle b, bundles[bundle_first[b] : bundle_first[b + 1]], ascending: those
                               that lead from a state to the same next one
    bundle_first  i64
    ends        u8 (S,)        the text is complete: accepting states and FINISHED
    least       i32 (S,)       fewest tokens to a complete text, -1 where none leads there
    States are numbered as everywhere: 0 DEAD, 1 FINISHED, 2 START.
    """

    first: Longs
    pairs: Ints
    next_first: Longs
    following: Ints
    links: Ints
    bundles: Ints
    bundle_first: Longs
    ends: NDArray[np.uint8]
    least: Ints

    @property
    def states(self) -> int:
        """S."""
        return len(self.ends)

    def check(self) -> None:
        """See ClassTokens."""
        check_bounds([("first", self.first, len(self.pairs)), ("bundle_first", self.bundle_first, len(self.bundles))])
        check_bounds([("next_first", self.next_first, len(self.following))])
        states, of_states = self.states, {len(self.next_first) - 1, len(self.least)}
        if of_states != {states}:
            raise InvariantError(f"arrays of {of_states} states")
        check_ranges([("pairs", self.pairs, states), ("bundles", self.bundles, self.classes)])
        check_ranges([("links", self.links[:, 0], len(self.bundle_first) - 1), ("following", self.following, states)])
        if len(self.links) != len(self.following) or (self.links[:, 1] != self.following).any():
            raise InvariantError("links lead elsewhere than states do")
        check_ranges([("least", self.least + 1, states + 1)])

    def step(self, state: int, token: int) -> int:
        """The state after a token, DEAD if it is not allowed."""
        g = self.cls[token] if 0 <= token < len(self.cls) else 0
        pairs = self.pairs[self.first[g] : self.first[g + 1]]
        at = int(np.searchsorted(pairs[:, 0], state))
        return int(pairs[at, 1]) if at < len(pairs) and pairs[at, 0] == state else DEAD


def token_classes(table: ByteTable, vocabulary: Vocabulary, trie: TokenTrie, pads: Iterable[int] = ()) -> TokenClasses:
    """The classes of a vocabulary's tokens. `pads`: tokens that may stand behind a stop token, as more of them may.

    Raises LimitExceeded where the classes have more than 40 million pairs."""
    column, first, pairs = _columns(table, trie)
    extra = _special_columns(table, vocabulary, frozenset(pads))
    for number, (tokens, _) in enumerate(extra, len(first) - 1):
        column[tokens] = number
    used = np.unique(np.concatenate([[0], column]))
    cls = np.searchsorted(used, column).astype(np.int32)
    added = {number: each for number, (_, each) in enumerate(extra, len(first) - 1)}
    parts = [added[u] if u in added else pairs[first[u] : first[u + 1]] for u in used.tolist()]
    sizes = np.array([0, *map(len, parts)], np.int64)
    return _assembled(cls, np.cumsum(sizes), np.ascontiguousarray(np.concatenate(parts), np.int32), table)


def _columns(table: ByteTable, trie: TokenTrie) -> tuple[Ints, Longs, Ints]:
    """The column of every token that is a text or a symbol, and all columns: `first` and `pairs`."""
    states, labels = table.trans.shape
    rows = np.arange(2, states, dtype=np.int32)
    room, most = 1 << 10, 1 << 12
    first, pairs = np.zeros(most + 1, np.int64), np.zeros((max(room * 64, 4 * states), 2), np.int32)
    first[2], pairs[: len(rows)] = len(rows), rows[:, None]
    memo, lookup = np.full((most, labels), UNKNOWN, np.int32), np.zeros(4 * most, np.int32)
    column, path, at = np.zeros(trie.size, np.int32), np.zeros(trie.longest + 2, np.int32), np.array([2, 1])
    path[0] = OF_NOTHING
    index_columns(first, pairs, 2, lookup)
    while token_columns(trie.arrays, table.trans, table.labels, first, pairs, lookup, memo, path, column, at) == GROW:
        if len(pairs) > _MOST_PAIRS:
            raise LimitExceeded("the tokens of a canvas fall into many classes", limit="pairs", allowed=_MOST_PAIRS)
        used = int(at[0])
        if used + 2 >= len(first):
            first = np.concatenate([first, np.zeros_like(first)])
            memo = np.concatenate([memo, np.full_like(memo, UNKNOWN)])
            lookup = np.zeros(4 * len(memo), np.int32)
            index_columns(first, pairs, used, lookup)
        else:
            pairs = np.concatenate([pairs, np.zeros_like(pairs)])
    return column, first[: at[0] + 1], pairs


def _special_columns(table: ByteTable, vocabulary: Vocabulary, pads: frozenset[int]) -> list[tuple[list[int], Ints]]:
    """Columns of tokens that are not only text, as Constraint reads them: first as symbols, which may complete the text
    where they are stop tokens; then as stop tokens; then as text."""
    states = np.arange(len(table.trans), dtype=np.int32)
    accepting = table.accepting.astype(np.bool_)
    stops, found = frozenset(vocabulary.stop_ids), dict[bytes, tuple[list[int], Ints]]()
    for token in sorted({*vocabulary.symbols, *stops, *pads}):
        text = vocabulary.token_bytes(token)
        readable = text and b"\xff" not in text and b"\xfe" not in text
        after = _walked(table, states, text) if readable else np.zeros_like(states)
        if token in vocabulary.symbols:
            symbol = _walked(table, states, vocabulary.symbols[token])
            after = np.where(symbol != DEAD, symbol, after)
            if token in stops:
                after[(symbol != DEAD) & accepting[symbol]] = FINISHED
        if token in stops:
            after[(after == DEAD) & accepting] = FINISHED
        if token in stops or token in pads:
            after[FINISHED] = FINISHED
        own = np.stack([states, after], axis=1)[after != DEAD]
        found.setdefault(own.tobytes(), ([], own))[0].append(token)
    return list(found.values())


def _walked(table: ByteTable, states: Ints, text: bytes) -> Ints:
    """The states after a text, (S,)."""
    for byte in text:
        label = table.labels[byte]
        states = table.trans[states, label] if label >= 0 else np.zeros_like(states)
    return states


def _assembled(cls: Ints, first: Longs, pairs: Ints, table: ByteTable) -> TokenClasses:
    """The same by state, and what follows from it."""
    states, classes = len(table.trans), len(first) - 1
    of_class = np.repeat(np.arange(classes, dtype=np.int32), np.diff(first))
    joined, link = np.unique(pairs[:, 0].astype(np.int64) * states + pairs[:, 1], return_inverse=True)
    before, following = joined // states, (joined % states).astype(np.int32)
    next_first = np.searchsorted(before, np.arange(states + 1)).astype(np.int64)
    link_first = np.cumsum(np.bincount(link + 1, minlength=len(joined) + 1)).astype(np.int64)
    bundle, bundle_first, bundles = _same_rows(link_first, of_class[np.argsort(link, kind="stable")], classes)
    ends = table.accepting.copy()
    ends[FINISHED] = 1
    least = _least(before, following, ends)
    own = grouped_tokens(cls, classes)
    links = np.stack([bundle, following], axis=1)
    return TokenClasses(*own, first, pairs, next_first, following, links, bundles, bundle_first, ends, least)


def _same_rows(first: Longs, members: Ints, size: int) -> tuple[Ints, Longs, Ints]:
    """Rows of numbers below `size`, each that differs once: the number of every row, where they begin, all of them.

    What a row begins with gets a name, and the name with what follows it another: by the end equal rows have one name.
    """
    lengths, names, made = np.diff(first), np.zeros(len(first) - 1, np.int64), 1
    for k in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > k)
        keys, own = np.unique(names[longer] * size + members[first[longer] + k], return_inverse=True)
        names[longer], made = made + own, made + len(keys)
    _, one, number = np.unique(names, return_index=True, return_inverse=True)
    kept = [members[first[row] : first[row + 1]] for row in one.tolist()]
    bounds = np.cumsum([0, *map(len, kept)]).astype(np.int64)
    return number.astype(np.int32), bounds, np.concatenate([np.zeros(0, np.int32), *kept]).astype(np.int32)


def grouped_tokens(cls: Ints, classes: int) -> tuple[Ints, Longs, Ints, Ints, NDArray[np.uint32]]:
    """The fields of ClassTokens, of tokens whose classes are `cls`."""
    tokens = np.argsort(cls, kind="stable").astype(np.int32)
    token_first = np.searchsorted(cls[tokens], np.arange(classes + 1)).astype(np.int64)
    wide = np.full(classes, -1, np.int32)
    large = np.flatnonzero(np.diff(token_first)[1:] * _WIDE > len(cls)) + 1
    wide[large] = np.arange(len(large))
    packed = np.zeros((len(large), words_for(len(cls))), np.uint32)
    for row, g in zip(packed, large, strict=True):
        row[:] = row_of(tokens[token_first[g] : token_first[g + 1]], len(cls))
    return cls, token_first, tokens, wide, packed


def _least(before: Longs, following: Ints, ends: NDArray[np.uint8]) -> Ints:
    """Fewest steps of each state to one of `ends`, breadth first; -1 where there is no way."""
    least, far = np.where(ends, 0, -1).astype(np.int32), 0
    while True:
        reached = before[(least[before] < 0) & (least[following] == far)]
        if not reached.size:
            return least
        far += 1
        least[reached] = far
