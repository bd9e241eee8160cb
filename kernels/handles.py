"""All arrays of an automaton as one: a handle is an i64 array of their addresses and shapes.

Passing thirty arrays to a kernel costs 4.8 µs of unboxing at every call from Python, passing a handle 0.15 µs. Whoever
makes a handle keeps the arrays alive and makes a new one when an array is replaced (automata/configurations.py,
automata/trie.py). Without the compiler (NUMBA_DISABLE_JIT=1) a handle is the tuples themselves.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.types import CPointer
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from structgen.kernels._jit import jit
from structgen.kernels.layout import Memo, Network, Trie, Work

ADDRESS, ROWS, COLUMNS = range(3)  # of a handle's rows, one per array
N_NETWORK, N_MEMO, N_WORK = len(Network._fields), len(Memo._fields), len(Work._fields)


def _pointer(dtype: Any) -> Any:
    @intrinsic
    def pointer(typing, address):  # type: ignore[no-untyped-def]
        """An integer as the address of an array of this dtype."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return CPointer(dtype)(types.int64), code  # type: ignore[no-untyped-call]

    return pointer


_i64, _i32, _u64 = _pointer(types.int64), _pointer(types.int32), _pointer(types.uint64)
_u8, _u16 = _pointer(types.uint8), _pointer(types.uint16)


def handle(*groups: tuple[Any, ...]) -> Any:
    """The handle of some tuples of C-contiguous arrays."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return groups
    rows = [(a.ctypes.data, *a.shape, 1)[:3] for group in groups for a in group]
    return np.array(rows, np.int64)


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]

    def automaton(h: Any) -> Any:
        """(Network, Memo, Work) of a handle."""
        return h

    def trie_of(h: Any) -> Any:
        """Trie of a handle."""
        return h[0]

else:

    @jit
    def _long(h, i):  # type: ignore[no-untyped-def]
        return carray(_i64(h[i, ADDRESS]), (h[i, ROWS],))

    @jit
    def _longs(h, i):  # type: ignore[no-untyped-def]
        return carray(_i64(h[i, ADDRESS]), (h[i, ROWS], h[i, COLUMNS]))

    @jit
    def _bits(h, i):  # type: ignore[no-untyped-def]
        return carray(_u64(h[i, ADDRESS]), (h[i, ROWS], h[i, COLUMNS]))

    @jit
    def _int(h, i):  # type: ignore[no-untyped-def]
        return carray(_i32(h[i, ADDRESS]), (h[i, ROWS],))

    @jit
    def automaton(h):  # type: ignore[no-untyped-def]
        """(Network, Memo, Work) of a handle."""
        net = Network(
            _longs(h, 0), _longs(h, 1), _bits(h, 2), _longs(h, 3), _longs(h, 4), _longs(h, 5), _longs(h, 6),
            _long(h, 7), _bits(h, 8)
        )  # fmt: skip
        m = N_NETWORK
        memo = Memo(
            _long(h, m), carray(_i32(h[m + 1, ADDRESS]), (h[m + 1, ROWS], h[m + 1, COLUMNS])), _longs(h, m + 2),
            _longs(h, m + 3), _longs(h, m + 4), _longs(h, m + 5), _int(h, m + 6), _bits(h, m + 7), _int(h, m + 8)
        )  # fmt: skip
        w = N_NETWORK + N_MEMO
        return net, memo, Work(_longs(h, w), _longs(h, w + 1), _long(h, w + 2), _long(h, w + 3))

    @jit
    def trie_of(h):  # type: ignore[no-untyped-def]
        """Trie of a handle."""
        return Trie(
            carray(_u8(h[0, ADDRESS]), (h[0, ROWS],)), carray(_u16(h[1, ADDRESS]), (h[1, ROWS],)),
            _int(h, 2), _int(h, 3), _int(h, 4)
        )  # fmt: skip
