"""From the transitions of a finite automaton to its coarsest partition: which states behave alike.

n states, m transitions, sorted by label. Two partitions refine each other: blocks of states, and blocks of transitions
with one label that lead into one block. Cost: O(m log n) after sorting; dead transitions need not be there.
Source: Valmari, "Fast brief practical DFA minimization", 2012.
"""

from __future__ import annotations

from typing import Any

from structgen.kernels._jit import CANVAS, inner
from structgen.kernels.layout import I32_1D, I32_2D, I64_1D, U8_1D

# Rows of a partition, i32 (7, elements + 1): elements block by block, where each stands, whose it is; of each block
# its first place, the place behind its last, how many of its elements are marked; the blocks with marks.
SORTED, SPOT, OWNER, FRONT, BACK, MARKED, TOUCHED = range(7)


@inner
def mark(p, touched, element):  # type: ignore[no-untyped-def]
    """Mark an element that is not marked; how many blocks have marks."""
    block, i = p[OWNER, element], p[SPOT, element]
    j = p[FRONT, block] + p[MARKED, block]
    other = p[SORTED, j]
    p[SORTED, i], p[SPOT, other] = other, i
    p[SORTED, j], p[SPOT, element] = element, j
    if p[MARKED, block] == 0:
        p[TOUCHED, touched] = block
        touched += 1
    p[MARKED, block] += 1
    return touched


@inner
def split(p, touched, blocks):  # type: ignore[no-untyped-def]
    """Divide every block with marks into its marked elements and the others: the smaller part is the new block."""
    while touched:
        touched -= 1
        block = p[TOUCHED, touched]
        j = p[FRONT, block] + p[MARKED, block]
        if j == p[BACK, block]:
            p[MARKED, block] = 0
            continue
        if p[MARKED, block] <= p[BACK, block] - j:
            p[FRONT, blocks] = p[FRONT, block]
            p[BACK, blocks] = j
            p[FRONT, block] = j
        else:
            p[BACK, blocks] = p[BACK, block]
            p[FRONT, blocks] = j
            p[BACK, block] = j
        for i in range(p[FRONT, blocks], p[BACK, blocks]):
            p[OWNER, p[SORTED, i]] = blocks
        p[MARKED, block] = 0
        p[MARKED, blocks] = 0
        blocks += 1
    return blocks


@CANVAS.entry
def coarsest(
    tail: I32_1D,
    label: I32_1D,
    head: I32_1D,
    final: U8_1D,
    into_first: I64_1D,
    into: I32_1D,
    states: I32_2D,
    edges: I32_2D,
) -> Any:
    """Write the block of each state to row OWNER of `states`; how many blocks there are.

    Transition k leads from tail[k] with label[k] to head[k], labels ascending; final u8 (n,). `into` i32 (m,) are the
    transitions by their heads, those of state s from into_first[s] on, i64 (n+1,). states i32 (7, n+1) and edges i32
    (7, m+1) are zeros.
    """
    n, m = final.shape[0], tail.shape[0]
    for s in range(n):
        states[SORTED, s], states[SPOT, s] = s, s
    states[BACK, 0] = n
    touched = 0
    for s in range(n):
        if final[s]:
            touched = mark(states, touched, s)
    blocks = split(states, touched, 1)
    sorts = 0
    for k in range(m):
        edges[SORTED, k], edges[SPOT, k] = k, k
        if k == 0 or label[k] != label[k - 1]:
            edges[FRONT, sorts] = k
            sorts += 1
        edges[OWNER, k] = sorts - 1
        edges[BACK, sorts - 1] = k + 1
    done_blocks, done_sorts = 1, 0  # one block may be left out: the others together say what it would
    while done_sorts < sorts:
        touched = 0
        for i in range(edges[FRONT, done_sorts], edges[BACK, done_sorts]):
            touched = mark(states, touched, tail[edges[SORTED, i]])
        blocks = split(states, touched, blocks)
        done_sorts += 1
        while done_blocks < blocks:
            touched = 0
            for i in range(states[FRONT, done_blocks], states[BACK, done_blocks]):
                s = states[SORTED, i]
                for k in range(into_first[s], into_first[s + 1]):
                    touched = mark(edges, touched, into[k])
            sorts = split(edges, touched, sorts)
            done_blocks += 1
    return blocks
