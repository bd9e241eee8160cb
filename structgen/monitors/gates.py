"""A constraint and a gatekeeper (monitor.Gatekeeper) -> states and masks: bytes are refused, no names are due.

*A monitor narrows and never ends a text*: a byte is refused only where something that the gatekeeper would have instead
can be read; else it may come, and the report counts why. `Spot.site` is None everywhere.

Masks: the row below, without the tokens that hold a refused byte. These are found by reading all that hold a mark, or
all where any byte may be refused, in the order of the alphabet, so that what begins alike is read once. A loose row is
the one below; when a token is drawn that may not come, all go that begin with the same bytes up to the refused one.

Cost: some microseconds a gated byte, a question a call. A decode reads the tokens that are drawn, 0.06 ms each with
what they begin like; an exact row reads all with a mark: of 128,256 tokens 70 to 110 ms, 290 where only keywords come.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import numpy as np

from structgen.bits import has_bit, row_of
from structgen.kernels.layout import DEAD
from structgen.memory import Bounded
from structgen.monitors.monitor import Gatekeeper
from structgen.monitors.question import Silent
from structgen.monitors.rows import AskingMasks, Row
from structgen.monitors.watched import LONGEST_NAME, MOST_REMEMBERED, NOWHERE, Spot, Watched
from structgen.protocols import LazyAutomaton, MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["GatedConfigurations", "GatedMasks"]

LETTER = 0x61  # any that begins a name


class GatedConfigurations(Watched):
    """The automaton of a constraint with a gatekeeper."""

    monitor: Gatekeeper

    def __init__(self, below: LazyAutomaton, monitor: Gatekeeper) -> None:
        super().__init__(below, monitor)

    def _begin(self) -> None:
        self._places: Bounded[tuple[int, int], Any] = Bounded(MOST_REMEMBERED)
        self._left: Bounded[tuple[int, int], None] = Bounded(MOST_REMEMBERED)  # refused, but that nothing else fits
        super()._begin()

    def after(self, spot: Spot, byte: int) -> Spot:
        """The state behind a byte; NOWHERE if it is not allowed."""
        below = self.below.advance(spot.below, bytes((byte,)))
        if below == DEAD or self.refused(spot, byte):
            return NOWHERE
        return Spot(below, self.texts.after(spot.text, byte), self.monitor.lexer.after(spot.lexical, byte), None)

    def refused(self, spot: Spot, byte: int) -> list[bytes]:
        """What can be read instead of a byte that may not come; nothing if it may."""
        if not self.monitor.is_gated(spot.lexical, byte):
            return []
        known = self.known(spot)
        others = () if isinstance(known, Silent) else self.monitor.instead(known, spot.lexical, byte)
        found = [each for each in others if self.below.advance(spot.below, each) != DEAD]
        if others and not found and (spot.text, byte) not in self._left:
            self._left.remember((spot.text, byte), None)
            self.report.silent["nothing else fits the constraint"] += 1
        return found

    def minds(self, spot: Spot) -> bool:
        """Whether any byte may be refused there."""
        if not self.monitor.is_gated(spot.lexical, LETTER):
            return False
        known = self.known(spot)
        return not isinstance(known, Silent) and self.monitor.minds(known, spot.lexical)

    def known(self, spot: Spot) -> Any:
        """What is known of the place that is asked about; once for each text."""
        place = self.texts.before(spot.text, self.monitor.back(spot.lexical))
        known = self._places.get(place)
        if known is None:
            self.report.sites += 1
            known = self.monitor.known(self.texts[place[0]], spot.lexical, self.report)
            if isinstance(known, Silent):
                self.report.silent[known.reason] += 1
            else:
                self.report.active += 1
            self._places.remember(place, known)
        return known

    def _ask_ahead(self, spot: Spot) -> None:
        if spot != NOWHERE and self.monitor.opens(spot.lexical):
            self.monitor.begin(self.texts[spot.text], spot.lexical)

    def _steps(self, spot: Spot, rest: bytes) -> Iterable[bytes]:
        """Up to the byte that is refused, and what can be read instead."""
        for at, byte in enumerate(rest):
            others = self.refused(spot, byte)
            if others:
                return [rest[:at] + each for each in others]
            spot = self.after(spot, byte)
        return []

    def room(self, state: int) -> int:
        """What the constraint needs, and a name's length, as what is missing of a call would have to be asked for."""
        return self.below.distance(self.spots[state].below) + LONGEST_NAME


class Alphabet:
    """The texts of a vocabulary in the order of the alphabet."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist()
        self.texts = sorted((vocabulary.token_bytes(token), token) for token in ids)
        self.row, self._size = row_of(ids, vocabulary.size), vocabulary.size
        self._holding: dict[bytes, list[tuple[bytes, int]]] = {}

    def holding(self, marks: bytes) -> list[tuple[bytes, int]]:
        """Those that hold one of these bytes."""
        if marks not in self._holding:
            some = frozenset(marks)
            self._holding[marks] = [each for each in self.texts if not some.isdisjoint(each[0])]
        return self._holding[marks]

    def beginning(self, prefix: bytes) -> Row:
        """Bits of those that begin so."""
        start = end = bisect_left(self.texts, (prefix,))
        while end < len(self.texts) and self.texts[end][0].startswith(prefix):
            end += 1
        return row_of([token for _, token in self.texts[start:end]], self._size)


_alphabets: weakref.WeakKeyDictionary[Vocabulary, Alphabet] = weakref.WeakKeyDictionary()


class GatedMasks(AskingMasks):
    """The rows under a gatekeeper."""

    def __init__(self, automaton: GatedConfigurations, below: MaskSource, vocabulary: Vocabulary) -> None:
        super().__init__(automaton, below, vocabulary)
        self._automaton = automaton

    @property
    def _alphabet(self) -> Alphabet:
        if self._vocabulary not in _alphabets:
            _alphabets[self._vocabulary] = Alphabet(self._vocabulary)
        return _alphabets[self._vocabulary]

    @property
    def holding(self) -> Row:
        """Bits of all texts: where only keywords may come, any may be refused."""
        return self._alphabet.row

    def _exact(self, spot: Spot, below: Row) -> Row:
        marks, refused = self._automaton.monitor.marks(spot.lexical), list[int]()
        texts = self._alphabet.texts if self._automaton.minds(spot) else self._alphabet.holding(marks)
        spots, last = [spot], b""
        for text, token in texts:
            if not has_bit(below, token):
                continue
            del spots[_alike(last, text) + 1 :]
            while len(spots) <= len(text) and spots[-1] != NOWHERE:
                spots.append(self._automaton.after(spots[-1], text[len(spots) - 1]))
            if spots[-1] == NOWHERE:
                refused.append(token)
            last = text
        return below & ~row_of(refused, self._vocabulary.size)

    def _without(self, spot: Spot, row: Row, token: int) -> Row:
        text, at = self._vocabulary.token_bytes(token), 0
        while (after := self._automaton.after(spot, text[at])) != NOWHERE:
            spot, at = after, at + 1
        return row & ~self._alphabet.beginning(text[: at + 1])


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)
