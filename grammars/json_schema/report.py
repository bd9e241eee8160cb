"""What became of each keyword of a schema, and where a schema that accepts nothing contradicts itself.

Both are computed only when asked for: a compilation that succeeds pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import Literal, NamedTuple

from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedSchema
from structgen.grammars.ir import Grammar
from structgen.grammars.json_schema.algebra import Algebra
from structgen.grammars.json_schema.reader import Node, Reader
from structgen.grammars.json_schema.scope import SchemaScope, entered
from structgen.grammars.json_schema.shapes import ANYTHING, NOTHING, Shapes, only, table
from structgen.grammars.json_schema.terms import MeetTerm, SchemaTerm, Term
from structgen.grammars.regular import formats
from structgen.options import Limits

__all__ = ["CompiledSchema", "Entry", "conflict_of", "impossible_parts"]

MAX_COMPARED = 200  # constraints compared pairwise to explain a contradiction
MAX_TOGETHER = 50  # constraints out of which the few that contradict each other together are looked for
MAX_PARTS = 3000


class Entry(NamedTuple):
    """One keyword of one schema location."""

    pointer: str
    keyword: str
    status: Literal["enforced", "annotation"]


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A grammar and the documents it came from."""

    grammar: Grammar
    reader: Reader

    @property
    def report(self) -> tuple[Entry, ...]:
        """Every keyword of every document read, in no particular order of locations."""
        return tuple(entry for node in self.reader.nodes.values() for entry in _entries(node))


def _entries(node: Node) -> Iterator[Entry]:
    known = table(node.draft)
    overridden = node.draft <= 7 and "$ref" in node.schema
    for name, value in node.schema.items():
        enforced = name in known and not (overridden and name != "$ref")
        if name == "format" and enforced:
            enforced = formats.get(value) is not None
        yield Entry(node.at(name), name, "enforced" if enforced else "annotation")


# --------------------------------------------------------------------------------------------------- contradictions


def conflict_of(term: Term, algebra: Algebra) -> Unsatisfiable:
    """Why a term that accepts nothing does so: one impossible place, the first two that exclude each other, or a few
    that do together and of which none can be left out (given the type)."""
    nodes = list(_nodes(term, algebra))
    where = nodes[0].pointer if nodes else "#"
    constraints = [constraint for node in nodes for constraint in _constraints(node, algebra)][:MAX_COMPARED]
    for pointer, shapes in constraints:
        if _is_nothing(shapes, algebra):
            return Unsatisfiable("no value is possible here", pointer=pointer, conflict=(pointer,))
    for child in _required_children(nodes, algebra):
        if child is not term and algebra.is_empty(child):
            return conflict_of(child, algebra)
    typed = reduce(algebra.meet, (shapes for pointer, shapes in constraints if pointer.endswith("/type")), ANYTHING)
    for context in (ANYTHING, typed):
        for (first, a), (second, b) in combinations(constraints, 2):
            if _is_nothing(algebra.meet(context, algebra.meet(a, b)), algebra):
                return Unsatisfiable("no value satisfies both", pointer=where, conflict=(first, second))
    others = [constraint for constraint in constraints if not constraint[0].endswith("/type")]
    together = _smallest(others, typed, algebra) if len(others) <= MAX_TOGETHER else ()
    return Unsatisfiable("no value satisfies all of it", pointer=where, conflict=together)


def _smallest(constraints: list[tuple[str, Shapes]], context: Shapes, algebra: Algebra) -> tuple[str, ...]:
    """Places that exclude each other in a context, each of them needed: all, minus one after the other that is not."""
    kept = list(constraints)
    for each in constraints:
        rest = [other for other in kept if other is not each]
        if _is_nothing(reduce(algebra.meet, (shapes for _, shapes in rest), context), algebra):
            kept = rest
    shapes = reduce(algebra.meet, (shapes for _, shapes in kept), context)
    return tuple(pointer for pointer, _ in kept) if _is_nothing(shapes, algebra) else ()


def impossible_parts(reader: Reader, limits: Limits) -> Iterator[tuple[str, str]]:
    """Pointers of the subschemas of the documents read that no value satisfies, and why: they are left out of the
    grammar. Looks at the first few thousand."""
    algebra = Algebra(reader, limits)
    for node in tuple(reader.nodes.values())[:MAX_PARTS]:
        if node.parent is None or isinstance(node.schema, bool):
            continue
        try:
            environment = entered((), node, reader.dynamic)
            if algebra.is_empty(algebra.schema(node, environment)):
                alone = Algebra(reader, limits)  # in which no other place that says the same stands for this one
                yield node.pointer, str(conflict_of(alone.schema(node, environment), alone))
        except Unsatisfiable as error:
            yield node.pointer, str(error)
        except (LimitExceeded, UnsupportedSchema) as error:
            yield node.pointer, f"whether a value satisfies it was not found out: {error}"


def _is_nothing(shapes: Shapes, algebra: Algebra) -> bool:
    return shapes == NOTHING or algebra.is_empty(algebra.terms.shapes(shapes))


def _nodes(term: Term, algebra: Algebra) -> Iterator[Node]:
    """The schema locations that all apply to the value: through references and allOf."""
    if isinstance(term, MeetTerm):
        for part in term.parts:
            yield from _nodes(part, algebra)
    if isinstance(term, SchemaTerm):
        node = term.node
        yield node
        scope = SchemaScope(node, algebra)
        if "$ref" in node.schema:
            yield from _nodes(scope.resolve(node.schema["$ref"], "$ref"), algebra)
        if not (node.draft <= 7 and "$ref" in node.schema):
            for part in node.schema.get("allOf", ()):
                yield from _nodes(scope.term(part), algebra)


def _constraints(node: Node, algebra: Algebra) -> Iterator[tuple[str, Shapes]]:
    """Each keyword of a location on its own."""
    scope, known = SchemaScope(node, algebra), table(node.draft)
    for name, value in node.schema.items():
        entry = known.get(name)
        if entry is None or name in ("$ref", "allOf") or (node.draft <= 7 and "$ref" in node.schema):
            continue
        if entry.on == "any":
            yield node.at(name), algebra.expand(entry.apply(value, scope))
        elif entry.on == "types":
            yield node.at(name), entry.apply(value, scope)
        elif entry.on != "place":
            yield node.at(name), replace(ANYTHING, **only(entry.on, entry.apply(value, scope)))


def _required_children(nodes: list[Node], algebra: Algebra) -> Iterator[Term]:
    """For each property some location requires, what all locations together ask of its value."""
    schemas = [(SchemaScope(node, algebra), node.schema) for node in nodes]
    names = dict.fromkeys(name for _, schema in schemas for name in schema.get("required", ()))
    for name in names:
        declaring = [(scope, schema["properties"]) for scope, schema in schemas if name in schema.get("properties", ())]
        yield algebra.terms.meet(*(scope.term(properties[name]) for scope, properties in declaring))
