"""A set of JSON values, kind by kind; and `type`, which names kinds.

`Shapes` holds a set closed under meet, union and complement for the kinds that have one (null, booleans, numbers,
strings), and a union of shapes, whose children are terms, for arrays and objects. Data only: the operations are in
`algebra`, those of a kind in the file of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, TypeVar

from structgen.grammars.json_schema import number
from structgen.grammars.json_schema.keywords import Context, Form, Keyword, keyword, keywords_of
from structgen.grammars.json_schema.number import ALL_NUMBERS, NO_NUMBERS, NumberSet
from structgen.grammars.json_schema.string import ANY_STRING, NO_STRING, StringSet
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term, implies
from structgen.grammars.regular.language import Language

__all__ = [
    "ALL_ARRAYS",
    "ALL_OBJECTS",
    "ANYTHING",
    "ANY_ARRAY",
    "ANY_OBJECT",
    "BOTH",
    "NOTHING",
    "ArrayShape",
    "Conditional",
    "Counted",
    "Edge",
    "Keys",
    "ObjectShape",
    "Property",
    "Shape",
    "Shapes",
    "absorbed",
    "of_type",
    "only",
    "table",
]

Counted: TypeAlias = tuple[Term, int, int | None]  # what is counted, at least, at most
Property: TypeAlias = tuple[str, bool, Term]  # name, required, value
Edge: TypeAlias = tuple[int, int, Term | None, int]  # see Conditional
Keys: TypeAlias = tuple[Language | None, Term]  # keys of this language, and their value


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """A set of arrays; see array.py. `where` is the pointer of the `uniqueItems` that makes it `unique`, or of the one
    that no array of it fulfils, as some element `repeats` another."""

    prefix: tuple[Term, ...] = ()
    rest: Term = TRUE
    minimum: int = 0
    maximum: int | None = None
    some: tuple[Counted, ...] = ()
    unique: bool = False
    where: str = field(default="", compare=False)
    repeats: bool = False

    def at(self, index: int) -> Term:
        """What the element at `index` must satisfy."""
        return self.prefix[index] if index < len(self.prefix) else self.rest

    def covers(self, other: ArrayShape) -> bool:
        """Whether every array of `other` visibly is one of this shape."""
        if self.minimum > other.minimum or (self.unique and not other.unique) or (self.repeats and not other.repeats):
            return False
        if self.maximum is not None and (other.maximum is None or other.maximum > self.maximum):
            return False
        if self.some and not (len(self.prefix) == len(other.prefix) and set(self.some) <= set(other.some)):
            return False
        length = max(len(self.prefix), len(other.prefix))
        return all(implies(other.at(i), self.at(i)) for i in range(length)) and implies(other.rest, self.rest)


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """A set of objects; see object.py."""

    known: tuple[Property, ...] = ()
    others: tuple[Keys, ...] = ()
    some: tuple[Keys, ...] = ()
    minimum: int = 0
    maximum: int | None = None
    narrowed: str = field(default="", compare=False)  # where names are only known from inside: no complement
    conditions: tuple[tuple[ObjectShape, ...], ...] = ()  # of each, one alternative holds; they ask for `known` names

    @property
    def is_closed(self) -> bool:
        """Whether no other names are possible."""
        return (None, FALSE) in self.others

    def covers(self, other: ObjectShape) -> bool:
        """Whether every object of `other` visibly is one of this shape."""
        if self.minimum > other.minimum or not set(self.some) <= set(other.some):
            return False
        if self.maximum is not None and (other.maximum is None or other.maximum > self.maximum):
            return False
        if not set(self.others) <= set(other.others) or not set(self.conditions) <= set(other.conditions):
            return False
        theirs = {name: (required, term) for name, required, term in other.known}
        for name, required, term in self.known:
            their_required, their_term = theirs.pop(name, (False, TRUE))
            if (required and not their_required) or not implies(their_term, term):
                return False
        if self.some and len(self.known) != len(other.known):
            return False
        # Names only the other shape knows: here they fall under `others`, there they do not.
        return not theirs or not (self.others or self.some)


@dataclass(frozen=True, slots=True)
class Conditional:
    """The known properties of an object with conditions, in their order: an acyclic automaton (conditions.py).

    Edges are (state, place of a property, its value or None where it is absent, higher state); state 0 begins, the last
    one is past all properties; every state lies between them.
    """

    n_states: int
    edges: tuple[Edge, ...]


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
ANY_ARRAY, ANY_OBJECT = ArrayShape(), ObjectShape()
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
def of_type(value: Any, scope: Context) -> Shapes:
    """The values of the named types."""
    return _of_types(frozenset((value,) if isinstance(value, str) else value), scope.draft)


def only(on: str, value: Any) -> dict[str, Any]:
    """The field of `Shapes` that a keyword about one kind of value restricts, with what its function returned."""
    return {on + "s": (value,) if on in ("array", "object") else value}


@cache
def table(draft: int) -> dict[str, Keyword]:
    """The keywords of a draft."""
    return keywords_of(draft)


MOST_ABSORBED = 100  # shapes compared each with each; receipt: a oneOf of unions of 384 shapes 1.2 -> 0.2 s


def absorbed(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The union without members that another one visibly covers; as it is where comparing would take long."""
    if len(shapes) > MOST_ABSORBED:
        return shapes
    kept: list[Shape] = []
    for shape in shapes:
        if not any(other.covers(shape) for other in kept):
            kept = [other for other in kept if not shape.covers(other)]
            kept.append(shape)
    return tuple(kept)
