"""From a configuration to the row of tokens it allows, by one walk over the vocabulary's trie.

A token's bit is set if and only if its bytes keep the text a prefix of the language. A dead byte cuts off its whole
subtree; the last byte of a leaf needs no new configuration, since a transition that is not DEAD is enough.

Cost: one transition look-up per visited trie node, plus a new configuration per unknown transition at inner nodes.
Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import jit
from structgen.kernels.earley import step


@jit
def fill_row(net, memo, work, trie, config, row, path):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t allowed in `config`; 0, or GROW / CROWDED (call again).

    path is i64 scratch of at least the trie's depth + 1: path[d] is the configuration after d bytes, so leaving a
    subtree needs no pop.
    """
    row[:] = 0
    path[0] = config
    i, n = 1, trie.byte.shape[0]
    while i < n:
        depth = np.int64(trie.depth[i])
        byte = np.int64(trie.byte[i])
        after = np.int64(memo.trans[path[depth - 1], byte])
        if after == 0:
            i = trie.skip[i]
            continue
        for k in range(trie.token_start[i], trie.token_start[i + 1]):
            t = trie.token[k]
            row[t >> 5] |= np.uint32(1) << np.uint32(t & 31)
        if trie.skip[i] > i + 1:
            if after < 0:
                after = step(net, memo, work, path[depth - 1], byte)
                if after <= 0:
                    return after - (after == 0)  # 0 here breaks the contract of rows: reported as UNKNOWN
            path[depth] = after
        i += 1
    return np.int64(0)


@jit
def fewest_tokens(trie, data, best, choice):  # type: ignore[no-untyped-def]
    """Split u8 array `data` into the fewest tokens: choice[i] = the token that starts at byte i; False if impossible.

    best i64 (n+1,), choice i32 (n,) are outputs. Dynamic programming from the right, one trie descent per position.
    """
    n, far = data.shape[0], np.int64(1) << 40
    best[n] = 0
    for i in range(n - 1, -1, -1):
        best[i], choice[i] = far, -1
        node, j = np.int64(0), i
        while j < n:
            child, end = node + 1, np.int64(trie.skip[node])
            while child < end and trie.byte[child] != data[j]:
                child = np.int64(trie.skip[child])
            if child >= end:
                break
            node = child
            j += 1
            if trie.token_start[node] < trie.token_start[node + 1] and best[j] + 1 < best[i]:
                best[i], choice[i] = best[j] + 1, trie.token[trie.token_start[node]]
    return best[0] < far
