"""From tokens sorted by their bytes to the arrays of a byte trie in depth-first order.

Cost: linear in the bytes of all tokens. Reference: a dictionary of prefixes, tests/kernels/test_trie.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import TOKENS
from structgen.kernels.layout import (
    BRANCH,
    BYTE,
    CHAINED,
    CLASSES_BELOW,
    END,
    I32_1D,
    I32_2D,
    I64_1D,
    KIDS,
    LEAF,
    NO_TOKEN,
    SEVERAL,
    TOKEN,
    U8_1D,
    U16_1D,
    U64_1D,
    U64_2D,
    In,
    Trie,
)


@TOKENS.entry
def build_trie(
    data: In[U8_1D],
    offsets: I64_1D,
    order: I32_1D,
    byte: U8_1D,
    depth: U16_1D,
    skip: I32_1D,
    token_start: I32_1D,
    path: I64_1D,
) -> Any:
    """Fill the node arrays (see layout.Trie); returns the number of nodes.

    data u8, offsets i64 (t+1,): bytes of all tokens; order i32: ids of the tokens with a text, sorted by bytes.
    The token list of the trie is `order` itself, since both are in depth-first order.
    """
    nodes, open_depth = 1, 0
    path[0], byte[0], depth[0], token_start[0] = 0, 0, 0, 0
    for rank in range(order.shape[0]):
        token = order[rank]
        start, length = offsets[token], offsets[token + 1] - offsets[token]
        shared = 0
        while shared < open_depth and shared < length and byte[path[shared + 1]] == data[start + shared]:
            shared += 1
        for d in range(open_depth, shared, -1):
            skip[path[d]] = nodes
        for d in range(shared, length):
            byte[nodes], depth[nodes], token_start[nodes] = data[start + d], d + 1, rank
            path[d + 1] = nodes
            nodes += 1
        open_depth = length
    for d in range(open_depth, -1, -1):
        skip[path[d]] = nodes
    token_start[nodes] = order.shape[0]
    return nodes


@TOKENS.entry
def build_radix(trie: Trie, below: U64_1D, nodes: I32_2D, branches: U64_2D, kids: I32_1D) -> Any:
    """Fill the arrays of layout.Radix for a trie and its `loops.classes_below`; returns (branches, kids) in use.

    There is room for as many branches as nodes with several children and those at depth 0 and 1, and a kid per node.
    """
    b, k = 0, 0
    for i in range(trie.byte.shape[0]):
        start, end = trie.token_start[i], trie.token_start[i + 1]
        nodes[i, BYTE], nodes[i, END] = np.int64(trie.byte[i]) | np.int64(trie.depth[i]) << 8, trie.skip[i]
        nodes[i, TOKEN] = NO_TOKEN if start == end else trie.token[start] if end == start + 1 else SEVERAL
        child, after = np.int64(i + 1), np.int64(trie.skip[i])
        if i > 0 and child == after:
            nodes[i, BRANCH] = LEAF
            continue
        if trie.depth[i] > 1 and trie.skip[child] == after:
            nodes[i, BRANCH] = CHAINED
            continue
        nodes[i, BRANCH] = b
        branches[b] = 0
        branches[b, KIDS], branches[b, CLASSES_BELOW] = np.uint64(k), below[i]
        while child < after:
            byte = np.int64(trie.byte[child])
            branches[b, byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
            kids[k] = child
            k += 1
            child = np.int64(trie.skip[child])
        b += 1
    return b, k


@TOKENS.entry
def mark_leaving(depth: U16_1D, skip: I32_1D, exits: U8_1D, on_path: U8_1D, beyond: U8_1D, path: I64_1D) -> Any:
    """Set u8 on_path[i] for the nodes above exits, and beyond[i] for exits and what is below them.

    exits u8 (n,) truth values; path i64 of at least the trie's depth + 1.
    """
    last = np.int64(0)  # end of the subtree of the last exit
    for i in range(depth.shape[0]):
        path[depth[i]] = i
        if exits[i]:
            for d in range(depth[i]):
                on_path[path[d]] = 1
            last = max(last, np.int64(skip[i]))
        beyond[i] = i < last
