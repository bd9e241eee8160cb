"""Mask rows where elements of arrays must differ: the grammar's row, minus tokens after which no way leads on.

Only tokens are tried that may make the present element equal to an earlier one, or end it: those with structure, and of
strings and numbers those that begin like one that was written. Where values may run out, every token is.

Cost: 20 µs a token that is tried, tens to hundreds of them in such arrays, and once per vocabulary a pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from structgen.automata import build
from structgen.automata.lexed_masks import LexedMasks
from structgen.automata.masks import MaskTable
from structgen.automata.trie import TokenTrie
from structgen.distinct import Automaton, DistinctConfigurations
from structgen.grammars.ir import NEVER
from structgen.json_trace import (
    OUTSIDE,
    Frame,
    Trace,
    decoded,
    exact_number,
    kind_of,
    may_repeat,
    numbers_of,
    open_string,
    strings_of,
)
from structgen.kernels.layout import DEAD
from structgen.vocabulary import Vocabulary

__all__ = ["DistinctMasks", "masks_of"]

MOST_ROWS = 256
Row = NDArray[np.uint32]
NUMBER = re.compile(rb"[ \t\r\n]*[-+.eE0-9]+[ \t\r\n]*")
OPENING = re.compile(rb'[ \t\r\n]*"([^"\\]*)')
WORD = re.compile(rb"[ \t\r\n]*[a-z]+[ \t\r\n]*")
MORE = re.compile(rb"[,:].*[^] \t\r\n},:]", re.DOTALL)


def masks_of(automaton: Automaton, trie: TokenTrie, vocabulary: Vocabulary) -> MaskTable | LexedMasks | DistinctMasks:
    """The mask rows of an automaton over a vocabulary."""
    if isinstance(automaton, DistinctConfigurations):
        plain = MaskTable(automaton.plain, trie, vocabulary.stop_ids)
        return DistinctMasks(automaton, plain, vocabulary)
    return build.masks_of(automaton, trie, vocabulary.stop_ids)


@dataclass(frozen=True, slots=True, eq=False)
class Sorts:
    """Tokens of a vocabulary of V tokens by what they hold. Rows are uint32 (V / 32), bit t % 32 of word t // 32.

    texts     the bytes of each token
    some      row: not empty
    ends      row: with one of , : ] }
    opens     row: with [ or {
    again     row: that may end an element and write more of the next one, or begin an array and end an element
    quotes    row: with a quote; `closed`: of these, all that do not merely begin a string
    numbers, words   row: of nothing but the characters of numbers, of literals, and blanks
    escapes   token -> the characters its beginning stands for in a string, for tokens with a backslash and no quote
    openings  characters -> the tokens that begin a string with them and say no more
    tokens    bytes -> tokens
    """

    texts: tuple[bytes, ...]
    some: Row
    ends: Row
    opens: Row
    again: Row
    quotes: Row
    closed: Row
    numbers: Row
    words: Row
    escapes: dict[int, str]
    openings: dict[str, list[int]]
    tokens: dict[bytes, list[int]]


def row_of(tokens: Iterable[int], size: int) -> Row:
    """The row of some tokens out of `size`."""
    bits = np.zeros(32 * ((size + 31) // 32), bool)
    bits[list(tokens)] = True
    return np.packbits(bits, bitorder="little").view(np.uint32)


@lru_cache(maxsize=8)
def sorts_of(vocabulary: Vocabulary) -> Sorts:
    """See Sorts."""
    size = vocabulary.size
    texts = tuple(vocabulary.token_bytes(token) for token in range(size))
    tokens: dict[bytes, list[int]] = {}
    openings: dict[str, list[int]] = {}
    for token, text in enumerate(texts):
        tokens.setdefault(text, []).append(token)
        opening = OPENING.fullmatch(text) if b'"' in text else None
        if opening is not None:
            openings.setdefault(decoded(opening[1]), []).append(token)

    def row(wanted: Callable[[bytes], object]) -> Row:
        return row_of((token for token, text in enumerate(texts) if wanted(text)), size)

    def holding(characters: bytes) -> Row:
        return row(lambda text: any(byte in text for byte in characters))

    quotes, ends, opens = holding(b'"'), holding(b",:]}"), holding(b"[{")
    merely = row_of((token for group in openings.values() for token in group), size)
    return Sorts(
        texts,
        row(bool),
        ends,
        opens,
        row(MORE.search) | (ends & opens),
        quotes,
        quotes & ~merely,
        row(NUMBER.fullmatch),
        row(WORD.fullmatch),
        {token: decoded(text) for token, text in enumerate(texts) if b"\\" in text and b'"' not in text},
        openings,
        tokens,
    )


class DistinctMasks:
    """Mask rows of pairs; see the module."""

    def __init__(self, configurations: DistinctConfigurations, masks: MaskTable, vocabulary: Vocabulary) -> None:
        self._configurations, self._masks, self._vocabulary = configurations, masks, vocabulary
        self._rows: dict[int, Row] = {}
        self._endings: dict[int, list[int]] = {}

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        if row is None:
            with self._configurations.lock:
                row = self._compute(state)
                if len(self._rows) >= MOST_ROWS:
                    self._rows.clear()
                self._rows[state] = row
        return row

    def _compute(self, state: int) -> Row:
        config, trace = self._configurations.pairs[state]
        base, sorts = self._masks.row(config), sorts_of(self._vocabulary)
        doubtful = base & self._doubtful(trace, sorts) & sorts.some
        if not doubtful.any():
            return base
        row = base.copy()
        tokens = np.flatnonzero(np.unpackbits(doubtful.view(np.uint8), bitorder="little")).tolist()
        passed = self._new_numbers(config, trace, sorts)
        for token in tokens:
            if token not in passed and not self._configurations.continues(state, sorts.texts[token]):
                row[token >> 5] &= ~np.uint32(1 << (token & 31))
        row.flags.writeable = False
        return row

    def _doubtful(self, trace: Trace, sorts: Sorts) -> Row:
        """The tokens that might repeat an element, or leave none to write."""
        lex, _, text = trace
        watched = trace.watched
        if any(frame.is_scarce for frame in watched):
            return sorts.some
        found = sorts.again | sorts.opens if self._configurations.is_scarce_at_once else sorts.again
        if lex != OUTSIDE:
            found = found & sorts.quotes
        written = [frame for frame in watched if frame.start != NEVER and frame.seen]
        begun = [frame for frame in written if len(text) > frame.start]
        if len(begun) < len(written) or any(may_repeat(frame, lex, text) for frame in begun):
            found = found | (self._outside(written, sorts) if lex == OUTSIDE else self._inside(text, written, sorts))
        return found

    def _outside(self, frames: list[Frame], sorts: Sorts) -> Row:
        """Tokens that end an element, and that begin a string, number or literal like one of an earlier element."""
        found = sorts.ends | sorts.opens | sorts.closed
        keys = {key for frame in frames for key in frame.seen}
        if any(kind_of(key) != "string" for key in keys):
            found = found | sorts.numbers | sorts.words
        openings = sorts.openings
        heads = {each[:size] for key in keys for each in strings_of(key) for size in range(len(each) + 1)}
        return found | row_of((token for head in heads for token in openings.get(head, ())), len(sorts.texts))

    def _inside(self, text: bytes, frames: list[Frame], sorts: Sorts) -> Row:
        """Tokens that end the string that is open, and that go on like one of an earlier element."""
        begun, is_whole = open_string(text)
        if not is_whole:
            return sorts.some
        rests = {
            each[len(begun) :]
            for frame in frames
            for key in frame.seen
            for each in strings_of(key)
            if each.startswith(begun)
        }
        members = [token for token, start in sorts.escapes.items() if any(rest.startswith(start) for rest in rests)]
        for rest in rests:
            spelled = rest.encode("utf-8", "surrogatepass")
            for size in range(1, len(spelled) + 1):
                members += sorts.tokens.get(spelled[:size], ())
        return sorts.quotes | row_of(members, len(sorts.texts))

    def _new_numbers(self, config: int, trace: Trace, sorts: Sorts) -> set[int]:
        """Tokens that end in a number which may end there, and which no earlier element holds: so they repeat none."""
        frames = [frame for frame in trace.watched if frame.start != NEVER and frame.seen]
        if trace.lex != OUTSIDE or any(frame.is_scarce for frame in trace.watched):
            return set()
        plain, endings = self._configurations.plain, self._endings.get(config)
        if endings is None:
            bits = np.unpackbits((self._masks.row(config) & sorts.numbers).view(np.uint8), bitorder="little")
            endings = []
            for token in np.flatnonzero(bits).tolist():
                after = plain.advance(config, sorts.texts[token])
                if any(plain.advance(after, bytes((byte,))) != DEAD for byte in b",]}"):
                    endings.append(token)
            self._endings[config] = endings
        if not endings:
            return set()
        begun = trace.text[len(trace.text.rstrip(b"-+.eE0123456789")) :]
        known = frozenset().union(*(numbers_of(key) for frame in frames for key in frame.seen))
        written = ((token, (begun + sorts.texts[token]).strip().decode()) for token in endings)
        return {token for token, digits in written if exact_number(digits) not in known}
