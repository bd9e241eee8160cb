"""The common result of every tokenizer reader: the bytes of each token id, which ids are special, what to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LEADING_SPACE = "adds a leading space to the text it encodes"
SPACE_SYMBOL = "reads U+2581 as a space"

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class TokenTable:
    """What a tokenizer says about its ids.

    tokens   bytes by id; b"" for ids that stand for no text (special, unknown, unused)
    special  ids of special tokens, whose bytes are b""
    stops    ids that end a text, as far as the tokenizer itself knows
    notes    how encoding departs from the plain bytes of its input
    names    ids of special and added tokens by their name, for constraints that use them as single symbols
    """

    tokens: list[bytes]
    special: frozenset[int]
    stops: tuple[int, ...]
    notes: tuple[str, ...] = ()
    names: Mapping[str, int] = field(default_factory=dict)


def fallback_byte(token: str) -> bytes | None:
    """The byte a `<0xHH>` token stands for, None for any other token."""
    match = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(match[1], 16)]) if match else None
