"""Members: behind the dot of an access comes a member of what stands before it.

Source: Agrawal, Kanade, Goyal, Lahiri, Rajamani 2023, "Guiding Language Models of Code with Global Context using
Monitors". That paper's monitor fires when the dot ends a token; this one wherever it stands.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import Any

from structgen.errors import OptionError
from structgen.memory import Bounded
from structgen.monitors.cursor import Cursor
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


class Members(Cursor):
    """A monitor (monitors.Monitor) of member names.

    path      the file, as the analysis knows it
    before    its text up to the cursor;  after: behind it
    language  how the text is read

    It is silent where the analysis is, and where an attribute may be made: behind `self.` at the start of a statement,
    and behind any `self.` if nothing stands behind the cursor, since what is defined there is unknown.
    """

    name: str = "members"
    about = "members"
    lexer: Lexer

    def __init__(
        self, analysis: Analysis, path: str, *, before: str = "", after: str = "", language: str = "python"
    ) -> None:
        super().__init__(analysis, path, before, after)
        self.lexer = lexer_of(language)
        self._answers: Bounded[Question, Answer] = Bounded(MOST_ANSWERS)

    @property
    def triggers(self) -> bytes:
        """What the language's accesses end in."""
        return self.lexer.triggers

    @cached_property
    def _at_cursor(self) -> tuple[Hashable, Hashable | None]:
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
    def start(self) -> Hashable:
        """The lexical state at the cursor."""
        return self._at_cursor[0]

    @property
    def due(self) -> Hashable | None:
        """The state before the dot that `before` ends in, if it is one of an access."""
        return self._at_cursor[1]

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
        """Tell the analysis what it will be asked."""
        question = self._question(text, state)
        if question not in self._answers and not self._may_be_made(state):
            self.ask_ahead(question)

    def names(self, text: bytes, state: Any, report: Report) -> Answer:
        """The members that the analysis knows."""
        if self._may_be_made(state):
            return Silent("an attribute may be made here")
        question = self._question(text, state)
        known = self._answers.get(question)
        if known is None:
            with self.asking(report):
                known = self._answers.remember(question, self.analysis.members(question))
        return known

    def _may_be_made(self, state: Any) -> bool:
        return self.lexer.is_own(state) and (self.lexer.begins(state) or not self.after.strip())

    def _question(self, text: bytes, state: Any) -> Question:
        """What is asked: blanks before a dot, and what stands in a string and before it, make no other question."""
        whole = self.before + text
        if whole.endswith(b"."):
            behind = whole[:-1].rstrip(b" \t\f")
            if behind and not behind[-1:].isdigit():  # `1 .real` is no `1.real`
                whole = behind + b"."
            literal = self.lexer.literal(state, behind[-1]) if behind else b""
            if literal:
                return Question(self.path, literal + b".", about=self.about)
        return self.question(whole, self.lexer.closers(state), self.about)
