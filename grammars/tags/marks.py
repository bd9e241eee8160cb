"""Marks of structural tags: texts and special tokens, cut where a text spells a special token of the vocabulary.

`<tool_call>` in a tag means the token of that name where the vocabulary has one that stands for no text, since there
the model cannot write it in any other way; elsewhere it means these eleven characters. `Symbols` says which it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from structgen.errors import OptionError
from structgen.grammars.ir import Expr, Literal, seq, special

__all__ = ["Mark", "Pieces", "Special", "Symbols", "cut", "mark"]


@dataclass(frozen=True, slots=True)
class Special:
    """A special token of the vocabulary, by its name."""

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("a special token has a name", option="name")


Mark: TypeAlias = str | Special
Pieces: TypeAlias = tuple[Mark, ...]  # one after the other; no two texts in a row


@dataclass(frozen=True, slots=True)
class Symbols:
    """The special tokens of a vocabulary that marks may name: by name their ids, and which of them end an output.

    Without a vocabulary there are none, and a text is a text.
    """

    ids: Mapping[str, int] = field(default_factory=dict)
    stops: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        return hash((tuple(self.ids.items()), self.stops))


def cut(text: str, names: Iterable[str]) -> Pieces:
    """A text as pieces: the longest name of a special token wherever one stands, text elsewhere."""
    found = tuple(names)
    if not found:
        return (text,) if text else ()
    parts = _splitter(found).split(text)
    return tuple(Special(part) if at % 2 else part for at, part in enumerate(parts) if part)


@lru_cache(maxsize=64)
def _splitter(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})")


def mark(value: Mark | Sequence[Mark]) -> Expr:
    """A mark, or several pieces in turn, as they are written."""
    if isinstance(value, Special):
        return special(value.name)
    return Literal(value.encode()) if isinstance(value, str) else seq(*map(mark, value))
