"""Where a JSON text stands, as far as arrays of distinct elements need to know: a trace.

A trace is an immutable value: inside a string or not, the open containers, and the text since the outermost watched
array's present element began, without white space. Elements are compared as JSON values: 1 is 1.0, the order of members
does not matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import count, product
from typing import Any, NamedTuple

from structgen.errors import InvariantError, LimitExceeded
from structgen.grammars.ir import NEVER
from structgen.grammars.json_schema.terms import value_key

__all__ = [
    "EMPTY_TRACE",
    "PLAIN",
    "Frame",
    "Trace",
    "decoded",
    "element_key",
    "events",
    "exact_number",
    "freshened",
    "kind_of",
    "lex_after",
    "may_repeat",
    "numbers_of",
    "open_string",
    "pending_bytes",
    "spellings",
    "strings_of",
    "whole_string",
    "without_blanks",
]

OUTSIDE, INSIDE, ESCAPED = range(3)  # of a string; after its backslash
QUOTE, BACKSLASH, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP = b'"\\,:[]{}'


MOST_DIGITS = 4000  # that int() reads
STRUCTURE = frozenset((COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP))


class Frame(NamedTuple):
    """An open container. The fields of a watched one, an array whose elements or an object whose keys must differ:

    before   configuration ahead of its bracket
    safe     with how many elements values may run out; NEVER
    seen     of its elements (of an object: keys), each in a form that can be compared
    start    where in the trace's text the present element begins; NEVER in the value of a member
    shared   something else may begin with the same bracket: other containers, or text that is no JSON
    """

    is_list: bool
    is_watched: bool = False
    before: int = 0
    safe: int = 0
    seen: tuple[Hashable, ...] = ()
    start: int = 0
    shared: bool = False

    @property
    def may_run_out(self) -> bool:
        """Whether there may be too few values left for the elements to come."""
        return self.safe != NEVER and len(self.seen) >= self.safe


class Trace(NamedTuple):
    """See the module. Outside watched containers there are no frames and no text, so that equal places are equal
    traces; `lex` is a guess there: what surrounds them need not be JSON."""

    lex: int = OUTSIDE
    frames: tuple[Frame, ...] = ()
    text: bytes = b""

    @property
    def watched(self) -> tuple[Frame, ...]:
        """The open containers whose elements or keys must differ, outermost first."""
        return tuple(frame for frame in self.frames if frame.is_watched)


EMPTY_TRACE = Trace()
CONTAINERS = {OPEN_LIST: "array", OPEN_MAP: "object"}
PLAIN = {OPEN_LIST: Frame(True), OPEN_MAP: Frame(False)}


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


def element_key(text: bytes) -> Hashable:
    """Equal for texts of equal JSON values, different for different ones."""
    try:
        return value_key(json.loads(text, parse_float=exact_number, parse_int=exact_number))
    except RecursionError:
        raise LimitExceeded("an element nests too deeply to compare", limit="element_depth", allowed=1000) from None


@dataclass(frozen=True, slots=True)
class Huge:
    """A number not 0 whose exponent is beyond what Decimal takes: significant digits, sign included, and exponent."""

    digits: int
    exponent: int


def exact_number(digits: str) -> int | Decimal | Huge:
    """The number, whatever its length and exponent."""
    if len(digits) < MOST_DIGITS and digits.lstrip("-").isdecimal():
        return int(digits)
    try:
        return Decimal(digits)
    except InvalidOperation:  # its exponent
        mantissa, _, exponent = digits.lower().partition("e")
        before, _, after = mantissa.partition(".")
        significant = (before + after).rstrip("0")
        if not significant.strip("-0"):
            return 0
        dropped = len(before + after) - len(significant)
        return Huge(int(significant), int(exponent) - len(after) + dropped)


# ------------------------------------------------------------------------------------------- what may still be equal

OPEN_STRING = re.compile(rb'(?:[^"]|"(?:[^"\\]|\\.)*")*"((?:[^"\\]|\\.)*\\?)', re.DOTALL)
CHARACTERS = re.compile(r'(?:[^\\"]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', re.DOTALL)


def open_string(text: bytes) -> tuple[str, bool]:
    """The characters so far of the string that a text breaks off in, and whether they are whole: else the last ones may
    still change, and are left out."""
    found = OPEN_STRING.fullmatch(text)
    if found is None:
        raise InvariantError("TRACE", f"{text!r} does not end in a string")
    characters = decoded(found[1])
    return characters, found[1] == characters.encode("utf-8", "surrogatepass") or _is_whole(found[1])


def pending_bytes(text: bytes) -> bytes:
    """What the string that a text breaks off in has of a character that is not complete."""
    found = OPEN_STRING.fullmatch(text)
    assert found is not None
    characters, content = decoded(found[1]), found[1]
    for size in range(1, len(content) + 1):
        if whole_string(content[:-size]) == characters:
            return content[-size:]
    return content


@lru_cache(maxsize=1024)
def spellings(char: str) -> tuple[bytes, ...]:
    """The ways to write a character in a JSON string, escapes with digits in lower case."""
    units = char.encode("utf-16-be", "surrogatepass")
    long = b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2))
    short = {
        '"': b'\\"',
        "\\": b"\\\\",
        "/": b"\\/",
        "\b": b"\\b",
        "\f": b"\\f",
        "\n": b"\\n",
        "\r": b"\\r",
        "\t": b"\\t",
    }
    return (char.encode("utf-8", "surrogatepass"), long, *((short[char],) if char in short else ()))


def decoded(content: bytes) -> str:
    """The characters that the beginning of a string's content surely stands for."""
    whole = CHARACTERS.match(content.decode("utf-8", "ignore"))
    assert whole is not None
    characters: str = json.loads(f'"{whole[0]}"', strict=False)
    return characters[:-1] if characters and "\ud800" <= characters[-1] < "\udc00" else characters


def whole_string(content: bytes) -> str | None:
    """The characters that a string's content stands for; None if it is no whole content."""
    if b"\\" in content:
        return decoded(content) if _is_whole(content) else None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _is_whole(content: bytes) -> bool:
    try:
        characters: str = json.loads(b'"' + content + b'"')
    except ValueError:
        return False
    return not ("\ud800" <= characters[-1:] < "\udc00")


SCALARS = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<name>\s*:)?|-?[0-9][0-9.eE+-]*', re.DOTALL)
FRESH = (900, 100, 10, 0)  # numbers from which on one is looked for that was not written


def freshened(lex: int, rest: bytes, taken: Container[object]) -> Iterator[bytes]:
    """A completion with letters or a number of its own, none of those `taken`, in each string and number that is a
    value, then in names as well; the string that is open at its beginning included. Where none is a completion that
    repeats no element, another has to be looked for."""
    opened = {OUTSIDE: b"", INSIDE: b'"', ESCAPED: b'"\\'}[lex]
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


@lru_cache(maxsize=4096)
def strings_of(key: Hashable) -> frozenset[str]:
    """The strings in a value, names of members included, from its key."""
    match key:
        case str():
            return frozenset((key,))
        case ("array", tuple(items)):
            return frozenset().union(*map(strings_of, items))
        case ("object", frozenset() as members):
            return frozenset().union(*(strings_of(item) | {name} for name, item in members))
    return frozenset()


@lru_cache(maxsize=4096)
def numbers_of(key: Hashable) -> frozenset[int | Decimal | Huge]:
    """The numbers in a value, from its key."""
    match key:
        case Huge():
            return frozenset((key,))
        case ("number", int() | Decimal() as number):
            return frozenset((number,))
        case ("array", tuple(items)):
            return frozenset().union(*map(numbers_of, items))
        case ("object", frozenset() as members):
            return frozenset().union(*(numbers_of(item) for _, item in members))
    return frozenset()


def kind_of(key: Hashable) -> str:
    """array, object, string, number or literal."""
    if isinstance(key, str):
        return "string"
    name = key[0] if isinstance(key, tuple) else "number" if isinstance(key, Huge) else "literal"
    return "literal" if name == "bool" else str(name)


def may_repeat(frame: Frame, lex: int, text: bytes) -> bool:
    """Whether the element that a watched container is in the middle of may still become equal to an earlier one. False
    is always right."""
    if frame.start == NEVER or not frame.seen or len(text) == frame.start:
        return False
    first = text[frame.start]
    container = CONTAINERS.get(first)
    element = text[frame.start :]
    if lex != OUTSIDE:
        begun, _ = open_string(element)
        return any(
            any(each.startswith(begun) for each in strings_of(key)) and (not container or _may_become(element, key))
            for key in frame.seen
            if kind_of(key) == (container or "string")
        )
    if first == QUOTE:
        return element_key(element) in frame.seen
    if first in CONTAINERS:
        return any(_may_become(element, key) for key in frame.seen if kind_of(key) == container)
    kind = "literal" if first in b"tfn" else "number"
    return any(kind_of(key) == kind for key in frame.seen)


def _may_become(text: bytes, key: Hashable) -> bool:
    """Whether the beginning of an array or object may be one of the value of this key: its elements are those at the
    same places, its members are among those, and so is the name of one that is begun. (A member may be written again,
    with another value: then the question is asked again.)"""
    assert isinstance(key, tuple)
    parts, name = complete_parts(text)
    if text[0] == OPEN_LIST:
        return parts == key[1][: len(parts)]  # type: ignore[no-any-return]
    names = {each for each, _ in key[1]}
    return key[1].issuperset(parts) and (name is None or name in names)


@lru_cache(maxsize=1024)
def complete_parts(text: bytes) -> tuple[tuple[Hashable, ...], str | None]:
    """Of the array or object that a text begins, the elements or members (name, value) that a comma or bracket has
    ended, in forms that can be compared; and the name of a member whose value is begun."""
    parts: list[Hashable] = []
    name, depth, begun = None, 0, 1
    for at, byte, _ in events(OUTSIDE, text):
        if depth == 1 and byte == COLON:
            name, begun = json.loads(text[begun:at]), at + 1
        elif depth == 1 and byte in (COMMA, CLOSE_LIST, CLOSE_MAP):
            if begun < at:
                value = element_key(text[begun:at])
                parts.append(value if name is None else (name, value))
            name, begun = None, at + 1
        depth += (byte in PLAIN) - (byte in (CLOSE_LIST, CLOSE_MAP))
    return tuple(parts), name
