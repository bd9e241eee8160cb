"""Tokens of a vocabulary by what they hold: what masks of distinct elements look tokens up in.

Cost: once per vocabulary, 0.1 s for 128,256 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of
from structgen.unique.trace import INSIDE, OUTSIDE, STRUCTURE, events
from structgen.unique.values import decoded, whole_string
from structgen.vocabulary import Vocabulary

__all__ = ["CLOSING", "NOT_QUIET", "TokenClasses", "token_classes"]

Row = NDArray[np.uint32]
NOT_QUIET = -1
NUMBER = re.compile(rb"[ \t\r\n]*[-+.eE0-9]+[ \t\r\n]*\Z")
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
    special       bool (V,): with a quotation mark or a backslash
    quiet         i8 (2, V): where a text stands behind a token that has no structure, which begins OUTSIDE a string or
                  INSIDE; else NOT_QUIET
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
    special: NDArray[np.bool_]
    quiet: NDArray[np.int8]

    def spelled(self, text: bytes) -> Iterator[int]:
        """The tokens that a text begins with."""
        for size in range(1, min(len(text), self.longest_token) + 1):
            yield from self.spelling(text[:size])

    def spelling(self, text: bytes) -> Iterator[int]:
        """The tokens that are this text."""
        token = self.tokens.get(text)
        if token is not None:
            yield token
            yield from self.others.get(text, ())


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
    tokens = {texts[token]: token for token in reversed(range(size))}  # no dict(zip(...)): that holds the GIL for 20 ms
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
        special := (held(b'"\\') > 0),
        _quiet(texts, special, held(bytes(STRUCTURE)) > 0),
    )


def _quiet(texts: tuple[bytes, ...], special: NDArray[np.bool_], structured: NDArray[np.bool_]) -> NDArray[np.int8]:
    """See TokenClasses."""
    quiet = np.empty((2, len(texts)), np.int8)
    quiet[OUTSIDE] = np.where(structured, NOT_QUIET, OUTSIDE)
    quiet[INSIDE] = INSIDE
    for token in np.flatnonzero(special).tolist():
        for lex in (OUTSIDE, INSIDE):
            at, _, after = next(events(lex, texts[token]))
            quiet[lex, token] = after if at == len(texts[token]) else NOT_QUIET
    return quiet


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
