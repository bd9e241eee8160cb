"""A set of JSON values, kind by kind; and `type`, which names kinds.

`Shapes` holds a set closed under meet, union and complement for the kinds that have one (null, booleans, numbers,
strings), and a union of shapes, whose children are terms, for arrays and objects. The operations are in `algebra`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from structgen.grammars.json_schema import number
from structgen.grammars.json_schema.array import ANY_ARRAY, ArrayShape
from structgen.grammars.json_schema.keywords import Form, Keyword, keyword, keywords_of
from structgen.grammars.json_schema.number import ALL_NUMBERS, NO_NUMBERS, NumberSet
from structgen.grammars.json_schema.object import ANY_OBJECT, ObjectShape
from structgen.grammars.json_schema.string import ANY_STRING, NO_STRING, StringSet

if TYPE_CHECKING:
    from structgen.grammars.json_schema.scope import Scope

__all__ = ["ALL_ARRAYS", "ALL_OBJECTS", "ANYTHING", "BOTH", "NOTHING", "Shapes", "absorbed", "of_type", "only", "table"]

Shape = TypeVar("Shape", ArrayShape, ObjectShape)


@dataclass(frozen=True, slots=True)
class Shapes:
    """A set of JSON values, kind by kind."""

    null: bool = False
    booleans: frozenset[bool] = frozenset()
    numbers: NumberSet = NO_NUMBERS
    strings: StringSet = NO_STRING
    arrays: tuple[ArrayShape, ...] = ()
    objects: tuple[ObjectShape, ...] = ()


BOTH = frozenset((True, False))
ALL_ARRAYS, ALL_OBJECTS = (ANY_ARRAY,), (ANY_OBJECT,)
ANYTHING = Shapes(True, BOTH, ALL_NUMBERS, ANY_STRING, ALL_ARRAYS, ALL_OBJECTS)
NOTHING = Shapes()


@cache
def _of_types(types: frozenset[str], draft: int) -> Shapes:
    numbers = NO_NUMBERS
    if "number" in types:
        numbers = ALL_NUMBERS
    elif "integer" in types:
        numbers = number.integers(by_spelling=draft == 4)
    return Shapes(
        "null" in types,
        BOTH if "boolean" in types else frozenset(),
        numbers,
        ANY_STRING if "string" in types else NO_STRING,
        ALL_ARRAYS if "array" in types else (),
        ALL_OBJECTS if "object" in types else (),
    )


TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))


def _wrong_type(value: Any) -> str | None:
    if isinstance(value, str) and value in TYPES:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return "must be a type name or a non-empty array of type names"
    unknown = [name for name in names if name not in TYPES]
    return f"{unknown[0]!r} is not a type" if unknown else None


@keyword("type", on="types", form=Form(_wrong_type))
def of_type(value: Any, scope: Scope) -> Shapes:
    """The values of the named types."""
    return _of_types(frozenset((value,) if isinstance(value, str) else value), scope.draft)


def only(on: str, value: Any) -> dict[str, Any]:
    """The field of `Shapes` that a keyword about one kind of value restricts, with what its function returned."""
    return {on + "s": (value,) if on in ("array", "object") else value}


@cache
def table(draft: int) -> dict[str, Keyword]:
    """The keywords of a draft."""
    return keywords_of(draft)


def absorbed(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The union without members that another one visibly covers."""
    kept: list[Shape] = []
    for shape in shapes:
        if not any(other.covers(shape) for other in kept):
            kept = [other for other in kept if not shape.covers(other)]
            kept.append(shape)
    return tuple(kept)
