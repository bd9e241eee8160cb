"""How many values a term has, as far as that matters to arrays whose elements differ: whether values can run out.

`values_of` lists the values of a term that has only a few. An array of distinct elements exists if and only if the
positions that must be filled can be matched with different values (Kuhn's algorithm); positions with more values than
there are positions always can be.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import product
from math import ceil, floor
from typing import Any

from structgen.grammars.ir import NEVER
from structgen.grammars.json_schema.number import NumberSet
from structgen.grammars.json_schema.object import regions
from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.shapes import ArrayShape, ObjectShape, Shapes
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term, value_key

__all__ = ["has_many", "needs_distinct_keys", "runs_out", "safe_elements", "safe_keys", "values_of"]

FEW = 1000  # values of one term, or positions of one array, that are looked at


def values_of(term: Term, limit: int, algebra: Sets, depth: int = 4) -> dict[Hashable, Any] | None:
    """All values of a term by key, if they are visibly at most `limit`; else None."""
    if algebra.is_empty(term):
        return {}
    shapes = algebra.expanded.get(term)
    if shapes is None:  # everything, or not looked into for now
        return None
    found: dict[Hashable, Any] = {value_key(value): value for value in shapes.booleans}
    if shapes.null:
        found[value_key(None)] = None
    numbers = list(_numbers(shapes.numbers, limit))
    texts = shapes.strings.outer.finite(limit)
    if depth == 0 and (shapes.arrays or shapes.objects):
        return None
    if texts is None or len(numbers) > limit:
        return None
    found.update((value_key(value), value) for value in (*numbers, *texts))
    for shape in shapes.arrays:
        is_fixed = shape.maximum == len(shape.prefix) == shape.minimum
        if not is_fixed or shape.some or shape.unique or shape.repeats:
            return None
        parts = [values_of(part, limit, algebra, depth - 1) for part in shape.prefix]
        for members in _products(parts, limit) or (None,):
            if members is None:
                return None
            found[value_key(members)] = members
    for item in shapes.objects:
        if not item.is_closed or item.some or item.minimum or item.maximum is not None or item.conditions:
            return None
        if not all(required for _, required, _ in item.known):
            return None
        parts = [values_of(part, limit, algebra, depth - 1) for _, _, part in item.known]
        for members in _products(parts, limit) or (None,):
            if members is None:
                return None
            value = dict(zip((name for name, _, _ in item.known), members, strict=True))
            found[value_key(value)] = value
    return found if len(found) <= limit else None


def _products(parts: list[dict[Hashable, Any] | None], limit: int) -> list[list[Any]] | None:
    total = 1
    for part in parts:
        total *= limit + 1 if part is None else len(part)
        if total > limit:
            return None
    return [list(members) for members in product(*(part.values() for part in parts if part is not None))]


def _numbers(cells: NumberSet, limit: int) -> Iterator[Any]:
    """Members of a set of numbers, more than `limit` of them if there are more."""
    for cell in cells:
        if cell.low is not None and cell.low == cell.high:
            yield cell.low
            continue
        if cell.low is None or cell.high is None or cell.multiple is None:
            yield from range(limit + 1)
            return
        first, last = ceil(cell.low / cell.multiple), floor(cell.high / cell.multiple)
        for factor in range(first, min(last, first + limit) + 1):
            value = factor * cell.multiple
            inside = not (cell.low_open and value == cell.low) and not (cell.high_open and value == cell.high)
            if inside and all(value % divisor for divisor in cell.never):
                yield value


def runs_out(shape: ArrayShape, algebra: Sets) -> bool:
    """Whether the elements that must be there cannot all differ."""
    if shape.minimum > FEW:
        wanted = values_of(shape.rest, FEW, algebra)
        return wanted is not None and len(wanted) + len(shape.prefix) < shape.minimum
    positions = [values_of(shape.at(index), shape.minimum, algebra) for index in range(len(shape.prefix))]
    if shape.minimum > len(shape.prefix):
        positions += [values_of(shape.rest, shape.minimum, algebra)] * (shape.minimum - len(shape.prefix))
    scarce = [set(values) for values in positions[: shape.minimum] if values is not None]
    owner: dict[Hashable, int] = {}
    return not all(_placed(index, scarce, owner, set()) for index in range(len(scarce)))


def _placed(index: int, choices: list[set[Hashable]], owner: dict[Hashable, int], tried: set[Hashable]) -> bool:
    """Give position `index` a value of its own, moving others where needed."""
    for value in choices[index] - tried:
        tried.add(value)
        if value not in owner or _placed(owner[value], choices, owner, tried):
            owner[value] = index
            return True
    return False


def safe_elements(shape: ArrayShape, algebra: Sets) -> int:
    """How many elements can be written before values may run out for those after them; NEVER: they cannot."""
    terms = list(dict.fromkeys((*shape.prefix, shape.rest)))
    if all(term is FALSE or has_many(term, algebra) for term in terms):
        return NEVER
    values = values_of(terms[0], FEW, algebra)
    if shape.prefix or shape.some or values is None:
        return 0
    return max(len(values) - 1, 0)


def has_many(term: Term, algebra: Sets) -> bool:
    """Whether the term surely has infinitely many values. False says nothing."""
    return _Counting(algebra).has_many(term)


class _Counting:
    """Proofs that terms have values, and many. What a recursive term meets of itself proves nothing."""

    def __init__(self, algebra: Sets) -> None:
        self.algebra = algebra
        self.inhabited: dict[Term, bool] = {TRUE: True, FALSE: False}
        self.many: dict[Term, bool] = {TRUE: True, FALSE: False}

    def has_many(self, term: Term) -> bool:
        known = self.many.get(term)
        if known is None:
            self.many[term] = False
            known = self.many[term] = self._expands(term) and self._has_many(self.algebra.expand(term))
        return known

    def is_inhabited(self, term: Term) -> bool:
        known = self.inhabited.get(term)
        if known is None:
            self.inhabited[term] = False
            known = self.inhabited[term] = self._expands(term) and self._is_inhabited(self.algebra.expand(term))
        return known

    def _expands(self, term: Term) -> bool:
        return term not in self.algebra.inline and len(self.many) + len(self.inhabited) < FEW

    def _has_many(self, shapes: Shapes) -> bool:
        if any(cell.low is None or cell.high is None for cell in shapes.numbers):
            return True
        if shapes.strings.inner.finite(FEW) is None:
            return True
        return any(map(self._many_arrays, shapes.arrays)) or any(map(self._many_objects, shapes.objects))

    def _is_inhabited(self, shapes: Shapes) -> bool:
        if shapes.null or shapes.booleans or not shapes.strings.inner.is_empty():
            return True
        if next(_numbers(shapes.numbers, 0), None) is not None:
            return True
        return any(map(self._has_array, shapes.arrays)) or any(map(self._has_object, shapes.objects))

    def _has_array(self, shape: ArrayShape) -> bool:
        if shape.minimum == 0 and not shape.repeats:
            return True
        if shape.some or shape.repeats:
            return False
        if shape.unique and shape.minimum > 1:
            return self._has_distinct(shape)
        asked = dict.fromkeys(shape.at(index) for index in range(min(shape.minimum, len(shape.prefix) + 1)))
        return all(map(self.is_inhabited, asked))

    def _has_object(self, shape: ObjectShape) -> bool:
        needed = [term for _, required, term in shape.known if required]
        return (
            not (shape.some or shape.conditions)
            and shape.minimum <= len(needed)
            and all(map(self.is_inhabited, needed))
        )

    def _has_distinct(self, shape: ArrayShape) -> bool:
        """Whether as many elements as are asked for, or one, surely can differ in infinitely many ways: each position
        has more values than there are positions."""
        asked = dict.fromkeys(shape.at(index) for index in range(min(max(shape.minimum, 1), len(shape.prefix) + 1)))
        return all(map(self.has_many, asked))

    def _many_arrays(self, shape: ArrayShape) -> bool:
        if shape.unique and not shape.some and not shape.repeats and shape.maximum != 0:
            return self._has_distinct(shape)
        if shape.some or shape.unique or not self._has_array(shape):
            return False
        if shape.maximum is None and all(map(self.is_inhabited, (*shape.prefix, shape.rest))):
            return True  # of every length
        return any(map(self.has_many, (shape.at(index) for index in range(min(shape.minimum, FEW)))))

    def _many_objects(self, shape: ObjectShape) -> bool:
        if not self._has_object(shape):
            return False
        needed = [term for _, required, term in shape.known if required]
        if any(map(self.has_many, needed)):
            return True
        if shape.maximum is not None and shape.maximum <= len(needed):
            return False
        if any(self.has_many(term) for _, required, term in shape.known if not required):
            return True
        sorts = regions(shape, self.algebra)
        return any(keys.finite(FEW) is None and self.is_inhabited(term) for keys, term in sorts)


def needs_distinct_keys(shape: ObjectShape) -> bool:
    """Whether a key that no schema names must not be repeated: where such keys are counted, or one has to bear a value
    that a later one of the same name would replace."""
    needed = sum(required for _, required, _ in shape.known) + bool(shape.some)
    return bool(shape.some) or (shape.minimum > needed + 1 and not shape.is_closed)


def safe_keys(shape: ObjectShape, algebra: Sets) -> int:
    """0 where such keys may run out, as those of some sort are few; else NEVER."""
    sorts = regions(shape, algebra)
    for language, wanted in shape.some:
        sorts += regions(shape, algebra, language, wanted)
    return NEVER if all(language.finite(FEW) is None for language, _ in sorts) else 0
