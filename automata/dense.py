"""From the lazy automaton to a dense transition table, for constraints that have few states at all.

A constraint whose language is regular has finitely many configurations: all of them are visited, breadth first.
Cost: 256 look-ups per state. A recursive grammar, or one with large counts, has too many and is refused by the limit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.errors import LimitExceeded
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.protocols import LazyAutomaton

__all__ = ["TransitionTable", "transition_table"]


class TransitionTable(NamedTuple):
    """S states; DEAD, FINISHED and START keep their numbers, the others stand in the order of reaching them.

    trans i32 (S, 256) next state by byte, DEAD = impossible; accepting bool (S,) the text may end here.
    """

    trans: NDArray[np.int32]
    accepting: NDArray[np.bool_]


def transition_table(automaton: LazyAutomaton, *, most_states: int = 10_000) -> TransitionTable:
    """Visit every state that can be reached. Raises LimitExceeded when there are more than `most_states`."""
    reached = [DEAD, FINISHED, START]
    number = {state: state for state in reached}
    rows = [np.zeros(256, np.int32), np.zeros(256, np.int32)]
    while len(rows) < len(reached):
        state, row = reached[len(rows)], np.zeros(256, np.int32)
        for byte in automaton.live_bytes(state):
            after = automaton.advance(state, bytes((byte,)))
            if after not in number:
                if len(reached) >= most_states:
                    raise LimitExceeded("the constraint has many states", limit="most_states", allowed=most_states)
                number[after] = len(reached)
                reached.append(after)
            row[byte] = number[after]
        rows.append(row)
    return TransitionTable(np.stack(rows), np.array([automaton.is_accepting(s) for s in reached], np.bool_))
