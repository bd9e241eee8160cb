"""What the parts of this front end may ask of each other.

    Scope     a keyword's function asks about the schema around it               made by scope.py
    Sets      the operations on arrays and objects ask about their children       the algebra
    Writer    what writes arrays and objects asks about the rest of a grammar     lowering.py

Scope is `keywords.Context` and more. Whoever adds a keyword or a kind of text reads this file and no other.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from structgen.grammars.ir import Expr
from structgen.grammars.json_schema.keywords import Context
from structgen.grammars.json_schema.reader import Node, Reader
from structgen.grammars.json_schema.shapes import ArrayShape, Conditional, ObjectShape, Shape, Shapes
from structgen.grammars.json_schema.style import Gaps, JsonStyle
from structgen.grammars.json_schema.terms import Environment, Term, Terms
from structgen.grammars.regular.language import Language
from structgen.options import Limits

if TYPE_CHECKING:
    from referencing import Registry

__all__ = ["Scope", "Sets", "Writer"]


class Sets(Protocol):
    """Sets of JSON values as terms, and what they expand to."""

    reader: Reader
    limits: Limits
    registry: Registry[Any] | None
    terms: Terms  # makes them
    expanded: dict[Term, Shapes]  # those looked into so far
    inline: list[Term]  # being expanded, outermost first
    visited: list[Any]  # scopes being asked what they evaluate, outermost first

    @property
    def place(self) -> str:
        """The pointer of the schema being expanded, for messages."""

    def step(self) -> None:
        """Count one meet of shapes. Raises LimitExceeded."""

    def schema(self, node: Node, environment: Environment = ()) -> Term:
        """The term of a schema location, reached in an environment."""

    def shaped(self, shape: ObjectShape | ArrayShape) -> Term:
        """The term of the values of another kind, or of this shape."""

    def expand(self, term: Term) -> Shapes:
        """What each kind of value may be under the term."""

    def is_empty(self, term: Term) -> bool:
        """Whether no value fits, as far as can be seen within a few levels; True is always right."""

    def is_supported(self, term: Term) -> bool:
        """Whether it is known what the term says: a complement may not be."""

    def bounded(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shapes, each once. Raises LimitExceeded if they are too many."""

    def conditional(self, shape: ObjectShape) -> Conditional | None:
        """The automaton of a shape with conditions; None where no object fits. Raises LimitExceeded."""

    def is_choice(self, term: Term) -> bool:
        """Whether the term visibly allows only a few strings or numbers."""


class Scope(Context, Protocol):
    """What a keyword's function may look at: the schema around it, its subschemas, and what references name."""

    @property
    def node(self) -> Node:
        """Where the schema stands."""

    @property
    def algebra(self) -> Sets:
        """Answers about terms."""

    @property
    def terms(self) -> Terms:
        """Makes terms."""

    def term(self, subschema: Any) -> Term:
        """The term of a subschema of this schema."""

    def inside(self, subschema: Any) -> Scope:
        """The scope of a subschema of this schema."""

    def resolve(self, reference: str, name: str) -> Term:
        """The term of what a reference names; `name` is its keyword."""

    def target(self, reference: str, name: str) -> Scope:
        """The scope of what a reference names."""

    def visiting(self) -> AbstractContextManager[None]:
        """Raise Unsatisfiable for a reference that leads back to this schema while it is being visited."""


class Writer(Protocol):
    """A grammar being written."""

    style: JsonStyle
    gaps: Gaps  # what may stand between tokens

    @property
    def algebra(self) -> Sets:
        """Answers about terms."""

    @property
    def place(self) -> str:
        """The pointer of the schema being written, for messages."""

    def value(self, term: Term) -> Expr:
        """The texts of the values that fit the term."""

    def element(self, term: Term) -> Expr:
        """An element of an array. NOTHING where no value fits the term."""

    def member(self, name: str, term: Term) -> Expr:
        """A member of an object: its name, and a value that fits the term. NOTHING where no value does."""

    def unknown(self, language: Language, term: Term) -> Expr:
        """A member whose name is any of a language."""
