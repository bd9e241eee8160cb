"""Draft trees: legal tokens alone, equal drafts once, and what pays is a tree again."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structgen.compiler import compile_grammar
from structgen.errors import InvariantError
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.speculation.goodput import Acceptance, CallCost, worth_reading
from structgen.speculation.tree import NOWHERE, DraftTree
from structgen.vocabulary import Vocabulary

TOKENS = [b"<end>", *(bytes([byte]) for byte in range(32, 127)), b"tr", b"true", b"[[", b"]]"]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])
SCHEMA = {"type": "array", "items": {"enum": [True, False, 12, [1]]}}
CONSTRAINT = compile_grammar(compile_schema(SCHEMA).grammar, VOCABULARY)
edges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, len(TOKENS) - 1), st.floats(0, 1)), max_size=60)


def grown(drafts: list[tuple[int, int, float]]) -> DraftTree:
    tree = DraftTree(5, START, CONSTRAINT, VOCABULARY.stop_ids)
    for parent, token, chance in drafts:
        tree.add(parent % len(tree), token, chance, 0)
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


@given(edges, st.integers(1, 12))
def test_what_is_worth_reading_is_a_tree(drafts: list[tuple[int, int, float]], most: int) -> None:
    tree = grown(drafts)
    kept = worth_reading(tree, CallCost(), most)
    smaller = tree.pruned(kept)
    smaller.validate()
    assert 1 <= len(smaller) <= most
    for node in range(1, len(smaller)):
        path = [smaller.tokens[each] for each in smaller.path(node)]
        at = 0
        for token in path[1:]:
            at = tree.child(at, token)
            assert at != NOWHERE


def test_goodput_takes_what_pays_by_brute_force() -> None:
    rng = random.Random(1)
    for _ in range(50):
        tree = grown([(rng.randrange(20), rng.randrange(len(TOKENS)), rng.random()) for _ in range(40)])
        cost = CallCost(slope=rng.choice([0.02, 0.2, 0.6]))
        order = sorted(range(1, len(tree)), key=lambda node: -tree.worth[node])
        rates = [
            (1 + sum(tree.worth[node] for node in order[:count])) / cost(count + 1) for count in range(len(order) + 1)
        ]
        kept = worth_reading(tree, cost, len(tree))
        rate = sum(tree.worth[node] for node in kept) / cost(len(kept))
        assert rate == pytest.approx(max(rates))


def test_illegal_tokens_and_stop_tokens_are_no_drafts() -> None:
    tree = DraftTree(5, START, CONSTRAINT, VOCABULARY.stop_ids)
    assert tree.add(0, TOKENS.index(b"x"), 0.9, 0) == NOWHERE
    closed = tree.add(tree.add(0, TOKENS.index(b"["), 0.9, 0), TOKENS.index(b"]"), 0.9, 0)
    assert CONSTRAINT.is_accepting(tree.states[closed])
    assert tree.add(closed, 0, 0.9, 0) == NOWHERE
    assert len(tree) == 3


def test_equal_drafts_share_a_node_and_keep_the_better_estimate() -> None:
    tree = DraftTree(5, START, CONSTRAINT)
    node = tree.add(0, TOKENS.index(b"["), 0.2, 0)
    assert tree.add(0, TOKENS.index(b"["), 0.7, 1) == node
    assert (tree.worth[node], tree.sources[node], tree.children(0)) == (0.7, 1, [node])
    assert tree.add(0, TOKENS.index(b"["), 0.1, 2) == node
    assert (tree.worth[node], tree.sources[node]) == (0.7, 1)


def test_a_node_sees_its_ancestors_and_itself() -> None:
    tree = DraftTree(5, START, None)
    one = tree.add(0, 1, 0.5, 0)
    two, other = tree.add(one, 2, 0.5, 0), tree.add(0, 3, 0.5, 0)
    seen = tree.attention()
    assert seen[two].tolist() == [True, True, True, False]
    assert seen[other].tolist() == [True, False, False, True]
    assert (np.diag(seen)).all()


@pytest.mark.parametrize("column", ["parents", "depths", "states", "worth"])
def test_a_tree_that_was_tampered_with_is_refused(column: str) -> None:
    tree = grown([(0, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"["), 0.5), (1, TOKENS.index(b"]"), 0.4)])
    tree.validate()
    values = {"parents": 3, "depths": 7, "states": DEAD, "worth": 0.99}
    getattr(tree, column)[2] = values[column]
    with pytest.raises(InvariantError):
        tree.validate()


def test_acceptance_is_counted_by_rank_and_forgets() -> None:
    chances = Acceptance()
    assert chances(0) > chances(1) > chances(7) == chances(100) > 0
    for _ in range(200):
        chances.count(0, False)
        chances.count(1, True)
    assert chances(0) < 0.05 < 0.95 < chances(1)
    for _ in range(200):
        chances.count(0, True)
    assert chances(0) > 0.95


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
