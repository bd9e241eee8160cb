"""From a configuration to the ways on that a text is likely to take: bytes, and what choosing them costs in bits.

What machines write is plain: one blank behind a comma or a colon and none elsewhere, ASCII, no escape where a character
will do. Bytes are weighed so, by the byte before them; those that lead to the same place are a class, which weighs as
much as its heaviest byte and costs the logarithm of its share. A way is a class, and behind it all that is as good as
certain: the rest of a key, punctuation, a blank.

Cost: a look at each byte that is alive, at each place on the way. Twin: structgen/likely.py.
"""

from __future__ import annotations

import math

import numpy as np

from structgen.kernels._jit import inlined, inner, lowest
from structgen.kernels.earley import ALL
from structgen.kernels.places import live_at, reach

CERTAIN = 0.85  # the share of a class that is followed
RARE, BLANK_BEHIND, BLANK_ELSEWHERE, LINE_END = 2.0**-10, 64.0, 2.0**-5, 2.0**-6
MOST_WAYS, MOST_BYTES = 32, 64  # of a state, and of a way
LEADS_TO, HEAVIEST = range(2)  # of classes: where it leads, its heaviest byte


@inlined
def weight(last, byte):  # type: ignore[no-untyped-def]
    """What a byte weighs behind another one; 1 is usual."""
    if byte == 0x20:
        return BLANK_BEHIND if last in (0x2C, 0x3A) else BLANK_ELSEWHERE
    if byte == 0x0A:
        return LINE_END
    return RARE if byte == 0x5C or byte > 0x7E or byte < 0x20 else 1.0


@inner
def _classes(net, memo, work, place, last, classes, weights):  # type: ignore[no-untyped-def]
    """Fill i64 `classes` (256, 2) and f64 `weights` (256,); how many there are, or GROW / CROWDED."""
    count, live = np.int64(0), live_at(net, memo, place)
    for word in range(4):
        bits = live[word]
        while bits != 0:
            byte = 64 * word + np.int64(lowest(bits))
            bits &= bits - np.uint64(1)
            after = reach(net, memo, work, place, byte, work.clock, np.int64(ALL))
            if after < 0:
                return after
            k, own = np.int64(0), weight(last, byte)
            while k < count and classes[k, LEADS_TO] != after:
                k += 1
            if k == count:
                classes[k, LEADS_TO], classes[k, HEAVIEST], weights[k] = after, byte, own
                count += 1
            elif own > weights[k]:
                classes[k, HEAVIEST], weights[k] = byte, own
    return count


@inlined
def _sum(weights, count):  # type: ignore[no-untyped-def]
    """The sum of the first `count` weights, and which is the largest."""
    total, best = 0.0, np.int64(0)
    for k in range(count):
        total += weights[k]
        if weights[k] > weights[best]:
            best = np.int64(k)
    return total, best


@inner
def likely(net, memo, work, config, last, classes, weights, bits, texts, ends):  # type: ignore[no-untyped-def]
    """The ways on from `config`, behind byte `last`: how many, or GROW / CROWDED (grow and call again).

    Way k takes bits[k] bits, f64 (W,), and its bytes are texts[k, :ends[k]], u8 (W, n); those beyond W are left out.
    classes i64 (2, 256, 2) and weights f64 (2, 256) are scratch.
    """
    count = _classes(net, memo, work, np.int64(config), np.int64(last), classes[0], weights[0])
    if count < 0:
        return count
    total, _ = _sum(weights[0], count)
    count = min(count, np.int64(bits.shape[0]))
    for k in range(count):
        place, byte, end = classes[0, k, LEADS_TO], classes[0, k, HEAVIEST], np.int64(0)
        bits[k] = math.log2(total / weights[0, k])
        while True:
            texts[k, end] = byte
            end += 1
            if end == texts.shape[1]:
                break
            found = _classes(net, memo, work, place, byte, classes[1], weights[1])
            if found < 0:
                return found
            whole, best = _sum(weights[1], found)
            if found == 0 or weights[1, best] < CERTAIN * whole:
                break
            place, byte = classes[1, best, LEADS_TO], classes[1, best, HEAVIEST]
        ends[k] = end
    return count
