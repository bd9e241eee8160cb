"""Places of a walk: an interned configuration, or a single item inside a chain of bytes, which needs no interning.

Most states between the first byte of a key and its last hold one item, at a node that calls nothing, ends nothing and
has no silent edge. Its successor is found by its edges alone, so a walk that only asks what may follow carries the item
itself, and interns what it comes to where the chain ends. Both are one integer:

    configuration   its id, below LIGHT
    item            LIGHT | row of Memo.scans << 31 | node: origin and register are those of the row it came from

Cost: a look at a node's edges, where a configuration takes about a microsecond and a kilobyte. Receipt: a third fewer
configurations under any style, first walk of 100 schemas 11 % faster.
Reference: `settled` gives the configuration that stepping would have given (tests/kernels/test_places.py).
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inlined, inner, ones
from structgen.kernels.agenda import push
from structgen.kernels.codes import NOT_TEXT, UNKNOWN
from structgen.kernels.earley import ALL, follow, look, scan, settle, step
from structgen.kernels.interning import live_bytes
from structgen.kernels.layout import ARC_TO, ARCS, ATTR, CHAIN, CONDUCTS, KIND, NODE, ORIGIN, SCANS, SET

LIGHT = 1 << 62  # from here on places are items
NODES = (1 << 31) - 1


@inlined
def edge(net, node, byte):  # type: ignore[no-untyped-def]
    """How many edges of a node take `byte`, and where the last of them leads."""
    word, bit, count, to = byte >> 6, np.uint64(byte & 63), np.int64(0), np.int64(0)
    if net.nodes[node, CHAIN] == byte:
        count, to = np.int64(1), node + 1
    for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        if (net.sets[net.arcs[a, SET], word] >> bit) & np.uint64(1):
            count, to = count + 1, np.int64(net.arcs[a, ARC_TO])
    return count, to


@inlined
def live_at(net, memo, place):  # type: ignore[no-untyped-def]
    """The bytes that may come next, four words."""
    if place < LIGHT:
        live = memo.live[place]
        return live[0], live[1], live[2], live[3]
    return live_bytes(net, place & NODES, np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))


@inlined
def takes(memo, config):  # type: ignore[no-untyped-def]
    """How many bytes may come next after a configuration."""
    live = memo.live[config]
    return ones(live[0]) + ones(live[1]) + ones(live[2]) + ones(live[3])


@inlined
def known(net, memo, place, byte):  # type: ignore[no-untyped-def]
    """The place after one byte as far as it is known: DEAD, UNKNOWN or a configuration."""
    if place < LIGHT:
        return look(memo, place, byte)
    count, _ = edge(net, place & NODES, byte)
    return np.int64(UNKNOWN if count else 0)


@inner
def reach(net, memo, work, place, byte, part, chosen):  # type: ignore[no-untyped-def]
    """The place after one byte: DEAD, a configuration, an item, or GROW / CROWDED (grow and call again).

    Of a configuration, only those scan items count whose entry in i64 `part` is `chosen`; all, if that is ALL.
    """
    if place >= LIGHT:
        return _onward(net, memo, work, place, byte)
    if chosen == ALL:
        after = look(memo, place, byte)
        if after >= 0:
            return after
    first, found, row, to = memo.configs[place, SCANS], np.int64(0), np.int64(0), np.int64(0)
    for i in range(first, memo.configs[place + 1, SCANS]):
        if chosen != ALL and part[i - first] != chosen:
            continue
        count, target = edge(net, memo.scans[i, NODE], byte)
        if count:
            found, row, to = found + count, np.int64(i), target
            if found > 1:
                break
    if found == 1 and net.nodes[to, KIND] & CONDUCTS:
        return np.int64(LIGHT) | row << 31 | to
    if chosen == ALL:
        return np.int64(step(net, memo, work, place, byte))
    return np.int64(scan(net, memo, work, place, byte, part, chosen))


@inner
def _onward(net, memo, work, place, byte):  # type: ignore[no-untyped-def]
    """As `reach` from an item."""
    node, row = place & NODES, (place - LIGHT) >> 31
    count, to = edge(net, node, byte)
    if count == 1 and net.nodes[to, KIND] & CONDUCTS:
        return np.int64(LIGHT) | row << 31 | to
    work.clock[0] += 1
    n = follow(net, work, 0, node, memo.scans[row, ORIGIN], memo.scans[row, ATTR], byte)
    if n < 0:
        return np.int64(n)
    return np.int64(settle(net, memo, work, n))


@inner
def settled(net, memo, work, place):  # type: ignore[no-untyped-def]
    """The configuration of a place: its id, or GROW / CROWDED."""
    if place < LIGHT:
        return np.int64(place)
    work.clock[0] += 1
    row = (place - LIGHT) >> 31
    n = push(work, 0, place & NODES, memo.scans[row, ORIGIN], memo.scans[row, ATTR])
    return np.int64(settle(net, memo, work, n))


@inner
def read(net, memo, work, words, config, token):  # type: ignore[no-untyped-def]
    """The configuration after a token: DEAD, an id, NOT_TEXT if it is no plain text, or GROW / CROWDED (call again)."""
    at, end = words.spans[token, 0], words.spans[token, 1]
    if at < 0:
        return np.int64(NOT_TEXT)
    after = np.int64(config)
    while at < end and after > 0:
        after = reach(net, memo, work, after, np.int64(words.data[at]), work.clock, np.int64(ALL))
        at += 1
    return settled(net, memo, work, after)
