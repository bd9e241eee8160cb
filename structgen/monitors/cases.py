"""Cases: behind `case` of a switch over an enum comes one of its constants. Java.

The same questions as for members (members.py), at other places. Where what is switched on is no enum, as far as the
server knows, it is silent; so it is behind the comma of a label with several constants, and where no name comes.
"""

from __future__ import annotations

from typing import Any

from structgen.monitors.lexical.c_like import BLANKS, Spot
from structgen.monitors.members import Members
from structgen.monitors.monitor import Report
from structgen.monitors.question import Analysis, Answer, Silent

__all__ = ["Cases"]

ALWAYS = frozenset((b"null", b"default"))  # since Java 21 in any switch


class Cases(Members):
    """A monitor (monitors.Monitor) of constants in `case` labels; `path`, `before` and `after` as for Members."""

    name, triggers, about = "cases", bytes(sorted(BLANKS)), "cases"

    def __init__(self, analysis: Analysis, path: str, *, before: str = "", after: str = "") -> None:
        super().__init__(analysis, path, before=before, after=after, language="java")

    def is_due(self, state: Spot, byte: int) -> bool:
        """Behind `case` and a blank."""
        return byte in BLANKS and self.lexer.in_code(state) and state.word == b"case"

    def may_end(self, head: bytes) -> bool:
        """Whether such a place can stand behind the bytes of a token."""
        before = head[:-1]
        return before.endswith(b"case") or b"case".endswith(before)

    def others(self, state: Spot) -> bytes:
        """What else a label may begin with: literals, brackets, comments."""
        return b"\"'0123456789+-~!(/"

    def names(self, text: bytes, state: Spot, report: Report) -> Answer:
        """The constants of the enum, and what may always come."""
        found = super().names(text, state, report)
        return found if isinstance(found, Silent) else found | ALWAYS

    def _may_be_made(self, state: Any) -> bool:
        return False
