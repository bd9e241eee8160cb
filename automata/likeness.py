"""From a network to the nodes that no text of so many bytes tells apart (kernels/similar.py), for automata/blur.py.

What is alike inside a terminal is so wherever the terminal stands, as all that leaves it leads to one place: so that is
found once per process and terminal, and remembered by its digest and bounds. Of other rules it is found in each
grammar, and of small ones not at all: little would be won.

Kernels count moves. Where at most s silent edges follow each other a text of r bytes takes up to r + (r + 1) s of them;
where they run in circles they have to lead to the same node.

Cost: 0.1 ms a thousand nodes that are compared. Receipt: the first mask inside `format: email` under any style, whose
terminal has 21,000 nodes, 5.3 -> 2.6 ms in every schema but the first.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.network import RuleNetworks
from structgen.kernels import entries
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ARG,
    CALLS,
    CHAIN,
    EQUIVALENT,
    OP,
    RULE,
    SILENT,
    SILENT_TO,
    SPAN_AFTER,
    SPAN_END,
    SPAN_FIRST,
    SPAN_SORT,
)
from structgen.memory import Bounded, register

__all__ = ["longest_run", "similar"]

MOST_NODES = 1 << 16  # that are compared at once: 7 ms
MOST_SILENT = 4  # edges that follow each other
MOST_TERMINALS, MOST_BYTES = 256, 1 << 23  # of which it is remembered

Names = NDArray[np.int32]
_KNOWN: Bounded[tuple[str, int, int, tuple[int, ...]], Names] = Bounded(MOST_TERMINALS, most_bytes=MOST_BYTES)
_LOCK = threading.Lock()
register("automata.likeness.terminals", _KNOWN.held, _KNOWN.clear)


def similar(configurations: Configurations, reaches: tuple[int, ...], least: int = 0) -> Names:
    """i32 (reaches, n): of each of n nodes one that no text of up to so many bytes tells from it, the same for all that
    are alike; of rules and terminals of fewer nodes than `least`, itself."""
    networks = configurations.networks
    nodes = networks.arrays.nodes
    names = np.tile(np.arange(len(nodes) - 1, dtype=np.int32), (len(reaches), 1))
    rule_of = nodes[:-1, RULE]
    compared = (np.bincount(rule_of) >= least)[rule_of]
    for span in networks.spans[_closed(networks, least)]:
        key, first, end, _, _, low, high = span.tolist()
        terminal = networks.terminals[key].digest, low, high, reaches
        with _LOCK:
            known = _KNOWN.get(terminal)
        if known is None:
            inside = np.zeros(len(rule_of), np.bool_)
            inside[first:end] = True
            _compare(configurations, reaches, inside, names)
            known = names[:, first:end] - np.int32(first)
            with _LOCK:
                _KNOWN.remember(terminal, known, known.nbytes)
        names[:, first:end] = known + np.int32(first)
        compared[rule_of == rule_of[first]] = False  # what is left of the rule is little
    _compare(configurations, reaches, compared, names)
    return names


def _compare(
    configurations: Configurations, reaches: tuple[int, ...], compared: NDArray[np.bool_], names: Names
) -> None:
    if 0 < np.count_nonzero(compared) <= MOST_NODES:
        run = longest_run(configurations.networks, compared)
        moves = np.array([reach + (reach + 1) * (run or 0) for reach in reaches], np.int64)
        configurations.call(entries.similar_nodes, moves, run is not None, compared, names)


def longest_run(networks: RuleNetworks, chosen: NDArray[np.bool_], op: int | None = None) -> int | None:
    """How many silent edges between some nodes follow each other at most; with `op`, the most that the arguments of
    those of this operation come to, one after the other. None beyond MOST_SILENT: they may run in circles."""
    a = networks.arrays
    source, to = np.repeat(np.arange(len(chosen)), np.diff(a.nodes[:, SILENT])), a.silent[:, SILENT_TO]
    within = chosen[source] & chosen[to]
    source, to = source[within], to[within]
    if not len(source):
        return 0
    costs = np.ones((1 if op is None else 2, len(to)), np.int32)  # of each edge, those that are asked for first
    if op is not None:
        costs[0] = np.where(a.silent[:, OP] == op, a.silent[:, ARG], 0)[within]
    first = np.flatnonzero(np.diff(source, prepend=-1))  # of the edges of a node, which stand together
    most, before = np.zeros((len(costs), len(chosen)), np.int32), -1
    for _ in range(MOST_SILENT + 2):  # each round knows of runs that are longer by one
        most[:, source[first]] = np.maximum.reduceat(most[:, to] + costs, first, axis=1)
        if (length := int(most[-1].max())) == before:
            return int(most[0].max())
        before = length
    return None


def _closed(networks: RuleNetworks, least: int) -> list[int]:
    """The spans of at least so many nodes that are those of their terminal, where nothing leaves but silent edges
    to the place behind it."""
    spans = networks.spans
    large = (spans[:, SPAN_END] - spans[:, SPAN_FIRST] >= max(least, 1)) & (spans[:, SPAN_SORT] != EQUIVALENT)
    return [at for at in np.flatnonzero(large).tolist() if _leads_behind(networks, spans[at])]


def _leads_behind(networks: RuleNetworks, span: NDArray[np.int64]) -> bool:
    first, end, after = span[[SPAN_FIRST, SPAN_END, SPAN_AFTER]].tolist()
    a, (begin, stop) = networks.arrays, networks.arrays.nodes[[first, end]]
    to, silently = a.arcs[begin[ARCS] : stop[ARCS], ARC_TO], a.silent[begin[SILENT] : stop[SILENT], SILENT_TO]
    stays = ((first <= to) & (to < end)).all() and a.nodes[end - 1, CHAIN] < 0 and begin[CALLS] == stop[CALLS]
    return bool(stays and ((silently == after) | ((first <= silently) & (silently < end))).all())
