"""From a configuration to the tokens it allows, by a walk over the vocabulary's trie that meets live bytes alone.

A token's bit is set if and only if its bytes keep the text a prefix of the language. At a node with several children
the walk takes those whose byte is in the configuration's live set: dead ones, most of the vocabulary as a rule, are
never looked at. A leaf needs no new configuration, since a transition that is not DEAD is enough.

Cost: some nanoseconds per node that is alive, plus a new configuration per unknown transition at inner nodes.
Receipt: of 500 nodes a mask visited, 480 were dead siblings.
Reference: automata/reference.py.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inlined, inner, lowest, ones
from structgen.kernels.codes import DEAD_END, TOO_LONG, UNKNOWN
from structgen.kernels.earley import ALL, look, spread, step
from structgen.kernels.interning import live_bytes, set_bytes
from structgen.kernels.layout import (
    ACCEPTING,
    BRANCH,
    BYTE,
    CHAINED,
    CLASSES_BELOW,
    END,
    KIDS,
    LEAF,
    LOOPS,
    MANY_BYTES,
    SCANS,
    SEVERAL,
    THE_END,
    TOKEN,
    UNSET,
)
from structgen.kernels.places import LIGHT, known, live_at, reach, takes
from structgen.kernels.self_loops import find_loops

ENDLESS = 1 << 60  # no limit
CONFIGURATION = 40  # what making a configuration costs, in trie nodes
SWEPT = 8  # nodes of a subtree from which it is looked at as a whole
WORTH = 256  # nodes of a subtree from which loops are looked for
EXIT_CHILD, EXIT_UNITS, EXIT_DUE, EXIT_PARENT = range(4)  # of exits
SEED_NODE, SEED_AFTER = range(2)  # of seeds
AT, WORD, BITS, BEFORE, PLACE = range(5)  # of a walk's path: branch, word of its set, bits left, children before it
LIVE = 7  # of a walk's path: four words, the bytes that are alive there


@inlined
def put(radix, i, row):  # type: ignore[no-untyped-def]
    """Set the bits of the tokens that end at node i."""
    token = radix.nodes[i, TOKEN]
    if token >= 0:
        row[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
    elif token == SEVERAL:
        for k in range(radix.token_start[i], radix.token_start[i + 1]):
            row[radix.token[k] >> 5] |= np.uint32(1) << np.uint32(radix.token[k] & 31)


@inlined
def enter(net, radix, memo, path, d, branch, place):  # type: ignore[no-untyped-def]
    """Begin with the children of a branch that are alive after `place`."""
    path[d, AT], path[d, PLACE] = np.uint64(branch), np.uint64(place)
    path[d, WORD], path[d, BEFORE] = np.uint64(0), radix.branches[branch, KIDS]
    path[d, LIVE], path[d, LIVE + 1], path[d, LIVE + 2], path[d, LIVE + 3] = live_at(net, memo, place)
    path[d, BITS] = radix.branches[branch, 0] & path[d, LIVE]


@inlined
def take(radix, path, d):  # type: ignore[no-untyped-def]
    """The next child of the branch at path[d] and its byte; (-1, 0) after the last."""
    branch, word, bits = np.int64(path[d, AT]), np.int64(path[d, WORD]), path[d, BITS]
    while bits == 0:
        if word == 3:
            return np.int64(-1), np.int64(0)
        path[d, BEFORE] += ones(radix.branches[branch, word])
        word += 1
        path[d, WORD] = np.uint64(word)
        bits = radix.branches[branch, word] & path[d, LIVE + word]
    bit = lowest(bits)
    below = radix.branches[branch, word] & ((np.uint64(1) << bit) - np.uint64(1))
    path[d, BITS] = bits & (bits - np.uint64(1))
    return np.int64(radix.kids[path[d, BEFORE] + ones(below)]), 64 * word + np.int64(bit)


@inlined
def _put_all(radix, i, row):  # type: ignore[no-untyped-def]
    """Set the bits of the tokens in the subtree of node i; how many they are."""
    first, end = radix.token_start[i], radix.token_start[radix.nodes[i, END]]
    for k in range(first, end):
        row[radix.token[k] >> 5] |= np.uint32(1) << np.uint32(radix.token[k] & 31)
    return np.int64(end - first)


@inlined
def _stays(net, memo, work, radix, i, branch, config):  # type: ignore[no-untyped-def]
    """Whether all tokens behind node i lead from `config` back to it: 1 or 0, or GROW / CROWDED."""
    if memo.live[config, LOOPS] == UNSET:
        if radix.nodes[i, END] - i < WORTH:
            return np.int64(0)
        found = find_loops(net, memo, work, config)
        if found < 0:
            return found
    return np.int64(radix.branches[branch, CLASSES_BELOW] & ~memo.live[config, LOOPS] == 0)


@inlined
def _awaited(net, memo, scratch, place):  # type: ignore[no-untyped-def]
    """Whether what is awaited may come next."""
    byte = scratch.awaited[0]
    if byte == THE_END:
        return place < LIGHT and memo.configs[place, ACCEPTING] != 0
    return known(net, memo, place, byte) != 0


@inlined
def _no_way(after):  # type: ignore[no-untyped-def]
    """What a walk returns where no configuration is behind a live byte: why; 0 breaks the contract of rows."""
    return after if after < 0 else np.int64(DEAD_END)


@inlined
def _cost(place):  # type: ignore[no-untyped-def]
    """What coming to a place that was unknown costs, in trie nodes."""
    return np.int64(CONFIGURATION if place < LIGHT else 1)


@inner
def _sweep(net, memo, work, radix, top, config, row, scratch, limit):  # type: ignore[no-untyped-def]
    """As `walk` for what is below node `top`, node by node in the trie's order: where most bytes are alive, stepping
    over the dead costs less than finding the living."""
    path, noted, visited = scratch.path, scratch.noted, np.int64(0)
    path[radix.nodes[top, BYTE] >> 8, PLACE] = np.uint64(config)
    i, end = np.int64(top) + 1, np.int64(radix.nodes[top, END])
    while i < end:
        visited += 1
        if visited > limit:
            return np.int64(TOO_LONG)
        depth, byte = np.int64(radix.nodes[i, BYTE] >> 8), np.int64(radix.nodes[i, BYTE] & 255)
        branch, before = np.int64(radix.nodes[i, BRANCH]), np.int64(path[depth - 1, PLACE])
        after = known(net, memo, before, byte)
        if after == 0:
            i = np.int64(radix.nodes[i, END])
            continue
        if after < 0 and branch != LEAF:
            after = reach(net, memo, work, before, byte, scratch.part, np.int64(ALL))
            if after <= 0:
                return _no_way(after)
            visited += _cost(after)
        put(radix, i, row)
        if branch != LEAF:
            path[depth, PLACE] = np.uint64(after)
            if noted.shape[0] > 0 and _awaited(net, memo, scratch, after):
                noted[0] += 1
                noted[noted[0]] = i
            elif branch >= 0 and after < LIGHT and radix.nodes[i, END] - i >= SWEPT:
                stays = _stays(net, memo, work, radix, i, branch, after)
                if stays < 0:
                    return stays
                if stays > 0:
                    visited += _put_all(radix, i, row) >> 4
                    i = np.int64(radix.nodes[i, END])
                    continue
        i += 1
    return visited


@inner
def walk(net, memo, work, radix, scratch, n, row, limit):  # type: ignore[no-untyped-def]
    """Set the bits of the tokens at and below the first n of scratch.seeds: SEED_NODE and the place there.

    Returns the cost: how many nodes were visited, plus CONFIGURATION for each transition that was unknown; TOO_LONG if
    it exceeds `limit`, or GROW / CROWDED (call again: what was found stays found). If scratch.noted is not empty, the
    inner nodes at which what is awaited may come are added to it; noted[0] counts them (fill_row begins with none).
    """
    visited, seeds, path, noted = np.int64(0), scratch.seeds, scratch.path, scratch.noted
    for s in range(n):
        i, after, d = seeds[s, SEED_NODE], seeds[s, SEED_AFTER], 0
        while i >= 0:
            visited += 1
            if visited > limit:
                return np.int64(TOO_LONG)
            put(radix, i, row)
            branch, place, byte = np.int64(radix.nodes[i, BRANCH]), after, np.int64(0)
            is_noted = noted.shape[0] > 0 and branch != LEAF and _awaited(net, memo, scratch, place)
            if is_noted:
                noted[0] += 1
                noted[noted[0]] = i
            if branch >= 0 and place < LIGHT and not is_noted:
                stays = _stays(net, memo, work, radix, i, branch, place)
                if stays < 0:
                    return stays
                if stays > 0:
                    visited += _put_all(radix, i, row) >> 4
                    branch = np.int64(LEAF)
                elif radix.nodes[i, END] - i >= SWEPT and takes(memo, place) >= MANY_BYTES:
                    swept = _sweep(net, memo, work, radix, i, place, row, scratch, limit - visited)
                    if swept < 0:
                        return swept
                    visited += swept
                    branch = np.int64(LEAF)
            if branch == CHAINED:
                i += 1
                byte = np.int64(radix.nodes[i, BYTE] & 255)
                after = known(net, memo, place, byte)
            else:
                if branch >= 0:
                    enter(net, radix, memo, path, d, branch, place)
                    d += 1
                after = np.int64(0)
            while after == 0:  # on to the next child of the nodes above
                if d == 0:
                    i = np.int64(-1)
                    break
                i, byte = take(radix, path, d - 1)
                if i < 0:
                    d -= 1
                elif radix.nodes[i, BRANCH] == LEAF:
                    visited += 1
                    put(radix, i, row)
                else:
                    place = np.int64(path[d - 1, PLACE])
                    after = look(memo, place, byte) if place < LIGHT else np.int64(UNKNOWN)
            if i >= 0 and after < 0 and radix.nodes[i, BRANCH] != LEAF:
                after = reach(net, memo, work, place, byte, scratch.part, np.int64(ALL))
                if after <= 0:
                    return _no_way(after)
                visited += _cost(after)
    return visited


@inner
def open_part(net, memo, config, part, chosen, root):  # type: ignore[no-untyped-def]
    """The bytes of the chosen scan items, four words; they are marked UNKNOWN in i32 `root`."""
    s0, s1, s2, s3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    first = memo.configs[config, SCANS]
    for i in range(first, memo.configs[config + 1, SCANS]):
        if part[i - first] == chosen:
            s0, s1, s2, s3 = live_bytes(net, memo.scans[i, 0], s0, s1, s2, s3)
    set_bytes(root, s0, s1, s2, s3, UNKNOWN)
    return s0, s1, s2, s3


@inner
def fill_row(net, memo, work, radix, config, part, chosen, row, scratch, top, cut, limit):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t below branch `top` of the trie that is allowed, `config` being
    what holds there; bits that are set stay set.

    Only those scan items of `config` count whose entry in i64 `part` is `chosen`; all, if that is ALL.
    Below the branches in column 0 of i64 `cut` (., 2), children of the root, nothing is visited if what holds there
    takes MANY_BYTES or more: column 1 receives that configuration. Row 0 of `cut` is none: cut[0, 1] becomes 1 if
    another row received something. What is returned, and `scratch.noted`, as for `walk`.
    """
    root, some = scratch.root, chosen != ALL
    if scratch.noted.shape[0] > 0:
        scratch.noted[0] = 0
    if some:
        live = open_part(net, memo, config, part, chosen, root)
    else:
        live = (memo.live[config, 0], memo.live[config, 1], memo.live[config, 2], memo.live[config, 3])
    kid, n, visited = np.int64(radix.branches[top, KIDS]), 0, np.int64(0)
    for word in range(4):
        children = radix.branches[top, word]
        bits = children & live[word]
        while bits != 0:
            bit = lowest(bits)
            bits &= bits - np.uint64(1)
            i = np.int64(radix.kids[kid + np.int64(ones(children & ((np.uint64(1) << bit) - np.uint64(1))))])
            branch, byte = np.int64(radix.nodes[i, BRANCH]), 64 * word + np.int64(bit)
            if branch == LEAF:
                visited += 1
                put(radix, i, row)
                continue
            after = np.int64(root[byte]) if some else look(memo, config, byte)
            if after < 0:
                after = reach(net, memo, work, config, byte, part, chosen)
                if after <= 0:
                    return _no_way(after)
                visited += _cost(after)
                if some and after < LIGHT:
                    spread(net, memo, config, byte, part, chosen, root, after)
            elif after == 0:
                return _no_way(after)
            s = _section(cut, branch)
            if s > 0 and after < LIGHT and takes(memo, after) >= MANY_BYTES:
                put(radix, i, row)
                cut[0, 1], cut[s, 1] = 1, after
                continue
            scratch.seeds[n, SEED_NODE], scratch.seeds[n, SEED_AFTER] = i, after
            n += 1
        kid += np.int64(ones(children))
    walked = walk(net, memo, work, radix, scratch, n, row, limit - visited)
    return walked if walked < 0 else visited + walked


@inlined
def _section(cut, branch):  # type: ignore[no-untyped-def]
    """The row of `cut` of this branch, or 0."""
    found = 0
    for s in range(1, cut.shape[0]):
        if cut[s, 0] == branch:
            found = s
    return found


@inner
def fill_below(net, memo, work, radix, first, exits, most, least, config, row, scratch, cut):  # type: ignore[no-untyped-def]
    """As fill_row for the trie nodes of `exits` and what is below, where a terminal was left: see find_exits.

    `config` is what holds before these nodes' bytes. Of exits inside a counted part, those with more than `most`
    repetitions or, if due, fewer than `least` do not count. `cut` as there.
    """
    visited, n, wide = np.int64(0), 0, cut.shape[0] > 1 and takes(memo, config) >= MANY_BYTES
    for word in range(4):
        bits = memo.live[config, word]
        while bits != 0:
            byte = 64 * word + np.int64(lowest(bits))
            bits &= bits - np.uint64(1)
            for e in range(first[byte], first[byte + 1]):
                if exits[e, EXIT_UNITS] > most or (exits[e, EXIT_DUE] and exits[e, EXIT_UNITS] < least):
                    continue
                i = np.int64(exits[e, EXIT_CHILD])
                s = _section(cut, np.int64(exits[e, EXIT_PARENT])) if wide else 0
                if s > 0:
                    cut[0, 1], cut[s, 1] = 1, config
                    continue
                if radix.nodes[i, BRANCH] == LEAF:
                    visited += 1
                    put(radix, i, row)
                    continue
                after = look(memo, config, byte)
                if after < 0:
                    after = reach(net, memo, work, config, byte, scratch.part, np.int64(ALL))
                    if after <= 0:
                        return _no_way(after)
                    visited += _cost(after)
                if n == scratch.seeds.shape[0]:
                    walked = walk(net, memo, work, radix, scratch, n, row, ENDLESS)
                    if walked < 0:
                        return walked
                    visited, n = visited + walked, 0
                scratch.seeds[n, SEED_NODE], scratch.seeds[n, SEED_AFTER] = i, after
                n += 1
    walked = walk(net, memo, work, radix, scratch, n, row, ENDLESS)
    return walked if walked < 0 else visited + walked


@inner
def nearest(net, memo, work, radix, config, bases):  # type: ignore[no-untyped-def]
    """The place in i64 `bases` of the configuration whose row differs least from that of `config`: by first bytes after
    which they are not the same. -1 if the tokens below these are most of the trie; GROW / CROWDED (call again)."""
    best, least, size = np.int64(-1), np.int64(radix.nodes.shape[0] >> 1), bases.shape[0]
    for k in range(size):
        apart, kid = np.int64(0), np.int64(radix.branches[0, KIDS])
        for word in range(4):
            children = radix.branches[0, word]
            while children != 0:
                byte = 64 * word + np.int64(lowest(children))
                children &= children - np.uint64(1)
                i = np.int64(radix.kids[kid])
                kid += 1
                if look(memo, config, byte) == 0 or radix.nodes[i, BRANCH] == LEAF:
                    continue
                after = np.int64(step(net, memo, work, config, byte))
                if after < 0:
                    return after
                apart += 0 if after == memo.trans[bases[k], byte] else radix.nodes[i, END] - i
        if apart < least:
            best, least = np.int64(k), apart
    return best


@inner
def fill_apart(net, memo, work, radix, config, base, row, scratch):  # type: ignore[no-untyped-def]
    """As fill_row for `config`, u32 `row` being the row of `base`: tokens behind a first byte after which both are the
    same stay as they are. Nodes visited, or GROW / CROWDED (call again)."""
    n, visited, kid = 0, np.int64(0), np.int64(radix.branches[0, KIDS])
    for word in range(4):
        children = radix.branches[0, word]
        while children != 0:
            byte = 64 * word + np.int64(lowest(children))
            children &= children - np.uint64(1)
            i = np.int64(radix.kids[kid])
            kid += 1
            leaf, after = radix.nodes[i, BRANCH] == LEAF, look(memo, config, byte)
            if after < 0 and not leaf:
                visited += CONFIGURATION
                after = np.int64(step(net, memo, work, config, byte))
                if after <= 0:
                    return _no_way(after)
            before = look(memo, base, byte)
            if after == before or (leaf and (after != 0) == (before != 0)):
                continue
            for k in range(radix.token_start[i], radix.token_start[radix.nodes[i, END]]):
                row[radix.token[k] >> 5] &= ~(np.uint32(1) << np.uint32(radix.token[k] & 31))
            if after != 0 and leaf:
                put(radix, i, row)
            elif after != 0:
                scratch.seeds[n, SEED_NODE], scratch.seeds[n, SEED_AFTER] = i, after
                n += 1
    walked = walk(net, memo, work, radix, scratch, n, row, ENDLESS)
    return walked if walked < 0 else visited + walked


@inner
def walk_plainly(net, memo, work, trie, config, ends, path):  # type: ignore[no-untyped-def]
    """Write to i32 `ends` (V,) the configuration behind each token of a layout.Trie, node by node: what the walks above
    are compared with. Tokens that are not allowed keep what stands there.

    Returns the nodes visited, or GROW / CROWDED. path i64 (depth + 2,) is scratch.
    """
    path[0], i, n, visited = config, np.int64(1), trie.byte.shape[0], np.int64(0)
    while i < n:
        visited += 1
        depth = np.int64(trie.depth[i])
        after = np.int64(step(net, memo, work, path[depth - 1], np.int64(trie.byte[i])))
        if after < 0:
            return after
        if after == 0:
            i = np.int64(trie.skip[i])
            continue
        for k in range(trie.token_start[i], trie.token_start[i + 1]):
            ends[trie.token[k]] = np.int32(after)
        path[depth] = after
        i += 1
    return visited
