"""Sets of ids as packed rows, against plain Python over sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structgen.bits import ids_of, row_of, with_bits, words_for

SETS = st.integers(0, 200).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, max(size - 1, 0)))))


def plain_row(ids: set[int], size: int) -> list[int]:
    """The twin: word by word, bit by bit."""
    return [sum(1 << bit for bit in range(32) if 32 * word + bit in ids) for word in range(-(-size // 32))]


@given(SETS)
def test_a_row_is_its_set(drawn: tuple[int, set[int]]) -> None:
    size, ids = drawn
    ids = {i for i in ids if i < size}
    row = row_of(ids, size)
    assert row.dtype == np.uint32 and len(row) == words_for(size)
    assert row.tolist() == plain_row(ids, size)
    assert ids_of(row).tolist() == sorted(ids)
    flags = np.array([i in ids for i in range(size)], np.bool_)
    for same in (sorted(ids), np.array(sorted(ids), np.int32), flags, iter(ids)):
        assert np.array_equal(row_of(same, size), row)


@given(SETS, st.sets(st.integers(0, 199)), st.booleans())
def test_bits_are_set_and_cleared_in_a_copy(drawn: tuple[int, set[int]], changed: set[int], on: bool) -> None:
    size, ids = drawn
    ids, changed = {i for i in ids if i < size}, {i for i in changed if i < size}
    row = row_of(ids, size)
    row.flags.writeable = False
    out = with_bits(row, changed, on)
    assert out.tolist() == plain_row(ids | changed if on else ids - changed, size)
    assert row.tolist() == plain_row(ids, size) and out.flags.writeable


def test_ids_beyond_the_row_are_refused() -> None:
    for ids in ([33], [-1], np.array([40]), np.ones(34, np.bool_)):
        with pytest.raises(IndexError):
            row_of(ids, 33)


def test_rows_of_any_layout_are_read() -> None:
    table = np.zeros((4, 2), np.uint32)
    table[1, 0], table[1, 1] = 5, 1
    assert ids_of(table[1]).tolist() == ids_of(np.asfortranarray(table)[1]).tolist() == [0, 2, 32]
