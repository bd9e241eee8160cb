"""JSON values as texts write them: keys that are equal for equal values, numbers of any size, strings that break off.

Elements are compared as JSON values: 1 is 1.0, the order of members does not matter. A number is the digits that count,
from the first that is not 0 to the last, and a power of ten; so it is known which digits can still lead to another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from structgen.grammars.json_schema.terms import value_key

__all__ = [
    "Ahead",
    "Number",
    "decoded",
    "digits_ahead",
    "exact_number",
    "kind_of",
    "n_strings",
    "number_of",
    "numbers_of",
    "open_string",
    "pending_bytes",
    "scalar_key",
    "significant",
    "spellings",
    "strings_of",
    "whole_string",
]

MOST_DIGITS = 4000  # that int() reads


@lru_cache(maxsize=4096)
def scalar_key(text: bytes) -> Hashable:
    """Equal for texts of equal strings, numbers and literals, different for different ones."""
    return value_key(json.loads(text, parse_float=exact_number, parse_int=exact_number))


@dataclass(frozen=True, slots=True)
class Huge:
    """A number not 0 whose exponent is beyond what Decimal takes: significant digits, sign included, and exponent."""

    digits: int
    exponent: int


Number: TypeAlias = int | Decimal | Huge


def significant(number: Number) -> tuple[str, int]:
    """The digits of a number's size from the first that is not 0 to the last, and the power of ten they count."""
    if isinstance(number, Huge):
        digits, exponent = str(abs(number.digits)), number.exponent
    else:
        _, places, power = Decimal(number).as_tuple()
        digits, exponent = "".join(map(str, places)), int(power)
    bare = digits.rstrip("0")
    return bare.lstrip("0"), exponent + len(digits) - len(bare)


def exact_number(digits: str) -> Number:
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


class Ahead(NamedTuple):
    """The digits that lead from the beginning of a number to a number: as many of these as are wanted, behind zeros if
    `after_zeros`; or any digits."""

    digits: str
    after_zeros: bool = False
    any_digits: bool = False


def digits_ahead(begun: str, number: Number, most: int = 0) -> Ahead | None:
    """The first `most` digits that lead from a beginning to the number, None where it leads to other numbers only.

    Digits before an exponent have to be those of the number that count; those of an exponent are its power's.
    """
    digits, exponent = significant(number)
    is_negative = (number.digits if isinstance(number, Huge) else number) < 0
    mantissa, mark, power = begun.lower().partition("e")
    if mantissa and digits and mantissa.startswith("-") != is_negative:
        return None
    written = mantissa.replace(".", "").lstrip("-0")
    if not mark:
        padded = digits.ljust(len(written) + most, "0")
        return Ahead(padded[len(written) :], not written) if padded.startswith(written) else None
    if written.rstrip("0") != digits:
        return None
    if not digits:
        return Ahead("", any_digits=True)
    asked = exponent + len(mantissa.partition(".")[2]) - (len(written) - len(digits))
    before = power.lstrip("+-").lstrip("0")
    if asked == 0:
        return Ahead("0" * most) if not before else None
    if power and (asked < 0) != power.startswith("-"):
        return None
    whole = str(abs(asked))
    return Ahead(whole[len(before) :], not before) if whole.startswith(before) else None


# ---------------------------------------------------------------------------------------- strings that are not complete

CHARACTERS = re.compile(r'(?:[^\\"]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', re.DOTALL)


@lru_cache(maxsize=4096)
def open_string(text: bytes) -> tuple[str, bool]:
    """The characters so far of a string that breaks off, from its quotation mark on, and whether they are whole: else
    the last ones may still change, and are left out."""
    content = text[1:]
    characters = whole_string(content)
    return (decoded(content), False) if characters is None else (characters, True)


@lru_cache(maxsize=4096)
def pending_bytes(text: bytes) -> bytes:
    """What a string that breaks off has of a character that is not complete."""
    characters, content = decoded(text[1:]), text[1:]
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


@lru_cache(maxsize=64)
def n_strings(keys: tuple[Hashable, ...]) -> int:
    """How many strings are in these values, those of each counted."""
    return sum(len(strings_of(key)) for key in keys)


@lru_cache(maxsize=4096)
def numbers_of(key: Hashable) -> frozenset[Number]:
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


def number_of(key: Hashable) -> Number | None:
    """The number that a key stands for, if it is one's."""
    match key:
        case Huge():
            return key
        case ("number", int() | Decimal() as number):
            return number
    return None
