"""The beginning of an output -> the value it already spells, for streaming.

JSON is closed where it ends: open strings, arrays and objects keep what they have; a key without a value, a literal cut
short and a number that may go on are left out. Linear in the text, each time it is called.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

__all__ = ["partial_value"]

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER = re.compile(r"[-+.0-9eE]+\Z")


def partial_value(data: bytes, *, is_json: bool) -> Any:
    """The value of what is there; None while there is none. A character whose bytes are not all there is left out."""
    text = data.decode("utf-8", errors="ignore")
    if not is_json:
        return text or None
    number = _NUMBER.search(text)
    if number is not None and '"' not in _STRING.sub("", text):  # not inside a string
        text = text[: number.start()]
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:  # nothing but blanks
        return None
