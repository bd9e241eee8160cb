"""Everything that applies to one value, gathered through references and allOf; what leads back to itself is refused.

A schema that applies to its own value through references alone has no defined meaning; the error says the two places.
(Recursion through children is no such thing: a child is another value.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structgen.errors import Unsatisfiable
from structgen.grammars.json_schema.shapes import ANYTHING, NOTHING, Shapes
from structgen.grammars.json_schema.terms import FALSE, TRUE, MeetTerm, SchemaTerm, Term

__all__ = ["cycle", "gather"]

Read = Callable[
    [SchemaTerm], tuple[Shapes, tuple[Term, ...]]
]  # what a schema's own keywords say, and what else applies


def cycle(term: Term, path: Sequence[Term]) -> Unsatisfiable:
    """The error for a term met again on the path of what is being expanded."""
    place = next((t.node.pointer for t in reversed(path) if isinstance(t, SchemaTerm)), "#")
    start = term.node.pointer if isinstance(term, SchemaTerm) else place
    return Unsatisfiable("the reference leads back to itself", pointer=place, conflict=(start, place))


def gather(term: Term, read: Read, check_depth: Callable[[int], None]) -> tuple[list[Shapes], dict[Term, None]]:
    """What the schemas that apply say themselves, and the other terms that apply, in order.

    `check_depth` is told how many schemas apply through each other, and may raise.
    """
    found = _Gathered(read, check_depth)
    found.visit(term)
    return found.own, found.leaves


class _Gathered:
    """No function within `gather`: one that calls itself is garbage that only a collection finds, and all that it
    reads with it."""

    __slots__ = ("check_depth", "leaves", "own", "path", "read")

    def __init__(self, read: Read, check_depth: Callable[[int], None]) -> None:
        self.read, self.check_depth = read, check_depth
        self.own: list[Shapes] = []
        self.leaves: dict[Term, None] = {}
        self.path: list[Term] = []

    def visit(self, term: Term) -> None:
        """Add a term and what applies with it."""
        if isinstance(term, MeetTerm):
            for part in term.parts:
                self.visit(part)
        elif isinstance(term, SchemaTerm):
            if term in self.path:
                raise cycle(term, self.path)
            self.check_depth(len(self.path))
            shapes, terms = self.read(term)
            if shapes is not ANYTHING:
                self.own.append(shapes)
            self.path.append(term)
            for part in terms:
                self.visit(part)
            self.path.pop()
        elif term is FALSE:
            self.own.append(NOTHING)
        elif term is not TRUE:
            self.leaves[term] = None
