"""Regions of a text with a lexer of their own, as states: sets of what the text may be in, numbered.

A `Place` says where a text may stand: in states of the grammar around (`outer`), and in regions, a `Region` being a
state of an embedded grammar with the outer state behind it. A region begins wherever a mark may stand (marks.py), and
may end wherever its text is complete, for its lexer sees that text alone; then the outer state behind it is one of the
place's own. Places are numbered, so to a matcher the state is one integer still. Nearly all hold a single state: the
determinisation of Rabin and Scott (1959) over states of two automata, made as texts are read.

Cost: as the automata below, plus about a microsecond per byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

from structgen.automata.interned import Interned
from structgen.embedded.marks import Embedded
from structgen.kernels.layout import DEAD, FINISHED, MARK, START
from structgen.memory import Bounded
from structgen.protocols import LazyAutomaton

__all__ = ["EmbeddedConfigurations", "Place", "Region"]

MOST_STATES = 1 << 20
MOST_REMEMBERED = 50_000


class Region(NamedTuple):
    """An embedded grammar by its number, a state of it, and the outer state behind the region."""

    which: int
    state: int
    behind: int


class Place(NamedTuple):
    """Where a text may stand: outer states and open regions, each sorted and once. Nothing at all is a dead end."""

    outer: tuple[int, ...]
    regions: tuple[Region, ...] = ()


NOWHERE = Place(())


class EmbeddedConfigurations:
    """Places by number; see the module. Thread-safe through the lock of the outer automaton."""

    def __init__(self, outer: LazyAutomaton, embedded: tuple[Embedded, ...]) -> None:
        self.outer, self.embedded, self.lock = outer, embedded, outer.lock
        self._begin()

    def _begin(self) -> None:
        """No places but the fixed ones, and empty memos."""
        self._begun: Bounded[int, tuple[Region, ...]] = Bounded(MOST_REMEMBERED)
        self._steps: Bounded[tuple[Place, int], Place] = Bounded(MOST_REMEMBERED)
        self._shortest: Bounded[int, bytes] = Bounded(MOST_REMEMBERED)
        with self.lock:
            fixed = NOWHERE, Place((FINISHED,)), self.opened({START})
        self.places = Interned(fixed, most=MOST_STATES, limit="embedded_states")

    def __len__(self) -> int:
        return len(self.places)

    @property
    def nbytes(self) -> int:
        """Bytes held, about: those of the automata, and half a kilobyte a place."""
        inner = sum(each.automaton.nbytes for each in self.embedded)
        return self.outer.nbytes + inner + 512 * len(self.places)

    # ------------------------------------------------------------------------------------------------------ places

    def begun(self, outer: int) -> tuple[Region, ...]:
        """The regions that may begin in an outer state."""
        known = self._begun.get(outer)
        if known is None:
            ways = [(which, self.outer.advance(outer, each.mark)) for which, each in enumerate(self.embedded)]
            found = tuple(Region(which, START, behind) for which, behind in ways if behind != DEAD)
            known = self._begun.remember(outer, found)
        return known

    def opened(self, outer: Iterable[int], regions: Iterable[Region] = ()) -> Place:
        """The place of outer states and of regions, with those that may begin there. Outer states in which nothing but
        a mark may come are no more than their regions."""
        states, found = set(outer), set(regions)
        for state in outer:
            begun = self.begun(state)
            found.update(begun)
            if begun and not self.outer.is_accepting(state) and self.outer.live_bytes(state) == [MARK]:
                states.discard(state)
        return Place(tuple(sorted(states)), tuple(sorted(found)))

    def after(self, place: Place, byte: int) -> Place:
        """The place behind a byte; NOWHERE if it is not allowed."""
        known = self._steps.get((place, byte))
        if known is None:
            known = self._steps.remember((place, byte), self._after(place, byte))
        return known

    def _after(self, place: Place, byte: int) -> Place:
        if byte == MARK:
            return NOWHERE
        data, regions = bytes((byte,)), list[Region]()
        outer = {self.outer.advance(state, data) for state in place.outer}
        for which, inner, behind in place.regions:
            automaton = self.embedded[which].automaton
            inner = automaton.advance(inner, data)
            if inner != DEAD:
                regions.append(Region(which, inner, behind))
                if automaton.is_accepting(inner):
                    outer.add(behind)
        return self.opened(outer - {DEAD}, regions)

    # ------------------------------------------------------------------------------------------------------ states

    def advance(self, state: int, data: bytes) -> int:
        """The state after `data`, or DEAD. Raises LimitExceeded when memory runs out."""
        if not data or state == DEAD:
            return state
        if state == FINISHED:
            return DEAD
        with self.lock:
            place = self.places[state]
            for byte in data:
                place = self.after(place, byte)
                if place == NOWHERE:
                    return DEAD
            return self.places.number(place)

    def reader(self, words: Any) -> None:
        """Tokens are read by their bytes."""
        return None

    @property
    def has_specials(self) -> bool:
        """Whether some text holds a special token."""
        return self.outer.has_specials

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return any(map(self.outer.is_accepting, self.places[state].outer))

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        if state == FINISHED:
            return []
        place, live = self.places[state], set[int]()
        for outer in place.outer:
            live.update(self.outer.live_bytes(outer))
        for which, inner, _ in place.regions:
            live.update(self.embedded[which].automaton.live_bytes(inner))
        return sorted(live - {MARK})

    def distance(self, state: int) -> int:
        """Length of `shortest`."""
        return len(self.shortest(state))

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A completion; a byte-shortest one but where several embedded grammars have texts of one byte. Raises
        LimitExceeded beyond `limit` bytes."""
        if state == FINISHED:
            return b""
        known = self._shortest.get(state)
        if known is None:
            with self.lock:
                known = self._shortest.remember(state, self._complete(self.places[state], limit))
        return known

    def _complete(self, place: Place, limit: int) -> bytes:
        inner = [(self.embedded[which].automaton.shortest(at, limit), behind) for which, at, behind in place.regions]
        ways = [(b"", state) for state in place.outer] + inner
        text, state = min(ways, key=lambda way: len(way[0]) + self.outer.distance(way[1]))
        return text + self._unmarked(self.outer.shortest(state, limit))

    def _unmarked(self, text: bytes) -> bytes:
        """A text of the outer grammar, with texts in the place of marks."""
        return self._marks.sub(lambda found: self._texts[found[0]], text)

    @cached_property
    def _texts(self) -> dict[bytes, bytes]:
        return {each.mark: each.text for each in self.embedded}

    @cached_property
    def _marks(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, self._texts)))

    # ------------------------------------------------------------------------------------------------- descriptions

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words."""
        place, words = self.places[state], dict[str, None]()
        marks = frozenset[str]().union(*(each.words for each in self.embedded))
        for outer in place.outer:
            words |= dict.fromkeys(word for word in self.outer.expected(outer) if word not in marks)
        for which, inner, _ in place.regions:
            words |= dict.fromkeys(self.embedded[which].automaton.expected(inner))
        if "the end" in words and not self.is_accepting(state):
            del words["the end"]  # of a region
        return tuple(words)

    def rules(self, state: int) -> tuple[str, ...]:
        """The names of the rules at work around the regions."""
        return tuple(dict.fromkeys(name for outer in self.places[state].outer for name in self.outer.rules(outer)))

    def sizes(self) -> dict[str, int]:
        """How large the automata are before they run, by what they are made of."""
        found = {**self.outer.sizes(), "embedded": len(self.embedded)}
        for each in self.embedded:
            for name, size in each.automaton.sizes().items():
                found[name] = found.get(name, 0) + size
        return found

    def validate(self) -> None:
        """Raise InvariantError where the compiled arrays break their contract."""
        self.outer.validate()
        for each in self.embedded:
            each.automaton.validate()

    def compact(self, live: Iterable[int]) -> dict[int, int] | None:
        """Forget every place but `live`, and what none of these needs of the automata that can forget."""
        with self.lock:
            kept = sorted({*live, START})
            places = [self.places[state] for state in kept]
            outer = {state for place in places for state in place.outer}
            outer |= {region.behind for place in places for region in place.regions}
            new = self.outer.compact(outer)
            if new is None:
                return None
            inner = [self._compacted(which, places) for which in range(len(self.embedded))]
            self._begin()
            found = {DEAD: DEAD, FINISHED: FINISHED}
            for state, place in zip(kept, places, strict=True):
                regions = (Region(which, inner[which](at), new[behind]) for which, at, behind in place.regions)
                renamed = Place(tuple(sorted(new[each] for each in place.outer)), tuple(sorted(regions)))
                found[state] = self.places.number(renamed)
            return found

    def _compacted(self, which: int, places: list[Place]) -> Callable[[int], int]:
        """How the states of an embedded grammar are called, once it has forgotten what it can."""
        used = {region.state for place in places for region in place.regions if region.which == which}
        new = self.embedded[which].automaton.compact(used)
        return (lambda state: state) if new is None else new.__getitem__
