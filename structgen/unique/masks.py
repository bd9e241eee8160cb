"""Mask rows where elements of arrays must differ: the grammar's row, minus tokens after which no way leads on.

Only tokens are tried that may make the present element equal to an earlier one, or end it: those with structure, and of
strings and numbers those that begin like one that was written. Where values may run out, every token is.

Cost: 20 µs a token that is tried, tens to hundreds of them in such arrays, and once per vocabulary a pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise, product
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.masks import MaskTable
from structgen.automata.words import words_of
from structgen.bits import ids_of, row_of
from structgen.gc_pause import collector_paused
from structgen.unique.automaton import DistinctConfigurations
from structgen.unique.repeats import may_repeat
from structgen.unique.trace import INSIDE, NO_VALUE, OUTSIDE, Trace
from structgen.unique.values import (
    Number,
    decoded,
    digits_ahead,
    kind_of,
    numbers_of,
    open_string,
    pending_bytes,
    spellings,
    strings_of,
    whole_string,
)
from structgen.vocabulary import Vocabulary

__all__ = ["DistinctMasks"]

Row = NDArray[np.uint32]
NUMBER = re.compile(rb"[ \t\r\n]*[-+.eE0-9]+[ \t\r\n]*\Z")
NUMERIC = tuple(bytes((byte,)) for byte in b"-0123456789")
ZERO_TIMES = re.compile(rb"-?0(\.0*)?[eE][-+]?[0-9]*")  # with any digits behind it is 0
NO_TOKENS = np.zeros(0, np.int64)
OPENING = re.compile(rb'[ \t\r\n]*"([^"\\]*)')
WORD = re.compile(rb"[ \t\r\n]*[a-z]+[ \t\r\n]*\Z")
CLOSING = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)  # of a token inside a string
MORE = re.compile(rb".*?[,:].*[^] \t\r\n},:]", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class TokenClasses:
    """Tokens of a vocabulary of V tokens by what they hold. Rows are uint32 (V / 32), bit t % 32 of word t // 32.

    texts         the bytes of each token
    nonempty      row: not empty; `none`: of no tokens
    separators    row: with one of , : ] }
    openers       row: with [ or {
    two_elements  row: that may end an element and write into the next, or begin an array and end an element
    with_quote    row: with a quotation mark; `closing`: of these, all that do more than begin a string
    numbers       digits -> the tokens of these digits, with blanks around them or none; `headless`: by digits without
                  leading zeros; `longest`: most digits of one
    marks         row: of nothing but characters of numbers and blanks, more than digits
    digits        row: of digits and blanks
    literal       row: of lower-case letters and blanks
    closings      of tokens that close the string they begin in: what they write before, by its characters; and row:
                  `opaque`, of those of which that cannot be said alone
    beyond        row: of tokens that close the string they begin in, those that as a whole are two_elements behind it
    escapes       token -> the characters its beginning stands for in a string, with a backslash and without an end;
                  `longest_escape` characters
    marked        byte -> the tokens with a quotation mark or a backslash that begin with it, i64
    blank         row: of nothing but blanks
    openings      characters -> the tokens that begin a string with them and say no more; `longest_opening` characters
    tokens        bytes -> the first token that spells them, `longest_token` bytes at most; `others`: those after it
    """

    texts: tuple[bytes, ...]
    nonempty: Row
    none: Row
    separators: Row
    openers: Row
    two_elements: Row
    with_quote: Row
    closing: Row
    numbers: dict[str, list[int]]
    headless: dict[str, list[int]]
    longest: int
    marks: Row
    digits: Row
    literal: Row
    closings: dict[str, list[int]]
    opaque: Row
    beyond: Row
    escapes: dict[int, str]
    longest_escape: int
    marked: dict[int, NDArray[np.int64]]
    blank: Row
    openings: dict[str, list[int]]
    longest_opening: int
    tokens: dict[bytes, int]
    longest_token: int
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
    openings = _openings(texts, np.flatnonzero(quoted).tolist())
    merely = row_of((token for group in openings.values() for token in group), size)
    closings, opaque, within, beyond = _closings(texts, np.flatnonzero(quoted).tolist())
    numeric, digits = held(b" \t\r\n-+.eE0123456789") == lengths, held(b"0123456789")
    numbers, headless = _numbers(texts, np.flatnonzero(numeric & (digits > 0) & (held(b"-+.eE") == 0)).tolist())
    tokens = dict(zip(reversed(texts), range(size - 1, -1, -1), strict=True))
    again: dict[bytes, list[int]] = {}
    for token in np.flatnonzero(lengths).tolist() if len(tokens) < size else ():
        if tokens[texts[token]] != token:
            again.setdefault(texts[token], []).append(token)
    escapes = {
        token: decoded(texts[token]) for token in (*within, *np.flatnonzero((held(b"\\") > 0) & ~quoted).tolist())
    }
    return TokenClasses(
        texts,
        row_of(np.flatnonzero(lengths), size),
        row_of((), size),
        row_of(np.flatnonzero(ends), size),
        row_of(np.flatnonzero(opens), size),
        matching(held(b",:") > 0, MORE) | row_of(np.flatnonzero(ends & opens), size),
        row_of(np.flatnonzero(quoted), size),
        row_of(np.flatnonzero(quoted), size) & ~merely,
        numbers,
        headless,
        max(map(len, numbers), default=0),
        matching(numeric & (digits == 0), NUMBER) | matching(numeric & (held(b"-+.eE") > 0), NUMBER),
        row_of((token for group in numbers.values() for token in group), size),
        matching((held(b" \t\r\n" + ascii_lowercase.encode()) == lengths) & (lengths > 0), WORD),
        closings,
        row_of(opaque, size),
        row_of(beyond, size),
        escapes,
        max(map(len, escapes.values()), default=0),
        _by_first_byte(vocabulary, np.flatnonzero(held(b'"\\') > 0)),
        row_of(np.flatnonzero((held(b" \t\r\n") == lengths) & (lengths > 0)), size),
        openings,
        max(map(len, openings), default=0),
        tokens,
        int(lengths.max(initial=0)),
        again,
    )


def _openings(texts: tuple[bytes, ...], tokens: list[int]) -> dict[str, list[int]]:
    """Of tokens that hold a quote: those that merely open a string, by what stands in it."""
    found: dict[str, list[int]] = {}
    for token in tokens:
        opening = OPENING.fullmatch(texts[token])
        if opening is not None:
            found.setdefault(decoded(opening[1]), []).append(token)
    return found


def _closings(
    texts: tuple[bytes, ...], tokens: list[int]
) -> tuple[dict[str, list[int]], list[int], list[int], list[int]]:
    """Of tokens that hold a quote: see `closings`, `opaque`, within a string, and `beyond` of TokenClasses."""
    closings: dict[str, list[int]] = {}
    opaque, within, beyond = list[int](), list[int](), list[int]()
    for token in tokens:
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
    return closings, opaque, within, beyond


def _numbers(texts: tuple[bytes, ...], tokens: list[int]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Tokens of digits and blanks, by their digits; the same without the zeros ahead."""
    numbers: dict[str, list[int]] = {}
    for token in tokens:
        bare = texts[token].strip(b" \t\r\n").decode()
        if bare.isdigit():
            numbers.setdefault(bare, []).append(token)
    headless: dict[str, list[int]] = {}
    for bare, group in numbers.items():
        headless.setdefault(bare.lstrip("0"), []).extend(group)
    return numbers, headless


def _by_first_byte(vocabulary: Vocabulary, tokens: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    firsts = np.frombuffer(vocabulary.data, np.uint8)[vocabulary.offsets[tokens]]
    return {byte: tokens[firsts == byte] for byte in np.unique(firsts).tolist()}


class DistinctMasks:
    """Mask rows of pairs; see the module."""

    def __init__(
        self,
        configurations: DistinctConfigurations,
        masks: MaskTable,
        vocabulary: Vocabulary,
        *,
        budget: RowBudget = ROWS,
    ) -> None:
        self._configurations, self._masks, self._classes = configurations, masks, token_classes(vocabulary)
        self._words = words_of(vocabulary)
        self._budget, self._me = budget, budget.owner(self)
        self.rows: dict[int, Row] = {}

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        if row is None:
            with self._configurations.lock:
                row = self.rows[state] = self._compute(state)
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._masks.drop_rows()
        self.rows.clear()

    def _compute(self, state: int) -> Row:
        config, trace = self._configurations.pairs[state]
        base, classes = self._masks.row(config), self._classes
        doubtful = base & self._doubtful(trace, classes) & classes.nonempty
        if not trace.watched:  # receipt: 168 tokens that hold a bracket, in a string: a mask 1,100 -> 50 us
            opening = self._configurations.opening(state, self._words[0], ids_of(doubtful))
            doubtful = row_of(opening, len(classes.texts)) if len(opening) else classes.none
        return self._without(state, base, doubtful) if doubtful.any() else base

    @collector_paused()
    def _without(self, state: int, base: Row, doubtful: Row) -> Row:
        """A row without those doubtful tokens after which no way leads on."""
        (config, trace), classes, row = self._configurations.pairs[state], self._classes, base.copy()
        alike = classes.blank | classes.digits if ZERO_TIMES.fullmatch(trace.text) else classes.blank
        if trace.watched and trace.lex == INSIDE and not trace.frames[-1].scalars_matter:
            alike = alike | ~classes.with_quote  # inside a string that nothing is compared with
        likes, verdicts = set(ids_of(doubtful & alike).tolist()), dict[int, bool]()
        new_names = doubtful & self._new_names(trace)
        for token in chain(ids_of(doubtful & ~new_names).tolist(), self._unlike_a_way(state, new_names)):
            text = classes.texts[token]
            if token in likes:  # they differ in the configuration alone
                after = self._configurations.plain.advance(config, text)
                if after not in verdicts:
                    verdicts[after] = self._configurations.continues(state, text)
                goes_on = verdicts[after]
            else:
                goes_on = self._configurations.continues(state, text)
            if not goes_on:
                row[token >> 5] &= ~np.uint32(1 << (token & 31))
        row.flags.writeable = False
        self._budget.added(self._me, row.nbytes)
        return row

    def _new_names(self, trace: Trace) -> Row:
        """Tokens after which the name that is written is like none before it, and stands there as it is read; none
        where anything else is compared."""
        frame, classes = trace.frames[-1] if trace.frames else None, self._classes
        if frame is None or len(trace.frames) > 1 or trace.lex != INSIDE or frame.is_list or frame.name is not None:
            return classes.none
        if not frame.is_watched or frame.is_valued or frame.shared or b"\\" in trace.text:
            return classes.none
        if not open_string(trace.text)[1]:
            return classes.none
        known = self._inside(trace.text, set(frame.seen)) | row_of(classes.escapes, len(classes.texts))
        return classes.nonempty & ~classes.with_quote & ~known

    def _unlike_a_way(self, state: int, tokens: Row) -> Iterator[int]:
        """Those of some tokens that begin a new name for which the way on of another says nothing.

        After the same configuration the same bytes complete the text, whatever the name is, unless they hold that very
        name once more. Receipt: a mask that tried 123,000 tokens, 5.8 -> 0.3 s.
        """
        (config, trace), classes, ways = self._configurations.pairs[state], self._classes, dict[int, bytes | None]()
        for token in ids_of(tokens).tolist():
            text = classes.texts[token]
            after = self._configurations.plain.advance(config, text)
            if after not in ways:
                ways[after] = self._configurations.way_on(state, text)
            way = ways[after]
            if way is None or b"\\" in way:
                yield token
            else:
                end = way.find(b'"') + 1
                if end == 0 or way.find(trace.text + text + way[:end], end) >= 0:
                    yield token

    def _doubtful(self, trace: Trace, classes: TokenClasses) -> Row:
        """The tokens that might repeat an element, or leave none to write."""
        if not trace.watched:  # only what opens a container, and ends an element of it
            if self._configurations.may_run_out_at_once:
                return classes.openers
            return classes.two_elements & classes.openers
        if any(frame.may_run_out for frame in trace.frames):
            return classes.nonempty
        found = classes.two_elements
        if self._configurations.may_run_out_at_once:
            found = found | classes.openers
        if trace.lex != OUTSIDE:
            found = classes.beyond if trace.lex == INSIDE else found & classes.with_quote
        if any(frame.may_run_out_next for frame in trace.frames):  # what ends an element asks for another
            found = found | (classes.separators if trace.lex == OUTSIDE else classes.separators & classes.with_quote)
        comparing = trace.comparing
        if not comparing:
            return found
        is_begun = len(trace.frames) - 1 > comparing[-1] or bool(trace.text) or trace.done != NO_VALUE
        if not is_begun or may_repeat(trace):
            keys = set(trace.compared)
            found = found | (
                self._outside(trace.text, keys) if trace.lex == OUTSIDE else self._inside(trace.text, keys)
            )
            if trace.text and trace.lex == OUTSIDE:
                found = found | classes.blank  # which end a number
        return found | self._names_again(trace)

    def _names_again(self, trace: Trace) -> Row:
        """Tokens that begin or go on with the name of a member that was written: it may be written again."""
        frame, classes = trace.frames[-1], self._classes
        if frame.is_list or not frame.is_valued or frame.name is not None or not frame.parts:
            return classes.none
        if trace.lex == OUTSIDE:
            return self._openings({str(name) for name in frame.seen})
        return self._inside(trace.text, set(frame.seen))

    def _openings(self, strings: Iterable[str]) -> Row:
        """Tokens that begin a string like one of these."""
        classes = self._classes
        heads = {each[:size] for each in strings for size in range(min(len(each), classes.longest_opening) + 1)}
        members = (token for head in heads for token in classes.openings.get(head, ()))
        return row_of(members, len(classes.texts))

    def _outside(self, text: bytes, keys: set[Hashable]) -> Row:
        """Tokens that end an element, and that begin a string, number or literal like one of an earlier element."""
        classes = self._classes
        found = classes.separators | classes.openers | classes.closing
        if any(kind_of(key) != "string" for key in keys):
            found = found | classes.literal
        known = frozenset[Number]().union(*map(numbers_of, keys))
        if known:
            repeated = self._repeated_numbers(text, known)
            found = found | classes.marks | row_of(repeated, len(classes.texts))
        return found | self._openings(frozenset[str]().union(*map(strings_of, keys)))

    def _inside(self, text: bytes, keys: set[Hashable]) -> Row:
        """Tokens that go on like a string of an earlier element, or end the one that is open alike. One that no earlier
        element holds makes the element new: tokens that end it so are as safe as those behind it, `two_elements` apart.
        """
        classes = self._classes
        begun, is_whole = open_string(text)
        rests = {each[len(begun) :] for key in keys for each in strings_of(key) if each.startswith(begun)}
        if not is_whole:
            resuming = self._resuming(text, rests)
            return (classes.two_elements & classes.with_quote) | row_of(resuming, len(classes.texts))
        heads = {rest[:size] for rest in rests for size in range(min(len(rest), classes.longest_escape) + 1)}
        members = [token for token, start in classes.escapes.items() if start in heads]
        for rest in rests:
            members += self._spelled(rest.encode("utf-8", "surrogatepass"))
        members += (token for rest in rests for token in classes.closings.get(rest, ()))
        return classes.opaque | classes.beyond | row_of(members, len(classes.texts))

    def _resuming(self, text: bytes, rests: set[str]) -> set[int]:
        """Tokens that complete a character, of which the text has some bytes, to the first of a rest, or lead to it,
        and go on like the rest if they go on."""
        classes, pending, members = self._classes, pending_bytes(text).lower(), set[int]()
        for rest in filter(None, rests):
            further = rest[1:].encode("utf-8", "surrogatepass")
            for spelled in map(bytes.lower, spellings(rest[0])):
                way = spelled[len(pending) :]
                if not way or not spelled.startswith(pending):
                    continue
                is_hex = spelled.startswith(b"\\u")
                for first in {*way[:1], *way[:1].upper()}:
                    for token in classes.marked.get(first, NO_TOKENS).tolist():
                        if way.startswith(classes.texts[token][: len(way)].lower()):
                            members.add(token)
                ways = map(bytes, product(*({byte, *bytes((byte,)).upper()} for byte in way))) if is_hex else (way,)
                for begins in ways:
                    members.update(self._spelled(begins + further[: classes.longest_token]))
        return members

    def _spelled(self, text: bytes) -> Iterator[int]:
        """The tokens that a text begins with."""
        classes = self._classes
        for size in range(1, min(len(text), classes.longest_token) + 1):
            token = classes.tokens.get(text[:size])
            if token is not None:
                yield token
                yield from classes.others.get(text[:size], ())

    def _repeated_numbers(self, text: bytes, known: frozenset[Number]) -> list[int]:
        """Tokens of digits after which the number that is begun may be a known one. After any other it never is."""
        classes, found = self._classes, list[int]()
        begun = text.decode() if text[:1] in NUMERIC else ""
        for number in known:
            ahead = digits_ahead(begun, number, classes.longest)
            if ahead is not None:
                if ahead.any_digits:
                    return list(chain.from_iterable(classes.numbers.values()))
                found += self._prefixes(ahead.digits, after_zeros=ahead.after_zeros)
        return found

    def _prefixes(self, digits: str, *, after_zeros: bool) -> Iterator[int]:
        """The tokens of digits that these begin with; `after_zeros`: or zeros and such digits."""
        classes = self._classes
        table = classes.headless if after_zeros else classes.numbers
        for size in range(0 if after_zeros else 1, min(len(digits), classes.longest) + 1):
            yield from table.get(digits[:size], ())
