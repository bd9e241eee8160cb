"""Arrays: meet and complement of shapes, and the keywords about arrays.

A shape (shapes.py) says: `prefix[i]` for the first elements, `rest` for every later one, minimum <= length <= maximum,
and for each entry (term, least, most) in `some` how many elements after the prefix satisfy the term. Meet works
position by position; the complement is a union over the ways one condition fails. `contains` is `some`. What `unique`
asks is checked while the text is written (structgen/unique/automaton.py); here it only matters whether there are values
enough. That some element `repeats` another can only be said, not written: but no unique array does, so of alternatives
that are all unique none is left that says it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema.finite import runs_out
from structgen.grammars.json_schema.keywords import BOOLEAN, NATURAL, SCHEMA, SCHEMA_OR_SCHEMAS, SCHEMAS, keyword
from structgen.grammars.json_schema.protocols import Scope, Sets
from structgen.grammars.json_schema.shapes import ANY_ARRAY, ArrayShape, Counted
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term

__all__ = ["complement", "meet", "normal"]


def normal(shape: ArrayShape, algebra: Sets) -> ArrayShape | None:
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
    some = tuple(entry for entry in shape.some if entry[1:] != (0, None))
    minimum = max([shape.minimum, *(len(prefix) + least for _, least, _ in some if least)])
    if maximum is not None and minimum > maximum:
        return None
    for term, least, most in some:
        if (most is not None and least > most) or (least and algebra.is_empty(algebra.terms.meet(rest, term))):
            return None
    if rest is FALSE:
        some = ()
    unique = shape.unique and (maximum is None or maximum > 1)
    if shape.repeats and (unique or (maximum is not None and maximum < 2)):
        return None
    fitting = ArrayShape(prefix, rest, minimum, maximum, some, unique, shape.where, shape.repeats)
    return None if unique and minimum > 1 and runs_out(fitting, algebra) else fitting


def meet(a: ArrayShape, b: ArrayShape, algebra: Sets) -> tuple[ArrayShape, ...]:
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
            where=a.where or b.where,
            repeats=a.repeats or b.repeats,
        )
    ]
    for owner in (a, b):
        for entry in owner.some:
            shapes = [split for shape in shapes for split in _with_some(shape, entry, len(owner.prefix), algebra)]
    found = (normal(shape, algebra) for shape in shapes)
    return tuple(dict.fromkeys(shape for shape in found if shape is not None))


def _with_some(shape: ArrayShape, entry: Counted, first: int, algebra: Sets) -> list[ArrayShape]:
    """`entry` counts the elements from position `first` on: those of the prefix, taken one by one as counted or not,
    and those after it. Where there is an upper bound, what is not counted must not satisfy the term."""
    term, least, most = entry
    unlike = TRUE if most is None else algebra.terms.negate(term)
    splits = [(shape, least, most)]
    for index in range(first, len(shape.prefix)):
        split = []
        for each, low, high in splits:
            if high != 0 and (low or high):
                element = _at(each, index, term, algebra)
                counted = replace(element, minimum=max(each.minimum, index + 1))
                split.append((counted, max(low - 1, 0), None if high is None else high - 1))
            split.append((_at(each, index, unlike, algebra), low, high))
        splits = split
        allowed = algebra.limits.counted_items
        if len(splits) > allowed:
            raise LimitExceeded("too many ways to count items", limit="counted_items", allowed=allowed)
    return [_beyond(each, (term, low, high), algebra) for each, low, high in splits]


def _beyond(shape: ArrayShape, entry: Counted, algebra: Sets) -> ArrayShape:
    """The shape with an entry about the elements after its prefix."""
    term, least, most = entry
    if least == 0 and most is None:
        return shape
    if most == 0 == least:
        return replace(shape, rest=algebra.terms.meet(shape.rest, algebra.terms.negate(term)))
    return replace(shape, some=tuple(dict.fromkeys((*shape.some, entry))))


def _at(shape: ArrayShape, index: int, wanted: Term, algebra: Sets) -> ArrayShape:
    """The shape with more asked of one element of its prefix."""
    element = algebra.terms.meet(shape.prefix[index], wanted)
    prefix = (*shape.prefix[:index], element, *shape.prefix[index + 1 :])
    return replace(shape, prefix=prefix)


def complement(shape: ArrayShape, algebra: Sets) -> tuple[ArrayShape, ...]:
    """Every other array, as a union over the ways the shape can fail."""
    negate, size = algebra.terms.negate, len(shape.prefix)
    ways = []
    if shape.unique or shape.repeats:
        ways.append(ArrayShape(unique=shape.repeats, where=shape.where, repeats=shape.unique))
    if shape.minimum > 0:
        ways.append(ArrayShape(maximum=shape.minimum - 1))
    if shape.maximum is not None:
        ways.append(ArrayShape(minimum=shape.maximum + 1))
    for index, term in enumerate(shape.prefix):
        ways.append(ArrayShape((TRUE,) * index + (negate(term),), minimum=index + 1))
    open_prefix = (TRUE,) * size
    if shape.rest is not TRUE:
        ways.append(ArrayShape(open_prefix, some=((negate(shape.rest), 1, None),)))
    for term, least, most in shape.some:
        if least:
            ways.append(_beyond(ArrayShape(open_prefix), (term, 0, least - 1), algebra))
        if most is not None:
            ways.append(ArrayShape(open_prefix, some=((term, most + 1, None),)))
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
    return ArrayShape(unique=True, where=scope.at("uniqueItems")) if value else ANY_ARRAY


@keyword("contains", on="array", form=SCHEMA, drafts=(6, 7, 2019, 2020))
def _contains(value: Any, scope: Scope) -> ArrayShape:
    least, most = 1, None
    if scope.draft >= 2019:
        least, most = scope.schema.get("minContains", 1), scope.schema.get("maxContains")
    term = scope.term(value)
    if least == 0 and most is None:
        return ANY_ARRAY
    most = None if most is None else int(most)
    shape = _beyond(ANY_ARRAY, (term, int(least), most), scope.algebra)
    return replace(shape, minimum=int(least), maximum=0 if most is not None and least > most else None)


@keyword("minContains", on="array", form=NATURAL, drafts=(2019, 2020))
@keyword("maxContains", on="array", form=NATURAL, drafts=(2019, 2020))
def _contains_bounds(value: int, scope: Scope) -> ArrayShape:
    return ANY_ARRAY  # read by contains
