"""A user's functions of the text so far, on top of a mask: predicates that forbid, potentials that weigh.

    constraint & Predicate(fn) & Potential(fn)   ->   Guarded, which samplers take wherever they take a constraint

A predicate answers `fn(text, complete)`. With complete=True: is this an output? With complete=False: may an output go
on from here? The language is L = {w in the constraint : fn(w, True), and fn(u, False) for every proper token prefix u
of w}; so a careless "yes" costs dead ends, never correctness, and a careless "no" forbids. A potential answers a log
score; fn(w, True) multiplies the probability of an output, fn(u, False) only guides particles.

Masks stay the constraint's own: a text is checked when a path has arrived at it (or by `awrs`, before it is taken),
never for a whole vocabulary. Equal texts are asked once. Whatever a function raises, or returns that is no answer,
ends the run as PredicateError: there is no verdict to fall back on that would not bias the samples. So does a function
that takes longer than its `deadline`, where it has one: it runs in a thread of its own then, which costs 20 us a text.
"""

from __future__ import annotations

import codecs
import hashlib
import math
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from structgen.bits import with_bits
from structgen.errors import OptionError, PredicateError
from structgen.protocols import SequenceConstraint, SequenceMatcher
from structgen.samplers.deadline import Late, Timed
from structgen.vocabulary import Vocabulary

__all__ = ["Function", "Guarded", "GuardedMatcher", "Potential", "Predicate", "whole_characters"]

_REMEMBERED = 1 << 16  # answers of one function


class Function(ABC):
    """A user's function with its answers.

    field   meaning
    fn      fn(text, complete)
    name    what messages call it; the function's own name if not given
    on      "text": str, without the bytes of a character that is not whole yet; "bytes": everything as it is
    key     identifies the function across processes, for tries in files; without it every object is its own
    calls   how many texts it was given
    deadline  seconds that an answer may take, None for ever. What is late is left running in its thread: Python
              cannot end it (`samplers.deadline`)
    """

    kind: ClassVar[str]

    def __init__(
        self,
        fn: Callable[[Any, bool], Any],
        name: str = "",
        *,
        on: str = "text",
        key: str = "",
        deadline: float | None = None,
    ) -> None:
        if not callable(fn):
            raise OptionError(f"a {self.kind} is a function of the text and whether it is complete", option="fn")
        if on not in ("text", "bytes"):
            raise OptionError(f"on is 'text' or 'bytes', not {on!r}", option="on")
        if deadline is not None and not deadline > 0:
            raise OptionError(f"deadline is a positive number of seconds, not {deadline!r}", option="deadline")
        self.fn, self.on, self.key, self.deadline = fn, on, key or uuid.uuid4().hex, deadline
        self._timed = fn if deadline is None else Timed(fn, deadline)
        self.name: str = name or getattr(fn, "__name__", type(fn).__name__)
        self.calls = 0
        self._answers: dict[tuple[bytes, bool], float] = {}

    def __rand__(self, constraint: Any) -> Guarded:
        if not hasattr(constraint, "matcher"):
            raise OptionError(f"compile first: compile(...) & {self.kind}", option="constraint")
        return Guarded(constraint, (self,))

    def __and__(self, other: Any) -> Guarded:
        return other & self if isinstance(other, Guarded) else self.__rand__(other)

    def answer(self, data: bytes, complete: bool) -> float:
        """The checked answer: 0 or 1 of a predicate, a log score of a potential."""
        known = self._answers.get((data, complete))
        if known is None:
            self.calls += 1
            known = self._ask(data, complete)
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            self._answers[data, complete] = known
        return known

    def _ask(self, data: bytes, complete: bool) -> float:
        text = data if self.on == "bytes" else whole_characters(data)
        try:
            value = self._timed(text, complete)
        except Late as late:
            raise PredicateError(str(late), function=self.name, text=text, complete=complete) from None
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise PredicateError(reason, function=self.name, text=text, complete=complete) from error
        checked = self.checked(value)
        if checked is None:
            reason = f"it returned {value!r}, which is no answer of a {self.kind}"
            raise PredicateError(reason, function=self.name, text=text, complete=complete)
        return checked

    @abstractmethod
    def checked(self, value: Any) -> float | None:
        """The answer as a number, None if it is none."""


class Predicate(Function):
    """`fn(text, complete) -> bool`: whether `text` is an output (complete), or may become one (not complete)."""

    kind = "predicate"

    def checked(self, value: Any) -> float | None:
        """True or False, nothing else: a function without a return statement must not forbid everything."""
        return float(value) if isinstance(value, (bool, np.bool_)) else None


class Potential(Function):
    """`fn(text, complete) -> float`: log of a factor of the probability (complete), or a guess of it on the way there.

    -inf forbids. Scores on the way change how well particles do, not where they tend to: -inf there must be certain.
    """

    kind = "potential"

    def checked(self, value: Any) -> float | None:
        """A number below infinity."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            return None
        score = float(value)
        return None if math.isnan(score) or score == math.inf else score


class Guarded:
    """A constraint with functions on top. `&` makes another with one more."""

    def __init__(self, constraint: SequenceConstraint, functions: tuple[Function, ...]) -> None:
        self.constraint, self.functions = constraint, functions
        self.vocabulary: Vocabulary = constraint.vocabulary
        self.predicates = tuple(f for f in functions if isinstance(f, Predicate))
        self.potentials = tuple(f for f in functions if isinstance(f, Potential))

    def __and__(self, other: Any) -> Guarded:
        if isinstance(other, Guarded) and other.constraint is self.constraint:
            return Guarded(self.constraint, self.functions + other.functions)
        return Guarded(self.constraint, (*self.functions, other)) if isinstance(other, Function) else NotImplemented

    @property
    def fingerprint(self) -> str:
        """Of the constraint and of every function's key."""
        parts = [self.constraint.fingerprint, *(f"{f.kind} {f.key}" for f in self.functions)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    @property
    def calls(self) -> int:
        """How many texts the functions were given."""
        return sum(function.calls for function in self.functions)

    def matcher(self) -> GuardedMatcher:
        """A new matcher before the first byte."""
        return GuardedMatcher(self, self.constraint.matcher(), b"")

    def passes(self, data: bytes, *, complete: bool) -> bool:
        """Whether every predicate says yes, the first no being the last to be asked."""
        return all(predicate.answer(data, complete) for predicate in self.predicates)

    def beneath(self, matcher: GuardedMatcher) -> SequenceMatcher:
        """The constraint's own matcher, whose mask needs no predicate."""
        return matcher.under

    def goes_on(self, matcher: GuardedMatcher) -> bool:
        """No predicate refuses the matcher's text as an unfinished one."""
        return self.passes(matcher.data, complete=False)

    def is_viable(self, matcher: GuardedMatcher) -> bool:
        """The predicates let the matcher's text go on, or end here."""
        return self.goes_on(matcher) or matcher.is_accepting()

    def log_score(self, matcher: GuardedMatcher, *, complete: bool) -> float:
        """Sum of the potentials of the matcher's text."""
        return sum(potential.answer(matcher.data, complete) for potential in self.potentials)


class GuardedMatcher:
    """Follows one sequence. `under` is the constraint's own matcher: its mask needs no predicate."""

    __slots__ = ("data", "guard", "under")

    def __init__(self, guard: Guarded, under: SequenceMatcher, data: bytes) -> None:
        self.guard, self.under, self.data = guard, under, data

    def mask(self) -> NDArray[np.uint32]:
        """The constraint's mask less what the predicates say of the text so far; they are not asked of any token."""
        mask, ends = self.under.mask(), self.is_accepting()
        goes_on = self.guard.goes_on(self)
        if goes_on and ends == self.under.is_accepting():
            return mask
        return with_bits(mask if goes_on else np.zeros_like(mask), self.guard.vocabulary.stop_ids, ends)

    def accept(self, token: int) -> bool:
        """Take one token if the constraint does; the predicates speak in `mask` and `Guarded.is_viable`."""
        if not self.under.accept(token):
            return False
        self.data += self.guard.vocabulary.decode([token], begins=not self.data)
        return True

    def fork(self) -> GuardedMatcher:
        """An independent matcher at the same place."""
        return GuardedMatcher(self.guard, self.under.fork(), self.data)

    def is_accepting(self) -> bool:
        """The text is complete, and every predicate says so."""
        return self.under.is_accepting() and self.guard.passes(self.data, complete=True)

    def bytes_to_accept(self) -> int:
        """The constraint's: a lower bound."""
        return self.under.bytes_to_accept()


def whole_characters(data: bytes) -> str:
    """As UTF-8, without the start of a character at the end; what is no UTF-8 becomes U+FFFD."""
    return codecs.getincrementaldecoder("utf-8")(errors="replace").decode(data)
