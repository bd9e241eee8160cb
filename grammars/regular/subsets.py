"""Machines for given networks and for languages one after the other: the subset construction, as far as it is walked.

`Subsets` runs a network over code points; a state is a set of the network's states. `InTurn` runs machines one after
the other, or one machine many times; a state is a set of (round, state of that round's machine): where a round may
end the next begins. Cost per step: the edges out of the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.machine import ALL, Budget, Edges, Machine, State, refine
from structgen.grammars.regular.terms import Network

Threads: TypeAlias = "frozenset[tuple[int, State]]"
_BEFORE = (-1, "before")  # marks the start of a loop that may have no rounds


class Subsets:
    """A given network."""

    def __init__(self, network: Network, alphabet: Alphabet, budget: Budget) -> None:
        self.network, self.budget = network, budget
        self.masks = [alphabet.masks[charset] for charset in network.sets]
        self.start: State | None = frozenset((0,))

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, frozenset)
        return any(self.network.accepts[member] for member in state)

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, frozenset)
        starts, labels, targets = self.network.starts, self.network.labels, self.network.targets
        edges = [edge for member in state for edge in range(starts[member], starts[member + 1])]
        self.budget.spend(1 + len(edges))
        parts = ((self.masks[labels[edge]], frozenset((targets[edge],))) for edge in edges)
        return [(mask, members) for members, mask in refine(parts).items()]


class InTurn:
    """Machines one after the other, or (`minimum` given) the only machine that many times."""

    def __init__(
        self, machines: Sequence[Machine], minimum: int | None, maximum: int | None, everything: int, budget: Budget
    ) -> None:
        self.machines, self.budget, self.everything = machines, budget, everything
        self.is_loop = minimum is not None
        self.minimum = len(machines) if minimum is None else minimum
        self.maximum = len(machines) if minimum is None else maximum
        threads: set[tuple[int, State]] = {_BEFORE} if self.minimum == 0 else set()
        if self.maximum != 0:
            self._begin(0, threads)
        self.start: State | None = frozenset(threads) or None

    def _machine(self, number: int) -> Machine:
        return self.machines[0 if self.is_loop else number]

    def _after(self, number: int) -> int | None:
        """The round after a round, None if there is none. Without an upper bound rounds beyond the least are alike."""
        following = number + 1
        if self.maximum is None:
            return min(following, self.minimum)
        return following if following < self.maximum else None

    def _begin(self, number: int | None, threads: set[tuple[int, State]]) -> None:
        """Add the start of a round and, where it may be empty, of those after it."""
        while number is not None:
            start = self._machine(number).start
            if start is None or (number, start) in threads:
                return
            threads.add((number, start))
            self.budget.spend(1)
            number = self._after(number) if self._ends(number, start) else None

    def _ends(self, number: int, state: State) -> bool:
        return state == ALL or self._machine(number).accepts(state)

    def _steps(self, threads: Threads) -> Iterator[tuple[int, frozenset[State]]]:
        for thread in threads:
            if thread == _BEFORE:
                continue
            number, state = thread
            edges = [(self.everything, ALL)] if state == ALL else self._machine(number).edges(state)
            for mask, target in edges:
                reached = {(number, target)}
                if self._ends(number, target):
                    self._begin(self._after(number), reached)
                yield mask, frozenset(reached)

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, frozenset)
        return any(
            thread == _BEFORE or (thread[0] + 1 >= self.minimum and self._ends(thread[0], thread[1]))
            for thread in state
        )

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, frozenset)
        parts = list(self._steps(state))
        self.budget.spend(1 + len(parts))
        return [(mask, members) for members, mask in refine(parts).items()]
