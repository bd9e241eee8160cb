"""Rounds against plain particles where values of states mislead: the error of Z at equal model calls, Z enumerated."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.protocols import Floats, Tokens
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import control, dyck, finite_language, tokenised, trap, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from tests.samplers.test_values import trap as rare_beginning

NEVER = 1e-9


def law(*shares: float) -> Floats:
    """log of the shares, made to sum to one."""
    return np.asarray(np.log(np.array(shares) / sum(shares)))


def two_ways() -> Problem:
    """Two beginnings lead to one state; the likely one goes nowhere, and a third way is worth as much as the other."""
    vocabulary = vocabulary_of("x", "y", "g", "b", "c")

    def row(u: Tokens) -> Floats:
        if not u:
            return law(0.5, 0.5, NEVER, NEVER, NEVER, NEVER)
        if u == (1,):
            return law(0.3, 0.3, 0.2, 0.197, 0.003, NEVER)
        if u == (0,):
            return law(NEVER, NEVER, 0.02, 0.98, NEVER, NEVER)
        if len(u) == 2 and u[0] == 0:
            return law(0.03, 0.03, 0.03, 0.01, 0.9, NEVER) if u[1] == 2 else law(0.5, 0.3, 0.1, 0.1, 1e-6, NEVER)
        return law(NEVER, NEVER, NEVER, NEVER, NEVER, 1)

    return Problem(TableModel(vocabulary, row), finite_language(vocabulary, ["xgc", "xbc", "yc"]), 5)


def remembers() -> Problem:
    """The model ends a text as its first letter says; the constraint has forgotten that letter."""
    vocabulary = vocabulary_of("a", "b", "c")

    def row(u: Tokens) -> Floats:
        if not u:
            return law(0.02, 0.98, NEVER, NEVER)
        if len(u) < 5:
            return law(0.5, 0.3, 0.2, NEVER)
        if len(u) == 5:
            return law(0.05, 0.04, 0.9, 0.01) if u[0] == 0 else law(0.5, 0.49, 1e-4, 0.01)
        return law(NEVER, NEVER, NEVER, 1)

    return Problem(TableModel(vocabulary, row), sg.compile(regex="[ab]{5}c", vocabulary=vocabulary), 8)


def wanders() -> Problem:
    """What the model wants depends on a sum over the whole prefix."""
    vocabulary = vocabulary_of("a", "b", "c", "d")
    rows = [(4, 3, 0.1, 2, 1), (1, 3, 3, 2, 1), (0.5, 0.5, 0.01, 8, 1), (6, 2, 1, 0.5, 0.5), (2, 2, 0.001, 5, 1)]

    def row(u: Tokens) -> Floats:
        ended = u and u[-1] == 2
        return (
            law(NEVER, NEVER, NEVER, NEVER, 1) if ended else law(*rows[sum((i + 1) * t for i, t in enumerate(u)) % 5])
        )

    return Problem(TableModel(vocabulary, row), sg.compile(regex="([ab]|dd){2,7}c", vocabulary=vocabulary), 9)


def likes_round_ends() -> Problem:
    """Brackets: the model ends after ")" and not after "]"."""
    vocabulary = vocabulary_of("(", ")", "[", "]")

    def row(u: Tokens) -> Floats:
        if not u:
            return law(0.3, 0.05, 0.6, 0.05, NEVER)
        ends = {1: (0.1, 0.2, 0.1, 0.05, 0.6), 3: (0.2, 0.2, 0.4, 0.2, 1e-4)}
        return law(*ends.get(u[-1], (0.2, 0.3, 0.2, 0.3, NEVER)))

    grammar = 'root ::= word+\nword ::= "(" word* ")" | "[" word* "]"'
    return Problem(TableModel(vocabulary, row), sg.compile(gbnf=grammar, vocabulary=vocabulary), 9)


def never_seen_twice() -> Problem:
    """Every word has states of its own, so nearly all are new to every round."""
    vocabulary = vocabulary_of("a", "b", "c", "d")
    every = ["".join(letters) for letters in itertools.product("abcd", repeat=6)]
    words = [word for place, word in enumerate(every) if place * place % 4093 < 300]
    return Problem(TableModel.sine(vocabulary, 3.0), finite_language(vocabulary, words), 7)


def errors(problem: Problem, seeds: int, n: int, **options: Any) -> tuple[float, float]:
    """Mean of |Z-hat / Z - 1|, and prefixes scored by a run."""
    truth = enumerate_outputs(problem).log_evidence
    runs = [sample(problem, n, "smc", seed=seed, **options) for seed in range(seeds)]
    found = np.exp(np.array([run.log_evidence for run in runs], np.float64) - truth)
    return float(np.abs(found - 1).mean()), float(np.mean([run.stats.prefixes_scored for run in runs]))


def check_never_worse(problem: Problem, seeds: int, n: int, scouts: int) -> None:
    """At most 1.3 times the error of as many plain particles as score the same prefixes, up to four times as many."""
    guided, cost = errors(problem, seeds, n, rounds=3, scouts=scouts)
    particles = n + 2 * scouts
    plain, scored = errors(problem, seeds, particles)
    while scored < cost and particles < 4 * (n + 2 * scouts):
        particles = int(1.6 * particles)
        plain, scored = errors(problem, seeds, particles)
    assert guided <= 1.3 * plain + 0.005, (guided, plain, particles)


@pytest.mark.statistical
@pytest.mark.parametrize("build", [remembers, rare_beginning], ids=lambda f: f.__name__)
def test_rounds_are_better_where_the_future_depends_on_the_prefix(build: Callable[[], Problem]) -> None:
    guided, _ = errors(build(), 10, 48, rounds=3, scouts=8)
    plain, _ = errors(build(), 10, 64)
    assert guided < plain


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(
    "build",
    [two_ways, remembers, wanders, likes_round_ends, never_seen_twice, rare_beginning, trap, dyck, tokenised, control],
    ids=lambda f: f.__name__,
)
def test_rounds_are_never_worse_than_1_3_times_plain_particles(build: Callable[[], Problem]) -> None:
    check_never_worse(build(), 30, 128, 32)  # the share of scouts that auto takes
