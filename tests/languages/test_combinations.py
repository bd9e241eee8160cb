"""Boolean combinations: regular ones by definition on all short texts, context-free ones against an Earley oracle."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import structgen as sg
from structgen.api.language import Language
from structgen.automata.reference import Reference
from structgen.errors import LimitExceeded, UnsupportedCombination
from structgen.grammars.combine import automaton as automata
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import Grammar, GrammarBuilder, Literal, Repeat, Rule, alt, seq
from tests.strategies import grammars  # type: ignore[import-not-found]

TEXTS = ["".join(text) for size in range(6) for text in itertools.product("ab-", repeat=size)]
PATTERNS = ["a*", "(?:a|b-)*b?", "(?!.*ab).*", "a.|-b?", "[ab]{2,3}", r"\b\w+\b", "", "-|a-?", "(?=a).b*"]
LEAVES = st.one_of(
    st.sampled_from(PATTERNS).map(sg.regex),
    st.lists(st.text("ab-", max_size=3), max_size=3).map(sg.choices),
    st.text("ab-", max_size=4).map(sg.span),
    st.sampled_from(
        [sg.containing("ab"), sg.avoiding("b-", "aa"), sg.length(characters=(1, 3)), sg.length(words=(1, 1))]
    ),
)
Test = Callable[[str], bool]


def in_turn(left: Test, right: Test) -> Test:
    return lambda text: any(left(text[:cut]) and right(text[cut:]) for cut in range(len(text) + 1))


def rounds(inner: Test, minimum: int, maximum: int | None) -> Test:
    def test(text: str) -> bool:
        reached, count = {0}, 0  # where `count` rounds may end
        accepted = minimum == 0 and not text
        for count in range(1, (minimum if maximum is None else maximum) + len(text) + 2):
            if maximum is not None and count > maximum:
                break
            reached = {end for begin in reached for end in range(begin, len(text) + 1) if inner(text[begin:end])}
            accepted |= count >= minimum and len(text) in reached
        return accepted

    return test


@st.composite
def combinations(draw: st.DrawFn) -> tuple[Language, Test]:
    def build(depth: int) -> tuple[Language, Test]:
        operator = draw(st.sampled_from("&|-~+r.")) if depth else "."
        if operator == ".":
            leaf = draw(LEAVES)
            return leaf, leaf.__contains__
        left, ours = build(depth - 1)
        if operator == "~":
            return ~left, lambda text: not ours(text)
        if operator == "r":
            minimum, more = draw(st.integers(0, 2)), draw(st.one_of(st.none(), st.integers(0, 2)))
            maximum = None if more is None else minimum + more
            return left.repeat(minimum, maximum), rounds(ours, minimum, maximum)
        right, theirs = build(depth - 1)
        if operator == "+":
            return left + right, in_turn(ours, theirs)
        made = {
            "&": (left & right, lambda text: ours(text) and theirs(text)),
            "|": (left | right, lambda text: ours(text) or theirs(text)),
            "-": (left - right, lambda text: ours(text) and not theirs(text)),
        }
        return made[operator]

    return build(2)


@settings(max_examples=150, deadline=None)
@given(combinations())
def test_regular_combinations_mean_what_they_say(case: tuple[Language, Test]) -> None:
    language, holds = case
    compiled = Language(language.grammar)
    expected = {text for text in TEXTS[:150] if holds(text)}
    for text in TEXTS[:150]:
        assert (text in language) == (text in compiled) == (text in expected), text
    assert not (language.is_empty() and expected)
    assert compiled.is_empty() == language.is_empty()


def dyck() -> Language:
    builder = GrammarBuilder()
    pairs = builder.declare("pairs")
    builder.define(pairs, Repeat(seq(Literal(b"a"), pairs, Literal(b"b"))))
    return Language(builder.build(pairs))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_grammar_met_with_a_pattern(pattern: str) -> None:
    pairs = dyck()
    for other in (sg.regex(pattern), ~sg.regex(pattern)):
        for both in (pairs & other, other & pairs, Language((pairs & other).grammar)):
            for text in TEXTS:
                assert (text in both) == (text in pairs and text in other), text


@settings(max_examples=120, deadline=None)
@given(grammars(), st.sampled_from(PATTERNS))
def test_random_grammars_met_with_patterns(grammar: Grammar, pattern: str) -> None:
    regular = sg.regex(pattern)
    assert regular.regular is not None
    both = Reference(meet(grammar, automata.of_language(regular.regular, 10_000), 10_000))
    plain = Reference(grammar)
    for text in TEXTS[:60]:
        data = text.encode()
        assert both.accepts(data) == (plain.accepts(data) and text in regular), text


@settings(max_examples=80, deadline=None)
@given(grammars(), grammars())
def test_random_grammars_side_by_side(one: Grammar, two: Grammar) -> None:
    left, right = Reference(one), Reference(two)
    either, both = Language(one) | Language(two), Language(one) + Language(two)
    for text in TEXTS[:40]:
        data = text.encode()
        assert (text in either) == (left.accepts(data) or right.accepts(data))
        cuts = range(len(data) + 1)
        assert (text in both) == any(left.accepts(data[:cut]) and right.accepts(data[cut:]) for cut in cuts)
    if automata.recursive_rule(one) is not None:
        with pytest.raises(UnsupportedCombination):
            ~Language(one)
        return
    try:  # nested counts are written out: both when combined and when the combination is compiled
        other, met = ~Language(one), Language(two) & Language(one)
        found = [(text in other, text in met) for text in TEXTS[:40]]
    except LimitExceeded:
        assume(False)
    for text, (outside, shared) in zip(TEXTS[:40], found, strict=True):
        data = text.encode()
        assert outside != left.accepts(data)
        assert shared == (left.accepts(data) and right.accepts(data))


def test_json_with_conditions() -> None:
    found = sg.library("json") & sg.containing('"id"') & sg.avoiding("null")
    short = sg.library("json") & sg.length(characters=(0, 9))
    for language in (found, Language(found.grammar)):
        assert '{"id": [true, "é"]}' in language
        for text in ('{"id": null}', '{"ix": 1}', '{"id": 1', ""):
            assert text not in language
    assert len(found.grammar.rules) < 200
    for language in (short, Language(short.grammar)):
        assert '{"a": 12}' in language and '{"é":123}' in language and '{"a": 123}' not in language
    schema = sg.language(schema={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    assert '{"a":1}' in schema - sg.regex(r'\{"a":2.*') and '{"a":2}' not in schema - sg.regex(r'\{"a":2.*')


def test_strings_stand_for_themselves() -> None:
    answer = "Answer: " + sg.regex("[0-9]+").repeat(1, 2) + sg.choices([" kg"]).optional() | "none"
    assert all(text in answer for text in ("Answer: 12", "Answer: 1 kg", "none")) and "Answer:" not in answer


def test_what_cannot_be_computed_is_named() -> None:
    with pytest.raises(UnsupportedCombination, match="pairs") as caught:
        dyck() & dyck()
    assert caught.value.operation == "&"
    with pytest.raises(UnsupportedCombination, match="pairs"):
        ~dyck()
    lark = 'start: "a" start "b" | NAME\nNAME: /c+/'
    with pytest.raises(UnsupportedCombination, match="dynamic"):
        sg.language(lark=lark)
    without_lexer = sg.language(lark=sg.LarkGrammar(lark, lexer="dynamic")) & sg.length(characters=(0, 4))
    assert "accb" in without_lexer and "aaccbb" not in without_lexer and "acc" not in without_lexer


def test_large_combinations_are_refused() -> None:
    many = Language(Grammar((Rule("many", Repeat(alt(Literal(b"a"), Literal(b"ab")), 0, 10**6)),)))
    for both in (many & sg.regex("(?s).*b.{12}"), sg.library("json") & sg.regex("(?s).*a.{14}")):
        assert "" not in both
        with pytest.raises(LimitExceeded):
            assert both.grammar


def test_a_condition_that_no_longer_matters_costs_nothing() -> None:
    plain, both = sg.library("json"), sg.library("json") & sg.regex(r"(?s)\s*\{.*")
    assert len(both.grammar.rules) < 3 * len(plain.grammar.rules)


def test_long_chains_of_operations() -> None:
    found = sg.choices(["0"])
    for number in range(1, 3000):
        found = found | str(number)
    assert "2999" in found and "3000" not in found and len(found.key) == 64 and len(str(found)) < 200
    both = sg.library("json")
    for number in range(300):
        both = both & sg.avoiding(f"x{number:03}")
    assert "x" * 10 not in both and '"x"' in both and '"ax299"' not in both
