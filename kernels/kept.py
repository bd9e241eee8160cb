"""From a mask row to the place of an equal one, in a table by hash whose places remember the row that came last.

Cost: two passes over the words, of which the compiler makes vector code: 1 us for 128k tokens. Equal is compared word
by word, so the hash may be a weak one: it is multilinear (Lemire, Kaser 2014) with multipliers made from the place.
Twin: tests/automata/test_kept_rows.py, a dictionary of bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import TOKENS
from structgen.kernels.handles import words_at
from structgen.kernels.layout import I64_1D, U32_1D

__all__ = ["place_of"]


@TOKENS.entry
def place_of(row: U32_1D, addresses: I64_1D) -> Any:
    """The place in `addresses` of a row equal to `row`, or -1 - (the place where `row` itself was put).

    addresses i64 (a power of two,): of rows of as many words, 0 where none is.
    """
    total = np.uint64(0)
    for k in range(row.shape[0]):
        total += np.uint64(row[k]) * np.uint64(np.uint32(k + 1) * np.uint32(0x9E3779B1) ^ np.uint32(0x7FEB352D))
    place = np.int64((total ^ total >> np.uint64(29)) & np.uint64(addresses.shape[0] - 1))
    if addresses[place] != 0:
        other, apart = words_at(addresses[place], row.shape[0]), np.uint32(0)
        for k in range(row.shape[0]):
            apart |= row[k] ^ other[k]
        if apart == 0:
            return place
    addresses[place] = row.ctypes.data
    return -1 - place
