"""Sets of token ids packed as mask rows: u32 (ceil(V / 32),), bit t % 32 of word t // 32 set = token t is in it.

The layout is that of docs/adr/0003. Cost: `row_of` a pass over the vocabulary, `ids_of` and `with_bits` one over the
words, and the ids; nothing here is for a kernel's inner loop.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["has_bit", "ids_of", "row_of", "with_bits", "words_for"]


def words_for(size: int) -> int:
    """Words of a row over `size` tokens."""
    return (size + 31) // 32


def row_of(ids: Iterable[int] | NDArray[np.integer] | NDArray[np.bool_], size: int) -> NDArray[np.uint32]:
    """The row of these ids in [0, size), or of the true places of a (size,) array of booleans. IndexError beyond."""
    chosen = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
    bits = np.zeros(32 * words_for(size), np.bool_)
    if chosen.size:
        if chosen.min() < 0:
            raise IndexError(f"token {chosen.min()} in a row of {size}")
        bits[:size][chosen] = True
    return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32, copy=False)


def ids_of(row: NDArray[np.uint32]) -> NDArray[np.int64]:
    """(n,) the ids in a row, ascending."""
    words = np.flatnonzero(row)
    bits = np.flatnonzero(np.unpackbits(row[words].astype("<u4").view(np.uint8), bitorder="little"))
    ids: NDArray[np.int64] = 32 * words[bits >> 5] + (bits & 31)
    return ids


def has_bit(row: NDArray[np.uint32], token: int) -> bool:
    """Whether an id is in a row."""
    return bool(int(row[token >> 5]) >> (token & 31) & 1)


def with_bits(row: NDArray[np.uint32], ids: Iterable[int], on: bool) -> NDArray[np.uint32]:
    """A copy of the row with these ids in it, or out of it."""
    out = row.copy()
    for token in ids:
        bit = np.uint32(1 << (token & 31))
        out[token >> 5] = out[token >> 5] | bit if on else out[token >> 5] & ~bit
    return out
