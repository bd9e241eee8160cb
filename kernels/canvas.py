"""Which tokens each slot of a canvas may hold: reachable states forwards and backwards, then classes between them.

n slots, S states, G classes of tokens (kernels/columns.py), class 0 never. A valid fill is a path through n + 1 layers
of states; a class is useful in a slot if one of its pairs joins a state that the slots before it reach to one from
which the slots behind it reach an end. Cost of a layer: the pairs of its classes, and where the layer before it was the
same and its slot as open, nothing: all-open canvases settle after some steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import CANVAS, inlined, inner
from structgen.kernels.layout import I32_1D, I32_2D, I64_1D, U8_1D, U8_2D, U32_2D


@inlined
def _same(rows, i, j):  # type: ignore[no-untyped-def]
    k = 0
    while k < rows.shape[1] and rows[i, k] == rows[j, k]:
        k += 1
    return k == rows.shape[1]


@inner
def _replace(rows, i, row):  # type: ignore[no-untyped-def]
    """Write `row` to rows[i]; whether that changes it."""
    changed = False
    for k in range(row.shape[0]):
        changed = changed or rows[i, k] != row[k]
        rows[i, k] = row[k]
    return changed


@CANVAS.entry
def reach_forward(
    first: I64_1D,
    pairs: I32_2D,
    next_first: I64_1D,
    following: I32_1D,
    allowed: U8_2D,
    is_open: U8_1D,
    forward: U8_2D,
    row: U8_1D,
    low: int,
    high: int,
) -> Any:
    """Compute rows low + 1 and following of `forward` u8 (n+1, S), whether the slots before a layer reach a state; the
    last row that changed. Behind slot `high` it stops at the first row that does not change.

    Class g has rows first[g] to first[g + 1] of `pairs` i32 (., 2), (state, next state). The different next states of s
    by any class are following[next_first[s]: next_first[s + 1]]. allowed u8 (n, G) classes a slot may hold, is_open u8
    (n,) it may hold all. row u8 (S,) is scratch.
    """
    last, states = low, forward.shape[1]
    for i in range(low, allowed.shape[0]):
        for s in range(states):
            row[s] = 0
        if not is_open[i]:
            for g in range(1, allowed.shape[1]):
                if allowed[i, g]:
                    for k in range(first[g], first[g + 1]):
                        row[pairs[k, 1]] |= forward[i, pairs[k, 0]]
        elif i > 0 and is_open[i - 1] and _same(forward, i - 1, i):
            for s in range(states):
                row[s] = forward[i, s]
        else:
            for s in range(states):
                if forward[i, s]:
                    for k in range(next_first[s], next_first[s + 1]):
                        row[following[k]] = 1
        if _replace(forward, i + 1, row):
            last = i + 1
        elif i >= high:
            break
    return last


@CANVAS.entry
def reach_backward(
    first: I64_1D,
    pairs: I32_2D,
    next_first: I64_1D,
    following: I32_1D,
    allowed: U8_2D,
    is_open: U8_1D,
    backward: U8_2D,
    row: U8_1D,
    low: int,
    high: int,
) -> Any:
    """Compute rows high and before it of `backward` u8 (n+1, S), whether the slots behind a layer lead from a state to
    an end; the first row that changed. Before slot `low` it stops at the first row that does not change. The rest as in
    `reach_forward`."""
    last, states, n = high + 1, backward.shape[1], allowed.shape[0]
    for i in range(high, -1, -1):
        for s in range(states):
            row[s] = 0
        if not is_open[i]:
            for g in range(1, allowed.shape[1]):
                if allowed[i, g]:
                    for k in range(first[g], first[g + 1]):
                        row[pairs[k, 0]] |= backward[i + 1, pairs[k, 1]]
        elif i + 1 < n and is_open[i + 1] and _same(backward, i + 1, i + 2):
            for s in range(states):
                row[s] = backward[i + 1, s]
        else:
            for s in range(states):
                for k in range(next_first[s], next_first[s + 1]):
                    if backward[i + 1, following[k]]:
                        row[s] = 1
                        break
        if _replace(backward, i, row):
            last = i
        elif i <= low:
            break
    return last


@CANVAS.entry
def find_useful(
    first: I64_1D,
    pairs: I32_2D,
    allowed: U8_2D,
    is_open: U8_1D,
    forward: U8_2D,
    backward: U8_2D,
    useful: U8_2D,
    low: int,
    high: int,
) -> Any:
    """Write to `useful` u8 (n, G), for slots low to high - 1, which classes some valid fill has there."""
    for i in range(low, high):
        alike = i > low and is_open[i - 1] and is_open[i]
        if alike and _same(forward, i - 1, i) and _same(backward, i, i + 1):
            for g in range(useful.shape[1]):
                useful[i, g] = useful[i - 1, g]
            continue
        for g in range(1, useful.shape[1]):
            useful[i, g] = 0
            if is_open[i] or allowed[i, g]:
                for k in range(first[g], first[g + 1]):
                    if forward[i, pairs[k, 0]] and backward[i + 1, pairs[k, 1]]:
                        useful[i, g] = 1
                        break


@CANVAS.entry
def mask_rows(
    useful: U8_2D, slots: I32_1D, wide: I32_1D, packed: U32_2D, first: I64_1D, tokens: I32_1D, rows: U32_2D
) -> Any:
    """Write the mask rows of slots `slots` to `rows` u32 (k, W): the tokens of their useful classes.

    Class g has the tokens tokens[first[g]: first[g + 1]]; those of many are row wide[g] of `packed` u32 (., W) instead,
    wide[g] = -1 for all others.
    """
    for k in range(slots.shape[0]):
        i = slots[k]
        if k > 0 and _same(useful, i, slots[k - 1]):
            for w in range(rows.shape[1]):
                rows[k, w] = rows[k - 1, w]
            continue
        for w in range(rows.shape[1]):
            rows[k, w] = np.uint32(0)
        for g in range(1, useful.shape[1]):
            if not useful[i, g]:
                continue
            if wide[g] >= 0:
                for w in range(rows.shape[1]):
                    rows[k, w] |= packed[wide[g], w]
            else:
                for t in range(first[g], first[g + 1]):
                    rows[k, tokens[t] >> 5] |= np.uint32(1) << np.uint32(tokens[t] & 31)
