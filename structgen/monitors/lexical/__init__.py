"""Where in a program a text stands, byte by byte: code, string or comment, what an expression ends in, what is open.

    python.py   Python
    c_like.py   TypeScript, C++, Java
    letters.py  what names are made of

A language is a `Lexer`: a start state and functions over hashable states. Nothing is looked up ahead, so a state is
known of every prefix of every text, also in the middle of a token or of a character. What monitors need of one, also of
what reads more than a language (region.py), is a `Scanner`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from structgen.monitors.lexical.letters import Letters

__all__ = ["Letters", "Lexer", "Scanner"]


class Scanner(Protocol):
    """What a monitor reads texts with. States are hashable and equal where everything behind them is read alike."""

    @property
    def name(self) -> str:
        """Of the language."""
        ...

    @property
    def letters(self) -> Letters:
        """What names are made of."""
        ...

    def after(self, state: Any, byte: int) -> Hashable:
        """The state behind a byte."""
        ...

    def blanks(self, state: Any) -> frozenset[int]:
        """The bytes that may stand between such a byte as a dot and the name."""
        ...

    def outlook(self, state: Any, depth: int) -> Hashable:
        """A state from which every text that closes at most `depth` brackets is read like from this one, as far as
        accesses and what may stand before a name go: of many states the same."""
        ...


class Lexer(Scanner, Protocol):
    """One language."""

    @property
    def triggers(self) -> bytes:
        """The bytes for which `is_access` may hold."""
        ...

    def start(self) -> Hashable:
        """Before the first byte."""
        ...

    def in_code(self, state: Any) -> bool:
        """Whether the text ends in code: in no string and no comment."""
        ...

    def is_access(self, state: Any, byte: int) -> bool:
        """Whether a member of the expression that ends in this state is due behind the byte: the dot of `parcel.`,
        the second colon of `Parcel::`."""
        ...

    def others(self, state: Any) -> bytes:
        """The bytes that may stand in place of a name behind an access; `state` is the one before its last byte."""
        ...

    def closers(self, state: Any) -> bytes:
        """What is due, the innermost first: the end of a string, brackets."""
        ...

    def literal(self, state: Any, last: int) -> bytes:
        """Of a text that ends in a string, whose last byte this is: a short one that has the same members, whatever
        stands before; nothing where there is none."""
        ...

    def is_own(self, state: Any) -> bool:
        """Whether what ends here is the object that a method belongs to, whose members may be defined elsewhere."""
        ...

    def begins(self, state: Any) -> bool:
        """Whether what ends here begins a statement, so that a member of it may be made."""
        ...
