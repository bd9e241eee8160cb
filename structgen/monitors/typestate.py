"""Typestate: which methods of an object may be called next, given those that were called before.

    lock = Typestate("lock", {"free": {"acquire": "held"}, "held": {"release": "free"}}, start="free")
    constraint & Members(lock, "work.py", before=prefix)

An analysis without a server: it reads the accesses to a variable in the order of the text, as if the program ran so;
what loops and branches do it does not know. Where the text has left the protocol it is silent.

Source: Strom, Yemini 1986, "Typestate: A Programming Language Concept for Enhancing Software Reliability".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from structgen.errors import OptionError
from structgen.monitors.members import lexer_of
from structgen.monitors.question import Answer, Question, Silent

__all__ = ["Typestate"]

_NAME = re.compile(rb"\s*[\w$\x80-\xf4]*")
MOST_BLANKS = 64  # between a variable and what follows it


class Typestate:
    """The protocol of an object (monitors.Analysis).

    variable  the name it has in the program
    calls     of each state the methods that may be called, and the state that each leads to
    start     the state of a new object: at first, and where the variable is assigned

    Raises OptionError for a state that is not described.
    """

    def __init__(
        self, variable: str, calls: Mapping[str, Mapping[str, str]], *, start: str, language: str = "python"
    ) -> None:
        unknown = {start, *(state for row in calls.values() for state in row.values())} - set(calls)
        if unknown:
            raise OptionError(f"no calls are given of the state {sorted(unknown)[0]!r}", option="calls")
        self._variable, self._start, self._lexer = variable.encode(), start, lexer_of(language)
        self._ours = re.compile(rb"(?:\A|[^\w$.:>])" + re.escape(self._variable) + rb"\s*[-?!:]?\Z")
        self._reach = len(self._variable) + MOST_BLANKS
        self._calls = {state: {name.encode(): to for name, to in row.items()} for state, row in calls.items()}
        rows = {state: dict(row) for state, row in calls.items()}
        said = json.dumps([variable, rows, start, language], sort_keys=True)
        self.fingerprint = hashlib.sha256(said.encode()).hexdigest()

    def members(self, question: Question) -> Answer:
        """The methods that may be called of the variable; silent about all else."""
        state, is_ours = self._read(question.before)
        if not is_ours:
            return Silent("another object")
        if state is None:
            return Silent("the protocol was left")
        return frozenset(self._calls[state]) or Silent("nothing may be called any more")

    def _read(self, text: bytes) -> tuple[str | None, bool]:
        """The state behind the accesses of a text, None if one was none of the protocol; whether the text ends in an
        access of the variable."""
        lexer: Any = self._lexer
        spot, state = lexer.start(), cast("str | None", self._start)
        for at, byte in enumerate(text):
            if lexer.is_access(spot, byte):
                is_ours = self._ours.search(text[max(at - self._reach, 0) : at]) is not None
                if at + 1 == len(text):
                    return state, is_ours
                if is_ours and state is not None:
                    state = self._calls[state].get(_NAME.match(text, at + 1)[0].strip())  # type: ignore[index]
            elif byte == 0x3D and lexer.in_code(spot) and self._is_assigned(spot, text, at):
                state = self._start
            spot = lexer.after(spot, byte)
        return state, False

    def _is_assigned(self, spot: Any, text: bytes, at: int) -> bool:
        """Whether the equals sign at a place gives the variable a new object."""
        if text[at + 1 : at + 2] == b"=" or (self._lexer.name == "python" and not self._lexer.begins(spot)):
            return False
        return self._ours.search(text[max(at - self._reach, 0) : at]) is not None
