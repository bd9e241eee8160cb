"""How an object shape is written: properties in declared order or in any order, then counted.

Declared order is an automaton with two states per property (it or a later one follows; it has just been written),
linear in the number of properties; with bounds on the number of properties they split by how many were written. Any
order is the IR's `Unordered`; there, bounds are spelled out as choices of properties. Keys no schema names follow in
either; a text may repeat such a key.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TypeAlias

from structgen.errors import UnsupportedSchema
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Unordered, alt, joined, seq
from structgen.grammars.json_schema import string
from structgen.grammars.json_schema.conditions_text import lower_conditional
from structgen.grammars.json_schema.object import normal, regions, spread
from structgen.grammars.json_schema.protocols import Writer
from structgen.grammars.json_schema.shapes import Keys, ObjectShape
from structgen.grammars.json_schema.terms import TRUE, Term
from structgen.grammars.regular.language import Language

__all__ = ["lower"]

Member: TypeAlias = tuple[Expr, bool]  # `"name": value`, required
Witnesses: TypeAlias = dict[int, Expr]  # set of `some` entries (as bits) -> another property that satisfies them all
MAX_CHOICES = 2_000  # sets of properties spelled out where an unordered object is counted
MAX_WITNESSES = 4
OPEN, CLOSE, END = range(3)  # states of an object in declared order: after its first brace, before its last, after it
NONE, COMMA, OPENING, AFTER_ALL, AFTER_NONE, PAIRS = range(6)  # labels of its edges; the last, and on: the members


@dataclass(frozen=True, slots=True)
class _Content:
    """What an object is written from: its members, any other property, witnesses of `some`, bounds that matter."""

    members: list[Member]
    other: Expr
    witnesses: Witnesses
    full: int  # all entries of `some`, as bits
    minimum: int
    maximum: int | None

    @property
    def is_open(self) -> bool:
        """Whether properties may follow that no member names."""
        return self.other != NOTHING or bool(self.witnesses)


def lower(shape: ObjectShape, writer: Writer) -> Expr:
    """The texts of the objects of a shape."""
    fitting = normal(shape, writer.algebra)
    if fitting is None:
        return NOTHING
    if shape.conditions and writer.style.property_order == "any":
        return alt(*(lower(each, writer) for each in spread(shape, writer.algebra)))
    if shape.conditions:
        automaton = writer.algebra.conditional(shape)
        if automaton is None:
            return NOTHING
        return seq(writer.gaps.brace, lower_conditional(shape, automaton, _other(shape, writer, None, TRUE), writer))
    members = []
    for name, required, term in shape.known:
        member = NOTHING if writer.algebra.is_empty(term) else writer.member(name, term)
        if member != NOTHING:
            members.append((member, required))
        elif required:
            return NOTHING
    other = _other(shape, writer, None, TRUE)
    witnesses = _witnesses(shape, writer)
    if shape.some and not witnesses:
        return NOTHING
    needed = sum(required for _, required in members) + bool(witnesses)
    minimum = shape.minimum if shape.minimum > needed else 0
    maximum = shape.maximum
    if maximum is not None and other == NOTHING and not witnesses and maximum >= len(members):
        maximum = None
    content = _Content(members, other, witnesses, (1 << len(shape.some)) - 1, minimum, maximum)
    return _unordered(content, writer) if writer.style.property_order == "any" else _Ordered(content, writer).expr()


def _other(shape: ObjectShape, writer: Writer, within: Language | None, value: Term) -> Expr:
    """A property of a name the shape does not know."""
    return alt(
        *(
            writer.unknown(language, term)
            for language, term in regions(shape, writer.algebra, within, value)
            if not writer.algebra.is_empty(term)
        )
    )


def _witnesses(shape: ObjectShape, writer: Writer) -> Witnesses:
    count = len(shape.some)
    if not count:
        return {}
    if count > MAX_WITNESSES:
        reason = f"an object that must have {count} properties of unknown names"
        raise UnsupportedSchema(reason, pointer=writer.place, keyword="not")
    found: Witnesses = {}
    for chosen in range(1, 1 << count):
        entries = [keys for bit, keys in enumerate(shape.some) if chosen >> bit & 1]
        expr = _other(shape, writer, _common(entries), writer.algebra.terms.meet(*(term for _, term in entries)))
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
    """Builds the automaton of one object in declared order, whose states OPEN, CLOSE and END are before and after it.

    State `next(i, count, seen)`: a property must follow, member i or a later one. State `done(i, count, seen)`: one has
    just been written. `count` properties are written, as far as a bound makes it matter; entries `seen` of `some` are
    satisfied, none of them before all members are past. Every property is written at one place, however one gets there.
    """

    def __init__(self, content: _Content, writer: Writer) -> None:
        self.content = content
        n_members, n_some, maximum = len(content.members), content.full.bit_length(), content.maximum
        self.cap = content.minimum if maximum is None else maximum
        if (n_members + (1 << n_some) - 1) * self.cap > writer.algebra.limits.object_states:
            reason = f"counting up to {self.cap} of {n_members} properties"
            raise UnsupportedSchema(reason, pointer=writer.place, keyword="maxProperties")
        pairs = [pair for pair, _ in content.members]
        gaps = self.gaps = writer.gaps
        self.labels: list[Expr] = [EPSILON, gaps.comma, gaps.opening, gaps.after_all, gaps.after_none, *pairs]
        self.edges = array("q", (CLOSE, AFTER_ALL, END))  # see Graph.packed
        self.reached: set[int] = set()
        self.last_required = max((index for index, (_, needed) in enumerate(content.members) if needed), default=-1)

    def next(self, index: int, count: int, seen: int = 0) -> int:
        """The number of a state; that of `done` follows it."""
        return 3 + 2 * ((index + seen) * (self.cap + 1) + count)

    def expr(self) -> Expr:
        """Braces included."""
        content, add = self.content, self.edges.extend
        if self.last_required < 0 and not content.minimum and not content.full:
            add((OPEN, AFTER_NONE, END))
        add((OPEN, OPENING, self.next(0, 0)))
        counts = [0]
        for index, (_, required) in enumerate(content.members):
            following = dict.fromkeys(() if required else counts)
            for count in counts:
                source = self.next(index, count)
                if not required:
                    add((source, NONE, self.next(index + 1, count)))
                if count != content.maximum:
                    more = min(count + 1, self.cap)
                    add((source, PAIRS + index, self.done(index + 1, more)))
                    following[more] = None
            counts = list(following)
        for count in counts:
            if content.full:
                self.witnessed(count)
            elif content.other != NOTHING and count != content.maximum:
                self.others(count)
        n_states = self.next(len(content.members) + 1, 0, content.full)
        return seq(self.gaps.brace, Graph(n_states, OPEN, (END,), tuple(self.labels), self.edges.tobytes()))

    def label(self, expr: Expr) -> int:
        """Where one more label stands."""
        self.labels.append(expr)
        return len(self.labels) - 1

    def done(self, index: int, count: int, seen: int = 0) -> int:
        """The state after a property; what may follow is written when it is first reached."""
        follows = self.next(index, count, seen)
        state = follows + 1
        if state not in self.reached:
            self.reached.add(state)
            content = self.content
            if index > self.last_required and count >= content.minimum and seen == content.full:
                self.edges.extend((state, NONE, CLOSE))
            if count != content.maximum and (index < len(content.members) or content.is_open):
                self.edges.extend((state, COMMA, follows))
        return state

    def others(self, count: int) -> None:
        """Properties no member names: a loop, or counted up to the bounds."""
        content, end = self.content, len(self.content.members)
        source = self.next(end, count)
        if not self.cap:
            self.edges.extend((source, self.label(content.other), self.done(end, 0)))
            return
        least, most = max(content.minimum - count, 1), None if content.maximum is None else content.maximum - count
        some = joined(content.other, self.gaps.comma, least, most)
        if some != NOTHING:
            self.edges.extend((source, self.label(some), CLOSE))

    def witnessed(self, count: int) -> None:
        """Properties no member names, until every entry of `some` is satisfied, and more of them."""
        content, end = self.content, len(self.content.members)
        ways = [(0, content.other), *content.witnesses.items()]
        labels = [(gained, self.label(expr)) for gained, expr in ways if expr != NOTHING]
        pending = [(count, 0)]
        reached = set(pending)
        for written, seen in pending:  # grows while it is read
            if written == content.maximum:
                continue
            source, more = self.next(end, written, seen), min(written + 1, self.cap)
            for gained, label in labels:
                if not gained & seen:
                    self.edges.extend((source, label, self.done(end, more, seen | gained)))
                    if (more, seen | gained) not in reached:
                        reached.add((more, seen | gained))
                        pending.append((more, seen | gained))


# -------------------------------------------------------------------------------------------------------- any order


def _unordered(content: _Content, writer: Writer) -> Expr:
    """Braces included."""
    gaps, members, minimum, maximum = writer.gaps, content.members, content.minimum, content.maximum
    if not members and content.other != NOTHING and not content.witnesses:
        some = joined(content.other, gaps.comma, max(minimum, 1), maximum)
        choices = [] if some == NOTHING else [seq(gaps.opening, some, gaps.after_all)]
        if minimum == 0:
            choices.append(gaps.after_none)
    elif not members and not content.witnesses:
        choices = [] if minimum else [gaps.after_none]
    else:
        bodies = [Unordered(tuple(chosen), gaps.comma, more) for chosen, more in _choices(content, writer)]
        choices = [seq(gaps.opening, alt(*bodies), gaps.after_all)] if bodies else []
    return seq(gaps.brace, alt(*choices))


def _choices(content: _Content, writer: Writer) -> Iterator[tuple[list[Member], Expr | None]]:
    """Sets of members whose union is the object, none of them needing to be counted."""
    optional = [member for member in content.members if not member[1]]
    extra = None if content.other == NOTHING else content.other
    for group in _partitions(content.full, content.witnesses):
        base = [*(member for member in content.members if member[1]), *((expr, True) for expr in group)]
        least = max(content.minimum - len(base), 0)
        if content.maximum is not None:
            for filled in _filled(optional, extra, least, content.maximum - len(base), writer):
                yield [*base, *filled], None
        elif least:
            for filled in _filled(optional, extra, least, least, writer):
                rest = [member for member in optional if all(member[0] is not chosen for chosen, _ in filled)]
                yield [*base, *filled, *rest], extra
        else:
            yield [*base, *optional], extra


def _filled(
    optional: list[Member], other: Expr | None, least: int, most: int, writer: Writer
) -> Iterator[list[Member]]:
    """Sets of members that add up to `least` to `most` properties: some of the optional ones, and others."""
    sizes = range(min(most, len(optional)) + 1)
    if other is None:
        sizes = range(least, min(most, len(optional)) + 1) if least else range(sizes.stop - 1, sizes.stop)
    if sum(comb(len(optional), size) * (1 + most - size) for size in sizes) > MAX_CHOICES:
        reason = f"choosing {most} of {len(optional)} properties, in any order"
        raise UnsupportedSchema(reason, pointer=writer.place, keyword="minProperties" if least else "maxProperties")
    for size in sizes:
        for chosen in combinations(optional, size):
            needed = max(least - size, 0)
            others = [(other, at < needed) for at in range(most - size)] if other is not None else []
            yield [*((expr, least > 0) for expr, _ in chosen), *others]


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
