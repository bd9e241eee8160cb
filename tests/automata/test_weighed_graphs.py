"""Lengths counted beside an automaton: against the oracle and every text, rows against full walks, no way too long."""

from __future__ import annotations

import json
import re
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.reference import Reference
from structgen.automata.trie import build_trie
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.ir import Grammar, Graph, Repeat, Rule, Terminal, seq, walk
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.regular import formats
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.grammars.storage import read_grammar, write_grammar
from structgen.kernels.layout import DEAD, START
from structgen.options import Limits

LETTERS = 'ab é日"'
PATTERNS = [
    "(ab|b)*a?",
    "(a|ab)*(b| )?",
    r"\S(.*\S)?",
    "(aa|é日)+b*",
    '(a|"b)*é?',
    "a*b*a*",
    "(a{3}|b)*",
    r"(?!a*$).+",
]
WORDS = [
    "a",
    "b",
    "é",
    "日",
    " ",
    '"',
    "ab",
    "aab",
    "a b",
    "b ",
    "  ",
    "éa",
    "日é",
    '\\"',
    'b"',
    'a"',
    '\\"b',
    "aaaa",
    '":',
    "x",
]
BYTES = [b"", *(word.encode() for word in WORDS), b"\xc3", b"\xa9", b"\xe6\x97", b"\xa5", b"\xa5a", b"a\xc3", b"\xe6"]
TRIE = build_trie(b"".join(BYTES), np.cumsum([0, *map(len, BYTES)]).astype(np.int64))


def strings(pattern: str, least: int, most: int) -> set[str]:
    found = ("".join(letters) for size in range(least, most + 1) for letters in product(LETTERS, repeat=size))
    return {text for text in found if re.fullmatch(pattern, text)}


def grammar_of(pattern: str, most: int, least: int = 0, style: JsonStyle | None = None) -> Grammar:
    schema = {"type": "string", "pattern": f"^({pattern})$", "maxLength": most, "minLength": least}
    return compile_schema(schema, style=style).grammar


def is_weighed(grammar: Grammar) -> bool:
    return any(isinstance(e, Graph) and e.maximum is not None for rule in grammar.rules for e in walk(rule.body))


@pytest.mark.parametrize(("least", "most"), [(0, 3), (2, 4), (3, 3)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_prefixes_completions_and_texts_are_those_of_the_list(pattern: str, least: int, most: int) -> None:
    wanted = {json.dumps(text, ensure_ascii=False) for text in strings(pattern, least, most)}
    automaton = Configurations(build_network(grammar_of(pattern, most, least)))
    automaton.networks.validate()
    for size in range(most + 2):
        for letters in product(LETTERS, repeat=size):
            text = json.dumps("".join(letters), ensure_ascii=False)
            state = automaton.advance(START, text.encode())
            assert (state != DEAD and automaton.is_accepting(state)) == (text in wanted)
            begun = text[:-1]
            state, ways = automaton.advance(START, begun.encode()), [t for t in wanted if t.startswith(begun)]
            if ways or not any(ord(char) > 127 for char in pattern):
                assert (state != DEAD) == bool(ways), begun
            if state != DEAD:
                rest = automaton.shortest(state)
                assert len(rest) == automaton.distance(state)
                assert not ways or len(rest) <= min(len(way.encode()) for way in ways) - len(begun.encode())
                whole = json.loads(begun.encode() + rest)
                assert re.fullmatch(pattern, whole) and least <= len(whole) <= most


def test_patterns_of_these_kinds_are_counted_beside_their_automaton() -> None:
    """Not one of them is written with a state for every length."""
    assert sum(is_weighed(grammar_of(pattern, 60)) for pattern in PATTERNS) >= 6


@pytest.mark.parametrize(
    "style", [JsonStyle(), JsonStyle.any(), JsonStyle(ascii_only=True)], ids=["flexible", "any", "ascii"]
)
@pytest.mark.parametrize("most", [2, 5, 40])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_rows_equal_full_walks_near_the_bound_and_far_from_it(pattern: str, most: int, style: JsonStyle) -> None:
    rng = Random(pattern)
    automaton = Configurations(build_network(grammar_of(pattern, most, style=style)))
    table = MaskTable(automaton, TRIE, (0,), check=True, policy=WalkPolicy(long=-1))
    for _ in range(12):
        state = START
        for _ in range(most + 3):
            table.row(state)
            after = [a for token in BYTES[1:] if (a := automaton.advance(state, token))]
            if not after:
                break
            state = rng.choice(after)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_oracle_writes_weights_out(pattern: str) -> None:
    """Inside a repetition, too, where the register is taken."""
    body = lower(Language.regex(pattern) & Language.length(0, 3), utf8)
    for expr in (body, Terminal(body), Repeat(seq(body, body), 2, 3)):
        grammar = Grammar((Rule("text", expr),))
        reference, automaton = Reference(grammar), Configurations(build_network(grammar))
        rng = Random(pattern)
        for _ in range(60):
            text = "".join(rng.choice(LETTERS) for _ in range(rng.randrange(6))).encode()
            state = automaton.advance(START, text)
            assert (state != DEAD) == reference.is_prefix(text), text
            assert (state != DEAD and automaton.is_accepting(state)) == reference.accepts(text), text


def test_weighed_graphs_survive_being_written() -> None:
    grammar = grammar_of("(ab|b)*a?", 30)
    assert is_weighed(grammar)
    assert read_grammar(write_grammar(grammar)) == grammar
    broken = write_grammar(grammar).replace('\\u0000\\u0000",30]', '",30]')
    assert broken != write_grammar(grammar)
    with pytest.raises(ValueError, match="outside"):
        read_grammar(broken)


BOUNDED: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"format": "email", "minLength": 1}, ["a@b.co"], ["a"]),
    ({"format": "email", "maxLength": 254}, ["a@b.co", "a" * 60 + "@b.co"], ["a" * 60 + "@" + "b" * 196 + ".co"]),
    ({"format": "email", "minLength": 6, "maxLength": 40}, ["a@b.co"], ["a@b.c", "a" * 36 + "@b.co"]),
    ({"format": "uri", "minLength": 1, "maxLength": 2083}, ["http://a/" + "b" * 2074], ["http://a/" + "b" * 2075, ""]),
    ({"format": "hostname", "minLength": 1}, ["a.b"], [""]),
    ({"format": "hostname", "maxLength": 253}, ["a.b"], ["-"]),
    ({"format": "hostname", "minLength": 4, "maxLength": 63}, ["a.bc"], ["a.b", ("a" * 60 + ".") * 2 + "b"]),
    ({"format": "date-time", "maxLength": 500}, ["2020-01-01T00:00:00Z"], ["2020-01-01T00:00:00." + "1" * 490 + "Z"]),
    (
        {"format": "email", "pattern": "^(?!\\.)(?!.*\\.\\.)[\\w.+-]+@([a-z0-9-]+\\.)+[a-z]{2,}$", "maxLength": 200},
        ["a.b@c.de"],
        ["a..b@c.de", "a@" + ("b" * 60 + ".") * 4 + "com"],
    ),
    (
        {"pattern": "^data:image/(png|gif);base64,[A-Za-z0-9+/]+=*$", "maxLength": 500000},
        ["data:image/png;base64," + "A" * 3000 + "=="],
        ["data:image/png;base64,", "data:image/jpg;base64,AA"],
    ),
    (
        {"pattern": "^urn:[a-z]+:[a-z0-9-]+:[0-9]{12}:.+$", "minLength": 20, "maxLength": 2048},
        ["urn:a:b:123456789012:é"],
        ["urn:a:b:123456789012:", "urn:a:b:123456789012:" + "x" * 2048],
    ),
    ({"pattern": "^\\S(.*\\S)?$", "maxLength": 2000}, ["a", "a" + " " * 1998 + "b"], ["a ", "a" + " " * 1999 + "b"]),
    ({"pattern": "\\S", "minLength": 1, "maxLength": 1000}, [" " * 999 + "a"], [" ", " " * 1000 + "a"]),
    ({"pattern": "^(\\w{1,20}\\s){0,50}$", "maxLength": 300}, ["ab cd "], ["ab cd", "a" * 21 + " "]),
]  # fmt: skip


@pytest.mark.parametrize(("bounds", "good", "bad"), BOUNDED, ids=lambda each: json.dumps(each)[:60])
def test_formats_and_patterns_beside_lengths(bounds: dict[str, Any], good: list[str], bad: list[str]) -> None:
    automaton = Configurations(build_network(compile_schema({"type": "string", **bounds}).grammar))
    for text in (*good, *bad):
        state = automaton.advance(START, json.dumps(text, ensure_ascii=False).encode())
        assert (state != DEAD and automaton.is_accepting(state)) == (text in good), text


@pytest.mark.parametrize("name", sorted(formats.NAMES))
@pytest.mark.parametrize(
    "bounds", [{"minLength": 1}, {"maxLength": 255}, {"minLength": 5, "maxLength": 100}, {"maxLength": 10_000}]
)
def test_every_format_takes_ordinary_lengths(name: str, bounds: dict[str, int]) -> None:
    grammar = compile_schema({"type": "string", "format": name, **bounds}).grammar
    text = Configurations(build_network(grammar)).shortest(START)
    assert len(json.loads(text)) >= bounds.get("minLength", 0)


def test_a_length_that_no_member_can_fail_changes_nothing() -> None:
    hostname = compile_schema({"type": "string", "format": "hostname"}).grammar
    assert (
        compile_schema({"type": "string", "format": "hostname", "minLength": 1, "maxLength": 253}).grammar == hostname
    )
    with pytest.raises(Unsatisfiable):
        compile_schema({"type": "string", "format": "ipv4", "minLength": 16})


def test_what_is_too_large_says_where_and_what_to_change() -> None:
    schema = {"properties": {"a": {"properties": {"mail": {"type": "string", "format": "email", "minLength": 100}}}}}
    with pytest.raises(LimitExceeded, match="smaller minLength") as caught:
        compile_schema(schema)
    error = caught.value
    assert (error.pointer, error.keyword) == ("#/properties/a/properties/mail", "format and minLength")
    assert (error.limit, error.allowed) == ("regex_states", Limits().regex_states)
    compile_schema(schema, limits=Limits(regex_states=10**6, regex_work=10**8))


@pytest.mark.parametrize(
    ("limits", "schema"),
    [
        (Limits(regex_states=3), {"pattern": "^(ab|ac)*x?y?z?$", "minLength": 20, "maxLength": 31}),
        (Limits(regex_work=3), {"pattern": "^(ab|ac)*x?y?w?$", "minLength": 20, "maxLength": 32}),
        (Limits(regex_positions=3), {"pattern": "^(ab|ac)*x?y?v?$", "minLength": 20, "maxLength": 33}),
        (Limits(key_regions=1), {"patternProperties": {"^a": {"type": "null"}, "^b": {"type": "boolean"}}}),
        (
            Limits(evaluated_ways=1),
            {"anyOf": [{"required": ["a"], "properties": {"a": {}}}], "unevaluatedProperties": False},
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_limits_are_the_callers(limits: Limits, schema: dict[str, Any]) -> None:
    with pytest.raises(LimitExceeded) as caught:
        compile_schema(schema, limits=limits)
    assert getattr(limits, caught.value.limit) == caught.value.allowed
    compile_schema(schema)
