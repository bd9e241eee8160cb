"""Conditions on an object that hold together: the automaton of an object shape's `conditions`, property by property.

A condition (`if`, `dependentRequired`, `oneOf` of required names, ...) is a union of alternatives, each of which asks
something of a few known properties. Many of them are a product, not a union of 2^n shapes: properties are read in
their order, and of each condition it is remembered which alternatives are still possible, from its first property to
its last. An alternative that asks no more than another of what is to come replaces it; one that asks nothing more
settles the condition. So conditions on different properties cost their sum; only what is open together multiplies.

The values of a property are cut into cells, in each of which the same alternatives hold: the automaton is
deterministic. Where a cell would need the complement of what has none, the whole is taken in its place, with fewer
alternatives: what is accepted is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema.protocols import Sets
from structgen.grammars.json_schema.shapes import Conditional, Edge, ObjectShape
from structgen.grammars.json_schema.terms import TRUE, Term, implies
from structgen.grammars.time_limit import check_time

__all__ = ["conditional", "is_plain", "reaching"]

Asked: TypeAlias = tuple[
    tuple[int, bool, Term], ...
]  # place of a property, required, value; ascending, nothing trivial
Left: TypeAlias = tuple[int, frozenset[int]]  # a condition, and those of its alternatives that are left


def is_plain(shape: ObjectShape) -> bool:
    """Whether a shape only asks for known properties: it can be an alternative of a condition."""
    return not (shape.others or shape.some or shape.minimum or shape.maximum is not None or shape.narrowed)


def reaching(edges: list[tuple[int, int]], goal: int) -> set[int]:
    """The states from which edges (source, target) lead to a goal."""
    sources: dict[int, list[int]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    found, pending = {goal}, [goal]
    for state in pending:  # grows while it is read
        fresh = [source for source in sources.get(state, ()) if source not in found]
        found.update(fresh)
        pending += dict.fromkeys(fresh)
    return found


def conditional(shape: ObjectShape, algebra: Sets) -> Conditional | None:
    """The automaton of a shape whose conditions name known properties alone; None when no object fits.

    Raises LimitExceeded beyond `Limits.object_states`.
    """
    builder = _Builder(shape, algebra)
    edges, n_states = builder.edges(), builder.n_states
    if edges is None:
        return None
    alive = reaching([(source, target) for source, _, _, target in edges], n_states - 1)
    if 0 not in alive:
        return None
    return Conditional(n_states, tuple(edge for edge in edges if edge[0] in alive and edge[3] in alive))


@dataclass(slots=True)
class _Builder:
    """A state is a set of bits, one for each pair of a condition that is open and what is left of it."""

    shape: ObjectShape
    algebra: Sets
    n_states: int = 1
    alternatives: list[list[Asked]] = field(default_factory=list)  # by condition
    beginning: dict[int, list[int]] = field(default_factory=dict)  # place -> the conditions that begin there
    bits: dict[Left, int] = field(default_factory=dict)  # what is left of a condition -> its bit
    lefts: dict[int, Left] = field(default_factory=dict)  # and back
    asking: list[int] = field(default_factory=list)  # by place: the bits of conditions that ask for something there
    settled: dict[tuple[int, Left], int | None] = field(default_factory=dict)
    cut: dict[tuple[int, tuple[Term, ...]], list[tuple[Term, frozenset[Term]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = {name: place for place, (name, _, _) in enumerate(self.shape.known)}
        self.asking = [0] * len(places)
        for condition in self.shape.conditions:
            asked = [
                tuple(sorted(((places[n], r, t) for n, r, t in each.known if r or t is not TRUE), key=_place))
                for each in condition
            ]
            first = min((each[0][0] for each in asked if each), default=0)
            self.beginning.setdefault(first, []).append(len(self.alternatives))
            self.alternatives.append(asked)

    def edges(self) -> list[Edge] | None:
        """Layer by layer, a layer for each property; None when one is empty."""
        edges: list[Edge] = []
        layer: dict[int, int] = {0: 0}
        for place in range(len(self.shape.known)):
            begun = self._begun(place)
            if begun is None:
                return None
            check_time()
            following: dict[int, int] = {}
            known: dict[int, list[tuple[Term | None, int]]] = {}
            for state, source in layer.items():
                here = (state | begun) & self.asking[place]
                rest = (state | begun) ^ here
                ways = known.get(here)
                if ways is None:
                    ways = known[here] = self._ways(self._spelled(here), place)
                for value, after in ways:
                    target = following.setdefault(rest | after, self.n_states + len(following))
                    edges.append((source, place, value, target))
            self.n_states += len(following)
            allowed = self.algebra.limits.object_states
            if self.n_states > allowed:
                reason = f"too many conditions on properties are open at once, at {self.algebra.place}; declare the"
                reason += " properties of one condition next to each other"
                raise LimitExceeded(reason, limit="object_states", allowed=allowed)
            layer = following
        return edges if layer else None

    def _spelled(self, state: int) -> list[Left]:
        found = []
        while state:
            found.append(self.lefts[state & -state])
            state &= state - 1
        return found

    def _begun(self, place: int) -> int | None:
        """The conditions that begin at a place; None where one has no alternatives."""
        state = 0
        for at in self.beginning.get(place, ()):
            fresh = self._settled(place, (at, frozenset(range(len(self.alternatives[at])))))
            if fresh is None:
                return None
            state |= fresh
        return state

    def _settled(self, place: int, left: Left) -> int | None:
        """The bit of what is left of a condition before a place: alternatives that do not ask more than another; 0 when
        one asks nothing more, None when there is none."""
        key = place, left
        if key not in self.settled:
            at, chosen = left
            kept: dict[Asked, int] = {}
            for number in sorted(chosen):
                rest = tuple([ask for ask in self.alternatives[at][number] if ask[0] >= place])
                if not any(_asks_no_more(other, rest) for other in kept):
                    kept = {other: of for other, of in kept.items() if not _asks_no_more(rest, other)}
                    kept[rest] = number
            self.settled[key] = None if not kept else 0 if () in kept else self._bit((at, frozenset(kept.values())))
        return self.settled[key]

    def _bit(self, left: Left) -> int:
        bit = self.bits.get(left)
        if bit is None:
            bit = self.bits[left] = 1 << len(self.bits)
            self.lefts[bit] = left
            for place in {ask[0] for number in left[1] for ask in self.alternatives[left[0]][number]}:
                self.asking[place] |= bit
        return bit

    def _after(self, place: int, chosen: Iterable[Left]) -> int | None:
        """The state behind a property that leaves this of the conditions that ask for it; None where one has failed."""
        state = 0
        for left in chosen:
            bit = self._settled(place + 1, left)
            if bit is None:
                return None
            state |= bit
        return state

    def _ways(self, state: list[Left], place: int) -> list[tuple[Term | None, int]]:
        """What a property may be, and the states behind it; of the conditions, those that ask for it."""
        _, required, whole = self.shape.known[place]
        asked = [(at, {number: self._asked(at, number, place) for number in left}) for at, left in state]
        wanted = dict.fromkeys(term for _, each in asked for _, term in each.values() if term is not TRUE)
        cells = self._cells(place, tuple(wanted))
        groups: dict[int, list[Term]] = {}
        for cell, holds in cells:
            fitting = (
                (at, frozenset(n for n, (_, t) in each.items() if t is TRUE or t in holds)) for at, each in asked
            )
            after = self._after(place, fitting)
            if after is not None:
                groups.setdefault(after, []).append(cell)
        union = self.algebra.terms.union
        ways: list[tuple[Term | None, int]] = [
            (whole if len(some) == len(cells) else union(*some), after) for after, some in groups.items()
        ]
        if not required:
            absent = self._after(
                place, ((at, frozenset(n for n, (r, _) in each.items() if not r)) for at, each in asked)
            )
            ways += [] if absent is None else [(None, absent)]
        return ways

    def _asked(self, at: int, number: int, place: int) -> tuple[bool, Term]:
        return next((ask[1:] for ask in self.alternatives[at][number] if ask[0] == place), (False, TRUE))

    def _cells(self, place: int, wanted: tuple[Term, ...]) -> list[tuple[Term, frozenset[Term]]]:
        """The values of a property by which of the `wanted` terms hold."""
        key = place, wanted
        if key not in self.cut:
            algebra, terms = self.algebra, self.algebra.terms
            cells = [(self.shape.known[place][2], frozenset[Term]())]
            cells = [cell for cell in cells if not algebra.is_empty(cell[0])]
            for term in wanted:
                other, split = terms.negate(term), []
                other = other if algebra.is_supported(other) else TRUE
                for cell, holds in cells:
                    both, rest = terms.meet(cell, term), terms.meet(cell, other)
                    split += [] if algebra.is_empty(both) else [(both, holds | {term})]
                    split += [] if algebra.is_empty(rest) else [(rest, holds)]
                cells = split
            self.cut[key] = cells
        return self.cut[key]


def _place(ask: tuple[int, bool, Term]) -> int:
    return ask[0]


def _asks_no_more(one: Asked, other: Asked) -> bool:
    """Whether whatever fits `other` visibly fits `one`."""
    of_other = {place: (required, term) for place, required, term in other}
    for place, required, term in one:
        needed, value = of_other.get(place, (False, TRUE))
        if (required and not needed) or not implies(value, term):
            return False
    return True
