"""Problems with a user's functions on top, for several tests."""

from __future__ import annotations

from typing import Any

from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.predicates import Potential, Predicate
from structgen.samplers.problem import Problem

TEXTS = ["a", "ab", "bb", "bab"]


def guarded_problem(*functions: Any, max_tokens: int = 4, texts: list[str] | None = None) -> Problem:
    """`judges.small_problem` with functions on top."""
    vocabulary = vocabulary_of("a", "b")
    constraint: Any = finite_language(vocabulary, texts or TEXTS)
    for function in functions:
        constraint = constraint & function
    return Problem(TableModel.sine(vocabulary, 1.5), constraint, max_tokens)


def no_double_b() -> Predicate:
    """Refuses bb as soon as it is there, and ab only when it is finished."""
    return Predicate(lambda text, complete: "bb" not in text and not (complete and text == "ab"), "no_double_b")


def late() -> Predicate:
    """Says nothing before the end: the worst a predicate can do."""
    return Predicate(lambda text, complete: not complete or text in ("a", "bb"), "late")


def favours_b() -> Potential:
    """Half for every a, and a hint on the way."""
    return Potential(
        lambda text, complete: -0.7 * text.count("a") + (0.0 if complete else 0.3 * len(text)), "favours_b"
    )
