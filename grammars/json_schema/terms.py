"""Terms: hash-consed boolean combinations of schemas and of sets of values.

    TRUE  FALSE                     everything, nothing
    SchemaTerm(node)                what a schema location accepts
    ValuesTerm(values)              exactly these JSON values (compared as JSON: 1 is 1.0, true is not 1)
    ShapesTerm(shapes)              what an expansion says (implications about properties)
    MeetTerm  UnionTerm  NotTerm    combinations
    ExactlyOneTerm                  accepted by one and only one part (oneOf)

Equal combinations of one compilation are the same object, so recursion through a combination meets itself again and
becomes a rule that refers to itself. A term is never expanded by making it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from structgen.grammars.json_schema.reader import Node

__all__ = [
    "FALSE",
    "TRUE",
    "Constant",
    "Environment",
    "ExactlyOneTerm",
    "MeetTerm",
    "NotTerm",
    "SchemaTerm",
    "ShapesTerm",
    "Term",
    "Terms",
    "UnionTerm",
    "ValuesTerm",
    "implies",
]


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """TRUE or FALSE."""

    holds: bool


Environment: TypeAlias = tuple[tuple[str, Node], ...]  # dynamic anchors in force, and what they name


@dataclass(frozen=True, slots=True, eq=False)
class SchemaTerm:
    """The values valid under a schema location, reached in an environment."""

    node: Node
    environment: Environment


@dataclass(frozen=True, slots=True, eq=False)
class ValuesTerm:
    """Exactly these values, in the order written."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ShapesTerm:
    """Values given by an `algebra.Shapes`."""

    shapes: Any


@dataclass(frozen=True, slots=True, eq=False)
class MeetTerm:
    """Accepted by every part."""

    parts: tuple[Term, ...]
    members: frozenset[Term]  # the same


@dataclass(frozen=True, slots=True, eq=False)
class UnionTerm:
    """Accepted by some part."""

    parts: tuple[Term, ...]
    members: frozenset[Term]  # the same


@dataclass(frozen=True, slots=True, eq=False)
class ExactlyOneTerm:
    """Accepted by one part and no other."""

    parts: tuple[Term, ...]
    members: frozenset[Term]  # the same


@dataclass(frozen=True, slots=True, eq=False)
class NotTerm:
    """Accepted by none."""

    part: Term


Term: TypeAlias = Constant | SchemaTerm | ValuesTerm | ShapesTerm | MeetTerm | UnionTerm | ExactlyOneTerm | NotTerm

TRUE = Constant(True)
FALSE = Constant(False)


@dataclass(slots=True)
class Terms:
    """Makes terms, each once."""

    table: dict[Hashable, Any] = field(default_factory=dict)

    def schema(self, node: Node, environment: Environment, content: Hashable) -> Term:
        """The term of a schema location in an environment; locations of equal `content` share it."""
        key = ("schema", content, environment)
        term: Term | None = self.table.get(key)
        if term is None:
            term = self.table[key] = SchemaTerm(node, environment)
        return term

    def values(self, values: Iterable[Any]) -> Term:
        """The term of a set of JSON values."""
        distinct = {value_key(value): value for value in values}
        if not distinct:
            return FALSE
        return self._once(("values", frozenset(distinct)), ValuesTerm, tuple(distinct.values()))

    def shapes(self, shapes: Hashable) -> Term:
        """The term of an `algebra.Shapes`."""
        return self._once(("shapes", shapes), ShapesTerm, shapes)

    def meet(self, *parts: Term) -> Term:
        """Everything all parts accept."""
        flat: dict[Term, None] = {}
        for part in parts:
            if type(part) is MeetTerm:
                flat.update(dict.fromkeys(part.parts))
            elif part is not TRUE:
                flat[part] = None
        if len(flat) < 2:
            return next(iter(flat), TRUE)
        if FALSE in flat or any(type(part) is NotTerm and part.part in flat for part in flat):
            return FALSE
        return self._combined("meet", MeetTerm, flat)

    def union(self, *parts: Term) -> Term:
        """Everything some part accepts."""
        flat: dict[Term, None] = {}
        for part in parts:
            if type(part) is UnionTerm:
                flat.update(dict.fromkeys(part.parts))
            elif part is not FALSE:
                flat[part] = None
        if len(flat) < 2:
            return next(iter(flat), FALSE)
        if TRUE in flat or any(type(part) is NotTerm and part.part in flat for part in flat):
            return TRUE
        return self._combined("union", UnionTerm, flat)

    def exactly_one(self, parts: Iterable[Term]) -> Term:
        """Everything one part accepts and the others do not. A part that occurs twice never counts."""
        given = [part for part in parts if part is not FALSE]
        repeated = {part for part, n in Counter(given).items() if n > 1}
        single = dict.fromkeys(part for part in given if part not in repeated)
        one = self._combined("one", ExactlyOneTerm, single) if len(single) > 1 else next(iter(single), FALSE)
        return self.meet(one, *(self.negate(part) for part in repeated)) if repeated else one

    def negate(self, part: Term) -> Term:
        """Everything the part does not accept. Moved inwards, so that combinations stay recognisable."""
        match part:
            case Constant(holds):
                return FALSE if holds else TRUE
            case NotTerm(inner):
                return inner
            case MeetTerm(parts):
                return self.union(*map(self.negate, parts))
            case UnionTerm(parts):
                return self.meet(*map(self.negate, parts))
        return self._once(("not", id(part)), NotTerm, part)

    def _combined(self, name: str, kind: Any, flat: dict[Term, None]) -> Term:
        members = frozenset(flat)
        key = (name, members)
        term: Term | None = self.table.get(key)
        if term is None:
            term = self.table[key] = kind(tuple(flat), members)
        return term

    def _once(self, key: Hashable, kind: Any, content: Any) -> Term:
        term: Term | None = self.table.get(key)
        if term is None:
            term = self.table[key] = kind(content)
        return term


def implies(a: Term, b: Term) -> bool:
    """Whether `a` visibly accepts nothing that `b` does not. True is always right."""
    if a is b or b is TRUE or a is FALSE:
        return True
    if isinstance(a, MeetTerm):
        return b.members <= a.members if isinstance(b, MeetTerm) else b in a.members
    if isinstance(b, MeetTerm):
        return all(isinstance(part, UnionTerm) and a in part.members for part in b.parts)
    return isinstance(b, UnionTerm) and a in b.members


def value_key(value: Any) -> Hashable:
    """Equal for equal JSON values, different for different ones."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, dict):
        return "object", frozenset((name, value_key(item)) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return "array", tuple(map(value_key, value))
    if isinstance(value, float):
        return "number", Decimal(repr(value))
    return ("number", value) if isinstance(value, (int, Decimal, Fraction)) else value
