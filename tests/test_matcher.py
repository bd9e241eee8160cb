"""The laws of a matcher, on grammars of every kind and a small overlapping vocabulary."""

from __future__ import annotations

import gc
import pickle
import random
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen.automata.words import words_of
from structgen.batch import fill_masks
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import OptionError, Unsatisfiable
from structgen.grammars.ir import ByteSet, Grammar, GrammarBuilder, Literal, Ref, Repeat, Rule, alt, seq
from structgen.matcher import Constraint, Matcher
from structgen.vocabulary import Vocabulary
from tests.strategies import EOS, VOCABULARY, grammars, mostly

SMALL = Vocabulary.from_bytes(VOCABULARY, eos=[EOS])


def bits(matcher: Matcher) -> list[int]:
    return ids_of(matcher.mask()).tolist()


def compiled(grammar: Grammar) -> Constraint | None:
    try:
        return compile_grammar(grammar, SMALL)
    except Unsatisfiable:
        return None


def test_laws_along_a_random_walk() -> None:
    with mostly() as satisfiable:

        @settings(max_examples=120, deadline=None)
        @given(grammars(), st.integers(0, 2**32))
        def check(grammar: Grammar, seed: int) -> None:
            constraint = compiled(grammar)
            satisfiable.append(constraint is not None)
            if constraint is None:
                return
            rng, matcher, taken = random.Random(seed), constraint.matcher(), []
            for _ in range(8):
                allowed = bits(matcher)
                assert allowed, "a mask is never empty before the end"
                assert (EOS in allowed) == matcher.is_accepting()
                assert matcher.allows(range(SMALL.size)).nonzero()[0].tolist() == allowed
                for token in range(-1, SMALL.size + 1):  # bit set <=> accept succeeds; a refusal changes nothing
                    before, steps = matcher.state, len(matcher)
                    assert matcher.accept(token) == (token in allowed)
                    if token in allowed:
                        matcher.rollback(1)
                    assert (matcher.state, len(matcher)) == (before, steps)
                token = rng.choice(allowed)
                fork = matcher.fork()
                assert matcher.accept(token)
                taken.append(token)
                assert len(fork) == len(matcher) - 1, "a fork is independent"
                if token == EOS:
                    assert matcher.is_finished() and not bits(matcher) and not matcher.accept(EOS)
                    break
            text = b"".join(VOCABULARY[t] for t in taken)
            whole = constraint.matcher()
            assert whole.accept_bytes(text), "the state depends on bytes, not on their split into tokens"
            if taken[-1] != EOS:
                assert whole.state == matcher.state
            matcher.rollback(len(taken))
            assert matcher.state == constraint.matcher().state

        check()


def test_shortest_completion_and_forced_bytes() -> None:
    with mostly() as satisfiable:

        @settings(max_examples=80, deadline=None)
        @given(grammars(), st.integers(0, 2**32))
        def check(grammar: Grammar, seed: int) -> None:
            constraint = compiled(grammar)
            satisfiable.append(constraint is not None)
            if constraint is None:
                return
            rng, matcher = random.Random(seed), constraint.matcher()
            for _ in range(4):
                forced = matcher.forced_bytes()
                fork = matcher.fork()
                for byte in forced:
                    live = [b for b in b"ab" if fork.fork().accept_bytes(bytes([b]))]
                    assert live == [byte] and not fork.is_accepting()
                    fork.accept_bytes(bytes([byte]))
                fork = matcher.fork()
                plan = fork.shortest_completion()
                assert matcher.tokens_to_accept() == len(plan)
                assert all(fork.accept(t) for t in plan) and fork.is_accepting()
                choices = [t for t in bits(matcher) if t != EOS]
                if not choices:
                    break
                matcher.accept(rng.choice(choices))

        check()


def nested() -> Grammar:
    g = GrammarBuilder()
    value = g.declare("value")
    return g.build(g.define(value, alt(Literal(b"1"), seq(Literal(b"["), value, Literal(b"]")))))


BYTES = Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256))], eos=[0])


def test_deep_nesting_is_linear() -> None:
    constraint = compile_grammar(nested(), BYTES)
    matcher = constraint.matcher()
    depth = 20_000
    assert matcher.accept_bytes(b"[" * depth + b"1")
    assert matcher.tokens_to_accept() == depth
    assert matcher.accept_bytes(b"]" * depth) and matcher.is_accepting()
    assert not matcher.accept_bytes(b"]")
    assert len(constraint.automaton) < 3 * depth


@pytest.mark.parametrize(
    "body",
    [
        alt(Literal(b"a"), seq(Literal(b"a"), Ref(0))),  # right recursion
        alt(Literal(b"a"), seq(Ref(0), Literal(b"a"))),  # left recursion
        Repeat(ByteSet.of(b"a"), 1, None),
    ],
)
def test_lists_return_to_the_same_state(body: object) -> None:
    constraint = compile_grammar(Grammar((Rule("list", body),)), BYTES)  # type: ignore[arg-type]
    matcher = constraint.matcher()
    assert matcher.accept_bytes(b"a" * 50_000) and matcher.is_accepting()
    assert len(constraint.automaton) < 10


def test_mutual_right_recursion_closes_without_a_cascade() -> None:
    rules = (Rule("a", alt(Literal(b"."), seq(Literal(b"a"), Ref(1)))), Rule("b", seq(Literal(b"b"), Ref(0))))
    constraint = compile_grammar(Grammar(rules), BYTES)
    matcher = constraint.matcher()
    assert matcher.accept_bytes(b"ab" * 20_000 + b".") and matcher.is_accepting()


def test_counts_are_exact_and_cost_nothing_to_compile() -> None:
    constraint = compile_grammar(Grammar((Rule("n", Repeat(Literal(b"ab"), 3, 10**9)),)), BYTES)
    assert len(constraint.automaton.networks.arrays.nodes) < 20
    assert not constraint.accepts(b"ab" * 2)
    assert constraint.accepts(b"ab" * 3) and constraint.accepts(b"ab" * 1000)
    exact = compile_grammar(Grammar((Rule("n", Repeat(ByteSet.of(b"xy"), 1000, 1000)),)), BYTES)
    assert exact.accepts(b"x" * 1000) and not exact.accepts(b"x" * 999) and not exact.accepts(b"x" * 1001)
    assert exact.matcher().tokens_to_accept() == 1000


def test_stop_tokens_specials_and_padding() -> None:
    vocabulary = Vocabulary.from_bytes([b"a", b"<s>", b"</s>", b"b"], eos=[2, 1], special=[1])
    matcher = compile_grammar(Grammar((Rule("r", alt(Literal(b"a"), Literal(b"<s>"))),)), vocabulary).matcher()
    assert bits(matcher) == [0]
    assert not matcher.accept(7) and not matcher.accept(-1) and not matcher.accept(1)
    assert matcher.accept(0) and bits(matcher) == [1, 2]
    assert matcher.accept(2) and matcher.is_finished()


def test_fill_masks() -> None:
    constraint = compile_grammar(Grammar((Rule("r", Literal(b"ab")),)), SMALL)
    out = np.full((3, 2), 7, np.uint32)
    first, second = constraint.matcher(), constraint.matcher()
    second.accept(1)
    fill_masks([first, second, None], out)
    assert out[0, 0] == first.mask()[0] and out[1, 0] == second.mask()[0] and (out[2] == 0xFFFFFFFF).all()
    assert out[0, 1] == 0
    with pytest.raises(OptionError):
        fill_masks([first], out)
    with pytest.raises(ValueError):
        first.mask()[0] = 0


def test_pickle_and_fingerprint() -> None:
    grammar = Grammar((Rule("r", Literal(b"ab")),))
    constraint = compile_grammar(grammar, SMALL)
    copy = pickle.loads(pickle.dumps(constraint))
    assert copy.fingerprint == constraint.fingerprint and copy.accepts(b"ab") and not copy.accepts(b"a")


def test_expected_speaks_of_literals_and_rules() -> None:
    grammar = Grammar((Rule("root", alt(Literal(b"true"), Ref(1))), Rule("digit", ByteSet.span(0x30, 0x39))))
    matcher = compile_grammar(grammar, BYTES).matcher()
    assert set(matcher.expected()) == {"'true'", "digit: '0'..'9'"}
    matcher.accept_bytes(b"tr")
    assert matcher.expected() == ("'ue'",)
    matcher.accept_bytes(b"ue")
    assert matcher.expected() == ("the end",)


def test_rollback_bounds() -> None:
    matcher = compile_grammar(nested(), BYTES).matcher()
    with pytest.raises(ValueError):
        matcher.rollback(1)


def test_the_texts_of_an_equal_vocabulary_outlive_it() -> None:
    first, second = (Vocabulary.from_bytes([b"", b"ab", b"c"], eos=[0]) for _ in range(2))
    grammar = Grammar((Rule("start", Literal(b"abc")),))
    words_of.cache_clear()
    compile_grammar(grammar, first)
    constraint, spans = compile_grammar(grammar, second), weakref.ref(first.spans)
    words_of.cache_clear()
    del first
    gc.collect()
    assert spans() is not None and constraint.matcher().accept(1)


def test_where_nothing_but_the_end_can_follow() -> None:
    vocabulary = Vocabulary.from_bytes([b"a", b"b", b""], eos=[2])
    grammar = Grammar((Rule("a, maybe b", seq(Literal(b"a"), Repeat(Literal(b"b"), 0, 1))),))
    matcher = compile_grammar(grammar, vocabulary).matcher()
    found = [matcher.ends_here()]
    for token in (0, 1, 2):
        assert matcher.accept(token)
        found.append(matcher.ends_here())
    assert found[:3] == [False, False, True], "behind 'a' a 'b' may come"
