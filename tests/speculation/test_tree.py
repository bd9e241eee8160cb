"""Draft trees: legal tokens alone, equal drafts once, and what pays is a tree again."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structgen.compiler import compile_grammar
from structgen.errors import InvariantError
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.speculation.drafters import Draft, Place, Seen
from structgen.speculation.estimates import Acceptance, CallCost
from structgen.speculation.growth import Grown, grow
from structgen.speculation.tree import NOWHERE, DraftTree
from structgen.vocabulary import Vocabulary

TOKENS = [b"<end>", *(bytes([byte]) for byte in range(32, 127)), b"tr", b"true", b"[[", b"]]"]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])
SCHEMA = {"type": "array", "items": {"enum": [True, False, 12, [1]]}}
CONSTRAINT = compile_grammar(compile_schema(SCHEMA).grammar, VOCABULARY)
LABEL = ("test", 0)
edges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, len(TOKENS) - 1), st.floats(0, 1)), max_size=60)


def grown(drafts: list[tuple[int, int, float]]) -> DraftTree:
    tree = DraftTree(5, START, CONSTRAINT, VOCABULARY.stop_ids)
    for parent, token, chance in drafts:
        tree.add(parent % len(tree), token, chance, LABEL)
    return tree


@given(edges)
def test_every_node_is_legal_and_every_tree_valid(drafts: list[tuple[int, int, float]]) -> None:
    tree = grown(drafts)
    tree.validate()
    for node in range(1, len(tree)):
        path = [tree.tokens[each] for each in tree.path(node)[1:]]
        matcher = CONSTRAINT.matcher()
        assert matcher.accept_all(path) == len(path)
        assert matcher.state == tree.states[node]
        assert not matcher.is_finished()


class Fixed:
    """Drafts by the path of tokens, as a table says."""

    name = "fixed"

    def __init__(self, table: dict[tuple[int, ...], list[Draft]]) -> None:
        self._table = table

    def begin(self, place: Place) -> None:
        pass

    def drafts(self, place: Place, node: int) -> list[Draft]:
        return self._table.get(tuple(place.tree.tokens[each] for each in place.tree.path(node)[1:]), [])

    def observe(self, seen: Seen) -> None:
        pass


def planted(drafters: list[Any], cost: Any, most: int = 40, acceptance: Acceptance | None = None) -> Any:
    tree = DraftTree(5, START, None)
    place = Place([5], 1, b"", tree, None, VOCABULARY)
    return tree, grow(place, drafters, acceptance or Acceptance(), cost, most)


def random_table(rng: random.Random, depth: int = 3) -> dict[tuple[int, ...], list[Draft]]:
    """Every path of tokens 1 to 3 has up to three drafts."""
    table: dict[tuple[int, ...], list[Draft]] = {}
    paths: list[tuple[int, ...]] = [()]
    while paths:
        path = paths.pop()
        tokens = rng.sample([1, 2, 3], rng.randrange(1, 4))
        table[path] = [Draft(token, token, rng.uniform(0.05, 0.9)) for token in tokens]
        paths += [(*path, token) for token in tokens if len(path) < depth - 1]
    return table


def worth_of(table: dict[tuple[int, ...], list[Draft]]) -> dict[tuple[int, ...], float]:
    """The estimated probability of every path: what better siblings leave, times its own."""
    worth = {(): 1.0}
    for path in sorted(table, key=len):
        rest = worth[path]
        for draft in sorted(table[path], key=lambda draft: -draft.prior):
            worth[*path, draft.token] = rest * draft.prior
            rest *= 1 - draft.prior
    return worth


@pytest.mark.parametrize("seed", range(30))
def test_the_tree_is_the_best_of_all_trees(seed: int) -> None:
    rng = random.Random(seed)
    table = random_table(rng)
    worth = {path: value for path, value in worth_of(table).items() if value >= 0.02}
    slope = rng.choice([0.02, 0.1, 0.3, 0.6])

    def cost(nodes: int) -> float:
        return 1 + slope * (nodes - 1)

    tree, _ = planted([Fixed(table)], cost)
    tree.validate()
    paths = {tuple(tree.tokens[each] for each in tree.path(node)[1:]) for node in range(len(tree))}
    assert [worth[tuple(tree.tokens[each] for each in tree.path(node)[1:])] for node in range(len(tree))] == (
        pytest.approx(tree.worth)
    )
    # of every size the worthiest paths are the best tree, as no path is worth more than its beginning
    order = sorted(worth.values(), reverse=True)
    rates = [sum(order[:size]) / cost(size) for size in range(1, len(order) + 1)]
    assert sum(worth[path] for path in paths) / cost(len(paths)) == pytest.approx(max(rates))


def test_two_drafters_share_nodes_and_the_better_estimate_counts() -> None:
    one, other = (
        Fixed({(): [Draft(1, 0, 0.3), Draft(2, 0, 0.2)]}),
        Fixed({(): [Draft(1, 7, 0.8)], (1,): [Draft(3, 7, 0.5)]}),
    )
    other.name = "other"
    tree, grown = planted([one, other], lambda nodes: 1 + 0.001 * nodes)
    assert tree.tokens == [5, 1, 3, 2]
    assert tree.worth == pytest.approx([1, 0.8, 0.4, 0.2 * 0.2])
    assert tree.sources[1:] == [("other", 7), ("other", 7), ("fixed", 0)]
    assert grown.candidates[0] == [(1, ("other", 7)), (2, ("fixed", 0))]


def test_what_does_not_pay_is_not_read_but_counted() -> None:
    acceptance = Acceptance()
    drafter = Fixed({(): [Draft(1, 0, 0.3), Draft(2, 4, 0.2), Draft(3, 9, 0.1)]})
    for _ in range(50):
        tree, grown = planted([drafter], lambda nodes: float(nodes), acceptance=acceptance)
        assert len(tree) == 1 or acceptance.chance(("fixed", 4), 0.2) > 0.9
        grown.count(0, 2, acceptance)
    # the first was tested each time and failed; the second stood first once it was known; the third was never tested
    assert acceptance.chance(("fixed", 0), 0.3) < 0.3
    assert acceptance.chance(("fixed", 4), 0.2) > 0.9
    assert acceptance.chance(("fixed", 9), 0.1) == 0.1
    tree, _ = planted([drafter], lambda nodes: 1 + 0.5 * (nodes - 1), acceptance=acceptance)
    assert tree.tokens == [5, 2]


def test_a_limit_of_nodes_holds() -> None:
    table = {tuple([1] * depth): [Draft(1, 0, 0.99)] for depth in range(60)}
    tree, _ = planted([Fixed(table)], lambda nodes: 1.0, most=9)
    assert len(tree) == 9


def test_illegal_drafts_take_nothing_from_legal_ones() -> None:
    tree = DraftTree(5, START, CONSTRAINT, VOCABULARY.stop_ids)
    place = Place([5], 1, b"", tree, CONSTRAINT, VOCABULARY)
    illegal, legal = TOKENS.index(b"x"), TOKENS.index(b"[")
    drafter = Fixed({(): [Draft(illegal, 0, 0.9), Draft(0, 0, 0.9), Draft(legal, 0, 0.5)]})
    grown = grow(place, [drafter], Acceptance(), lambda nodes: 1.0, 9)
    assert (tree.tokens[1:], tree.worth[1:]) == ([legal], [0.5])
    assert grown.candidates[0] == [(legal, ("fixed", 0))]


def test_illegal_tokens_and_stop_tokens_are_no_drafts() -> None:
    tree = DraftTree(5, START, CONSTRAINT, VOCABULARY.stop_ids)
    assert tree.add(0, TOKENS.index(b"x"), 0.9, LABEL) == NOWHERE
    closed = tree.add(tree.add(0, TOKENS.index(b"["), 0.9, LABEL), TOKENS.index(b"]"), 0.9, LABEL)
    assert CONSTRAINT.is_accepting(tree.states[closed])
    assert tree.add(closed, 0, 0.9, LABEL) == NOWHERE
    assert len(tree) == 3


def test_equal_drafts_share_a_node_and_keep_the_better_estimate() -> None:
    tree = DraftTree(5, START, CONSTRAINT)
    node = tree.add(0, TOKENS.index(b"["), 0.2, LABEL)
    assert tree.add(0, TOKENS.index(b"["), 0.7, ("other", 1)) == node
    assert (tree.worth[node], tree.sources[node], tree.children(0)) == (0.7, ("other", 1), [node])
    assert tree.add(0, TOKENS.index(b"["), 0.1, ("third", 2)) == node
    assert (tree.worth[node], tree.sources[node]) == (0.7, ("other", 1))


def test_a_node_sees_its_ancestors_and_itself() -> None:
    tree = DraftTree(5, START, None)
    one = tree.add(0, 1, 0.5, LABEL)
    two, other = tree.add(one, 2, 0.5, LABEL), tree.add(0, 3, 0.5, LABEL)
    seen = tree.attention()
    assert seen[two].tolist() == [True, True, True, False]
    assert seen[other].tolist() == [True, False, False, True]
    assert (np.diag(seen)).all()


def test_the_first_nodes_are_a_tree_of_their_own() -> None:
    tree = grown([(0, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"]"), 0.4)])
    tree.cut(2)
    tree.validate()
    assert (len(tree), tree.child(1, TOKENS.index(b"["))) == (2, NOWHERE)
    assert tree.add(1, TOKENS.index(b"["), 0.5, LABEL) == 2


@pytest.mark.parametrize("column", ["parents", "depths", "states", "worth"])
def test_a_tree_that_was_tampered_with_is_refused(column: str) -> None:
    tree = grown([(0, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"]"), 0.4)])
    tree.validate()
    values = {"parents": 3, "depths": 7, "states": DEAD, "worth": 0.99}
    getattr(tree, column)[2] = values[column]
    with pytest.raises(InvariantError):
        tree.validate()


def test_acceptance_is_counted_by_label_and_forgets() -> None:
    acceptance = Acceptance()
    good, bad = ("lookup", 3), ("lookup", 1)
    assert acceptance.chance(good, 0.4) == 0.4
    for _ in range(300):
        acceptance.count(bad, False)
        acceptance.count(good, True)
    assert acceptance.chance(bad, 0.5) < 0.05 < 0.95 < acceptance.chance(good, 0.5)
    for _ in range(300):
        acceptance.count(bad, True)
    assert acceptance.chance(bad, 0.5) > 0.9
    assert Grown().count(3, 4, acceptance) is None


def test_the_cost_of_a_call_grows_with_its_nodes() -> None:
    cost = CallCost(slope=0.1)
    assert [cost(1), cost(11)] == pytest.approx([1, 2])
    cost.measured(8, 2.0)
    cost.measured(1, 1.0)
    assert cost(1) == pytest.approx(1.0)
    assert cost(8) == pytest.approx(2.0)
    assert 1.0 < cost(4) < cost(8) < cost(16)
    values = [cost(nodes) for nodes in range(1, 64)]
    assert values == sorted(values)


def test_one_slow_call_does_not_settle_what_calls_cost() -> None:
    cost = CallCost()
    cost.measured(4, 9.0)  # another process had the machine
    for _ in range(20):
        cost.measured(1, 1.0)
        cost.measured(8, 1.3)
    assert cost(4) <= cost(8) == pytest.approx(1.3)
    for turn in range(20):
        cost.measured(4, 1.1)
        cost.measured(1, 30.0 if turn == 3 else 1.0)
    assert cost(1) == pytest.approx(1.0, abs=0.03)
    assert 1.0 < cost(4) < 1.3
    fixed = CallCost(fixed=True)
    fixed.measured(1, 9.0)
    assert fixed(1) == 1.0
