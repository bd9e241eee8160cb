"""What a rule network can do at least: fewest bytes from every node to the end of its rule, by a fixpoint.

A node whose figure stays FAR cannot finish; its edges are removed, so that no mask ever leads into a dead end.
Cost: passes over all edges until nothing changes, about the nesting depth of the rules (nodes are visited last to first).
Source: Knuth 1977, a generalisation of Dijkstra's algorithm; here by relaxation. Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import jit
from structgen.kernels.layout import COUNTED, DONE, ENDS, FAR, FINAL, LONG, NEXT, PLAIN, SEPARATOR, UPTO


@jit
def _node_least(net, solid, own_solid, node):  # type: ignore[no-untyped-def]
    """(fewest bytes, fewest bytes if not zero) from `node`, as far as its successors' figures are known."""
    best, best_solid = np.int64(FAR), np.int64(FAR)
    if net.kind[node] & (ENDS | FINAL):
        best = 0
    if net.chain[node] >= 0:
        best_solid = 1 + net.least[node + 1]
    for e in range(net.arc_start[node], net.arc_start[node + 1]):
        s = net.arc_set[e]
        if net.sets[s, 0] | net.sets[s, 1] | net.sets[s, 2] | net.sets[s, 3]:
            best_solid = min(best_solid, 1 + net.least[net.arc_to[e]])
    for e in range(net.call_start[node], net.call_start[node + 1]):
        rule, to = net.call_rule[e], net.call_to[e]
        best_solid = min(best_solid, solid[rule] + net.least[to])
        if net.rule_least[rule] == 0 and net.call_solid[e] == 0:
            best, best_solid = min(best, net.least[to]), min(best_solid, own_solid[to])
    for e in range(net.eps_start[node], net.eps_start[node + 1]):
        op, to = net.eps_op[e], net.eps_to[e]
        if op == PLAIN:
            best, best_solid = min(best, net.least[to]), min(best_solid, own_solid[to])
        elif op == UPTO or op == DONE or op == NEXT:
            best = 0
        else:
            best = min(best, net.least[to])  # hubs of segments: never items, so only FAR or not matters
    return min(best, best_solid), best_solid


@jit
def _entry_least(net, g, body, leave, fan, fan_extra, fan_separator):  # type: ignore[no-untyped-def]
    """Fewest bytes from the entry of segment g to its rule's end; refreshes the segment's own figures."""
    net.seg_exit[g] = net.least[leave[g]]
    if net.seg_kind[g] == COUNTED:
        net.seg_body[g] = net.least[body[g]]
        times = net.seg_min[g]
        if times == 0:
            return net.seg_exit[g]
        if net.seg_body[g] >= FAR or net.seg_exit[g] >= FAR:
            return np.int64(FAR)
        return min(min(times, LONG // (net.seg_body[g] + 1)) * net.seg_body[g] + net.seg_exit[g], LONG)
    net.seg_extra[g] = net.least[fan_extra[g]] if fan_extra[g] >= 0 else FAR
    net.seg_body[g] = net.least[fan_separator[g]]
    total, count = np.int64(0), 0
    for k in range(net.member_start[g + 1] - net.member_start[g]):
        cost = net.least[fan[net.member_start[g] + k]]
        net.member_least[net.member_start[g] + k] = cost
        if net.seg_min[g] & (np.int64(1) << k):
            if cost >= FAR:
                return np.int64(FAR)
            total += cost
            count += 1
    if count > 1:
        total += (count - 1) * net.seg_body[g]
    return min(total + net.seg_exit[g], FAR)


@jit
def measure_network(net, enter, body, leave, fan, fan_extra, fan_separator):  # type: ignore[no-untyped-def]
    """Fill least, rule_least and the seg_/member_ figures in place.

    enter i32 (g,) entry node of each segment (-1: none), body i32 (g,) first node of a counted body, leave i32 (g,) node
    after the segment, fan i32 (m,) first node of each member, fan_extra, fan_separator i32 (g,) or -1.
    """
    n, rules = net.chain.shape[0], net.rule_start.shape[0]
    solid, own_solid = np.full(rules, FAR, np.int64), np.full(n, FAR, np.int64)
    net.least[:] = FAR
    net.rule_least[:] = FAR
    entry_of = np.full(n, -1, np.int32)
    for g in range(enter.shape[0]):
        if enter[g] >= 0:
            entry_of[enter[g]] = g
    changed = True
    while changed:
        changed = False
        for node in range(n - 1, -1, -1):
            g = entry_of[node]
            if g >= 0:
                best = _entry_least(net, g, body, leave, fan, fan_extra, fan_separator)
                best_solid = best if best > 0 else np.int64(FAR)
                if best == 0:
                    best_solid = _enter_solid(net, own_solid, g, body, leave, fan)
            else:
                best, best_solid = _node_least(net, solid, own_solid, node)
            best, best_solid = min(best, FAR), min(best_solid, FAR)
            if best < net.least[node] or best_solid < own_solid[node]:
                net.least[node], own_solid[node] = min(best, net.least[node]), min(best_solid, own_solid[node])
                changed = True
        for r in range(rules):
            start = net.rule_start[r]
            if net.least[start] < net.rule_least[r] or own_solid[start] < solid[r]:
                net.rule_least[r], solid[r] = net.least[start], own_solid[start]
                changed = True
    for g in range(enter.shape[0]):
        if net.seg_kind[g] == SEPARATOR:  # the twin of the MEMBER segment before it
            net.seg_body[g], net.seg_exit[g], net.seg_extra[g] = net.seg_body[g - 1], net.seg_exit[g - 1], net.seg_extra[g - 1]
            for k in range(net.member_start[g + 1] - net.member_start[g]):
                net.member_least[net.member_start[g] + k] = net.member_least[net.member_start[g - 1] + k]


@jit
def _enter_solid(net, own_solid, g, body, leave, fan):  # type: ignore[no-untyped-def]
    """Fewest bytes, not zero, through a segment that may be left at once."""
    best = own_solid[leave[g]]
    if net.seg_kind[g] == COUNTED:
        return min(best, net.least[body[g]] + net.seg_exit[g])
    for k in range(net.member_start[g], net.member_start[g + 1]):
        best = min(best, net.member_least[k] + net.seg_exit[g])
    return min(best, net.seg_extra[g] + net.seg_exit[g])
