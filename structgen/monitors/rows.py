"""Mask rows under a monitor: the constraint's row, less the tokens that write a name which may not come.

    no site            the row below, less what crosses: of each group of tokens in which a name is due (crossings.py),
                       those that go on with a name that may come
    a name is due      tokens that are blanks, the beginning of a name, or a whole one and what ends it
    inside a name      the same for what is left of the names; of a whole one, what ends it as well, as without a site

Which tokens fit names is remembered by names and what is written of them. Tokens with a further access inside are read
byte by byte, if the row below has them. A site whose names are unknown is asked for: rows are exact.

Cost: the row below; some look-ups a name; tens of microseconds to two milliseconds for names not seen before.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.bits import ids_of, row_of
from structgen.kernels.layout import FINISHED
from structgen.memory import Bounded
from structgen.monitors.crossings import Crossings, crossings_of
from structgen.monitors.shelves import Shelf, Shelves, shelves_of
from structgen.monitors.states import ASK, NOWHERE, MonitoredConfigurations, Site, Spot
from structgen.protocols import MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["MonitoredMasks"]

Row = NDArray[np.uint32]
MOST_ROWS = 4_000


class Fit(NamedTuple):
    """The tokens that fit names: `row` their bits, `doubtful` those of them with a further access inside."""

    row: Row
    doubtful: list[int]


class MonitoredMasks:
    """Mask rows of a constraint with a monitor. Thread-safe through the automaton's lock."""

    def __init__(self, automaton: MonitoredConfigurations, below: MaskSource, vocabulary: Vocabulary) -> None:
        self._automaton, self._below, self._vocabulary = automaton, below, vocabulary
        self._triggers = frozenset(automaton.monitor.triggers)
        self._stops = row_of(vocabulary.stop_ids, vocabulary.size)
        self._rows: Bounded[int, Row] = Bounded(MOST_ROWS)
        self._fits: Bounded[tuple[Shelf, int, bytes], Fit] = Bounded(MOST_ROWS)

    @cached_property
    def _shelves(self) -> Shelves:
        return shelves_of(self._vocabulary)

    @cached_property
    def _crossings(self) -> Crossings:
        return crossings_of(self._vocabulary, self._automaton.monitor)

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        if row is None:
            with self._automaton.lock:
                row = self._compute(state)
                row.flags.writeable = False
                self._rows.remember(state, row)
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._below.drop_rows()
        self._rows.clear()
        self._fits.clear()

    def _compute(self, state: int) -> Row:
        spot = self._automaton.spots[state]
        below = self._below.row(spot.below)
        if state == FINISHED:
            return below.copy()
        if spot.site is None:
            row = self._crossed(spot, below.copy())
        elif spot.site.names == ASK:
            row = self._before_name(spot, below)
        else:
            row = self._in_name(spot, below)
        ends = self._automaton.is_accepting(state)
        return (row & ~self._stops) | (below & self._stops) if ends else row & ~self._stops

    def _crossed(self, spot: Spot, row: Row) -> Row:
        """The row without the tokens that cross into a name that may not come."""
        for group in self._crossings.groups(self._automaton.monitor, spot.lexical):
            some = row & group.row
            if some.any():
                row ^= some
                row |= self._behind(self._automaton.read(spot, group.head), group.rests, some, len(group.head))
        return row

    def _before_name(self, spot: Spot, below: Row) -> Row:
        """Where a name is due: tokens that begin with one, after blanks or none, and blanks alone."""
        row = self._behind(spot, self._shelves.plain, below & self._shelves.plain.row, 0)
        for blanks, shelf in self._shelves.behind_blanks.items():
            some = below & shelf.row
            if some.any():
                inside = self._automaton.read(spot, blanks)
                if inside != NOWHERE:
                    row |= self._behind(inside, shelf, some, len(blanks)) | (
                        some & row_of(shelf.whole(b""), self._size)
                    )
        return row

    @property
    def _size(self) -> int:
        return self._vocabulary.size

    def _behind(self, spot: Spot, shelf: Shelf, some: Row, skip: int) -> Row:
        """Those of some tokens that may come: without their first `skip` bytes they are the texts of the shelf, and
        stand at a spot where a name may be due."""
        known = self._automaton.asked(spot)
        if known.site is not None:
            fit = self._fit(shelf, known.site)
            row, doubtful = some & fit.row, fit.doubtful
        elif spot.site is not None:  # silent: any name
            row = some & shelf.starting
            doubtful = shelf.holding(self._triggers)
        else:
            row, doubtful = some.copy(), ids_of(some).tolist()
        self._clear_dead(row, doubtful, spot, skip)
        if spot.site is not None and shelf.blank:
            blank = some & row_of(shelf.blank, self._size)
            self._clear_dead(blank, shelf.blank, spot, skip)
            row |= blank
        return row

    def _in_name(self, spot: Spot, below: Row) -> Row:
        """Inside a name: what goes on with one; where a whole one is written, also what ends it."""
        site = spot.site
        assert site is not None
        fit = self._fit(self._shelves.plain, site)
        row = below & fit.row
        self._clear_dead(row, fit.doubtful, spot, 0)
        if self._automaton.names(site.names).has(site.part):
            row |= self._crossed(spot._replace(site=None), below & self._shelves.ending)
        return row

    def _clear_dead(self, row: Row, doubtful: list[int], spot: Spot, skip: int) -> None:
        """Clear the bits of those tokens that may not come at a spot, their first bytes left out."""
        for token in doubtful:
            if row[token >> 5] >> np.uint32(token & 31) & np.uint32(1):
                rest = self._vocabulary.token_bytes(token)[skip:]
                if self._automaton.read(spot, rest) == NOWHERE:
                    row[token >> 5] &= ~np.uint32(1 << (token & 31))

    def _fit(self, shelf: Shelf, site: Site) -> Fit:
        key = shelf, site.names, site.part
        known = self._fits.get(key)
        if known is None:
            rests = [rest for rest in self._automaton.names(site.names).rests(site.part) if rest]
            found = shelf.fitting(rests)
            doubtful = [token for token, further in found if not self._triggers.isdisjoint(further)]
            known = self._fits.remember(key, Fit(row_of([token for token, _ in found], self._size), doubtful))
        return known
