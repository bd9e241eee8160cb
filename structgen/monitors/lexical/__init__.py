"""Where in a program a text stands, byte by byte: code, string or comment, what an expression ends in, what is open.

    python.py  Python

A language is a `Lexer`: a start state and functions over hashable states. Nothing is looked up ahead, so a state is
known of every prefix of every text, also in the middle of a token or of a character.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

__all__ = ["NAME_BYTES", "NAME_STARTS", "Lexer"]

_LETTERS = frozenset(range(0x41, 0x5B)) | frozenset(range(0x61, 0x7B)) | {0x5F} | frozenset(range(0x80, 0xF5))
NAME_STARTS: frozenset[int] = _LETTERS  # bytes of characters beyond ASCII stand in names, whatever they are
NAME_BYTES: frozenset[int] = _LETTERS | frozenset(range(0x30, 0x3A))


class Lexer(Protocol):
    """One language. States are hashable and equal where everything behind them is read alike."""

    name: str

    def start(self) -> Hashable:
        """Before the first byte."""
        ...

    def after(self, state: Any, byte: int) -> Hashable:
        """The state behind a byte."""
        ...

    def is_access(self, state: Any, byte: int) -> bool:
        """Whether a member of the expression that ends in this state is due behind the byte: the dot of `parcel.`."""
        ...

    def blanks(self, state: Any) -> frozenset[int]:
        """The bytes that may stand between such a dot and the name."""
        ...

    def closers(self, state: Any) -> bytes:
        """The brackets that are open, closed: the innermost first."""
        ...

    def outlook(self, state: Any, depth: int) -> Hashable:
        """A state from which every text that closes at most `depth` brackets is read like from this one, as far as
        accesses and what may stand before a name go: of many states the same."""
        ...

    def is_own(self, state: Any) -> bool:
        """Whether what ends here is the object that a method belongs to, whose members may be defined elsewhere."""
        ...

    def begins(self, state: Any) -> bool:
        """Whether what ends here begins a statement, so that a member of it may be made."""
        ...
