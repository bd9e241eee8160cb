"""Rows shared by grammars: that they are taken, and that each equals the full walk."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.terminals import registry
from structgen.automata.terminals.registry import TerminalRegistry, registry_of
from structgen.automata.terminals.terminal import AWAKE, SurveyedTerminal
from structgen.automata.trie import build_trie
from structgen.grammars.ir import ByteSet, Expr, Grammar, Literal, Repeat, Rule, Seq, Terminal, alt, seq
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import START

LEARN = WalkPolicy(long=-1)  # every row is learnt at once
WORDS = [
    *'":name{},xé\\-中',
    '":',
    '":"',
    '","',
    "name",
    'name"',
    'name":',
    'x"',
    'x":',
    '\\"',
    "\\n",
    '""',
    "12",
    "1.",
]
WORDS += ["true", "xx", "xxx", 'xxx"', "nam", 'e"', "em", "ab", "abc", " ", "\n", "\n  ", "\n    ", '\n  "', "1", "b"]
BYTES = [b"", *(word.encode() for word in WORDS), b"\xc3", b"\xa9", b"\xe4\xb8", b"\xad", b'\xad"']
TRIE = build_trie(b"".join(BYTES), np.cumsum([0, *map(len, BYTES)]).astype(np.int64))

SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string"}, "nam": {"type": "integer"}}},
    {"type": "object", "properties": {"name": {"maxLength": 3}, "x": {"minLength": 2, "maxLength": 4}}},
    {"type": "object", "patternProperties": {"^x+$": {"type": "number"}}, "required": ["name"]},
    {"type": "array", "items": {"type": "string", "pattern": "^(ab|x)*$", "maxLength": 9}},
    {"properties": {"é": {"enum": ["name", "xx"]}, 'a"b': {"minLength": 1}}},
]


def walks(automaton: Configurations, seed: int) -> Iterator[int]:
    """States along random texts, spelled with the tokens."""
    rng = random.Random(seed)
    for _ in range(30):
        state = START
        for _ in range(40):
            yield state
            after = [a for token in BYTES[1:] if (a := automaton.advance(state, token))]
            if not after:
                break
            state = rng.choice(after)


@pytest.mark.parametrize("style", [JsonStyle(), JsonStyle.any(), JsonStyle(ascii_only=True)], ids=str)
@pytest.mark.parametrize("number", range(len(SCHEMAS)))
def test_every_row_equals_its_full_walk(number: int, style: JsonStyle) -> None:
    networks = build_network(compile_schema(SCHEMAS[number], style=style).grammar)
    networks.validate()
    automaton = Configurations(networks)
    table = MaskTable(automaton, TRIE, (0,), check=True, policy=LEARN)
    for state in walks(automaton, number):
        table.row(state)


@pytest.mark.parametrize(("low", "high"), [(0, 3), (2, 5), (0, None), (3, None), (0, 400), (7, 400)])
def test_counts_under_any_bounds_come_from_one_survey(low: int, high: int | None) -> None:
    unit = alt(ByteSet.of(b"abx"), Literal(b"name"))
    grammar = Grammar(
        (Rule("r", Seq((Literal(b"1"), Terminal(seq(Literal(b'"'), Repeat(unit, low, high), Literal(b'"')))))),)
    )
    automaton = Configurations(build_network(grammar))
    table = MaskTable(automaton, TRIE, (0,), check=True, policy=LEARN)
    for count in range(12):
        state = automaton.advance(START, b'1"' + b"x" * count)
        if state:
            table.row(state)
    (body,) = automaton.networks.terminals.values()
    assert body.counted == (high is not None or low > 1)
    assert not body.counted or all(len(items) == 1 for items in registry_of(TRIE).terminal(body)._surveys)


def test_a_terminal_is_surveyed_once_for_all_grammars() -> None:
    string = Terminal(seq(Literal(b'"'), Repeat(ByteSet.of(b"namex")), Literal(b'"')))
    surveys = []
    for before in (b"1", b"12"):
        automaton = Configurations(build_network(Grammar((Rule("r", seq(Literal(before), string)),))))
        table = MaskTable(automaton, TRIE, (0,), check=True, policy=LEARN)
        table.row(automaton.advance(START, before + b'"na'))
        body = next(iter(automaton.networks.terminals.values()))
        surveys.append(dict(registry_of(TRIE).terminal(body)._rows))
    assert surveys[0]
    assert all(surveys[1][items] is row for items, row in surveys[0].items())


def test_terminals_go_with_the_last_grammar_that_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_RECENT", 2)
    monkeypatch.setattr(registry, "SETTLED", 1)
    rows, used = TerminalRegistry(TRIE), []
    for number in range(4 * AWAKE):
        string = Terminal(seq(Literal(b'"%d' % number), Repeat(ByteSet.of(b"namex")), Literal(b'"')))
        (body,) = build_network(Grammar((Rule("r", string),))).terminals.values()
        terminal = rows.terminal(body)
        row = terminal.exact(((0, 0),), learn=True)
        assert row is not None
        assert terminal.nbytes == row.nbytes
        if number % 2:
            used.append(terminal)
    assert len(used) < len(rows._terminals) <= len(used) + 3
    awake = [one for one in used if one._automaton is not None and one._automaton() is not None]
    assert 0 < len(awake) <= AWAKE
    assert all(one.automaton is one.automaton for one in used)


@pytest.mark.parametrize(
    ("unit", "end", "ambiguous"),
    [
        (alt(Literal(b"x"), Literal(b"xx")), b'"', True),  # counted in two ways
        (alt(Literal(b"x"), Literal(b"ab")), b"x", True),  # the last unit or what follows
        (alt(Literal(b"x"), Literal(b"ab")), b'"', False),
    ],
)
def test_an_ambiguous_count_is_walked(unit: Expr, end: bytes, ambiguous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded, learnt = SurveyedTerminal.bounded, []

    def noted(terminal: SurveyedTerminal, node: int, count: int, low: int, high: int, learn: bool) -> object:
        row = bounded(terminal, node, count, low, high, learn)
        learnt.extend([row is not None] * learn)
        return row

    monkeypatch.setattr(SurveyedTerminal, "bounded", noted)
    grammar = Grammar((Rule("r", Terminal(seq(Repeat(unit, 2, 5), Literal(end)))),))
    automaton = Configurations(build_network(grammar))
    table = MaskTable(automaton, TRIE, (0,), check=True, policy=LEARN)
    for count in range(11):
        table.row(automaton.advance(START, b"x" * count))
    assert learnt and (False in learnt) == ambiguous


def test_rows_found_by_other_grammars_since() -> None:
    """The index of a terminal grows while another grammar has the addresses of its arrays."""
    string = Terminal(seq(*(alt(Literal(byte), ByteSet.of(b"xe")) for byte in (b"n", b"a", b"m", b"e") * 8)))
    tables = []
    for before in (b"1", b"12"):
        automaton = Configurations(build_network(Grammar((Rule("r", seq(Literal(before), string)),))))
        tables.append(
            (automaton, MaskTable(automaton, TRIE, (0,), check=True, policy=LEARN), automaton.advance(START, before))
        )
    for step in range(30):
        for automaton, table, state in tables if step % 2 else tables[::-1]:
            table.row(automaton.advance(state, b"x" * step))
