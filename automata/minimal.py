"""From an automaton with finitely many states to its smallest table over bytes.

All states are visited in one kernel call, bytes that no state tells apart become one label, and states that behave
alike become one (kernels/minimal.py). Cost: a transition of each state and class of bytes, then O(m log n); 12,000
states of JSON: see docs/benchmarks.md, "Canvases".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.kernels.layout import START
from structgen.kernels.minimal import OWNER, coarsest

__all__ = ["ByteTable", "minimal_table"]


class ByteTable(NamedTuple):
    """S states: 0 dead, 1 unused (what ends a text is no byte), 2 START.   L labels

    trans i32 (S, L) next state; labels i32 (256,) the label of each byte, -1 where it is never allowed; accepting u8
    (S,) the text may end here.
    """

    trans: NDArray[np.int32]
    labels: NDArray[np.int32]
    accepting: NDArray[np.uint8]


def minimal_table(automaton: Configurations, *, most_states: int, leading_blank: bool = False) -> ByteTable:
    """The table of everything that can be reached. Raises LimitExceeded when there are more than `most_states` before
    equal ones are joined.

    `leading_blank`: a blank at the very beginning is no text (Vocabulary.leading_blank).
    """
    trans, accepting = automaton.all_transitions(most_states)
    if leading_blank:  # START is left at once, for a state that does what it did
        begun = len(trans)
        trans = np.concatenate([trans, trans[START : START + 1]])
        trans[trans == START] = begun
        trans[START] = trans[begun]
        trans[START, 32] = begun
        accepting = np.concatenate([accepting, accepting[START : START + 1]])
    by_byte, of_byte = np.unique(trans[2:].T, axis=0, return_inverse=True)
    dead = int(not by_byte[0].any())  # the smallest row, if there is one
    labels = (of_byte.reshape(256) - dead).astype(np.int32)
    steps = np.ascontiguousarray(by_byte[dead:].T)
    block = _coarsest(steps, accepting[2:])
    blocks, places = np.unique(block, return_index=True)
    number = np.empty(len(blocks), np.int32)
    order = np.argsort(np.where(blocks == block[0], -1, places), kind="stable")  # START first, then as they were found
    number[order] = np.arange(2, len(blocks) + 2, dtype=np.int32)
    new = np.concatenate([np.zeros(2, np.int32), number[block]])
    small = np.zeros((len(blocks) + 2, steps.shape[1]), np.int32)
    small[number] = new[steps[places]]
    ends = np.zeros(len(small), np.uint8)
    ends[number] = accepting[2:][places]
    return ByteTable(small, labels, ends)


def _coarsest(steps: NDArray[np.int32], accepting: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The block of each state, (n,); steps i32 (n, L) are the numbers of states plus two, 0 where there is none."""
    label, tail = np.nonzero(steps.T)
    head = (steps[tail, label] - 2).astype(np.int32)
    into = np.argsort(head, kind="stable").astype(np.int32)
    into_first = np.searchsorted(head[into], np.arange(len(steps) + 1)).astype(np.int64)
    states, edges = np.zeros((7, len(steps) + 1), np.int32), np.zeros((7, len(tail) + 1), np.int32)
    final = accepting.astype(np.uint8)
    coarsest(tail.astype(np.int32), label.astype(np.int32), head, final, into_first, into, states, edges)
    return states[OWNER, : len(steps)].copy()
