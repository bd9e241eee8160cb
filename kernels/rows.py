"""Packed mask rows applied to logits.   n rows of W words, B sequences of L logits

The layout is docs/adr/0003: bit t % 32 of word t // 32 is token t; logits beyond the last word are never allowed.
A logit is only ever overwritten, so logits arrive as their bits, as integers of their width, and `blocked` is minus
infinity in those bits: one kernel serves every float type. Twin on the device: kernels/cuda/rows.py.
Cost: one pass over the words, 5 us for 128k tokens; words that allow everything are skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import TOKENS
from structgen.kernels.layout import I16_2D, I32_1D, I32_2D, I64_2D

WIDTHS = ((I16_2D, np.int16), (I32_2D, np.int32), (I64_2D, np.int64))  # of logits as integers


@TOKENS.entry(variants=tuple({"logits": logits, "blocked": width} for logits, width in WIDTHS))
def apply_rows(logits: I32_2D, rows: I32_2D, index: I32_1D, blocked: Any) -> Any:
    """Overwrite with `blocked` every logit that its sequence's row does not allow.

    logits i16, i32 or i64 (B, L), blocked the same; rows i32 (n, W); index i32 (B,): the row of each sequence,
    negative = leave it alone.
    """
    words, width = rows.shape[1], logits.shape[1]
    whole = min(words, width // 32)
    for b in range(logits.shape[0]):
        if index[b] < 0:
            continue
        row, line = rows[index[b]], logits[b]
        for w in range(whole):
            word = row[w]
            if word == -1:
                continue
            # 32 slots exactly: the compiler turns the loop into vector stores under a mask. With a bound that it does
            # not know, half-full rows of 128k tokens take 450 us instead of 5.
            slots = line[32 * w : 32 * w + 32]
            for k in range(32):
                if not (word >> np.int32(k)) & np.int32(1):
                    slots[k] = blocked
        for t in range(32 * whole, width):
            if t >= 32 * words or not (row[t >> 5] >> (t & 31)) & 1:
                line[t] = blocked
