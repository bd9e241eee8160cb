"""All arrays of an automaton as one: a handle is an i64 array of their addresses and shapes.

Passing thirty arrays to a kernel costs 4.8 µs of unboxing at every call from Python, passing a handle 0.15 µs. Whoever
makes a handle keeps the arrays alive and makes a new one when an array is replaced (automata/configurations.py,
automata/trie.py). Without the compiler (NUMBA_DISABLE_JIT=1) a handle is the tuples themselves.
"""

from __future__ import annotations

import ctypes
from itertools import chain
from typing import Any

import numba
import numpy as np
from numba import literal_unroll, types
from numba.core.types import CPointer
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from structgen.kernels._jit import allocating
from structgen.kernels.layout import Memo, Network, Radix, Scratch, TerminalTables, Words, Work

ADDRESS, ROWS, COLUMNS = range(3)  # of a handle's rows, one per array
N_NETWORK, N_MEMO, N_RADIX = (len(group._fields) for group in (Network, Memo, Radix))


def _pointer(dtype: Any) -> Any:
    @intrinsic
    def pointer(typing, address):  # type: ignore[no-untyped-def]
        """An integer as the address of an array of this dtype."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return CPointer(dtype)(types.int64), code  # type: ignore[no-untyped-call]

    return pointer


_i64, _i32, _u64 = _pointer(types.int64), _pointer(types.int32), _pointer(types.uint64)
_u8, _u32 = _pointer(types.uint8), _pointer(types.uint32)


def handle(*groups: tuple[Any, ...]) -> Any:
    """The handle of some tuples of C-contiguous arrays."""
    return groups if numba.config.DISABLE_JIT else addresses(*groups)  # type: ignore[attr-defined]


def addresses(*groups: tuple[Any, ...]) -> NDArray[np.int64]:
    """Address, rows and columns of every array of some tuples of C-contiguous arrays, i64 (arrays, 3).

    Receipt: asked for by a kernel, 22 arrays take 5 µs; by NumPy from Python, 30 to 50 µs.
    """
    arrays = tuple(chain.from_iterable(groups))
    table = np.empty((len(arrays), 3), np.int64)
    _describe(arrays, table, 0)
    return table


@allocating
def _describe(arrays, table, row):  # type: ignore[no-untyped-def]
    """Write a row for each array, from `row` on."""
    for a in literal_unroll(arrays):
        table[row, ADDRESS], table[row, ROWS] = a.ctypes.data, a.shape[0]
        table[row, COLUMNS] = a.strides[0] // a.itemsize
        row += 1


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]

    def automaton(h: Any) -> Any:
        """(Network, Memo, Work) of a handle."""
        return h

    def radix_of(h: Any) -> Any:
        """Radix of a handle."""
        return h[0]

    def scratch_of(h: Any) -> Any:
        """Scratch of a handle."""
        return h[0]

    def words_of(h: Any) -> Any:
        """Words of a handle."""
        return h[0]

    def shares_of(h: Any) -> Any:
        """TerminalTables of a handle."""
        return h[0]

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

    @allocating
    def _long(h, i):  # type: ignore[no-untyped-def]
        return carray(_i64(h[i, ADDRESS]), (h[i, ROWS],))

    @allocating
    def _longs(h, i):  # type: ignore[no-untyped-def]
        return carray(_i64(h[i, ADDRESS]), (h[i, ROWS], h[i, COLUMNS]))

    @allocating
    def _bits(h, i):  # type: ignore[no-untyped-def]
        return carray(_u64(h[i, ADDRESS]), (h[i, ROWS], h[i, COLUMNS]))

    @allocating
    def _int(h, i):  # type: ignore[no-untyped-def]
        return carray(_i32(h[i, ADDRESS]), (h[i, ROWS],))

    @allocating
    def _ints(h, i):  # type: ignore[no-untyped-def]
        return carray(_i32(h[i, ADDRESS]), (h[i, ROWS], h[i, COLUMNS]))

    @allocating
    def automaton(h):  # type: ignore[no-untyped-def]
        """(Network, Memo, Work) of a handle."""
        net = Network(
            _longs(h, 0), _longs(h, 1), _bits(h, 2), _longs(h, 3), _longs(h, 4), _longs(h, 5), _longs(h, 6),
            _long(h, 7), _bits(h, 8)
        )  # fmt: skip
        m = N_NETWORK
        memo = Memo(
            _long(h, m), _ints(h, m + 1), _bits(h, m + 2), _longs(h, m + 3), _longs(h, m + 4), _longs(h, m + 5),
            _longs(h, m + 6), _int(h, m + 7), _bits(h, m + 8), _int(h, m + 9)
        )  # fmt: skip
        w = N_NETWORK + N_MEMO
        return net, memo, Work(_longs(h, w), _longs(h, w + 1), _long(h, w + 2), _long(h, w + 3))

    @allocating
    def radix_of(h):  # type: ignore[no-untyped-def]
        """Radix of a handle."""
        return Radix(_ints(h, 0), _bits(h, 1), _int(h, 2), _int(h, 3), _int(h, 4))

    @allocating
    def words_of(h):  # type: ignore[no-untyped-def]
        """Words of a handle."""
        return Words(carray(_u8(h[0, ADDRESS]), (h[0, ROWS],)), _longs(h, 1))

    @allocating
    def shares_of(h):  # type: ignore[no-untyped-def]
        """TerminalTables of a handle."""
        return TerminalTables(_int(h, 0), _longs(h, 1), _long(h, 2), _long(h, 3), _longs(h, 4))

    @allocating
    def scratch_of(h):  # type: ignore[no-untyped-def]
        """Scratch of a handle."""
        return Scratch(
            _long(h, 0), _long(h, 1), _longs(h, 2), _int(h, 3), _longs(h, 4), _bits(h, 5), _longs(h, 6), _long(h, 7)
        )  # fmt: skip

    @allocating
    def longs_at(address, rows, columns):  # type: ignore[no-untyped-def]
        """An i64 array by its address."""
        return carray(_i64(address), (rows, columns))

    @allocating
    def ints_at(address, length):  # type: ignore[no-untyped-def]
        """An i32 array by its address."""
        return carray(_i32(address), (length,))

    @allocating
    def words_at(address, length):  # type: ignore[no-untyped-def]
        """A u32 array by its address."""
        return carray(_u32(address), (length,))

    @allocating
    def radix_at(address):  # type: ignore[no-untyped-def]
        """The Radix whose `addresses` are at an address."""
        return radix_of(longs_at(address, N_RADIX, 3))
