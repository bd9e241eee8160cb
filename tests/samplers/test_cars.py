"""CARS and rejection: exact by enumeration of attempts, by frequencies, and however many attempts are in flight."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import Budget, accepted_evidence, sample
from structgen.samplers.trie import Trie
from tests.samplers.judges import (
    bernstein,
    check_accepts,
    check_fit,
    fixture,
    random_problem,
    small_problem,
    warmed,
)


@pytest.mark.parametrize("draws", [0, 2, 10])
def test_an_attempt_accepts_in_proportion_to_the_model(draws: int) -> None:
    for name in ("T1", "T3"):
        problem, _ = fixture(name)
        check_accepts(problem, warmed(problem, draws))


@pytest.mark.parametrize("draws", [0, 1])
def test_attempts_in_flight_together_are_independent(draws: int) -> None:
    check_accepts(small_problem(), warmed(small_problem(), draws), together=2)


def test_random_languages() -> None:
    for seed in range(6):
        problem = random_problem(np.random.default_rng(seed))
        check_accepts(problem, warmed(problem, seed))


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_frequencies_and_evidence(name: str, concurrency: int) -> None:
    problem, exact = fixture(name)
    result = sample(problem, 6000, "cars", seed=7, concurrency=concurrency)
    assert (result.status, result.exact, len(result)) == ("complete", True, 6000)
    check_fit(exact, [s.token_ids for s in result.samples])
    z = exact.log_evidence
    assert result.log_evidence == pytest.approx(z, abs=6 * (result.evidence_error or 0) + 1e-9)
    lower, upper = result.evidence_bounds or (0, 0)
    assert lower - 1e-12 <= z <= upper + 1e-12
    assert result.stats.prefixes_scored <= 410  # a model call per viable prefix at most
    log_probs = dict(zip(exact.outputs, exact.log_prob, strict=True))
    log_masses = dict(zip(exact.outputs, exact.log_mass, strict=True))
    for s in result.samples[:100]:
        assert s.log_prob == pytest.approx(log_probs[s.token_ids], abs=1e-9)
        assert s.log_mass == pytest.approx(log_masses[s.token_ids], abs=1e-9)
        assert (s.log_weight, s.log_q) == (0, None)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T3", "T4"])
def test_rejection(name: str) -> None:
    problem, exact = fixture(name)
    result = sample(problem, 3000, "rejection", seed=3, batch=500)
    assert (result.status, result.exact) == ("complete", True)
    check_fit(exact, [s.token_ids for s in result.samples])
    accepted = np.zeros(result.stats.attempts)
    accepted[: len(result)] = 1
    assert abs(accepted.mean() - np.exp(exact.log_evidence)) <= bernstein(accepted)
    assert result.stats.masks_filled == 0 < result.stats.constraint_checks


@pytest.mark.parametrize("name", ["T1", pytest.param("T2", marks=pytest.mark.slow), "T3"])
def test_evidence_of_short_runs_and_its_error(name: str) -> None:
    """Most of the attempts of a short run are launched under bounds that are far too high."""
    problem, exact = fixture(name)
    ratios, errors = [], []
    for seed in range(300):
        result = sample(problem, 20, "cars", seed=seed)
        assert result.log_evidence is not None
        assert result.evidence_error is not None
        ratios.append(np.exp(result.log_evidence - exact.log_evidence))
        errors.append(result.evidence_error)
    assert np.mean(ratios) == pytest.approx(1, abs=6 * np.std(ratios) / np.sqrt(300) + 0.02)
    assert np.std(ratios) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.3)


def test_evidence_of_known_attempts() -> None:
    """Two thousand attempts under U = 1 that had no chance, twenty under U = 2e-4, of which ten were accepted."""
    uppers = np.log([1.0] * 2000 + [2e-4] * 20).tolist()
    evidence, error = accepted_evidence(uppers, [False] * 2000 + [True, False] * 10)
    assert evidence == pytest.approx(np.log(10 / (2000 + 20 / 2e-4)))
    assert error == pytest.approx(np.sqrt(0.5 / 10), rel=0.1)
    assert accepted_evidence([0.0] * 9, [False] * 8 + [True]) == (None, None)
    rate, _ = accepted_evidence([0.0] * 5, [True, False, False, False, True])  # the last success does not count
    assert rate == pytest.approx(np.log(1 / 4))


def test_a_budget_never_passes_off_what_it_cut_as_exact() -> None:
    problem, _ = fixture("T2")
    counted = sample(problem, 1000, "cars", budget=Budget(attempts=50))
    assert (counted.status, counted.exact, counted.stats.attempts) == ("budget", True, 50)
    cut = sample(problem, 1000, "cars", budget=Budget(prefixes_scored=20), concurrency=2)
    assert (cut.status, cut.exact, cut.tv_bound) == ("budget", False, None)
    assert cut.stats.prefixes_scored <= 20 + 2
    timed = sample(problem, 10**6, "cars", budget=Budget(seconds=0.05))
    assert (timed.status, timed.exact) == ("budget", False)
    slow = sample(problem, 5, "rejection", budget=Budget(prefixes_scored=5), batch=4)
    assert (slow.status, slow.exact) == ("budget", False)


def test_hopeless_acceptance_ends_and_advises() -> None:
    """Z = 1e-9 behind a bound that needs as many draws to fall: no endless loop, no masked sample in disguise."""
    vocabulary = vocabulary_of("a", "b")
    rows = np.log(np.array([[1 - 1e-9, 1e-9, 0 + 1e-300], [0.5, 0.25, 0.25]]))
    problem = Problem(TableModel(vocabulary, lambda u: rows[0 if not u else 1]), finite_language(vocabulary, ["b"]), 3)
    result = sample(problem, 1, "rejection", budget=Budget(attempts=400))
    assert (result.status, len(result)) == ("budget", 0)
    assert "smc" in result.note
    known = sample(problem, 20, "cars")  # one row tells it all
    assert (known.status, known.samples[0].data) == ("complete", b"b")


def test_a_trie_carries_over() -> None:
    problem, exact = fixture("T2")
    trie = Trie(problem)
    first = sample(problem, 2000, "cars", trie=trie, seed=1)
    second = sample(problem, 2000, "cars", trie=trie, seed=2)
    assert second.stats.prefixes_scored < first.stats.prefixes_scored / 4
    assert second.stats.accept_rate > first.stats.accept_rate
    check_fit(exact, [s.token_ids for s in (*first.samples, *second.samples)])
