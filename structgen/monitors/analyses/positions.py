"""Where a text ends, in the protocol's words: a line and a column, in the encoding the server chose."""

from __future__ import annotations

import re

__all__ = ["end_of", "offset_of"]

_LINE_END = re.compile(r"\r\n|\n|\r")
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def end_of(text: str, encoding: str) -> dict[str, int]:
    """The position behind a text. A lone carriage return ends a line, too."""
    lines = _LINE_END.split(text)
    return {"line": len(lines) - 1, "character": _width(lines[-1], encoding)}


def offset_of(text: str, position: dict[str, int], encoding: str) -> int:
    """Where a position stands in a text; its end if it lies beyond."""
    start = 0
    for _ in range(position["line"]):
        found = _LINE_END.search(text, start)
        if found is None:
            return len(text)
        start = found.end()
    ends = _LINE_END.search(text, start)
    line = text[start : ends.start() if ends else len(text)]
    codec, unit = _UNITS[encoding]
    data = line.encode(codec, "surrogatepass")[: position["character"] * unit]
    return start + len(data.decode(codec, "ignore"))


def _width(line: str, encoding: str) -> int:
    codec, unit = _UNITS[encoding]
    return len(line.encode(codec, "surrogatepass")) // unit
