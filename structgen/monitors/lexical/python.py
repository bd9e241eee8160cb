"""Python, as far as member accesses go: strings, comments, brackets, the words that end no expression.

A dot is an access in code, behind a name that is no keyword, a closing bracket or a string; not in `import` lines, not
in numbers, not inside f-strings, which count as strings. Checked against `tokenize` (tests/monitors).
"""

from __future__ import annotations

import keyword
from typing import NamedTuple

from structgen.monitors.lexical.letters import PLAIN_LETTERS

__all__ = ["Python", "Spot", "ends_expression"]

CODE, STRING, COMMENT = range(3)
KEYWORDS = frozenset(word.encode() for word in keyword.kwlist)
PREFIXES = frozenset((b"r", b"u", b"b", b"f", b"t", b"br", b"rb", b"fr", b"rf", b"tr", b"rt"))
KEYWORD_BEGINNINGS = frozenset(word[:size] for word in KEYWORDS for size in range(1, len(word) + 1))
NAMES_OF = b"from import"  # in Spot.first, in place of `from`, once `import` stands behind it
NO_PROGRAM = b"?"  # in Spot.first: something stands in the statement that cannot
IMPORTS = frozenset((b"import", b"from", NAMES_OF))
UNWATCHED = IMPORTS | {NO_PROGRAM}
OPERATORS, OPERATOR = frozenset(b"%!+-/&|^~<>@="), b"="  # in Spot.last: behind one, no bracket is closed
OWN = frozenset((b"self", b"cls"))
BLANKS, LINE_ENDS = frozenset(b" \t\f"), frozenset(b"\r\n")
BLANKS_AND_LINES = BLANKS | LINE_ENDS
OPENS, CLOSES = dict(zip(b"([{", b")]}", strict=True)), frozenset(b")]}")


class Spot(NamedTuple):
    """Where a text stands.

    field    meaning
    mode     CODE, STRING or COMMENT
    quote    of a string: its quote; 0 elsewhere
    quotes   of a string: 1 or 3, what opened it; 0 where its first quotes are still counted
    run      quotes in a row so far, where they count
    escaped  the next byte stands for itself: behind a backslash
    word     the name, keyword or number that the text ends in
    last     the word that the text ends in, if blanks stand behind it; of a string, and behind it: its prefix; behind
             an operator OPERATOR
    ends     an expression ends here, blanks aside
    open     closing brackets that are due, the innermost last
    first    the first word of the statement, once it is whole (or NAMES_OF, NO_PROGRAM); None before
    starts   nothing but that word stands in the statement so far
    """

    mode: int = CODE
    quote: int = 0
    quotes: int = 0
    run: int = 0
    escaped: bool = False
    word: bytes = b""
    last: bytes = b""
    ends: bool = False
    open: bytes = b""
    first: bytes | None = None
    starts: bool = True


class Python:
    """The lexer of Python (a `Lexer`)."""

    name, letters, triggers = "python", PLAIN_LETTERS, b"."

    def start(self) -> Spot:
        """Before the first byte of a file."""
        return Spot()

    def after(self, state: Spot, byte: int) -> Spot:
        """The spot behind a byte."""
        if state.mode == STRING:
            return _in_string(state, byte)
        if state.mode == COMMENT:
            return _line_end(state._replace(mode=CODE)) if byte in LINE_ENDS else state
        return _in_code(state, byte)

    def in_code(self, state: Spot) -> bool:
        """Whether the text ends in code."""
        return state.mode == CODE

    def is_access(self, state: Spot, byte: int) -> bool:
        """Whether the byte is the dot of an access."""
        return byte == 0x2E and ends_expression(state) and state.first not in UNWATCHED

    def others(self, state: Spot) -> bytes:
        """None: a name comes."""
        return b""

    def blanks(self, state: Spot) -> frozenset[int]:
        """Blanks; line ends inside brackets."""
        return BLANKS_AND_LINES if state.open else BLANKS

    def closers(self, state: Spot) -> bytes:
        """The brackets that are due, the innermost first, and before them the end of a string."""
        end = bytes([state.quote]) * max(state.quotes, 1) if state.mode == STRING else b""
        return end + state.open[::-1]

    def outlook(self, state: Spot, depth: int) -> Spot:
        """Words that can become neither keywords nor the beginning of a string are one, deep brackets are left out."""
        word, first, last = state.word, state.first, state.last
        if last not in (b"", b"import", OPERATOR):
            last = b"~~~"
        if word[:1].isdigit():
            word = b"0"
        elif len(word) > 2 and word not in KEYWORD_BEGINNINGS and word.isascii():
            word = b"~~~"
        if first is not None:
            first = first if first in UNWATCHED else b""
        return state._replace(word=word, last=last, first=first, open=state.open[-depth - 1 :], starts=False)

    def shallow(self, state: Spot) -> Spot:
        """One of some hundred states, from which strings, comments and names are told apart as from this one."""
        word = b"0" if state.word[:1].isdigit() else state.word
        if word.lower() not in (b"", b"0", *PREFIXES):
            word = b"~~~"
        return Spot(state.mode, state.quote, state.quotes, state.run, state.escaped, word)

    def literal(self, state: Spot, last: int) -> bytes:
        """Of a text that ends in a string, whose last byte this is: a short one of its type; nothing of others."""
        return state.last + b'""' if last in b"\"'" else b""

    def is_own(self, state: Spot) -> bool:
        """Whether the text ends in `self` or `cls`."""
        return (state.word or state.last) in OWN

    def begins(self, state: Spot) -> bool:
        """Whether nothing but that word stands in the statement."""
        return state.starts and not state.open


def ends_expression(spot: Spot) -> bool:
    """Of code, and of a string of which nothing but a second quote, that closes it, is there."""
    if spot.mode == STRING:
        return spot.quotes == 0 and spot.run == 2  # an empty string
    if spot.mode == COMMENT:
        return False
    if spot.word:
        return spot.word not in KEYWORDS and not spot.word[:1].isdigit() and _is_name(spot.word)
    return spot.ends


def _is_name(word: bytes) -> bool:
    """Whether these letters are a name: of characters beyond ASCII some are none."""
    return word.isascii() or word.decode("utf-8", "replace").isidentifier()


def _in_string(spot: Spot, byte: int) -> Spot:
    if spot.quotes == 0:  # its first quotes
        if byte == spot.quote:
            return spot._replace(run=2) if spot.run == 1 else spot._replace(quotes=3, run=0)
        if spot.run == 2:
            return _in_code(_closed(spot), byte)
        spot = spot._replace(quotes=1, run=0)
    if spot.escaped:
        return spot._replace(escaped=False, run=0)
    if byte == 0x5C:
        return spot._replace(escaped=True, run=0)
    if byte == spot.quote:
        return _closed(spot) if spot.run + 1 == spot.quotes else spot._replace(run=spot.run + 1)
    if spot.quotes == 1 and byte in LINE_ENDS:  # never closed
        return _line_end(_closed(spot))
    return spot._replace(run=0)


def _closed(spot: Spot) -> Spot:
    return spot._replace(mode=CODE, quote=0, quotes=0, run=0, escaped=False, word=b"", ends=True, starts=False)


def _in_code(spot: Spot, byte: int) -> Spot:
    if byte in PLAIN_LETTERS.all or (byte == 0x2E and spot.word[:1].isdigit()):
        return spot._replace(word=spot.word + bytes((byte,)), last=b"", escaped=False)
    if byte in b"\"'":
        prefix = spot.word.lower() in PREFIXES
        ahead = spot if prefix or not spot.word else _word_over(spot)
        last = spot.word if prefix else b""
        return ahead._replace(mode=STRING, quote=byte, quotes=0, run=1, word=b"", last=last, escaped=False)
    spot = _word_over(spot)
    if byte in BLANKS:
        return spot
    before, spot = spot.last, spot._replace(last=b"")
    if byte in LINE_ENDS:
        return spot._replace(escaped=False) if spot.escaped or spot.open else _line_end(spot)
    if byte == 0x5C:
        return spot._replace(escaped=True)
    if byte == 0x23:
        return spot._replace(mode=COMMENT)
    if byte in OPENS:
        return spot._replace(open=spot.open + bytes((OPENS[byte],)), ends=False, starts=False)
    if byte in CLOSES:
        if before == OPERATOR or not spot.open.endswith(bytes((byte,))):
            spot = spot._replace(first=NO_PROGRAM)
        return spot._replace(open=spot.open[:-1], ends=True, starts=False)
    if byte == 0x3B or (byte == 0x3A and not spot.open):
        return spot._replace(ends=False, first=None, starts=True)
    return spot._replace(ends=False, starts=False, last=OPERATOR if byte in OPERATORS else b"")


def _word_over(spot: Spot) -> Spot:
    """What follows is no part of the word, if there is one."""
    if not spot.word:
        return spot
    first = spot.word if spot.first is None else spot.first
    if first == b"from" and spot.word == b"import":
        first = NAMES_OF
    if not _is_name(spot.word):
        first = NO_PROGRAM
    ends = spot.word not in KEYWORDS
    return spot._replace(word=b"", last=spot.word, ends=ends, first=first, starts=spot.starts and spot.first is None)


def _line_end(spot: Spot) -> Spot:
    if spot.open:
        return spot._replace(word=b"")
    return Spot()
