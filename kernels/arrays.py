"""New arrays, for kernels that make some: Numba compiles its own `np.zeros` and `np.full` anew wherever they stand.

Receipt: with these, 40 functions of Numba's fewer are compiled.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating


@allocating
def longs(n):  # type: ignore[no-untyped-def]
    """i64 (n,), not set."""
    return np.empty(n, np.int64)


@allocating
def ints(n):  # type: ignore[no-untyped-def]
    """i32 (n,), not set."""
    return np.empty(n, np.int32)


@allocating
def long_rows(n, columns):  # type: ignore[no-untyped-def]
    """i64 (n, columns), not set."""
    return np.empty((n, columns), np.int64)


@allocating
def bit_rows(n, columns):  # type: ignore[no-untyped-def]
    """u64 (n, columns), not set."""
    return np.empty((n, columns), np.uint64)


@allocating
def filled_longs(n, value):  # type: ignore[no-untyped-def]
    """i64 (n,) of one value."""
    out = longs(n)
    for i in range(n):
        out[i] = value
    return out


@allocating
def filled_ints(n, value):  # type: ignore[no-untyped-def]
    """i32 (n,) of one value."""
    out = ints(n)
    for i in range(n):
        out[i] = value
    return out


@allocating
def filled_int_rows(n, columns, value):  # type: ignore[no-untyped-def]
    """i32 (n, columns) of one value."""
    out = np.empty((n, columns), np.int32)
    for i in range(n):
        for c in range(columns):
            out[i, c] = value
    return out


@allocating
def zero_long_rows(n, columns):  # type: ignore[no-untyped-def]
    """i64 (n, columns), zeros."""
    out = long_rows(n, columns)
    for i in range(n):
        for c in range(columns):
            out[i, c] = 0
    return out


@allocating
def zero_bit_rows(n, columns):  # type: ignore[no-untyped-def]
    """u64 (n, columns), zeros."""
    out = bit_rows(n, columns)
    for i in range(n):
        for c in range(columns):
            out[i, c] = 0
    return out
