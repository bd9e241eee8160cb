"""From a configuration to the row of tokens it allows, by one walk over the vocabulary's trie.

A token's bit is set if and only if its bytes keep the text a prefix of the language. A dead byte cuts off its whole
subtree; the last byte of a leaf needs no new configuration, since a transition that is not DEAD is enough.

Cost: one transition look-up per visited trie node, plus a new configuration per unknown transition at inner nodes.
Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inlined, jit
from structgen.kernels.earley import scan, spread, step
from structgen.kernels.interning import open_item
from structgen.kernels.layout import ACCEPTING, ATTR, NODE, ORIGIN, SCANS, SEGMENT

ALIVE, LEAVES, MIXED, COUNTING, CLOSED = 1, 2, 4, 8, 16  # what `survey` notes of a configuration
UNCERTAIN = -4  # it gave up
LONG_WALK = -6  # a walk was longer than allowed
WIDE = 24  # bytes
CHILD, UNITS, DUE = range(3)  # of exits


@jit
def fill_row(net, memo, work, trie, config, part, chosen, row, root, path, top, cut, limit):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t below trie node `top` that is allowed, `config` being what holds
    there; bits that are set stay set.

    If i64 `part` is not empty it has an entry per scan item of `config`, and only items whose entry is `chosen` count.
    Below the nodes in column 0 of i64 `cut` (., 2), children of the root, nothing is visited if what holds there takes
    WIDE bytes or more: column 1 receives that configuration. Row 0 of `cut` is no node: no more nodes than cut[0, 0]
    are below others than those listed, and cut[0, 1] becomes 1 if another row received something. Returns how many trie
    nodes were visited, LONG_WALK beyond `limit` of them, or GROW / CROWDED (call again: what was found stays found).
    root i32 (256,) is scratch; path i64 of at least the trie's depth + 1: path[d] is the configuration after d bytes,
    so leaving a subtree needs no pop.
    """
    if part.shape[0] > 0:
        open_part(net, memo, config, part, chosen, root)
    else:
        root[:] = memo.trans[config]
    base = np.int64(trie.depth[top])
    path[base] = config
    i, n, visited = np.int64(top) + 1, np.int64(trie.skip[top]), np.int64(0)
    while i < n:
        visited += 1
        if visited > limit:
            return np.int64(LONG_WALK)
        depth = np.int64(trie.depth[i])
        byte = np.int64(trie.byte[i])
        after = np.int64(root[byte]) if depth == base + 1 else np.int64(memo.trans[path[depth - 1], byte])
        if after == 0:
            i = np.int64(trie.skip[i])
            continue
        for k in range(trie.token_start[i], trie.token_start[i + 1]):
            t = trie.token[k]
            row[t >> 5] |= np.uint32(1) << np.uint32(t & 31)
        if trie.skip[i] > i + 1:
            if after < 0:
                if depth == base + 1 and part.shape[0] > 0:
                    after = np.int64(scan(net, memo, work, config, byte, part, chosen))
                    if after > 0:
                        spread(net, memo, config, byte, part, chosen, root, after)
                else:
                    after = np.int64(step(net, memo, work, path[depth - 1], byte))
                if after <= 0:
                    return after - (after == 0)  # 0 here breaks the contract of rows: reported as UNKNOWN
            path[depth] = after
            if depth == 1 and trie.skip[i] - i > cut[0, 0]:
                s = _section(trie, cut, i + 1)
                if s > 0 and _takes(memo, after) >= WIDE:
                    cut[0, 1], cut[s, 1] = 1, after
                    i = np.int64(trie.skip[i])
                    continue
        i += 1
    return visited


@inlined
def _takes(memo, config):  # type: ignore[no-untyped-def]
    """How many bytes may come next."""
    count = 0
    for byte in range(256):
        count += memo.trans[config, byte] != 0
    return count


@inlined
def _section(trie, cut, node):  # type: ignore[no-untyped-def]
    """The row of `cut` below whose node this one lies, or 0."""
    found = 0
    for s in range(1, cut.shape[0]):
        if cut[s, 0] < node < trie.skip[cut[s, 0]]:
            found = s
    return found


@jit
def fill_below(net, memo, work, trie, first, exits, most, least, config, row, path, cut):  # type: ignore[no-untyped-def]
    """As fill_row for the trie nodes of `exits` and what is below, where a shared expression was left: see find_exits.

    `config` is what holds before these nodes' bytes. Of exits inside a counted part, those with more than `most`
    repetitions or, if due, fewer than `least` do not count. `cut` as there.
    """
    visited, wide = np.int64(0), cut.shape[0] > 1 and _takes(memo, config) >= WIDE
    for byte in range(256):
        if memo.trans[config, byte] == 0:
            continue
        for e in range(first[byte], first[byte + 1]):
            if exits[e, UNITS] > most or (exits[e, DUE] and exits[e, UNITS] < least):
                continue
            i = np.int64(exits[e, CHILD])
            depth, end = np.int64(trie.depth[i]), np.int64(trie.skip[i])
            if wide and depth == 2 and _section(trie, cut, i) > 0:
                cut[0, 1], cut[_section(trie, cut, i), 1] = 1, config
                continue
            path[depth - 1] = config
            while i < end:
                visited += 1
                depth = np.int64(trie.depth[i])
                after = np.int64(memo.trans[path[depth - 1], trie.byte[i]])
                if after == 0:
                    i = np.int64(trie.skip[i])
                    continue
                for k in range(trie.token_start[i], trie.token_start[i + 1]):
                    t = trie.token[k]
                    row[t >> 5] |= np.uint32(1) << np.uint32(t & 31)
                if trie.skip[i] > i + 1:
                    if after < 0:
                        after = np.int64(step(net, memo, work, path[depth - 1], np.int64(trie.byte[i])))
                        if after <= 0:
                            return after - (after == 0)
                    path[depth] = after
                i += 1
    return visited


@jit
def find_exits(trie, nodes, units, due, outside, first, exits):  # type: ignore[no-untyped-def]
    """The children of some trie nodes, i64 (k,), below which some token is `outside`, sorted by byte; how many.

    units i16 (k,) and due bool (k,): how many repetitions there are at each node, whether it is inside the counted part
    or after it. outside i32 (t+1,): how many of the tokens before each place of trie.token are not allowed inside.
    first i64 (257,) receives the spans of the bytes, exits i32 (., 3) CHILD, UNITS and DUE; if it has no room, nothing
    but the count is right.
    """
    first[:] = 0
    for sweep in range(2):
        for k in range(nodes.shape[0]):
            i, end = np.int64(nodes[k]) + 1, np.int64(trie.skip[nodes[k]])
            while i < end:
                after = np.int64(trie.skip[i])
                if outside[trie.token_start[after]] > outside[trie.token_start[i]]:
                    if sweep == 0:
                        first[np.int64(trie.byte[i]) + 1] += 1
                    else:
                        place = first[trie.byte[i]]
                        exits[place, CHILD], exits[place, UNITS], exits[place, DUE] = i, units[k], due[k]
                        first[trie.byte[i]] = place + 1
                i = after
        if sweep == 0:
            for byte in range(256):
                first[byte + 1] += first[byte]
            if first[256] > exits.shape[0]:
                return first[256]
    for byte in range(256, 0, -1):
        first[byte] = first[byte - 1]
    first[0] = 0
    return first[256]


@jit
def open_part(net, memo, config, part, chosen, row):  # type: ignore[no-untyped-def]
    """As interning.open_row, for the chosen scan items alone."""
    row[:] = 0
    first = memo.configs[config, SCANS]
    for i in range(first, memo.configs[config + 1, SCANS]):
        if part[i - first] == chosen:
            open_item(net, memo.scans[i, NODE], row)


@jit
def split(memo, span, config, part, groups):  # type: ignore[no-untyped-def]
    """Part the scan items of `config` by the span they lie in and their origin; how many groups there are.

    part i64 (scan items,) receives the number of each item's group, -1 outside spans; groups i64 (., 3) span, origin
    and how many items. Items beyond the last group that fits count as outside. span i32 (n,): see RuleNetworks.
    """
    found, first = np.int64(0), memo.configs[config, SCANS]
    for i in range(first, memo.configs[config + 1, SCANS]):
        k, origin = span[memo.scans[i, NODE]], memo.scans[i, ORIGIN]
        part[i - first] = -1
        if k < 0:
            continue
        g = np.int64(0)
        while g < found and not (groups[g, 0] == k and groups[g, 1] == origin):
            g += 1
        if g == found and found < groups.shape[0]:
            groups[found, 0], groups[found, 1], groups[found, 2] = k, origin, 0
            found += 1
        if g < found:
            part[i - first] = g
            groups[g, 2] += 1
    return found


@jit
def _count(net, memo, config, known):  # type: ignore[no-untyped-def]
    """Fill row `config` of `known`: flags of the configuration, and how many repetitions were begun."""
    count, inside, outside, flags = np.int64(0), False, memo.configs[config, ACCEPTING] != 0, np.int64(ALIVE)
    for k in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        if net.nodes[memo.scans[k, NODE], SEGMENT] < 0:
            outside = True
            continue
        if inside and memo.scans[k, ATTR] != count:
            flags |= MIXED
        count, inside = memo.scans[k, ATTR], True
    if inside:
        flags |= COUNTING
    if memo.configs[config, ACCEPTING]:
        flags |= LEAVES
    known[config, 0], known[config, 1] = flags, min(count + (inside and not outside), 32_000)


@jit
def survey(net, memo, work, trie, config, top, need, closed, exits, leaves, known, path):  # type: ignore[no-untyped-def]
    """Walk all that `config` allows below trie node `top` and tell of each token what it does; GROW / CROWDED, or how
    many exits there are.

    need i16 (tokens,): repetitions begun by those that are possible, others keep their value; closed bool (tokens,):
    the counted part was left. exits i64 (n, 3): inner trie nodes where the text may end, repetitions there, 1 = inside
    the counted part or after it. leaves u8 (n,): 1 where the text may end. UNCERTAIN if items have counted differently,
    or if there are more configurations than rows of the scratch `known` i16 (., 2), zeros. path i64 (3, depth + 2).
    """
    if config >= known.shape[0]:
        return np.int64(UNCERTAIN)
    _count(net, memo, config, known)
    base = np.int64(trie.depth[top])
    path[0, base], path[1, base], path[2, base] = config, known[config, 1], known[config, 0] & COUNTING
    i, n, found = np.int64(top) + 1, np.int64(trie.skip[top]), np.int64(0)
    while i < n:
        depth = np.int64(trie.depth[i])
        after = np.int64(memo.trans[path[0, depth - 1], trie.byte[i]])
        if after < 0:
            after = np.int64(step(net, memo, work, path[0, depth - 1], np.int64(trie.byte[i])))
            if after < 0:
                return after
        if after == 0:
            i = np.int64(trie.skip[i])
            continue
        if after >= known.shape[0]:
            return np.int64(UNCERTAIN)
        if known[after, 0] == 0:
            _count(net, memo, after, known)
        if known[after, 0] & MIXED:
            return np.int64(UNCERTAIN)
        phase, count = path[2, depth - 1], path[1, depth - 1]
        if known[after, 0] & COUNTING:
            phase, count = COUNTING, known[after, 1]
        elif phase:
            phase = CLOSED
        path[0, depth], path[1, depth], path[2, depth] = after, count, phase
        for k in range(trie.token_start[i], trie.token_start[i + 1]):
            need[trie.token[k]], closed[trie.token[k]] = count, phase == CLOSED
        if known[after, 0] & LEAVES:
            leaves[i] = 1
            if trie.skip[i] > i + 1:
                exits[found, 0], exits[found, 1], exits[found, 2] = i, count, phase != 0
                found += 1
        i += 1
    return found


@jit
def fewest_tokens(trie, data, best, choice):  # type: ignore[no-untyped-def]
    """Split u8 array `data` into the fewest tokens: choice[i] = the token that starts at byte i; False if impossible.

    best i64 (n+1,), choice i32 (n,) are outputs. Dynamic programming from the right, one trie descent per position.
    """
    n, far = data.shape[0], np.int64(1) << 40
    best[n] = 0
    for i in range(n - 1, -1, -1):
        best[i], choice[i] = far, -1
        node, j = np.int64(0), i
        while j < n:
            child, end = node + 1, np.int64(trie.skip[node])
            while child < end and trie.byte[child] != data[j]:
                child = np.int64(trie.skip[child])
            if child >= end:
                break
            node = child
            j += 1
            if trie.token_start[node] < trie.token_start[node + 1] and best[j] + 1 < best[i]:
                best[i], choice[i] = best[j] + 1, trie.token[trie.token_start[node]]
    return best[0] < far
