"""How an object shape is written: properties in declared order or in any order, then counted.

Declared order is an automaton with two states per property (nothing written yet, something written), linear in the
number of properties; with bounds on the number of properties the second state splits by how many were written. Any
order is the IR's `Unordered`; there, bounds are spelled out as choices of properties. Keys no schema names follow
in either; a text may repeat such a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, TypeAlias

from structgen.errors import UnsupportedSchema
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Literal, Repeat, Unordered, alt, joined, seq
from structgen.grammars.json_schema import string
from structgen.grammars.json_schema.object import Keys, ObjectShape, normal, regions
from structgen.grammars.json_schema.terms import TRUE, Term

if TYPE_CHECKING:
    from structgen.grammars.json_schema.lowering import Lowering
    from structgen.grammars.regular.language import Language

__all__ = ["lower"]

Member: TypeAlias = tuple[Expr, bool]  # `"name": value`, required
Witnesses: TypeAlias = dict[int, Expr]  # set of `some` entries (as bits) -> another property that satisfies them all
MAX_CHOICES = 2_000  # sets of properties spelled out where an unordered object is counted
MAX_WITNESSES = 4


def lower(shape: ObjectShape, to: Lowering) -> Expr:
    """The texts of the objects of a shape."""
    fitting = normal(shape, to.algebra)
    if fitting is None:
        return NOTHING
    members = []
    for name, required, term in shape.known:
        value = NOTHING if to.algebra.is_empty(term) else to.value(term)
        if value != NOTHING:
            members.append((seq(to.key(name), to.gaps.colon, value), required))
        elif required:
            return NOTHING
    other = _other(shape, to, None, TRUE)
    witnesses = _witnesses(shape, to)
    if shape.some and not witnesses:
        return NOTHING
    needed = sum(required for _, required in members) + bool(witnesses)
    minimum = shape.minimum if shape.minimum > needed else 0
    maximum = shape.maximum
    if maximum is not None and other == NOTHING and maximum >= len(members):
        maximum = None
    if witnesses and (minimum or maximum is not None):
        reason = "a bounded number of properties, one of them of an unknown name and a certain value"
        raise UnsupportedSchema(reason, pointer=to.place, keyword="minProperties" if minimum else "maxProperties")
    if to.style.property_order == "any":
        return _unordered(members, other, witnesses, minimum, maximum, to)
    return _Ordered(members, other, minimum, maximum, to).expr(witnesses, len(shape.some))


def _other(shape: ObjectShape, to: Lowering, within: Language | None, value: Term) -> Expr:
    """A property of a name the shape does not know."""
    return alt(
        *(
            seq(to.string(language), to.gaps.colon, to.value(term))
            for language, term in regions(shape, to.algebra, within, value)
            if not to.algebra.is_empty(term)
        )
    )


def _witnesses(shape: ObjectShape, to: Lowering) -> Witnesses:
    count = len(shape.some)
    if count > MAX_WITNESSES:
        reason = f"an object that must have {count} properties of unknown names"
        raise UnsupportedSchema(reason, pointer=to.place, keyword="not")
    found: Witnesses = {}
    for chosen in range(1, 1 << count):
        entries = [keys for bit, keys in enumerate(shape.some) if chosen >> bit & 1]
        expr = _other(shape, to, _common(entries), to.algebra.terms.meet(*(term for _, term in entries)))
        if expr != NOTHING:
            found[chosen] = expr
    return found


def _common(entries: list[Keys]) -> Language:
    language = string.ALL_STRINGS
    for keys, _ in entries:
        if keys is not None:
            language = string.meet(language, keys)
    return language


# --------------------------------------------------------------------------------------------------- declared order


class _Ordered:
    """Builds the automaton of one object in declared order. States are numbered as they are first mentioned."""

    def __init__(self, members: list[Member], other: Expr, minimum: int, maximum: int | None, to: Lowering) -> None:
        self.members, self.other, self.gaps = members, other, to.gaps
        self.minimum, self.maximum = minimum, maximum
        self.cap = 1 if maximum is None and not minimum else minimum if maximum is None else maximum
        if len(members) * self.cap > to.algebra.limits.object_states:
            reason = f"counting up to {self.cap} of {len(members)} properties"
            raise UnsupportedSchema(reason, pointer=to.place, keyword="maxProperties")
        self.states: dict[tuple[int, int], int] = {(0, 0): 0}  # (properties passed, properties written)
        self.edges: list[tuple[int, Expr, int]] = []

    def state(self, passed: int, written: int) -> int:
        """The number of a state."""
        return self.states.setdefault((passed, written), len(self.states))

    def expr(self, witnesses: Witnesses, n_some: int) -> Expr:
        """Braces included."""
        gaps, comma = self.gaps, self.gaps.comma
        level = {0}
        for index, (pair, required) in enumerate(self.members):
            following = set()
            for written in sorted(level):
                source = self.state(index, written)
                if not required:
                    self.edges.append((source, EPSILON, self.state(index + 1, written)))
                    following.add(written)
                if self.maximum is None or written < self.maximum:
                    count = min(written + 1, self.cap)
                    label = seq(comma, pair) if written else seq(gaps.opening, pair)
                    self.edges.append((source, label, self.state(index + 1, count)))
                    following.add(count)
            level = following
        n_members, end = len(self.members), self.state(-1, 0)
        for written in sorted(level):
            for label in self._tails(written, witnesses, n_some):
                if label != NOTHING:
                    self.edges.append((self.state(n_members, written), label, end))
        return seq(Literal(b"{"), Graph(len(self.states), 0, (end,), tuple(self.edges)))

    def _tails(self, written: int, witnesses: Witnesses, n_some: int) -> Iterator[Expr]:
        """What may follow the known properties, closing brace included."""
        gaps, other = self.gaps, self.other
        close = seq(gaps.closing, Literal(b"}"))
        if witnesses:
            more = _witnessing(other, witnesses, n_some, gaps.comma, bool(written))
            yield seq(EPSILON if written else gaps.opening, more, close)
            return
        least = max(self.minimum - written, 0)
        most = None if self.maximum is None else self.maximum - written
        if least == 0:
            yield close if written else seq(gaps.empty, Literal(b"}"))
        least = max(least, 1)
        if other == NOTHING or (most is not None and most < least):
            return
        if written:
            yield seq(Repeat(seq(gaps.comma, other), least, most), close)
        else:
            yield seq(gaps.opening, joined(other, gaps.comma, least, most), close)


def _witnessing(other: Expr, witnesses: Witnesses, n_some: int, comma: Expr, follows: bool) -> Expr:
    """Other properties that satisfy every entry of `some`. States: entries satisfied; the last one: nothing written."""
    full = (1 << n_some) - 1
    fresh = full + 1
    edges = []
    for seen in range(full + 2):
        first, so_far = seen == fresh, seen & full
        for gained, expr in ((0, other), *witnesses.items()):
            if expr != NOTHING and not gained & so_far:
                edges.append((seen, expr if first and not follows else seq(comma, expr), so_far | gained))
    return Graph(full + 2, fresh, (full,), tuple(edges))


# -------------------------------------------------------------------------------------------------------- any order


def _unordered(
    members: list[Member], other: Expr, witnesses: Witnesses, minimum: int, maximum: int | None, to: Lowering
) -> Expr:
    """Braces included."""
    gaps = to.gaps
    if not members and other != NOTHING and not witnesses:
        least, most = max(minimum, 1), maximum
        some = joined(other, gaps.comma, least, most)
        choices = [] if some == NOTHING else [seq(gaps.opening, some, gaps.closing)]
        if minimum == 0:
            choices.append(gaps.empty)
    elif not members and not witnesses:
        choices = [] if minimum else [gaps.empty]
    else:
        extra = None if other == NOTHING else other
        sets = _choices(members, other, extra, witnesses, minimum, maximum, to)
        bodies = [Unordered(tuple(chosen), gaps.comma, more) for chosen, more in sets]
        choices = [seq(gaps.opening, alt(*bodies), gaps.closing)] if bodies else []
    body = alt(*choices)
    return NOTHING if body == NOTHING else seq(Literal(b"{"), body, Literal(b"}"))


def _choices(
    members: list[Member],
    other: Expr,
    extra: Expr | None,
    witnesses: Witnesses,
    minimum: int,
    maximum: int | None,
    to: Lowering,
) -> Iterator[tuple[list[Member], Expr | None]]:
    """Sets of members whose union is the object, none of them needing to be counted."""
    needed = [member for member in members if member[1]]
    optional = [member for member in members if not member[1]]
    if witnesses:
        full = (1 << max(witnesses).bit_length()) - 1
        for group in _partitions(full, witnesses):
            yield [*members, *((expr, True) for expr in group)], extra
    elif minimum and maximum is not None and maximum != minimum:
        reason = "both bounds on the number of properties, in any order"
        raise UnsupportedSchema(reason, pointer=to.place, keyword="minProperties")
    elif minimum or maximum is not None:
        count = (maximum if maximum is not None else minimum) - len(needed)
        known = range(min(count, len(optional)) + 1) if extra is not None else (min(count, len(optional)),)
        if sum(comb(len(optional), size) * (1 + count - size) for size in known) > MAX_CHOICES:
            reason = f"choosing {count} of {len(optional)} properties, in any order"
            raise UnsupportedSchema(reason, pointer=to.place, keyword="minProperties" if minimum else "maxProperties")
        must = bool(minimum)
        for size in known:
            if must and extra is None and size < count:
                continue
            for chosen in combinations(optional, size):
                filled = [(expr, must) for expr, _ in chosen] + [(other, must)] * (count - size)
                rest = [member for member in optional if member not in chosen] if maximum is None else []
                usable = [member for member in filled if member[0] != NOTHING]
                yield [*needed, *usable, *rest], extra if maximum is None else None
    else:
        yield members, extra


def _partitions(left: int, witnesses: Witnesses) -> Iterator[list[Expr]]:
    """Ways to satisfy the entries in `left`, each by one property, which may satisfy several."""
    if not left:
        yield []
        return
    lowest = left & -left
    for chosen, expr in witnesses.items():
        if chosen & lowest and not chosen & ~left:
            for rest in _partitions(left & ~chosen, witnesses):
                yield [expr, *rest]
