"""Mask rows under a monitor: the constraint's row, less the tokens that write a name which may not come.

    no site            the row below, less what crosses: of each group of tokens in which a name is due (crossings.py),
                       those that go on with a name that may come
    a name is due      tokens that are blanks, the beginning of a name, or a whole one and what ends it
    inside a name      the same for what is left of the names; of a whole one, what ends it as well, as without a site

`row` is exact: it asks for the names of every place that some token would reach. `loose_row` asks for those that are
due already, and leaves the tokens in which a name is due further on; `tightened` settles one of these once it is drawn,
and all that stand or fall with it. Which tokens fit names is remembered by names and what is written of them.

Cost: the row below; some look-ups a name, tens of microseconds to two milliseconds for names not seen before; a loose
row without a site is the one below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.bits import has_bit, ids_of, row_of, with_bits
from structgen.kernels.layout import FINISHED
from structgen.memory import Bounded
from structgen.monitors.crossings import Crossings, Group, crossings_of
from structgen.monitors.shelves import Shelf, Shelves, shelves_of
from structgen.monitors.states import MonitoredConfigurations
from structgen.monitors.watched import ASK, NOWHERE, Site, Spot, Watched
from structgen.protocols import MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["AskingMasks", "MonitoredMasks", "Row"]

Row = NDArray[np.uint32]
MOST_ROWS = 4_000


class Fit(NamedTuple):
    """The tokens that fit names: `row` their bits, `doubtful` those of them with a further access inside."""

    row: Row
    doubtful: list[int]


class Doubt(NamedTuple):
    """Tokens to be read before it is known whether they may come: at a spot, without their first `skip` bytes."""

    tokens: list[int]
    spot: Spot
    skip: int


class AskingMasks(ABC):
    """Mask rows of a constraint with a monitor. Thread-safe through the automaton's lock."""

    def __init__(self, automaton: Watched, below: MaskSource, vocabulary: Vocabulary) -> None:
        self._watched, self._below, self._vocabulary = automaton, below, vocabulary
        self.rows: Bounded[int, Row] = Bounded(MOST_ROWS)

    @property
    @abstractmethod
    def holding(self) -> Row:
        """Bits of all tokens that the monitor may forbid where nothing is due."""

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        if row is None:
            with self._watched.lock:
                spot = self._watched.spots[state]
                below = self._below.row(spot.below)
                row = self.rows.remember(state, below.copy() if state == FINISHED else self._exact(spot, below))
                row.flags.writeable = False
        return row

    @abstractmethod
    def _exact(self, spot: Spot, below: Row) -> Row:
        """The row of a spot, given that of the constraint below."""

    def loose_row(self, state: int) -> Row:
        """As `row`, but with all tokens that only what would have to be asked for could forbid."""
        row = self.rows.get(state)
        if row is None:
            with self._watched.lock:
                row = self._loosely(state, self._watched.spots[state])
                row.flags.writeable = False
        return row

    def _loosely(self, state: int, spot: Spot) -> Row:
        return (
            self._below.loose_row(spot.below) if isinstance(self._below, AskingMasks) else self._below.row(spot.below)
        )

    def tightened(self, state: int, row: Row, token: int) -> Row:
        """A loose row, exact for a token of it."""
        with self._watched.lock:
            spot = self._watched.spots[state]
            if isinstance(self._below, AskingMasks):
                row = self._below.tightened(spot.below, row, token)
            is_text = self._vocabulary.spans[token, 0] >= 0
            if not is_text or not has_bit(row, token) or self._may_come(spot, token, 0):
                return row
            return self._without(spot, row, token)

    @abstractmethod
    def _without(self, spot: Spot, row: Row, token: int) -> Row:
        """A loose row without a token that may not come, and those that fall with it."""

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._below.drop_rows()
        self.rows.clear()

    def _may_come(self, spot: Spot, token: int, skip: int) -> bool:
        """Whether a token may come at a spot, its first bytes left out."""
        return self._watched.read(spot, self._vocabulary.token_bytes(token)[skip:]) != NOWHERE


class MonitoredMasks(AskingMasks):
    """The rows under a monitor of names."""

    def __init__(self, automaton: MonitoredConfigurations, below: MaskSource, vocabulary: Vocabulary) -> None:
        super().__init__(automaton, below, vocabulary)
        self._automaton = automaton
        self._triggers = frozenset(automaton.monitor.triggers)
        self._stops = row_of(vocabulary.stop_ids, vocabulary.size)
        self._loose: Bounded[int, Row] = Bounded(MOST_ROWS)
        self._fits: Bounded[tuple[Shelf, int, bytes], Fit] = Bounded(MOST_ROWS)

    @cached_property
    def _shelves(self) -> Shelves:
        return shelves_of(self._vocabulary, self._automaton.monitor.lexer.letters)

    @cached_property
    def _crossings(self) -> Crossings:
        return crossings_of(self._vocabulary, self._automaton.monitor)

    @property
    def _size(self) -> int:
        return self._vocabulary.size

    @property
    def holding(self) -> Row:
        """Bits of all tokens that hold a byte behind which a name may be due."""
        return self._crossings.holding

    def _loosely(self, state: int, spot: Spot) -> Row:
        row = self._loose.get(state)
        if row is None:
            below = super()._loosely(state, spot)
            row = below if spot.site is None else self._loose.remember(state, self._begun(spot, below)[0])
        return row

    def _without(self, spot: Spot, row: Row, token: int) -> Row:
        row = with_bits(row, [token], on=False)
        if spot.site is None or has_bit(self._shelves.ending, token):
            outside = spot._replace(site=None)
            for group in self._crossings.groups(self._automaton.monitor, spot.lexical):
                if has_bit(group.row, token):
                    row, _ = self._of_group(group, outside, row)
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        super().drop_rows()
        self._loose.clear()
        self._fits.clear()

    def _exact(self, spot: Spot, below: Row) -> Row:
        row, doubts = self._begun(spot, below)
        if spot.site is None:
            row = self._crossed(spot, row, doubts)
        elif spot.site.names != ASK and self._automaton.names(spot.site.names).has(spot.site.part):
            ending = row & self._shelves.ending
            row = (row ^ ending) | self._crossed(spot._replace(site=None), ending, doubts)
        for doubt in doubts:
            dead = [t for t in doubt.tokens if has_bit(row, t) and not self._may_come(doubt.spot, t, doubt.skip)]
            row = with_bits(row, dead, on=False)
        return row

    def _begun(self, spot: Spot, below: Row) -> tuple[Row, list[Doubt]]:
        """The loose row of a spot, and what it leaves open but for crossings."""
        site = spot.site
        if site is None:
            return below, []
        if site.names == ASK:
            row, doubts = self._before_name(spot, below)
            return row & ~self._stops, doubts
        fit = self._fit(self._shelves.plain, site)
        row, doubts = below & fit.row, [Doubt(fit.doubtful, spot, 0)]
        if self._automaton.names(site.names).has(site.part):
            return row | (below & (self._shelves.ending | self._stops)), doubts
        return row & ~self._stops, doubts

    def _crossed(self, spot: Spot, row: Row, doubts: list[Doubt]) -> Row:
        """The row without the tokens that cross into a name that may not come."""
        for group in self._crossings.groups(self._automaton.monitor, spot.lexical):
            row, doubt = self._of_group(group, spot, row)
            doubts.extend(doubt)
        return row

    def _of_group(self, group: Group, spot: Spot, row: Row) -> tuple[Row, list[Doubt]]:
        """The row with those tokens of a group alone that may come, and those that are still to be read."""
        some = row & group.row
        if not some.any():
            return row, []
        behind, size = self._automaton.read(spot, group.head), len(group.head)
        fit, doubtful = self._behind(behind, group.rests, some)
        return (row ^ some) | fit, [Doubt(doubtful, behind, size)]

    def _before_name(self, spot: Spot, below: Row) -> tuple[Row, list[Doubt]]:
        """Where a name is due: tokens that begin with one, after blanks or none, and blanks alone."""
        row, doubtful = self._behind(spot, self._shelves.plain, below & self._shelves.plain.row)
        for inside, blanks in self._behind_blanks(spot).values():
            shelf = self._shelves.behind(tuple(blanks))
            some = below & shelf.row
            fit, more = self._behind(inside, shelf, some)
            row |= fit | (some & row_of(shelf.whole(b""), self._size))
            doubtful = doubtful + more
        return row, [Doubt(doubtful, spot, 0)]

    def _behind_blanks(self, spot: Spot) -> dict[int | None, tuple[Spot, list[bytes]]]:
        """The blanks that may stand before a name, by the names that may come behind them, with one such place."""
        spots, found = {b"": spot}, dict[int | None, tuple[Spot, list[bytes]]]()

        def at(blanks: bytes) -> Spot:
            if blanks not in spots:
                before = at(blanks[:-1])
                spots[blanks] = before if before == NOWHERE else self._automaton.after(before, blanks[-1])
            return spots[blanks]

        for blanks in self._shelves.blanks:
            inside = at(blanks)
            if inside != NOWHERE:
                site = self._automaton.asked(inside).site
                found.setdefault(site and site.names, (inside, []))[1].append(blanks)
        return found

    def _behind(self, spot: Spot, shelf: Shelf, some: Row) -> tuple[Row, list[int]]:
        """Those of some tokens that may come, and which of them are to be read. They are tokens of the shelf, and what
        it has of them stands at a spot where a name may be due."""
        if spot.site is None:
            return some, ids_of(some).tolist()
        known, monitor = self._automaton.asked(spot), self._automaton.monitor
        if known.site is not None:
            row, doubtful = self._fit(shelf, known.site)
        else:  # silent: any name
            starts = monitor.lexer.letters.starts
            row, doubtful = shelf.beginning(starts), shelf.holding(starts, self._triggers)
        row = some & row
        others = frozenset(monitor.others(spot.site.lexical))
        if others:
            row |= some & shelf.beginning(others)
            doubtful = doubtful + shelf.holding(others, self._triggers)
        if shelf.blank:
            row, doubtful = row | (some & row_of(shelf.blank, self._size)), doubtful + shelf.blank
        return row, doubtful

    def _fit(self, shelf: Shelf, site: Site) -> Fit:
        key = shelf, site.names, site.part
        known = self._fits.get(key)
        if known is None:
            rests = [rest for rest in self._automaton.names(site.names).rests(site.part) if rest]
            found = shelf.fitting(rests)
            doubtful = [token for token, further in found if not self._triggers.isdisjoint(further)]
            known = self._fits.remember(key, Fit(row_of([token for token, _ in found], self._size), doubtful))
        return known
