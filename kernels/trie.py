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
    U32_1D,
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
def part_longer(trie: Trie, most: int, short: U32_1D, longer: Trie, before: I32_2D) -> Any:
    """Set the bits of the tokens of up to `most` bytes in u32 `short`, and fill `longer` with a trie of all others;
    (nodes, tokens) of it. It has room for as many as `trie` has; before i32 (2, n+1) is scratch.
    """
    n, kept, tokens, inside, others = trie.byte.shape[0], 0, 0, before[0], before[1]
    inside[0] = 0
    for i in range(n):
        start, end = trie.token_start[i], trie.token_start[i + 1]
        inside[i + 1] = inside[i]
        if trie.depth[i] > most:
            inside[i + 1] += end - start
            continue
        for k in range(start, end):
            short[trie.token[k] >> 5] |= np.uint32(1) << np.uint32(trie.token[k] & 31)
    for i in range(n):
        others[i] = kept
        kept += i == 0 or inside[trie.skip[i]] > inside[i]
    others[n] = kept
    for i in range(n):
        at = others[i]
        if others[i + 1] == at:
            continue
        longer.byte[at], longer.depth[at], longer.token_start[at] = trie.byte[i], trie.depth[i], tokens
        longer.skip[at] = others[trie.skip[i]]
        if trie.depth[i] > most:
            for k in range(trie.token_start[i], trie.token_start[i + 1]):
                longer.token[tokens] = trie.token[k]
                tokens += 1
    longer.token_start[kept] = tokens
    return kept, tokens


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
