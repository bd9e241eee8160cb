"""Constraints that are not a finite list: recursive ones cut off by T, and ones whose mask allows dead ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.bits import with_bits
from structgen.matcher import Matcher
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from structgen.samplers.trie import Trie
from structgen.vocabulary import Vocabulary
from tests.samplers.judges import ALPHA, check_accepts, check_fit, check_trie_weights, check_weighted, fit_p_value

DYCK = 'root ::= word*\nword ::= "(" word* ")" | "[" word* "]" | "x"\n'


def brackets(max_tokens: int) -> Problem:
    vocabulary = vocabulary_of("(", ")", "[", "]", "x")
    constraint = sg.compile(gbnf=DYCK, vocabulary=vocabulary)
    return Problem(TableModel.sine(vocabulary, 2.0), constraint, max_tokens)


def test_a_recursive_language_cut_off_at_t() -> None:
    """Raising T by two keeps every shorter output as it was and adds longer ones."""
    short, long = enumerate_outputs(brackets(4)), enumerate_outputs(brackets(6))
    by_output = dict(zip(long.outputs, long.log_prob, strict=True))
    for w, log_prob in zip(short.outputs, short.log_prob, strict=True):
        assert by_output[w] == pytest.approx(log_prob, abs=1e-12)
    assert {w for w in long.outputs if len(w) <= 3} == set(short.outputs)
    assert long.log_evidence > short.log_evidence
    check_weighted(brackets(3), "masked", 1)
    check_trie_weights(brackets(4), Trie(brackets(4)))
    check_accepts(brackets(4), Trie(brackets(4)))


@pytest.mark.statistical
def test_cars_under_a_cut_off_recursive_grammar() -> None:
    problem = brackets(6)
    exact = enumerate_outputs(problem)
    drawn = sample(problem, 4000, "cars", seed=5)
    check_fit(exact, [s.token_ids for s in drawn.samples])
    plain = sample(problem, 4000, "masked", seed=5)
    assert fit_p_value(exact, [s.token_ids for s in plain.samples if s.finish == "stop"]) < ALPHA


class LooseMatcher:
    """Allows what a wider language allows; only the end is checked against the real one."""

    def __init__(self, wide: Matcher, real: Matcher | None) -> None:
        self.wide, self.real = wide, real

    def mask(self) -> Any:
        return with_bits(self.wide.mask(), self.wide.constraint.vocabulary.stop_ids, self.is_accepting())

    def accept(self, token: int) -> bool:
        if not self.wide.accept(token):
            return False
        if self.real is not None and not self.real.accept(token):
            self.real = None
        return True

    def fork(self) -> LooseMatcher:
        return LooseMatcher(self.wide.fork(), None if self.real is None else self.real.fork())

    def is_accepting(self) -> bool:
        return self.real is not None and self.real.is_accepting()

    def bytes_to_accept(self) -> int:
        return 0


class LooseConstraint:
    def __init__(self, vocabulary: Vocabulary, wide: list[str], real: list[str]) -> None:
        self.vocabulary = vocabulary
        self.wide, self.real = finite_language(vocabulary, wide), finite_language(vocabulary, real)

    @property
    def fingerprint(self) -> str:
        return self.wide.fingerprint + self.real.fingerprint

    def matcher(self) -> LooseMatcher:
        return LooseMatcher(self.wide.matcher(), self.real.matcher())


def test_a_mask_with_dead_ends_gives_the_same_target() -> None:
    """An over-approximating check costs variance and rejections, never exactness."""
    vocabulary = vocabulary_of("a", "b")
    real, wide = ["a", "ab", "bab"], ["a", "ab", "bab", "aa", "bb", "aba"]
    model = TableModel.sine(vocabulary, 1.5)
    strict = Problem(model, finite_language(vocabulary, real), 4)
    loose = Problem(model, LooseConstraint(vocabulary, wide, real), 4)
    one, other = enumerate_outputs(strict), enumerate_outputs(loose)
    assert one.outputs == other.outputs
    np.testing.assert_allclose(one.log_prob, other.log_prob, atol=1e-12)
    assert other.masked.sum() < 0.999  # masked decoding can die here
    check_weighted(loose, "masked", 2)
    check_weighted(loose, "asap", 2, concurrency=1)
    for draws in (0, 5):
        trie = Trie(loose)
        if draws:
            sample(loose, draws, "asap", trie=trie)
        check_accepts(loose, trie)
        check_trie_weights(loose, trie)
    dead = [s for s in sample(loose, 200, "masked").samples if s.finish == "dead"]
    assert dead
    assert all(s.log_weight == -np.inf for s in dead)


def test_the_shortest_problems() -> None:
    """T = 1: only the empty output; and a language of one text."""
    vocabulary = vocabulary_of("a")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.75, 0.25])))
    empty = Problem(model, finite_language(vocabulary, ["", "a"]), 1)
    for method in ("masked", "asap", "cars", "rejection", "importance", "enumeration"):
        result = sample(empty, 3, method)
        assert [s.token_ids for s in result.samples] == [()] * 3
        assert [s.log_prob for s in result.samples] == pytest.approx([np.log(0.25)] * 3)
    assert sample(empty, 3, "masked").log_evidence == pytest.approx(np.log(0.25))
    more = sample(Problem(model, finite_language(vocabulary, ["a"]), 2), 50, "cars")  # n larger than the language
    assert (len(more), more.status, {s.data for s in more.samples}) == (50, "complete", {b"a"})
