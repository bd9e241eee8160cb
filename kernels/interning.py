"""Interning: one id per set of items, with everything a step will need derived once, when the id is made.

Prediction follows Earley 1970; rules that may be empty are skipped where they are predicted (Aycock and Horspool 2002).
Cost of a new id: linear in its items and predictions; of a known one: its hash. Reference: automata/reference.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import NETWORKS, inlined, inner, lowest
from structgen.kernels.agenda import push, sort_items
from structgen.kernels.arrays import bit_rows, filled_ints, filled_longs, long_rows, zero_bit_rows
from structgen.kernels.callers import record_call
from structgen.kernels.codes import GROW
from structgen.kernels.hashing import free_slot, joined, next_slot, slot, spread
from structgen.kernels.layout import (
    ACCEPTING,
    ARCS,
    ARG,
    ATTR,
    CALL_TO,
    CALLED,
    CALLERS,
    CALLS,
    CHAIN,
    DEAD,
    FINAL,
    FIRST,
    I32_2D,
    ITEMS,
    KIND,
    LOOPS,
    N_CALLERS,
    N_CONFIGS,
    N_ITEMS,
    N_MEASURED,
    N_SCANS,
    N_SETS,
    N_WRITTEN,
    NODE,
    OP,
    ORIGIN,
    RULE_LEAST,
    SCANS,
    SET,
    SILENT,
    SILENT_TO,
    SOLID,
    START,
    UNSET,
    Memo,
)
from structgen.kernels.registers import apply


@inlined
def silent(net, memo, work, n, node, origin, attr):  # type: ignore[no-untyped-def]
    """Push what an item reaches without a byte: epsilon edges and calls of rules that may be empty."""
    for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
        after = apply(net, memo, net.silent[e, OP], net.silent[e, ARG], attr)
        if after == GROW:
            return after
        if after >= 0:
            n = push(work, n, net.silent[e, SILENT_TO], origin, after)
            if n < 0:
                return n
    for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
        if net.rules[net.calls[e, CALLED], RULE_LEAST] == 0 and net.calls[e, SOLID] == 0:
            n = push(work, n, net.calls[e, CALL_TO], origin, attr)
            if n < 0:
                return n
    return n


@NETWORKS.entry(allocates=True)
def empty_memo(trans: I32_2D, rows: int, words: int) -> Any:
    """A Memo of DEAD and FINISHED, which have no items and no way on: `trans` i32 (., 256) is its slab of transitions,
    the others have room for `rows`; sets take `words` words. Receipt: 10 arrays made by NumPy took 6 µs more.
    """
    memo = Memo(
        filled_longs(7, 0),
        trans,
        bit_rows(rows, 5),
        long_rows(rows, 5),
        long_rows(rows, 3),
        long_rows(rows, 3),
        long_rows(rows, 5),
        filled_ints(256, 0),
        zero_bit_rows(16, words),
        filled_ints(32, 0),
    )
    memo.trans[:START] = DEAD
    memo.live[:START] = 0
    memo.configs[: START + 1] = 0
    memo.counts[N_CONFIGS] = memo.counts[N_MEASURED] = START
    memo.counts[N_SETS] = 1  # number 0 is the empty set
    return memo


@inlined
def lookup(memo, work, n):  # type: ignore[no-untyped-def]
    """(configuration or 0, table place) of the kernel in the first n agenda slots."""
    h = np.uint64(n)
    for i in range(n):
        h = joined(h, work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR])
    place = slot(memo.table, spread(h))
    while memo.table[place] != 0:
        c = memo.table[place]
        start = memo.configs[c, ITEMS]
        if memo.configs[c + 1, ITEMS] - start == n:
            same = True
            for i in range(n):
                if (
                    memo.items[start + i, NODE] != work.agenda[i, NODE]
                    or memo.items[start + i, ORIGIN] != work.agenda[i, ORIGIN]
                    or memo.items[start + i, ATTR] != work.agenda[i, ATTR]
                ):
                    same = False
                    break
            if same:
                return c, place
        place = next_slot(memo.table, place)
    return np.int32(0), place


@inlined
def predict(net, memo, work, n, config):  # type: ignore[no-untyped-def]
    """Fill scans and callers of a new configuration from its n kernel items; the ends of both, or an error."""
    work.clock[0] += 1
    clock = work.clock[0]
    scans, base = memo.counts[N_SCANS], memo.counts[N_CALLERS]
    callers = base
    kernel = n
    i = 0
    while i < n:
        node, origin, attr = work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR]
        if i >= kernel:
            n = silent(net, memo, work, n, node, origin, attr)
            if n < 0:
                return n, callers
        if net.nodes[node, CHAIN] >= 0 or net.nodes[node, ARCS] < net.nodes[node + 1, ARCS]:
            if scans >= memo.scans.shape[0]:
                return GROW, callers
            memo.scans[scans, NODE], memo.scans[scans, ORIGIN], memo.scans[scans, ATTR] = node, origin, attr
            scans += 1
        for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
            rule = net.calls[e, CALLED]
            callers = record_call(net, memo, config, callers, base, rule, net.calls[e, CALL_TO], origin, attr)
            if callers < 0:
                return callers, callers
            if work.predicted[rule] != clock:
                work.predicted[rule] = clock
                n = push(work, n, net.rules[rule, FIRST], config, 0)
                if n < 0:
                    return n, callers
        i += 1
    return scans, callers


@inlined
def set_bytes(row, s0, s1, s2, s3, value):  # type: ignore[no-untyped-def]
    """row[b] = value for every byte b in the set of four words: a turn per byte, since most sets hold a few."""
    one = np.uint64(1)
    while s0 != 0:
        row[lowest(s0)] = value
        s0 &= s0 - one
    while s1 != 0:
        row[np.uint64(64) + lowest(s1)] = value
        s1 &= s1 - one
    while s2 != 0:
        row[np.uint64(128) + lowest(s2)] = value
        s2 &= s2 - one
    while s3 != 0:
        row[np.uint64(192) + lowest(s3)] = value
        s3 &= s3 - one


@inlined
def live_bytes(net, node, s0, s1, s2, s3):  # type: ignore[no-untyped-def]
    """Add the bytes of one node to a set of four words."""
    chain = net.nodes[node, CHAIN]
    if chain >= 0:
        bit = np.uint64(1) << np.uint64(chain & 63)
        if chain < 64:
            s0 |= bit
        elif chain < 128:
            s1 |= bit
        elif chain < 192:
            s2 |= bit
        else:
            s3 |= bit
    for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        s = net.sets[net.arcs[a, SET]]
        s0, s1, s2, s3 = s0 | s[0], s1 | s[1], s2 | s[2], s3 | s[3]
    return s0, s1, s2, s3


@inlined
def open_row(net, memo, config):  # type: ignore[no-untyped-def]
    """Write the live set, the bytes that some scan item has, and a transition row in which nothing is noted."""
    s0, s1, s2, s3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        s0, s1, s2, s3 = live_bytes(net, memo.scans[i, NODE], s0, s1, s2, s3)
    live = memo.live[config]
    live[0], live[1], live[2], live[3], live[LOOPS] = s0, s1, s2, s3, UNSET
    memo.trans[config, :] = 0
    memo.counts[N_WRITTEN] += 1


@inlined
def intern(net, memo, work, n):  # type: ignore[no-untyped-def]
    """Id of the configuration whose kernel is the first n agenda items, made if new.  Negative: GROW or CROWDED."""
    sort_items(work, n)
    known, place = lookup(memo, work, n)
    if known:
        return known
    config, items = memo.counts[N_CONFIGS], memo.counts[N_ITEMS]
    if (
        config + 2 >= memo.trans.shape[0]
        or config + 2 >= memo.live.shape[0]
        or config + 2 >= memo.configs.shape[0]
        or items + n > memo.items.shape[0]
        or 2 * config + 4 >= memo.table.shape[0]
    ):
        return GROW
    base = memo.counts[N_CALLERS]
    memo.configs[config, ITEMS], memo.configs[config + 1, ITEMS] = items, items + n
    memo.configs[config, SCANS], memo.configs[config, CALLERS] = memo.counts[N_SCANS], base
    accepting = 0
    for i in range(n):
        memo.items[items + i, NODE] = work.agenda[i, NODE]
        memo.items[items + i, ORIGIN] = work.agenda[i, ORIGIN]
        memo.items[items + i, ATTR] = work.agenda[i, ATTR]
        if net.nodes[work.agenda[i, NODE], KIND] & FINAL:
            accepting = 1
    scans, callers = predict(net, memo, work, n, config)
    if scans < 0:
        return scans
    memo.configs[config + 1, SCANS], memo.configs[config + 1, CALLERS] = scans, callers
    memo.configs[config, ACCEPTING] = accepting
    open_row(net, memo, config)
    memo.counts[N_CONFIGS], memo.counts[N_ITEMS] = config + 1, items + n
    memo.counts[N_SCANS], memo.counts[N_CALLERS] = scans, callers
    memo.table[place] = config
    return config


@inner
def rehash(memo):  # type: ignore[no-untyped-def]
    """Rebuild the hash table from the items (after it was replaced by a larger, zeroed one)."""
    for c in range(2, memo.counts[N_CONFIGS]):
        start, n = memo.configs[c, ITEMS], memo.configs[c + 1, ITEMS] - memo.configs[c, ITEMS]
        h = np.uint64(n)
        for i in range(start, start + n):
            h = joined(h, memo.items[i, NODE], memo.items[i, ORIGIN], memo.items[i, ATTR])
        memo.table[free_slot(memo.table, spread(h))] = c
