"""From a program (automata/program.py) to the arrays of a network in one call: drafted, sorted, measured and pruned.

Cost: that of its steps (emission.py, assembly.py). Receipt: called one by one from Python, each with dozens of arrays
to pass there and back, they took 60 µs more, 6 % of compiling the median schema of maskbench.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import NETWORKS, allocating
from structgen.kernels.arrays import bit_rows, filled_longs, long_rows, longs
from structgen.kernels.assembly import assemble, prune
from structgen.kernels.draft import D_SPANS, Draft
from structgen.kernels.emission import write_rules
from structgen.kernels.layout import CHAIN, I64_1D, In, Network


@NETWORKS.entry(allocates=True)
def build(prog: In[I64_1D], starts: I64_1D, size: int, byte: int) -> Any:
    """(Network, i32 (n,) span of each node, i64 (k, 7) spans, i64 (n,) promised prefixes, whether an edge has `byte`).

    `prog` i64, `starts` i64 (r,) and `size` as in automata/program.py: no operation adds more nodes or edges than its
    words.
    """
    d = _draft(starts.shape[0], prog.shape[0], size)
    frames = long_rows(prog.shape[0] + 1, 7)  # what nests begins later in the program
    if not write_rules(prog, starts, d, frames):
        raise ValueError("a program nests deeper than it is long")
    net, span = assemble(d)
    arcs, calls, silent = prune(net)
    net = Network(
        net.nodes, net.arcs[:arcs], net.sets, net.calls[:calls], net.silent[:silent], net.rules, net.segments,
        net.members, net.wide
    )  # fmt: skip
    return net, span, d.spans[: d.counts[D_SPANS]].copy(), d.equivalent[: span.shape[0]].copy(), _has_byte(net, byte)


@allocating
def _draft(rules, words, size):  # type: ignore[no-untyped-def]
    """Room for whatever a program adds; what is not touched costs nothing."""
    nodes, sets, slots = size + 2 * rules, words // 5 + 257, 512  # a set is five words, but for those of a single byte
    while slots <= 2 * sets:
        slots *= 2
    return Draft(
        filled_longs(11, 0),
        longs(nodes),
        longs(nodes),
        longs(nodes),
        long_rows(size, 3),
        long_rows(size, 4),
        long_rows(2 * size + 16, 4),
        bit_rows(sets, 4),
        filled_longs(slots, 0),
        long_rows(size, 10),
        long_rows(2 * size, 2),
        long_rows(size, 7),
        long_rows(size, 2),
        long_rows(rules, 2),
        long_rows(size, 3),
    )


@allocating
def _has_byte(net, byte):  # type: ignore[no-untyped-def]
    """Whether an edge has this byte, in a set or inside a literal."""
    for s in range(net.sets.shape[0]):
        if net.sets[s, byte >> 6] >> np.uint64(byte & 63) & np.uint64(1):
            return True
    return (net.nodes[:, CHAIN] == byte).any()
