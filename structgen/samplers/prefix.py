"""A prefix: the tokens so far, the matcher that has read them, and what a user's functions say of its text.

Cost: `extend` forks a matcher and copies a tuple.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from structgen.errors import InvariantError
from structgen.matcher import Matcher
from structgen.protocols import SequenceMatcher, Tokens

__all__ = ["NO_GUARD", "Guard", "NoGuard", "Prefix"]


class Guard(Protocol):
    """A user's functions, asked about the text that a matcher of their constraint has read (`predicates.Guarded`)."""

    def beneath(self, matcher: Any) -> SequenceMatcher:
        """The matcher of the constraint alone, at the same place."""
        ...

    def goes_on(self, matcher: Any) -> bool:
        """No predicate refuses the text as an unfinished one."""
        ...

    def is_viable(self, matcher: Any) -> bool:
        """The predicates let the text go on, or end here."""
        ...

    def log_score(self, matcher: Any, *, complete: bool) -> float:
        """log of the potentials."""
        ...


class NoGuard:
    """No functions: nothing is refused, and every score is 0."""

    def beneath(self, matcher: SequenceMatcher) -> SequenceMatcher:
        """The matcher itself."""
        return matcher

    def goes_on(self, matcher: SequenceMatcher) -> bool:
        """Always."""
        return True

    def is_viable(self, matcher: SequenceMatcher) -> bool:
        """Always."""
        return True

    def log_score(self, matcher: SequenceMatcher, *, complete: bool) -> float:
        """log 1."""
        return 0.0


NO_GUARD = NoGuard()


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A prefix of an output.

    field    meaning
    tokens   its tokens
    matcher  has read them; never advanced in place
    stop     the id of bottom
    guard    the user's functions on top of the constraint
    """

    tokens: Tokens
    matcher: SequenceMatcher
    stop: int
    guard: Guard = NO_GUARD

    def extend(self, token: int) -> Prefix:
        """One token further; the constraint must allow it."""
        further = self.try_extend(token)
        if further is None:
            raise InvariantError("an allowed token is accepted", f"token {token} after {self.tokens[-8:]}")
        return further

    def try_extend(self, token: int) -> Prefix | None:
        """One token further, None where the constraint forbids it."""
        matcher = self.matcher.fork()
        return Prefix((*self.tokens, token), matcher, self.stop, self.guard) if matcher.accept(token) else None

    @property
    def state(self) -> int:
        """The state of the compiled constraint, which must be there (`Problem.automaton`)."""
        matcher: Any = self.matcher
        while not isinstance(matcher, Matcher):
            matcher = matcher.under
        return matcher.state

    @property
    def unguarded(self) -> Prefix:
        """The same place under the constraint alone, without the functions."""
        return Prefix(self.tokens, self.guard.beneath(self.matcher), self.stop)

    def goes_on(self) -> bool:
        """No predicate refuses the text so far as an unfinished one."""
        return self.guard.goes_on(self.matcher)

    def is_viable(self) -> bool:
        """No predicate refuses the text so far; the constraint has accepted it."""
        return self.guard.is_viable(self.matcher)

    def log_score(self, *, complete: bool) -> float:
        """log of the potentials; 0 where there are none."""
        return self.guard.log_score(self.matcher, complete=complete)
