"""Nodes of a network that take the same texts up to some length: what differs beyond it does not matter to a token.

An automaton that counts by its states, 63 letters between two dots, has hundreds of them that differ in nothing but how
many are left. `similar_nodes` names for each node the first that cannot be told from it by so many bytes.

Cost: nodes and edges once, then in each round the nodes before those that were parted in the round before.
Source: Moore 1956, whose rounds are the lengths; only what may change is looked at again, as in Hopcroft 1971.
Reference: tests/automata/test_likeness.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inlined
from structgen.kernels.arrays import filled_ints, filled_longs, longs
from structgen.kernels.hashing import joined, next_slot, slot, spread
from structgen.kernels.layout import ARC_TO, ARCS, CALLS, CHAIN, KIND, RULE, SEGMENT, SET, SILENT


@inlined
def _sort_arcs(net, sets, to):  # type: ignore[no-untyped-def]
    """The arcs with those of each node in the order of their sets."""
    for node in range(net.nodes.shape[0] - 1):
        first = net.nodes[node, ARCS]
        for a in range(first, net.nodes[node + 1, ARCS]):
            k, s, target = a, net.arcs[a, SET], net.arcs[a, ARC_TO]
            while k > first and sets[k - 1] > s:
                sets[k], to[k] = sets[k - 1], to[k - 1]
                k -= 1
            sets[k], to[k] = s, target


@inlined
def _same_edges(net, sets, a, b):  # type: ignore[no-untyped-def]
    """Whether two nodes agree in all but where their bytes lead; calls and silent edges have to lead to the same."""
    x, y = net.nodes[a], net.nodes[b]
    same = x[KIND] == y[KIND] and x[RULE] == y[RULE] and x[SEGMENT] == y[SEGMENT] and x[CHAIN] == y[CHAIN]
    arcs, calls, silent = x[ARCS], x[CALLS], x[SILENT]
    n_arcs, n_calls = net.nodes[a + 1, ARCS] - arcs, net.nodes[a + 1, CALLS] - calls
    n_silent = net.nodes[a + 1, SILENT] - silent
    same &= net.nodes[b + 1, ARCS] - y[ARCS] == n_arcs and net.nodes[b + 1, CALLS] - y[CALLS] == n_calls
    same &= net.nodes[b + 1, SILENT] - y[SILENT] == n_silent
    if not same:
        return False
    for k in range(n_arcs):
        same &= sets[arcs + k] == sets[y[ARCS] + k]
    for k in range(n_calls):
        for column in range(3):
            same &= net.calls[calls + k, column] == net.calls[y[CALLS] + k, column]
    for k in range(n_silent):
        for column in range(3):
            same &= net.silent[silent + k, column] == net.silent[y[SILENT] + k, column]
    return same


@inlined
def _same_ways(net, to, name, a, b):  # type: ignore[no-untyped-def]
    """Whether two nodes of one class lead to the same classes by each of their bytes."""
    same, first, other = name[a] == name[b], net.nodes[a, ARCS], net.nodes[b, ARCS]
    if same and net.nodes[a, CHAIN] >= 0:
        same = name[a + 1] == name[b + 1]
    k = 0
    while same and first + k < net.nodes[a + 1, ARCS]:
        same = name[to[first + k]] == name[to[other + k]]
        k += 1
    return same


@inlined
def _edges_hash(net, sets, node):  # type: ignore[no-untyped-def]
    h = joined(np.uint64(1), net.nodes[node, KIND], net.nodes[node, RULE], net.nodes[node, SEGMENT])
    h = joined(h, net.nodes[node, CHAIN], 0, 0)
    for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        h = joined(h, sets[a], 1, 0)
    for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
        h = joined(h, net.silent[e, 0], net.silent[e, 1], net.silent[e, 2])
    return spread(h)


@inlined
def _ways_hash(net, to, name, node):  # type: ignore[no-untyped-def]
    h = joined(np.uint64(1), name[node], name[node + 1] if net.nodes[node, CHAIN] >= 0 else -1, 0)
    for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
        h = joined(h, name[to[a]], 0, 0)
    return spread(h)


@allocating
def _before(net, to):  # type: ignore[no-untyped-def]
    """(where the nodes before each begin, those nodes)."""
    n = net.nodes.shape[0] - 1
    starts, found = filled_longs(n + 2, 0), longs(to.shape[0] + n)
    for sweep in range(2):
        for node in range(n):
            for a in range(net.nodes[node, ARCS] - 1, net.nodes[node + 1, ARCS]):
                if a < net.nodes[node, ARCS]:
                    if net.nodes[node, CHAIN] < 0:
                        continue
                    target = node + 1
                else:
                    target = to[a]
                if sweep:
                    found[starts[target + 1]] = node
                starts[target + 1 + (sweep == 0)] += 1
        if sweep == 0:
            for node in range(n):
                starts[node + 2] += starts[node + 1]
    return starts, found


@inlined
def _first_of_class(name, first, names, tier):  # type: ignore[no-untyped-def]
    for node in range(name.shape[0] - 1, -1, -1):
        first[name[node]] = node
    for node in range(name.shape[0]):
        names[tier, node] = first[name[node]]


@inlined
def _part(net, to, name, after, size, asked, table, used, todo, left, classes):  # type: ignore[no-untyped-def]
    """One round: part the first `left` nodes of `todo` from those of their classes that lead to other classes.

    (how many got another name, to be found in `used`; how many classes there are)
    """
    for k in range(left):
        asked[name[todo[k]]] += 1
    for k in range(left):
        node = todo[k]
        place = slot(table, _ways_hash(net, to, name, node))
        while table[place] != 0 and not _same_ways(net, to, name, table[place] - 1, node):
            place = next_slot(table, place)
        used[k] = np.int64(place)
        if table[place] != 0:
            after[node] = after[table[place] - 1]
            continue
        table[place] = node + 1
        if asked[name[node]] == size[name[node]]:  # nobody else is left: the first group keeps the name
            after[node] = name[node]
            asked[name[node]] = -1
        else:
            after[node] = classes
            classes += 1
    for k in range(left):
        table[used[k]] = 0
        asked[name[todo[k]]] = 0
    parted = 0
    for k in range(left):
        node = todo[k]
        if after[node] != name[node]:
            size[name[node]] -= 1
            name[node] = after[node]
            size[name[node]] += 1
            used[parted] = node
            parted += 1
    return parted, classes


@allocating
def similar_nodes(net, reaches, names):  # type: ignore[no-untyped-def]
    """Fill i32 names[t, node] with the first node that no text of up to reaches[t] bytes tells from `node`.

    reaches i64 (t,), ascending; names i32 (t, n). They agree in rule and segment as well, so that an item may stand for
    the other whatever its origin and register. Returns 0.
    """
    n, arcs = net.nodes.shape[0] - 1, net.arcs.shape[0]
    sets, to, slots = longs(arcs), longs(arcs), 16
    while slots < 2 * n:
        slots *= 2
    _sort_arcs(net, sets, to)
    starts, sources = _before(net, to)
    table, used = filled_ints(slots, 0), longs(n)
    name, after, first = filled_ints(n, 0), filled_ints(n, 0), filled_ints(n, 0)
    size, asked, stamp = filled_longs(n, 0), filled_longs(n, 0), filled_longs(n, -1)
    todo, classes = longs(n), 0
    for node in range(n):
        todo[node] = node
        place = slot(table, _edges_hash(net, sets, node))
        while table[place] != 0 and not _same_edges(net, sets, table[place] - 1, node):
            place = next_slot(table, place)
        if table[place] == 0:
            table[place] = node + 1
            name[node] = classes
            classes += 1
        else:
            name[node] = name[table[place] - 1]
        size[name[node]] += 1
    table[:] = 0
    left, tier = n, 0
    for length in range(reaches[-1] + 1):
        while tier < reaches.shape[0] and reaches[tier] == length:
            _first_of_class(name, first, names, tier)
            tier += 1
        parted, classes = _part(net, to, name, after, size, asked, table, used, todo, left, classes)
        left = 0
        for k in range(parted):
            for e in range(starts[used[k]], starts[used[k] + 1]):
                if stamp[sources[e]] != length:
                    stamp[sources[e]] = length
                    todo[left] = sources[e]
                    left += 1
    return 0
