"""Exactly one of several sets of JSON values (oneOf): kind by kind, without comparing each with each.

Listed strings and numbers are counted in one table: n labelled constants cost n. Objects that must bear a property (a
`kind`, a `type`) whose values are listed exclude each other where these differ: an index by the values leaves only the
pairs that share one. What may overlap after that is subtracted from the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import chain

from structgen.grammars.json_schema import array, number, object, string
from structgen.grammars.json_schema.number import NumberSet
from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.shapes import ALL_ARRAYS, ALL_OBJECTS, BOTH, ArrayShape, ObjectShape, Shape, Shapes
from structgen.grammars.json_schema.string import NO_STRING, StringSet
from structgen.grammars.json_schema.terms import MeetTerm, SchemaTerm, Term, ValuesTerm, value_key
from structgen.grammars.json_schema.unions import Meet, Negate, complement_all, meet_all
from structgen.grammars.regular.terms import Strings

__all__ = ["exactly_one"]


def exactly_one(parts: list[Shapes], algebra: Sets) -> Shapes:
    """The values in one part and no other."""
    return Shapes(
        sum(part.null for part in parts) == 1,
        frozenset(value for value in BOTH if sum(value in part.booleans for part in parts) == 1),
        _one_number([part.numbers for part in parts if part.numbers]),
        _one_string([part.strings for part in parts if part.strings is not NO_STRING]),
        _one_shape([part.arrays for part in parts if part.arrays], ALL_ARRAYS, array.complement, array.meet, algebra),
        _one_shape(
            [part.objects for part in parts if part.objects], ALL_OBJECTS, object.complement, object.meet, algebra
        ),
    )


def _one_number(sets: list[NumberSet]) -> NumberSet:
    listed = [cells for cells in sets if all(cell.is_point and cell.is_interval for cell in cells)]
    count = Counter(cell.low for cells in listed for cell in cells)
    found = number.points(value for value, n in count.items() if n == 1 and value is not None)
    seen = number.points(value for value in count if value is not None)
    for cells in sets:
        if not all(cell.is_point and cell.is_interval for cell in cells):
            fresh = number.meet(cells, number.complement(seen))
            found = number.union(number.meet(found, number.complement(cells)), fresh)
            seen = number.union(seen, cells)
    return found


def _one_string(sets: list[StringSet]) -> StringSet:
    if len(sets) == 1:
        return sets[0]
    count: Counter[str] = Counter()
    others = []
    for strings in sets:
        if strings.inner is strings.outer and isinstance(strings.inner.term, Strings):
            count.update(strings.inner.term.members)
        else:
            others.append(strings)
    found = string.exact(string.literal_strings(frozenset(text for text, n in count.items() if n == 1)))
    seen = string.exact(string.literal_strings(frozenset(count)))
    for strings in others:
        fresh = string.meet_sets(strings, string.complement_set(seen))
        found = string.union_sets(string.meet_sets(found, string.complement_set(strings)), fresh)
        seen = string.union_sets(seen, strings)
    return found


def _one_shape(
    parts: list[tuple[Shape, ...]],
    everything: tuple[Shape, ...],
    negate: Negate[Shape],
    meet: Meet[Shape],
    algebra: Sets,
) -> tuple[Shape, ...]:
    """Shapes of one part without those it overlaps with; parts that are disjoint need no complement."""
    overlaps: dict[int, list[int]] = {i: [] for i in range(len(parts))}
    for i, j in _candidates(parts):
        if meet_all(parts[j], parts[i], meet, algebra):
            overlaps[i].append(j)
            overlaps[j].append(i)
    complements: dict[int, tuple[Shape, ...]] = {}
    result: list[Shape] = []
    for i, part in enumerate(parts):
        for j in overlaps[i]:
            if j not in complements:
                complements[j] = complement_all(parts[j], everything, negate, meet, algebra)
            part = meet_all(part, complements[j], meet, algebra)
        result.extend(part)
    return algebra.bounded(tuple(result))


def _candidates(parts: Sequence[tuple[ObjectShape | ArrayShape, ...]]) -> list[tuple[int, int]]:
    """The pairs (i, j), j < i, of parts that may share a value; all others share none."""
    listed = [[_listed(shape) for shape in part] for part in parts]
    count = Counter(chain.from_iterable(set.intersection(*map(set, part)) for part in listed))
    if len(parts) < 3 or not count:
        return [(i, j) for i in range(len(parts)) for j in range(i)]
    name = max(count, key=count.__getitem__)
    by_value: dict[Hashable, list[int]] = {}
    unknown: list[int] = []
    pairs: list[tuple[int, int]] = []
    for i, part in enumerate(listed):
        if not all(name in values for values in part):
            pairs += [(i, j) for j in range(i)]
            unknown.append(i)
            continue
        values = dict.fromkeys(chain.from_iterable(values[name] for values in part))
        pairs += [(i, j) for j in sorted({*unknown, *chain.from_iterable(by_value.get(value, ()) for value in values)})]
        for value in values:
            by_value.setdefault(value, []).append(i)
    return pairs


def _listed(shape: ObjectShape | ArrayShape) -> dict[str, frozenset[Hashable]]:
    """The required properties whose values are listed, with the values or more."""
    if isinstance(shape, ArrayShape):
        return {}
    found = ((name, _values(term)) for name, required, term in shape.known if required)
    return {name: values for name, values in found if values is not None}


def _values(term: Term) -> frozenset[Hashable] | None:
    """Keys of all values of a term that visibly lists them, and maybe of more; else None."""
    match term:
        case ValuesTerm(values):
            return frozenset(map(value_key, values))
        case SchemaTerm(node):
            for entry, said in node.says:
                if entry.name in ("const", "enum"):
                    return frozenset(map(value_key, said if entry.name == "enum" else (said,)))
        case MeetTerm(parts):
            return next((values for values in map(_values, parts) if values is not None), None)
    return None
