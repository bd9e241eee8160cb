"""What terminal rows are made from: what each token does below a state, and where tokens leave an expression.

`survey` walks as kernels/walks.py does and looks at every configuration, leaves included; `split` parts a state's items
by terminal. Cost: a survey some nanoseconds per live trie node, and every configuration below the state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import TOKENS, inner
from structgen.kernels.codes import UNCERTAIN
from structgen.kernels.earley import look, step
from structgen.kernels.layout import (
    ACCEPTING,
    ARC_TO,
    ARCS,
    ARG,
    ATTR,
    BOOL_1D,
    BRANCH,
    BYTE,
    CHAIN,
    CHAINED,
    COUNTED,
    I16_1D,
    I32_1D,
    I32_2D,
    I64_1D,
    LEAF,
    NODE,
    OP,
    ORIGIN,
    SCANS,
    SEGMENT,
    SET,
    SILENT,
    SORT,
    U8_1D,
    WEIGH,
    WEIGHED,
    In,
    Strided,
    Trie,
)
from structgen.kernels.walks import EXIT_CHILD, EXIT_DUE, EXIT_PARENT, EXIT_UNITS, PLACE, enter, take

ALIVE, LEAVES, MIXED, COUNTING, PAST, BOTH = 1, 2, 4, 8, 16, 32  # what `survey` notes of a configuration
COUNT, PHASE = 5, 6  # of a survey's path, beside the columns of walks


@TOKENS.entry
def find_exits(
    trie: Trie,
    branch: Strided[I32_1D],
    nodes: I64_1D,
    units: I16_1D,
    due: BOOL_1D,
    outside: I32_1D,
    first: I64_1D,
    exits: I32_2D,
) -> Any:
    """The children of some trie nodes, i64 (k,), below which some token is `outside`, sorted by byte; how many.

    branch i32 (n,): of each trie node, as in layout.Radix. units i16 (k,) and due bool (k,): how many repetitions there
    are at each of `nodes`, whether it is inside the counted part or after it. outside i32 (t+1,): how many of the
    tokens before each place of trie.token are not allowed inside. first i64 (257,) receives the spans of the bytes,
    exits i32 (., 4) EXIT_CHILD, EXIT_UNITS, EXIT_DUE, EXIT_PARENT the branch above if that is a child of the root, else
    -1; without room for all, nothing but the count is right.
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
                        exits[place, EXIT_CHILD], exits[place, EXIT_UNITS], exits[place, EXIT_DUE] = i, units[k], due[k]
                        exits[place, EXIT_PARENT] = branch[nodes[k]] if trie.depth[i] == 2 else -1
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


@inner
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


@inner
def _count(net, memo, config, known):  # type: ignore[no-untyped-def]
    """Fill row `config` of `known`: flags of the configuration, and how many repetitions were begun; the least weight
    where a graph is weighed, which differs inside characters alone."""
    accepting = memo.configs[config, ACCEPTING] != 0
    count, inside, outside, flags, begun = np.int64(0), False, False, np.int64(ALIVE), np.int64(0)
    for k in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        g = net.nodes[memo.scans[k, NODE], SEGMENT]
        if g < 0:
            outside = True
            continue
        begun = np.int64(net.segments[g, SORT] == COUNTED)  # one more than are complete
        if inside and memo.scans[k, ATTR] != count and begun:
            flags |= MIXED
        count = min(count, memo.scans[k, ATTR]) if inside and not begun else memo.scans[k, ATTR]
        inside = True
    if inside:
        flags |= COUNTING
    if inside and outside:
        flags |= BOTH
    if accepting:
        flags |= LEAVES
    known[config, 0] = flags
    known[config, 1] = min(count + begun * (inside and not outside and not accepting), 32_000)


@inner
def _moves_outside(net, memo, config, byte):  # type: ignore[no-untyped-def]
    """Whether some item of `config` that stands outside the counted part takes `byte`."""
    word, bit = byte >> 6, np.uint64(byte & 63)
    for k in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        node = memo.scans[k, NODE]
        if net.nodes[node, SEGMENT] < 0:
            if net.nodes[node, CHAIN] == byte:
                return True
            for a in range(net.nodes[node, ARCS], net.nodes[node + 1, ARCS]):
                if (net.sets[net.arcs[a, SET], word] >> bit) & np.uint64(1):
                    return True
    return False


@inner
def _with_last(net, memo, config, byte, count):  # type: ignore[no-untyped-def]
    """The least weight behind `byte` where that ends a weighed graph: no item is left inside that would tell."""
    best, word, bit = np.int64(-1), byte >> 6, np.uint64(byte & 63)
    for k in range(memo.configs[config, SCANS], memo.configs[config + 1, SCANS]):
        node = memo.scans[k, NODE]
        g = net.nodes[node, SEGMENT]
        if g < 0 or net.segments[g, SORT] != WEIGHED:
            continue
        for a in range(net.nodes[node, ARCS] - 1, net.nodes[node + 1, ARCS]):
            if a < net.nodes[node, ARCS]:
                if net.nodes[node, CHAIN] != byte:
                    continue
                to = node + 1
            elif (net.sets[net.arcs[a, SET], word] >> bit) & np.uint64(1):
                to = net.arcs[a, ARC_TO]
            else:
                continue
            total = memo.scans[k, ATTR]
            for e in range(net.nodes[to, SILENT], net.nodes[to + 1, SILENT]):
                if net.silent[e, OP] == WEIGH:
                    total += net.silent[e, ARG]
            best = total if best < 0 else min(best, total)
    return count if best < 0 else best


@inner
def survey(net, memo, work, radix, config, top, need, closed, exits, leaves, known, path):  # type: ignore[no-untyped-def]
    """Walk all that `config` allows below branch `top` of the trie and tell of each token what it does; GROW / CROWDED,
    or how many exits there are.

    need i16 (tokens,): repetitions begun by those that are possible, others keep their value; closed bool (tokens,):
    the counted part was left. exits i64 (n, 3): inner trie nodes where the text may end, repetitions there, 1 = inside
    the counted part or after it. leaves u8 (n,): 1 where the text may end. UNCERTAIN if items have counted differently
    (from a byte on that goes on inside the counted part and after it at once, they do), or if there are more
    configurations than rows of the scratch `known` i16 (., 2), zeros. path u64 (depth + 2, PATH).
    """
    if config >= known.shape[0]:
        return np.int64(UNCERTAIN)
    _count(net, memo, config, known)
    enter(net, radix, memo, path, 0, top, config)
    path[0, COUNT], path[0, PHASE] = np.uint64(known[config, 1]), np.uint64(known[config, 0] & COUNTING)
    i, byte, count, phase, d, found = np.int64(-1), np.int64(0), np.int64(0), np.int64(0), 1, np.int64(0)
    while True:
        while i < 0 and d > 0:
            i, byte = take(radix, path, d - 1)
            config = np.int64(path[d - 1, PLACE])
            count, phase = np.int64(path[d - 1, COUNT]), np.int64(path[d - 1, PHASE])
            d -= i < 0
        if i < 0:
            return found
        after = look(memo, config, byte)
        if after < 0:
            after = np.int64(step(net, memo, work, config, byte))
            if after < 0:
                return after
        if after == 0:
            i = np.int64(-1)
            continue
        if after >= known.shape[0]:
            return np.int64(UNCERTAIN)
        if known[after, 0] == 0:
            _count(net, memo, after, known)
        if known[after, 0] & MIXED:
            return np.int64(UNCERTAIN)
        if known[config, 0] & BOTH and known[after, 0] & COUNTING and _moves_outside(net, memo, config, byte):
            return np.int64(UNCERTAIN)
        if known[after, 0] & COUNTING:
            phase, count = np.int64(COUNTING), np.int64(known[after, 1])
        elif phase:
            if phase == COUNTING:
                count = _with_last(net, memo, config, byte, count)
            phase = np.int64(PAST)
        for k in range(radix.token_start[i], radix.token_start[i + 1]):
            need[radix.token[k]], closed[radix.token[k]] = count, phase == PAST
        branch = np.int64(radix.nodes[i, BRANCH])
        if known[after, 0] & LEAVES:
            leaves[i] = 1
            if branch != LEAF:
                exits[found, 0], exits[found, 1], exits[found, 2] = i, count, phase != 0
                found += 1
        if branch == CHAINED:
            i, config = i + 1, after
            byte = np.int64(radix.nodes[i, BYTE] & 255)
            continue
        if branch >= 0:
            enter(net, radix, memo, path, d, branch, after)
            path[d, COUNT], path[d, PHASE] = np.uint64(count), np.uint64(phase)
            d += 1
        i = np.int64(-1)


@TOKENS.entry
def fewest_tokens(trie: Trie, data: In[U8_1D], best: I64_1D, choice: I32_1D) -> Any:
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
