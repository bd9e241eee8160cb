"""Whether what is begun may still become equal to what was written: the beginning of a value against keys of values."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

from structgen.unique.trace import NO_VALUE, OUTSIDE, QUOTE, Frame, Trace
from structgen.unique.values import Number, digits_ahead, number_of, open_string, pending_bytes, scalar_key, spellings

__all__ = ["likeness", "may_repeat"]

NUMERIC = tuple(bytes((byte,)) for byte in b"-0123456789")
LITERALS: dict[Hashable, bytes] = {None: b"null", ("bool", True): b"true", ("bool", False): b"false"}


def may_repeat(trace: Trace) -> bool:
    """Whether an element or name that is begun may still become one that was written. False is always right."""
    for at in trace.comparing:
        inner = trace.frames[at + 1 :]
        if inner or trace.text or trace.done != NO_VALUE:
            seen = trace.frames[at].seen
            if not inner and trace.text[:1] in NUMERIC:
                if any(_may_lead(trace.text, number) for number in _numbers(seen)):
                    return True
            elif any(_may_become(inner, trace, key) for key in seen):
                return True
    return False


@lru_cache(maxsize=64)
def _numbers(keys: tuple[Hashable, ...]) -> tuple[Number, ...]:
    """The numbers among these keys."""
    return tuple(number for number in map(number_of, keys) if number is not None)


def _may_become(inner: tuple[Frame, ...], trace: Trace, key: Any) -> bool:
    """Whether the value that these frames, and what is begun in the last, are the beginning of, may be one of this key.

    The elements of an array have to be those at the same places; the members of an object are among those of the key,
    apart from one whose name is being written again.
    """
    for at, frame in enumerate(inner):
        if type(key) is not tuple or key[0] != ("array" if frame.is_list else "object"):
            return False
        is_begun = at + 1 < len(inner) or bool(trace.text) or trace.done != NO_VALUE
        if frame.is_list:
            size = len(frame.parts)
            if frame.parts != key[1][:size]:
                return False
            if not is_begun:
                return True
            if size == len(key[1]):
                return False
            key = key[1][size]
            continue
        if frame.name is None:
            return _members_fit(frame, trace, key[1])
        members = dict(key[1])
        if frame.name not in members or not all(part in key[1] for part in frame.parts if part[0] != frame.name):  # type: ignore[index]
            return False
        if not is_begun:
            return True
        key = members[frame.name]
    return _scalar_may_become(trace, key)


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


def _scalar_may_become(trace: Trace, key: Hashable) -> bool:
    if trace.done != NO_VALUE:
        return trace.done == key
    text = trace.text
    if text[0] == QUOTE:
        if trace.lex == OUTSIDE:
            return type(key) is str and scalar_key(text) == key
        return type(key) is str and _may_spell(text, key)
    if text[0] in b"tfn":
        return LITERALS.get(key, b"").startswith(text)
    number = number_of(key)
    return number is not None and _may_lead(text, number)


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
