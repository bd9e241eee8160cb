"""SMC: unbiased over every outcome for every proposal, scheme, threshold and twist; then by frequencies; bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from structgen.errors import BudgetTooSmall, ModelError, OptionError, PredicateError
from structgen.samplers.awrs import AWRS
from structgen.samplers.choosers import every_outcome
from structgen.samplers.exact import Exact, enumerate_outputs, kl_divergence
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.logspace import log_sum
from structgen.samplers.models import TableModel
from structgen.samplers.predicates import Predicate
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.proposals import PROPOSALS, Other
from structgen.samplers.resampling import SCHEMES
from structgen.samplers.run import Budget, sample
from tests.samplers.guards import favours_b, guarded_problem, late, no_double_b
from tests.samplers.judges import bernstein, check_fit, check_weighted, fit_p_value, fixture, small_problem

THRESHOLDS = (0.0, 0.6, 0.95, 1.01)


def skewed(prefix: Prefix) -> float:
    """A bad twist: nothing to do with the future."""
    return 0.8 * sum(prefix.tokens) - 0.3 * len(prefix.tokens)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_masked_particles_over_every_outcome(scheme: str, threshold: float) -> None:
    for max_tokens in (3, 4):  # three tokens cut the longest output off
        for twist in (None, skewed):
            problem = small_problem(max_tokens)
            check_weighted(problem, "smc", 2, ess_threshold=threshold, resampling=scheme, twist=twist)
    if scheme == "systematic" and threshold < 1:  # the fewest outcomes
        check_weighted(small_problem(3), "smc", 3, ess_threshold=threshold, resampling=scheme)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_model_with_a_check_over_every_outcome(threshold: float) -> None:
    for twist in (None, skewed):
        check_weighted(small_problem(3), "smc", 2, ess_threshold=threshold, proposal="lm", twist=twist)
    check_weighted(small_problem(4), "smc", 1, ess_threshold=threshold, proposal="lm")


@pytest.mark.parametrize("threshold", [0.6, pytest.param(1.01, marks=pytest.mark.slow)])
def test_awrs_over_every_outcome(threshold: float) -> None:
    check_weighted(small_problem(3), "smc", 2, ess_threshold=threshold, proposal="awrs", twist=skewed)


def test_awrs_with_other_estimators() -> None:
    for estimator in (AWRS(2), AWRS(3, 2), AWRS(1, 1)):
        check_weighted(small_problem(4), "smc", 1, proposal="awrs", awrs=estimator)
        check_weighted(guarded_problem(no_double_b()), "smc", 2, ess_threshold=1.01, awrs=estimator)


@pytest.mark.parametrize("proposal", [*PROPOSALS, "auto"])
@pytest.mark.parametrize("predicate", [no_double_b, late])
def test_predicates_under_every_proposal(proposal: str, predicate: Any) -> None:
    check_weighted(guarded_problem(predicate(), max_tokens=3), "smc", 1, proposal=proposal)
    if proposal not in ("lm", "awrs"):
        check_weighted(guarded_problem(predicate()), "smc", 2, ess_threshold=0.9, proposal=proposal)


@pytest.mark.parametrize("threshold", [0.0, 1.01])
def test_potentials_and_twists(threshold: float) -> None:
    check_weighted(guarded_problem(favours_b()), "smc", 2, ess_threshold=threshold)
    check_weighted(guarded_problem(favours_b(), no_double_b()), "smc", 2, ess_threshold=threshold)
    check_weighted(guarded_problem(favours_b()), "smc", 2, ess_threshold=threshold, twist=skewed)


def test_another_model_as_proposal() -> None:
    problem = small_problem()
    other = Other(TableModel(problem.vocabulary, lambda u: np.array([0.3 * len(u), 0.1, -0.4])))
    check_weighted(problem, "smc", 2, ess_threshold=0.9, proposal=other)
    blind = Other(TableModel(problem.vocabulary, lambda u: np.array([0.0, -np.inf, 0.0])))
    with pytest.raises(ModelError, match="never says token 1"):
        sample(problem, 4, "smc", proposal=blind)


def test_a_perfect_twist_helps() -> None:
    """psi = c(u), the true future, tells early which particles are lost; the evidence of T2 then spreads less."""
    problem, exact = fixture("T2")

    def future(prefix: Prefix) -> float:
        return exact.log_future[prefix.tokens]

    assert evidence(problem, exact, 8, 300, twist=future) < 0.9 * evidence(problem, exact, 8, 300)


def test_one_particle_is_masked_decoding() -> None:
    for name in ("T1", "T2", "T3", "T4"):
        problem, _ = fixture(name)
        for seed in range(5):
            one, plain = sample(problem, 1, "smc", seed=seed), sample(problem, 1, "masked", seed=seed)
            assert one.samples == plain.samples
            assert (one.log_evidence, one.evidence_error) == (plain.log_evidence, plain.evidence_error)
        many, plain = sample(problem, 30, "smc", seed=1, ess_threshold=0), sample(problem, 30, "masked", seed=1)
        assert many.samples == plain.samples
        assert many.log_evidence == pytest.approx(plain.log_evidence)
        if plain.evidence_error is not None:
            assert many.evidence_error == pytest.approx(plain.evidence_error)
    problem = guarded_problem(favours_b(), no_double_b())
    one, plain = sample(problem, 1, "smc", proposal="mask", seed=3), sample(problem, 1, "masked", seed=3)
    assert one.samples[0].log_weight == pytest.approx(plain.samples[0].log_weight)


def evidence(problem: Problem, exact: Exact, n: int, runs: int, **options: Any) -> float:
    """Coefficient of variation of Z-hat; its mean is held against Z on the way, zeros included."""
    values = np.array([np.exp(sample(problem, n, "smc", seed=seed, **options).log_evidence) for seed in range(runs)])
    assert abs(values.mean() - np.exp(exact.log_evidence)) < bernstein(values)
    return float(values.std() / values.mean())


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.parametrize(("proposal", "cv"), [("mask", 0.7), ("awrs", 0.85), ("lm", 1.25)])
def test_mean_and_spread_of_the_evidence(proposal: str, cv: float) -> None:
    problem, exact = fixture("T3")
    assert evidence(problem, exact, 4, 5000, proposal=proposal) == pytest.approx(cv, rel=0.15)


@pytest.mark.statistical
@pytest.mark.parametrize("proposal", ["mask", "awrs", "lm"])
def test_mean_of_the_evidence(proposal: str) -> None:
    problem, exact = fixture("T3")
    for scheme in SCHEMES:
        evidence(problem, exact, 4, 250, proposal=proposal, resampling=scheme)


@pytest.mark.statistical
def test_outputs_of_many_particles_follow_the_target() -> None:
    """One output each of 400 runs of 48 particles on T3; plain masked ones fail the same test at once."""
    problem, exact = fixture("T3")
    drawn = [sample(problem, 48, "smc", seed=seed).draw(1, seed)[0].token_ids for seed in range(400)]
    check_fit(exact, drawn)
    plain = sample(problem, 1200, "masked", seed=1)
    assert fit_p_value(exact, [s.token_ids for s in plain.samples]) < 1e-6


@pytest.mark.statistical
def test_more_particles_come_nearer() -> None:
    """On T2 the law of one output, by KL, for 1, 8 and 64 particles."""
    problem, exact = fixture("T2")
    divergences = []
    for n, runs in ((1, 300), (8, 200), (64, 70)):
        law = np.zeros(len(exact.paths))
        for seed in range(runs):
            law += exact.frequencies(sample(problem, n, "smc", seed=seed))
        divergences.append(kl_divergence(law / runs, exact.target))
    assert divergences[0] > 1.5 * divergences[1] > 3 * divergences[2]


def test_the_stated_error_is_about_right() -> None:
    """Root mean square of the stated relative errors against the spread of many runs."""
    problem, exact = fixture("T3")
    for threshold in (0.0, 0.5):
        runs = [sample(problem, 32, "smc", seed=seed, ess_threshold=threshold) for seed in range(200)]
        values = np.exp([r.log_evidence for r in runs])
        stated = np.sqrt(np.mean([r.evidence_error**2 for r in runs if r.evidence_error is not None]))
        spread = values.std() / np.exp(exact.log_evidence)
        assert 0.7 * spread < stated < 1.6 * spread


def test_results_say_what_they_are() -> None:
    problem, _ = fixture("T2")
    result = sample(problem, 50, "smc", seed=1, ess_threshold=0.9)
    assert (result.exact, result.status, len(result), result.stats.attempts) == (False, "complete", 50, 50)
    assert result.stats.resamples > 0
    assert 1 <= (result.stats.unique_ancestors or 0) <= 50
    assert result.log_evidence == pytest.approx(log_sum(result.log_weights) - np.log(50))
    assert all(s.log_q is None for s in result.samples)  # a particle that was resampled has no law in closed form
    assert result.stats.cache_hits > result.stats.prefixes_scored  # particles share prefixes
    assert '"method": "smc"' in result.to_json()
    unresampled = sample(problem, 5, "smc", seed=1, ess_threshold=0)
    assert unresampled.stats.unique_ancestors is None


def test_streams_belong_to_slots() -> None:
    """The same seed gives the same particles again, another one gives others."""
    problem, _ = fixture("T2")
    one, again, other = (sample(problem, 20, "smc", seed=seed) for seed in (4, 4, 5))
    assert one.samples == again.samples != other.samples


def test_all_particles_dead() -> None:
    """The model never says what must come: no weight, evidence zero, and such runs count in the mean."""
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0.6, 0.3, 0.1], [0.5, 0.0, 0.5]]))
    model = TableModel(vocabulary, lambda u: rows[1 if u[-1:] == (0,) else 0])
    dying = Problem(model, finite_language(vocabulary, ["ab", "b"]), 4)
    exact = enumerate_outputs(dying)
    assert len(exact.paths) == 1
    statuses, mean = set(), 0.0
    for probability, result in every_outcome(lambda c: sample(dying, 2, "smc", seed=c)):
        statuses.add(result.status)
        mean += probability * float(np.exp(result.log_evidence))
    assert statuses == {"complete", "degenerate"}
    assert mean == pytest.approx(np.exp(exact.log_evidence), abs=1e-12)
    hopeless = Problem(model, finite_language(vocabulary, ["ab"]), 4)
    for proposal in PROPOSALS:
        result = sample(hopeless, 8, "smc", proposal=proposal)
        assert (result.status, result.log_evidence, result.ess, result.evidence_error) == (
            "degenerate",
            -np.inf,
            0,
            None,
        )
        with pytest.raises(ValueError, match="degenerate"):
            result.draw()


def test_the_shortest_problems() -> None:
    vocabulary = vocabulary_of("a")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.75, 0.25])))
    for proposal in PROPOSALS:
        empty = Problem(model, finite_language(vocabulary, ["", "a"]), 1)  # T = 1: only bottom
        result = sample(empty, 3, "smc", proposal=proposal)
        assert [s.token_ids for s in result.samples] == [()] * 3
        assert result.log_evidence == pytest.approx(np.log(0.25))
        more = sample(Problem(model, finite_language(vocabulary, ["a"]), 2), 40, "smc", proposal=proposal)
        assert {s.data for s in more.samples if s.finish == "stop"} == {b"a"}  # n larger than the language
    with pytest.raises(BudgetTooSmall):
        Problem(model, finite_language(vocabulary, ["aaa"]), 3)


def test_budgets_never_leave_half_a_run() -> None:
    problem, _ = fixture("T2")
    for budget in (Budget(prefixes_scored=3), Budget(attempts=5), Budget(seconds=1e-9)):
        result = sample(problem, 20, "smc", budget=budget, seed=1)
        assert (result.status, len(result), result.log_evidence, result.exact) == ("budget", 0, None, False)
        assert result.note


def test_wrong_options() -> None:
    problem, _ = fixture("T4")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("ess_threshold", {"ess_threshold": -0.1}),
        ("ess_threshold", {"ess_threshold": float("nan")}),
        ("resampling", {"resampling": "best"}),
        ("proposal", {"proposal": "best"}),
        ("particles", {"particles": 3}),
    ]
    for option, options in wrong:
        with pytest.raises(OptionError, match=option):
            sample(problem, 4, "smc", **options)


def test_twists_that_fail() -> None:
    problem, _ = fixture("T4")
    with pytest.raises(PredicateError, match="KeyError"):
        sample(problem, 4, "smc", twist=lambda prefix: {}[prefix.tokens])
    for value in (float("nan"), float("inf")):
        with pytest.raises(PredicateError, match="returned"):
            sample(problem, 4, "smc", twist=lambda prefix, value=value: value)
    dead = sample(problem, 4, "smc", twist=lambda prefix: -np.inf)
    assert (dead.status, dead.log_evidence) == ("degenerate", -np.inf)


def test_predicates_asked_before_a_token_is_taken() -> None:
    """AWRS on top of a mask leaves no dead particle where the predicate sees far enough; checking afterwards does."""
    base, _ = fixture("T2")
    flat = Predicate(lambda text, complete: "((" not in text and "[[" not in text)
    problem = Problem(base.model, base.constraint & flat, base.max_tokens)
    asked = sample(problem, 200, "smc", seed=1, ess_threshold=0)
    afterwards = sample(problem, 200, "smc", seed=1, ess_threshold=0, proposal="mask")
    assert all(s.finish == "stop" for s in asked.samples)
    assert any(s.finish == "dead" for s in afterwards.samples)
    assert asked.stats.constraint_checks > 0
