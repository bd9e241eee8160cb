"""A store of earlier outputs of the same constraint: what stood behind the last tokens in one of them.

Sources: retrieval (REST, He et al. 2023) and its fusion with other drafts by longest prefix (RASD, 2025; fusing is
what the tree does). Outputs of one schema share their keys, their order and often their values. What is kept
is token ids, in memory, until the constraint goes or `most` tokens are kept; drafts are verified, so an output shows
nothing of another, but it is faster where they agree.

Cost: a few dictionary look-ups a node, and as many entries for each token that is kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from structgen.matcher import Constraint
from structgen.speculation.drafters.base import Draft, Place, Seen, endings

__all__ = ["EarlierOutputs"]

_LONGEST = 6  # tokens of a match
_PRIORS = (0.2, 0.4, 0.55, 0.65, 0.75, 0.8)


class _Shelf:
    """Outputs of one constraint, and where in them an n-gram last ended. An output is indexed when the next one begins:
    of the one being written prompt lookup knows more."""

    def __init__(self) -> None:
        self.outputs: list[list[int]] = []
        self.ends: dict[tuple[int, ...], tuple[int, int]] = {}
        self._indexed: list[int] = []

    def open(self, most: int) -> list[int]:
        """A new output, to be appended to. A full shelf is emptied: what is still said fills it again."""
        if sum(map(len, self.outputs)) > most:
            self.outputs, self._indexed = [], []
            self.ends.clear()
        for number, output in enumerate(self.outputs):
            for end in range(max(self._indexed[number], 1), len(output)):
                self.ends.update(dict.fromkeys(endings(output, end, _LONGEST), (number, end)))
            self._indexed[number] = len(output)
        self.outputs.append([])
        self._indexed.append(0)
        return self.outputs[-1]


_shelves: weakref.WeakKeyDictionary[Constraint, _Shelf] = weakref.WeakKeyDictionary()


class EarlierOutputs:
    """Drafts by the longest match in an output of the same constraint, of equal ones the latest."""

    name = "store"

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._shelf: _Shelf | None = None
        self._output: list[int] = []

    def begin(self, place: Place) -> None:
        """Keep what is new in the output."""
        if place.constraint is None:
            return
        if self._shelf is None:
            self._shelf = _shelves.setdefault(place.constraint, _Shelf())
            self._output = self._shelf.open(self._most)
        self._output += place.tokens[place.start + len(self._output) :]

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The token behind the longest match within the output."""
        if self._shelf is None:
            return
        tail = place.tail(node)
        written = len(place.tokens) - place.start + place.tree.depths[node]
        for size in range(min(_LONGEST, written, len(tail)), 0, -1):
            found = self._shelf.ends.get(tail[-size:])
            if found is not None:
                number, end = found
                yield Draft(self._shelf.outputs[number][end], size, _PRIORS[size - 1])
                return

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""
