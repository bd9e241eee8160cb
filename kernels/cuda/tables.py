"""Every token from every state on the device: the twins of kernels/tables.py.

Neighbouring threads take neighbouring tokens of one state, so they share its transition rows and write contiguously.
"""

from __future__ import annotations

from numba import cuda


@cuda.jit
def walk_tokens(trans, data, offsets, after):  # type: ignore[no-untyped-def]
    """One thread per token and state, grid (V, S): see kernels/tables.py for the arrays."""
    t, s = cuda.grid(2)  # type: ignore[attr-defined]
    if s >= after.shape[0] or t >= after.shape[1]:
        return
    state = s if offsets[t] < offsets[t + 1] else 0
    for i in range(offsets[t], offsets[t + 1]):
        state = trans[state, data[i]]
        if state == 0:
            break
    after[s, t] = state


@cuda.jit
def pack_rows(after, rows):  # type: ignore[no-untyped-def]
    """One thread per word and state, grid (W, S)."""
    w, s = cuda.grid(2)  # type: ignore[attr-defined]
    if s >= rows.shape[0] or w >= rows.shape[1]:
        return
    word = 0
    for t in range(32 * w, min(32 * w + 32, after.shape[1])):
        if after[s, t] != 0:
            word |= 1 << (t & 31)
    rows[s, w] = word - ((word >> 31) << 32)  # as a signed word: what is stored must fit i32
