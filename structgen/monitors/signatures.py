"""The signatures of a function -> which arguments may come next, and whether they are all there. Python.

A call is sure to be wrong only where it fits none of them, so overloads are alternatives. Labels of the Language Server
Protocol are parsed as parameter lists: `(rate: float, /, tax: float = ..., *more: int, unit: str, **rest: int) -> int`.
Source: Python's reference, "Calls" and "Function definitions"; Language Server Protocol 3.17, signature help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Parameter", "Signature", "Signatures", "signature_of"]

OPENS, CLOSES = "([{", ")]}"


class Parameter(NamedTuple):
    """A parameter that takes one argument, by its place or its name or both."""

    name: bytes
    by_place: bool
    by_name: bool
    required: bool


class Signature(NamedTuple):
    """`more`: any number of places (`*args`); `any_name`: any keyword (`**kwargs`)."""

    parameters: tuple[Parameter, ...]
    more: bool = False
    any_name: bool = False

    def names(self, places: int, names: Sequence[bytes]) -> frozenset[bytes]:
        """The keywords that may still come behind so many arguments and these keywords."""
        taken = self._by_place[:places]
        return frozenset(p.name for p in self.parameters if p.by_name and p not in taken and p.name not in names)

    def fits(self, places: int, names: Sequence[bytes]) -> bool:
        """Whether so many arguments and these keywords may stand in a call."""
        if (places > len(self._by_place) and not self.more) or len(set(names)) < len(names):
            return False
        known = {p.name for p in self.parameters if p.by_name}
        return set(names) <= self.names(places, ()) or (
            self.any_name and not set(names) & (known - self.names(places, ()))
        )

    def has_place(self, places: int) -> bool:
        """Whether another argument may come by its place."""
        return self.more or places < len(self._by_place)

    def is_complete(self, places: int, names: Sequence[bytes]) -> bool:
        """Whether all that is required is there."""
        given = self._by_place[:places]
        return all(p in given or (p.by_name and p.name in names) for p in self.parameters if p.required)

    @property
    def _by_place(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.by_place)


Signatures = tuple[Signature, ...]


def signature_of(label: str, shown: Sequence[str]) -> list[Signature]:
    """The signatures that a label may mean; none if it says nothing. `shown`: the labels of its parameters.

    A first parameter that is not among these (`self`) may have to be given or not, so both are meant.
    """
    inside = _inside(label)
    if inside is None or "..." in (pieces := list(_pieces(inside))):
        return []
    found, places, more, any_name = list[Parameter](), True, False, False
    for piece in pieces:
        name, required = _name(piece), not _has_default(piece)
        if piece == "/":
            found = [p._replace(by_name=False) for p in found]
        elif piece.startswith("**"):
            any_name = True
        elif piece.startswith("*"):
            places, more = False, more or len(piece) > 1
        elif not name.isidentifier():
            return []
        else:
            found.append(Parameter(name.encode(), places, True, required))
    whole = Signature(tuple(found), more, any_name)
    hidden = bool(pieces) and pieces[0] not in shown and found[:1] != [] and not pieces[0].startswith("*")
    return [whole, whole._replace(parameters=tuple(found[1:]))] if hidden else [whole]


def _inside(label: str) -> str | None:
    """What stands between the first round brackets that are in no others."""
    start = next((at for at, letter, depth in _depths(label) if letter == "(" and depth == 1), None)
    if start is None:
        return None
    end = next((at for at, letter, depth in _depths(label[start:]) if letter == ")" and depth == 0), None)
    return None if end is None else label[start + 1 : start + end]


def _depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Every letter outside strings, with its place and how many brackets are open behind it."""
    depth, quote, escaped = 0, "", False
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
            continue
        if letter in "\"'":
            quote = letter
        depth += (letter in OPENS) - (letter in CLOSES)
        yield at, letter, depth


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for at, letter, depth in _depths(text):
        if letter == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


def _name(piece: str) -> str:
    return piece.partition(":")[0].partition("=")[0].strip()


def _has_default(piece: str) -> bool:
    return any(letter == "=" and depth == 0 for _, letter, depth in _depths(piece))
