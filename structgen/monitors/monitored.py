"""A constraint and a monitor -> a constraint that allows less: `constraint & monitor`.

Matchers, masks, samplers, beams and batches work as with any constraint; its states are ints (states.py). A second
monitor is put on top of a constraint with a first: names of the second that the first forbids are not kept.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from structgen.errors import OptionError, StorageError
from structgen.matcher import Constraint
from structgen.monitors.monitor import Monitor, Report
from structgen.monitors.rows import MonitoredMasks
from structgen.monitors.states import MonitoredConfigurations
from structgen.protocols import LazyAutomaton, MaskSource

__all__ = ["Monitored", "monitored"]


class Monitored(Constraint):
    """A constraint with a monitor: `constraint & monitor`. Attributes besides a Constraint's: `base`, `monitor`,
    `report`.

    It cannot be pickled or saved: what it allows is what an analysis of files says now.
    """

    asks = True

    def __init__(self, base: Constraint, monitor: Monitor) -> None:
        self.base, self.monitor = base, monitor
        super().__init__(base.grammar, base.vocabulary, base.trie, base.target)

    def parts(self) -> tuple[LazyAutomaton, MaskSource]:
        """The automaton of the base with the monitor on top, and its masks."""
        below, masks = self.base.parts()
        automaton = MonitoredConfigurations(below, self.monitor)
        return automaton, MonitoredMasks(automaton, masks, self.vocabulary)

    @property
    def report(self) -> Report:
        """What the monitor did so far."""
        automaton = self.automaton
        assert isinstance(automaton, MonitoredConfigurations)
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


def monitored(constraint: Any, monitor: Monitor) -> Monitored:
    """`constraint & monitor`. Raises OptionError for anything but a constraint without functions on top."""
    if not isinstance(constraint, Constraint):
        raise OptionError(
            "a monitor goes on a constraint that compile() returned, functions on top of it", option="monitors"
        )
    return Monitored(constraint, monitor)
