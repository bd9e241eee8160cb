"""The automaton of a constraint and a monitor: states of both, numbered.

    state -> (state of the constraint, text, lexical state, site)

`site` is None where the monitor says nothing; else a name is due or being written there. Texts are a trie of their own
(`Texts`), so that a question can be asked of any state, and forks, rollbacks, beams and batches need no code: equal
texts are equal states. Byte by byte: behind a byte that says so a name is due; blanks may come first; a byte that may
begin a name asks for the names, once per text; of others those may come that the language has there. Within a name only
names go on, and a byte of another kind ends one that is whole.

*A monitor narrows and never ends a text*: of the names those are kept that the constraint can read, and go on behind;
if none is, or the analysis is silent, the site is left as if there were no monitor, and the report counts why.

Cost: as the constraint below, plus some microseconds per byte, and a question per site.
Source: MONITORS in docs/monitors.md; Agrawal et al. 2023.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from structgen.automata.interned import Interned
from structgen.errors import LimitExceeded
from structgen.grammars.ir import SPECIAL
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.memory import Bounded
from structgen.monitors.monitor import Monitor, Report
from structgen.monitors.names import Names
from structgen.monitors.question import Silent
from structgen.protocols import LazyAutomaton

__all__ = ["ASK", "NOWHERE", "MonitoredConfigurations", "Site", "Spot"]

MOST_STATES = 1 << 20
MOST_REMEMBERED = 50_000
LONGEST_NAME = 256  # bytes; longer ones are not kept
MOST_BLANKS = 32  # states looked at for a name behind blanks
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


class MonitoredConfigurations:
    """The automaton of a constraint with a monitor; see the module. Thread-safe through the lock of the one below."""

    def __init__(self, below: LazyAutomaton, monitor: Monitor) -> None:
        self.below, self.monitor, self.lock = below, monitor, below.lock
        self._starts, self._letters = monitor.lexer.letters
        self.report = Report()
        self._begin()

    def _begin(self) -> None:
        self.texts, self._names = Texts(), list[Names]()
        self._numbers: dict[tuple[bytes, ...], int] = {}
        self._kept: Bounded[tuple[int, int], int | None] = Bounded(MOST_REMEMBERED)
        self._named: Bounded[tuple[int, frozenset[int]], bool] = Bounded(MOST_REMEMBERED)
        self._shortest: Bounded[int, bytes] = Bounded(MOST_REMEMBERED)
        due = self.monitor.due
        site = None if due is None else Site(0, due, ASK)
        start = Spot(
            START, 0, self.monitor.start, site if site and self._name_may_come(START, self.monitor.start) else None
        )
        fixed = NOWHERE, Spot(FINISHED, 0, None, None), start
        self.spots = Interned(fixed, most=MOST_STATES, limit="monitored_states")

    def __len__(self) -> int:
        return len(self.spots)

    @property
    def nbytes(self) -> int:
        """Bytes held, about: those of the automaton below, and what a state and a node of the texts take."""
        return self.below.nbytes + 600 * len(self.spots) + 150 * len(self.texts)

    # ------------------------------------------------------------------------------------------------------- reading

    def names(self, number: int) -> Names:
        """The names of this number (Site.names)."""
        return self._names[number]

    def asked(self, spot: Spot) -> Spot:
        """The same place with the names of its site known, or without a site where the monitor is silent."""
        site = spot.site
        if site is None or site.names != ASK:
            return spot
        number = self._names_kept(site, spot.below)
        return spot._replace(site=None if number is None else site._replace(names=number))

    def _names_kept(self, site: Site, below: int) -> int | None:
        """The number of the names that may come, None for all; asked for once per text and state below."""
        key = site.text, below
        if key in self._kept:
            return self._kept[key]
        report = self.report
        report.sites += 1
        answer = self.monitor.names(self.texts[site.text], site.lexical, report)
        number = None
        if isinstance(answer, Silent):
            report.silent[answer.reason] += 1
        else:
            kept = tuple(sorted(name for name in answer if name and self._fits(below, name)))
            if kept:
                report.active += 1
                number = self._number_of(kept)
            else:
                report.silent["no name fits the constraint" if answer else "no names"] += 1
        return self._kept.remember(key, number)

    def _fits(self, below: int, name: bytes) -> bool:
        """Whether the constraint can read a name and go on, or end, behind it."""
        if len(name) > LONGEST_NAME or name[0] not in self._starts or not self._letters.issuperset(name):
            return False
        after = self.below.advance(below, name)
        return after != DEAD and (
            self.below.is_accepting(after) or not self._letters.issuperset(self.below.live_bytes(after))
        )

    def _name_may_come(self, below: int, lexical: Hashable) -> bool:
        """Whether a name, or blanks before one, can come below: elsewhere a site would be a dead end."""
        blanks = self.monitor.lexer.blanks(lexical)
        known = self._named.get((below, blanks))
        return self._named.remember((below, blanks), self._finds_name(below, blanks)) if known is None else known

    def _finds_name(self, below: int, blanks: frozenset[int]) -> bool:
        seen, pending = {below}, [below]
        while pending:
            state = pending.pop()
            live = self.below.live_bytes(state)
            if not self._starts.isdisjoint(live):
                return True
            if len(seen) < MOST_BLANKS:
                fresh = {self.below.advance(state, bytes((byte,))) for byte in live if byte in blanks} - seen
                seen |= fresh
                pending.extend(fresh)
        return False

    def after(self, spot: Spot, byte: int) -> Spot:
        """The state behind a byte; NOWHERE if it is not allowed."""
        below = self.below.advance(spot.below, bytes((byte,)))
        if below == DEAD:
            return NOWHERE
        monitor, site, lexical = self.monitor, spot.site, spot.lexical
        following = below, self.texts.after(spot.text, byte), monitor.lexer.after(lexical, byte)
        if site is not None and site.names == ASK and byte in self._starts:
            site = self.asked(spot).site
        if site is None:
            return Spot(*following, self._site_behind(spot, byte, following))
        if site.names == ASK:  # before the name
            if byte in monitor.lexer.blanks(lexical) and self._name_may_come(below, following[2]):
                return Spot(*following, site)
            if byte in monitor.others(site.lexical):
                return Spot(*following, self._site_behind(spot, byte, following))
            return NOWHERE
        names = self._names[site.names]
        if byte in self._letters:
            part = site.part + bytes((byte,))
            return Spot(*following, site._replace(part=part)) if names.begins(part) else NOWHERE
        if not names.has(site.part):
            return NOWHERE
        return Spot(*following, self._site_behind(spot, byte, following))

    def _site_behind(self, spot: Spot, byte: int, following: tuple[int, int, Hashable]) -> Site | None:
        """The site that a byte makes, if it makes one; `following` are the state below, the text and the lexical state
        behind it."""
        below, text, lexical = following
        if self.monitor.is_due(spot.lexical, byte) and self._name_may_come(below, lexical):
            return Site(text, spot.lexical, ASK)
        return None

    def read(self, spot: Spot, data: bytes) -> Spot:
        """The state behind several bytes; NOWHERE if they are not allowed."""
        for byte in data:
            spot = self.after(spot, byte)
            if spot == NOWHERE:
                break
        return spot

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
            site = spot.site
            if site is not None and site.names == ASK and (site.text, spot.below) not in self._kept:
                self.monitor.begin(self.texts[site.text], site.lexical)
            return DEAD if spot == NOWHERE else self.spots.number(spot)

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

    def _may_end(self, site: Site | None) -> bool:
        return site is None or (site.names != ASK and self._names[site.names].has(site.part))

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

    def room(self, state: int) -> int:
        """Bytes that hold an end: `distance`, but where a name is due that was not asked for, which one may come is not
        known: then what the constraint needs and the longest name that is kept."""
        spot = self.spots[state]
        if spot.site is not None and spot.site.names == ASK:
            return self.below.distance(spot.below) + LONGEST_NAME
        return self.distance(state)

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

    def _steps(self, spot: Spot, rest: bytes) -> Iterable[bytes]:
        site = self.asked(spot).site
        if site is None:
            return (bytes((byte,)) for byte in self.below.live_bytes(spot.below))
        names = self._names[site.names]
        if names.has(site.part):
            return (bytes((byte,)) for byte in self.below.live_bytes(spot.below) if byte not in self._letters)
        return (each for each in names.rests(site.part) if each)

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words: the names where some are due."""
        spot = self.asked(self.spots[state])
        if spot.site is None:
            return self.below.expected(spot.below)
        names = self._names[spot.site.names]
        found = [spot.site.part + rest for rest in names.rests(spot.site.part)]
        shown = tuple(repr(name.decode("utf-8", "replace")) for name in found[:12])
        return (*shown, "...") if len(found) > 12 else shown

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
            texts = [(self.texts[spot.text], self.texts[spot.site.text] if spot.site else b"") for spot in spots]
            names = [self._names[s.site.names].sorted if s.site and s.site.names != ASK else None for s in spots]
            self._begin()
            found = {DEAD: DEAD, FINISHED: FINISHED}
            for state, spot, (text, at), known in zip(kept, spots, texts, names, strict=True):
                site = spot.site and spot.site._replace(
                    text=self.texts.add(at), names=ASK if known is None else self._number_of(known)
                )
                moved = Spot(new[spot.below], self.texts.add(text), spot.lexical, site)
                found[state] = self.spots.number(moved)
            return found

    def _number_of(self, names: tuple[bytes, ...]) -> int:
        """The number of sorted names, a new one if they have none."""
        number = self._numbers.setdefault(names, len(self._names))
        if number == len(self._names):
            self._names.append(Names(names))
        return number
