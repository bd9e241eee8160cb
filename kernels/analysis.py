"""Fewest bytes from every node of a rule network to the end of its rule, by a fixpoint (Knuth 1977).

A node whose figure stays FAR cannot finish; its edges are removed, so that no mask ever leads into a dead end.
Cost: passes over all edges, nodes after their successors, until nothing changes that was read before it changed: two or
three. Receipt: until nothing changed at all, with rules settled between the passes, they were half of making a network
of 450,000 nodes (300 ms, now 160).
Source: Knuth 1977, a generalisation of Dijkstra's algorithm; here by relaxation. Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inlined
from structgen.kernels.arrays import filled_ints, filled_longs, longs
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    BODY,
    BROAD,
    CALL_TO,
    CALLED,
    CALLS,
    CHAIN,
    COUNTED,
    DONE,
    ENDS,
    EXIT,
    EXTRA,
    FAR,
    FINAL,
    FIRST,
    KIND,
    LEAST,
    LONG,
    MEMBERS,
    MINIMUM,
    NEXT,
    OP,
    PLAIN,
    RULE,
    RULE_LEAST,
    SEGMENT,
    SEPARATOR,
    SET,
    SILENT,
    SILENT_TO,
    SOLID,
    SORT,
    SPARE,
    UPTO,
)  # fmt: skip

UNSEEN, OPEN, LOOPED, CLOSED = range(4)  # of a node on the walk; LOOPED: met again while it was open


@inlined
def _node_least(net, solid, own_solid, node):  # type: ignore[no-untyped-def]
    """(fewest bytes, fewest bytes if not zero) from `node`, as far as its successors' figures are known."""
    best, best_solid = np.int64(FAR), np.int64(FAR)
    if net.nodes[node, KIND] & (ENDS | FINAL):
        best = np.int64(0)
    if net.nodes[node, CHAIN] >= 0:
        best_solid = 1 + net.nodes[node + 1, LEAST]
    for e in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        s = net.arcs[e, SET]
        if net.sets[s, 0] | net.sets[s, 1] | net.sets[s, 2] | net.sets[s, 3]:
            best_solid = min(best_solid, 1 + net.nodes[net.arcs[e, ARC_TO], LEAST])
    for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
        rule, to = net.calls[e, CALLED], net.calls[e, CALL_TO]
        best_solid = min(best_solid, solid[rule] + net.nodes[to, LEAST])
        if net.rules[rule, RULE_LEAST] == 0 and net.calls[e, SOLID] == 0:
            best, best_solid = min(best, net.nodes[to, LEAST]), min(best_solid, own_solid[to])
    for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
        op, to = net.silent[e, OP], net.silent[e, SILENT_TO]
        if op == PLAIN or op >= SPARE:
            best, best_solid = min(best, net.nodes[to, LEAST]), min(best_solid, own_solid[to])
        elif op in (UPTO, DONE, NEXT):
            best = np.int64(0)
        else:
            best = min(best, net.nodes[to, LEAST])  # hubs of segments: never items, so only FAR or not matters
    return min(best, best_solid), best_solid


@inlined
def is_required(net, g, k):  # type: ignore[no-untyped-def]
    """Whether member k of segment g must be written."""
    if net.segments[g, BROAD]:
        return (net.wide[net.segments[g, MINIMUM], k >> 6] >> np.uint64(k & 63)) & np.uint64(1) != 0
    return (net.segments[g, MINIMUM] >> k) & 1 != 0


@inlined
def _entry_least(net, g, body, leave, fan, fan_extra, fan_separator):  # type: ignore[no-untyped-def]
    """Fewest bytes from the entry of segment g to its rule's end; refreshes the segment's own figures."""
    net.segments[g, EXIT] = net.nodes[leave[g], LEAST]
    if net.segments[g, SORT] == COUNTED:
        net.segments[g, BODY] = net.nodes[body[g], LEAST]
        times = net.segments[g, MINIMUM]
        if times == 0:
            return net.segments[g, EXIT]
        if net.segments[g, BODY] >= FAR or net.segments[g, EXIT] >= FAR:
            return np.int64(FAR)
        return min(
            min(times, LONG // (net.segments[g, BODY] + 1)) * net.segments[g, BODY] + net.segments[g, EXIT], LONG
        )
    net.segments[g, EXTRA] = net.nodes[fan_extra[g], LEAST] if fan_extra[g] >= 0 else FAR
    net.segments[g, BODY] = net.nodes[fan_separator[g], LEAST]
    total, count = np.int64(0), 0
    for k in range(net.segments[g + 1, MEMBERS] - net.segments[g, MEMBERS]):
        cost = net.nodes[fan[net.segments[g, MEMBERS] + k], LEAST]
        net.members[net.segments[g, MEMBERS] + k] = cost
        if is_required(net, g, k):
            if cost >= FAR:
                return np.int64(FAR)
            total += cost
            count += 1
    if count > 1:
        total += (count - 1) * net.segments[g, BODY]
    return min(total + net.segments[g, EXIT], FAR)


@allocating
def _postorder(net):  # type: ignore[no-untyped-def]
    """i64 (n,): the nodes, each after those it depends on but for cycles; i8 (n,): LOOPED for those that a later one is
    before in spite of that. Tarjan 1972's walk, with a stack of its own, on which ~node stands for a node whose
    dependencies are above it.

    Receipt: in the order of numbers the passes below were as many as an object has required properties (a thousand of
    them: 800 ms, now 15).
    """
    n = net.nodes.shape[0] - 1
    order, seen = longs(n), np.zeros(n, np.int8)
    stack = longs(3 * n + net.arcs.shape[0] + 2 * net.calls.shape[0] + net.silent.shape[0])
    done = 0
    for root in range(n):
        stack[0], top = root, 1
        while top > 0:
            top -= 1
            node = stack[top]
            if node < 0:
                order[done] = ~node
                done += 1
                if seen[~node] == OPEN:
                    seen[~node] = CLOSED
                continue
            if seen[node] != UNSEEN:
                continue
            seen[node], stack[top] = OPEN, ~node
            top = _push(net, seen, stack, top + 1, node)
    return order, seen


@inlined
def _push_one(seen, stack, top, node):  # type: ignore[no-untyped-def]
    """Put a node onto the stack if it is UNSEEN; the new top."""
    if seen[node] == UNSEEN:
        stack[top] = node
        return top + 1
    if seen[node] == OPEN:
        seen[node] = LOOPED
    return top


@inlined
def _push(net, seen, stack, top, node):  # type: ignore[no-untyped-def]
    """Put what the figures of `node` depend on, as far as it is UNSEEN, onto the stack; the new top."""
    if net.nodes[node, CHAIN] >= 0:
        top = _push_one(seen, stack, top, node + 1)
    for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
        top = _push_one(seen, stack, top, net.silent[e, SILENT_TO])
    for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
        top = _push_one(seen, stack, top, net.rules[net.calls[e, CALLED], FIRST])
        top = _push_one(seen, stack, top, net.calls[e, CALL_TO])
    for e in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        top = _push_one(seen, stack, top, net.arcs[e, ARC_TO])
    return top


@allocating
def measure_network(net, enter, body, leave, fan, fan_extra, fan_separator):  # type: ignore[no-untyped-def]
    """Fill LEAST, RULE_LEAST and the figures of segments and members in place.

    enter i64 (g,) entry node of each segment (-1: none), body i64 (g,) first node of a counted body, leave i64 (g,)
    node after the segment, fan i64 (m,) first node of each member, fan_extra, fan_separator i64 (g,) or -1.
    """
    n, rules = net.nodes.shape[0] - 1, net.rules.shape[0]
    solid, own_solid = filled_longs(rules, FAR), filled_longs(n, FAR)
    net.nodes[:, LEAST] = FAR
    net.rules[:, RULE_LEAST] = FAR
    entry_of = filled_ints(n, -1)
    for g in range(enter.shape[0]):
        if enter[g] >= 0:
            entry_of[enter[g]] = g
    order, seen = _postorder(net)
    changed = True
    while changed:
        changed = False
        for node in order:
            g = entry_of[node]
            if g >= 0:
                best = _entry_least(net, g, body, leave, fan, fan_extra, fan_separator)
                best_solid = best if best > 0 else np.int64(FAR)
                if best == 0:
                    best_solid = _enter_solid(net, own_solid, g, body, leave, fan)
            else:
                best, best_solid = _node_least(net, solid, own_solid, node)
            best, best_solid = min(best, FAR), min(best_solid, FAR)
            if best < net.nodes[node, LEAST] or best_solid < own_solid[node]:
                net.nodes[node, LEAST], own_solid[node] = (
                    min(best, net.nodes[node, LEAST]),
                    min(best_solid, own_solid[node]),
                )
                rule = net.nodes[node, RULE]
                if net.rules[rule, FIRST] == node:
                    net.rules[rule, RULE_LEAST], solid[rule] = net.nodes[node, LEAST], own_solid[node]
                # What else was read before it has changed: in a cycle, or the figures of a segment.
                changed |= seen[node] == LOOPED or g >= 0 or net.nodes[node, SEGMENT] >= 0
    for g in range(enter.shape[0]):
        if net.segments[g, SORT] == SEPARATOR:  # the twin of the MEMBER segment before it
            net.segments[g, BODY] = net.segments[g - 1, BODY]
            net.segments[g, EXIT] = net.segments[g - 1, EXIT]
            net.segments[g, EXTRA] = net.segments[g - 1, EXTRA]
            for k in range(net.segments[g + 1, MEMBERS] - net.segments[g, MEMBERS]):
                net.members[net.segments[g, MEMBERS] + k] = net.members[net.segments[g - 1, MEMBERS] + k]


@inlined
def _enter_solid(net, own_solid, g, body, leave, fan):  # type: ignore[no-untyped-def]
    """Fewest bytes, not zero, through a segment that may be left at once."""
    best = own_solid[leave[g]]
    if net.segments[g, SORT] == COUNTED:
        return min(best, net.nodes[body[g], LEAST] + net.segments[g, EXIT])
    for k in range(net.segments[g, MEMBERS], net.segments[g + 1, MEMBERS]):
        best = min(best, net.members[k] + net.segments[g, EXIT])
    return min(best, net.segments[g, EXTRA] + net.segments[g, EXIT])
