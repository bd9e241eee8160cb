"""What monitors of a file have in common: the analysis that is asked, the file, the cursor in it, questions.

Text is written at the cursor, between `before` and `after`. A question holds all that stands before a place, the
closing brackets that are due there but for those that `after` closes, and the rest of the file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from structgen.monitors.monitor import Report
from structgen.monitors.question import Question

__all__ = ["Cursor"]


class Cursor:
    """A place in a file: its `path`, as the analysis knows it, its text `before` and `after`. `lexer` reads it."""

    name: str
    lexer: Any

    def __init__(self, analysis: Any, path: str, before: str, after: str) -> None:
        self.analysis, self.path = analysis, path
        self.before, self.after = before.encode(), after.encode()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"

    def __rand__(self, constraint: Any) -> Any:
        """`constraint & monitor`: the constraint, narrowed."""
        from structgen.monitors.monitored import monitored

        return monitored(constraint, self)

    @cached_property
    def fingerprint(self) -> str:
        """Of the analysis, the file and the text around the cursor."""
        parts = (self.name, self.analysis.fingerprint, self.path, self.before, self.after, self.lexer.name)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @cached_property
    def start(self) -> Any:
        """The lexical state at the cursor."""
        state = self.lexer.start()
        for byte in self.before:
            state = self.lexer.after(state, byte)
        return state

    def question(self, before: bytes, due: bytes, about: str) -> Question:
        """About the end of a text of the file; `due`: the closing brackets that are due there."""
        return Question(self.path, before, due[: max(len(due) - self._closed_behind, 0)], self.after, about)

    def ask_ahead(self, question: Question) -> None:
        """Tell the analysis, if it has a `begin`, what it will be asked."""
        begin = getattr(self.analysis, "begin", None)
        if begin is not None:
            begin(question)

    @contextmanager
    def asking(self, report: Report) -> Iterator[None]:
        """A question that is waited for."""
        report.questions += 1
        started = time.perf_counter()
        yield
        report.seconds += time.perf_counter() - started

    @cached_property
    def _closed_behind(self) -> int:
        """How much of what is due is not ours to close: all that is open at the cursor, if `after` closes any of it."""
        state, at_cursor = self.start, len(self.lexer.closers(self.start))
        for byte in self.after:
            state = self.lexer.after(state, byte)
            if len(self.lexer.closers(state)) < at_cursor:
                return at_cursor
        return 0
