"""The engine against the plain-Python Earley recogniser: acceptance, viable prefixes, masks, distances."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from strategies import EOS, VOCABULARY, all_texts, grammars, small_grammars

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.reference import Reference
from structgen.automata.trie import build_trie
from structgen.errors import Unsatisfiable
from structgen.grammars.ir import Grammar
from structgen.kernels.layout import DEAD, START

TRIE = build_trie(b"".join(VOCABULARY), np.cumsum([0, *map(len, VOCABULARY)]).astype(np.int64))


def check(grammar: Grammar, longest: int, masks_to: int, policy: WalkPolicy) -> bool:
    """Compare everything on all texts up to `longest` bytes; False for an empty language."""
    oracle = Reference(grammar)
    try:
        networks = build_network(grammar)
    except Unsatisfiable:
        assert oracle.empty, grammar
        return False
    assert not oracle.empty, grammar
    networks.validate()
    automaton = Configurations(networks)
    table = MaskTable(automaton, TRIE, (EOS,), policy=policy, check=True)
    distances: dict[int, list[int]] = {}
    for text in all_texts(longest):
        state = automaton.advance(START, text)
        assert (state != DEAD) == oracle.is_prefix(text), (grammar, text)
        assert automaton.is_accepting(state) == oracle.accepts(text), (grammar, text)
        if state != DEAD and len(text) <= masks_to:
            row = table.row(state)
            allowed = [bool(row[t >> 5] >> np.uint32(t & 31) & np.uint32(1)) for t in range(len(VOCABULARY))]
            expected = oracle.mask(text, VOCABULARY)
            expected[EOS] = oracle.accepts(text)
            assert allowed == expected, (grammar, text)
            completion = automaton.shortest(state)
            assert automaton.is_accepting(automaton.advance(state, completion)), (grammar, text)
            assert len(completion) == automaton.distance(state), (grammar, text)
            distances[state] = [automaton.distance(state)]
            if len(text) + len(completion) <= longest:
                shorter = (bytes(t) for n in range(len(completion)) for t in itertools.product(b"ab", repeat=n))
                assert not any(oracle.accepts(text + t) for t in shorter), (grammar, text)
    return True


@pytest.fixture(
    params=[(400, 4000), (-1, 4000), (-1, -1)], ids=["walked", "learnt when wanted again", "learnt at once"]
)
def policy(request: pytest.FixtureRequest) -> WalkPolicy:
    """What counts as a short walk, and as a long one."""
    short, long = request.param
    return WalkPolicy(short=short, long=long)


def test_every_small_grammar_on_every_short_text(policy: WalkPolicy) -> None:
    outcomes = [check(grammar, longest=4, masks_to=2, policy=policy) for grammar in small_grammars()]
    assert len(outcomes) > 500
    assert outcomes.count(True) > 300


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grammars())
def test_random_grammars(policy: WalkPolicy, grammar: Grammar) -> None:
    check(grammar, longest=4, masks_to=2, policy=policy)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grammars())
def test_many_random_grammars(policy: WalkPolicy, grammar: Grammar) -> None:
    check(grammar, longest=5, masks_to=3, policy=policy)
