"""Nodes of a network that take the same texts up to some length: what differs beyond it does not matter to a token.

An automaton that counts by its states, 63 letters between two dots, has hundreds of them that differ in nothing but how
many are left. `similar_nodes` names for each node the first that cannot be told from it by so many moves: by bytes, or
along silent edges.

Cost: nodes and edges once, then in each round the nodes before those that were parted in the round before; of a
class that falls apart, the largest part keeps its name. Edges are copied to where a round finds them side by side.
Receipt: an e-mail address whose letters may be escaped, 21,000 nodes, 5.7 -> 2.2 ms.
Source: Moore 1956, whose rounds are the moves; only what may change is looked at again, as in Hopcroft 1971.
Reference: tests/automata/test_blur.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inlined
from structgen.kernels.arrays import filled_int_rows, filled_ints, ints
from structgen.kernels.hashing import chained, next_slot, slot, spread
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ARG,
    CALLS,
    CHAIN,
    KIND,
    OP,
    RULE,
    SEGMENT,
    SET,
    SILENT,
    SILENT_TO,
)

SILENTLY = -2  # in place of a set

# Columns of what a round knows of a node, and of a class by its number (an array serves both: there are as many).
NAME, GROUP = range(2)  # its class; the first node of the round that leads where it does
SIZE, ASKED, LARGEST = range(3)  # of a class: nodes, those of the round, the largest of its groups
GROUPED, NEW = 3, 4  # of a group: nodes, the name it gets


@allocating
def _members(compared):  # type: ignore[no-untyped-def]
    """(the nodes that are compared, ascending; for each node its place among them or -1)."""
    count = 0
    for node in range(compared.shape[0]):
        count += compared[node]
    members, place, k = ints(count), filled_ints(compared.shape[0], -1), 0
    for node in range(compared.shape[0]):
        if compared[node]:
            members[k], place[node] = node, k
            k += 1
    return members, place


@allocating
def _edges(net, members, place, along):  # type: ignore[no-untyped-def]
    """(where the edges of each member begin, their sets, -1 for the chain or SILENTLY, where they lead), by their sets;
    silent ones as far as they lead to nodes that have a place in `along`."""
    first, total = ints(members.shape[0] + 1), 0
    for k in range(members.shape[0]):
        first[k] = total
        node = members[k]
        total += net.nodes[node + 1, ARCS] - net.nodes[node, ARCS] + (net.nodes[node, CHAIN] >= 0)
        for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
            total += along[net.silent[e, SILENT_TO]] >= 0
    first[members.shape[0]] = total
    sets, to = ints(total), ints(total)
    for k in range(members.shape[0]):
        node, at = members[k], first[k]
        if net.nodes[node, CHAIN] >= 0:
            sets[at], to[at] = -1, place[node + 1]
            at += 1
        start = at
        for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
            j, s = at, net.arcs[a, SET]
            while j > start and sets[j - 1] > s:
                sets[j], to[j] = sets[j - 1], to[j - 1]
                j -= 1
            sets[j], to[j] = s, place[net.arcs[a, ARC_TO]]
            at += 1
        for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
            if along[net.silent[e, SILENT_TO]] >= 0:
                sets[at], to[at] = SILENTLY, along[net.silent[e, SILENT_TO]]
                at += 1
    return first, sets, to


@allocating
def _before(first, to):  # type: ignore[no-untyped-def]
    """(where the members before each begin, those members)."""
    size = first.shape[0] - 1
    starts, found = filled_ints(size + 2, 0), ints(to.shape[0])
    for e in range(to.shape[0]):
        starts[to[e] + 2] += 1
    for k in range(size):
        starts[k + 2] += starts[k + 1]
    for k in range(size):
        for e in range(first[k], first[k + 1]):
            found[starts[to[e] + 1]] = k
            starts[to[e] + 1] += 1
    return starts, found


@inlined
def _same_node(net, along, a, b):  # type: ignore[no-untyped-def]
    """Whether two nodes agree in all but edges that are followed; calls, and silent edges that are not, have to lead to
    the same."""
    x, y = net.nodes[a], net.nodes[b]
    same = x[KIND] == y[KIND] and x[RULE] == y[RULE] and x[SEGMENT] == y[SEGMENT] and x[CHAIN] == y[CHAIN]
    calls, silent = x[CALLS], x[SILENT]
    n_calls, n_silent = net.nodes[a + 1, CALLS] - calls, net.nodes[a + 1, SILENT] - silent
    same &= net.nodes[b + 1, CALLS] - y[CALLS] == n_calls and net.nodes[b + 1, SILENT] - y[SILENT] == n_silent
    if not same:
        return False
    for k in range(n_calls):
        for column in range(3):
            same &= net.calls[calls + k, column] == net.calls[y[CALLS] + k, column]
    for k in range(n_silent):
        s, t = net.silent[silent + k], net.silent[y[SILENT] + k]
        followed = along[s[SILENT_TO]] >= 0 and along[t[SILENT_TO]] >= 0
        same &= s[OP] == t[OP] and s[ARG] == t[ARG] and (followed or s[SILENT_TO] == t[SILENT_TO])
    return same


@inlined
def _same_edges(first, labels, a, b):  # type: ignore[no-untyped-def]
    """Whether the edges of two members have the same labels one by one: sets, or the classes they lead to."""
    same = first[a + 1] - first[a] == first[b + 1] - first[b]
    k = 0
    while same and first[a] + k < first[a + 1]:
        same = labels[first[a] + k] == labels[first[b] + k]
        k += 1
    return same


@inlined
def _same_ways(first, to, names, a, b):  # type: ignore[no-untyped-def]
    """Whether two members of one class lead to the same classes."""
    same, k = names[a, NAME] == names[b, NAME], 0
    while same and first[a] + k < first[a + 1]:
        same = names[to[first[a] + k], NAME] == names[to[first[b] + k], NAME]
        k += 1
    return same


@inlined
def _begin(net, members, along, first, sets, names, classes, table):  # type: ignore[no-untyped-def]
    """Name the members by what they say themselves; how many classes there are."""
    count = 0
    for k in range(members.shape[0]):
        node = members[k]
        h = chained(
            chained(chained(np.uint64(1), net.nodes[node, KIND]), net.nodes[node, RULE]), net.nodes[node, SEGMENT]
        )
        h = chained(h, net.nodes[node, CHAIN])
        for e in range(first[k], first[k + 1]):
            h = chained(h, sets[e])
        for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
            h = chained(chained(h, net.calls[e, 0]), net.calls[e, 1])
        for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
            h = chained(chained(h, net.silent[e, OP]), net.silent[e, ARG])
            if along[net.silent[e, SILENT_TO]] < 0:
                h = chained(h, net.silent[e, SILENT_TO])
        at = slot(table, spread(h))
        while table[at] != 0:
            other = table[at] - 1
            if _same_edges(first, sets, other, k) and _same_node(net, along, members[other], node):
                break
            at = next_slot(table, at)
        if table[at] == 0:
            table[at] = k + 1
            names[k, NAME] = count
            count += 1
        else:
            names[k, NAME] = names[table[at] - 1, NAME]
        classes[names[k, NAME], SIZE] += 1
    table[:] = 0
    return count


@inlined
def _group(first, to, names, classes, table, used, todo, left):  # type: ignore[no-untyped-def]
    """Find for the first `left` of `todo` the group of those of their class that lead where they do."""
    for k in range(left):
        node = todo[k]
        classes[names[node, NAME], ASKED] += 1
        h = chained(np.uint64(1), names[node, NAME])
        for e in range(first[node], first[node + 1]):
            h = chained(h, names[to[e], NAME])
        place = slot(table, spread(h))
        while table[place] != 0 and not _same_ways(first, to, names, table[place] - 1, node):
            place = next_slot(table, place)
        used[k] = np.int32(place)
        if table[place] == 0:
            table[place] = node + 1
        names[node, GROUP] = table[place] - 1
        classes[table[place] - 1, GROUPED] += 1
    for k in range(left):
        table[used[k]] = 0
        name, group = names[todo[k], NAME], names[todo[k], GROUP]
        largest = classes[name, LARGEST]
        if classes[name, ASKED] == classes[name, SIZE] and (
            largest < 0 or classes[group, GROUPED] > classes[largest, GROUPED]
        ):
            classes[name, LARGEST] = group


@inlined
def _rename(names, classes, todo, left, used, count):  # type: ignore[no-untyped-def]
    """Give every group a name of its own, apart from the largest of a class of which nobody else is left.

    (how many got another name, to be found in `used`; how many classes there are)
    """
    parted = 0
    for k in range(left):
        node = todo[k]
        name, group = names[node, NAME], names[node, GROUP]
        if classes[name, LARGEST] == group:
            continue
        if classes[group, NEW] < 0:
            classes[group, NEW] = count
            count += 1
        used[parted] = node
        parted += 1
    for k in range(left):
        classes[names[todo[k], NAME], ASKED], classes[names[todo[k], NAME], LARGEST] = 0, -1
        classes[names[todo[k], GROUP], GROUPED] = 0
    for k in range(parted):
        node = used[k]
        classes[names[node, NAME], SIZE] -= 1
        names[node, NAME] = classes[names[node, GROUP], NEW]
        classes[names[node, NAME], SIZE] += 1
    for k in range(parted):
        classes[names[used[k], GROUP], NEW] = -1
    return parted, count


@inlined
def _write(members, names, firsts, tier):  # type: ignore[no-untyped-def]
    """Name every member after the first of its class."""
    for k in range(members.shape[0] - 1, -1, -1):
        firsts[names[k, NAME]] = members[k]
    for k in range(members.shape[0]):
        tier[members[k]] = firsts[names[k, NAME]]


@inlined
def _ask(starts, sources, classes, names, stamp, length, used, parted, todo):  # type: ignore[no-untyped-def]
    """Write to `todo` the members before those that got another name, but for those alone in their class; how many."""
    left = 0
    for k in range(parted):
        for e in range(starts[used[k]], starts[used[k] + 1]):
            source = sources[e]
            if stamp[source] != length and classes[names[source, NAME], SIZE] > 1:
                stamp[source] = length
                todo[left] = source
                left += 1
    return left


@allocating
def similar_nodes(net, moves, silently, compared, names):  # type: ignore[no-untyped-def]
    """Write to i32 names[t, node] the first of the nodes in bool `compared` (n,) that no way of up to moves[t] moves
    tells from `node`, of those; the others keep what stands there. Edges by bytes must not leave them. Silent ones
    among them are moves if bool `silently`; else they have to lead to the same node, as those that leave them.

    moves i64 (t,), ascending; names i32 (t, n). They agree in rule and segment as well, so that an item may stand for
    the other whatever its origin and register. Returns 0.
    """
    members, place = _members(compared)
    along = place if silently else filled_ints(compared.shape[0], -1)
    size, slots, tier = members.shape[0], 16, 0
    while slots < 2 * size:
        slots *= 2
    first, sets, to = _edges(net, members, place, along)
    starts, sources = _before(first, to)
    own, classes, firsts = filled_int_rows(size, 2, 0), filled_int_rows(size, 5, 0), ints(size)
    table, used, todo, stamp = filled_ints(slots, 0), ints(size), ints(size), filled_ints(size, -1)
    for k in range(size):
        todo[k], classes[k, LARGEST], classes[k, NEW] = k, -1, -1
    count, left = _begin(net, members, along, first, sets, own, classes, table), size
    for length in range(moves[-1] + 1):
        while tier < moves.shape[0] and moves[tier] == length:
            _write(members, own, firsts, names[tier])
            tier += 1
        _group(first, to, own, classes, table, used, todo, left)
        parted, count = _rename(own, classes, todo, left, used, count)
        left = _ask(starts, sources, classes, own, stamp, length, used, parted, todo)
    return 0
