"""Where a JSON text stands, as far as arrays of distinct elements need to know: a trace.

A trace is an immutable value: inside a string or not, the open containers with what was written of those whose values
matter, and the scalar that is begun. Values stand in it as keys (values.py), so that texts which mean the same lead to
the same trace, and what was written is never read again.
"""

from __future__ import annotations

import re
from collections.abc import Container, Hashable, Iterator
from itertools import count, product
from typing import Any, NamedTuple

from structgen.grammars.ir import NEVER

__all__ = [
    "CLOSE_LIST",
    "CLOSE_MAP",
    "COLON",
    "COMMA",
    "EMPTY_TRACE",
    "ENDS",
    "ESCAPED",
    "INSIDE",
    "NO_VALUE",
    "OPENED",
    "OUTSIDE",
    "PLAIN",
    "QUOTE",
    "Frame",
    "Trace",
    "events",
    "freshened",
    "lex_after",
    "without_blanks",
]

OUTSIDE, INSIDE, ESCAPED = range(3)  # of a string; after its backslash
QUOTE, BACKSLASH, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP = b'"\\,:[]{}'
STRUCTURE = frozenset((COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP))
ENDS = {True: (COMMA, CLOSE_LIST), False: (COLON,)}  # what ends an element of an array, a key of an object
NO_VALUE = ("none",)  # where a value's key would stand


class Frame(NamedTuple):
    """An open container.

    is_watched  an array whose elements or an object whose keys must differ
    before      of a watched one: the configuration ahead of its bracket
    safe        of a watched one: with how many elements values may run out; NEVER
    is_valued   it is inside an element of a watched array
    parts       of a watched or valued one: the keys of its elements; of its members (name, key), each name once
    name        the name of the member whose value is begun
    shared      something else may begin with the same bracket: other containers, or text that is no JSON
    """

    is_list: bool
    is_watched: bool = False
    before: int = 0
    safe: int = 0
    is_valued: bool = False
    parts: tuple[Hashable, ...] = ()
    name: str | None = None
    shared: bool = False

    @property
    def values_matter(self) -> bool:
        """Whether what stands in it is compared."""
        return self.is_valued or (self.is_watched and self.is_list)

    @property
    def scalars_matter(self) -> bool:
        """Whether a string or number that stands here is compared, or a name."""
        return self.is_valued or (self.is_watched and (self.is_list or self.name is None))

    @property
    def may_run_out(self) -> bool:
        """Whether there may be too few values left for the elements to come."""
        return self._scarce(len(self.parts))

    @property
    def may_run_out_next(self) -> bool:
        """Whether there may be once the element that is begun has ended."""
        return self._scarce(len(self.parts) + 1)

    def _scarce(self, written: int) -> bool:
        return self.is_watched and self.safe != NEVER and written >= self.safe

    @property
    def seen(self) -> tuple[Hashable, ...]:
        """The keys of elements, the names of members."""
        return self.parts if self.is_list else tuple(part[0] for part in self.parts)  # type: ignore[index]

    @property
    def key(self) -> Hashable:
        """The key of its value, if it ends here."""
        return ("array", self.parts) if self.is_list else ("object", frozenset(self.parts))

    def with_part(self, key: Hashable) -> Frame:
        """The frame behind an element or member. The last of the members of one name counts."""
        if self.is_list:
            return self._replace(parts=(*self.parts, key))
        others = (part for part in self.parts if part[0] != self.name)  # type: ignore[index]
        return self._replace(parts=(*others, (self.name, key if self.is_valued else None)), name=None)


class Trace(NamedTuple):
    """See the module. `text`: of the scalar that is begun, where it matters; `done`: the key of the container that has
    just ended, or NO_VALUE. Outside watched containers there are no frames and no text, so that equal places are equal
    traces; `lex` is a guess there: what surrounds them need not be JSON."""

    lex: int = OUTSIDE
    frames: tuple[Frame, ...] = ()
    text: bytes = b""
    done: Hashable = NO_VALUE

    @property
    def watched(self) -> tuple[Frame, ...]:
        """The open containers whose elements or keys must differ, outermost first."""
        return tuple(frame for frame in self.frames if frame.is_watched)

    @property
    def compared(self) -> tuple[Hashable, ...]:
        """The keys that what is written next is compared with: elements and names."""
        return tuple(key for at in self.comparing for key in self.frames[at].seen)

    @property
    def comparing(self) -> tuple[int, ...]:
        """The places of the frames one of whose elements or names is written next, or goes on."""
        last = len(self.frames) - 1
        return tuple(
            at
            for at, frame in enumerate(self.frames)
            if frame.is_watched and frame.parts and (frame.is_list or (at == last and frame.name is None))
        )


EMPTY_TRACE = Trace()
PLAIN = {OPEN_LIST: Frame(True), OPEN_MAP: Frame(False)}
OPENED = {OUTSIDE: b"", INSIDE: b'"', ESCAPED: b'"\\'}


def events(lex: int, data: bytes, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """The bytes outside strings that give structure, from a position on, as (position, byte, lex); last (length, 0,
    lex)."""
    for at, byte in enumerate(data[start:] if start else data, start):
        if lex == ESCAPED:
            lex = INSIDE
        elif byte == QUOTE:
            lex = OUTSIDE if lex == INSIDE else INSIDE
        elif lex == INSIDE:
            lex = ESCAPED if byte == BACKSLASH else INSIDE
        elif byte in STRUCTURE:
            yield at, byte, lex
    yield len(data), 0, lex


def lex_after(lex: int, data: bytes) -> int:
    """Where a text stands behind `data`, as if all of it were JSON."""
    for _, _, last in events(lex, data):
        lex = last
    return lex


def without_blanks(lex: int, data: bytes) -> bytes:
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


SCALARS = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<name>\s*:)?|-?[0-9][0-9.eE+-]*', re.DOTALL)
FRESH = (900, 100, 10, 0)  # numbers from which on one is looked for that was not written


def freshened(lex: int, rest: bytes, taken: Container[object]) -> Iterator[bytes]:
    """A completion with letters or a number of its own, none of those `taken`, in each string and number that is a
    value, then in names as well; the string that is open at its beginning included. Where none is a completion that
    repeats no element, another has to be looked for."""
    opened = OPENED[lex]
    for first, names in product(FRESH, (False, True)):
        unused, letters = (number for number in count(first) if number not in taken), count()

        def other(found: re.Match[bytes], names: bool = names, unused: Any = unused, letters: Any = letters) -> bytes:
            if not found[0].startswith(b'"'):
                return b"%d" % next(unused)
            if found["name"] and not names:
                return found[0]
            place: int = next(letters)
            own = chr(ord("a") + place % 26).encode() * (1 + place // 26)
            head, _, tail = found[0].rpartition(b'"')
            return b"".join((head, own, b'"', tail))

        yield SCALARS.sub(other, opened + rest)[len(opened) :]
