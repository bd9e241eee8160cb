"""Packed mask rows applied to logits on the device: the twin of kernels/rows.py.

A warp covers 32 neighbouring tokens: one word is read for all, and the writes of a row are contiguous.
"""

from __future__ import annotations

from numba import cuda


@cuda.jit
def apply_rows(logits, rows, index, blocked):  # type: ignore[no-untyped-def]
    """One thread per logit, grid (L, B): see kernels/rows.py for the arrays."""
    t, b = cuda.grid(2)  # type: ignore[attr-defined]
    if b >= logits.shape[0] or t >= logits.shape[1]:
        return
    row = index[b]
    if row < 0:
        return
    word = t >> 5
    if word >= rows.shape[1] or not (rows[row, word] >> (t & 31)) & 1:
        logits[b, t] = blocked
