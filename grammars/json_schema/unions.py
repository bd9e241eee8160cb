"""Unions of shapes of arrays or objects: their meets and complements, of the operations on single shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.shapes import ALL_ARRAYS, ALL_OBJECTS, ANY_ARRAY, ANY_OBJECT, Shape, absorbed

__all__ = ["Meet", "Negate", "complement_all", "meet_all"]

Meet: TypeAlias = Callable[[Shape, Shape, Sets], tuple[Shape, ...]]
Negate: TypeAlias = Callable[[Shape, Sets], tuple[Shape, ...]]


def meet_all(a: tuple[Shape, ...], b: tuple[Shape, ...], meet: Meet[Shape], algebra: Sets) -> tuple[Shape, ...]:
    """What is in both."""
    if not a or not b:
        return ()
    if a is ALL_OBJECTS or a is ALL_ARRAYS:
        return b
    if a == b or b[0] is ANY_OBJECT or b[0] is ANY_ARRAY:
        return a
    shapes = algebra.bounded(tuple(shape for x in a for y in b for shape in meet(x, y, algebra)))
    return absorbed(shapes) if len(shapes) > max(len(a), len(b)) else shapes


def complement_all(
    shapes: tuple[Shape, ...], everything: tuple[Shape, ...], negate: Negate[Shape], meet: Meet[Shape], algebra: Sets
) -> tuple[Shape, ...]:
    """Everything that is in none."""
    result = everything
    for shape in shapes:
        result = meet_all(result, negate(shape, algebra), meet, algebra)
    return result
