"""ASAp: the worked example, weights over every outcome, convergence in exact KL, certificates."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers.choosers import RandomChooser, every_outcome
from structgen.samplers.exact import Exact, kl_divergence, total_variation
from structgen.samplers.run import Budget, sample
from structgen.samplers.trie import Trie
from tests.samplers.judges import (
    bernstein,
    check_fit,
    check_trie_weights,
    check_weighted,
    fixture,
    small_problem,
    warmed,
)


def proposal(exact: Exact, trie: Trie) -> np.ndarray:
    """q_S of every output."""
    log_w = [trie.log_weight(path.prefix.tokens, tuple(path.step_log_mass)) for path in exact.paths]
    return np.exp(exact.log_prob - np.array(log_w))


def test_worked_example_on_the_trap() -> None:
    """Drawing 00000 once tells all; a first draw that starts with 1 tells nothing."""
    problem, exact = fixture("T1")
    mean = 0.0

    def first_draw(chooser: object) -> tuple[Trie, tuple[int, ...]]:
        trie = Trie(problem)
        return trie, sample(problem, 1, "asap", trie=trie, seed=chooser).samples[0].token_ids  # type: ignore[arg-type]

    for probability, (trie, drawn) in every_outcome(first_draw):
        q = proposal(exact, trie)
        mean += probability * kl_divergence(q, exact.target)
        if drawn == (0,) * 5:
            assert np.exp(trie.log_upper) == pytest.approx(0.10009, abs=1e-15)
            assert np.exp(trie.log_lower - trie.log_upper) == pytest.approx(0.9e-4 / 0.10009, abs=1e-12)
            assert q[exact.outputs.index(drawn)] == pytest.approx(8.99e-4, abs=1e-6)
        else:
            assert trie.log_upper == pytest.approx(0, abs=1e-15)
    assert mean == pytest.approx(0.598762, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_expectations_over_every_outcome(n: int, concurrency: int) -> None:
    check_weighted(small_problem(), "asap", n, concurrency=concurrency)


@pytest.mark.parametrize("draws", [0, 2, 10])
def test_weights_are_unbiased_for_every_snapshot(draws: int) -> None:
    for name in ("T1", "T3"):
        problem, exact = fixture(name)
        trie = warmed(problem, draws)
        check_trie_weights(problem, trie)
        q = proposal(exact, trie)
        assert q.sum() == pytest.approx(1, abs=1e-12)
        assert total_variation(q, exact.target) <= trie.tv_bound + 1e-12
        assert (q >= np.exp(exact.log_prob) - 1e-15).all()


def test_weights_are_unbiased_for_attempts_in_flight_together() -> None:
    for draws in (0, 1):
        check_trie_weights(small_problem(), warmed(small_problem(), draws), together=2)


def test_the_first_draw_is_plain_masked_decoding() -> None:
    for name in ("T1", "T2", "T3", "T4"):
        problem, _ = fixture(name)
        for seed in range(20):
            first = sample(problem, 1, "asap", seed=seed).samples[0]
            masked = sample(problem, 1, "masked", seed=seed).samples[0]
            assert first.token_ids == masked.token_ids
            assert first.log_weight == pytest.approx(masked.log_weight, abs=1e-12)
            assert first.log_q == pytest.approx(masked.log_q, abs=1e-12)


# mean over 20 seeds of KL(q_S || pi) after 1, 10, 100, 1000 draws, one at a time
CONVERGENCE = {"T2": (5.75, 5.46, 1.23, 0.114), "T3": (2.71, 1.07, 0.130, 0.0109)}


@pytest.mark.parametrize("name", [pytest.param("T2", marks=pytest.mark.slow), "T3"])
def test_convergence_bounds_and_certificate(name: str) -> None:
    problem, exact = fixture(name)
    kl = np.zeros((20, 4))
    for seed in range(20):
        trie, upper, lower = Trie(problem), 0.0, -np.inf
        for column, more in enumerate((1, 9, 90, 900)):
            chooser = RandomChooser(seed, column)
            result = sample(problem, more, "asap", seed=chooser, trie=trie, concurrency=1)
            assert result.evidence_bounds == (trie.log_lower, trie.log_upper)
            assert trie.log_lower <= exact.log_evidence + 1e-12
            assert trie.log_upper >= exact.log_evidence - 1e-12
            assert trie.log_upper <= upper + 1e-12
            assert trie.log_lower >= lower
            upper, lower = trie.log_upper, trie.log_lower
            q = proposal(exact, trie)
            kl[seed, column] = kl_divergence(q, exact.target)
            assert total_variation(q, exact.target) <= trie.tv_bound + 1e-12
    spread = kl.std(axis=0) / np.sqrt(20) + 0.15 * np.array(CONVERGENCE[name])
    assert (np.abs(kl.mean(axis=0) - CONVERGENCE[name]) < 4 * spread).all(), kl.mean(axis=0)
    assert kl.mean(axis=0)[3] < (0.25 if name == "T2" else 0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
def test_evidence_and_thinned_draws(name: str) -> None:
    """W <= U, so keeping a draw with probability W / U makes it exact: the weights are right one by one."""
    problem, exact = fixture(name)
    trie = Trie(problem)
    first = sample(problem, 2000, "asap", trie=trie, seed=1)
    weights = np.exp(first.log_weights)
    assert abs(weights.mean() - np.exp(exact.log_evidence)) <= bernstein(weights)
    log_upper = trie.log_upper
    rest = sample(problem, 5000, "asap", trie=trie, seed=2)
    chooser = RandomChooser(3)
    kept = [s.token_ids for s in rest.samples if chooser.accept(s.log_weight - log_upper)]
    assert len(kept) > 0.5 * len(rest)
    check_fit(exact, kept)
    assert rest.log_evidence == pytest.approx(exact.log_evidence, abs=6 * rest.evidence_error + 1e-12)


@pytest.mark.statistical
def test_learning_until_the_proposal_is_certain_to_be_near() -> None:
    """With tv_bound the draws themselves, weights ignored, are that near to the target; without it they are not."""
    for name, bound in (("T1", 0.01), ("T2", 0.02), ("T3", 0.01)):
        problem, exact = fixture(name)
        trie = Trie(problem)
        result = sample(problem, 1500, "asap", trie=trie, seed=2, tv_bound=bound)
        assert (result.status, len(result)) == ("complete", 1500)
        assert result.stats.attempts > 1500
        assert result.tv_bound <= bound
        assert total_variation(proposal(exact, trie), exact.target) <= bound
        check_fit(exact, [s.token_ids for s in result.samples])
        again = sample(problem, 5, "asap", trie=trie, tv_bound=bound)
        assert (again.stats.attempts, again.stats.prefixes_scored) == (5, 0)


def test_learning_that_does_not_get_there() -> None:
    problem, exact = fixture("T2")
    short = sample(problem, 100, "asap", tv_bound=0.0, budget=Budget(attempts=60))
    assert (short.status, len(short), short.stats.attempts) == ("budget", 60, 60)
    assert "after 60 draws" in short.note
    calls = sample(problem, 100, "asap", tv_bound=0.0, budget=Budget(prefixes_scored=40), concurrency=1)
    assert (calls.status, calls.stats.prefixes_scored) == ("budget", 40)
    for bad in (-0.1, 1, np.nan):
        with pytest.raises(OptionError, match="tv_bound"):
            sample(problem, 1, "asap", tv_bound=bad)
    assert exact.log_evidence <= short.evidence_bounds[1] + 1e-12


def test_a_trie_of_another_problem_is_refused() -> None:
    with pytest.raises(OptionError, match="another"):
        sample(fixture("T1")[0], 1, "asap", trie=Trie(fixture("T2")[0]))
    with pytest.raises(OptionError, match="concurrency"):
        sample(fixture("T1")[0], 1, "asap", concurrency=0)
