"""Region: a monitor that looks only inside parts of the text: code fences, tags, an argument of a tool call.

    Region(Members(analysis, "work.py"), "```python\\n", "```")      # a fence; or the begin and end of a structural tag
    Region(Members(analysis, "work.py"), '"code": "')               # a JSON string: up to its closing quote, unescaped

Every such part goes on from where `before` of the monitor ends, by itself; outside the monitor is silent, and asks
nothing. A part ends with the first `end`, wherever that stands in the code, as fences do.

Cost: a few comparisons a byte; a pass over the text so far for each question.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from functools import cached_property
from typing import Any, NamedTuple

from structgen.errors import OptionError
from structgen.monitors.lexical import Scanner
from structgen.monitors.monitor import Monitor, Report
from structgen.monitors.question import Answer

__all__ = ["Region"]

BACKSLASH, QUOTE, BLANK = b'\\" '
_BEGUN = re.compile(rb"\\|\\u[0-9a-fA-F]{0,3}")
_ESCAPES = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+|\\(.)", re.DOTALL)
_SHORT = dict(zip((b"b", b"f", b"n", b"r", b"t"), (b"\b", b"\f", b"\n", b"\r", b"\t"), strict=True))


class Place(NamedTuple):
    """Where a text stands.

    field    meaning
    matched  how much of `begin` it ends in; inside, of `end`
    inner    inside, what the monitor's own lexer says; outside None
    start    what it says where a part begins
    escape   inside a JSON string: the beginning of an escape
    """

    matched: int
    inner: Hashable | None
    start: Hashable
    escape: bytes = b""


class Parts:
    """Reads texts of which parts are a language's (lexical.Scanner)."""

    def __init__(self, inner: Scanner, begin: bytes, end: bytes | None) -> None:
        self._inner, self._begin, self._end = inner, begin, end
        self.name, self.letters = f"{inner.name} between {begin!r} and {end!r}", inner.letters

    def after(self, state: Place, byte: int) -> Place:
        """The place behind a byte."""
        if state.inner is None:
            matched = _matched(self._begin, state.matched, byte)
            whole = matched == len(self._begin)
            return Place(0, state.start, state.start) if whole else state._replace(matched=matched)
        if self._end is None:
            return self._in_string(state, byte)
        matched = _matched(self._end, state.matched, byte)
        if matched == len(self._end):
            return Place(0, None, state.start)
        return state._replace(matched=matched, inner=self._inner.after(state.inner, byte))

    def _in_string(self, state: Place, byte: int) -> Place:
        escape = state.escape + bytes((byte,)) if state.escape or byte == BACKSLASH else b""
        if _BEGUN.fullmatch(escape):
            return state._replace(escape=escape)
        if _ESCAPES.fullmatch(escape):
            return state._replace(escape=b"", inner=self._read(state.inner, _unescaped(escape)))
        inner = self._read(state.inner, _unescaped(state.escape))  # of what was no escape, if anything
        if byte == QUOTE:
            return Place(0, None, state.start)
        return state._replace(escape=b"", inner=self._inner.after(inner, byte))

    def _read(self, inner: Hashable, text: bytes) -> Hashable:
        for byte in text:
            inner = self._inner.after(inner, byte)
        return inner

    def blanks(self, state: Place) -> frozenset[int]:
        """Those of the language; in a JSON string but the blank itself they are escapes."""
        blanks = self._inner.blanks(state.inner)
        return blanks if self._end is not None else blanks & {BLANK}

    def outlook(self, state: Place, depth: int) -> Place:
        """The same of what it says inside."""
        inner = state.inner if state.inner is None else self._inner.outlook(state.inner, depth)
        return state._replace(inner=inner, start=self._inner.outlook(state.start, depth))


def _matched(mark: bytes, matched: int, byte: int) -> int:
    """How much of a mark a text ends in, a byte after it ended in so much."""
    text = mark[:matched] + bytes((byte,))
    return next(size for size in range(len(text), -1, -1) if mark.startswith(text[len(text) - size :]))


def _unescaped(text: bytes) -> bytes:
    """What stands in a JSON string; what is no escape stands for itself."""
    return _ESCAPES.sub(_character, text)


def _character(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        return _SHORT.get(escape[1], escape[1])
    return bytes.fromhex(escape[0].replace(b"\\u", b"").decode()).decode("utf-16-be", "replace").encode()


class Region:
    """A monitor inside parts of the text (monitors.Monitor).

    monitor  what looks there
    begin    what stands before each part
    end      what stands behind it; None: it is a JSON string, whose opening quote `begin` ends with

    In a JSON string names are spelled without escapes, and behind an escape that follows a dot it is silent.
    Raises OptionError for an empty begin or end, for an end that could go on with a name, and for a Gatekeeper.
    """

    def __init__(self, monitor: Monitor, begin: str, end: str | None = None) -> None:
        self.monitor, self.begin_mark, self.end_mark = monitor, begin.encode(), None if end is None else end.encode()
        if not hasattr(monitor, "is_due"):
            raise OptionError(f"{monitor!r} refuses bytes: a region holds a monitor of names", option="monitor")
        if not begin or end == "":
            raise OptionError("a region begins and ends with a text", option="begin")
        if self.end_mark is not None and self.end_mark[0] in monitor.lexer.letters.all:
            raise OptionError(f"{end!r} could go on with a name", option="end")
        self.name, self.triggers = monitor.name, monitor.triggers
        self.lexer = Parts(monitor.lexer, self.begin_mark, self.end_mark)
        until = b'(?:[^"\\\\]|\\\\.)*"' if self.end_mark is None else b".*?" + re.escape(self.end_mark)
        self._until = re.compile(until, re.DOTALL)

    def __repr__(self) -> str:
        return f"Region({self.monitor!r})"

    def __rand__(self, constraint: Any) -> Any:
        """`constraint & monitor`: the constraint, narrowed."""
        from structgen.monitors.monitored import monitored

        return monitored(constraint, self)

    @cached_property
    def fingerprint(self) -> str:
        """Of the monitor and where it looks."""
        parts = self.monitor.fingerprint, self.begin_mark, self.end_mark
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def start(self) -> Place:
        """Outside."""
        return Place(0, None, self.monitor.start)

    @property
    def due(self) -> None:
        """Nothing: the text begins outside."""
        return None

    def is_due(self, state: Place, byte: int) -> bool:
        """Inside, where the monitor says so."""
        return state.inner is not None and not state.escape and self.monitor.is_due(state.inner, byte)

    def may_end(self, head: bytes) -> bool:
        """As the monitor says, and where a part may have begun in these bytes."""
        return self.begin_mark[-1] in head or self.monitor.may_end(head)

    def others(self, state: Place) -> bytes:
        """What the monitor says; in a JSON string an escape besides."""
        return self.monitor.others(state.inner) + (b"\\" if self.end_mark is None else b"")

    def begin(self, text: bytes, state: Place) -> None:
        """Tell the monitor."""
        self.monitor.begin(self._inside(text), state.inner)

    def names(self, text: bytes, state: Place, report: Report) -> Answer:
        """Ask the monitor."""
        return self.monitor.names(self._inside(text), state.inner, report)

    def _inside(self, text: bytes) -> bytes:
        """The part that a text ends in."""
        at = text.index(self.begin_mark) + len(self.begin_mark)
        while (ended := self._until.match(text, at)) is not None:
            at = text.index(self.begin_mark, ended.end()) + len(self.begin_mark)
        return text[at:] if self.end_mark is not None else _unescaped(text[at:])
