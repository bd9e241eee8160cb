"""From a program (automata/program.py) to rule networks: one pass that adds nodes and edges, then sorting by source.

`emit` adds every way from node a to node b that an operation allows. Cost: linear in the program.
Reference: tests/automata/test_program.py runs the grammars through automata/reference.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.kernels._jit import inlined, jit
from structgen.kernels.layout import (
    ADD,
    BELOW,
    COUNTED,
    DO_ALT,
    DO_CALL,
    DO_COUNTED,
    DO_COUNTED_RULE,
    DO_GRAPH,
    DO_LITERAL,
    DO_OPTIONAL,
    DO_SEQ,
    DO_SET,
    DO_SHARED,
    DO_STAR,
    DO_UNORDERED,
    DONE,
    ENOUGH,
    FAR,
    HAS,
    LACKS,
    LIKE,
    MEMBER,
    NEXT,
    PLAIN,
    SEPARATOR,
    SPAN_AFTER,
    SPAN_END,
    SPAN_FIRST,
    SPAN_HIGH,
    SPAN_KEY,
    SPAN_LOW,
    SPAN_SORT,
    UPTO,
    WIDE,
)

D_NODES, D_ARCS, D_CALLS, D_SILENT, D_SETS, D_SEGMENTS, D_MEMBERS, D_SPANS, D_SOLID, D_BROAD = range(10)
F_SORT, F_LEFT, F_FROM, F_TO, F_HERE, F_SHARED, F_BASE = range(7)  # of a frame: an operation whose parts are written
G_SORT, G_MINIMUM, G_ENTER, G_BODY, G_LEAVE, G_MOST, G_EXTRA, G_SEPARATOR, G_MEMBERS, G_BROAD = range(10)


class Draft(NamedTuple):
    """A network while it grows; `counts` i64 (10,) says how much of each array is in use.

    chain, segment, like i64 (n,): byte of the chain edge, segment, number of the promised prefix, each or -1
    arcs i64 (., 3), calls i64 (., 4), silent i64 (., 4): source first, then the columns of layout.Network
    sets u64 (., 4), set_table i64 (2**k,): byte sets, and their open-addressing hash (0 = free, else number + 1)
    segments i64 (., 10), members i64 (., 2): first node of each member, 1 = required
    spans i64 (., 7) see layout.SPAN_KEY;  solid i64 (., 2) segment, rule called for each of its repetitions
    rules i64 (r, 2) first and last node
    """

    counts: NDArray[np.int64]
    chain: NDArray[np.int64]
    segment: NDArray[np.int64]
    like: NDArray[np.int64]
    arcs: NDArray[np.int64]
    calls: NDArray[np.int64]
    silent: NDArray[np.int64]
    sets: NDArray[np.uint64]
    set_table: NDArray[np.int64]
    segments: NDArray[np.int64]
    members: NDArray[np.int64]
    spans: NDArray[np.int64]
    solid: NDArray[np.int64]
    rules: NDArray[np.int64]


@inlined
def _node(d, here):  # type: ignore[no-untyped-def]
    n = d.counts[D_NODES]
    d.chain[n], d.segment[n], d.like[n] = -1, here, -1
    d.counts[D_NODES] = n + 1
    return n


@inlined
def _jump(d, a, b, op, arg):  # type: ignore[no-untyped-def]
    e = d.counts[D_SILENT]
    d.silent[e, 0], d.silent[e, 1], d.silent[e, 2], d.silent[e, 3] = a, b, op, arg
    d.counts[D_SILENT] = e + 1


@inlined
def _call(d, a, rule, b, solid):  # type: ignore[no-untyped-def]
    e = d.counts[D_CALLS]
    d.calls[e, 0], d.calls[e, 1], d.calls[e, 2], d.calls[e, 3] = a, rule, b, solid
    d.counts[D_CALLS] = e + 1


@inlined
def _arc(d, a, s0, s1, s2, s3, b):  # type: ignore[no-untyped-def]
    """A byte-set edge; equal sets share a number."""
    mask = np.uint64(d.set_table.shape[0] - 1)
    h = (s0 * np.uint64(0x9E3779B97F4A7C15)) ^ (s1 * np.uint64(0xC2B2AE3D27D4EB4F))
    h ^= (s2 * np.uint64(0x165667B19E3779F9)) ^ (s3 * np.uint64(0xBF58476D1CE4E5B9))
    place = (h ^ (h >> np.uint64(29))) & mask
    while d.set_table[place] != 0:
        n = d.set_table[place] - 1
        if d.sets[n, 0] == s0 and d.sets[n, 1] == s1 and d.sets[n, 2] == s2 and d.sets[n, 3] == s3:
            break
        place = (place + np.uint64(1)) & mask
    if d.set_table[place] == 0:
        n = d.counts[D_SETS]
        d.sets[n, 0], d.sets[n, 1], d.sets[n, 2], d.sets[n, 3] = s0, s1, s2, s3
        d.counts[D_SETS] = n + 1
        d.set_table[place] = n + 1
    e = d.counts[D_ARCS]
    d.arcs[e, 0], d.arcs[e, 1], d.arcs[e, 2] = a, d.set_table[place] - 1, b
    d.counts[D_ARCS] = e + 1


@inlined
def _byte(d, a, byte, b):  # type: ignore[no-untyped-def]
    zero, one = np.uint64(0), np.uint64(1) << np.uint64(byte & 63)
    word = byte >> 6
    _arc(d, a, one if word == 0 else zero, one if word == 1 else zero, one if word == 2 else zero,
         one if word == 3 else zero, b)  # fmt: skip


@inlined
def _literal(prog, d, pc, a, b, here):  # type: ignore[no-untyped-def]
    """First and last byte as arcs, what lies between as a chain: node i -byte-> node i + 1."""
    n = prog[pc + 1]
    if n == 0:
        _jump(d, a, b, PLAIN, 0)
    elif n == 1:
        _byte(d, a, prog[pc + 2], b)
    else:
        _byte(d, a, prog[pc + 2], d.counts[D_NODES])
        for i in range(pc + 3, pc + 1 + n):
            d.chain[_node(d, here)] = prog[i]
        _byte(d, _node(d, here), prog[pc + 1 + n], b)
    return pc + 2 + n


@inlined
def _segment(d, sort, minimum, leave, most):  # type: ignore[no-untyped-def]
    g = d.counts[D_SEGMENTS]
    d.segments[g, G_SORT], d.segments[g, G_MINIMUM], d.segments[g, G_LEAVE] = sort, minimum, leave
    d.segments[g, G_ENTER], d.segments[g, G_BODY], d.segments[g, G_EXTRA], d.segments[g, G_SEPARATOR] = -1, -1, -1, -1
    d.segments[g, G_MOST], d.segments[g, G_MEMBERS], d.segments[g, G_BROAD] = most, d.counts[D_MEMBERS], 0
    d.counts[D_SEGMENTS] = g + 1
    return g


@inlined
def _counted(d, low, most, a, b):  # type: ignore[no-untyped-def]
    """hub -BELOW-> body -UPTO-> hub -ENOUGH-> b, with the count in the item's register; (segment, start, end)."""
    hub = _node(d, -1)
    g = _segment(d, COUNTED, low, b, FAR if most < 0 else most)
    start, end = _node(d, g), _node(d, g)
    d.segments[g, G_ENTER], d.segments[g, G_BODY] = hub, start
    _jump(d, a, hub, PLAIN, 0)
    _jump(d, hub, start, BELOW, FAR if most < 0 else most)
    _jump(d, end, hub, UPTO, max(low, 1) if most < 0 else most)
    _jump(d, hub, b, ENOUGH, low)
    return g, start, end


@inlined
def _span(d, key, first, after, sort, low, high):  # type: ignore[no-untyped-def]
    k = d.counts[D_SPANS]
    d.spans[k, SPAN_KEY], d.spans[k, SPAN_FIRST], d.spans[k, SPAN_END] = key, first, first
    d.spans[k, SPAN_AFTER], d.spans[k, SPAN_SORT], d.spans[k, SPAN_LOW], d.spans[k, SPAN_HIGH] = after, sort, low, high
    d.counts[D_SPANS] = k + 1
    return k


@inlined
def _leaf(prog, d, pc, a, b, here, rule):  # type: ignore[no-untyped-def]
    """An operation without parts between nodes a and b; where the next one begins, or -1 if it has parts."""
    op = prog[pc]
    if op == DO_LITERAL:
        return _literal(prog, d, pc, a, b, here)
    if op == DO_SET:
        w0, w1, w2, w3 = prog[pc + 1], prog[pc + 2], prog[pc + 3], prog[pc + 4]
        _arc(d, a, np.uint64(w0), np.uint64(w1), np.uint64(w2), np.uint64(w3), b)
        return pc + 5
    if op == DO_CALL:
        if prog[pc + 1] == rule and b == d.rules[rule, 1] and here < 0:
            _jump(d, a, d.rules[rule, 0], PLAIN, 0)  # right recursion needs no stack
        else:
            _call(d, a, prog[pc + 1], b, prog[pc + 2])
        return pc + 3
    if op == DO_COUNTED_RULE:
        g, start, end = _counted(d, prog[pc + 1], prog[pc + 2], a, b)
        _call(d, start, prog[pc + 3], end, 1)
        s = d.counts[D_SOLID]
        d.solid[s, 0], d.solid[s, 1] = g, prog[pc + 3]
        d.counts[D_SOLID] = s + 1
        return pc + 4
    return -1


@inlined
def _enter(prog, d, f, pc, a, b, here, shared):  # type: ignore[no-untyped-def]
    """Begin an operation with parts: fill its frame f; where the first part's operation (or edge) begins."""
    op = prog[pc]
    f[F_SORT], f[F_LEFT], f[F_FROM], f[F_TO], f[F_HERE], f[F_SHARED], f[F_BASE] = op, 1, a, b, here, shared, -1
    if op in (DO_SEQ, DO_ALT):
        f[F_LEFT] = prog[pc + 1]
        return pc + 2
    if op == DO_OPTIONAL:
        _jump(d, a, b, PLAIN, 0)
        return pc + 1
    if op == DO_GRAPH:
        return _enter_graph(prog, d, f, pc, a, b, here, shared)
    if op == DO_UNORDERED:
        _enter_unordered(prog, d, f, pc, a, b)
        return pc + 4 + prog[pc + 1]
    if op == DO_COUNTED:
        g, f[F_FROM], f[F_TO] = _counted(d, prog[pc + 1], prog[pc + 2], a, b)
        f[F_HERE], f[F_SHARED] = g, 1
        return pc + 3
    start, end = _node(d, here), _node(d, here)
    f[F_FROM], f[F_TO] = start, end
    _jump(d, a, start, PLAIN, 0)
    _jump(d, end, b, PLAIN, 0)
    if op == DO_STAR:
        _jump(d, end, start, PLAIN, 0)
        if prog[pc + 1] == 0:
            _jump(d, a, b, PLAIN, 0)
    elif here < 0 and not shared:  # DO_SHARED, the outermost
        f[F_BASE] = _span(d, prog[pc + 1], start, b, prog[pc + 2], prog[pc + 3], prog[pc + 4])
        f[F_SHARED] = 1
    return pc + 5 if op == DO_SHARED else pc + 2


@jit
def _enter_graph(prog, d, f, pc, a, b, here, shared):  # type: ignore[no-untyped-def]
    states, like, accepts = prog[pc + 1], prog[pc + 4], prog[pc + 5]
    first, at = d.counts[D_NODES], pc + 7 + accepts
    for _ in range(prog[pc + 2]):
        _node(d, here)
    _jump(d, a, first + prog[pc + 3], PLAIN, 0)
    for i in range(accepts):
        _jump(d, first + prog[pc + 7 + i], b, PLAIN, 0)
    if like >= 0:
        if here < 0 and not shared:
            d.spans[_span(d, like, first, b, LIKE, 0, -1), SPAN_END] = first + states
            for s in range(states):
                d.like[first + s] = prog[at + s]
        at += states
    f[F_LEFT], f[F_BASE] = prog[pc + 6], first
    return at


@jit
def _enter_unordered(prog, d, f, pc, a, b):  # type: ignore[no-untyped-def]
    """entry -> fan -ADD k-> member k -DONE-> hub -LACKS-> separator -NEXT-> fan, and out by HAS."""
    n, extra, broad = prog[pc + 1], prog[pc + 2], prog[pc + 3]
    wide = WIDE if broad else 0
    required = np.int64(0)
    if broad:  # rows of Network.wide: the required members, and those that can be written
        required = 2 * d.counts[D_BROAD]
        d.counts[D_BROAD] += 1
    else:
        for k in range(n):
            required |= prog[pc + 4 + k] << k
    entry, fan, hub = _node(d, -1), _node(d, -1), _node(d, -1)
    inside = _segment(d, MEMBER, required, b, FAR)
    first = d.counts[D_MEMBERS]
    d.counts[D_MEMBERS] += n
    between = _segment(d, SEPARATOR, required, b, FAR)
    d.counts[D_MEMBERS] += n
    d.segments[inside, G_ENTER] = entry
    d.segments[inside, G_BROAD], d.segments[between, G_BROAD] = broad, broad
    places = d.counts[D_NODES]  # two nodes for each part, the separator last
    for k in range(n + extra):
        start, end = _node(d, inside), _node(d, inside)
        if k < n:
            for m in (first + k, first + n + k):
                d.members[m, 0], d.members[m, 1] = start, prog[pc + 4 + k]
            _jump(d, fan, start, wide + ADD, k)
        else:
            d.segments[inside, G_EXTRA], d.segments[between, G_EXTRA] = start, start
            _jump(d, fan, start, PLAIN, 0)
        _jump(d, end, hub, DONE, 0)
    start, end = _node(d, between), _node(d, between)
    d.segments[inside, G_SEPARATOR], d.segments[between, G_SEPARATOR] = start, start
    _jump(d, a, entry, PLAIN, 0)
    _jump(d, entry, fan, PLAIN, 0)
    _jump(d, entry, b, wide + HAS, required)
    _jump(d, hub, b, wide + HAS, required)
    _jump(d, hub, start, wide + LACKS, required + 1 if broad else 0)
    _jump(d, end, fan, NEXT, 0)
    f[F_LEFT], f[F_BASE], f[F_HERE], f[F_SHARED] = n + extra + 1, places, inside, 1


@inlined
def _next_part(prog, d, f, pc):  # type: ignore[no-untyped-def]
    """(from node, to node, where its operation begins) of the next part of frame f."""
    f[F_LEFT] -= 1
    sort = f[F_SORT]
    if sort == DO_SEQ and f[F_LEFT] > 0:
        a, b = f[F_FROM], _node(d, f[F_HERE])
        f[F_FROM] = b
        return a, b, pc
    if sort == DO_GRAPH:
        return f[F_BASE] + prog[pc], f[F_BASE] + prog[pc + 1], pc + 2
    if sort == DO_UNORDERED:
        start = f[F_BASE]
        f[F_BASE] = start + 2
        f[F_HERE] = d.segment[start]
        return start, start + 1, pc
    return f[F_FROM], f[F_TO], pc


@jit
def emit(prog, d, frames, pc, a, b, rule):  # type: ignore[no-untyped-def]
    """Run the operation at prog[pc] between nodes a and b; False if it nests deeper than i64 `frames` (., 7)."""
    top = 0
    f = frames[0]
    f[F_SORT], f[F_LEFT], f[F_FROM], f[F_TO], f[F_HERE], f[F_SHARED], f[F_BASE] = DO_ALT, 1, a, b, -1, 0, -1
    while top >= 0:
        f = frames[top]
        if f[F_LEFT] == 0:
            if f[F_SORT] == DO_SHARED and f[F_BASE] >= 0:
                d.spans[f[F_BASE], SPAN_END] = d.counts[D_NODES]
            top -= 1
            continue
        a, b, pc = _next_part(prog, d, f, pc)
        after = _leaf(prog, d, pc, a, b, f[F_HERE], rule)
        if after < 0:
            top += 1
            if top >= frames.shape[0]:
                return False
            after = _enter(prog, d, frames[top], pc, a, b, f[F_HERE], f[F_SHARED])
        pc = after
    return True


@jit
def by_source(n, edges, count, starts, out):  # type: ignore[no-untyped-def]
    """Sort the first `count` rows of i64 `edges` by their first column, keeping the order of equals.

    starts i64 (n+1,) receives the spans, out i64 (count, width - 1) the other columns.
    """
    starts[:] = 0
    for e in range(count):
        starts[edges[e, 0] + 1] += 1
    for i in range(n):
        starts[i + 1] += starts[i]
    for e in range(count):
        place = starts[edges[e, 0]]
        starts[edges[e, 0]] = place + 1
        for c in range(1, edges.shape[1]):
            out[place, c - 1] = edges[e, c]
    for i in range(n, 0, -1):
        starts[i] = starts[i - 1]
    starts[0] = 0


@jit
def write_rules(prog, starts, d, frames):  # type: ignore[no-untyped-def]
    """Write rule r from prog[starts[r]]: its first node, its last node, and everything between; False if too deep."""
    for r in range(starts.shape[0]):
        d.rules[r, 0] = _node(d, -1)
        d.rules[r, 1] = _node(d, -1)
        if not emit(prog, d, frames, starts[r], d.rules[r, 0], d.rules[r, 1], r):
            return False
    return True
