"""From a byte-level transition table to a complete token-level one: every token from every state.

S states, V tokens. For constraints with few states it takes the place of the lazy automaton: a step is one look-up,
which a device can do without asking the host. Twin on the device: kernels/cuda/tables.py.
Cost: S times the bytes of all tokens at most; a dead byte ends a token.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import TOKENS
from structgen.kernels.layout import I32_2D, I64_1D, U8_1D, In


@TOKENS.entry
def walk_tokens(trans: I32_2D, data: In[U8_1D], offsets: I64_1D, after: I32_2D) -> Any:
    """after[s, t] = the state that token t leads to from state s, DEAD (0) where it is not allowed.

    trans i32 (S, 256); token t is data u8 [offsets[t] : offsets[t + 1]], offsets i64 (V+1,); a token without a text
    leads nowhere. after i32 (S, V) is the output.
    """
    for s in range(trans.shape[0]):
        for t in range(after.shape[1]):
            state = np.int32(s if offsets[t] < offsets[t + 1] else 0)
            for i in range(offsets[t], offsets[t + 1]):
                state = trans[state, data[i]]
                if state == 0:
                    break
            after[s, t] = state


@TOKENS.entry
def pack_rows(after: I32_2D, rows: I32_2D) -> Any:
    """Set bit t of row s of `rows` i32 (S, ceil(V / 32)) where after[s, t] is not DEAD, clear it elsewhere."""
    for s in range(rows.shape[0]):
        for w in range(rows.shape[1]):
            word = np.uint32(0)
            for t in range(32 * w, min(32 * w + 32, after.shape[1])):
                word |= np.uint32(after[s, t] != 0) << np.uint32(t & 31)
            rows[s, w] = np.int32(word)
