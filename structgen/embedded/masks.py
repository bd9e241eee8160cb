"""Mask rows of places: the union of the rows of the states they hold, and the tokens that cross from one to another.

    outer state   its own row, and the tokens in which a region begins: a walk notes where in the trie that can be
    region        its own row by a walk that notes where the text of the region may end before a byte that the state
                  behind it takes, and the tokens that go on from there

From where they cross, tokens are read byte by byte: there are few. Rows are kept by state and place.

Cost: the rows of both automata, one more walk for an outer state, and about a microsecond per byte of what crosses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.trie import TokenTrie
from structgen.bits import row_of
from structgen.embedded.automaton import NOWHERE, EmbeddedConfigurations, Place, Region
from structgen.kernels import entries
from structgen.kernels.handles import handle
from structgen.kernels.layout import MARK
from structgen.protocols import MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["EmbeddedMasks"]

Row = NDArray[np.uint32]


class EmbeddedMasks:
    """Mask rows of places over one vocabulary. Thread-safe through the automaton's lock.

    `own` makes the rows of outer states; `plain` is the automaton of their configurations, and `configuration` says
    which of them an outer state has.
    """

    def __init__(
        self,
        automaton: EmbeddedConfigurations,
        own: MaskSource,
        trie: TokenTrie,
        vocabulary: Vocabulary,
        *,
        plain: Configurations,
        configuration: Callable[[int], int],
        budget: RowBudget = ROWS,
    ) -> None:
        self._automaton, self._own, self._trie, self._vocabulary = automaton, own, trie, vocabulary
        self._plain, self._configuration = plain, configuration
        self._budget, self._me = budget, budget.owner(self)
        self._path = np.zeros(trie.longest + 2, np.int64)
        self._noted = np.zeros(len(trie.arrays.byte) + 1, np.int64)  # nodes, behind their number
        self._mark = np.array([MARK], np.int64)
        self._odd = row_of(_with_mark(trie), trie.size)
        self.rows: dict[int, Row] = {}
        self._parts: dict[int | Region, Row] = {}

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._budget.forget(self._me)
        self._own.drop_rows()
        self.rows.clear()
        self._parts.clear()

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        return self._compute(state) if row is None else row

    def _compute(self, state: int) -> Row:
        with self._automaton.lock:
            place = self._automaton.places[state]
            rows = [*map(self._part, place.outer), *map(self._part, place.regions)]
            if len(rows) == 1:
                row = rows[0]
            else:
                row = np.bitwise_or.reduce([np.zeros(self._trie.words, np.uint32), *rows])
                row.flags.writeable = False
                self._budget.added(self._me, row.nbytes)
            self.rows[state] = row
            return row

    def _part(self, part: int | Region) -> Row:
        """The row of an outer state or of a region, what crosses from it included."""
        row = self._parts.get(part)
        if row is None:
            row = self._of_region(part) if isinstance(part, Region) else self._of_outer(part)
            if row.flags.writeable:
                row.flags.writeable = False
                self._budget.added(self._me, row.nbytes)
            self._parts[part] = row
        return row

    def _of_outer(self, state: int) -> Row:
        row, noted = self._own.row(state), self._marks(self._configuration(state))
        if noted or self._automaton.begun(state):
            row = row & ~self._odd  # no mark is read as a text
        for node in noted:
            place = Place((state,))
            for byte in self._text(node):
                place = self._automaton.after(place, byte)
            self._go_on(node, place, row)
        return row

    def _marks(self, configuration: int) -> list[int]:
        """The nodes of the trie at which a region may begin."""
        scratch = self._trie.scratch()[0]._replace(noted=self._noted, awaited=self._mark)
        unread, where = np.empty(self._trie.words, np.uint32), (handle(scratch), 0, entries.ENDLESS)
        self._plain.call(entries.fill_row, self._trie.handle, configuration, unread, *where)
        found: list[int] = self._noted[1 : self._noted[0] + 1].tolist()
        return found

    def _text(self, node: int) -> bytes:
        """The bytes that lead to a node of the trie."""
        arrays = self._trie.arrays
        token = arrays.token.item(arrays.token_start.item(node))
        return self._vocabulary.token_bytes(token)[: arrays.depth.item(node)]

    def _of_region(self, region: Region) -> Row:
        behind = self._automaton.opened((region.behind,))
        firsts = np.zeros(256, np.uint8)
        firsts[[byte for byte in range(256) if self._automaton.after(behind, byte) != NOWHERE]] = 1
        row = np.zeros(self._trie.words, np.uint32)
        lexed = self._automaton.embedded[region.which].automaton
        lexed.fill_row(self._trie.arrays, region.state, row, self._path, firsts, self._noted)
        for node in self._noted[1 : self._noted[0] + 1].tolist():
            place = self._automaton.after(behind, self._trie.arrays.byte.item(node))
            self._allow(node, row)
            self._go_on(node, place, row)
        return row

    def _go_on(self, node: int, place: Place, row: Row) -> None:
        """Set the bits of the tokens below a node of the trie that are allowed, `place` being what holds there."""
        byte, depth, skip = self._trie.arrays[:3]
        path, at, end = {depth.item(node): place}, node + 1, skip.item(node)
        while at < end:
            here = depth.item(at)
            after = self._automaton.after(path[here - 1], byte.item(at))
            if after == NOWHERE:
                at = skip.item(at)
                continue
            self._allow(at, row)
            path[here] = after
            at += 1

    def _allow(self, node: int, row: Row) -> None:
        """Set the bits of the tokens that end at a node."""
        start = self._trie.arrays.token_start
        for token in self._trie.arrays.token[start[node] : start[node + 1]].tolist():
            row[token >> 5] |= np.uint32(1 << (token & 31))


def _with_mark(trie: TokenTrie) -> set[int]:
    """The tokens that hold the byte of marks."""
    arrays = trie.arrays
    nodes = np.flatnonzero(arrays.byte == MARK)
    bounds = zip(arrays.token_start[nodes].tolist(), arrays.token_start[arrays.skip[nodes]].tolist(), strict=True)
    return {token for first, end in bounds for token in arrays.token[first:end].tolist()}
