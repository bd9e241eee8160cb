"""A growing automaton over code points, from which a language is made. Flat lists: there may be very many edges."""

from __future__ import annotations

from itertools import accumulate

from structgen.errors import LimitExceeded
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.terms import Network

__all__ = ["NetworkBuilder"]


class NetworkBuilder:
    """States are numbers; 0 is the start. `limit` bounds how many there may be."""

    def __init__(self, limit: int, *, accepts: bool = False) -> None:
        self.limit = limit
        self.accepts: list[bool] = []
        self.sources: list[int] = []
        self.labels: list[int] = []
        self.targets: list[int] = []
        self.sets: dict[CharSet, int] = {}
        self.letters: dict[str, int] = {}
        self.state(accepts)

    def state(self, accepts: bool = False) -> int:
        """A new state. Raises LimitExceeded."""
        if len(self.accepts) >= self.limit:
            raise LimitExceeded("the automaton of the text is too large", limit="product_states", allowed=self.limit)
        self.accepts.append(accepts)
        return len(self.accepts) - 1

    def edge(self, source: int, label: CharSet | str, target: int) -> None:
        """One character from a state to another."""
        if isinstance(label, str):
            number = self.letters.get(label)
            if number is None:
                number = self.letters[label] = self._set(CharSet.of(label))
        else:
            number = self._set(label)
        self.sources.append(source)
        self.labels.append(number)
        self.targets.append(target)

    def _set(self, label: CharSet) -> int:
        return self.sets.setdefault(label, len(self.sets))

    def text(self, source: int, text: str, target: int | None = None) -> int:
        """A text of at least one character from a state to another (None: a new one); the state it ends in."""
        for letter in text[:-1]:
            following = self.state()
            self.edge(source, letter, following)
            source = following
        end = self.state() if target is None else target
        self.edge(source, text[-1], end)
        return end

    def language(self) -> Language:
        """What is accepted. Every state must be reached and reach an accepting one."""
        counts = [0] * len(self.accepts)
        for source in self.sources:
            counts[source] += 1
        order = sorted(range(len(self.sources)), key=self.sources.__getitem__)
        labels, targets = ([values[edge] for edge in order] for values in (self.labels, self.targets))
        return Language.of_network(
            Network(tuple(self.sets), list(accumulate(counts, initial=0)), labels, targets, self.accepts)
        )
