"""The algebra: expand a term into what each kind of value may be.

`Shapes` holds, per kind of JSON value, a set closed under the operations (null, booleans, numbers, strings) or a
union of shapes (arrays, objects) whose children are terms. Expansion goes through everything that applies to one
and the same value (references, allOf, not, ...) and stops at children, so recursive schemas are finite here.
Results are memoised by term.

Emptiness is searched to a bounded depth through required children. "Empty" is always right; a deeper emptiness is
left to the grammar, where a rule that produces nothing disappears.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from structgen.errors import LimitExceeded, UnsupportedSchema
from structgen.grammars.json_schema import array, number, object, string
from structgen.grammars.json_schema.conditions import conditional, is_plain
from structgen.grammars.json_schema.exclusive import exactly_one
from structgen.grammars.json_schema.keywords import Keyword, is_number
from structgen.grammars.json_schema.number import ALL_NUMBERS
from structgen.grammars.json_schema.protocols import Scope
from structgen.grammars.json_schema.reader import Node, Reader, exact
from structgen.grammars.json_schema.recursion import cycle, gather
from structgen.grammars.json_schema.refusals import placed
from structgen.grammars.json_schema.scope import SchemaScope
from structgen.grammars.json_schema.shapes import (
    ALL_ARRAYS,
    ALL_OBJECTS,
    ANY_ARRAY,
    ANY_OBJECT,
    ANYTHING,
    BOTH,
    NOTHING,
    ArrayShape,
    Conditional,
    ObjectShape,
    Shape,
    Shapes,
    of_type,
)
from structgen.grammars.json_schema.string import ANY_STRING, NO_STRING
from structgen.grammars.json_schema.terms import (
    FALSE,
    TRUE,
    Constant,
    Environment,
    ExactlyOneTerm,
    MeetTerm,
    NotTerm,
    SchemaTerm,
    ShapesTerm,
    Term,
    Terms,
    UnionTerm,
    ValuesTerm,
)
from structgen.grammars.json_schema.unions import complement_all, meet_all
from structgen.grammars.time_limit import check_time
from structgen.options import Limits

if TYPE_CHECKING:
    from referencing import Registry

__all__ = ["Algebra"]

MOST_ALTERNATIVES = 200  # of a condition on objects
FEW_WAYS = 16  # of combining alternatives: so many are written out, seeing what else applies
EMPTINESS_DEPTH = 12
EMPTINESS_SEARCH = 3000  # terms looked at to find out whether one is empty
FOLDED = frozenset(("any", "string", "number", "array", "object"))
CHOICES = frozenset(("enum", "const"))
SHAPES_SEARCHED = 200  # alternatives looked at to find out whether a term is empty


def _order(said: tuple[Keyword, Any]) -> int:
    return said[0].order


@dataclass(slots=True)
class Algebra:
    """The state of one compilation: terms, their expansions, and the documents they come from."""

    reader: Reader
    limits: Limits
    registry: Registry[Any] | None = None
    terms: Terms = field(default_factory=Terms)
    expanded: dict[Term, Shapes] = field(default_factory=dict)
    empties: dict[Term, bool] = field(default_factory=dict)
    conditionals: dict[ObjectShape, Conditional | None] = field(default_factory=dict)
    read: dict[SchemaTerm, tuple[Shapes, tuple[Term, ...]]] = field(default_factory=dict)
    visited: list[Scope] = field(default_factory=list)  # being asked what they evaluate, outermost first
    inline: list[Term] = field(default_factory=list)  # being expanded, outermost first
    floor: int = 0  # where in `inline` the present value begins; before it are its ancestors
    depth: int = 0  # of the search for emptiness
    search: int = 0  # terms the present search may still look at
    steps: int = 0

    def forget(self) -> None:
        """Let go of all terms, one after the other: 90,000 objects freed at once keep other threads from the
        interpreter for 7 ms."""
        for memo in (self.expanded, self.empties, self.conditionals, self.read, self.terms.table):
            while memo:
                memo.popitem()

    @property
    def place(self) -> str:
        """The pointer of the schema being expanded, for messages."""
        node = self._node()
        return "#" if node is None else node.pointer

    def _node(self) -> Node | None:
        return next((term.node for term in reversed(self.inline) if isinstance(term, SchemaTerm)), None)

    def step(self) -> None:
        """Count one meet of shapes."""
        check_time()
        self.steps += 1
        if self.steps > self.limits.algebra_steps:
            reason = f"the combinations of schemas are too many, at {self.place}"
            raise LimitExceeded(reason, limit="algebra_steps", allowed=self.limits.algebra_steps)

    def schema(self, node: Node, environment: Environment = ()) -> Term:
        """The term of a schema location, reached in an environment."""
        if isinstance(node.schema, bool):
            return TRUE if node.schema else FALSE
        return self.terms.schema(node, environment, node.content)

    def shaped(self, shape: ObjectShape | ArrayShape) -> Term:
        """The term of the values of another kind, or of this shape."""
        if isinstance(shape, ArrayShape):
            return self.terms.shapes(Shapes(True, BOTH, ALL_NUMBERS, ANY_STRING, (shape,), ALL_OBJECTS))
        return self.terms.shapes(Shapes(True, BOTH, ALL_NUMBERS, ANY_STRING, ALL_ARRAYS, (shape,)))

    # -------------------------------------------------------------------------------------------- expansion

    def expand(self, term: Term) -> Shapes:
        """What each kind of value may be under the term."""
        shapes = self.expanded.get(term)
        if shapes is None:
            inline = self.inline
            if len(inline) > self.floor and term in inline[self.floor :]:
                raise cycle(term, inline)
            if len(inline) >= self.limits.inline_depth:
                self._check_depth()
            inline.append(term)
            try:
                with placed(self._node()):
                    shapes = self._expansion(term)
            finally:
                inline.pop()
            self.expanded[term] = shapes
        return shapes

    def _check_depth(self, more: int = 0) -> None:
        """Raise LimitExceeded if `more` schemas than are being expanded would be too many."""
        if len(self.inline) + more >= self.limits.inline_depth:
            reason = "too many schemas apply to one value through each other"
            raise LimitExceeded(reason, limit="inline_depth", allowed=self.limits.inline_depth)

    def _expansion(self, term: Term) -> Shapes:
        match term:
            case SchemaTerm():
                shapes, terms = self._keywords(term)
                return self._conjunction(term) if terms else shapes
            case Constant(holds):
                return ANYTHING if holds else NOTHING
            case MeetTerm():
                return self._conjunction(term)
            case ValuesTerm(values):
                return self._values(values)
            case ShapesTerm():
                return term.shapes  # type: ignore[no-any-return]
            case UnionTerm(parts):
                return self.union(*map(self.expand, parts))
            case NotTerm(part):
                return self.complement(self.expand(part))
            case ExactlyOneTerm(parts):
                return exactly_one([self.expand(part) for part in parts], self)
        raise TypeError(term)

    def _conjunction(self, term: Term) -> Shapes:
        """Everything that applies together, gathered through references and allOf.

        Exclusive choices (oneOf) come last and see what else applies: that often tells their members apart. Several
        unions that only ask for properties become conditions of the objects, whose ways are not multiplied.
        """
        own, leaves = gather(term, self._keywords, self._check_depth)
        shapes = reduce(self.meet, own, ANYTHING)
        if shapes is ANYTHING and len(leaves) == 1:
            return self.expand(next(iter(leaves)))
        conditions = self._conditions(leaves) if shapes.objects else {}
        choices = [leaf for leaf in leaves if isinstance(leaf, ExactlyOneTerm) and leaf not in conditions]
        for leaf in leaves:
            if leaf in conditions:
                shapes = self.meet(shapes, replace(conditions[leaf], objects=ALL_OBJECTS))
            elif leaf not in choices:
                shapes = self.meet(shapes, self.expand(leaf))
        for choice in choices:
            shapes = exactly_one([self.meet(shapes, self.expand(part)) for part in choice.parts], self)
        if not conditions:
            return shapes
        asked = object.with_conditions([found.objects for found in conditions.values()])
        return replace(shapes, objects=meet_all(shapes.objects, (asked,), object.meet, self))

    def _conditions(self, leaves: Collection[Term]) -> dict[Term, Shapes]:
        """The unions that become conditions of objects, where writing out their ways would be long.

        One union alone multiplies nothing and is not looked into: by itself a oneOf does not see what tells its members
        apart (receipt: the schema of GeoJSON, 0.29 s to 14 ms).
        """
        unions = [leaf for leaf in leaves if isinstance(leaf, (ExactlyOneTerm, UnionTerm))]
        if len(unions) < 2:
            return {}
        conditions: dict[Term, Shapes] = {}
        for leaf in unions:
            found = self._condition(leaf)
            if found is not None:
                conditions[leaf] = found
        n_ways = prod([len(found.objects) for found in conditions.values()])
        return {} if n_ways <= FEW_WAYS or len(conditions) < 2 else conditions

    def _condition(self, leaf: ExactlyOneTerm | UnionTerm) -> Shapes | None:
        """What a union says that can be a condition of objects, seen by itself; else None."""
        parts = leaf.parts if isinstance(leaf, ExactlyOneTerm) else ()
        if not all(is_plain(shape) for part in parts for shape in self.expand(part).objects):
            return None
        try:
            found = self.expand(leaf)
        except UnsupportedSchema:  # what else applies may tell its members apart
            return None
        is_condition = 1 < len(found.objects) <= MOST_ALTERNATIVES and all(map(is_plain, found.objects))
        return found if is_condition else None

    def _keywords(self, term: SchemaTerm) -> tuple[Shapes, tuple[Term, ...]]:
        """What a schema's own keywords say: shapes, and terms that apply as well."""
        found = self.read.get(term)
        if found is None:
            found = self.read[term] = self._fold(term.node, term.environment)
        return found

    def _fold(self, node: Node, environment: Environment) -> tuple[Shapes, tuple[Term, ...]]:
        scope, base, found = SchemaScope(node, self, environment), ANYTHING, []
        for said in node.says:
            on = said[0].on
            if on in FOLDED:
                found.append(said)
            elif on == "types":
                base = of_type(said[1], scope)
        if not found:
            return base, ()
        numbers, strings, arrays, objects = base.numbers, base.strings, base.arrays, base.objects
        found.sort(key=_order)
        terms = []
        for entry, value in found:
            if entry.on == "any":
                terms.append(entry.apply(value, scope))
            elif entry.on == "object" and objects:
                objects = meet_all(objects, (entry.apply(value, scope),), object.meet, self)
            elif entry.on == "array" and arrays:
                arrays = meet_all(arrays, (entry.apply(value, scope),), array.meet, self)
            elif entry.on == "string" and strings is not NO_STRING:
                strings = string.meet_sets(strings, entry.apply(value, scope))
            elif entry.on == "number" and numbers:
                numbers = number.meet(numbers, entry.apply(value, scope))
        if len(terms) < len(found):
            base = Shapes(base.null, base.booleans, numbers, strings, arrays, objects)
        return base, tuple(terms)

    def _values(self, values: tuple[Any, ...]) -> Shapes:
        """Each value as a shape of its own kind; members and properties become sets of one value."""
        texts = [value for value in values if isinstance(value, str)]
        numbers = [exact(value, self.limits) for value in values if is_number(value)]
        arrays, objects = [], []
        for value in values:
            if isinstance(value, list):
                items = tuple(self.terms.values((item,)) for item in value)
                arrays.append(ArrayShape(items, FALSE, len(items), len(items)))
            elif isinstance(value, dict):
                known = tuple((name, True, self.terms.values((item,))) for name, item in value.items())
                objects.append(ObjectShape(known, ((None, FALSE),)))
        return Shapes(
            None in values,
            frozenset(value for value in values if isinstance(value, bool)),
            number.points(numbers),
            string.exact(string.literal_strings(frozenset(texts))) if texts else NO_STRING,
            tuple(arrays),
            tuple(objects),
        )

    # ------------------------------------------------------------------------------------------- operations

    def meet(self, a: Shapes, b: Shapes) -> Shapes:
        """Values in both."""
        if a is ANYTHING or a is b:
            return b
        if b is ANYTHING:
            return a
        self.step()
        return Shapes(
            a.null and b.null,
            a.booleans & b.booleans,
            number.meet(a.numbers, b.numbers),
            string.meet_sets(a.strings, b.strings),
            meet_all(a.arrays, b.arrays, array.meet, self),
            meet_all(a.objects, b.objects, object.meet, self),
        )

    def union(self, *parts: Shapes) -> Shapes:
        """Values in any."""
        arrays = tuple(chain.from_iterable([part.arrays for part in parts]))
        objects = tuple(chain.from_iterable([part.objects for part in parts]))
        return Shapes(
            any(part.null for part in parts),
            frozenset().union(*(part.booleans for part in parts)),
            number.union(*(part.numbers for part in parts)),
            string.union_sets(*(part.strings for part in parts)),
            ALL_ARRAYS if ANY_ARRAY in arrays else self.bounded(arrays),
            ALL_OBJECTS if ANY_OBJECT in objects else self.bounded(objects),
        )

    def complement(self, a: Shapes) -> Shapes:
        """Every other value."""
        return Shapes(
            not a.null,
            BOTH - a.booleans,
            number.complement(a.numbers),
            string.complement_set(a.strings),
            complement_all(a.arrays, ALL_ARRAYS, array.complement, array.meet, self),
            complement_all(a.objects, ALL_OBJECTS, object.complement, object.meet, self),
        )

    def bounded(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shapes, each once. Raises LimitExceeded if they are too many."""
        if len(shapes) > 1:
            shapes = tuple(dict.fromkeys(shapes))
        allowed = self.limits.shapes if self.depth == 0 else min(self.limits.shapes, SHAPES_SEARCHED)
        if len(shapes) > allowed:
            raise LimitExceeded(f"too many alternatives for one value at {self.place}", limit="shapes", allowed=allowed)
        return shapes

    # -------------------------------------------------------------------------------------------- emptiness

    def is_empty(self, term: Term) -> bool:
        """Whether no value fits, as far as can be seen within a few levels; True is always right."""
        known = self.empties.get(term)
        if known is not None:
            return known
        if self.depth == 0:
            self.search = EMPTINESS_SEARCH
        self.search -= 1
        if term is TRUE or self.depth >= EMPTINESS_DEPTH or self.search < 0:
            return False
        if len(self.inline) * 2 > self.limits.inline_depth:
            return False
        self.empties[term] = False  # what a recursive schema meets on its way: another finite value may exist
        floor, self.floor = self.floor, len(self.inline)
        self.depth += 1
        try:
            empty = self._is_empty(self.expand(term))
        except UnsupportedSchema:
            empty = False  # raised again if the term turns out to be needed
        except LimitExceeded as error:
            if error.limit != "shapes":
                raise
            empty = False
        finally:
            self.depth -= 1
            self.floor = floor
        self.empties[term] = empty
        return empty

    def is_supported(self, term: Term) -> bool:
        """Whether it is known what the term says: a complement may not be."""
        floor, self.floor = self.floor, len(self.inline)  # another value than the one being expanded
        try:
            self.expand(term)
        except UnsupportedSchema:
            return False
        finally:
            self.floor = floor
        return True

    def is_choice(self, term: Term) -> bool:
        """Whether the term visibly allows only a few strings or numbers."""
        if not isinstance(term, (SchemaTerm, ValuesTerm)) or self.depth >= EMPTINESS_DEPTH:
            return False
        if isinstance(term, SchemaTerm) and CHOICES.isdisjoint(term.node.schema):
            return False
        if term in self.inline:
            return False
        floor, self.floor = self.floor, len(self.inline)  # another value than the one being expanded
        try:
            shapes = self.expand(term)
        finally:
            self.floor = floor
        return not shapes.arrays and not shapes.objects

    def _is_empty(self, shapes: Shapes) -> bool:
        if shapes.null or shapes.booleans or shapes.numbers or shapes.strings is not NO_STRING:
            return False
        if any(array.normal(shape, self) is not None for shape in shapes.arrays):
            return False
        return all(object.normal(shape, self) is None or not self._fits(shape) for shape in shapes.objects)

    def _fits(self, shape: ObjectShape) -> bool:
        """Whether the conditions of a shape do not exclude each other."""
        return not shape.conditions or self.conditional(shape) is not None

    def conditional(self, shape: ObjectShape) -> Conditional | None:
        """The automaton of a shape with conditions; None where no object fits. Raises LimitExceeded."""
        if shape not in self.conditionals:
            self.conditionals[shape] = conditional(shape, self)
        return self.conditionals[shape]
