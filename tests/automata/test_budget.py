"""One bound on the rows of all tables: kept, and nothing but memory changes."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from structgen.automata import masks
from structgen.automata.budget import RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import build_trie
from structgen.grammars.ir import ByteSet, Grammar, Repeat, Rule

TOKENS = [b"", b"a", b"b", b"ab", b"bb"]
TRIE = build_trie(b"".join(TOKENS), np.cumsum([0, *map(len, TOKENS)]).astype(np.int64))


def table(budget: RowBudget, most: int) -> MaskTable:
    networks = build_network(Grammar((Rule("r", Repeat(ByteSet.of(b"ab"), 0, most)),)))
    return MaskTable(Configurations(networks), TRIE, (0,), budget=budget)


def test_the_bound_holds_and_rows_come_back_the_same() -> None:
    budget = RowBudget(40)  # ten rows of one word
    tables = [table(budget, most) for most in (7, 8, 9)]
    expected = [int(table(RowBudget(1 << 20), most).row(2)[0]) for most in (7, 8, 9)]
    for _ in range(3):
        for number, one in enumerate(tables):
            state = 2
            for _ in range(7):
                held = one.row(state)
                assert budget.used <= 40
                assert not held.flags.writeable
                state = one._configurations.advance(state, b"a")
            assert int(one.row(2)[0]) == expected[number]


def test_a_table_that_is_gone_gives_its_bytes_back() -> None:
    budget = RowBudget(1 << 20)
    gone = table(budget, 5)
    gone.row(2)
    assert budget.used == 4
    del gone
    gc.collect()
    assert budget.used == 0


def test_a_table_without_rows_may_go() -> None:
    budget = RowBudget(1 << 20)
    gone = table(budget, 5)
    reference = gone._me
    del gone
    gc.collect()
    assert reference() is None
    assert budget.used == 0


def test_rows_of_so_many_states_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal rows are one, but where each state's is takes memory too."""
    monkeypatch.setattr(masks, "MOST_STATES", 8)
    budget = RowBudget(1 << 20)
    one, state, rows = table(budget, 50), 2, []
    for _ in range(50):
        rows.append(one.row(state).copy())
        assert len(one.rows) <= 8 and budget.used == 4 * len(one._held) > 0
        state = one._configurations.advance(state, b"a")
    plain, state = table(RowBudget(1 << 20), 50), 2
    for row in rows:
        assert np.array_equal(row, plain.row(state))
        state = plain._configurations.advance(state, b"a")


def test_who_drops_its_rows_by_itself_gives_their_bytes_back() -> None:
    budget = RowBudget(1 << 20)
    one = table(budget, 5)
    row = one.row(2).copy()
    one.drop_rows()
    assert budget.used == 0
    assert np.array_equal(one.row(2), row) and budget.used == 4
