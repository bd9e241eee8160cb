"""Mask rows of a lexed grammar: seen before, or one walk of the trie. The twin of automata/masks.py, with its
promises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.automata.trie import TokenTrie
from structgen.bits import row_of

Row = NDArray[np.uint32]


class LexedMasks:
    """Rows of one lexed grammar over one vocabulary. Thread-safe through the configurations' lock."""

    def __init__(
        self,
        configurations: LexedConfigurations,
        trie: TokenTrie,
        stop_ids: tuple[int, ...],
        *,
        budget: RowBudget = ROWS,
    ) -> None:
        self._configurations = configurations
        self._trie = trie
        self.rows: dict[int, Row] = {}
        self._budget = budget
        self._me = budget.owner(self)
        self._path = np.zeros(trie.longest + 2, np.int64)
        self._stops = row_of(stop_ids, 32 * trie.words)

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        return self._compute(state) if row is None else row

    def _compute(self, state: int) -> Row:
        with self._configurations.lock:
            row = np.zeros(self._trie.words, np.uint32)
            self._configurations.fill_row(self._trie.arrays, state, row, self._path)
            if self._configurations.is_accepting(state):
                row |= self._stops
            row.flags.writeable = False
            self._budget.added(self._me, row.nbytes)
            self.rows[state] = row
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._budget.forget(self._me)
        self.rows.clear()
