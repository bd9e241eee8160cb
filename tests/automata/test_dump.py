"""What people read: the printed grammar, the networks, a configuration."""

from __future__ import annotations

from structgen.automata.configurations import Configurations
from structgen.automata.dump import dump_networks, dump_state, networks_to_dot
from structgen.automata.network import build_network
from structgen.grammars.ir import ByteSet, Grammar, Graph, Literal, Ref, Repeat, Rule, Unordered, alt, seq
from structgen.grammars.printer import print_grammar

GRAMMAR = Grammar(
    (
        Rule("list", seq(Literal(b"["), Repeat(Ref(1), 2, 9), Literal(b"]"))),
        Rule("item", alt(ByteSet.of(b"abc\n"), Literal(b'"x'))),
    )
)


def test_printed_grammar() -> None:
    assert print_grammar(GRAMMAR) == 'list ::= "[" item{2,9} "]"\nitem ::= [\\x0aa-c] | "\\"x"'
    odd = Grammar(
        (
            Rule("r", Unordered(((Literal(b"a"), True), (Literal(b"b"), False)), Literal(b","), Ref(1))),
            Rule("r", Graph.of(2, 0, (1,), ((0, Literal(b"z"), 1),))),
        )
    )
    assert print_grammar(odd).splitlines() == [
        'r#0 ::= unordered("a", "b" ?, extra r#1; joined by ",")',
        'r#1 ::= graph(from 0 to 1; 0 -> 1: "z")',
    ]


def test_dumped_networks() -> None:
    networks = build_network(GRAMMAR)
    text = dump_networks(networks)
    assert text.splitlines()[:3] == ["rule 0 start", "     0 [4]  <list> -> 1", "     1 [0]  end"]
    assert "ε if count < 9" in text and "ε count up to 9" in text and "ε if count >= 2" in text
    dot = networks_to_dot(networks)
    assert dot.count("{") == dot.count("}") and 'label="list"' in dot


def test_dumped_state() -> None:
    automaton = Configurations(build_network(GRAMMAR))
    text = dump_state(automaton, automaton.advance(2, b"[a"))
    assert "register 1" in text and "2 bytes from a complete text" in text
    assert text.endswith("next byte: newline, '\"', 'a'..'c'")
