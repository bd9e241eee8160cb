"""The context of one keyword: the schema around it, its subschemas, and what references in it name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from structgen.errors import Unsatisfiable
from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.reader import Node
from structgen.grammars.json_schema.references import resolve
from structgen.grammars.json_schema.terms import FALSE, TRUE, Environment, Term, Terms
from structgen.options import Limits

__all__ = ["SchemaScope", "entered"]


@dataclass(frozen=True, slots=True)
class SchemaScope:
    """`protocols.Scope` of a schema location, reached in an environment: what dynamic references mean there."""

    node: Node
    algebra: Sets
    environment: Environment = ()

    @property
    def schema(self) -> dict[str, Any]:
        """The schema the keyword stands in."""
        schema: dict[str, Any] = self.node.schema
        return schema

    @property
    def draft(self) -> int:
        """The draft the schema is written in."""
        return self.node.draft

    @property
    def limits(self) -> Limits:
        """The bounds of this compilation."""
        return self.algebra.limits

    @property
    def terms(self) -> Terms:
        """Makes terms."""
        return self.algebra.terms

    def at(self, *tokens: str) -> str:
        """The pointer of something in this schema."""
        return self.node.at(*tokens)

    def term(self, subschema: Any) -> Term:
        """The term of a subschema of this schema."""
        if isinstance(subschema, bool):
            return TRUE if subschema else FALSE
        inner = self.algebra.reader.nodes[id(subschema), self.node.base]
        return self.algebra.schema(inner, self._entered(inner))

    def inside(self, subschema: Any) -> SchemaScope:
        """The scope of a subschema of this schema."""
        if isinstance(subschema, bool):
            return SchemaScope(Node(subschema, self.node, (), self.node.base, self.draft), self.algebra)
        inner = self.algebra.reader.nodes[id(subschema), self.node.base]
        return SchemaScope(inner, self.algebra, self._entered(inner))

    def resolve(self, reference: str, name: str) -> Term:
        """The term of what a reference names."""
        target = self.target(reference, name)
        return self.algebra.schema(target.node, target.environment)

    def target(self, reference: str, name: str) -> SchemaScope:
        """The scope of what a reference names; `$dynamicRef` and `$recursiveRef` ask the environment first."""
        algebra = self.algebra
        found = resolve(reference, self.node, algebra.reader, algebra.registry, name)
        if name != "$ref":
            anchor = reference.partition("#")[2] if name == "$dynamicRef" else ""
            if (found.base, anchor) in algebra.reader.dynamic:
                found = dict(self.environment).get(anchor, found)
        return SchemaScope(found, algebra, self._entered(found))

    def _entered(self, node: Node) -> Environment:
        """The environment at a node reached from here: the outermost resource that has a dynamic anchor decides."""
        known = self.algebra.reader.dynamic
        if not known or (node.base == self.node.base and self.environment):
            return self.environment
        return entered(self.environment, node, known)

    @contextmanager
    def visiting(self) -> Iterator[None]:
        """Raise Unsatisfiable for a reference that leads back to this schema while it is being visited."""
        path = self.algebra.visited
        if self in path:
            place = self.at()
            raise Unsatisfiable("the reference leads back to itself", pointer=place, conflict=(place, place))
        path.append(self)
        try:
            yield
        finally:
            path.pop()


def entered(environment: Environment, node: Node, known: dict[tuple[str, str], Node]) -> Environment:
    """The environment with the dynamic anchors of a node's resource that no outer resource has."""
    names = {name for name, _ in environment}
    fresh = [(name, target) for (base, name), target in known.items() if base == node.base and name not in names]
    return (*environment, *fresh)
