"""A rule network under construction: append-only tables that the operations of a program (emission.py) fill.

Cost: constant per node or edge; a byte set is looked up in a hash table, so that equal ones share a number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.kernels._jit import allocating, inlined, inner
from structgen.kernels.arrays import filled_longs
from structgen.kernels.hashing import next_slot, slot, spread
from structgen.kernels.layout import SPAN_AFTER, SPAN_END, SPAN_FIRST, SPAN_HIGH, SPAN_KEY, SPAN_LOW, SPAN_SORT

# Slots of Draft.counts: how many rows of each table are in use.
D_NODES, D_ARCS, D_CALLS, D_SILENT, D_SETS, D_SEGMENTS, D_MEMBERS, D_SPANS, D_SOLID, D_BROAD, D_STEPS = range(11)
# Columns of Draft.segments: one counted or unordered part each.
G_SORT, G_MINIMUM, G_ENTER, G_BODY, G_LEAVE, G_MOST, G_EXTRA, G_SEPARATOR, G_MEMBERS, G_BROAD = range(10)


class Draft(NamedTuple):
    """A network while it grows; `counts` i64 (11,) says how much of each array is in use.

    chain, segment, equivalent i64 (n,): byte of the chain edge, segment, number of the promised prefix, each or -1
    arcs i64 (., 3), calls i64 (., 4), silent i64 (., 4): source first, then the columns of layout.Network
    sets u64 (., 4), set_table i64 (2**k,): byte sets, and their open-addressing hash (0 = free, else number + 1)
    segments i64 (., 10), members i64 (., 2): first node of each member, 1 = required
    spans i64 (., 7) see layout.SPAN_KEY;  solid i64 (., 2) segment, rule called for each of its repetitions
    rules i64 (r, 2) first and last node;  steps i64 (., 3) from, to, operation: what is left to write of graphs
    """

    counts: NDArray[np.int64]
    chain: NDArray[np.int64]
    segment: NDArray[np.int64]
    equivalent: NDArray[np.int64]
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
    steps: NDArray[np.int64]


@inlined
def add_node(d, here):  # type: ignore[no-untyped-def]
    """A node of segment `here`, or of none if it is -1."""
    n = d.counts[D_NODES]
    d.chain[n], d.segment[n], d.equivalent[n] = -1, here, -1
    d.counts[D_NODES] = n + 1
    return n


@inlined
def add_jump(d, a, b, op, arg):  # type: ignore[no-untyped-def]
    """A silent edge."""
    e = d.counts[D_SILENT]
    d.silent[e, 0], d.silent[e, 1], d.silent[e, 2], d.silent[e, 3] = a, b, op, arg
    d.counts[D_SILENT] = e + 1


@inlined
def add_call(d, a, rule, b, solid):  # type: ignore[no-untyped-def]
    """A call of a rule from a, which goes on at b."""
    e = d.counts[D_CALLS]
    d.calls[e, 0], d.calls[e, 1], d.calls[e, 2], d.calls[e, 3] = a, rule, b, solid
    d.counts[D_CALLS] = e + 1


@inlined
def add_arc(d, a, label, b):  # type: ignore[no-untyped-def]
    """An edge that consumes a byte: where the program has a DO_SET, or ~byte for a single one. See `number_sets`."""
    e = d.counts[D_ARCS]
    d.arcs[e, 0], d.arcs[e, 1], d.arcs[e, 2] = a, label, b
    d.counts[D_ARCS] = e + 1


@allocating
def number_sets(prog, d):  # type: ignore[no-untyped-def]
    """Give each arc the number of its byte set in place of `add_arc`'s label; equal sets have one number.

    Receipt: looked up where the arc is added, a loop among the operations, a network took 2.4 times as long to emit, as
    each array of the draft was counted as a reference around it.
    """
    single = filled_longs(256, -1)
    counts, arcs, sets, table = d.counts, d.arcs, d.sets, d.set_table
    zero = np.uint64(0)
    for e in range(counts[D_ARCS]):
        label = arcs[e, 1]
        if label < 0 and single[~label] >= 0:
            arcs[e, 1] = single[~label]
            continue
        if label < 0:
            word, bit = ~label >> 6, np.uint64(1) << np.uint64(~label & 63)
            s0, s1 = bit if word == 0 else zero, bit if word == 1 else zero
            s2, s3 = bit if word == 2 else zero, bit if word == 3 else zero
        else:
            s0, s1 = np.uint64(prog[label + 1]), np.uint64(prog[label + 2])
            s2, s3 = np.uint64(prog[label + 3]), np.uint64(prog[label + 4])
        h = (s0 * np.uint64(0x9E3779B97F4A7C15)) ^ (s1 * np.uint64(0xC2B2AE3D27D4EB4F))
        h ^= (s2 * np.uint64(0x165667B19E3779F9)) ^ (s3 * np.uint64(0xBF58476D1CE4E5B9))
        h = (h ^ (h >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)  # sets of few bytes differ in the high bits only
        place = slot(table, spread(h))
        while table[place] != 0:
            n = table[place] - 1
            if sets[n, 0] == s0 and sets[n, 1] == s1 and sets[n, 2] == s2 and sets[n, 3] == s3:
                break
            place = next_slot(table, place)
        if table[place] == 0:
            n = counts[D_SETS]
            sets[n, 0], sets[n, 1], sets[n, 2], sets[n, 3] = s0, s1, s2, s3
            counts[D_SETS] = n + 1
            table[place] = n + 1
        arcs[e, 1] = table[place] - 1
        if label < 0:
            single[~label] = arcs[e, 1]


@inlined
def add_segment(d, sort, minimum, leave, most):  # type: ignore[no-untyped-def]
    """A segment whose parts are still to come."""
    g = d.counts[D_SEGMENTS]
    d.segments[g, G_SORT], d.segments[g, G_MINIMUM], d.segments[g, G_LEAVE] = sort, minimum, leave
    d.segments[g, G_ENTER], d.segments[g, G_BODY], d.segments[g, G_EXTRA], d.segments[g, G_SEPARATOR] = -1, -1, -1, -1
    d.segments[g, G_MOST], d.segments[g, G_MEMBERS], d.segments[g, G_BROAD] = most, d.counts[D_MEMBERS], 0
    d.counts[D_SEGMENTS] = g + 1
    return g


@inlined
def add_span(d, key, first, after, sort, low, high):  # type: ignore[no-untyped-def]
    """A span that is still empty."""
    k = d.counts[D_SPANS]
    d.spans[k, SPAN_KEY], d.spans[k, SPAN_FIRST], d.spans[k, SPAN_END] = key, first, first
    d.spans[k, SPAN_AFTER], d.spans[k, SPAN_SORT], d.spans[k, SPAN_LOW], d.spans[k, SPAN_HIGH] = after, sort, low, high
    d.counts[D_SPANS] = k + 1
    return k


@inlined
def add_step(d, a, b, pc):  # type: ignore[no-untyped-def]
    """The operation at pc is to be written between nodes a and b."""
    k = d.counts[D_STEPS]
    d.steps[k, 0], d.steps[k, 1], d.steps[k, 2] = a, b, pc
    d.counts[D_STEPS] = k + 1


@inner
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
