"""The terms a language is written in: finite sets, expressions, automata, and combinations of them.

Terms are compared by content and live in tables, so each works out its hash once, when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.syntax import ANYTHING, VOID, Cat, Char, Choice, Loop, Node, lengths

if TYPE_CHECKING:
    from structgen.grammars.regular.dfa import Dfa

Term: TypeAlias = "Strings | Regex | Automaton | Network | Rounds | Meet | Union | Complement"
Atom: TypeAlias = "Strings | Regex | Automaton | Network | Rounds"

FEW = 64  # an expression that matches in at most this many ways becomes a finite set


@dataclass(frozen=True, slots=True)
class Strings:
    """Finitely many strings, without lone surrogates."""

    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Regex:
    """The texts an expression matches from start to end."""

    node: Node
    low: int = field(init=False, compare=False, repr=False)  # bounds on the number of code points, as `lengths` says
    high: int | None = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        low, high = lengths(self.node)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "_hash", hash(("regex", self.node)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Automaton:
    """What a minimal, non-empty automaton accepts; `low` to `high` code points (None: no bound). The same automaton
    object is the same term."""

    dfa: Dfa
    low: int
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """What a finite automaton accepts, maybe nondeterministic, as flat arrays: there may be very many edges.

    field    meaning
    sets     the labels
    starts   edges starts[s] to starts[s + 1] leave state s; 0 is the start state
    labels   per edge the number of its label
    targets  per edge the next state
    accepts  per state whether a text may end there

    Every state is reached and reaches an accepting one, and there is one. Compared by identity.
    """

    sets: tuple[CharSet, ...]
    starts: Sequence[int]
    labels: Sequence[int]
    targets: Sequence[int]
    accepts: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Rounds:
    """One part after the other (`minimum` and `maximum` None), or `minimum` to `maximum` times the single part."""

    parts: tuple[Term, ...]
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Meet:
    """What is in every part."""

    parts: tuple[Term, ...]
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("meet", self.parts)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Union:
    """What is in some part."""

    parts: tuple[Term, ...]
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("union", self.parts)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Complement:
    """Every text that is not in `inner`."""

    inner: Atom


EVERYTHING = Regex(ANYTHING)
NOTHING = Strings(frozenset())


def regex(node: Node) -> Term:
    """An expression as a term: finite where it obviously is and that is short."""
    if node == VOID:
        return NOTHING
    return Strings(frozenset(_enumerate(node))) if 0 < _ways(node) <= FEW else Regex(node)


def _ways(node: Node) -> int:
    """In how many ways the expression can match, capped above FEW; more than that for assertions."""
    match node:
        case Char(charset):
            return len(charset)
        case Cat(parts):
            total = 1
            for part in parts:
                total *= _ways(part)
                if total > FEW:
                    break
            return total
        case Choice(options):
            return sum(_ways(option) for option in options)
        case Loop(body, minimum, maximum) if maximum is not None and maximum <= FEW:
            inner = _ways(body)
            return sum(min(inner, FEW + 1) ** count for count in range(minimum, maximum + 1))
        case _:
            return FEW + 1


def _enumerate(node: Node) -> set[str]:
    match node:
        case Char(charset):
            return {chr(point) for point in charset}
        case Cat(parts):
            found = {""}
            for part in parts:
                tails = _enumerate(part)
                found = {head + tail for head in found for tail in tails}
            return found
        case Choice(options):
            return {text for option in options for text in _enumerate(option)}
        case Loop(body, minimum, maximum):
            assert maximum is not None
            found, longer = set[str](), {""}
            tails = _enumerate(body)
            for count in range(maximum + 1):
                if count >= minimum:
                    found |= longer
                longer = {head + tail for head in longer for tail in tails}
            return found
        case _:
            raise TypeError("assertions cannot be enumerated")


def length_bounds(term: Term) -> tuple[int, int | None] | None:
    """The bounds m, n if the term is exactly "m to n code points"."""
    if isinstance(term, Regex):
        match term.node:
            case Loop(Char(charset), minimum, maximum) if charset == ANY:
                return minimum, maximum
            case Char(charset) if charset == ANY:
                return 1, 1
    return None
