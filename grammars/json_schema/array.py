"""Arrays: shapes, their meet and complement, the keywords about arrays, and how a shape is written.

A shape says: `prefix[i]` for the first elements, `rest` for every later one, minimum <= length <= maximum, and for
each term in `some` that an element after the prefix satisfies it. Meet works position by position; the complement
is a union over the ways one condition fails. `contains` is `some`; `uniqueItems` is kept only where it holds by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from structgen.errors import UnsupportedSchema
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Literal, Repeat, joined, optional, seq
from structgen.grammars.json_schema.keywords import BOOLEAN, NATURAL, SCHEMA, SCHEMA_OR_SCHEMAS, SCHEMAS, keyword
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term, implies

if TYPE_CHECKING:
    from structgen.grammars.json_schema.algebra import Algebra
    from structgen.grammars.json_schema.lowering import Lowering
    from structgen.grammars.json_schema.scope import Scope

__all__ = ["ANY_ARRAY", "ArrayShape", "complement", "lower", "meet"]

MAX_COUNTED = 2_000  # positions spelled out where a bounded array must contain something


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """A set of arrays; see the module. `unique` is the pointer of the `uniqueItems` that applies."""

    prefix: tuple[Term, ...] = ()
    rest: Term = TRUE
    minimum: int = 0
    maximum: int | None = None
    some: tuple[Term, ...] = ()
    unique: str | None = None

    def at(self, index: int) -> Term:
        """What the element at `index` must satisfy."""
        return self.prefix[index] if index < len(self.prefix) else self.rest

    def covers(self, other: ArrayShape) -> bool:
        """Whether every array of `other` visibly is one of this shape."""
        if self.minimum > other.minimum or (self.unique and not other.unique):
            return False
        if self.maximum is not None and (other.maximum is None or other.maximum > self.maximum):
            return False
        if self.some and not (len(self.prefix) == len(other.prefix) and set(self.some) <= set(other.some)):
            return False
        length = max(len(self.prefix), len(other.prefix))
        return all(implies(other.at(i), self.at(i)) for i in range(length)) and implies(other.rest, self.rest)


ANY_ARRAY = ArrayShape()


def normal(shape: ArrayShape, algebra: Algebra) -> ArrayShape | None:
    """The shape with what follows from emptiness made explicit; None when no array fits."""
    prefix, rest, maximum = shape.prefix, shape.rest, shape.maximum
    for index, term in enumerate(prefix):
        if algebra.is_empty(term):
            maximum = index if maximum is None else min(maximum, index)
            break
    if algebra.is_empty(rest):
        rest = FALSE
        maximum = len(prefix) if maximum is None else min(maximum, len(prefix))
    if maximum is not None and maximum <= len(prefix):
        prefix, rest = prefix[:maximum], FALSE
    minimum = max(shape.minimum, len(prefix) + 1) if shape.some else shape.minimum
    if maximum is not None and minimum > maximum:
        return None
    if any(algebra.is_empty(algebra.terms.meet(rest, term)) for term in shape.some):
        return None
    unique = None if maximum is not None and maximum <= 1 else shape.unique
    return ArrayShape(prefix, rest, minimum, maximum, shape.some, unique)


def meet(a: ArrayShape, b: ArrayShape, algebra: Algebra) -> tuple[ArrayShape, ...]:
    """What fits both: one shape, or several where a `some` may be met by an element the other describes by position."""
    if a == ANY_ARRAY or b == ANY_ARRAY:
        return (b if a == ANY_ARRAY else a,)
    terms = algebra.terms
    length = max(len(a.prefix), len(b.prefix))
    prefix = tuple(terms.meet(a.at(i), b.at(i)) for i in range(length))
    maxima = [maximum for maximum in (a.maximum, b.maximum) if maximum is not None]
    shapes = [
        ArrayShape(
            prefix,
            terms.meet(a.rest, b.rest),
            max(a.minimum, b.minimum),
            min(maxima, default=None),
            unique=a.unique or b.unique,
        )
    ]
    for owner in (a, b):
        for term in owner.some:
            shapes = [split for shape in shapes for split in _with_some(shape, term, len(owner.prefix), algebra)]
    found = (normal(shape, algebra) for shape in shapes)
    return tuple(dict.fromkeys(shape for shape in found if shape is not None))


def _with_some(shape: ArrayShape, term: Term, first: int, algebra: Algebra) -> list[ArrayShape]:
    """`term` holds for an element at position `first` or later: one of the prefix, or one after it."""
    meet_terms = algebra.terms.meet
    splits = []
    for index in range(first, len(shape.prefix)):
        element = meet_terms(shape.prefix[index], term)
        prefix = (*shape.prefix[:index], element, *shape.prefix[index + 1 :])
        splits.append(replace(shape, prefix=prefix, minimum=max(shape.minimum, index + 1)))
    some = shape.some if term in shape.some else (*shape.some, term)
    return [*splits, replace(shape, some=some)]


def complement(shape: ArrayShape, algebra: Algebra) -> tuple[ArrayShape, ...]:
    """Every other array, as a union over the ways the shape can fail."""
    if shape.unique is not None:
        reason = "arrays with repeated items are not regular"
        raise UnsupportedSchema(reason, pointer=shape.unique, keyword="uniqueItems")
    negate, size = algebra.terms.negate, len(shape.prefix)
    ways = []
    if shape.minimum > 0:
        ways.append(ArrayShape(maximum=shape.minimum - 1))
    if shape.maximum is not None:
        ways.append(ArrayShape(minimum=shape.maximum + 1))
    for index, term in enumerate(shape.prefix):
        ways.append(ArrayShape((TRUE,) * index + (negate(term),), minimum=index + 1))
    open_prefix = (TRUE,) * size
    if shape.rest is not TRUE:
        ways.append(ArrayShape(open_prefix, some=(negate(shape.rest),)))
    ways.extend(ArrayShape(open_prefix, negate(term)) for term in shape.some)
    found = (normal(way, algebra) for way in ways)
    return tuple(way for way in found if way is not None)


# ------------------------------------------------------------------------------------------------------- keywords


@keyword("items", on="array", form=SCHEMA_OR_SCHEMAS, drafts=(4, 6, 7, 2019))
def _items(value: Any, scope: Scope) -> ArrayShape:
    if isinstance(value, list):
        return ArrayShape(prefix=tuple(scope.term(item) for item in value))
    return ArrayShape(rest=scope.term(value))


@keyword("additionalItems", on="array", form=SCHEMA, drafts=(4, 6, 7, 2019))
def _additional_items(value: Any, scope: Scope) -> ArrayShape:
    items = scope.schema.get("items")
    if not isinstance(items, list):
        return ANY_ARRAY
    return ArrayShape(prefix=(TRUE,) * len(items), rest=scope.term(value))


@keyword("prefixItems", on="array", form=SCHEMAS, drafts=(2020,))
def _prefix_items(value: Any, scope: Scope) -> ArrayShape:
    return ArrayShape(prefix=tuple(scope.term(item) for item in value))


@keyword("items", on="array", form=SCHEMA, drafts=(2020,))
def _items_after_prefix(value: Any, scope: Scope) -> ArrayShape:
    return ArrayShape(prefix=(TRUE,) * len(scope.schema.get("prefixItems", ())), rest=scope.term(value))


@keyword("minItems", on="array", form=NATURAL)
def _min_items(value: int, scope: Scope) -> ArrayShape:
    return ArrayShape(minimum=int(value))


@keyword("maxItems", on="array", form=NATURAL)
def _max_items(value: int, scope: Scope) -> ArrayShape:
    return ArrayShape(maximum=int(value))


@keyword("uniqueItems", on="array", form=BOOLEAN)
def _unique_items(value: bool, scope: Scope) -> ArrayShape:
    return ArrayShape(unique=scope.at("uniqueItems")) if value else ANY_ARRAY


@keyword("contains", on="array", form=SCHEMA, drafts=(6, 7, 2019, 2020))
def _contains(value: Any, scope: Scope) -> ArrayShape:
    least, most = 1, None
    if scope.draft >= 2019:
        least, most = scope.schema.get("minContains", 1), scope.schema.get("maxContains")
    term = scope.term(value)
    if most == 0:
        return ArrayShape(rest=scope.terms.negate(term), maximum=0 if least else None)
    if most is not None or least > 1:
        reason = "only minContains 0 and 1 are counted"
        raise UnsupportedSchema(reason, pointer=scope.at("contains"), keyword="contains")
    return ArrayShape(some=(term,), minimum=1) if least else ANY_ARRAY


@keyword("minContains", on="array", form=NATURAL, drafts=(2019, 2020))
@keyword("maxContains", on="array", form=NATURAL, drafts=(2019, 2020))
def _contains_bounds(value: int, scope: Scope) -> ArrayShape:
    return ANY_ARRAY  # read by contains


# ------------------------------------------------------------------------------------------------------- lowering


def lower(shape: ArrayShape, to: Lowering) -> Expr:
    """The texts of the arrays of a shape."""
    fitting = normal(shape, to.algebra)
    if fitting is None:
        return NOTHING
    shape = fitting
    if shape.unique is not None:
        reason = "comparing open items with each other needs more than a grammar"
        raise UnsupportedSchema(reason, pointer=shape.unique, keyword="uniqueItems")
    gaps = to.gaps
    comma, size, maximum = gaps.comma, len(shape.prefix), shape.maximum
    if shape.some:
        body = _containing(shape, to)
    elif size == 0:
        body = joined(to.value(shape.rest), comma, max(shape.minimum, 1), maximum)
    else:
        body = _positions(shape, to)
    if shape.minimum > 0:
        return seq(Literal(b"["), gaps.opening, body, gaps.closing, Literal(b"]"))
    inside = gaps.empty if body == NOTHING else seq(gaps.opening, body, gaps.closing)
    if body == NOTHING or gaps.empty == EPSILON:
        return seq(Literal(b"["), optional(inside), Literal(b"]"))
    return seq(Literal(b"["), gaps.opening, optional(seq(body, gaps.closing)), Literal(b"]"))


def _positions(shape: ArrayShape, to: Lowering) -> Expr:
    """One element or more: a chain of states over the prefix, then a counted loop."""
    comma, size = to.gaps.comma, len(shape.prefix)
    edges: list[tuple[int, Expr, int]] = []
    for index, term in enumerate(shape.prefix):
        value = to.value(term)
        edges.append((index, seq(comma, value) if index else value, index + 1))
    accepts = [index for index in range(1, size + 1) if index >= shape.minimum]
    more = None if shape.maximum is None else shape.maximum - size
    if more is None or more > 0:
        least = max(shape.minimum - size, 1)
        edges.append((size, Repeat(seq(comma, to.value(shape.rest)), least, more), size + 1))
        accepts.append(size + 1)
    return Graph(size + 2, 0, tuple(accepts), tuple(edges))


def _containing(shape: ArrayShape, to: Lowering) -> Expr:
    """One element or more, some of them after the prefix satisfying each term of `some`.

    States: (elements so far, which terms of `some` are satisfied); elements beyond every bound are not counted.
    """
    size, maximum, comma, meet_terms = len(shape.prefix), shape.maximum, to.gaps.comma, to.algebra.terms.meet
    last = max(shape.minimum, size + 1) if maximum is None else maximum
    full = (1 << len(shape.some)) - 1
    if (last + 1) << len(shape.some) > MAX_COUNTED:
        reason = f"an array of up to {last} items that must contain a certain item"
        raise UnsupportedSchema(reason, pointer=to.place, keyword="contains")
    edges: list[tuple[int, Expr, int]] = []
    for count in range(last + (maximum is None)):
        target = min(count + 1, last)
        for seen in range(full + 1):
            for gained in range(full + 1) if count >= size else (0,):
                if gained & seen:
                    continue
                asked = (term for bit, term in enumerate(shape.some) if gained >> bit & 1)
                value = to.value(meet_terms(shape.at(count), *asked))
                if value != NOTHING:
                    source, label = count << len(shape.some) | seen, seq(comma, value) if count else value
                    edges.append((source, label, target << len(shape.some) | seen | gained))
    accepts = tuple(count << len(shape.some) | full for count in range(max(shape.minimum, 1), last + 1))
    return Graph((last + 1) << len(shape.some), 0, accepts, tuple(edges))
