"""Rows of one terminal as arrays that kernels search: by node of the expression, or by prefix (terminals/body.py).

Grammars on other threads read the arrays while rows are added. So a record is written whole before a head leads to it,
and arrays that became too small are replaced and kept: who still has their addresses finds what was there before.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structgen.kernels.handles import addresses
from structgen.kernels.layout import RECORD

if TYPE_CHECKING:
    from structgen.automata.terminals.rows import TerminalRow

_lock = threading.Lock()


class TerminalIndex:
    """`heads` i32 (n,): first record of each number or -1; `records`: see layout.TerminalTables; `table`: where
    they are."""

    def __init__(self) -> None:
        self.heads = np.full(16, -1, np.int32)
        self.records = np.zeros((4, RECORD), np.int64)
        self._count = 0
        self._kept: list[Any] = []  # whose addresses are in use
        self.table = self._where()

    def add(self, number: int, local: TerminalRow, items: tuple[tuple[int, int], ...] = ()) -> None:
        """Note a row: that of these items (node, register) if there are any, of which the first has this number.

        An empty row says that the items are to be walked.
        """
        with _lock:
            if number >= len(self.heads):
                more = np.full(max(number + 1, 2 * len(self.heads)) - len(self.heads), -1, np.int32)
                self._kept.append(self.heads)
                self.heads = np.concatenate([self.heads, more])
            if self._count == len(self.records):
                self._kept.append(self.records)
                self.records = np.concatenate([self.records, np.zeros_like(self.records)])
            leaving = None if local.trie is None else addresses(local.trie.radix)
            pairs = np.array(items, np.int64)
            self._kept += [local, leaving, pairs]
            self.records[self._count] = (
                self.heads[number],
                local.most,
                local.least,
                local.told,
                _address(pairs),
                len(items),
                _address(local.row) if len(local.row) else 0,
                0 if local.exits is None else _address(local.exits.first),
                0 if local.exits is None else _address(local.exits.nodes),
                0 if local.exits is None else len(local.exits.nodes),
                _address(leaving),
            )
            self.heads[number] = self._count
            self._count += 1
            self.table = self._where()

    def _where(self) -> tuple[int, int, int, int]:
        return _address(self.heads), len(self.heads), _address(self.records), len(self.records)


def _address(array: NDArray[Any] | None) -> int:
    return 0 if array is None else array.ctypes.data
