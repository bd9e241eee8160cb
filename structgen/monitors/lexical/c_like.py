"""TypeScript, C++ and Java, as far as member accesses go: one lexer, and a table for each.

An access stands in code behind a name that is no keyword, a closing bracket that is none of a block, or a string; the
expression may have ended lines above (fluent style). Not in comments, strings, regular expressions, numbers, lines for
the preprocessor, nor in statements that begin with a word like `import`. What is open inside a template literal (`${`)
is code. Checked against the lexers of TypeScript, clang and javac (tests/monitors).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from structgen.monitors.lexical.letters import DOLLAR_LETTERS, PLAIN_LETTERS, Letters

__all__ = ["CPP", "JAVA", "TYPESCRIPT", "CLike", "Spot"]

CODE, STRING, TEMPLATE, REGEX, RAW, LINE_COMMENT, COMMENT, DIRECTIVE = range(8)
BLANKS, LINE_ENDS = frozenset(b" \t\f\v\r\n"), frozenset(b"\r\n")
CONTROL = frozenset((b"if", b"while", b"for", b"with", b"switch"))
CONDITION = b"\x01"  # in Spot.open: the bracket behind such a word, which ends no expression
OPENS, CLOSES = dict(zip(b"([{", b")]}", strict=True)), frozenset(b")]}")
SLASH, STAR, BACKSLASH, DOT, TICK, QUOTE, BRACE = b'/*\\.`"}'


class Spot(NamedTuple):
    """Where a text stands.

    field    meaning
    mode     CODE, or what it stands in
    quote    of a string: its quote
    quotes   of a string: 1 or 3, what opened it; 0 where its first quotes are still counted
    run      quotes in a row so far; of RAW: bytes of its end so far, -1 before its opening bracket; of REGEX: 1 inside
             a class
    escaped  the next byte stands for itself: behind a backslash
    word     the name, keyword or number that the text ends in; of RAW: its delimiter
    last     the word that the text ends in, if blanks stand behind it; with a dot before it if it is a member's
    ends     an expression ends here, blanks, comments and `tail` aside
    tail     the beginning of an operator that may go on to another (`-` to `->`, `/` to `//`)
    open     what is due: closing brackets (CONDITION for some), and ticks of template literals, the innermost last
    first    the first word of the statement, once it is whole; None before
    member   an access stands right before the word, or here: its word is a name, whatever it says
    """

    mode: int = CODE
    quote: int = 0
    quotes: int = 0
    run: int = 0
    escaped: bool = False
    word: bytes = b""
    last: bytes = b""
    ends: bool = False
    tail: bytes = b""
    open: bytes = b""
    first: bytes | None = None
    member: bool = False


@dataclass(frozen=True, slots=True)
class CLike:
    """The lexer of one of these languages (a `Lexer`).

    field        meaning
    accesses     what makes one, by its last byte: the operator before that byte ("" of a bare dot)
    instead      bytes that may stand behind such an operator in place of a name
    keywords     words that end no expression
    unmonitored  first words of statements without accesses
    own          words for the object that a method belongs to
    """

    name: str
    accesses: dict[int, frozenset[bytes]]
    instead: dict[bytes, bytes]
    keywords: frozenset[bytes]
    unmonitored: frozenset[bytes]
    own: frozenset[bytes] = frozenset((b"this",))
    letters: Letters = PLAIN_LETTERS
    templates: bool = False
    regexes: bool = False
    raw_strings: bool = False
    text_blocks: bool = False
    directives: bool = False

    @property
    def triggers(self) -> bytes:
        """The last bytes of accesses."""
        return bytes(sorted(self.accesses))

    def start(self) -> Spot:
        """Before the first byte of a file."""
        return Spot()

    def after(self, state: Spot, byte: int) -> Spot:
        """The spot behind a byte."""
        spot = _STEPS[state.mode](self, state, byte)
        return spot._replace(member=True) if self.is_access(state, byte) else spot

    def in_code(self, state: Spot) -> bool:
        """Whether the text ends in code."""
        return state.mode == CODE

    def is_access(self, state: Spot, byte: int) -> bool:
        """Whether the byte is the last of an operator of an access."""
        return (
            state.mode in (CODE, STRING)
            and state.tail in self.accesses.get(byte, ())
            and self._ends(state)
            and state.first not in self.unmonitored
        )

    def others(self, state: Spot) -> bytes:
        """The bytes that may stand in place of a name behind an access: `?.[0]`, `.#private`, `.*pointer`."""
        return self.instead.get(state.tail, b"")

    def blanks(self, state: Spot) -> frozenset[int]:
        """Blanks and line ends."""
        return BLANKS

    def closers(self, state: Spot) -> bytes:
        """What is due, the innermost first: the end of a string or comment, brackets, ticks."""
        ends = {STRING: bytes([state.quote]) * max(state.quotes, 1), COMMENT: b"*/", RAW: b")" + state.word + b'"'}
        ends |= {LINE_COMMENT: b"\n", DIRECTIVE: b"\n", REGEX: b"/"}
        return ends.get(state.mode, b"") + state.open[::-1].replace(CONDITION, b")")

    def outlook(self, state: Spot, depth: int) -> Hashable:
        """Words that can become neither keywords nor the beginning of a string are one, deep brackets are left out."""
        word, first = state.word, state.first
        if state.mode != RAW:
            if word[:1].isdigit():
                word = b"0"
            elif len(word) > 3 and not any(each.startswith(word) for each in self.keywords | self.unmonitored):
                word = b"~~~"
        if first is not None:
            first = min(self.unmonitored) if first in self.unmonitored else b""
        return state._replace(word=word, last=b"", first=first, open=state.open[-depth - 1 :])

    def literal(self, state: Spot, last: int) -> bytes:
        """Nothing: a string's type is asked for where it stands."""
        return b""

    def is_own(self, state: Spot) -> bool:
        """Whether the text ends in `this`."""
        return (state.word or state.last) in self.own

    def begins(self, state: Spot) -> bool:
        """Never: members are declared, not made by assignment."""
        return False

    def _ends(self, spot: Spot) -> bool:
        """Of code, and of a string of which nothing but a second quote, that closes it, is there."""
        if spot.mode == STRING:
            return spot.quotes == 0 and spot.run == 2
        if spot.word:
            return spot.member or (spot.word not in self.keywords and not spot.word[:1].isdigit())
        return spot.ends

    # ---------------------------------------------------------------------------------------------------------- code

    def _in_code(self, spot: Spot, byte: int) -> Spot:
        if spot.tail == b"/":
            if byte == SLASH:
                return spot._replace(mode=LINE_COMMENT, tail=b"", escaped=False)
            if byte == STAR:
                return spot._replace(mode=COMMENT, tail=b"", run=0)
            if self.regexes and not spot.ends:
                return self._in_regex(spot._replace(mode=REGEX, tail=b"", run=0, escaped=False), byte)
            spot = spot._replace(tail=b"", ends=False)
        if self._goes_on(spot.word, byte):
            spot = self._operator_over(spot)
            return spot._replace(word=spot.word + bytes((byte,)), last=b"")
        if byte in b"\"'`":
            return self._quote(spot, byte)
        spot = self._word_over(spot)
        if byte in BLANKS:
            return self._operator_over(spot)
        word, spot = spot.last, spot._replace(last=b"")
        if byte == SLASH:
            return self._operator_over(spot)._replace(tail=b"/")
        if byte in OPENS or byte in CLOSES:
            return self._bracket(self._operator_over(spot), byte, word)
        if byte == 0x3B:
            return spot._replace(ends=False, tail=b"", first=None)
        if byte == 0x23 and self.directives:
            return Spot(mode=DIRECTIVE, open=spot.open)
        return self._operator(spot, byte)

    def _goes_on(self, word: bytes, byte: int) -> bool:
        """Whether a byte belongs to a word, or begins one."""
        if byte in self.letters.all:
            return True
        return word[:1].isdigit() and (byte == DOT or (byte == 0x27 and self.raw_strings))

    def _quote(self, spot: Spot, byte: int) -> Spot:
        spot = self._operator_over(spot)
        if byte == TICK:
            if not self.templates:
                return self._operator(self._word_over(spot), byte)
            return self._word_over(spot)._replace(mode=TEMPLATE, open=spot.open + b"`", escaped=False, run=0, last=b"")
        if byte == QUOTE and self.raw_strings and spot.word in (b"R", b"LR", b"uR", b"UR", b"u8R"):
            return spot._replace(mode=RAW, word=b"", run=-1)
        counted = 0 if byte == QUOTE and self.text_blocks else 1
        spot = self._word_over(spot)
        return spot._replace(mode=STRING, quote=byte, quotes=counted, run=1 - counted, escaped=False, last=b"")

    def _bracket(self, spot: Spot, byte: int, word: bytes) -> Spot:
        """A bracket, `word` before it."""
        spot = spot._replace(first=None) if byte in b"{}" else spot
        if byte in OPENS:
            due = CONDITION if word in CONTROL else bytes((OPENS[byte],))
            return spot._replace(open=spot.open + due, ends=False)
        spot = spot._replace(open=spot.open[:-1], ends=byte != BRACE and not spot.open.endswith(CONDITION))
        if byte == BRACE and spot.open.endswith(b"`"):
            return spot._replace(mode=TEMPLATE, escaped=False, run=0)
        return spot

    def _operator(self, spot: Spot, byte: int) -> Spot:
        """An operator's byte: it ends the expression before, unless `++`, `--` behind it, or what goes on to an
        access."""
        if spot.ends and spot.tail == bytes((byte,)) and byte in b"+-":
            return spot._replace(tail=b"")
        tail = spot.tail + bytes((byte,))
        goes_on = tail in (b"+", b"-") or any(tail in before for before in self.accesses.values())
        return spot._replace(tail=tail) if spot.ends and goes_on else spot._replace(tail=b"", ends=False)

    def _operator_over(self, spot: Spot) -> Spot:
        """What follows is no part of the operator, if there is one."""
        return spot._replace(tail=b"", ends=False) if spot.tail else spot

    def _word_over(self, spot: Spot) -> Spot:
        """What follows is no part of the word, if there is one."""
        if not spot.word:
            return spot._replace(member=False)
        first, ends = spot.word if spot.first is None else spot.first, spot.member or spot.word not in self.keywords
        last = b"." + spot.word if spot.member else spot.word
        return spot._replace(word=b"", last=last, ends=ends, first=first, member=False)

    # ------------------------------------------------------------------------------------------------ what is no code

    def _in_string(self, spot: Spot, byte: int) -> Spot:
        if spot.quotes == 0:  # its first quotes
            if byte == spot.quote:
                return spot._replace(run=2) if spot.run == 1 else spot._replace(quotes=3, run=0)
            if spot.run == 2:
                return self._in_code(_closed(spot), byte)
            spot = spot._replace(quotes=1, run=0)
        if spot.escaped:
            return spot._replace(escaped=False, run=0)
        if byte == BACKSLASH:
            return spot._replace(escaped=True, run=0)
        if byte == spot.quote:
            return _closed(spot) if spot.run + 1 == spot.quotes else spot._replace(run=spot.run + 1)
        if spot.quotes == 1 and byte in LINE_ENDS:  # never closed
            return _closed(spot)
        return spot._replace(run=0)

    def _in_template(self, spot: Spot, byte: int) -> Spot:
        if spot.escaped:
            return spot._replace(escaped=False, run=0)
        if byte == BACKSLASH:
            return spot._replace(escaped=True, run=0)
        if byte == TICK:
            return spot._replace(mode=CODE, open=spot.open[:-1], run=0, ends=True)
        if byte == 0x7B and spot.run:
            return spot._replace(mode=CODE, open=spot.open + b"}", run=0, ends=False)
        return spot._replace(run=int(byte == 0x24))

    def _in_regex(self, spot: Spot, byte: int) -> Spot:
        if byte in LINE_ENDS:  # never closed
            return spot._replace(mode=CODE, run=0, escaped=False, ends=False)
        if spot.escaped or byte == BACKSLASH:
            return spot._replace(escaped=not spot.escaped)
        if byte == SLASH and not spot.run:
            return spot._replace(mode=CODE, ends=True)
        return spot._replace(run=1) if byte == 0x5B else spot._replace(run=0) if byte == 0x5D else spot

    def _in_raw(self, spot: Spot, byte: int) -> Spot:
        if spot.run < 0:
            return spot._replace(run=0) if byte == 0x28 else spot._replace(word=spot.word + bytes((byte,)))
        end = b")" + spot.word + b'"'
        run = spot.run + 1 if byte == end[spot.run] else int(byte == end[0])
        return _closed(spot) if run == len(end) else spot._replace(run=run)

    def _in_line_comment(self, spot: Spot, byte: int) -> Spot:
        return spot._replace(mode=CODE) if byte in LINE_ENDS else spot

    def _in_comment(self, spot: Spot, byte: int) -> Spot:
        return spot._replace(mode=CODE, run=0) if spot.run and byte == SLASH else spot._replace(run=int(byte == STAR))

    def _in_directive(self, spot: Spot, byte: int) -> Spot:
        if byte in LINE_ENDS and not spot.escaped:
            return Spot(open=spot.open)
        return spot._replace(escaped=byte == BACKSLASH or (spot.escaped and byte == 0x0D))


_STEPS = (
    CLike._in_code, CLike._in_string, CLike._in_template, CLike._in_regex, CLike._in_raw, CLike._in_line_comment,
    CLike._in_comment, CLike._in_directive,
)  # fmt: skip


def _closed(spot: Spot) -> Spot:
    return spot._replace(mode=CODE, quote=0, quotes=0, run=0, escaped=False, word=b"", ends=True)


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


TYPESCRIPT = CLike(
    name="typescript",
    accesses={DOT: frozenset((b"", b"?", b"!"))},
    instead={b"": b"#", b"!": b"#", b"?": b"#[(`0123456789"},
    keywords=_words(
        "break case catch class const continue debugger default delete do else enum export extends finally for "
        "function if import in instanceof new return switch throw try typeof var void while with yield await"
    ),
    unmonitored=_words("import"),
    letters=DOLLAR_LETTERS,
    templates=True,
    regexes=True,
)
JAVA = CLike(
    name="java",
    accesses={DOT: frozenset((b"",)), 0x3A: frozenset((b":",))},
    instead={b"": b"<.", b":": b"<"},  # `String... names`
    keywords=_words(
        "abstract assert break case catch const continue default do else enum extends final finally for goto if "
        "implements import instanceof interface native new package private protected public return static strictfp "
        "switch synchronized throw throws transient try volatile while"
    ),
    unmonitored=_words("import package"),
    letters=DOLLAR_LETTERS,
    text_blocks=True,
)
CPP = CLike(
    name="cpp",
    accesses={DOT: frozenset((b"",)), 0x3E: frozenset((b"-",)), 0x3A: frozenset((b":",))},
    instead={b"": b"~*.", b"-": b"~*", b":": b"~*"},  # `Names... names`
    keywords=_words(
        "alignas alignof asm break case catch class concept const consteval constexpr constinit continue co_await "
        "co_return co_yield default delete do else enum explicit export extern for friend goto if inline mutable "
        "namespace new noexcept operator private protected public register requires return sizeof static static_assert "
        "struct switch template throw try typedef typeid typename union using virtual volatile while"
    ),
    unmonitored=_words("namespace"),
    raw_strings=True,
    directives=True,
)
