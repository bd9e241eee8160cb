"""Where a JSON text stands, as far as arrays of distinct elements need to know: a trace.

A trace is an immutable value: inside a string or not, the open containers, and the text since the outermost watched
array's present element began, without white space. Elements are compared as JSON values: 1 is 1.0, the order of members
does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from decimal import Decimal
from typing import NamedTuple

from structgen.errors import LimitExceeded
from structgen.grammars.ir import NEVER
from structgen.grammars.json_schema.terms import value_key

__all__ = ["EMPTY_TRACE", "PLAIN", "Frame", "Trace", "element_key", "events", "squeezed"]

OUTSIDE, INSIDE, ESCAPED = range(3)  # of a string; after its backslash
QUOTE, BACKSLASH, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP = b'"\\,:[]{}'


STRUCTURE = frozenset((COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP))


class Frame(NamedTuple):
    """An open container. The fields of a watched one, an array whose elements or an object whose keys must differ:

    before   configuration ahead of its bracket
    safe     with how many elements values may run out; NEVER
    seen     of its elements (of an object: keys), each in a form that can be compared
    start    where in the trace's text the present element begins
    read     how much of that text the followers have read
    live     earlier elements that the present one may still repeat, each with its follower's state; none in a member's
             value
    """

    is_list: bool
    is_watched: bool = False
    before: int = 0
    safe: int = 0
    seen: tuple[Hashable, ...] = ()
    start: int = 0
    read: int = 0
    live: tuple[tuple[Hashable, int], ...] = ()

    @property
    def is_scarce(self) -> bool:
        """Whether there may be too few values left for the elements to come."""
        return self.safe != NEVER and len(self.seen) >= self.safe


class Trace(NamedTuple):
    """See the module. Outside watched arrays `text` is empty, so that equal places are equal traces."""

    lex: int = OUTSIDE
    frames: tuple[Frame, ...] = ()
    text: bytes = b""

    @property
    def watched(self) -> tuple[Frame, ...]:
        """The open containers whose elements or keys must differ, outermost first."""
        return tuple(frame for frame in self.frames if frame.is_watched)


EMPTY_TRACE = Trace()
PLAIN = {OPEN_LIST: Frame(True), OPEN_MAP: Frame(False)}


def events(lex: int, data: bytes) -> Iterator[tuple[int, int, int]]:
    """The bytes outside strings that give structure, as (position, byte, lex); last (length, 0, lex)."""
    for at, byte in enumerate(data):
        if lex == ESCAPED:
            lex = INSIDE
        elif byte == QUOTE:
            lex = OUTSIDE if lex == INSIDE else INSIDE
        elif lex == INSIDE:
            lex = ESCAPED if byte == BACKSLASH else INSIDE
        elif byte in STRUCTURE:
            yield at, byte, lex
    yield len(data), 0, lex


def squeezed(lex: int, data: bytes) -> bytes:
    """The bytes without white space outside strings, so that blanks make no new traces."""
    if not any(blank in data for blank in b" \t\r\n"):
        return data
    kept = bytearray()
    for byte in data:
        if lex == ESCAPED:
            lex = INSIDE
        elif byte == QUOTE:
            lex = OUTSIDE if lex == INSIDE else INSIDE
        elif lex == INSIDE and byte == BACKSLASH:
            lex = ESCAPED
        elif lex == OUTSIDE and byte in b" \t\r\n":
            continue
        kept.append(byte)
    return bytes(kept)


def element_key(text: bytes) -> Hashable:
    """Equal for texts of equal JSON values, different for different ones."""
    try:
        return value_key(json.loads(text, parse_float=Decimal))
    except RecursionError:
        raise LimitExceeded("an element nests too deeply to compare", limit="element_depth", allowed=1000) from None
