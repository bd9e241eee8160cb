"""Which call a Python text stands in, and what of its arguments is there, byte by byte.

A bracket behind an expression opens a call, but not in statements that begin with `def`, `class` or `case`. Where a
comma may mean something else (behind `lambda` and `for`), or how many arguments there are is not to be seen (behind a
star), a call is unsure. Checked against `ast` (tests/monitors).
"""

from __future__ import annotations

from typing import NamedTuple

from structgen.monitors.lexical.letters import PLAIN_LETTERS
from structgen.monitors.lexical.python import BLANKS_AND_LINES, LINE_ENDS, STRING, Python, Spot, ends_expression

__all__ = ["EMPTY", "EQUALS", "NAME", "OTHER", "VALUE", "Call", "CallSpot", "Calls"]

EMPTY, NAME, EQUALS, VALUE, OTHER = range(5)
DEFINING = frozenset((b"def", b"class", b"async", b"case"))
UNSURE = frozenset((b"lambda", b"for"))
COMMA, EQUAL, HASH, STAR, BACKSLASH, OPEN, CLOSE = b",=#*\\()"


class Call(NamedTuple):
    """An open call.

    field     meaning
    at        bytes up to and with its bracket
    places    arguments without a name that are over
    names     of the arguments that have one
    phase     of the argument in hand: EMPTY, a NAME so far, a name and EQUALS (a comparison, or a keyword), the VALUE
              of a keyword, or any OTHER expression
    name      of NAME and EQUALS: the name, once it is whole
    unsure    what its commas mean is unknown
    lines     a line ended in it
    """

    at: int
    places: int = 0
    names: tuple[bytes, ...] = ()
    phase: int = EMPTY
    name: bytes = b""
    unsure: bool = False
    lines: bool = False


class CallSpot(NamedTuple):
    """Where a text stands: what Python's lexer says, bytes so far, and of each open bracket its call, if it is one."""

    inner: Spot
    size: int
    calls: tuple[Call | None, ...]


class Calls:
    """Python with its calls (a lexical.Scanner)."""

    name, letters = "python's calls", PLAIN_LETTERS

    def __init__(self) -> None:
        self._python = Python()

    def start(self) -> CallSpot:
        """Before the first byte of a file."""
        return CallSpot(self._python.start(), 0, ())

    def after(self, state: CallSpot, byte: int) -> CallSpot:
        """The spot behind a byte."""
        spot, calls = state.inner, state.calls
        inner, size = self._python.after(spot, byte), state.size + 1
        if calls and calls[-1] is not None and is_code(spot, byte):
            calls = (*calls[:-1], _within(calls[-1], spot, byte))
        if len(inner.open) > len(spot.open):
            is_call = byte == OPEN and ends_expression(spot) and spot.first not in DEFINING
            calls = (*calls, Call(size) if is_call else None)
        return CallSpot(inner, size, calls[: len(inner.open)])

    def closers(self, state: CallSpot) -> bytes:
        """What is due, the innermost first."""
        return self._python.closers(state.inner)

    def blanks(self, state: CallSpot) -> frozenset[int]:
        """As Python's."""
        return self._python.blanks(state.inner)

    def outlook(self, state: CallSpot, depth: int) -> CallSpot:
        """The state itself: nothing is worked out for many states at once."""
        return state


def is_code(spot: Spot, byte: int) -> bool:
    """Whether a byte is read as code: in no string and no comment, also right behind an empty string."""
    if spot.mode == STRING:
        return spot.quotes == 0 and spot.run == 2 and byte != spot.quote
    return spot.mode == 0


def call_of(state: CallSpot, byte: int) -> Call | None:
    """The call in whose arguments a byte stands, if that is sure."""
    call = state.calls[-1] if state.calls else None
    if call is None or call.unsure or state.inner.word in UNSURE or not is_code(state.inner, byte):
        return None
    return call


def begins_argument(byte: int) -> bool:
    """Whether this byte, where none is begun, begins an argument of which it is known that it is one."""
    return byte not in BLANKS_AND_LINES and byte not in (COMMA, HASH, STAR, BACKSLASH, CLOSE)


def _within(call: Call, spot: Spot, byte: int) -> Call:
    """The call behind a byte of its own."""
    if call.unsure:
        return call
    phase = call.phase
    if spot.word in UNSURE and byte not in PLAIN_LETTERS.all:
        return call._replace(unsure=True)
    if phase == EQUALS:
        if byte == EQUAL:
            return call._replace(phase=OTHER)
        call = call._replace(names=(*call.names, call.name), phase=VALUE)
    if byte == COMMA:
        return call._replace(places=call.places + (phase in (NAME, OTHER)), phase=EMPTY, name=b"")
    if byte in BLANKS_AND_LINES or byte in (HASH, BACKSLASH):
        return call._replace(name=spot.word or call.name, lines=call.lines or byte in LINE_ENDS)
    if phase == EMPTY:
        if byte == STAR:
            return call._replace(unsure=True)
        return call._replace(phase=NAME if byte in PLAIN_LETTERS.starts else OTHER) if begins_argument(byte) else call
    if phase == NAME and byte == EQUAL:
        return call._replace(phase=EQUALS, name=spot.word or call.name)
    if phase == NAME and not (byte in PLAIN_LETTERS.all and spot.word):
        return call._replace(phase=OTHER)
    return call
