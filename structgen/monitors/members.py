"""Members: behind the dot of an access comes a member of what stands before it.

Source: Agrawal, Kanade, Goyal, Lahiri, Rajamani 2023, "Guiding Language Models of Code with Global Context using
Monitors". That paper's monitor fires when the dot ends a token; this one wherever it stands.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable
from functools import cached_property
from typing import Any

from structgen.errors import OptionError
from structgen.memory import Bounded
from structgen.monitors.lexical import Lexer
from structgen.monitors.lexical.c_like import CPP, JAVA, TYPESCRIPT
from structgen.monitors.lexical.python import Python
from structgen.monitors.monitor import Report
from structgen.monitors.question import Analysis, Answer, Question, Silent

__all__ = ["LEXERS", "Members", "lexer_of"]

LEXERS: dict[str, Lexer] = {each.name: each for each in (Python(), TYPESCRIPT, JAVA, CPP)}
MOST_ANSWERS = 10_000


def lexer_of(language: str) -> Lexer:
    """The lexer of a language. Raises OptionError when there is none."""
    if language not in LEXERS:
        raise OptionError(f"there is no lexer for {language!r}; there are {', '.join(LEXERS)}", option="language")
    return LEXERS[language]


class Members:
    """A monitor (monitors.Monitor) of member names.

    path      the file, as the analysis knows it
    before    its text up to the cursor;  after: behind it
    language  how the text is read

    It is silent where the analysis is, and where an attribute may be made: behind `self.` at the start of a statement,
    and behind any `self.` if nothing stands behind the cursor, since what is defined there is unknown.
    """

    name: str = "members"

    def __init__(
        self, analysis: Analysis, path: str, *, before: str = "", after: str = "", language: str = "python"
    ) -> None:
        self.analysis, self.path, self.lexer = analysis, path, lexer_of(language)
        self.before, self.after = before.encode(), after.encode()
        self._answers: Bounded[bytes, Answer] = Bounded(MOST_ANSWERS)

    def __repr__(self) -> str:
        return f"Members({self.path})"

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
    def _read(self) -> tuple[Hashable, Hashable | None]:
        """The lexical state at the cursor, and `due`."""
        state, due = self.lexer.start(), None
        for byte in self.before:
            if self.is_due(state, byte):
                due = state
            elif byte not in self.lexer.blanks(state):
                due = None
            state = self.lexer.after(state, byte)
        return state, due

    @property
    def triggers(self) -> bytes:
        """What the language's accesses end in."""
        return self.lexer.triggers

    @property
    def start(self) -> Hashable:
        """The lexical state at the cursor."""
        return self._read[0]

    @property
    def due(self) -> Hashable | None:
        """The state before the dot that `before` ends in, if it is one of an access."""
        return self._read[1]

    def is_due(self, state: Any, byte: int) -> bool:
        """Behind the dot of an access."""
        return self.lexer.is_access(state, byte)

    def may_end(self, head: bytes) -> bool:
        """Whatever stands before may be an expression."""
        return True

    def others(self, state: Any) -> bytes:
        """What the language has there besides names."""
        return self.lexer.others(state)

    def begin(self, text: bytes, state: Any) -> None:
        """Tell the analysis, if it has a `begin`, what it will be asked."""
        begin = getattr(self.analysis, "begin", None)
        if begin is not None and text not in self._answers and not self._may_be_made(state):
            begin(self._question(text, state))

    def names(self, text: bytes, state: Any, report: Report) -> Answer:
        """The members that the analysis knows."""
        if self._may_be_made(state):
            return Silent("an attribute may be made here")
        known = self._answers.get(text)
        if known is None:
            report.questions += 1
            started = time.perf_counter()
            known = self._answers.remember(text, self.analysis.members(self._question(text, state)))
            report.seconds += time.perf_counter() - started
        return known

    def _may_be_made(self, state: Any) -> bool:
        return self.lexer.is_own(state) and (self.lexer.begins(state) or not self.after.strip())

    def _question(self, text: bytes, state: Any) -> Question:
        due = self.lexer.closers(state)
        return Question(self.path, self.before + text, due[: max(len(due) - self._closed_behind, 0)], self.after)

    @cached_property
    def _closed_behind(self) -> int:
        """How much of what is due is not ours to close: all that is open at the cursor, if `after` closes any of it."""
        state, at_cursor = self.start, len(self.lexer.closers(self.start))
        for byte in self.after:
            state = self.lexer.after(state, byte)
            if len(self.lexer.closers(state)) < at_cursor:
                return at_cursor
        return 0
