"""States that allow the same short tokens: counts far from their bounds are one count, nodes far from a difference one.

A bound is out of reach of a token where it is further away than the token is long, since a repetition takes a byte. So
each state has a like one for each of some reaches: its items, and those of the states their rules were called in, with
the least count of which the same bounds are out of reach, and with the first node that no text of so many bytes can
tell from theirs (kernels/similar.py). Tokens of up to so many bytes are allowed in both or in neither, and masks are
put together from the row of the like state and a walk over the few tokens that are longer (automata/masks.py).

Proof, by induction over the bytes of a token: an item and its like take the same byte to items alike within one byte
less. A count of `a` complete repetitions is asked whether a + 1, ..., a + r are below the most and at least the least,
r being the bytes read; both counts answer the same.

Cost: nodes and edges once, some microseconds per state that is asked about. Reference: `MaskTable(check=True)`.
"""

from __future__ import annotations

import numpy as np

from structgen.automata.configurations import Configurations
from structgen.kernels import entries
from structgen.kernels.layout import COUNTED, DEAD, EXTRA, FINISHED, MINIMUM, SEGMENT, SORT, START

__all__ = ["Likeness"]

MOST_NODES = 1 << 16  # of a network whose nodes are compared: 10 ms


class Likeness:
    """The like states of one grammar, by reach. Not thread-safe: used under the lock of the configurations."""

    def __init__(self, configurations: Configurations, reaches: tuple[int, ...]) -> None:
        self.reaches = reaches
        self._configurations = configurations
        arrays = configurations.networks.arrays
        n = len(arrays.nodes) - 1
        self._segment = arrays.nodes[:, SEGMENT]
        self._segments = [
            (row[MINIMUM], row[EXTRA]) if row[SORT] == COUNTED else None for row in arrays.segments.tolist()
        ]
        self._names = np.tile(np.arange(n, dtype=np.int32), (len(reaches), 1))
        if n <= MOST_NODES:
            configurations.call(entries.similar_nodes, np.array(reaches, np.int64), self._names)
        self._known: list[dict[int, int]] = [{state: state for state in (DEAD, FINISHED, START)} for _ in reaches]

    def like(self, number: int, state: int) -> int:
        """The state like `state` within reaches[number] bytes; like states are like themselves."""
        known, pending = self._known[number], [state]
        while pending:
            top = pending[-1]
            if top not in known:
                items = self._configurations.kernel(top)
                below = [origin for _, origin, _ in items if origin not in known]
                if below:
                    pending += below
                    continue
                like = [self._like_item(number, node, known[origin], attr) for node, origin, attr in items]
                known[top] = top if like == items else self._configurations.gather(like)
            pending.pop()
        return known[state]

    def _like_item(self, number: int, node: int, origin: int, attr: int) -> tuple[int, int, int]:
        segment = self._segment.item(node)
        bounds = None if segment < 0 else self._segments[segment]
        if bounds is not None:
            attr = like_count(attr, *bounds, self.reaches[number])
        return self._names.item(number, node), origin, attr


def like_count(count: int, least: int, most: int, reach: int) -> int:
    """The least count that `reach` more repetitions cannot tell from `count`."""
    if most - count <= reach + 1:
        return count
    if count >= least:
        return least
    return count if least - count <= reach + 1 else 0
