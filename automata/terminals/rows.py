"""Mask rows of terminals as data: tokens that stay inside a terminal, and the trie nodes at which others leave it.

A `TerminalRow` depends on the terminal and the vocabulary alone, never on a grammar; what depends on the grammar (where
an exit leads, whether a count still fits) is resolved where a mask is put together. `check_row` validates rows that
were read from disk. Cost: a row is V / 8 bytes and some hundred exits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.trie import TokenTrie
from structgen.errors import InvariantError
from structgen.kernels.layout import Trie

__all__ = [
    "MANY_UNITS",
    "ROWS_VERSION",
    "WALKED",
    "Exits",
    "Inside",
    "Items",
    "Row",
    "Stored",
    "Survey",
    "TerminalRow",
    "check_row",
    "packed",
]

ROWS_VERSION = 5  # of what is stored, and of the digests by which it is found
MANY_UNITS = 1 << 15

Row = NDArray[np.uint32]
Items = tuple[tuple[int, int], ...]  # (node, counted from the first of the expression; register)
Stored = dict[Any, tuple[NDArray[Any], ...]]  # of one terminal: by items, a Survey or Inside; by prefix, a trie


class Exits(NamedTuple):
    """Where tokens go on behind a terminal, as kernels/walks.py, fill_below, takes it.

    first i64 (257,): the span of each byte in nodes i32 (m, 4): CHILD, a trie node that follows a possible end by that
    byte, below which some token does not stay inside; UNITS repetitions before it; DUE 1 = the least is asked for;
    PARENT the branch above, if it is a child of the root.
    """

    first: NDArray[np.int64]
    nodes: NDArray[np.int32]


class TerminalRow(NamedTuple):
    """What a state of a terminal allows.

    row u32 (words,): tokens that stay inside or end where it ends; exits: where tokens leave it, those with up to
    `most` repetitions and, if due, at least `least`, `told` being how many a token can tell apart. For states that are
    like it (`SurveyedTerminal.after`): tokens that stay inside, and the handle of a trie of all others.
    """

    row: Row
    exits: Exits | None
    most: int = MANY_UNITS
    least: int = 0
    told: int = 0
    leaving: Any = None
    trie: TokenTrie | None = None  # kept alive for `leaving`

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = (*self.trie.arrays, *self.trie.radix) if self.trie else ()
        return sum(array.nbytes for array in (self.row, *(self.exits or ()), *arrays))


WALKED = TerminalRow(np.zeros(0, np.uint32), None)  # walking costs less than a row


class Inside(NamedTuple):
    """Of a state of an expression that stands as it is: row u32 (words,) of the tokens that stay inside or end where it
    ends, ends i64 inner trie nodes where it may end."""

    row: Row
    ends: NDArray[np.int64]


@dataclass(slots=True)
class Survey:
    """Per token: need i16 repetitions begun, -1 = impossible; counts bool: the end of the counted part was passed.

    exits i64 inner trie nodes where the expression may end, units i16 repetitions at each, due bool: whether the least
    number is asked for there. below: what follows them, once it was needed.
    """

    need: NDArray[np.int16]
    counts: NDArray[np.bool_]
    exits: NDArray[np.int64]
    units: NDArray[np.int16]
    due: NDArray[np.bool_]
    most: int
    below: Exits | None = None


def check_row(key: Any, arrays: tuple[NDArray[Any], ...], trie: TokenTrie) -> None:
    """Raise InvariantError unless `arrays` can be what SurveyedTerminal.stored gave under `key`."""
    n = len(trie.arrays.byte)
    if key[0] == "after":
        if len(arrays) != 6 or arrays[5].shape != (trie.words,) or arrays[5].dtype != np.uint32:
            raise InvariantError("ROW", "a row of another vocabulary")
        TokenTrie(Trie(*arrays[:5]), trie.longest, trie.size).validate()
        if [a.dtype for a in arrays[:5]] != [a.dtype for a in trie.arrays]:
            raise InvariantError("ROW", "dtypes of a trie")
        return
    if len(arrays) == len(Inside._fields):
        row, ends = arrays
        if row.shape != (trie.words,) or row.dtype != np.uint32 or ends.dtype != np.int64 or ends.ndim != 1:
            raise InvariantError("ROW", "a row of another vocabulary")
        if len(ends) and not (ends.min() > 0 and ends.max() < n):
            raise InvariantError("ROW", "exits")
        return
    need, counts, exits, units, due, most = arrays
    if need.shape != (trie.size,) or counts.shape != (trie.size,) or most.shape != ():
        raise InvariantError("ROW", "a survey of another vocabulary")
    if [a.dtype for a in arrays[:5]] != [np.int16, np.bool_, np.int64, np.int16, np.bool_]:
        raise InvariantError("ROW", "dtypes of a survey")
    if not len(exits) == len(units) == len(due) or (len(exits) and not (exits.min() > 0 and exits.max() < n)):
        raise InvariantError("ROW", "exits")


def packed(fits: NDArray[np.bool_], words: int) -> Row:
    """A read-only mask row from one truth value per token."""
    row = np.zeros(words, np.uint32)
    bits = np.packbits(fits, bitorder="little")
    row.view(np.uint8)[: len(bits)] = bits
    row.flags.writeable = False
    return row
