"""Mask rows where elements of arrays must differ: the grammar's row, minus tokens after which no way leads on.

Only tokens are tried that may make the present element equal to an earlier one, or end it: those with structure, and of
strings and numbers those that begin like one that was written. Where values may run out, every token is.

Cost: 20 µs a token that is tried, tens to hundreds of them in such arrays, and once per vocabulary a pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from structgen.automata.masks import MaskTable
from structgen.bits import ids_of, row_of
from structgen.grammars.ir import NEVER
from structgen.kernels.layout import DEAD
from structgen.unique.automaton import DistinctConfigurations
from structgen.unique.trace import (
    INSIDE,
    OUTSIDE,
    Frame,
    Trace,
    decoded,
    exact_number,
    kind_of,
    may_repeat,
    numbers_of,
    open_string,
    pending_bytes,
    spellings,
    strings_of,
    whole_string,
)
from structgen.vocabulary import Vocabulary

__all__ = ["DistinctMasks"]

MOST_ROWS = 256
Row = NDArray[np.uint32]
NUMBER = re.compile(rb"[ \t\r\n]*[-+.eE0-9]+[ \t\r\n]*\Z")
NUMERIC = tuple(bytes((byte,)) for byte in b"-+.eE0123456789")
NO_TOKENS = np.zeros(0, np.int64)
OPENING = re.compile(rb'[ \t\r\n]*"([^"\\]*)')
WORD = re.compile(rb"[ \t\r\n]*[a-z]+[ \t\r\n]*\Z")
CLOSING = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)  # of a token inside a string
MORE = re.compile(rb".*?[,:].*[^] \t\r\n},:]", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class TokenClasses:
    """Tokens of a vocabulary of V tokens by what they hold. Rows are uint32 (V / 32), bit t % 32 of word t // 32.

    texts         the bytes of each token
    nonempty      row: not empty
    separators    row: with one of , : ] }
    openers       row: with [ or {
    two_elements  row: that may end an element and write into the next, or begin an array and end an element
    with_quote    row: with a quotation mark; `closing`: of these, all that do more than begin a string
    numeric       row: of nothing but characters of numbers and blanks; `literal`: of lower-case letters and blanks
    closings      of tokens that close the string they begin in: what they write before, by its characters; and row:
                  `opaque`, of those of which that cannot be said alone
    beyond        row: of tokens that close the string they begin in, those that as a whole are two_elements behind it
    escapes       token -> the characters its beginning stands for in a string, with a backslash and without an end
    starting      byte -> the tokens that begin with it, i64
    blank         row: of nothing but blanks
    openings      characters -> the tokens that begin a string with them and say no more
    tokens        bytes -> the first token that spells them, `others`: those after it
    """

    texts: tuple[bytes, ...]
    nonempty: Row
    separators: Row
    openers: Row
    two_elements: Row
    with_quote: Row
    closing: Row
    numeric: Row
    literal: Row
    closings: dict[str, list[int]]
    opaque: Row
    beyond: Row
    escapes: dict[int, str]
    starting: dict[int, NDArray[np.int64]]
    blank: Row
    openings: dict[str, list[int]]
    tokens: dict[bytes, int]
    others: dict[bytes, list[int]]


@lru_cache(maxsize=8)
def token_classes(vocabulary: Vocabulary) -> TokenClasses:
    """See TokenClasses. 0.1 s for 128,256 tokens: expressions look at those alone that can match them."""
    size, data, bounds = vocabulary.size, vocabulary.data, vocabulary.offsets.tolist()
    texts = tuple(data[start:end] for start, end in pairwise(bounds))
    lengths = np.diff(vocabulary.offsets)

    def held(characters: bytes) -> NDArray[np.int64]:
        """How many of these bytes each token holds."""
        wanted = np.zeros(256, bool)
        wanted[list(characters)] = True
        found = np.cumsum(wanted[np.frombuffer(data, np.uint8)])
        return np.diff(np.concatenate(([0], found))[vocabulary.offsets])

    def matching(likely: NDArray[np.bool_], expression: re.Pattern[bytes]) -> Row:
        return row_of((token for token in np.flatnonzero(likely).tolist() if expression.match(texts[token])), size)

    quoted, ends, opens = held(b'"') > 0, held(b",:]}") > 0, held(b"[{") > 0
    openings: dict[str, list[int]] = {}
    for token in np.flatnonzero(quoted).tolist():
        opening = OPENING.fullmatch(texts[token])
        if opening is not None:
            openings.setdefault(decoded(opening[1]), []).append(token)
    merely = row_of((token for group in openings.values() for token in group), size)
    closings: dict[str, list[int]] = {}
    opaque, within, beyond = [], [], []
    for token in np.flatnonzero(quoted).tolist():
        found = CLOSING.match(texts[token])
        before = texts[token][: found.end() - 1] if found else b""
        content = whole_string(before)
        if found is None:
            within.append(token)
        elif content is None:
            opaque.append(token)
        else:
            closings.setdefault(content, []).append(token)
        rest = texts[token][found.end() :] if found else b""
        if MORE.match(rest) or (rest.strip(b" \t\r\n],}")[:1] in (b"[", b"{")):
            beyond.append(token)
    tokens = dict(zip(reversed(texts), range(size - 1, -1, -1), strict=True))
    again: dict[bytes, list[int]] = {}
    for token in np.flatnonzero(lengths).tolist() if len(tokens) < size else ():
        if tokens[texts[token]] != token:
            again.setdefault(texts[token], []).append(token)
    return TokenClasses(
        texts,
        row_of(np.flatnonzero(lengths), size),
        row_of(np.flatnonzero(ends), size),
        row_of(np.flatnonzero(opens), size),
        matching(held(b",:") > 0, MORE) | row_of(np.flatnonzero(ends & opens), size),
        row_of(np.flatnonzero(quoted), size),
        row_of(np.flatnonzero(quoted), size) & ~merely,
        matching((held(b" \t\r\n-+.eE0123456789") == lengths) & (lengths > 0), NUMBER),
        matching((held(b" \t\r\n" + ascii_lowercase.encode()) == lengths) & (lengths > 0), WORD),
        closings,
        row_of(opaque, size),
        row_of(beyond, size),
        {token: decoded(texts[token]) for token in (*within, *np.flatnonzero((held(b"\\") > 0) & ~quoted).tolist())},
        _by_first_byte(vocabulary),
        row_of(np.flatnonzero((held(b" \t\r\n") == lengths) & (lengths > 0)), size),
        openings,
        tokens,
        again,
    )


def _by_first_byte(vocabulary: Vocabulary) -> dict[int, NDArray[np.int64]]:
    tokens = np.flatnonzero(np.diff(vocabulary.offsets))
    firsts = np.frombuffer(vocabulary.data, np.uint8)[vocabulary.offsets[tokens]]
    return {byte: tokens[firsts == byte] for byte in np.unique(firsts).tolist()}


class DistinctMasks:
    """Mask rows of pairs; see the module."""

    def __init__(self, configurations: DistinctConfigurations, masks: MaskTable, vocabulary: Vocabulary) -> None:
        self._configurations, self._masks, self._classes = configurations, masks, token_classes(vocabulary)
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

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._masks.drop_rows()
        self._rows, self._endings = {}, {}

    def _compute(self, state: int) -> Row:
        config, trace = self._configurations.pairs[state]
        base, classes = self._masks.row(config), self._classes
        doubtful = base & self._doubtful(trace, classes) & classes.nonempty
        if not doubtful.any():
            return base
        row = base.copy()
        tokens = ids_of(doubtful).tolist()
        passed = self._new_numbers(config, trace, classes)
        blanks, verdicts = set(ids_of(doubtful & classes.blank).tolist()), {}
        for token in tokens:
            if token in passed:
                continue
            text = classes.texts[token]
            if token in blanks:  # they differ in the configuration alone
                after = self._configurations.plain.advance(config, text)
                if after not in verdicts:
                    verdicts[after] = self._configurations.continues(state, text)
                goes_on = verdicts[after]
            else:
                goes_on = self._configurations.continues(state, text)
            if not goes_on:
                row[token >> 5] &= ~np.uint32(1 << (token & 31))
        row.flags.writeable = False
        return row

    def _doubtful(self, trace: Trace, classes: TokenClasses) -> Row:
        """The tokens that might repeat an element, or leave none to write."""
        lex, _, text = trace
        watched = trace.watched
        if not watched:  # only what opens a container, and ends an element of it
            return (
                classes.openers if self._configurations.may_run_out_at_once else classes.two_elements & classes.openers
            )
        if any(frame.may_run_out for frame in watched):
            return classes.nonempty
        found = classes.two_elements
        if self._configurations.may_run_out_at_once:
            found = found | classes.openers
        if lex != OUTSIDE:
            found = classes.beyond if lex == INSIDE else found & classes.with_quote
        written = [frame for frame in watched if frame.start != NEVER and frame.seen]
        begun = [frame for frame in written if len(text) > frame.start]
        if len(begun) < len(written) or any(may_repeat(frame, lex, text) for frame in begun):
            found = found | (self._outside(written) if lex == OUTSIDE else self._inside(text, written))
            if lex == OUTSIDE and text[-1:] in NUMERIC:
                found = found | classes.blank  # which end a number
        return found

    def _outside(self, frames: list[Frame]) -> Row:
        """Tokens that end an element, and that begin a string, number or literal like one of an earlier element."""
        classes = self._classes
        found = classes.separators | classes.openers | classes.closing
        keys = {key for frame in frames for key in frame.seen}
        if any(kind_of(key) != "string" for key in keys):
            found = found | classes.numeric | classes.literal
        openings = classes.openings
        heads = {each[:size] for key in keys for each in strings_of(key) for size in range(len(each) + 1)}
        return found | row_of((token for head in heads for token in openings.get(head, ())), len(classes.texts))

    def _inside(self, text: bytes, frames: list[Frame]) -> Row:
        """Tokens that go on like a string of an earlier element, or end the one that is open alike. One that no earlier
        element holds makes the element new: tokens that end it so are as safe as those behind it, `two_elements` apart.
        """
        classes = self._classes
        begun, is_whole = open_string(text)
        rests = {
            each[len(begun) :]
            for frame in frames
            for key in frame.seen
            for each in strings_of(key)
            if each.startswith(begun)
        }
        if not is_whole:
            resuming = self._resuming(text, rests)
            return (classes.two_elements & classes.with_quote) | row_of(resuming, len(classes.texts))
        members = [token for token, start in classes.escapes.items() if any(rest.startswith(start) for rest in rests)]
        for rest in rests:
            spelled = rest.encode("utf-8", "surrogatepass")
            for size in range(1, len(spelled) + 1):
                if spelled[:size] in classes.tokens:
                    members += classes.tokens[spelled[:size]], *classes.others.get(spelled[:size], ())
        members += (token for rest in rests for token in classes.closings.get(rest, ()))
        return classes.opaque | classes.beyond | row_of(members, len(classes.texts))

    def _resuming(self, text: bytes, rests: set[str]) -> list[int]:
        """Tokens that complete a character, of which the text has some bytes, to the first of a rest, or lead to it."""
        classes, pending = self._classes, pending_bytes(text)
        wanted = {
            spelled[len(pending) :]
            for rest in rests
            for spelled in (spellings(rest[0]) if rest else ())
            if len(spelled) > len(pending) and spelled[: len(pending)].lower() == pending.lower()
        }
        members = []
        for way in wanted:
            for first in {*way[:1].lower(), *way[:1].upper()}:
                for token in classes.starting.get(first, NO_TOKENS).tolist():
                    begins = classes.texts[token][: len(way)].lower()
                    if way[: len(begins)].lower() == begins:
                        members.append(token)
        return members

    def _new_numbers(self, config: int, trace: Trace, classes: TokenClasses) -> set[int]:
        """Tokens that end in a number which may end there, and which no earlier element holds: so they repeat none."""
        frames = [frame for frame in trace.watched if frame.start != NEVER and frame.seen]
        if trace.lex != OUTSIDE or any(frame.may_run_out for frame in trace.watched):
            return set()
        plain, endings = self._configurations.plain, self._endings.get(config)
        if endings is None:
            endings, may_end = [], dict[int, bool]()
            for token in ids_of(self._masks.row(config) & classes.numeric).tolist():
                after = plain.advance(config, classes.texts[token])
                if after not in may_end:
                    may_end[after] = any(plain.advance(after, bytes((byte,))) != DEAD for byte in b",]}")
                if may_end[after]:
                    endings.append(token)
            self._endings[config] = endings
        if not endings:
            return set()
        begun = trace.text[len(trace.text.rstrip(b"-+.eE0123456789")) :]
        known = frozenset().union(*(numbers_of(key) for frame in frames for key in frame.seen))
        if not known:
            return set(endings)
        written = ((token, (begun + classes.texts[token]).strip().decode()) for token in endings)
        return {token for token, digits in written if _number(digits) not in known}


@lru_cache(maxsize=1 << 14)
def _number(digits: str) -> Hashable:
    return exact_number(digits)
