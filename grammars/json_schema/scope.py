"""What a keyword's function may look at: the schema the keyword stands in, its subschemas, and what references name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structgen.grammars.json_schema.object import ObjectShape
from structgen.grammars.json_schema.reader import Node
from structgen.grammars.json_schema.references import resolve
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term, Terms
from structgen.options import Limits

if TYPE_CHECKING:
    from structgen.grammars.json_schema.algebra import Algebra

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a keyword's function may look at: the schema around it, and the algebra."""

    node: Node
    algebra: Algebra

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
        return self.algebra.schema(self.algebra.reader.nodes[id(subschema), self.node.base])

    def resolve(self, reference: str, name: str) -> Term:
        """The term of what a reference names."""
        algebra = self.algebra
        return algebra.schema(resolve(reference, self.node, algebra.reader, algebra.registry, name))

    def dependency(self, name: str, needed: Any) -> Term:
        """If property `name` is there, so are the `needed` names; or the value satisfies the `needed` schema."""
        algebra = self.algebra
        absent = algebra.shaped(ObjectShape(known=((name, False, FALSE),)))
        if isinstance(needed, list):
            if not needed:
                return TRUE
            known = tuple((other, True, TRUE) for other in dict.fromkeys((name, *needed)))
            return algebra.terms.union(absent, algebra.shaped(ObjectShape(known=known)))
        then = algebra.terms.meet(algebra.shaped(ObjectShape(known=((name, True, TRUE),))), self.term(needed))
        return algebra.terms.union(absent, then)
