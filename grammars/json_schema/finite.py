"""How many values a term has, as far as that matters to arrays whose elements differ: whether values can run out.

`values_of` lists the values of a term that has only a few. An array of distinct elements exists if and only if the
positions that must be filled can be matched with different values (Kuhn's algorithm); positions with more values than
there are positions always can be.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from itertools import product
from math import ceil, floor, prod
from typing import Any

from structgen.grammars.ir import NEVER
from structgen.grammars.json_schema.number import Cell, NumberSet
from structgen.grammars.json_schema.object import regions
from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.shapes import ArrayShape, ObjectShape, Shapes
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term, value_key

__all__ = ["at_most_values", "needs_distinct_keys", "runs_out", "safe_elements", "safe_keys", "values_of"]

FEW = 1000  # values of one term, or positions of one array, that are looked at
FEW_MORE = 8  # elements of an array of any length, where arrays of one length are counted
MANY = 1 << 30  # as far as is counted
ABSENT = ("absent",)  # beside the keys of a member's values


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
    listed = [_arrays_of(shape, limit, algebra, depth) for shape in shapes.arrays]
    listed += [_objects_of(shape, limit, algebra, depth) for shape in shapes.objects]
    for values in listed:
        if values is None:
            return None
        found.update((value_key(value), value) for value in values)
    return found if len(found) <= limit else None


def _arrays_of(shape: ArrayShape, limit: int, algebra: Sets, depth: int) -> list[Any] | None:
    """The arrays of a shape, if visibly at most `limit`."""
    if shape.maximum is None or shape.maximum > limit or shape.some or shape.repeats:
        return None
    parts = [values_of(shape.at(index), limit, algebra, depth - 1) for index in range(shape.maximum)]
    found: list[Any] = []
    for size in range(shape.minimum, shape.maximum + 1):
        members = _products(parts[:size], limit)
        if members is None or len(found) + len(members) > limit:
            return None
        found += [each for each in members if not shape.unique or len(set(map(value_key, each))) == size]
    return found


def _objects_of(shape: ObjectShape, limit: int, algebra: Sets, depth: int) -> list[Any] | None:
    """The objects of a shape, if visibly at most `limit`."""
    if not shape.is_closed or shape.some or shape.conditions:
        return None
    choices: list[dict[Hashable, Any] | None] = []
    for name, required, term in shape.known:
        values = values_of(term, limit, algebra, depth - 1)
        present = None if values is None else {key: {name: value} for key, value in values.items()}
        choices.append(present if required or present is None else {ABSENT: {}, **present})
    products = _products(choices, limit)
    if products is None:
        return None
    found = [{name: value for member in members for name, value in member.items()} for members in products]
    most = len(shape.known) if shape.maximum is None else shape.maximum
    return [each for each in found if shape.minimum <= len(each) <= most]


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


def at_most_values(shape: ArrayShape, algebra: Sets) -> ArrayShape:
    """The shape of distinct elements without lengths for which there are too few values, where these are listed."""
    values = values_of(shape.rest, FEW, algebra)
    if values is None:
        return shape
    most = len(shape.prefix) + len(values)
    return shape if shape.maximum is not None and shape.maximum <= most else replace(shape, maximum=most)


def safe_elements(shape: ArrayShape, algebra: Sets) -> int:
    """How many elements can be written before values may run out for those after them; NEVER: they cannot.

    Behind so many elements as a position stands at, each of which has taken a value, it has one left if it has more.
    """
    counting, first = _Counting(algebra), len(shape.prefix)
    counts = [NEVER if term is FALSE else counting.at_least(term) for term in (*shape.prefix, shape.rest)]
    if all(count == NEVER for count in counts):
        return NEVER
    if shape.some:
        return 0
    most = NEVER if shape.maximum is None else shape.maximum
    scarce = (place for place, count in enumerate(counts[:first]) if NEVER != count <= place)
    rest = NEVER if counts[first] == NEVER else max(first, counts[first])
    safe = next(scarce, rest)
    if safe == NEVER or NEVER != most <= safe:
        return NEVER
    return safe if safe >= shape.minimum else 0


def _count(cell: Cell) -> int:
    """How many numbers a bounded cell holds, at least; at most MANY."""
    if cell.low is None or cell.high is None or cell.multiple is None:
        return MANY
    if cell.never:
        return sum(1 for _ in _numbers((cell,), FEW))
    first, last = ceil(cell.low / cell.multiple), floor(cell.high / cell.multiple)
    first += cell.low_open and first * cell.multiple == cell.low
    last -= cell.high_open and last * cell.multiple == cell.high
    return max(0, min(last - first + 1, MANY))


class _Counting:
    """Proofs that terms have values, and many. What a recursive term meets of itself proves nothing."""

    def __init__(self, algebra: Sets) -> None:
        self.algebra = algebra
        self.inhabited: dict[Term, bool] = {TRUE: True, FALSE: False}
        self.many: dict[Term, bool] = {TRUE: True, FALSE: False}
        self.counts: dict[Term, int] = {}

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

    def at_least(self, term: Term) -> int:
        """A number of values that the term surely has; NEVER where that is without end."""
        if self.has_many(term):
            return NEVER
        known = self.counts.get(term)
        if known is None:
            self.counts[term] = 0
            known = self.counts[term] = self._at_least(self.algebra.expand(term)) if self._expands(term) else 0
        return known

    def _at_least(self, shapes: Shapes) -> int:
        texts = shapes.strings.inner.finite(FEW)
        numbers = [_count(cell) for cell in shapes.numbers if not cell.is_point]
        points = sum(not cell.is_empty() for cell in shapes.numbers if cell.is_point)
        largest = [max(map(count, group), default=0) for count, group in self._containers(shapes)]
        return shapes.null + len(shapes.booleans) + len(texts or ()) + max((points, *numbers)) + sum(largest)

    def _containers(self, shapes: Shapes) -> Iterator[tuple[Callable[[Any], int], tuple[Any, ...]]]:
        yield self._count_arrays, shapes.arrays
        yield self._count_objects, shapes.objects

    def _count_arrays(self, shape: ArrayShape) -> int:
        """Of one length."""
        if shape.some or shape.repeats or shape.minimum > FEW:
            return 0
        length = min(shape.minimum + FEW_MORE if shape.maximum is None else shape.maximum, max(shape.minimum, FEW_MORE))
        counts = [self._capped(shape.at(index)) for index in range(length)]
        left = (max(count - index, 0) if shape.unique else count for index, count in enumerate(counts))
        return min(prod(left), MANY)

    def _count_objects(self, shape: ObjectShape) -> int:
        """Without members that no schema names."""
        if shape.some or shape.conditions:
            return 0
        required = [self._capped(term) for _, needed, term in shape.known if needed]
        optional = [self._capped(term) + 1 for _, needed, term in shape.known if not needed]
        if shape.minimum > len(required):
            return 0
        if shape.maximum is not None:
            optional = optional[: max(shape.maximum - len(required), 0)]
        fits = shape.maximum is None or len(required) <= shape.maximum
        return min(prod((*required, *optional)), MANY) if fits else 0

    def _capped(self, term: Term) -> int:
        count = self.at_least(term)
        return MANY if count == NEVER else count

    def _expands(self, term: Term) -> bool:
        return term not in self.algebra.inline and len(self.many) + len(self.inhabited) + len(self.counts) < FEW

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
