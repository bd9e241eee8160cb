"""States of a constraint and something that watches the text, numbered: what all monitors' automata have in common.

    state -> (state of the constraint, text, lexical state, site)

Texts are a trie of their own (`Texts`), so that a question can be asked of any state, and forks, rollbacks, beams and
batches need no code: equal texts are equal states. What may come is for states.py (names) and gates.py (bytes) to say,
byte by byte (`after`).

Cost: as the constraint below, plus some microseconds per byte.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from structgen.automata.interned import Interned
from structgen.errors import LimitExceeded
from structgen.grammars.ir import SPECIAL
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.memory import Bounded
from structgen.monitors.monitor import Report, Watching
from structgen.protocols import LazyAutomaton

__all__ = ["ASK", "LONGEST_NAME", "MOST_REMEMBERED", "NOWHERE", "Site", "Spot", "Watched"]

MOST_STATES = 1 << 20
MOST_REMEMBERED = 50_000
LONGEST_NAME = 256  # bytes; longer ones are not kept
MOST_SEARCHED = 20_000  # states looked at for a completion


class Site(NamedTuple):
    """A name that is due or begun.

    field    meaning
    text     the text up to the byte behind which it is due, a node of Texts
    lexical  the lexical state before that byte
    names    which names may come, a number; ASK until a byte of a name comes
    part     what is written of it
    """

    text: int
    lexical: Hashable
    names: int
    part: bytes = b""


ASK = -1


class Spot(NamedTuple):
    """A state: of the constraint below, the text, the lexer's state, the site if there is one."""

    below: int
    text: int
    lexical: Hashable
    site: Site | None


NOWHERE = Spot(DEAD, 0, None, None)


class Texts:
    """Texts as nodes of a trie, byte by byte; 0 is the empty one."""

    def __init__(self) -> None:
        self._parents, self._bytes = [0], bytearray(1)
        self._known: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._parents)

    def after(self, node: int, byte: int) -> int:
        """The text with one byte more."""
        found = self._known.get((node, byte))
        if found is None:
            found = self._known[node, byte] = len(self._parents)
            self._parents.append(node)
            self._bytes.append(byte)
        return found

    def before(self, node: int, size: int) -> tuple[int, int]:
        """The text without so many of its last bytes, and how many it lacks."""
        while size and node:
            node, size = self._parents[node], size - 1
        return node, size

    def add(self, text: bytes) -> int:
        """The node of a text."""
        node = 0
        for byte in text:
            node = self.after(node, byte)
        return node

    def __getitem__(self, node: int) -> bytes:
        out = bytearray()
        while node:
            out.append(self._bytes[node])
            node = self._parents[node]
        return bytes(out[::-1])


class Watched(ABC):
    """An automaton with a monitor on top; see the module. Thread-safe through the lock of the one below."""

    def __init__(self, below: LazyAutomaton, monitor: Watching) -> None:
        self.below, self.monitor, self.lock = below, monitor, below.lock
        self.report = Report()
        self._begin()

    def _begin(self) -> None:
        self.texts = Texts()
        self._shortest: Bounded[int, bytes] = Bounded(MOST_REMEMBERED)
        start = Spot(START, 0, self.monitor.start, self._site_at_cursor())
        fixed = NOWHERE, Spot(FINISHED, 0, None, None), start
        self.spots = Interned(fixed, most=MOST_STATES, limit="monitored_states")

    def __len__(self) -> int:
        return len(self.spots)

    @property
    def nbytes(self) -> int:
        """Bytes held, about: those of the automaton below, and what a state and a node of the texts take."""
        return self.below.nbytes + 600 * len(self.spots) + 150 * len(self.texts)

    # ------------------------------------------------------------------------------------------ what a monitor says

    @abstractmethod
    def after(self, spot: Spot, byte: int) -> Spot:
        """The state behind a byte; NOWHERE if it is not allowed."""

    @abstractmethod
    def _ask_ahead(self, spot: Spot) -> None:
        """Tell the monitor of what will be asked for certain."""

    @abstractmethod
    def _steps(self, spot: Spot, rest: bytes) -> Iterable[bytes]:
        """What a completion may go on with where `rest`, what the constraint would write, is not allowed."""

    @abstractmethod
    def room(self, state: int) -> int:
        """Bytes that hold an end, as far as that is known without asking."""

    def _site_at_cursor(self) -> Site | None:
        return None

    def _may_end(self, site: Site | None) -> bool:
        """Whether a text may end there."""
        return True

    def _taken_out(self, site: Site | None) -> Any:
        """A site without numbers of this automaton, to be put in again behind `compact`."""
        return site

    def _put_in(self, site: Any) -> Site | None:
        return site  # type: ignore[no-any-return]

    # ----------------------------------------------------------------------------------------------------- questions

    def advance(self, state: int, data: bytes) -> int:
        """The state after `data`, or DEAD. Raises LimitExceeded when memory runs out."""
        if not data or state == DEAD:
            return state
        if state == FINISHED:
            return DEAD
        with self.lock:
            spot = self.spots[state]
            spot = self._past_symbol(spot, data) if data[0] == SPECIAL else self.read(spot, data)
            self._ask_ahead(spot)
            return DEAD if spot == NOWHERE else self.spots.number(spot)

    def read(self, spot: Spot, data: bytes) -> Spot:
        """The state behind several bytes; NOWHERE if they are not allowed."""
        for byte in data:
            spot = self.after(spot, byte)
            if spot == NOWHERE:
                break
        return spot

    def _past_symbol(self, spot: Spot, symbol: bytes) -> Spot:
        """The state behind a special token, which is no text: neither lexer nor analysis sees it."""
        below = self.below.advance(spot.below, symbol)
        if below == DEAD or not self._may_end(spot.site):
            return NOWHERE
        return spot._replace(below=below, site=None)

    def reader(self, words: Any) -> None:
        """Tokens are read by their bytes."""
        return None

    @property
    def has_specials(self) -> bool:
        """Whether some text holds a special token."""
        return self.below.has_specials

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete: not inside a name that is none."""
        spot = self.spots[state]
        return self.below.is_accepting(spot.below) and self._may_end(spot.site)

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        spot = self.spots[state]
        if state in (DEAD, FINISHED):
            return []
        with self.lock:
            return [byte for byte in self.below.live_bytes(spot.below) if self.after(spot, byte) != NOWHERE]

    def distance(self, state: int) -> int:
        """Length of `shortest`."""
        return len(self.shortest(state))

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A completion: a shortest one where what the constraint would write asks for no name. Raises LimitExceeded
        beyond `limit` bytes or where none is found within reason."""
        if state == FINISHED:
            return b""
        known = self._shortest.get(state)
        if known is None:
            with self.lock:
                known = self._shortest.remember(state, self._complete(self.spots[state], limit))
        return known

    def _complete(self, start: Spot, limit: int) -> bytes:
        """Best first, by what is written and what the constraint needs at least; whole names in one step."""
        count, seen = 0, {start}
        heap = [(self.below.distance(start.below), 0, b"", start)]
        while heap and count < MOST_SEARCHED:
            _, _, written, spot = heapq.heappop(heap)
            if self.below.is_accepting(spot.below) and self._may_end(spot.site):
                return written
            rest = self.below.shortest(spot.below, limit)
            direct = self.read(spot, rest)
            if spot.site is None and direct != NOWHERE and self._may_end(direct.site):
                return written + rest
            for step in self._steps(spot, rest):
                after = self.read(spot, step)
                if after != NOWHERE and after not in seen:
                    seen.add(after)
                    count += 1
                    text = written + step
                    heapq.heappush(heap, (len(text) + self.below.distance(after.below), count, text, after))
        raise LimitExceeded("no completion was found", limit="monitored_completion", allowed=MOST_SEARCHED)

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words."""
        return self.below.expected(self.spots[state].below)

    def rules(self, state: int) -> tuple[str, ...]:
        """The names of the rules at work below."""
        return self.below.rules(self.spots[state].below)

    def sizes(self) -> dict[str, int]:
        """How large the automaton below is, and how many monitors there are."""
        below = self.below.sizes()
        return {**below, "monitors": below.get("monitors", 0) + 1}

    def validate(self) -> None:
        """Raise InvariantError where the compiled arrays break their contract."""
        self.below.validate()

    def compact(self, live: Iterable[int]) -> dict[int, int] | None:
        """Forget all states but `live`, all texts but theirs, and what the automaton below can forget."""
        with self.lock:
            kept = sorted({*live, START})
            spots = [self.spots[state] for state in kept]
            new = self.below.compact({spot.below for spot in spots})
            if new is None:
                return None
            values = [(self.texts[spot.text], self._taken_out(spot.site)) for spot in spots]
            self._begin()
            found = {DEAD: DEAD, FINISHED: FINISHED}
            for state, spot, (text, site) in zip(kept, spots, values, strict=True):
                moved = Spot(new[spot.below], self.texts.add(text), spot.lexical, self._put_in(site))
                found[state] = self.spots.number(moved)
            return found
