"""Byte by byte: from an interned Earley configuration to the next one.

A configuration is a set of items (node, origin, attr), closed under epsilon edges, empty calls and completion, and
interned by content, so equal parser states share one id and a transition computed once is a table look-up ever after.
`origin` is the id of the configuration in which the item's rule was called; the callers of a rule are found there.

Cost of one new configuration: linear in its items plus the callers completed into; a known transition: one load.
Sources: Earley 1970; Aycock and Horspool 2002 (empty rules are skipped at prediction); Leo 1991 (a tail call hands its
caller down, so closing a right recursion of depth d costs O(1), not O(d)). Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import jit
from structgen.kernels.agenda import push
from structgen.kernels.callers import complete, first_caller
from structgen.kernels.interning import intern, silent
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ATTR,
    BACK_ATTR,
    BACK_FAR,
    BACK_ORIGIN,
    BACK_TO,
    BY_RULE,
    CALLERS,
    CHAIN,
    DISTANCE,
    ENDS,
    FINAL,
    FIRST,
    GROW,
    ITEMS,
    KIND,
    N_CALLERS,
    N_CONFIGS,
    N_ITEMS,
    N_SCANS,
    NODE,
    ORIGIN,
    SCANS,
    SET,
    STAYS,
)


@jit
def settle(net, memo, work, n):  # type: ignore[no-untyped-def]
    """Close the agenda under epsilon edges, empty calls and completion, then intern what stays."""
    i = 0
    while i < n:
        node, origin, attr = work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR]
        if net.nodes[node, KIND] & ENDS:
            n = complete(net, memo, work, n, node, origin)
            if n < 0:
                return n
        n = silent(net, memo, work, n, node, origin, attr)
        if n < 0:
            return n
        i += 1
    kept = 0
    for i in range(n):
        if net.nodes[work.agenda[i, NODE], KIND] & (STAYS | FINAL):
            work.agenda[kept, NODE], work.agenda[kept, ORIGIN], work.agenda[kept, ATTR] = (
                work.agenda[i, NODE],
                work.agenda[i, ORIGIN],
                work.agenda[i, ATTR],
            )
            kept += 1
    if kept == 0:
        return 0
    return intern(net, memo, work, kept)


@jit
def step(net, memo, work, config, byte):  # type: ignore[no-untyped-def]
    """The configuration after one byte: DEAD, an id, or GROW / CROWDED (nothing changed; grow and call again)."""
    known = memo.trans[config, byte]
    if known >= 0:
        return known
    work.clock[0] += 1
    n = 0
    word, bit = byte >> 6, np.uint64(byte & 63)
    for i in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        node, origin, attr = memo.scans[i, NODE], memo.scans[i, ORIGIN], memo.scans[i, ATTR]
        if net.nodes[node, CHAIN] == byte:
            n = push(work, n, node + 1, origin, attr)
            if n < 0:
                return n
        for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
            if (net.sets[net.arcs[a, SET], word] >> bit) & np.uint64(1):
                n = push(work, n, net.arcs[a, ARC_TO], origin, attr)
                if n < 0:
                    return n
    after = settle(net, memo, work, n)
    if after >= 0:
        memo.trans[config, byte] = after
    return after


@jit
def advance(net, memo, work, config, data):  # type: ignore[no-untyped-def]
    """The configuration after all bytes of u8 array `data`; stops at DEAD, GROW or CROWDED."""
    for i in range(data.shape[0]):
        config = step(net, memo, work, config, data[i])
        if config <= 0:
            return config
    return config


@jit
def begin(net, memo, work):  # type: ignore[no-untyped-def]
    """Intern the START configuration: the first node of rule 0, called from nowhere."""
    work.clock[0] += 1
    n = push(work, 0, net.rules[0, FIRST], np.int64(0), np.int64(0))
    return settle(net, memo, work, n)


@jit
def island(net, memo, work, rule):  # type: ignore[no-untyped-def]
    """A configuration without items in which `rule` was called by the end of everything.

    Items with this origin run their rule apart from any context; where it may be left, they are accepting.
    """
    config, row = memo.counts[N_CONFIGS], memo.counts[N_CALLERS]
    if config + 2 >= memo.trans.shape[0] or row >= memo.callers.shape[0]:
        return np.int64(GROW)
    memo.callers[row, BY_RULE], memo.callers[row, BACK_TO] = rule, 1
    memo.callers[row, BACK_ORIGIN], memo.callers[row, BACK_ATTR], memo.callers[row, BACK_FAR] = 0, 0, 0
    memo.configs[config, ITEMS], memo.configs[config + 1, ITEMS] = memo.counts[N_ITEMS], memo.counts[N_ITEMS]
    memo.configs[config, SCANS], memo.configs[config + 1, SCANS] = memo.counts[N_SCANS], memo.counts[N_SCANS]
    memo.configs[config, CALLERS], memo.configs[config + 1, CALLERS] = row, row + 1
    memo.counts[N_CONFIGS], memo.counts[N_CALLERS] = config + 1, row + 1
    return np.int64(config)


@jit
def gather(net, memo, work, items):  # type: ignore[no-untyped-def]
    """Intern the configuration of exactly these items, i64 (k, 3), closed already."""
    work.clock[0] += 1
    n = 0
    for i in range(items.shape[0]):
        n = push(work, n, items[i, NODE], items[i, ORIGIN], items[i, ATTR])
        if n < 0:
            return np.int64(n)
    return np.int64(intern(net, memo, work, n))


@jit
def resume(net, memo, work, origin, rule):  # type: ignore[no-untyped-def]
    """The configuration right after `rule`, called in `origin`, was completed there."""
    work.clock[0] += 1
    n = 0
    for e in range(first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        n = push(work, n, memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN], memo.callers[e, BACK_ATTR])
        if n < 0:
            return np.int64(n)
    return np.int64(settle(net, memo, work, n))


@jit
def shortest(net, memo, work, config, out):  # type: ignore[no-untyped-def]
    """Write a byte-shortest completion of `config` into u8 array `out`; its length, or GROW / CROWDED.

    Of equally short completions the one with the smallest bytes; `out` must hold distance[config] bytes.
    """
    n = 0
    while memo.configs[config, DISTANCE] > 0:
        left = memo.configs[config, DISTANCE]
        for byte in range(256):
            if memo.trans[config, byte] == 0:
                continue
            after = step(net, memo, work, config, byte)
            if after < 0:
                return after
            if memo.configs[after, DISTANCE] == left - 1:
                out[n] = byte
                n += 1
                config = after
                break
    return n
