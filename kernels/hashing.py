"""Open addressing, written once: tables of a power of two of slots, probed one after the other; 0 is free.

    place = slot(table, h)
    while table[place] != 0 and <what stands there is another>:
        place = next_slot(table, place)

The comparison differs from table to table and stays where the data are. `mix` is the hash of three numbers, `joined`
and `chained` those of a sequence, `spread` brings high bits down where only those differ.
Source: splitmix64's finaliser (Steele, Lea, Flood 2014), FNV-1a's multiplier, xxHash's primes.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inlined


@inlined
def mix(a, b, c):  # type: ignore[no-untyped-def]
    """Hash of three numbers, such as an item's node, origin and register."""
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(c) * np.uint64(0x165667B19E3779F9)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return h ^ (h >> np.uint64(27))


@inlined
def joined(h, a, b, c):  # type: ignore[no-untyped-def]
    """Hash of a sequence with three more numbers at its end."""
    return h * np.uint64(0x100000001B3) ^ mix(a, b, c)


@inlined
def chained(h, a):  # type: ignore[no-untyped-def]
    """Hash of a sequence with one more number at its end: cheaper than `joined`, to be spread."""
    return (h ^ np.uint64(a)) * np.uint64(0x9E3779B97F4A7C15)


@inlined
def spread(h):  # type: ignore[no-untyped-def]
    """A hash whose low bits depend on the high ones."""
    return h ^ (h >> np.uint64(32))


@inlined
def slot(table, h):  # type: ignore[no-untyped-def]
    """Where to look first."""
    return h & np.uint64(table.shape[0] - 1)


@inlined
def next_slot(table, place):  # type: ignore[no-untyped-def]
    """Where to look next."""
    return (place + np.uint64(1)) & np.uint64(table.shape[0] - 1)


@inlined
def free_slot(table, h):  # type: ignore[no-untyped-def]
    """The first free slot, for what is known not to be there."""
    place = slot(table, h)
    while table[place] != 0:
        place = next_slot(table, place)
    return place
