"""Byte by byte: from an interned Earley configuration to the next one.

A configuration is a set of items (node, origin, attr), closed under epsilon edges, empty calls and completion, and
interned by content, so equal parser states share one id and a transition computed once is a table look-up ever after.
`origin` is the id of the configuration in which the item's rule was called; the callers of a rule are found there.

Cost of one new configuration: linear in its items plus the callers completed into; a known transition: one load.
Sources: Earley 1970; Aycock and Horspool 2002 (empty rules are skipped at prediction); Leo 1991 (a tail call hands its
caller down, so closing a right recursion of depth d costs O(1), not O(d)). Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import jit
from structgen.kernels.layout import (
    ADD,
    BELOW,
    COUNTED,
    CROWDED,
    ENDS,
    ENOUGH,
    FAR,
    FINAL,
    GROW,
    HAS,
    LACKS,
    LONG,
    MEMBER,
    N_CALLERS,
    N_CONFIGS,
    N_ITEMS,
    N_SCANS,
    STAYS,
    TAIL,
    UNKNOWN,
    UPTO,
)


@jit
def _mix(node, origin, attr):  # type: ignore[no-untyped-def]
    """Hash of one item (splitmix64 finaliser)."""
    h = np.uint64(node) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(origin) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(attr) * np.uint64(0x165667B19E3779F9)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return h ^ (h >> np.uint64(27))


@jit
def _push(work, n, node, origin, attr):  # type: ignore[no-untyped-def]
    """Add an item to the agenda unless it is there; returns the new length, CROWDED when full."""
    mask = np.uint64(work.slot.shape[0] - 1)
    place = _mix(node, origin, attr) & mask
    clock = work.clock[0]
    while work.stamp[place] == clock:
        at = work.slot[place]
        if work.node[at] == node and work.origin[at] == origin and work.attr[at] == attr:
            return n
        place = (place + np.uint64(1)) & mask
    if n >= work.node.shape[0]:
        return CROWDED
    work.stamp[place] = clock
    work.slot[place] = n
    work.node[n], work.origin[n], work.attr[n] = node, origin, attr
    return n + 1


@jit
def _apply(op, arg, attr):  # type: ignore[no-untyped-def]
    """The register after an epsilon edge, or -1 when the edge does not let it pass."""
    if op == BELOW:
        return attr if attr < arg else -1
    if op == UPTO:
        return min(attr + 1, arg)
    if op == ENOUGH:
        return 0 if attr >= arg else -1
    if op == ADD:
        bit = np.int64(1) << arg
        return -1 if attr & bit else attr | bit
    if op == HAS:
        return 0 if attr & arg == arg else -1
    if op == LACKS:
        return -1 if attr & arg == arg else attr
    return attr


@jit
def _silent(net, work, n, node, origin, attr):  # type: ignore[no-untyped-def]
    """Push what an item reaches without a byte: epsilon edges and calls of rules that may be empty."""
    for e in range(net.eps_start[node], net.eps_start[node + 1]):
        after = _apply(net.eps_op[e], net.eps_arg[e], attr)
        if after >= 0:
            n = _push(work, n, net.eps_to[e], origin, after)
            if n < 0:
                return n
    for e in range(net.call_start[node], net.call_start[node + 1]):
        if net.rule_least[net.call_rule[e]] == 0 and net.call_solid[e] == 0:
            n = _push(work, n, net.call_to[e], origin, attr)
            if n < 0:
                return n
    return n


@jit
def _first_caller(memo, config, rule):  # type: ignore[no-untyped-def]
    """Index of the first caller of `rule` in `config` (callers are sorted by rule)."""
    low, high = memo.caller_start[config], memo.caller_start[config + 1]
    while low < high:
        middle = (low + high) // 2
        if memo.caller_rule[middle] < rule:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _complete(net, memo, work, n, node, origin):  # type: ignore[no-untyped-def]
    """Push the returns of everyone who called this node's rule in `origin`."""
    rule = net.rule_of[node]
    for e in range(_first_caller(memo, origin, rule), memo.caller_start[origin + 1]):
        if memo.caller_rule[e] != rule:
            break
        n = _push(work, n, memo.caller_to[e], memo.caller_origin[e], memo.caller_attr[e])
        if n < 0:
            return n
    return n


@jit
def rest_of_segment(net, node, attr):  # type: ignore[no-untyped-def]
    """Fewest bytes from an item's node to the end of its rule."""
    g = net.segment[node]
    if g < 0:
        return net.least[node]
    total = net.least[node] + net.seg_exit[g]
    if net.seg_kind[g] == COUNTED:
        left = net.seg_min[g] - attr - 1
        if left > 0:
            total += min(left, LONG // (net.seg_body[g] + 1)) * net.seg_body[g]
        return min(total, LONG)
    separators, best = 0, net.seg_extra[g]
    for k in range(net.member_start[g + 1] - net.member_start[g]):
        bit = np.int64(1) << k
        if attr & bit == 0:
            cost = net.member_least[net.member_start[g] + k]
            best = min(best, cost)
            if net.seg_min[g] & bit:
                total += cost
                separators += 1
    if net.seg_kind[g] == MEMBER:
        total += separators * net.seg_body[g]
    elif separators == 0:
        total += best
    else:
        total += (separators - 1) * net.seg_body[g]
    return min(total, LONG)


@jit
def _far_beyond(net, memo, node, origin):  # type: ignore[no-untyped-def]
    """Fewest bytes still to write once the rule of `node`, called in `origin`, is complete."""
    if net.kind[node] & FINAL or net.rule_of[node] == 0:
        return 0
    rule, best = net.rule_of[node], FAR
    for e in range(_first_caller(memo, origin, rule), memo.caller_start[origin + 1]):
        if memo.caller_rule[e] != rule:
            break
        best = min(best, memo.caller_far[e])
    return best


@jit
def _sort_items(work, n):  # type: ignore[no-untyped-def]
    """Shell sort of the first n agenda items by (node, origin, attr); most agendas hold fewer than ten."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            node, origin, attr = work.node[i], work.origin[i], work.attr[i]
            j = i
            while j >= gap:
                k = j - gap
                if work.node[k] < node:
                    break
                if work.node[k] == node:
                    if work.origin[k] < origin:
                        break
                    if work.origin[k] == origin and work.attr[k] <= attr:
                        break
                work.node[j], work.origin[j], work.attr[j] = work.node[k], work.origin[k], work.attr[k]
                j = k
            work.node[j], work.origin[j], work.attr[j] = node, origin, attr
        gap //= 3


@jit
def _lookup(memo, work, n):  # type: ignore[no-untyped-def]
    """(configuration or 0, table place) of the kernel in the first n agenda slots."""
    h = np.uint64(n)
    for i in range(n):
        h = h * np.uint64(0x100000001B3) ^ _mix(work.node[i], work.origin[i], work.attr[i])
    mask = np.uint64(memo.table.shape[0] - 1)
    place = (h ^ (h >> np.uint64(32))) & mask
    while memo.table[place] != 0:
        c = memo.table[place]
        start = memo.item_start[c]
        if memo.item_start[c + 1] - start == n:
            same = True
            for i in range(n):
                if (
                    memo.item_node[start + i] != work.node[i]
                    or memo.item_origin[start + i] != work.origin[i]
                    or memo.item_attr[start + i] != work.attr[i]
                ):
                    same = False
                    break
            if same:
                return c, place
        place = (place + np.uint64(1)) & mask
    return np.int32(0), place


@jit
def _add_caller(net, memo, at, base, rule, to, origin, attr):  # type: ignore[no-untyped-def]
    """Insert a caller keeping [base, at) sorted by rule and free of duplicates; returns the new end, GROW when full."""
    if at >= memo.caller_rule.shape[0]:
        return GROW
    place = at
    while place > base and memo.caller_rule[place - 1] > rule:
        place -= 1
    i = place
    while i > base and memo.caller_rule[i - 1] == rule:
        i -= 1
        if memo.caller_to[i] == to and memo.caller_origin[i] == origin and memo.caller_attr[i] == attr:
            return at
    for i in range(at, place, -1):
        memo.caller_rule[i], memo.caller_to[i] = memo.caller_rule[i - 1], memo.caller_to[i - 1]
        memo.caller_origin[i], memo.caller_attr[i] = memo.caller_origin[i - 1], memo.caller_attr[i - 1]
    memo.caller_rule[place], memo.caller_to[place] = rule, to
    memo.caller_origin[place], memo.caller_attr[place] = origin, attr
    return at + 1


@jit
def _record_call(net, memo, config, at, base, rule, to, origin, attr):  # type: ignore[no-untyped-def]
    """Add a caller; a tail call hands down the callers of its own rule instead (Leo 1991)."""
    if not (net.kind[to] & TAIL) or origin == config or net.rule_of[to] == 0:
        return _add_caller(net, memo, at, base, rule, to, origin, attr)
    outer = net.rule_of[to]
    for e in range(_first_caller(memo, origin, outer), memo.caller_start[origin + 1]):
        if memo.caller_rule[e] != outer:
            break
        at = _add_caller(
            net, memo, at, base, rule, memo.caller_to[e], memo.caller_origin[e], memo.caller_attr[e]
        )
        if at < 0:
            return at
    return at


@jit
def _predict(net, memo, work, n, config):  # type: ignore[no-untyped-def]
    """Fill scans and callers of a new configuration from its n kernel items; returns (scans, callers) ends or an error."""
    work.clock[0] += 1
    clock = work.clock[0]
    scans, base = memo.counts[N_SCANS], memo.counts[N_CALLERS]
    callers = base
    kernel = n
    i = 0
    while i < n:
        node, origin, attr = work.node[i], work.origin[i], work.attr[i]
        if i >= kernel:
            n = _silent(net, work, n, node, origin, attr)
            if n < 0:
                return n, callers
        if net.chain[node] >= 0 or net.arc_start[node] < net.arc_start[node + 1]:
            if scans >= memo.scan_node.shape[0]:
                return GROW, callers
            memo.scan_node[scans], memo.scan_origin[scans], memo.scan_attr[scans] = node, origin, attr
            scans += 1
        for e in range(net.call_start[node], net.call_start[node + 1]):
            rule = net.call_rule[e]
            callers = _record_call(net, memo, config, callers, base, rule, net.call_to[e], origin, attr)
            if callers < 0:
                return callers, callers
            if work.rule_stamp[rule] != clock:
                work.rule_stamp[rule] = clock
                n = _push(work, n, net.rule_start[rule], config, 0)
                if n < 0:
                    return n, callers
        i += 1
    return scans, callers


@jit
def _measure(net, memo, config, base, callers):  # type: ignore[no-untyped-def]
    """Distances of a new configuration's callers to a complete text; a fixpoint, since callers may lie here too."""
    for e in range(base, callers):
        memo.caller_far[e] = FAR
    changed = True
    while changed:
        changed = False
        for e in range(base, callers):
            to, origin = memo.caller_to[e], memo.caller_origin[e]
            far = rest_of_segment(net, to, memo.caller_attr[e]) + _far_beyond(net, memo, to, origin)
            if far < memo.caller_far[e]:
                memo.caller_far[e] = min(far, LONG)
                changed = True


@jit
def _open_row(net, memo, config):  # type: ignore[no-untyped-def]
    """Fill the transition row: UNKNOWN where some scan item has the byte, DEAD elsewhere."""
    row = memo.trans[config]
    row[:] = 0
    for i in range(memo.scan_start[config], memo.scan_start[config + 1]):
        node = memo.scan_node[i]
        if net.chain[node] >= 0:
            row[net.chain[node]] = UNKNOWN
        for a in range(net.arc_start[node], net.arc_start[node + 1]):
            for w in range(4):
                bits = net.sets[net.arc_set[a], w]
                b = 64 * w
                while bits:
                    if bits & np.uint64(1):
                        row[b] = UNKNOWN
                    bits >>= np.uint64(1)
                    b += 1


@jit
def intern(net, memo, work, n):  # type: ignore[no-untyped-def]
    """Id of the configuration whose kernel is the first n agenda items, made if new.  Negative: GROW or CROWDED."""
    _sort_items(work, n)
    known, place = _lookup(memo, work, n)
    if known:
        return known
    config, items = memo.counts[N_CONFIGS], memo.counts[N_ITEMS]
    if config + 2 >= memo.trans.shape[0] or items + n > memo.item_node.shape[0]:
        return GROW
    base = memo.counts[N_CALLERS]
    memo.item_start[config], memo.item_start[config + 1] = items, items + n
    memo.scan_start[config], memo.caller_start[config] = memo.counts[N_SCANS], base
    accepting = 0
    for i in range(n):
        memo.item_node[items + i] = work.node[i]
        memo.item_origin[items + i] = work.origin[i]
        memo.item_attr[items + i] = work.attr[i]
        if net.kind[work.node[i]] & FINAL:
            accepting = 1
    scans, callers = _predict(net, memo, work, n, config)
    if scans < 0:
        return scans
    memo.scan_start[config + 1], memo.caller_start[config + 1] = scans, callers
    _measure(net, memo, config, base, callers)
    best = FAR
    for i in range(items, items + n):
        node, origin = memo.item_node[i], memo.item_origin[i]
        best = min(best, rest_of_segment(net, node, memo.item_attr[i]) + _far_beyond(net, memo, node, origin))
    memo.distance[config], memo.accepting[config] = min(best, LONG), accepting
    _open_row(net, memo, config)
    memo.counts[N_CONFIGS], memo.counts[N_ITEMS] = config + 1, items + n
    memo.counts[N_SCANS], memo.counts[N_CALLERS] = scans, callers
    memo.table[place] = config
    return config


@jit
def settle(net, memo, work, n):  # type: ignore[no-untyped-def]
    """Close the agenda under epsilon edges, empty calls and completion, then intern what stays."""
    i = 0
    while i < n:
        node, origin, attr = work.node[i], work.origin[i], work.attr[i]
        if net.kind[node] & ENDS:
            n = _complete(net, memo, work, n, node, origin)
            if n < 0:
                return n
        n = _silent(net, work, n, node, origin, attr)
        if n < 0:
            return n
        i += 1
    kept = 0
    for i in range(n):
        if net.kind[work.node[i]] & (STAYS | FINAL):
            work.node[kept], work.origin[kept], work.attr[kept] = work.node[i], work.origin[i], work.attr[i]
            kept += 1
    if kept == 0:
        return 0
    return intern(net, memo, work, kept)


@jit
def step(net, memo, work, config, byte):  # type: ignore[no-untyped-def]
    """The configuration after one byte: DEAD, an id, or GROW / CROWDED (nothing changed; grow and call again)."""
    known = memo.trans[config, byte]
    if known >= 0:
        return known
    work.clock[0] += 1
    n = 0
    word, bit = byte >> 6, np.uint64(byte & 63)
    for i in range(memo.scan_start[config], memo.scan_start[config + 1]):
        node, origin, attr = memo.scan_node[i], memo.scan_origin[i], memo.scan_attr[i]
        if net.chain[node] == byte:
            n = _push(work, n, np.int32(node + 1), origin, attr)
        for a in range(net.arc_start[node], net.arc_start[node + 1]):
            if (net.sets[net.arc_set[a], word] >> bit) & np.uint64(1):
                n = _push(work, n, net.arc_to[a], origin, attr)
                if n < 0:
                    return n
        if n < 0:
            return n
    after = settle(net, memo, work, n)
    if after >= 0:
        memo.trans[config, byte] = after
    return after


@jit
def advance(net, memo, work, config, data):  # type: ignore[no-untyped-def]
    """The configuration after all bytes of u8 array `data`; stops at DEAD, GROW or CROWDED."""
    for i in range(data.shape[0]):
        config = step(net, memo, work, config, data[i])
        if config <= 0:
            return config
    return config


@jit
def begin(net, memo, work):  # type: ignore[no-untyped-def]
    """Intern the START configuration: the first node of rule 0, called from nowhere."""
    work.clock[0] += 1
    n = _push(work, 0, net.rule_start[0], np.int32(0), np.int64(0))
    return settle(net, memo, work, n)


@jit
def shortest(net, memo, work, config, out):  # type: ignore[no-untyped-def]
    """Write a byte-shortest completion of `config` into u8 array `out`; its length, or GROW / CROWDED.

    Of equally short completions the one with the smallest bytes; `out` must hold distance[config] bytes.
    """
    n = 0
    while memo.distance[config] > 0:
        left = memo.distance[config]
        for byte in range(256):
            if memo.trans[config, byte] == 0:
                continue
            after = step(net, memo, work, config, byte)
            if after < 0:
                return after
            if memo.distance[after] == left - 1:
                out[n] = byte
                n += 1
                config = after
                break
    return n


@jit
def rehash(memo):  # type: ignore[no-untyped-def]
    """Rebuild the hash table from the items (after it was replaced by a larger, zeroed one)."""
    mask = np.uint64(memo.table.shape[0] - 1)
    for c in range(2, memo.counts[N_CONFIGS]):
        start, n = memo.item_start[c], memo.item_start[c + 1] - memo.item_start[c]
        h = np.uint64(n)
        for i in range(start, start + n):
            h = h * np.uint64(0x100000001B3) ^ _mix(memo.item_node[i], memo.item_origin[i], memo.item_attr[i])
        place = (h ^ (h >> np.uint64(32))) & mask
        while memo.table[place] != 0:
            place = (place + np.uint64(1)) & mask
        memo.table[place] = c
