"""The automaton of a constraint and a monitor of names (watched.py): where they are due, and which may come.

`Spot.site` is None where the monitor says nothing; else a name is due or being written there. Byte by byte: behind a
byte that says so a name is due; blanks may come first; a byte that may begin a name asks for the names, once per text;
of others those may come that the language has there. Within a name only names go on, and a byte of another kind ends
one that is whole.

*A monitor narrows and never ends a text*: of the names those are kept that the constraint can read, and go on behind;
if none is, or the analysis is silent, the site is left as if there were no monitor, and the report counts why.

Cost: as the constraint below, plus some microseconds per byte, and a question per site.
Source: MONITORS in docs/monitors.md; Agrawal et al. 2023.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from structgen.kernels.layout import DEAD, START
from structgen.memory import Bounded
from structgen.monitors.monitor import Monitor
from structgen.monitors.names import Names
from structgen.monitors.question import Silent
from structgen.monitors.watched import ASK, LONGEST_NAME, MOST_REMEMBERED, NOWHERE, Site, Spot, Watched
from structgen.protocols import LazyAutomaton

__all__ = ["MonitoredConfigurations"]

MOST_BLANKS = 32  # states looked at for a name behind blanks


class MonitoredConfigurations(Watched):
    """The automaton of a constraint with a monitor of names."""

    monitor: Monitor

    def __init__(self, below: LazyAutomaton, monitor: Monitor) -> None:
        self._starts, self._letters = monitor.lexer.letters
        super().__init__(below, monitor)

    def _begin(self) -> None:
        self._names = list[Names]()
        self._numbers: dict[tuple[bytes, ...], int] = {}
        self._kept: Bounded[tuple[int, int], int | None] = Bounded(MOST_REMEMBERED)
        self._named: Bounded[tuple[int, frozenset[int]], bool] = Bounded(MOST_REMEMBERED)
        super()._begin()

    def _site_at_cursor(self) -> Site | None:
        due = self.monitor.due
        is_due = due is not None and self._name_may_come(START, self.monitor.start)
        return Site(0, due, ASK) if is_due else None

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

    def _ask_ahead(self, spot: Spot) -> None:
        """Tell the monitor of what will be asked for certain."""
        site = spot.site
        if site is not None and site.names == ASK and (site.text, spot.below) not in self._kept:
            self.monitor.begin(self.texts[site.text], site.lexical)

    def _may_end(self, site: Site | None) -> bool:
        return site is None or (site.names != ASK and self._names[site.names].has(site.part))

    def room(self, state: int) -> int:
        """Bytes that hold an end: `distance`, but where a name is due that was not asked for, which one may come is not
        known: then what the constraint needs and the longest name that is kept."""
        spot = self.spots[state]
        if spot.site is not None and spot.site.names == ASK:
            return self.below.distance(spot.below) + LONGEST_NAME
        return self.distance(state)

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
            return super().expected(state)
        names = self._names[spot.site.names]
        found = [spot.site.part + rest for rest in names.rests(spot.site.part)]
        shown = tuple(repr(name.decode("utf-8", "replace")) for name in found[:12])
        return (*shown, "...") if len(found) > 12 else shown

    def _taken_out(self, site: Site | None) -> Any:
        """A site with its text and names instead of their numbers."""
        if site is None:
            return None
        return site, self.texts[site.text], None if site.names == ASK else self._names[site.names].sorted

    def _put_in(self, site: Any) -> Site | None:
        if site is None:
            return None
        old, text, names = site
        number = ASK if names is None else self._number_of(names)
        return old._replace(text=self.texts.add(text), names=number)  # type: ignore[no-any-return]

    def _number_of(self, names: tuple[bytes, ...]) -> int:
        """The number of sorted names, a new one if they have none."""
        number = self._numbers.setdefault(names, len(self._names))
        if number == len(self._names):
            self._names.append(Names(names))
        return number
