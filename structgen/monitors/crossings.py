"""A vocabulary -> the tokens in which a name begins behind the byte that says so, grouped by what stands before it.

`().weight` and `.weight` may come where `parcel` ends: what stands behind the dot is a name of the parcel. By the bytes
up to the dot (`().`, `.`), their heads, these are a few groups, and of a group one state says which of its tokens may
come. Which heads count depends on the lexical state only by its outlook (lexical.Lexer), so it is worked out once for
each; the groups of tokens that can have one head alone are the same for all.

Cost: a pass over the vocabulary, once; about a millisecond for each outlook.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of
from structgen.memory import Bounded
from structgen.monitors.monitor import Monitor
from structgen.monitors.shelves import Shelf
from structgen.vocabulary import Vocabulary

__all__ = ["Crossings", "Group", "crossings_of"]

MOST_OUTLOOKS = 2_000


class Group(NamedTuple):
    """Tokens that begin alike: `head` ends with the byte behind which a name is due, `rests` is what follows; `row` has
    the bits of the tokens."""

    head: bytes
    rests: Shelf
    row: NDArray[np.uint32]


class Crossings:
    """The crossing tokens of a vocabulary, for monitors that find the same names due.

    `depth`: most closing brackets in one of them. `holding` has the bits of all tokens that hold a byte behind which a
    name may be due.
    """

    def __init__(self, vocabulary: Vocabulary, monitor: Monitor) -> None:
        self._size, self._letters, self.depth = vocabulary.size, monitor.lexer.letters, 0
        triggers = frozenset(monitor.triggers)
        single: dict[bytes, list[tuple[bytes, int]]] = {}
        holding = list[int]()
        self._several: list[tuple[list[bytes], bytes, int]] = []
        for token in np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist():
            text = vocabulary.token_bytes(token)
            if not triggers.isdisjoint(text):
                holding.append(token)
            heads = [text[: at + 1] for at, byte in enumerate(text[:-1]) if byte in triggers]
            heads = [head for head in heads if monitor.may_end(head)]
            if len(heads) == 1:
                single.setdefault(heads[0], []).append((text[len(heads[0]) :], token))
            elif heads:
                self._several.append((heads, text, token))
            if heads:
                self.depth = max(self.depth, sum(text.count(each) for each in b")]}"))
        self.holding = row_of(holding, self._size)
        self._single = {head: self._group(head, texts) for head, texts in single.items()}
        self._heads = sorted({*single, *(head for heads, _, _ in self._several for head in heads)})
        self._groups: Bounded[Hashable, list[Group]] = Bounded(MOST_OUTLOOKS)

    def _group(self, head: bytes, texts: list[tuple[bytes, int]]) -> Group:
        return Group(head, Shelf(texts, self._size, self._letters), row_of([token for _, token in texts], self._size))

    def groups(self, monitor: Monitor, lexical: Hashable) -> list[Group]:
        """The groups of the tokens in which a name is due, for a text that ends in this lexical state."""
        outlook = monitor.lexer.outlook(lexical, self.depth)
        known = self._groups.get(outlook)
        return self._groups.remember(outlook, self._grouped(monitor, outlook)) if known is None else known

    def _grouped(self, monitor: Monitor, outlook: Hashable) -> list[Group]:
        due = self._due(monitor, outlook)
        found: dict[bytes, list[tuple[bytes, int]]] = {}
        for heads, text, token in self._several:
            first = next((head for head in heads if head in due), None)
            if first is not None:
                found.setdefault(first, []).append((text[len(first) :], token))
        groups = [group for head, group in self._single.items() if head in due]
        return groups + [self._group(head, texts) for head, texts in found.items()]

    def _due(self, monitor: Monitor, outlook: Hashable) -> set[bytes]:
        """The heads behind which a name is due."""
        states: dict[bytes, Hashable] = {b"": outlook}  # behind the beginnings of heads

        def behind(text: bytes) -> Hashable:
            if text not in states:
                states[text] = monitor.lexer.after(behind(text[:-1]), text[-1])
            return states[text]

        return {head for head in self._heads if monitor.is_due(behind(head[:-1]), head[-1])}


_known: weakref.WeakKeyDictionary[Vocabulary, dict[tuple[str, str], Crossings]] = weakref.WeakKeyDictionary()


def crossings_of(vocabulary: Vocabulary, monitor: Monitor) -> Crossings:
    """The crossings of a vocabulary under monitors of this name and language, made once."""
    by_kind = _known.setdefault(vocabulary, {})
    kind = monitor.name, monitor.lexer.name
    if kind not in by_kind:
        by_kind[kind] = Crossings(vocabulary, monitor)
    return by_kind[kind]
