"""Signatures: what may share a local row between grammars, and what may not."""

from __future__ import annotations

from structgen.automata.local import signature
from structgen.automata.network import build_network
from structgen.grammars.ir import Grammar, Literal, Ref, Rule, alt, seq
from structgen.kernels.layout import CHAIN, Network


def network(*rules: Rule) -> Network:
    return build_network(Grammar(rules)).arrays


def test_registers_belong_to_their_nodes() -> None:
    """Two counts at one node are not one count there and another at the node it leads to."""
    arrays = network(Rule("r", Literal(b"abcdef")))
    node = next(n for n, row in enumerate(arrays.nodes) if row[CHAIN] >= 0)
    both_here, one_ahead = ((node, 1), (node, 2)), ((node, 1), (node + 1, 2))
    assert signature(arrays, both_here) != signature(arrays, one_ahead)


def test_the_same_network_elsewhere_and_a_network_that_calls() -> None:
    body = alt(Literal(b"abc"), Literal(b"x"))
    alone, later = network(Rule("r", body)), network(Rule("s", seq(Literal(b"q"), Ref(1))), Rule("r", body))
    first, moved = int(alone.rules[1, 0]), int(later.rules[2, 0])
    assert signature(alone, ((first, 0),)) == signature(later, ((moved, 0),)) is not None
    assert signature(later, ((int(later.rules[1, 0]), 0),)) is None
