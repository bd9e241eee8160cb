"""A vocabulary -> the tokens in which a name begins behind the byte that says so, grouped by what stands before it.

`().weight` and `.weight` may come where `parcel` ends: what stands behind the dot is a name of the parcel. By the bytes
up to the dot (`().`, `.`) these are a few groups, and of a group one state says which of its tokens may come. Which
tokens they are depends on the lexical state only by its outlook (lexical.Lexer), so it is worked out once for each.

Cost: a pass over the vocabulary; some milliseconds for each outlook.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of
from structgen.memory import Bounded
from structgen.monitors.monitor import Monitor
from structgen.monitors.shelves import Shelf
from structgen.vocabulary import Vocabulary

__all__ = ["Crossings", "Group"]

MOST_OUTLOOKS = 2_000


class Group(NamedTuple):
    """Tokens that begin alike: `head` ends with the byte behind which a name is due, `rests` is what follows; `row` has
    the bits of the tokens."""

    head: bytes
    rests: Shelf
    row: NDArray[np.uint32]


class Crossings:
    """The crossing tokens of a vocabulary under a monitor."""

    def __init__(self, vocabulary: Vocabulary, monitor: Monitor) -> None:
        self._monitor, self._size, self._triggers = monitor, vocabulary.size, frozenset(monitor.triggers)
        texts = (
            (token, vocabulary.token_bytes(token)) for token in np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist()
        )
        self._tokens = [(text, token) for token, text in texts if not self._triggers.isdisjoint(text[:-1])]
        self._tokens.sort()
        self.depth = max((sum(text.count(each) for each in b")]}") for text, _ in self._tokens), default=0)
        self._groups: Bounded[Hashable, list[Group]] = Bounded(MOST_OUTLOOKS)

    def groups(self, lexical: Hashable) -> list[Group]:
        """The groups of the tokens in which a name is due, for a text that ends in this lexical state."""
        outlook = self._monitor.lexer.outlook(lexical, self.depth)
        known = self._groups.get(outlook)
        return self._groups.remember(outlook, self._grouped(outlook)) if known is None else known

    def _grouped(self, outlook: Hashable) -> list[Group]:
        found: dict[bytes, list[tuple[bytes, int]]] = {}
        read: dict[bytes, tuple[Hashable, bool]] = {b"": (outlook, False)}  # state behind, whether a name is due there
        for text, token in self._tokens:
            for size in range(1, len(text)):
                head = text[:size]
                if head not in read:
                    state, byte = read[head[:-1]][0], head[-1]
                    due = byte in self._triggers and self._monitor.is_due(state, byte)
                    read[head] = self._monitor.lexer.after(state, byte), due
                if read[head][1]:
                    found.setdefault(head, []).append((text[size:], token))
                    break
        return [
            Group(head, Shelf(texts, self._size), row_of([token for _, token in texts], self._size))
            for head, texts in found.items()
        ]
