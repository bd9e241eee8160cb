"""From the draft of a network to its final arrays: sorted by source, measured, unproductive nodes removed.

Cost: linear in nodes and edges, but for the measuring (kernels/analysis.py). Reference: automata/reference.py, which
removes unproductive rules from a plain list of productions.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, ones
from structgen.kernels.analysis import measure_network
from structgen.kernels.arrays import filled_ints, filled_longs, long_rows, zero_bit_rows, zero_long_rows
from structgen.kernels.draft import (
    D_ARCS,
    D_BROAD,
    D_CALLS,
    D_MEMBERS,
    D_NODES,
    D_SEGMENTS,
    D_SETS,
    D_SILENT,
    D_SOLID,
    D_SPANS,
    G_BODY,
    G_BROAD,
    G_ENTER,
    G_EXTRA,
    G_LEAVE,
    G_MEMBERS,
    G_MINIMUM,
    G_MOST,
    G_SEPARATOR,
    G_SORT,
    by_source,
)
from structgen.kernels.interning import live_bytes
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ARG,
    BROAD,
    CALL_TO,
    CALLED,
    CALLS,
    CHAIN,
    CONDUCTS,
    ENDS,
    ENOUGH,
    EXTRA,
    FAR,
    FINAL,
    FIRST,
    KIND,
    LACKS,
    LEAST,
    MANY_BYTES,
    MEMBER,
    MEMBERS,
    MINIMUM,
    OP,
    PLAIN,
    RULE,
    RULE_LEAST,
    SEGMENT,
    SILENT,
    SILENT_TO,
    SORT,
    SPAN_END,
    SPAN_FIRST,
    STAYS,
    TAIL,
    WIDE,
    Network,
)  # fmt: skip


@allocating
def assemble(d):  # type: ignore[no-untyped-def]
    """(Network, i32 (n,) span of each node or -1), measured; see layout.Network."""
    n, g, r = d.counts[D_NODES], d.counts[D_SEGMENTS], d.rules.shape[0]
    nodes = zero_long_rows(n + 1, 8)
    for node in range(n):  # Numba's assignment of arrays compiles a message for shapes that differ
        nodes[node, CHAIN], nodes[node, SEGMENT] = d.chain[node], d.segment[node]
    nodes[n, CHAIN], nodes[n, SEGMENT] = -1, -1
    arcs = long_rows(d.counts[D_ARCS], 2)
    calls = long_rows(d.counts[D_CALLS], 3)
    silent = long_rows(d.counts[D_SILENT], 3)
    by_source(n, d.arcs, len(arcs), nodes[:, ARCS], arcs)
    by_source(n, d.calls, len(calls), nodes[:, CALLS], calls)
    by_source(n, d.silent, len(silent), nodes[:, SILENT], silent)
    rules = long_rows(r, 2)
    for i in range(r):
        rules[i, FIRST], rules[i, RULE_LEAST] = d.rules[i, 0], FAR
        nodes[d.rules[i, 0] : d.rules[i + 1, 0] if i + 1 < r else n, RULE] = i
        nodes[d.rules[i, 1], KIND] = FINAL if i == 0 else ENDS
    nodes[n, RULE] = -1
    segments = zero_long_rows(g + 1, 7)
    width = np.int64(1)
    for k in range(g):
        row = d.segments[k]
        segments[k, SORT], segments[k, MINIMUM], segments[k, EXTRA] = row[G_SORT], row[G_MINIMUM], row[G_MOST]
        segments[k, MEMBERS], segments[k, BROAD] = row[G_MEMBERS], row[G_BROAD]
        end = d.segments[k + 1, G_MEMBERS] if k + 1 < g else d.counts[D_MEMBERS]
        if row[G_BROAD]:
            width = max(width, (end - row[G_MEMBERS] + 63) // 64)
    segments[g, EXTRA], segments[g, MEMBERS] = FAR, d.counts[D_MEMBERS]
    wide = zero_bit_rows(2 * d.counts[D_BROAD], width)
    for k in range(g):
        if segments[k, BROAD]:
            for m in range(segments[k, MEMBERS], segments[k + 1, MEMBERS]):
                bit = m - segments[k, MEMBERS]
                wide[segments[k, MINIMUM], bit >> 6] |= np.uint64(d.members[m, 1]) << np.uint64(bit & 63)
    members = filled_longs(d.counts[D_MEMBERS], 0)
    net = Network(nodes, arcs, d.sets[: d.counts[D_SETS]].copy(), calls, silent, rules, segments, members, wide)
    _measure(net, d)
    span = filled_ints(n, -1)
    for k in range(d.counts[D_SPANS]):
        span[d.spans[k, SPAN_FIRST] : d.spans[k, SPAN_END]] = k
    return net, span


@allocating
def _measure(net, d):  # type: ignore[no-untyped-def]
    """Distances; then: a repetition whose body may be empty has no minimum, a separator must find a member to write."""
    g = d.counts[D_SEGMENTS]
    enter, body, leave = d.segments[:g, G_ENTER], d.segments[:g, G_BODY], d.segments[:g, G_LEAVE]
    extra, separator = d.segments[:g, G_EXTRA], d.segments[:g, G_SEPARATOR]
    fan = d.members[: d.counts[D_MEMBERS], 0]
    again = True
    while again:
        measure_network(net, enter, body, leave, fan, extra, separator)
        again = False
        for s in range(d.counts[D_SOLID]):
            k, rule = d.solid[s]
            if net.rules[rule, RULE_LEAST] == 0 and net.segments[k, MINIMUM] > 0:
                net.segments[k, MINIMUM] = 0
                for e in range(net.nodes[enter[k], SILENT], net.nodes[enter[k] + 1, SILENT]):
                    if net.silent[e, OP] == ENOUGH:
                        net.silent[e, ARG] = 0
                again = True
    for k in range(g):
        if net.segments[k, SORT] == MEMBER:
            _find_writable(net, k, separator[k])


@allocating
def _find_writable(net, k, separator):  # type: ignore[no-untyped-def]
    """The members of segment k that have a text: while one of them is left, a separator may be written."""
    broad = net.segments[k, BROAD] == 1
    for e in range(net.silent.shape[0]):
        if net.silent[e, SILENT_TO] != separator or net.silent[e, OP] != (LACKS + WIDE if broad else LACKS):
            continue
        alive = np.int64(0)
        for m in range(net.segments[k, MEMBERS], net.segments[k + 1, MEMBERS]):
            bit = m - net.segments[k, MEMBERS]
            if net.members[m] < FAR and broad:
                net.wide[net.silent[e, ARG], bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
            elif net.members[m] < FAR:
                alive |= np.int64(1) << bit
        if not broad:
            net.silent[e, ARG] = alive
        if net.segments[k, EXTRA] < FAR:
            net.silent[e, OP] = PLAIN


@allocating
def _keep(nodes, column, edges, to, dead, dead_rule):  # type: ignore[no-untyped-def]
    """Drop the edges to dead nodes and calls of dead rules in place; how many are left."""
    kept, n = 0, nodes.shape[0] - 1
    for node in range(n):
        start, end = nodes[node, column], nodes[node + 1, column]
        nodes[node, column] = kept
        for e in range(start, end):
            if not dead[edges[e, to]] and not (column == CALLS and dead_rule[edges[e, CALLED]]):
                for c in range(edges.shape[1]):  # a row as a view takes four times as long
                    edges[kept, c] = edges[e, c]
                kept += 1
    nodes[n, column] = kept
    return kept


@allocating
def _conducts(net, node):  # type: ignore[no-untyped-def]
    """Whether few bytes lead on from a node, and none back."""
    none = np.uint64(0)
    s0, s1, s2, s3 = live_bytes(net, node, none, none, none, none)
    for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        if net.arcs[a, ARC_TO] <= node:
            return False
    return ones(s0) + ones(s1) + ones(s2) + ones(s3) < MANY_BYTES


@allocating
def prune(net):  # type: ignore[no-untyped-def]
    """Drop every edge to what cannot finish, then mark the kind of each node; (arcs, calls, silent) that are left."""
    nodes, n = net.nodes, net.nodes.shape[0] - 1
    dead = nodes[:n, LEAST] >= FAR
    dead_rule = net.rules[:, RULE_LEAST] >= FAR
    for node in range(n):
        if nodes[node, CHAIN] >= 0 and dead[node + 1]:
            nodes[node, CHAIN] = -1
    arcs = _keep(nodes, ARCS, net.arcs, ARC_TO, dead, dead_rule)
    calls = _keep(nodes, CALLS, net.calls, CALL_TO, dead, dead_rule)
    silent = _keep(nodes, SILENT, net.silent, SILENT_TO, dead, dead_rule)
    for node in range(n):
        after = nodes[node + 1]
        if nodes[node, CHAIN] >= 0 or nodes[node, ARCS] < after[ARCS] or nodes[node, CALLS] < after[CALLS]:
            nodes[node, KIND] |= STAYS
        if nodes[node, KIND] == ENDS and nodes[node, SILENT] == after[SILENT] and nodes[node, SEGMENT] < 0:
            nodes[node, KIND] |= TAIL
        if nodes[node, KIND] == STAYS and nodes[node, CALLS] == after[CALLS] and nodes[node, SILENT] == after[SILENT]:
            nodes[node, KIND] |= CONDUCTS * _conducts(net, node)
    return arcs, calls, silent
