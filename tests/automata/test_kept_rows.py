"""Equal rows are one, whoever made them; different ones never are, and nothing is held that must not be."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

import structgen
from structgen.automata import kept_rows
from structgen.automata.kept_rows import KeptRows
from structgen.vocabulary import Vocabulary


def rows(seed: int, words: int) -> list[NDArray[np.uint32]]:
    """Rows of few tokens, of many, and pairs that differ in one bit, some of them twice."""
    numbers = random.Random(seed)
    found = []
    for _ in range(200):
        row = np.zeros(words, np.uint32)
        for _ in range(numbers.choice([0, 1, 2, 40])):
            row[numbers.randrange(words)] |= np.uint32(1 << numbers.randrange(32))
        found += [row, ~row, row.copy()]
    return found


@pytest.mark.parametrize("words", [1, 3, 64])
@pytest.mark.parametrize("room", [1 << 24, 64])
def test_equal_rows_are_one_and_others_are_not(words: int, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a dictionary of bytes; with little room rows take each other's places, and content stays."""
    monkeypatch.setattr(kept_rows, "MOST_BYTES", room)
    pool, met = KeptRows(words), dict[bytes, int]()
    for row in rows(words, words):
        kept = pool.kept(row)
        assert not kept.flags.writeable and np.array_equal(kept, row)
        if room == 1 << 24:  # far more places than rows: some may still share one
            met.setdefault(row.tobytes(), id(kept))
    entries, nbytes, most = pool.held()
    assert nbytes == 4 * words * entries and entries <= most
    if room == 1 << 24:
        assert entries >= 0.98 * len(met)
        last = rows(words, words)[-1]
        assert pool.kept(last) is pool.kept(last.copy())
    else:
        assert most == 16
    pool.clear()
    assert pool.held()[0] == 0


def test_a_row_that_was_kept_is_nobodys_to_write() -> None:
    pool, row = KeptRows(4), np.zeros(4, np.uint32)
    assert pool.kept(row) is row
    with pytest.raises(ValueError, match="read-only"):
        row[0] = 1


def test_constraints_share_rows_and_count_them_once() -> None:
    """Members with the same names under other numbers have the same masks inside their names."""
    vocabulary = Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256))], eos=[0])
    one, other = (structgen.compile(regex=pattern, vocabulary=vocabulary) for pattern in ("a(name|x)z", "b(name|y)z"))
    inside = [each.read(each.matcher().state, text) for each, text in ((one, b"ana"), (other, b"bna"))]
    assert one.row(inside[0]) is other.row(inside[1])
    found = {cache.name: cache for cache in structgen.caches()}["automata.kept_rows"]
    assert found.held.entries > 0 and found.held.nbytes and found.held.nbytes <= (found.held.most_bytes or 0)
    found.clear()
    assert np.array_equal(one.row(inside[0]), other.row(inside[1]))
