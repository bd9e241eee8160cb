"""What a monitor asks an analysis, and what it may hear: names, signatures, or silence with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

__all__ = ["Analysis", "Answer", "Question", "Silent"]


@dataclass(frozen=True, slots=True)
class Question:
    """Which names may stand at a place of a file.

    field    meaning
    path     the file, as the analysis knows it
    before   its text up to the place
    closers  the closing brackets that are due there, but for those that `after` closes
    after    the rest of the file behind the cursor, as it was
    about    what is asked: the "members" that may come, the constants of "cases", or the "signatures" of the call whose
             bracket `before` ends in
    """

    path: str
    before: bytes
    closers: bytes = b""
    after: bytes = b""
    about: str = "members"


@dataclass(frozen=True, slots=True)
class Silent:
    """No names: whatever the constraint allows may come. `reason` is what reports count by."""

    reason: str


Answer: TypeAlias = "frozenset[bytes] | Silent"


class Analysis(Protocol):
    """Something that knows a program: a language server, a type checker, a table.

    What is known of a text must not depend on what was asked before. `fingerprint`: equal only for analyses that answer
    alike. An analysis may have `begin(question)` besides: it will be asked that soon, and nobody waits; and
    `signatures(question)`, of the call whose bracket `question.before` ends in: a tuple of Signature, or Silent.

    >>> class Fixed:
    ...     fingerprint = "only x and y"
    ...     def members(self, question):
    ...         return frozenset((b"x", b"y"))
    """

    fingerprint: str

    def members(self, question: Question) -> Answer:
        """The members of the expression that `question.before` ends in, a dot behind it; or what else it is about."""
        ...
