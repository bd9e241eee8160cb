"""The agenda of a kernel call: a set of items in order of arrival, and its sorting.

Membership is a stamped hash, so that a new agenda costs nothing to clear. Reference: automata/reference.py.
"""

from __future__ import annotations

from structgen.kernels._jit import inlined
from structgen.kernels.codes import CROWDED
from structgen.kernels.hashing import mix, next_slot, slot
from structgen.kernels.layout import ATTR, NODE, ORIGIN, SLOT, STAMP


@inlined
def push(work, n, node, origin, attr):  # type: ignore[no-untyped-def]
    """Add an item to the agenda unless it is there; returns the new length, CROWDED when full."""
    place = slot(work.seen, mix(node, origin, attr))
    clock = work.clock[0]
    while work.seen[place, STAMP] == clock:
        at = work.seen[place, SLOT]
        if work.agenda[at, NODE] == node and work.agenda[at, ORIGIN] == origin and work.agenda[at, ATTR] == attr:
            return n
        place = next_slot(work.seen, place)
    if n >= work.agenda.shape[0]:
        return CROWDED
    work.seen[place, STAMP] = clock
    work.seen[place, SLOT] = n
    work.agenda[n, NODE], work.agenda[n, ORIGIN], work.agenda[n, ATTR] = node, origin, attr
    return n + 1


@inlined
def sort_items(work, n):  # type: ignore[no-untyped-def]
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
