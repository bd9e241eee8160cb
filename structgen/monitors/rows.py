"""Mask rows under a monitor: the constraint's row, less the tokens that write a name which may not come.

    no site            the row below, less what crosses: of each group of tokens in which a name is due (crossings.py),
                       those that go on with a name that may come
    a name is due      tokens that are blanks, the beginning of a name, or a whole one and what ends it
    inside a name      the same for what is left of the names; of a whole one, what ends it as well, as without a site

Which tokens fit names is remembered by names and what is written of them. Tokens with blanks before the name or a
further access behind it are read byte by byte, if the row below has them. A site whose names are unknown is asked for:
rows are exact.

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
from structgen.monitors.crossings import Crossings
from structgen.monitors.lexical import NAME_BYTES, NAME_STARTS
from structgen.monitors.monitored import ASK, NOWHERE, MonitoredConfigurations, Spot
from structgen.monitors.names import Names
from structgen.monitors.shelves import Shelf, shelves_of
from structgen.protocols import MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["MonitoredMasks"]

Row = NDArray[np.uint32]
MOST_ROWS = 4_000


class Fit(NamedTuple):
    """The tokens that fit names: `row` their bits, `doubtful` those of them that must be read byte by byte."""

    row: Row
    doubtful: list[int]


class MonitoredMasks:
    """Mask rows of a constraint with a monitor. Thread-safe through the automaton's lock."""

    def __init__(self, automaton: MonitoredConfigurations, below: MaskSource, vocabulary: Vocabulary) -> None:
        self._automaton, self._below, self._vocabulary = automaton, below, vocabulary
        self._triggers = frozenset(automaton.monitor.triggers)
        self._stops = row_of(vocabulary.stop_ids, vocabulary.size)
        self._rows: Bounded[int, Row] = Bounded(MOST_ROWS)
        self._fits: Bounded[tuple[int, bytes, bool], Fit] = Bounded(MOST_ROWS)

    @cached_property
    def _shelves(self) -> dict[bytes, Shelf]:
        return shelves_of(self._vocabulary)

    @cached_property
    def _crossings(self) -> Crossings:
        return Crossings(self._vocabulary, self._automaton.monitor)

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
        if state == FINISHED:
            return self._below.row(FINISHED).copy()
        below, known = self._below.row(spot.below), self._automaton.asked(spot)
        if known.site is not None:
            row = self._within(spot, known, below)
        elif spot.site is None:
            row = self._crossed(spot, below.copy())
        else:  # silent: any name, blanks before it
            row = self._crossed(known, below & self._shelves[b""].starting)
            self._add_behind_blanks(spot, below, row)
        ends = self._automaton.is_accepting(state)
        return (row & ~self._stops) | (below & self._stops) if ends else row & ~self._stops

    # ------------------------------------------------------------------------------------------------------ no site

    def _crossed(self, spot: Spot, row: Row) -> Row:
        """The row without the tokens that cross into a name that may not come."""
        for group in self._crossings.groups(spot.lexical):
            some = row & group.row
            if some.any():
                inside = self._automaton.read(spot, group.head)
                known = self._automaton.asked(inside)
                for token in ids_of(some).tolist():
                    if not self._goes_on(inside, known, group.rests[token]):
                        _clear(row, token)
        return row

    def _goes_on(self, inside: Spot, known: Spot, rest: bytes) -> bool:
        """Whether the rest of a token may come where a name is due; `known`: the same place, asked."""
        if known.site is not None and rest[0] in NAME_STARTS:
            names, size = self._automaton.names(known.site.names), name_size(rest)
            if size == len(rest):
                return names.begins(rest)
            if not names.has(rest[:size]):
                return False
            if self._triggers.isdisjoint(rest):
                return True
        return self._automaton.read(inside, rest) != NOWHERE

    def _add_behind_blanks(self, spot: Spot, below: Row, row: Row) -> None:
        """Set the bits of the tokens that begin with blanks, where any name may come behind them."""
        for blanks, shelf in self._shelves.items():
            inside = self._automaton.read(spot, blanks) if blanks else NOWHERE
            if inside == NOWHERE:
                continue
            for token in shelf.whole(b""):
                row[token >> 5] |= below[token >> 5] & np.uint32(1 << (token & 31))
            known = self._automaton.asked(inside)
            if known.site is None:
                row |= self._crossed_behind(blanks, known, below & shelf.starting)
            else:  # the constraint takes other names here than without the blanks
                for token in ids_of(below & shelf.starting).tolist():
                    if self._goes_on(inside, known, self._vocabulary.token_bytes(token)[len(blanks) :]):
                        row[token >> 5] |= np.uint32(1 << (token & 31))

    def _crossed_behind(self, blanks: bytes, spot: Spot, row: Row) -> Row:
        """The row of tokens that begin with these blanks, without those that cross; `spot` is behind the blanks."""
        for token in ids_of(row & self._shelves[blanks].accesses(self._triggers)).tolist():
            if self._automaton.read(spot, self._vocabulary.token_bytes(token)[len(blanks) :]) == NOWHERE:
                _clear(row, token)
        return row

    # --------------------------------------------------------------------------------------------------------- a site

    def _within(self, spot: Spot, known: Spot, below: Row) -> Row:
        """The tokens that fit the names of a site; where a whole name is written, also what ends it."""
        site = known.site
        assert site is not None
        names = self._automaton.names(site.names)
        fit = self._fit(site.names, names, site.part, due=spot.site is not None and spot.site.names == ASK)
        row = below & fit.row
        for token in fit.doubtful:
            is_set = row[token >> 5] >> np.uint32(token & 31) & np.uint32(1)
            if is_set and self._automaton.read(spot, self._vocabulary.token_bytes(token)) == NOWHERE:
                _clear(row, token)
        if names.has(site.part):
            row |= self._crossed(known._replace(site=None), below & self._shelves[b""].ending)
        return row

    def _fit(self, number: int, names: Names, part: bytes, *, due: bool) -> Fit:
        key = number, part, due
        known = self._fits.get(key)
        if known is None:
            row, doubtful, rests = list[int](), list[int](), [rest for rest in names.rests(part) if rest]
            for blanks, shelf in self._shelves.items() if due else ((b"", self._shelves[b""]),):
                some = shelf.fitting(rests)
                row += [token for token, _ in some]
                doubtful += [t for t, further in some if blanks or not self._triggers.isdisjoint(further)]
                if blanks:
                    row += shelf.whole(b"")
                    doubtful += shelf.whole(b"")
            known = self._fits.remember(key, Fit(row_of(row, self._vocabulary.size), doubtful))
        return known


def name_size(text: bytes) -> int:
    """How many bytes of a name a text begins with."""
    return next((at for at, byte in enumerate(text) if byte not in NAME_BYTES), len(text))


def _clear(row: Row, token: int) -> None:
    row[token >> 5] &= ~np.uint32(1 << (token & 31))
