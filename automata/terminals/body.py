"""Terminal bodies: the expressions of terminals, one object per content and process, and prefixes by number.

A state of a graph is equivalent to a terminal's after a prefix where both allow the same from there on: the prefixes
that front ends promise are numbered here, so that networks hold ints.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen.grammars.ir import Expr

__all__ = ["MANY", "TerminalBody", "place", "prefix_at"]

MANY = 1 << 40  # repetitions: what stands for any bound in a TerminalBody


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class TerminalBody:
    """A Terminal expression, once per process and content. `number` tells it apart; `digest` is of what it compiles to,
    the same in every process.

    One whose only counter is `unit{low, high}` is known without its bounds: `counted` is then True, and `body` has MANY
    in their place.
    """

    number: int
    body: Expr
    digest: str
    counted: bool
    size: int  # of the program


_places: dict[bytes, int] = {}
_prefixes: list[bytes] = []


def place(prefix: bytes | None) -> int:
    """The number of a prefix in the promises of `equivalent`; -1 for none."""
    if prefix is None:
        return -1
    if prefix not in _places:
        _places[prefix] = len(_prefixes)
        _prefixes.append(prefix)
    return _places[prefix]


def prefix_at(number: int) -> bytes:
    """The prefix of this number."""
    return _prefixes[number]
