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
from structgen.kernels.layout import ACCEPTING


@jit
def fill_row(net, memo, work, trie, config, row, exits, path):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t allowed in `config`; bits that are set stay set.

    Returns how many trie nodes were visited, or GROW / CROWDED (call again: what was found stays found).
    exits i32, if not empty, receives the inner trie nodes after which the text may end: exits[0] of them, then each.
    path is i64 scratch of at least the trie's depth + 1: path[d] is the configuration after d bytes, so leaving a
    subtree needs no pop.
    """
    path[0] = config
    record = exits.shape[0] > 0
    if record:
        exits[0] = 0
    i, n, visited = 1, trie.byte.shape[0], np.int64(0)
    while i < n:
        visited += 1
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
            if record and memo.configs[after, ACCEPTING]:
                exits[0] += 1
                exits[exits[0]] = i
        i += 1
    return visited


@jit
def find_loop(net, memo, work, config, probes, targets):  # type: ignore[no-untyped-def]
    """The loop that half of the bytes `probes` u8 (k,) lead to from `config`: nearly all of them lead back to it.

    0 when there is none or it is `config`; GROW or CROWDED (call again). targets i64 (k,) is scratch.
    """
    k = probes.shape[0]
    for p in range(k):
        targets[p] = step(net, memo, work, config, np.int64(probes[p]))
        if targets[p] < 0:
            return targets[p]
        if p == 1 and targets[0] == 0 and targets[1] == 0:
            return np.int64(0)
    best, most = np.int64(0), np.int64(0)
    for p in range(k):
        count = np.int64(0)
        for q in range(k):
            count += targets[q] == targets[p]
        if count > most and targets[p] != 0:
            best, most = targets[p], count
    if 2 * most < k or best == config:
        return np.int64(0)
    stay = np.int64(0)
    for p in range(k):
        after = step(net, memo, work, best, np.int64(probes[p]))
        if after < 0:
            return np.int64(after)
        stay += after == best
    return best if stay >= k - 1 and 2 * stay > k else np.int64(0)


@jit
def change_row(net, memo, work, trie, config, other, row, paths):  # type: ignore[no-untyped-def]
    """Turn u32 array `row`, the mask of configuration `other`, into that of `config`; nodes visited, GROW or CROWDED.

    Both are walked as a pair: where they reach the same configuration the whole subtree is right already and skipped.
    May be called again after GROW, since it only ever sets and clears. paths i64 (2, at least the trie's depth + 1).
    """
    paths[0, 0], paths[1, 0] = config, other
    i, n, visited = np.int64(1), trie.byte.shape[0], np.int64(0)
    while i < n:
        visited += 1
        depth = np.int64(trie.depth[i])
        byte = np.int64(trie.byte[i])
        mine, theirs = paths[0, depth - 1], paths[1, depth - 1]
        after, reference = np.int64(memo.trans[mine, byte]), np.int64(memo.trans[theirs, byte])
        end = np.int64(trie.skip[i])
        if after == 0:
            if reference != 0:
                for k in range(trie.token_start[i], trie.token_start[end]):
                    row[trie.token[k] >> 5] &= ~(np.uint32(1) << np.uint32(trie.token[k] & 31))
            i = end
            continue
        if reference == 0:
            for k in range(trie.token_start[i], trie.token_start[i + 1]):
                row[trie.token[k] >> 5] |= np.uint32(1) << np.uint32(trie.token[k] & 31)
        if end > i + 1:
            if after < 0:
                after = np.int64(step(net, memo, work, mine, byte))
                if after <= 0:
                    return after - (after == 0)
            if reference < 0:
                reference = np.int64(step(net, memo, work, theirs, byte))
                if reference <= 0:
                    return reference - (reference == 0)
            if after == reference:
                i = end
                continue
            paths[0, depth], paths[1, depth] = after, reference
        i += 1
    return visited


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
