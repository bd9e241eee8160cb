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
from structgen.kernels.analysis import is_required
from structgen.kernels.layout import (
    ACCEPTING,
    ADD,
    ARC_TO,
    ARCS,
    ARG,
    ATTR,
    BACK_ATTR,
    BACK_FAR,
    BACK_ORIGIN,
    BACK_TO,
    BELOW,
    BODY,
    BROAD,
    BY_RULE,
    CALL_TO,
    CALLED,
    CALLERS,
    CALLS,
    CHAIN,
    COUNTED,
    CROWDED,
    DISTANCE,
    ENDS,
    ENOUGH,
    EXIT,
    EXTRA,
    FAR,
    FINAL,
    FIRST,
    GROW,
    HAS,
    ITEMS,
    KIND,
    LACKS,
    LEAST,
    LONG,
    MEMBER,
    MEMBERS,
    MINIMUM,
    N_CALLERS,
    N_CONFIGS,
    N_ITEMS,
    N_SCANS,
    N_SETS,
    NODE,
    OP,
    ORIGIN,
    RULE,
    RULE_LEAST,
    SCANS,
    SEGMENT,
    SET,
    SILENT,
    SILENT_TO,
    SLOT,
    SOLID,
    SORT,
    STAMP,
    STAYS,
    TAIL,
    UNKNOWN,
    UPTO,
    WIDE,
)  # fmt: skip


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
    mask = np.uint64(work.seen.shape[0] - 1)
    place = _mix(node, origin, attr) & mask
    clock = work.clock[0]
    while work.seen[place, STAMP] == clock:
        at = work.seen[place, SLOT]
        if work.agenda[at, NODE] == node and work.agenda[at, ORIGIN] == origin and work.agenda[at, ATTR] == attr:
            return n
        place = (place + np.uint64(1)) & mask
    if n >= work.agenda.shape[0]:
        return CROWDED
    work.seen[place, STAMP] = clock
    work.seen[place, SLOT] = n
    work.agenda[n, NODE], work.agenda[n, ORIGIN], work.agenda[n, ATTR] = node, origin, attr
    return n + 1


@jit
def _with_member(memo, number, bit):  # type: ignore[no-untyped-def]
    """Number of interned set `number` with member `bit` added; -1 if it is there already, GROW when out of room."""
    word, mask = bit >> 6, np.uint64(1) << np.uint64(bit & 63)
    if memo.sets[number, word] & mask:
        return np.int64(-1)
    fresh = memo.counts[N_SETS]
    if fresh + 1 >= memo.sets.shape[0]:
        return np.int64(GROW)
    memo.sets[fresh] = memo.sets[number]
    memo.sets[fresh, word] |= mask
    place = set_place(memo, fresh)
    if memo.set_table[place] != 0:
        return np.int64(memo.set_table[place])
    memo.set_table[place] = fresh
    memo.counts[N_SETS] = fresh + 1
    return np.int64(fresh)


@jit
def set_place(memo, number):  # type: ignore[no-untyped-def]
    """Where in set_table the contents of set `number` stand, or would stand."""
    h = np.uint64(0)
    for w in range(memo.sets.shape[1]):
        h = (h ^ memo.sets[number, w]) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
    mask = np.uint64(memo.set_table.shape[0] - 1)
    place = h & mask
    while memo.set_table[place] != 0:
        other, same = memo.set_table[place], True
        for w in range(memo.sets.shape[1]):
            same = same and memo.sets[other, w] == memo.sets[number, w]
        if same:
            break
        place = (place + np.uint64(1)) & mask
    return place


@jit
def rehash_sets(memo):  # type: ignore[no-untyped-def]
    """Rebuild set_table (after it was replaced by a larger, zeroed one)."""
    for number in range(1, memo.counts[N_SETS]):
        memo.set_table[set_place(memo, number)] = number


@jit
def _contains(net, memo, number, row):  # type: ignore[no-untyped-def]
    """Whether interned set `number` contains every member of row `row` of net.wide."""
    for w in range(memo.sets.shape[1]):  # noqa: SIM110 - generators do not compile
        if net.wide[row, w] & ~memo.sets[number, w]:
            return False
    return True


@jit
def _apply(net, memo, op, arg, attr):  # type: ignore[no-untyped-def]
    """The register after an epsilon edge, -1 when the edge does not let it pass, GROW when out of room."""
    if op == BELOW:
        return attr if attr < arg else np.int64(-1)
    if op == UPTO:
        return min(attr + 1, arg)
    if op == ENOUGH:
        return np.int64(0) if attr >= arg else np.int64(-1)
    if op == ADD:
        bit = np.int64(1) << arg
        return np.int64(-1) if attr & bit else attr | bit
    if op == HAS:
        return np.int64(0) if attr & arg == arg else np.int64(-1)
    if op == LACKS:
        return np.int64(-1) if attr & arg == arg else attr
    if op == WIDE + ADD:
        return _with_member(memo, attr, arg)
    if op == WIDE + HAS:
        return np.int64(0) if _contains(net, memo, attr, arg) else np.int64(-1)
    if op == WIDE + LACKS:
        return np.int64(-1) if _contains(net, memo, attr, arg) else attr
    return attr


@jit
def _silent(net, memo, work, n, node, origin, attr):  # type: ignore[no-untyped-def]
    """Push what an item reaches without a byte: epsilon edges and calls of rules that may be empty."""
    for e in range(net.nodes[node, SILENT], net.nodes[node + 1, SILENT]):
        after = _apply(net, memo, net.silent[e, OP], net.silent[e, ARG], attr)
        if after == GROW:
            return after
        if after >= 0:
            n = _push(work, n, net.silent[e, SILENT_TO], origin, after)
            if n < 0:
                return n
    for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
        if net.rules[net.calls[e, CALLED], RULE_LEAST] == 0 and net.calls[e, SOLID] == 0:
            n = _push(work, n, net.calls[e, CALL_TO], origin, attr)
            if n < 0:
                return n
    return n


@jit
def _first_caller(memo, config, rule):  # type: ignore[no-untyped-def]
    """Index of the first caller of `rule` in `config` (callers are sorted by rule)."""
    low, high = memo.configs[config, CALLERS], memo.configs[config + 1, CALLERS]
    while low < high:
        middle = (low + high) // 2
        if memo.callers[middle, BY_RULE] < rule:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _complete(net, memo, work, n, node, origin):  # type: ignore[no-untyped-def]
    """Push the returns of everyone who called this node's rule in `origin`."""
    rule = net.nodes[node, RULE]
    for e in range(_first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        n = _push(work, n, memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN], memo.callers[e, BACK_ATTR])
        if n < 0:
            return n
    return n


@jit
def _written(net, memo, g, attr, k):  # type: ignore[no-untyped-def]
    """Whether member k of segment g is in the register."""
    if net.segments[g, BROAD]:
        return (memo.sets[attr, k >> 6] >> np.uint64(k & 63)) & np.uint64(1) != 0
    return (attr >> k) & 1 != 0


@jit
def rest_of_segment(net, memo, node, attr):  # type: ignore[no-untyped-def]
    """Fewest bytes from an item's node to the end of its rule."""
    g = net.nodes[node, SEGMENT]
    if g < 0:
        return net.nodes[node, LEAST]
    total = net.nodes[node, LEAST] + net.segments[g, EXIT]
    if net.segments[g, SORT] == COUNTED:
        left = net.segments[g, MINIMUM] - attr - 1
        if left > 0:
            total += min(left, LONG // (net.segments[g, BODY] + 1)) * net.segments[g, BODY]
        return min(total, LONG)
    separators, best = 0, net.segments[g, EXTRA]
    for k in range(net.segments[g + 1, MEMBERS] - net.segments[g, MEMBERS]):
        if not _written(net, memo, g, attr, k):
            cost = net.members[net.segments[g, MEMBERS] + k]
            best = min(best, cost)
            if is_required(net, g, k):
                total += cost
                separators += 1
    if net.segments[g, SORT] == MEMBER:
        total += separators * net.segments[g, BODY]
    elif separators == 0:
        total += best
    else:
        total += (separators - 1) * net.segments[g, BODY]
    return min(total, LONG)


@jit
def _far_beyond(net, memo, node, origin):  # type: ignore[no-untyped-def]
    """Fewest bytes still to write once the rule of `node`, called in `origin`, is complete."""
    if net.nodes[node, KIND] & FINAL or net.nodes[node, RULE] == 0:
        return 0
    rule, best = net.nodes[node, RULE], FAR
    for e in range(_first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        best = min(best, memo.callers[e, BACK_FAR])
    return best


@jit
def _sort_items(work, n):  # type: ignore[no-untyped-def]
    """Shell sort of the first n agenda items by (node, origin, attr); most agendas hold fewer than ten."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            node, origin, attr = work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR]
            j = i
            while j >= gap:
                k = j - gap
                if work.agenda[k, NODE] < node:
                    break
                if work.agenda[k, NODE] == node:
                    if work.agenda[k, ORIGIN] < origin:
                        break
                    if work.agenda[k, ORIGIN] == origin and work.agenda[k, ATTR] <= attr:
                        break
                work.agenda[j, NODE], work.agenda[j, ORIGIN], work.agenda[j, ATTR] = (
                    work.agenda[k, NODE],
                    work.agenda[k, ORIGIN],
                    work.agenda[k, ATTR],
                )
                j = k
            work.agenda[j, NODE], work.agenda[j, ORIGIN], work.agenda[j, ATTR] = node, origin, attr
        gap //= 3


@jit
def _lookup(memo, work, n):  # type: ignore[no-untyped-def]
    """(configuration or 0, table place) of the kernel in the first n agenda slots."""
    h = np.uint64(n)
    for i in range(n):
        h = h * np.uint64(0x100000001B3) ^ _mix(work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR])
    mask = np.uint64(memo.table.shape[0] - 1)
    place = (h ^ (h >> np.uint64(32))) & mask
    while memo.table[place] != 0:
        c = memo.table[place]
        start = memo.configs[c, ITEMS]
        if memo.configs[c + 1, ITEMS] - start == n:
            same = True
            for i in range(n):
                if (
                    memo.items[start + i, NODE] != work.agenda[i, NODE]
                    or memo.items[start + i, ORIGIN] != work.agenda[i, ORIGIN]
                    or memo.items[start + i, ATTR] != work.agenda[i, ATTR]
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
    if at >= memo.callers.shape[0]:
        return GROW
    place = at
    while place > base and memo.callers[place - 1, BY_RULE] > rule:
        place -= 1
    i = place
    while i > base and memo.callers[i - 1, BY_RULE] == rule:
        i -= 1
        if (
            memo.callers[i, BACK_TO] == to
            and memo.callers[i, BACK_ORIGIN] == origin
            and memo.callers[i, BACK_ATTR] == attr
        ):
            return at
    for i in range(at, place, -1):
        memo.callers[i, BY_RULE], memo.callers[i, BACK_TO] = memo.callers[i - 1, BY_RULE], memo.callers[i - 1, BACK_TO]
        memo.callers[i, BACK_ORIGIN], memo.callers[i, BACK_ATTR] = (
            memo.callers[i - 1, BACK_ORIGIN],
            memo.callers[i - 1, BACK_ATTR],
        )
    memo.callers[place, BY_RULE], memo.callers[place, BACK_TO] = rule, to
    memo.callers[place, BACK_ORIGIN], memo.callers[place, BACK_ATTR] = origin, attr
    return at + 1


@jit
def _record_call(net, memo, config, at, base, rule, to, origin, attr):  # type: ignore[no-untyped-def]
    """Add a caller; a tail call hands down the callers of its own rule instead (Leo 1991)."""
    if not (net.nodes[to, KIND] & TAIL) or origin == config or net.nodes[to, RULE] == 0:
        return _add_caller(net, memo, at, base, rule, to, origin, attr)
    outer = net.nodes[to, RULE]
    for e in range(_first_caller(memo, origin, outer), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != outer:
            break
        at = _add_caller(
            net,
            memo,
            at,
            base,
            rule,
            memo.callers[e, BACK_TO],
            memo.callers[e, BACK_ORIGIN],
            memo.callers[e, BACK_ATTR],
        )
        if at < 0:
            return at
    return at


@jit
def _predict(net, memo, work, n, config):  # type: ignore[no-untyped-def]
    """Fill scans and callers of a new configuration from its n kernel items; the ends of both, or an error."""
    work.clock[0] += 1
    clock = work.clock[0]
    scans, base = memo.counts[N_SCANS], memo.counts[N_CALLERS]
    callers = base
    kernel = n
    i = 0
    while i < n:
        node, origin, attr = work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR]
        if i >= kernel:
            n = _silent(net, memo, work, n, node, origin, attr)
            if n < 0:
                return n, callers
        if net.nodes[node, CHAIN] >= 0 or net.nodes[node, ARCS] < net.nodes[node + 1, ARCS]:
            if scans >= memo.scans.shape[0]:
                return GROW, callers
            memo.scans[scans, NODE], memo.scans[scans, ORIGIN], memo.scans[scans, ATTR] = node, origin, attr
            scans += 1
        for e in range(net.nodes[node, CALLS], net.nodes[node + 1, CALLS]):
            rule = net.calls[e, CALLED]
            callers = _record_call(net, memo, config, callers, base, rule, net.calls[e, CALL_TO], origin, attr)
            if callers < 0:
                return callers, callers
            if work.predicted[rule] != clock:
                work.predicted[rule] = clock
                n = _push(work, n, net.rules[rule, FIRST], config, 0)
                if n < 0:
                    return n, callers
        i += 1
    return scans, callers


@jit
def _measure(net, memo, config, base, callers):  # type: ignore[no-untyped-def]
    """Distances of a new configuration's callers to a complete text; a fixpoint, since callers may lie here too."""
    for e in range(base, callers):
        memo.callers[e, BACK_FAR] = FAR
    changed = True
    while changed:
        changed = False
        for e in range(base, callers):
            to, origin = memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN]
            far = rest_of_segment(net, memo, to, memo.callers[e, BACK_ATTR]) + _far_beyond(net, memo, to, origin)
            if far < memo.callers[e, BACK_FAR]:
                memo.callers[e, BACK_FAR] = min(far, LONG)
                changed = True


@jit
def _open_row(net, memo, config):  # type: ignore[no-untyped-def]
    """Fill the transition row: UNKNOWN where some scan item has the byte, DEAD elsewhere."""
    row = memo.trans[config]
    row[:] = 0
    for i in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        node = memo.scans[i, NODE]
        if net.nodes[node, CHAIN] >= 0:
            row[net.nodes[node, CHAIN]] = UNKNOWN
        for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
            for w in range(4):
                bits = net.sets[net.arcs[a, SET], w]
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
    if config + 2 >= memo.trans.shape[0] or items + n > memo.items.shape[0]:
        return GROW
    base = memo.counts[N_CALLERS]
    memo.configs[config, ITEMS], memo.configs[config + 1, ITEMS] = items, items + n
    memo.configs[config, SCANS], memo.configs[config, CALLERS] = memo.counts[N_SCANS], base
    accepting = 0
    for i in range(n):
        memo.items[items + i, NODE] = work.agenda[i, NODE]
        memo.items[items + i, ORIGIN] = work.agenda[i, ORIGIN]
        memo.items[items + i, ATTR] = work.agenda[i, ATTR]
        if net.nodes[work.agenda[i, NODE], KIND] & FINAL:
            accepting = 1
    scans, callers = _predict(net, memo, work, n, config)
    if scans < 0:
        return scans
    memo.configs[config + 1, SCANS], memo.configs[config + 1, CALLERS] = scans, callers
    _measure(net, memo, config, base, callers)
    best = FAR
    for i in range(items, items + n):
        node, origin = memo.items[i, NODE], memo.items[i, ORIGIN]
        best = min(best, rest_of_segment(net, memo, node, memo.items[i, ATTR]) + _far_beyond(net, memo, node, origin))
    memo.configs[config, DISTANCE], memo.configs[config, ACCEPTING] = min(best, LONG), accepting
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
        node, origin, attr = work.agenda[i, NODE], work.agenda[i, ORIGIN], work.agenda[i, ATTR]
        if net.nodes[node, KIND] & ENDS:
            n = _complete(net, memo, work, n, node, origin)
            if n < 0:
                return n
        n = _silent(net, memo, work, n, node, origin, attr)
        if n < 0:
            return n
        i += 1
    kept = 0
    for i in range(n):
        if net.nodes[work.agenda[i, NODE], KIND] & (STAYS | FINAL):
            work.agenda[kept, NODE], work.agenda[kept, ORIGIN], work.agenda[kept, ATTR] = (
                work.agenda[i, NODE],
                work.agenda[i, ORIGIN],
                work.agenda[i, ATTR],
            )
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
    for i in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        node, origin, attr = memo.scans[i, NODE], memo.scans[i, ORIGIN], memo.scans[i, ATTR]
        if net.nodes[node, CHAIN] == byte:
            n = _push(work, n, node + 1, origin, attr)
            if n < 0:
                return n
        for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
            if (net.sets[net.arcs[a, SET], word] >> bit) & np.uint64(1):
                n = _push(work, n, net.arcs[a, ARC_TO], origin, attr)
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
    n = _push(work, 0, net.rules[0, FIRST], np.int64(0), np.int64(0))
    return settle(net, memo, work, n)


@jit
def island(net, memo, work, rule):  # type: ignore[no-untyped-def]
    """A configuration without items in which `rule` was called by the end of everything.

    Items with this origin run their rule apart from any context; where it may be left, they are accepting.
    """
    config, row = memo.counts[N_CONFIGS], memo.counts[N_CALLERS]
    if config + 2 >= memo.trans.shape[0] or row >= memo.callers.shape[0]:
        return np.int64(GROW)
    memo.callers[row, BY_RULE], memo.callers[row, BACK_TO] = rule, 1
    memo.callers[row, BACK_ORIGIN], memo.callers[row, BACK_ATTR], memo.callers[row, BACK_FAR] = 0, 0, 0
    memo.configs[config, ITEMS], memo.configs[config + 1, ITEMS] = memo.counts[N_ITEMS], memo.counts[N_ITEMS]
    memo.configs[config, SCANS], memo.configs[config + 1, SCANS] = memo.counts[N_SCANS], memo.counts[N_SCANS]
    memo.configs[config, CALLERS], memo.configs[config + 1, CALLERS] = row, row + 1
    memo.counts[N_CONFIGS], memo.counts[N_CALLERS] = config + 1, row + 1
    return np.int64(config)


@jit
def gather(net, memo, work, items):  # type: ignore[no-untyped-def]
    """Intern the configuration of exactly these items, i64 (k, 3), closed already."""
    work.clock[0] += 1
    n = 0
    for i in range(items.shape[0]):
        n = _push(work, n, items[i, NODE], items[i, ORIGIN], items[i, ATTR])
        if n < 0:
            return np.int64(n)
    return np.int64(intern(net, memo, work, n))


@jit
def resume(net, memo, work, origin, rule):  # type: ignore[no-untyped-def]
    """The configuration right after `rule`, called in `origin`, was completed there."""
    work.clock[0] += 1
    n = 0
    for e in range(_first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        n = _push(work, n, memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN], memo.callers[e, BACK_ATTR])
        if n < 0:
            return np.int64(n)
    return np.int64(settle(net, memo, work, n))


@jit
def shortest(net, memo, work, config, out):  # type: ignore[no-untyped-def]
    """Write a byte-shortest completion of `config` into u8 array `out`; its length, or GROW / CROWDED.

    Of equally short completions the one with the smallest bytes; `out` must hold distance[config] bytes.
    """
    n = 0
    while memo.configs[config, DISTANCE] > 0:
        left = memo.configs[config, DISTANCE]
        for byte in range(256):
            if memo.trans[config, byte] == 0:
                continue
            after = step(net, memo, work, config, byte)
            if after < 0:
                return after
            if memo.configs[after, DISTANCE] == left - 1:
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
        start, n = memo.configs[c, ITEMS], memo.configs[c + 1, ITEMS] - memo.configs[c, ITEMS]
        h = np.uint64(n)
        for i in range(start, start + n):
            h = h * np.uint64(0x100000001B3) ^ _mix(memo.items[i, NODE], memo.items[i, ORIGIN], memo.items[i, ATTR])
        place = (h ^ (h >> np.uint64(32))) & mask
        while memo.table[place] != 0:
            place = (place + np.uint64(1)) & mask
        memo.table[place] = c
