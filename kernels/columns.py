"""From a byte automaton with few states and the trie of a vocabulary to classes of tokens.

The *column* of a text says where it leads from every state: pairs (state, next state), those that die left out. Tokens
with one column are one class. All states walk down the trie together; equal columns are one number, and what a byte
makes of a column is computed once. So the cost is that of the different columns (hundreds), not of the tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import CANVAS, inner
from structgen.kernels.codes import GROW, UNKNOWN
from structgen.kernels.hashing import free_slot, joined, next_slot, slot, spread
from structgen.kernels.layout import I32_1D, I32_2D, I64_1D, Trie

NO_COLUMN, OF_NOTHING = 0, 1  # the column without pairs, that of the empty text
USED_COLUMNS, AT_NODE = range(2)  # where a walk stands


@inner
def _hash(first, pairs, column):  # type: ignore[no-untyped-def]
    h = np.uint64(0)
    for k in range(first[column], first[column + 1]):
        h = joined(h, pairs[k, 0], pairs[k, 1], 0)
    return spread(h)


@inner
def _following(trans, label, column, first, pairs, table, used):  # type: ignore[no-untyped-def]
    """The column after one more byte, interned behind the `used` others; GROW if there is no room."""
    start = first[used]
    if start + first[column + 1] - first[column] > pairs.shape[0] or used + 1 >= first.shape[0]:
        return np.int64(GROW)
    end = start
    for k in range(first[column], first[column + 1]):
        after = trans[pairs[k, 1], label]
        if after != 0:
            pairs[end, 0], pairs[end, 1] = pairs[k, 0], after
            end += 1
    if end == start:
        return np.int64(NO_COLUMN)
    first[used + 1] = end
    place = slot(table, _hash(first, pairs, used))
    while table[place] != 0:
        other = np.int64(table[place])
        if first[other + 1] - first[other] == end - start:
            k = 0
            while (
                k < end - start
                and pairs[first[other] + k, 0] == pairs[start + k, 0]
                and pairs[first[other] + k, 1] == pairs[start + k, 1]
            ):
                k += 1
            if k == end - start:
                return other
        place = next_slot(table, place)
    table[place] = np.int32(used)
    return np.int64(used)


@CANVAS.entry
def index_columns(first: I64_1D, pairs: I32_2D, used: int, table: I32_1D) -> Any:
    """Enter columns 1 to `used` - 1 in an empty `table`, as `token_columns` does."""
    for column in range(1, used):
        table[free_slot(table, _hash(first, pairs, column))] = np.int32(column)


@CANVAS.entry
def token_columns(
    trie: Trie,
    trans: I32_2D,
    labels: I32_1D,
    first: I64_1D,
    pairs: I32_2D,
    table: I32_1D,
    memo: I32_2D,
    path: I32_1D,
    column: I32_1D,
    at: I64_1D,
) -> Any:
    """Write the column of every token of a trie to `column` i32 (V,), 0 for those that are never allowed; 0, or GROW:
    then nothing is lost, call again with what is full enlarged.

    trans i32 (S, L) next state by label, 0 = dead; labels i32 (256,) the label of each byte or -1. Column c has the
    rows first[c] to first[c + 1] of `pairs` i32 (., 2), ascending; `first` i64 (C+1,), `memo` i32 (C, L) UNKNOWN or the
    column after a label, `table` i32 a power of two >= 2 C, zeros. At first column 1 is there, (s, s) for every s.
    path i32 (longest token + 1,) with path[0] = 1; at i64 (2,) = (2, 1): columns in use, the next node.
    """
    used, node, nodes = at[USED_COLUMNS], at[AT_NODE], trie.byte.shape[0]
    while node < nodes:
        above, label = np.int64(path[trie.depth[node] - 1]), labels[trie.byte[node]]
        after = np.int64(NO_COLUMN)
        if label >= 0:
            after = np.int64(memo[above, label])
            if after == UNKNOWN:
                after = _following(trans, label, above, first, pairs, table, used)
                if after == GROW:
                    at[USED_COLUMNS], at[AT_NODE] = used, node
                    return GROW
                memo[above, label] = np.int32(after)
                used += after == used
        path[trie.depth[node]] = np.int32(after)
        for k in range(trie.token_start[node], trie.token_start[node + 1]):
            column[trie.token[k]] = np.int32(after)
        node = node + 1 if after else np.int64(trie.skip[node])
    at[USED_COLUMNS], at[AT_NODE] = used, node
    return 0
