"""Which bytes names are made of. Bytes of characters beyond ASCII stand in names, whatever they are."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DOLLAR_LETTERS", "PLAIN_LETTERS", "Letters"]


class Letters(NamedTuple):
    """The bytes that names begin with, and all that they hold."""

    starts: frozenset[int]
    all: frozenset[int]


_STARTS = frozenset(range(0x41, 0x5B)) | frozenset(range(0x61, 0x7B)) | {0x5F} | frozenset(range(0x80, 0xF5))
_DIGITS = frozenset(range(0x30, 0x3A))
PLAIN_LETTERS = Letters(_STARTS, _STARTS | _DIGITS)
DOLLAR_LETTERS = Letters(_STARTS | {0x24}, _STARTS | _DIGITS | {0x24})
