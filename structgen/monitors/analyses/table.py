"""An analysis that answers from a table: names by the word before the dot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from structgen.monitors.question import Answer, Question, Silent

__all__ = ["Table"]

_BEFORE_DOT = re.compile(rb"(\w+)\s*\.\s*\Z")


class Table:
    """`members["parcel"]` are the names behind `parcel.`; silent about all else."""

    def __init__(self, members: Mapping[str, Iterable[str]]) -> None:
        self._members = {word.encode(): frozenset(name.encode() for name in names) for word, names in members.items()}
        listed = sorted((word, sorted(names)) for word, names in self._members.items())
        self.fingerprint = hashlib.sha256(repr(listed).encode()).hexdigest()

    def members(self, question: Question) -> Answer:
        """The names of the table."""
        found = _BEFORE_DOT.search(question.before)
        if found is None or found[1] not in self._members:
            return Silent("not in the table")
        return self._members[found[1]]
