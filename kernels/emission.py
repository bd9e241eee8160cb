"""From a program (automata/program.py) to rule networks: one pass that adds nodes and edges, then sorting by source.

`emit` adds every way from node a to node b that an operation allows. Cost: linear in the program, in which the labels
of a graph count for each of their edges.
Reference: tests/automata/test_against_reference.py runs the grammars through automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inlined, inner
from structgen.kernels.arrays import filled_longs
from structgen.kernels.draft import (
    D_BROAD,
    D_MEMBERS,
    D_NODES,
    D_SOLID,
    D_STEPS,
    G_BODY,
    G_BROAD,
    G_ENTER,
    G_EXTRA,
    G_SEPARATOR,
    add_arc,
    add_call,
    add_jump,
    add_node,
    add_segment,
    add_span,
    add_step,
    number_sets,
)
from structgen.kernels.hashing import mix, next_slot, slot
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
    DO_STAR,
    DO_TERMINAL,
    DO_UNORDERED,
    DONE,
    ENOUGH,
    EQUIVALENT,
    FAR,
    HAS,
    LACKS,
    LEAVE,
    MEMBER,
    NEXT,
    PLAIN,
    SEPARATOR,
    SPAN_END,
    SPARE,
    UPTO,
    WEIGH,
    WEIGHED,
    WIDE,
)

F_SORT, F_LEFT, F_FROM, F_TO, F_HERE, F_TERMINAL, F_BASE = range(7)  # of a frame: an operation whose parts are written


@inlined
def _literal(prog, d, pc, a, b, here):  # type: ignore[no-untyped-def]
    """First and last byte as arcs, what lies between as a chain: node i -byte-> node i + 1."""
    n = prog[pc + 1]
    if n == 0:
        add_jump(d, a, b, PLAIN, 0)
    elif n == 1:
        add_arc(d, a, ~prog[pc + 2], b)
    else:
        add_arc(d, a, ~prog[pc + 2], d.counts[D_NODES])
        for i in range(pc + 3, pc + 1 + n):
            d.chain[add_node(d, here)] = prog[i]
        add_arc(d, add_node(d, here), ~prog[pc + 1 + n], b)
    return pc + 2 + n


@inlined
def _counted(d, low, most, a, b):  # type: ignore[no-untyped-def]
    """hub -BELOW-> body -UPTO-> hub -ENOUGH-> b, with the count in the item's register; (segment, start, end)."""
    hub = add_node(d, -1)
    g = add_segment(d, COUNTED, low, b, FAR if most < 0 else most)
    start, end = add_node(d, g), add_node(d, g)
    d.segments[g, G_ENTER], d.segments[g, G_BODY] = hub, start
    add_jump(d, a, hub, PLAIN, 0)
    add_jump(d, hub, start, BELOW, FAR if most < 0 else most)
    add_jump(d, end, hub, UPTO, max(low, 1) if most < 0 else most)
    add_jump(d, hub, b, ENOUGH, low)
    return g, start, end


@inlined
def _leaf(prog, d, pc, a, b, here, rule):  # type: ignore[no-untyped-def]
    """An operation without parts between nodes a and b; where the next one begins, or -1 if it has parts."""
    op = prog[pc]
    if op == DO_LITERAL:
        return _literal(prog, d, pc, a, b, here)
    if op == DO_SET:
        add_arc(d, a, pc, b)
        return pc + 5
    if op == DO_CALL:
        if prog[pc + 1] == rule and b == d.rules[rule, 1] and here < 0:
            add_jump(d, a, d.rules[rule, 0], PLAIN, 0)  # right recursion needs no stack
        else:
            add_call(d, a, prog[pc + 1], b, prog[pc + 2])
        return pc + 3
    if op == DO_COUNTED_RULE:
        g, start, end = _counted(d, prog[pc + 1], prog[pc + 2], a, b)
        add_call(d, start, prog[pc + 3], end, 1)
        s = d.counts[D_SOLID]
        d.solid[s, 0], d.solid[s, 1] = g, prog[pc + 3]
        d.counts[D_SOLID] = s + 1
        return pc + 4
    return -1


@inlined
def _open(frames, top, op, a, b, here, in_terminal):  # type: ignore[no-untyped-def]
    """Entry by entry: a row as a view of its own is counted as a reference, for each operation."""
    frames[top, F_SORT], frames[top, F_LEFT], frames[top, F_FROM], frames[top, F_TO] = op, 1, a, b
    frames[top, F_HERE], frames[top, F_TERMINAL], frames[top, F_BASE] = here, in_terminal, -1


@inlined
def _enter(prog, d, frames, top, pc, a, b, here, in_terminal):  # type: ignore[no-untyped-def]
    """Begin an operation with parts: fill frame `top` with it; where the first part's operation begins."""
    op = prog[pc]
    _open(frames, top, op, a, b, here, in_terminal)
    if op in (DO_SEQ, DO_ALT):
        frames[top, F_LEFT] = prog[pc + 1]
        return pc + 2
    if op == DO_OPTIONAL:
        add_jump(d, a, b, PLAIN, 0)
        return pc + 1
    if op == DO_GRAPH:
        return _enter_graph(prog, d, frames, top, pc, a, b, here, in_terminal)
    if op == DO_UNORDERED:
        _enter_unordered(prog, d, frames, top, pc, a, b)
        return pc + 4 + prog[pc + 1]
    if op == DO_COUNTED:
        g, frames[top, F_FROM], frames[top, F_TO] = _counted(d, prog[pc + 1], prog[pc + 2], a, b)
        frames[top, F_HERE], frames[top, F_TERMINAL] = g, 1
        return pc + 3
    start, end = add_node(d, here), add_node(d, here)
    frames[top, F_FROM], frames[top, F_TO] = start, end
    add_jump(d, a, start, PLAIN, 0)
    add_jump(d, end, b, PLAIN, 0)
    if op == DO_STAR:
        add_jump(d, end, start, PLAIN, 0)
        if prog[pc + 1] == 0:
            add_jump(d, a, b, PLAIN, 0)
    elif here < 0 and not in_terminal:  # DO_TERMINAL, the outermost
        frames[top, F_BASE] = add_span(d, prog[pc + 1], start, b, prog[pc + 2], prog[pc + 3], prog[pc + 4])
        frames[top, F_TERMINAL] = 1
    return pc + 5 if op == DO_TERMINAL else pc + 2


@inner
def _enter_graph(prog, d, frames, top, pc, a, b, here, in_terminal):  # type: ignore[no-untyped-def]
    states, equivalent, accepts, most = prog[pc + 1], prog[pc + 3], prog[pc + 4], prog[pc + 9]
    first, at = d.counts[D_NODES], pc + 10 + accepts
    if most >= 0:
        here = add_segment(d, WEIGHED, 0, b, most)
        frames[top, F_HERE] = here
    for _ in range(states):
        add_node(d, here)
    add_jump(d, a, first + prog[pc + 2], PLAIN, 0)
    for i in range(accepts):
        add_jump(d, first + prog[pc + 10 + i], b, PLAIN if most < 0 else LEAVE, 0)
    if equivalent >= 0:
        if here < 0 and not in_terminal:
            d.spans[add_span(d, equivalent, first, b, EQUIVALENT, 0, -1), SPAN_END] = first + states
            for s in range(states):
                d.equivalent[first + s] = prog[at + s]
        at += states
    base, end = d.counts[D_STEPS], pc + prog[pc + 8]
    _steps(prog, d, at, prog[pc + 5], prog[pc + 6], prog[pc + 7], first, states, most, here)
    frames[top, F_BASE], frames[top, F_FROM], frames[top, F_TO] = base, base, end
    frames[top, F_LEFT] = d.counts[D_STEPS] - base
    return end


@allocating
def _steps(prog, d, at, labels, parts, edges, first, states, most, here):  # type: ignore[no-untyped-def]
    """The edges of a graph as steps. What follows the first byte of a label is one step for each target, however many
    edges lead there: the states of "any character but ..." then differ in arcs only (8 arcs a state, not 35 nodes).

    Edges that weigh leave their state through a node that SPARE guards, one for each weight, and WEIGH after a byte.
    """
    part, edge = at + labels + 1, at + labels + 1 + 2 * parts
    weights = edge + 3 * edges
    base = weights + (edges if most >= 0 else 0)
    rests, heaviest = 0, np.int64(0)
    for i in range(edges):
        label = at + prog[edge + 3 * i + 1]
        for p in range(part + 2 * prog[label], part + 2 * prog[label + 1], 2):
            rests += prog[p + 1] >= 0
        if most >= 0:
            heaviest = max(heaviest, prog[weights + i])
    size = 1
    while size < 2 * rests:
        size *= 2
    table, weighed = filled_longs(size, 0), filled_longs(size, 0)  # (rest, target, weight) -> 1 + its step; its weight
    guards = filled_longs(states * heaviest, -1)  # of a state, by weight - 1
    arrivals = filled_longs(states * heaviest, -1)
    for i in range(edges):
        source, label, target = prog[edge + 3 * i], at + prog[edge + 3 * i + 1], prog[edge + 3 * i + 2]
        weight = prog[weights + i] if most >= 0 else np.int64(0)
        start, end = first + source, first + target
        if weight:
            k, m = source * heaviest + weight - 1, target * heaviest + weight - 1
            if guards[k] < 0:
                guards[k] = add_node(d, here)
                add_jump(d, start, guards[k], SPARE, most - weight)
            if arrivals[m] < 0:
                arrivals[m] = add_node(d, here)
                add_jump(d, arrivals[m], end, WEIGH, weight)
            start, end = guards[k], arrivals[m]
        for p in range(part + 2 * prog[label], part + 2 * prog[label + 1], 2):
            after, rest = end, base + prog[p + 1]
            if prog[p + 1] >= 0:
                place = slot(table, mix(rest, target, weight))
                known = table[place] - 1
                while known >= 0 and (
                    d.steps[known, 2] != rest or d.steps[known, 1] != first + target or weighed[place] != weight
                ):
                    place = next_slot(table, place)
                    known = table[place] - 1
                if known < 0:
                    known = d.counts[D_STEPS]
                    table[place], weighed[place] = known + 1, weight
                    before = add_node(d, here)
                    if weight:
                        add_jump(d, before, add_node(d, here), WEIGH, weight)
                    add_step(d, d.counts[D_NODES] - 1, first + target, rest)
                after = d.steps[known, 0] - (1 if weight else 0)
            add_step(d, start, after, base + prog[p])


@inner
def _enter_unordered(prog, d, frames, top, pc, a, b):  # type: ignore[no-untyped-def]
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
    entry, fan, hub = add_node(d, -1), add_node(d, -1), add_node(d, -1)
    inside = add_segment(d, MEMBER, required, b, FAR)
    first = d.counts[D_MEMBERS]
    d.counts[D_MEMBERS] += n
    between = add_segment(d, SEPARATOR, required, b, FAR)
    d.counts[D_MEMBERS] += n
    d.segments[inside, G_ENTER] = entry
    d.segments[inside, G_BROAD], d.segments[between, G_BROAD] = broad, broad
    places = d.counts[D_NODES]  # two nodes for each part, the separator last
    for k in range(n + extra):
        start, end = add_node(d, inside), add_node(d, inside)
        if k < n:
            for m in (first + k, first + n + k):
                d.members[m, 0], d.members[m, 1] = start, prog[pc + 4 + k]
            add_jump(d, fan, start, wide + ADD, k)
        else:
            d.segments[inside, G_EXTRA], d.segments[between, G_EXTRA] = start, start
            add_jump(d, fan, start, PLAIN, 0)
        add_jump(d, end, hub, DONE, 0)
    start, end = add_node(d, between), add_node(d, between)
    d.segments[inside, G_SEPARATOR], d.segments[between, G_SEPARATOR] = start, start
    add_jump(d, a, entry, PLAIN, 0)
    add_jump(d, entry, fan, PLAIN, 0)
    add_jump(d, entry, b, wide + HAS, required)
    add_jump(d, hub, b, wide + HAS, required)
    add_jump(d, hub, start, wide + LACKS, required + 1 if broad else 0)
    add_jump(d, end, fan, NEXT, 0)
    frames[top, F_LEFT], frames[top, F_BASE] = n + extra + 1, places
    frames[top, F_HERE], frames[top, F_TERMINAL] = inside, 1


@inlined
def _next_part(prog, d, frames, top, pc):  # type: ignore[no-untyped-def]
    """(from node, to node, where its operation begins) of the next part of frame `top`."""
    frames[top, F_LEFT] -= 1
    sort = frames[top, F_SORT]
    if sort == DO_SEQ and frames[top, F_LEFT] > 0:
        a, b = frames[top, F_FROM], add_node(d, frames[top, F_HERE])
        frames[top, F_FROM] = b
        return a, b, pc
    if sort == DO_GRAPH:
        k = frames[top, F_BASE]
        frames[top, F_BASE] = k + 1
        return d.steps[k, 0], d.steps[k, 1], d.steps[k, 2]
    if sort == DO_UNORDERED:
        start = frames[top, F_BASE]
        frames[top, F_BASE] = start + 2
        frames[top, F_HERE] = d.segment[start]
        return start, start + 1, pc
    return frames[top, F_FROM], frames[top, F_TO], pc


@inner
def emit(prog, d, frames, pc, a, b, rule):  # type: ignore[no-untyped-def]
    """Run the operation at prog[pc] between nodes a and b; False if it nests deeper than i64 `frames` (., 7)."""
    top = 0
    _open(frames, top, DO_ALT, a, b, -1, 0)
    while top >= 0:
        if frames[top, F_LEFT] == 0:
            if frames[top, F_SORT] == DO_TERMINAL and frames[top, F_BASE] >= 0:
                d.spans[frames[top, F_BASE], SPAN_END] = d.counts[D_NODES]
            if frames[top, F_SORT] == DO_GRAPH:
                d.counts[D_STEPS], pc = frames[top, F_FROM], frames[top, F_TO]
            top -= 1
            continue
        a, b, pc = _next_part(prog, d, frames, top, pc)
        here, in_terminal = frames[top, F_HERE], frames[top, F_TERMINAL]
        after = _leaf(prog, d, pc, a, b, here, rule)
        if after < 0:
            top += 1
            if top >= frames.shape[0]:
                return False
            after = _enter(prog, d, frames, top, pc, a, b, here, in_terminal)
        pc = after
    return True


@inner
def write_rules(prog, starts, d, frames):  # type: ignore[no-untyped-def]
    """Write rule r from prog[starts[r]]: its first node, its last node, and everything between; False if too deep."""
    for r in range(starts.shape[0]):
        d.rules[r, 0] = add_node(d, -1)
        d.rules[r, 1] = add_node(d, -1)
        if not emit(prog, d, frames, starts[r], d.rules[r, 0], d.rules[r, 1], r):
            return False
    number_sets(prog, d)
    return True
