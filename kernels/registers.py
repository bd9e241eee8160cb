"""What epsilon edges do to an item's register: counts, bit sets of written members, numbers of interned sets.

Sets of more members than a register has bits are interned in Memo.sets, so that the register stays one number.
Reference: automata/reference.py, which writes counts and orders out as productions.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inlined, inner
from structgen.kernels.codes import GROW
from structgen.kernels.hashing import next_slot, slot
from structgen.kernels.layout import (
    ADD,
    BELOW,
    BROAD,
    ENOUGH,
    EXTRA,
    HAS,
    LACKS,
    LEAVE,
    LIKE,
    MINIMUM,
    MORE,
    N_SETS,
    SPARE,
    UPTO,
    WEIGH,
    WIDE,
)


@inner
def with_member(memo, number, bit):  # type: ignore[no-untyped-def]
    """Number of interned set `number` with member `bit` added; -1 if it is there already, GROW when out of room."""
    word, mask = bit >> 6, np.uint64(1) << np.uint64(bit & 63)
    if memo.sets[number, word] & mask:
        return np.int64(-1)
    fresh = memo.counts[N_SETS]
    if fresh + 1 >= memo.sets.shape[0]:
        return np.int64(GROW)
    for w in range(memo.sets.shape[1]):
        memo.sets[fresh, w] = memo.sets[number, w]
    memo.sets[fresh, word] |= mask
    place = set_place(memo, fresh)
    if memo.set_table[place] != 0:
        return np.int64(memo.set_table[place])
    memo.set_table[place] = fresh
    memo.counts[N_SETS] = fresh + 1
    return np.int64(fresh)


@inner
def set_place(memo, number):  # type: ignore[no-untyped-def]
    """Where in set_table the contents of set `number` stand, or would stand."""
    h = np.uint64(0)
    for w in range(memo.sets.shape[1]):
        h = (h ^ memo.sets[number, w]) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
    place = slot(memo.set_table, h)
    while memo.set_table[place] != 0:
        other, same = memo.set_table[place], True
        for w in range(memo.sets.shape[1]):
            same = same and memo.sets[other, w] == memo.sets[number, w]
        if same:
            break
        place = next_slot(memo.set_table, place)
    return place


@inner
def rehash_sets(memo):  # type: ignore[no-untyped-def]
    """Rebuild set_table (after it was replaced by a larger, zeroed one)."""
    for number in range(1, memo.counts[N_SETS]):
        memo.set_table[set_place(memo, number)] = number


@inner
def contains(net, memo, number, row):  # type: ignore[no-untyped-def]
    """Whether interned set `number` contains every member of row `row` of net.wide."""
    for w in range(memo.sets.shape[1]):  # noqa: SIM110 - generators do not compile
        if net.wide[row, w] & ~memo.sets[number, w]:
            return False
    return True


@inlined
def like_count(net, g, count):  # type: ignore[no-untyped-def]
    """The least count that so many more repetitions as a blurred segment says cannot tell from `count`."""
    least, most, more = net.segments[g, MINIMUM], net.segments[g, EXTRA], net.segments[g, MORE]
    if most - count <= more:
        return min(count, most)
    if count >= least:
        return least
    return count if least - count <= more else np.int64(0)


@inlined
def apply(net, memo, op, arg, attr):  # type: ignore[no-untyped-def]
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
    if op == SPARE:
        return attr if attr <= arg else np.int64(-1)
    if op == WEIGH:
        return attr + arg
    if op == LEAVE:
        return np.int64(0)
    if op == LIKE:
        return like_count(net, arg, attr + 1)
    if op == WIDE + ADD:
        return with_member(memo, attr, arg)
    if op == WIDE + HAS:
        return np.int64(0) if contains(net, memo, attr, arg) else np.int64(-1)
    if op == WIDE + LACKS:
        return np.int64(-1) if contains(net, memo, attr, arg) else attr
    return attr


@inner
def written(net, memo, g, attr, k):  # type: ignore[no-untyped-def]
    """Whether member k of segment g is in the register."""
    if net.segments[g, BROAD]:
        return (memo.sets[attr, k >> 6] >> np.uint64(k & 63)) & np.uint64(1) != 0
    return (attr >> k) & 1 != 0
