"""A constraint and a monitor -> a constraint that allows less: `constraint & monitor`.

Matchers, masks, samplers, beams and batches work as with any constraint; its states are ints (states.py). A second
monitor is put on top of a constraint with a first: names of the second that the first forbids are not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.bits import ids_of, row_of
from structgen.errors import OptionError, StorageError
from structgen.kernels.layout import START
from structgen.matcher import BEGUN, Constraint
from structgen.monitors.gates import GatedConfigurations, GatedMasks
from structgen.monitors.monitor import Gatekeeper, Monitor, Report
from structgen.monitors.rows import AskingMasks, MonitoredMasks
from structgen.monitors.states import MonitoredConfigurations
from structgen.monitors.watched import Watched
from structgen.protocols import LazyAutomaton, MaskSource

__all__ = ["Monitored", "monitored", "reports_of"]


class Monitored(Constraint):
    """A constraint with a monitor: `constraint & monitor`. Attributes besides a Constraint's: `base`, `monitor`,
    `report`.

    It cannot be pickled or saved: what it allows is what an analysis of files says now.
    """

    asks = True

    def __init__(self, base: Constraint, monitor: Monitor | Gatekeeper) -> None:
        self.base, self.monitor = base, monitor
        super().__init__(base.grammar, base.vocabulary, base.trie, base.target)

    def parts(self) -> tuple[LazyAutomaton, MaskSource]:
        """The automaton of the base with the monitor on top, and its masks."""
        below, masks = self.base.parts()
        if isinstance(self.monitor, Gatekeeper):
            gated = GatedConfigurations(below, self.monitor)
            return gated, GatedMasks(gated, masks, self.vocabulary)
        automaton = MonitoredConfigurations(below, self.monitor)
        return automaton, MonitoredMasks(automaton, masks, self.vocabulary)

    def loose_row(self, state: int) -> NDArray[np.uint32]:
        """The mask of a state, with tokens in which a name is due that was not asked for yet (Constraint.loose_row)."""
        with self.automaton.lock:
            own = self._own(state)
            return self._row(own) if self._is_first(own) else self._asking.loose_row(own)

    def tightened(self, state: int, row: NDArray[np.uint32], token: int) -> NDArray[np.uint32]:
        """A loose row, exact for a token of it and those that go on with a name at the same place."""
        with self.automaton.lock:
            own = self._own(state)
            return row if self._is_first(own) else self._asking.tightened(own, row, token)

    def _is_first(self, own: int) -> bool:
        """Whether tokens are read in another way: a first one without its blank."""
        return own < START or (own == START and self.vocabulary.leading_blank)

    def may_begin(self, tokens: Sequence[int]) -> list[int]:
        """Those of some tokens with which a text may begin. Where no name is due there, the base knows that of all that
        hold no byte behind which one is."""
        below = self.base.row(START) & row_of(tokens, self.vocabulary.size)
        is_due = getattr(self.monitor, "due", None) is not None
        doubtful = below if is_due else below & self._asking.holding
        return [*ids_of(below ^ doubtful).tolist(), *super().may_begin(ids_of(doubtful).tolist())]

    def room(self, state: int) -> int:
        """Bytes that hold an end; where a name is due that was not asked for yet, about so many."""
        automaton = self.automaton
        assert isinstance(automaton, Watched)
        with automaton.lock:
            own = self._own(state)
            return automaton.room(START if own == BEGUN else own)

    @property
    def _asking(self) -> AskingMasks:
        masks = self.masks
        assert isinstance(masks, AskingMasks)
        return masks

    @property
    def report(self) -> Report:
        """What the monitor did so far."""
        automaton = self.automaton
        assert isinstance(automaton, Watched)
        return automaton.report

    @cached_property
    def _identity(self) -> str:
        return hashlib.sha256(f"{self.base.fingerprint}|{self.monitor.fingerprint}".encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Of the base and of the monitor."""
        return self._identity

    def __reduce__(self) -> Any:
        raise StorageError("what it allows is asked for while it runs", source=repr(self.monitor))


def monitored(constraint: Any, monitor: Any) -> Monitored:
    """`constraint & monitor`. Raises OptionError for anything but a constraint without functions on top."""
    if not isinstance(constraint, Constraint):
        raise OptionError(
            "a monitor goes on a constraint that compile() returned, functions on top of it", option="monitors"
        )
    return Monitored(constraint, monitor)


def reports_of(constraint: Any) -> dict[str, Report]:
    """What the monitors of a constraint did, by their names, a number behind the second of a name."""
    automaton, found = constraint.automaton, list[tuple[str, Report]]()
    while isinstance(automaton, Watched):
        found.insert(0, (automaton.monitor.name, automaton.report))
        automaton = automaton.below
    names = [name for name, _ in found]
    numbers = [names[: at + 1].count(name) for at, name in enumerate(names)]
    return {name if n == 1 else f"{name} {n}": report for n, (name, report) in zip(numbers, found, strict=True)}
