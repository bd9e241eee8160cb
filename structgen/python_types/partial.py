"""The beginning of an output -> the value it already spells, for streaming.

JSON is closed where it ends: open strings, arrays and objects keep what they have, a key without a value and a literal
cut short are left out. Linear in the text, each time it is called.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

__all__ = ["partial_value"]


def partial_value(data: bytes, *, is_json: bool) -> Any:
    """The value of what is there; None while there is none. A character whose bytes are not all there is left out."""
    text = data.decode("utf-8", errors="ignore")
    if not is_json:
        return text or None
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:  # nothing but blanks, or a lone minus sign
        return None
