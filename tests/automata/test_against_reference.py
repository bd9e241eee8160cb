"""The engine against the plain-Python Earley recogniser: acceptance, viable prefixes, masks, distances."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import RuleNetworks, build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.reference import Reference
from structgen.automata.trie import build_trie
from structgen.bits import row_of
from structgen.errors import Unsatisfiable
from structgen.grammars.ir import Grammar
from structgen.kernels.layout import DEAD, START
from tests.strategies import EOS, VOCABULARY, all_texts, grammars, mostly, small_grammars

TRIE = build_trie(b"".join(VOCABULARY), np.cumsum([0, *map(len, VOCABULARY)]).astype(np.int64))
POLICIES = (  # rows are walked, learnt when they are wanted again, learnt at once
    WalkPolicy(short=400, long=4000),
    WalkPolicy(short=-1, long=4000),
    WalkPolicy(short=-1, long=-1),
)


class Oracle:
    """The reference's answers on one grammar, each worked out once: they take nearly all of the time."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar, reference = grammar, Reference(grammar)
        self.empty = reference.empty
        self.accepts, self.is_prefix = cache(reference.accepts), cache(reference.is_prefix)

    def mask(self, text: bytes) -> list[int]:
        """Words of the mask row after a text."""
        ids = [t for t, token in enumerate(VOCABULARY) if token and self.is_prefix(text + token)]
        return row_of([*ids, EOS] if self.accepts(text) else ids, len(VOCABULARY)).tolist()

    def is_shortest(self, text: bytes, completion: bytes) -> bool:
        """No shorter completion leads from the text into the language."""
        shorter = (bytes(t) for n in range(len(completion)) for t in itertools.product(b"ab", repeat=n))
        return not any(self.accepts(text + t) for t in shorter)


def check(grammar: Grammar, longest: int, masks_to: int) -> bool:
    """Compare everything on all texts up to `longest` bytes, under every policy; False for an empty language."""
    oracle = Oracle(grammar)
    try:
        networks = build_network(grammar)
    except Unsatisfiable:
        assert oracle.empty, grammar
        return False
    assert not oracle.empty, grammar
    networks.validate()
    for policy in POLICIES:
        compare(networks, oracle, policy, longest, masks_to)
    return True


def compare(networks: RuleNetworks, oracle: Oracle, policy: WalkPolicy, longest: int, masks_to: int) -> None:
    automaton = Configurations(networks)
    table = MaskTable(automaton, TRIE, (EOS,), policy=policy, check=True)
    for text in all_texts(longest):
        state, where = automaton.advance(START, text), (oracle.grammar, text, policy)
        assert (state != DEAD) == oracle.is_prefix(text), where
        assert automaton.is_accepting(state) == oracle.accepts(text), where
        if state != DEAD and len(text) <= masks_to:
            assert table.row(state).tolist() == oracle.mask(text), where
            completion = automaton.shortest(state)
            assert automaton.is_accepting(automaton.advance(state, completion)), where
            assert len(completion) == automaton.distance(state), where
            if len(text) + len(completion) <= longest:
                assert oracle.is_shortest(text, completion), where


def test_every_small_grammar_on_every_short_text() -> None:
    outcomes = [check(grammar, longest=4, masks_to=2) for grammar in small_grammars()]
    assert len(outcomes) > 500
    assert outcomes.count(True) > 300


@pytest.mark.parametrize(
    ("draws", "longest", "masks_to"),
    [(150, 4, 2), pytest.param(3000, 5, 3, marks=pytest.mark.slow)],
)
def test_random_grammars(draws: int, longest: int, masks_to: int) -> None:
    with mostly() as satisfiable:

        @settings(max_examples=draws, deadline=None)
        @given(grammars())
        def compared(grammar: Grammar) -> None:
            satisfiable.append(check(grammar, longest, masks_to))

        compared()
