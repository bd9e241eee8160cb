"""How a JSON text lays out its blanks, learnt from its beginning: what stands in the next gap.

A container that began with a line break puts each member on a line, indented by its depth; another writes blanks as it
did behind the last comma or colon. `Layout` is where in the text one stands, `Habits` what was learnt.

Cost: a few operations for each byte of the text. Of a text that is no JSON it says something useless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["BLANKS", "CLOSING", "GAPS", "Habits", "Layout"]

BLANKS = frozenset(b" \t\r\n")
_OPENING, CLOSING, GAPS = frozenset(b"{["), frozenset(b"}]"), frozenset(b"{[,:")
_QUOTE, _BACKSLASH, _COMMA = b'"'[0], b"\\"[0], b","[0]


class Layout(NamedTuple):
    """A place in a text.

    field      meaning
    broken     of each container that is open, the outermost first: whether its members stand on lines of their own
    in_string  inside a string; `escaped`: behind a backslash of it
    last       the last byte that was no blank, 0 at the start
    gap        the blanks since then, outside strings
    """

    broken: tuple[bool, ...] = ()
    in_string: bool = False
    escaped: bool = False
    last: int = 0
    gap: bytes = b""

    def after(self, text: bytes, habits: Habits | None = None) -> Layout:
        """The place behind `text`; `habits` learn from its gaps."""
        broken, in_string, escaped, last, gap = self
        for byte in text:
            if in_string:
                in_string = escaped or byte != _QUOTE
                escaped = not escaped and byte == _BACKSLASH
                last = byte
                continue
            if byte in BLANKS:
                gap += bytes((byte,))
                continue
            if last in _OPENING and byte not in CLOSING:
                broken = (*broken[:-1], b"\n" in gap)
            if habits is not None and last in GAPS and byte not in CLOSING:
                habits.learn(last, gap, len(broken))
            if byte in _OPENING:
                broken = (*broken, False)
            elif byte in CLOSING:
                broken = broken[:-1]
            in_string, last, gap = byte == _QUOTE, byte, b""
        return Layout(broken, in_string, escaped, last, gap)


@dataclass(slots=True)
class Habits:
    """What a text did so far: its indentation, and the gap behind each structural byte on one line."""

    unit: bytes = b"  "
    gaps: dict[int, bytes] = field(default_factory=lambda: {b","[0]: b" ", b":"[0]: b" "})
    breaks: dict[int, bool] = field(default_factory=dict)  # by opening byte: whether a line break followed

    def learn(self, byte: int, gap: bytes, depth: int) -> None:
        """A gap behind a structural byte, with so many containers open."""
        if byte in _OPENING:
            self.breaks[byte] = b"\n" in gap
        indent = gap.rpartition(b"\n")[2]
        if b"\n" not in gap:
            self.gaps[byte] = gap
        elif depth and len(indent) % depth == 0 and indent:
            self.unit = indent[: len(indent) // depth]

    def behind(self, place: Layout) -> bytes:
        """The gap behind the last structural byte."""
        if place.last in _OPENING and self.breaks.get(place.last, False):
            return self._line(len(place.broken))
        if place.last == _COMMA and place.broken and place.broken[-1]:
            return self._line(len(place.broken))
        return self.gaps.get(place.last, b"")

    def closing(self, place: Layout) -> bytes:
        """The gap between the last member of a container and its end."""
        return self._line(len(place.broken) - 1) if place.broken and place.broken[-1] else b""

    def _line(self, depth: int) -> bytes:
        return b"\n" + self.unit * depth
