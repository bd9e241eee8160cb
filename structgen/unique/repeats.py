"""Whether what is begun may still become equal to what was written: the beginning of a value against keys of values."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, NamedTuple

from structgen.unique.trace import NO_VALUE, OUTSIDE, QUOTE, Frame, Trace
from structgen.unique.values import (
    Number,
    digits_ahead,
    kind_of,
    number_of,
    open_string,
    pending_bytes,
    scalar_key,
    significant,
    spellings,
)

__all__ = ["likeness", "may_repeat"]

LITERALS: dict[Hashable, bytes] = {None: b"null", ("bool", True): b"true", ("bool", False): b"false"}


class Targets(NamedTuple):
    """What is left to become equal to, of the keys seen, where a scalar, a name or nothing is begun.

    keys     the values that the scalar may be; `strings` and `numbers` those among them, numbers by their first digit
             that counts
    objects  the members of the objects that the innermost one, whose next name is begun, may be
    """

    keys: frozenset[Hashable]
    strings: tuple[str, ...]
    numbers: dict[str, tuple[Number, ...]]
    objects: tuple[frozenset[tuple[str, Hashable]], ...]


def may_repeat(trace: Trace) -> bool:
    """Whether an element or name that is begun may still become one that was written. False is always right."""
    is_begun = bool(trace.text) or trace.done != NO_VALUE
    for at in trace.comparing:
        inner = trace.frames[at + 1 :]
        if (inner or is_begun) and _meets(_targets(trace.frames[at].seen, inner, is_begun), trace, is_begun):
            return True
    return False


@lru_cache(maxsize=256)
def _targets(seen: tuple[Hashable, ...], inner: tuple[Frame, ...], is_begun: bool) -> Targets:
    """The targets below these keys, with the frames between. The tokens of a mask share them: of 200 elements few are
    left, and a mask took up to 33 ms when each was compared with each token."""
    reached = seen
    for depth, frame in enumerate(inner):
        if depth + 1 == len(inner) and not frame.is_list and frame.name is None:
            objects = tuple(key[1] for key in reached if type(key) is tuple and key[0] == "object")
            return Targets(frozenset(), (), {}, objects)
        goes_on = is_begun or depth + 1 < len(inner)
        reached = tuple(key for each in reached for key in _parts_at(frame, each, goes_on))
    numbers: dict[str, list[Number]] = {}
    for number in map(number_of, reached):
        if number is not None:
            numbers.setdefault(significant(number)[0][:1], []).append(number)
    strings = tuple(key for key in reached if type(key) is str)
    return Targets(frozenset(reached), strings, {digit: tuple(some) for digit, some in numbers.items()}, ())


def _parts_at(frame: Frame, key: Any, goes_on: bool) -> tuple[Hashable, ...]:
    """The key that stands in an array or object of this key where the frame goes on, or the key itself where nothing is
    begun; none where the frame cannot become it.

    The elements of an array have to be those at the same places; the members of an object are among those of the key,
    apart from one whose name is being written again.
    """
    if type(key) is not tuple or key[0] != ("array" if frame.is_list else "object"):
        return ()
    if frame.is_list:
        size = len(frame.parts)
        if frame.parts != key[1][:size]:
            return ()
        return key[1][size : size + 1] if goes_on else (key,)
    members = dict(key[1])
    if frame.name not in members or not all(part in key[1] for part in frame.parts if part[0] != frame.name):  # type: ignore[index]
        return ()
    return (members[frame.name],) if goes_on else (key,)


def _meets(targets: Targets, trace: Trace, is_begun: bool) -> bool:
    """Whether what is begun may become one of the targets."""
    if targets.objects:
        return any(_members_fit(trace.frames[-1], trace, members) for members in targets.objects)
    if not is_begun:
        return bool(targets.keys)
    if trace.done != NO_VALUE:
        return trace.done in targets.keys
    text = trace.text
    if text[0] == QUOTE:
        if trace.lex == OUTSIDE:
            return scalar_key(text) in targets.keys
        begun, is_whole = open_string(text)
        likely = (string for string in targets.strings if string.startswith(begun))
        return any(is_whole or _may_spell(text, string) for string in likely)
    if text[0] in b"tfn":
        return any(LITERALS.get(key, b"").startswith(text) for key in targets.keys if kind_of(key) == "literal")
    first = text.lower().partition(b"e")[0].replace(b".", b"").lstrip(b"-0")[:1].decode()
    some = (targets.numbers.get(first, ()),) if first else targets.numbers.values()
    return any(_may_lead(text, number) for numbers in some for number in numbers)


def _members_fit(frame: Frame, trace: Trace, members: frozenset[tuple[str, Hashable]]) -> bool:
    """Whether an object in which no value is begun may become one of these members."""
    others = frame.parts
    if trace.text:
        begun, _ = open_string(_content(trace))
        is_whole = trace.lex == OUTSIDE
        names = [name for name, _ in members if (name == begun if is_whole else _may_spell(trace.text, name))]
        if not names:
            return False
        others = tuple(part for part in others if part[0] not in names)  # type: ignore[index]
    return members.issuperset(others)


@lru_cache(maxsize=1 << 15)
def _may_lead(text: bytes, number: Number) -> bool:
    """Whether the beginning of a number may become this one. Remembered, as each is asked for with each token of a
    mask: 7 µs otherwise."""
    return digits_ahead(text.decode(), number) is not None


def _may_spell(text: bytes, string: str) -> bool:
    """Whether a string that breaks off may become this one."""
    begun, is_whole = open_string(text)
    if not string.startswith(begun):
        return False
    if is_whole:
        return True
    pending = pending_bytes(text).lower()
    following = string[len(begun) :][:1]
    return bool(following) and any(way.lower().startswith(pending) for way in spellings(following))


def _content(trace: Trace) -> bytes:
    """The string that is begun, without the quotation mark that ends it."""
    return trace.text[:-1] if trace.lex == OUTSIDE else trace.text


def likeness(trace: Trace) -> Hashable:
    """Equal for traces of the same frames that go on alike, as far as values are concerned; numbers of equal value do
    where they take no digits that count."""
    text = trace.text
    if not text or text[0] in b"tfn":
        return text, trace.done
    if text[0] == QUOTE:
        if trace.lex == OUTSIDE:
            return scalar_key(text), True
        return open_string(text)[0], pending_bytes(text).lower() if b"\\" in text or text[-1] > 0x7F else b""
    mantissa, mark, power = text.lower().partition(b"e")
    bare = mantissa.rstrip(b".")
    sign = power if not power.strip(b"+-") else b""
    value = bare if not bare.strip(b"-") else scalar_key(bare + (b"" if sign == power else mark + power))
    return value, mark, sign, mantissa[-1:] == b".", b"." in mantissa
