"""The terms a language is written in: finite sets and regular expressions, and Boolean combinations of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from structgen.grammars.regular.charset import ANY
from structgen.grammars.regular.syntax import ANYTHING, VOID, Cat, Char, Choice, Loop, Node

Term: TypeAlias = "Strings | Regex | Meet | Union | Complement"

FEW = 64  # an expression that matches in at most this many ways becomes a finite set


@dataclass(frozen=True, slots=True)
class Strings:
    """Finitely many strings, without lone surrogates."""

    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Regex:
    """The texts an expression matches from start to end."""

    node: Node


@dataclass(frozen=True, slots=True)
class Meet:
    """What is in every part."""

    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """What is in some part."""

    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Complement:
    """Every text that is not in `inner`."""

    inner: Strings | Regex


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
