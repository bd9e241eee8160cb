"""From a configuration to its mask row: seen before (by reference), else a full walk over the vocabulary's trie.

A row is a read-only uint32 array of ceil(V / 32) words, bit t % 32 of word t // 32 set = token t allowed. Rows live
under a byte budget; when it is full the older half is dropped and recomputed on demand (arrays already handed out stay
valid, since nobody writes into them again).

Cost: seen before, one dictionary look-up; full walk, one table look-up per trie node reached.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.trie import TokenTrie
from structgen.kernels import masks

Row = NDArray[np.uint32]


class MaskTable:
    """Mask rows of one grammar over one vocabulary. Thread-safe through the configurations' lock."""

    def __init__(
        self,
        configurations: Configurations,
        trie: TokenTrie,
        stop_ids: tuple[int, ...],
        *,
        budget_bytes: int = 256 << 20,
    ) -> None:
        self._configurations = configurations
        self._trie = trie
        self._rows: dict[int, Row] = {}
        self._most = max(16, budget_bytes // (4 * trie.words))
        self._path = np.zeros(trie.longest + 2, np.int64)
        self._stops = np.zeros(trie.words, np.uint32)
        for token in stop_ids:
            self._stops[token >> 5] |= np.uint32(1 << (token & 31))

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        return self._walk(state) if row is None else row

    def _walk(self, state: int) -> Row:
        row = np.zeros(self._trie.words, np.uint32)
        with self._configurations.lock:
            if state in self._rows:
                return self._rows[state]
            self._configurations.call(masks.fill_row, self._trie.arrays, state, row, self._path)
            if self._configurations.is_accepting(state):
                row |= self._stops
            row.flags.writeable = False
            if len(self._rows) >= self._most:
                for old in list(islice(self._rows, self._most // 2)):
                    del self._rows[old]
            self._rows[state] = row
        return row
