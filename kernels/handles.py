"""All arrays of an automaton as one: a handle is an i64 array of their addresses and shapes.

Passing thirty arrays to a kernel costs 4.8 µs of unboxing at every call from Python, passing a handle 0.15 µs. Whoever
makes a handle keeps the arrays alive and makes a new one when an array is replaced (automata/configurations.py,
automata/trie.py). Without the compiler (NUMBA_DISABLE_JIT=1) a handle is the tuples themselves.
"""

from __future__ import annotations

import ctypes
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from structgen.kernels._groups import ADDRESS, COLUMNS, ROWS, array_at, view, write_addresses
from structgen.kernels._jit import DISABLED, TOKENS, inlined
from structgen.kernels._signatures import field_types, numba_type
from structgen.kernels.layout import I32_1D, I64_2D, U32_1D, Memo, Network, Radix, Scratch, TerminalTables, Words, Work
from structgen.kernels.lr import LexMemo, LexStates, LrTables

__all__ = ["ADDRESS", "COLUMNS", "ROWS", "handle"]
N_RADIX = len(Radix._fields)
OF_AUTOMATON, OF_LEXED = (Network, Memo, Work), (LrTables, LexStates, LexMemo)  # groups that share a handle


def handle(*groups: tuple[Any, ...]) -> Any:
    """The handle of some tuples of C-contiguous arrays."""
    return groups if DISABLED else addresses(*groups)


def addresses(*groups: tuple[Any, ...]) -> NDArray[np.int64]:
    """Address, rows and columns of every array of some tuples of C-contiguous arrays, i64 (arrays, 3).

    Receipt: asked for by a kernel, 22 arrays take 5 µs; by NumPy from Python, 30 to 50 µs.
    """
    arrays = tuple(chain.from_iterable(groups))
    table = np.empty((len(arrays), 3), np.int64)
    describe(arrays, table)
    return table


TOGETHER = (OF_AUTOMATON, OF_LEXED, (Radix,), (Words,), (TerminalTables,), (Scratch,))


def _flat(*groups: Any) -> Any:
    """The type of the arrays of some groups as one tuple, none of which is written to."""
    return types.Tuple([kind.copy(readonly=True) for group in groups for kind in field_types(group)])


@TOKENS.entry(variants=tuple({"arrays": _flat(*groups)} for groups in TOGETHER))
def describe(arrays: Any, table: I64_2D) -> Any:
    """Write ADDRESS, ROWS and COLUMNS of each array to its row of `table`."""
    write_addresses(arrays, table)  # type: ignore[call-arg]


if DISABLED:

    def automaton(h: Any) -> Any:
        """(Network, Memo, Work) of a handle."""
        return h

    lexer_and_parser = automaton  # (LrTables, LexStates, LexMemo)

    def radix_of(h: Any) -> Any:
        """Radix of a handle."""
        return h[0]

    words_of = tables_of = scratch_of = radix_of

    def longs_at(address: Any, rows: Any, columns: Any) -> Any:
        """An i64 array by its address."""
        return _at(address, np.int64, rows * columns).reshape(rows, columns)

    def ints_at(address: Any, length: Any) -> Any:
        """An i32 array by its address."""
        return _at(address, np.int32, length)

    def words_at(address: Any, length: Any) -> Any:
        """A u32 array by its address."""
        return _at(address, np.uint32, length)

    def radix_at(address: Any) -> Any:
        """The Radix whose `addresses` are at an address."""
        dtypes = (np.int32, np.uint64, np.int32, np.int32, np.int32)
        table = zip(longs_at(address, N_RADIX, 3).tolist(), dtypes, strict=True)
        arrays = [_at(at, dtype, rows * columns).reshape(rows, columns) for (at, rows, columns), dtype in table]
        return Radix(arrays[0], arrays[1], *(array.reshape(-1) for array in arrays[2:]))

    def _at(address: int, dtype: Any, length: int) -> Any:
        size = int(length) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(int(address)), dtype)

else:

    def _views(groups: tuple[Any, ...]) -> list[Any]:
        firsts = accumulate((len(group._fields) for group in groups), initial=0)
        return [view(group, first) for group, first in zip(groups, firsts, strict=False)]

    _network, _memo, _work = _views(OF_AUTOMATON)
    _tables, _states, _lexed = _views(OF_LEXED)
    radix_of, words_of, tables_of, scratch_of = map(view, (Radix, Words, TerminalTables, Scratch))

    @inlined
    def automaton(h):  # type: ignore[no-untyped-def]
        """(Network, Memo, Work) of a handle."""
        return _network(h), _memo(h), _work(h)

    @inlined
    def lexer_and_parser(h):  # type: ignore[no-untyped-def]
        """(LrTables, LexStates, LexMemo) of a handle."""
        return _tables(h), _states(h), _lexed(h)

    ints_at, words_at, longs_at = (array_at(numba_type(kind)) for kind in (I32_1D, U32_1D, I64_2D))

    @inlined
    def radix_at(address):  # type: ignore[no-untyped-def]
        """The Radix whose `addresses` are at an address."""
        return radix_of(longs_at(address, N_RADIX, 3))
