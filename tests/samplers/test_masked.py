"""Masked decoding and its account: unbiased weights, the distortion meter, and that it fails where it must."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.samplers.exact import kl_divergence
from structgen.samplers.run import Budget, sample
from tests.samplers.judges import ALPHA, bernstein, check_weighted, fit_p_value, fixture, small_problem


@pytest.mark.parametrize("n", [1, 2])
def test_expectations_over_every_outcome(n: int) -> None:
    check_weighted(small_problem(), "masked", n)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
def test_plain_masking_is_wrong_but_on_the_control(name: str) -> None:
    problem, exact = fixture(name)
    drawn = sample(problem, 5000, seed=1)
    p_value = fit_p_value(exact, [s.token_ids for s in drawn.samples])
    assert p_value > ALPHA if name == "T4" else p_value < 1e-100


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
def test_weights_and_distortion_meter(name: str) -> None:
    problem, exact = fixture(name)
    drawn = sample(problem, 8000, seed=2, batch=1000)
    weights, z = np.exp(drawn.log_weights), np.exp(exact.log_evidence)
    assert abs(weights.mean() - z) <= bernstein(weights)
    assert drawn.log_evidence == pytest.approx(np.log(weights.mean()))
    q = exact.masked
    mean = (q * exact.log_mass).sum()
    variance = (q * (exact.log_mass - mean) ** 2).sum()
    error = 5 * np.sqrt(variance / len(drawn)) + 1e-12
    assert abs(drawn.distortion.mean_log_loss + mean) <= error
    assert drawn.distortion.var_log_mass == pytest.approx(variance, rel=0.15, abs=1e-12)
    kl_error = error + 6 * (drawn.evidence_error or 0)
    assert drawn.distortion.kl == pytest.approx(kl_divergence(q, exact.target), abs=kl_error)
    log_masses = dict(zip(exact.outputs, exact.log_mass, strict=True))
    for s in drawn.samples[:200]:
        assert s.log_weight == pytest.approx(log_masses[s.token_ids], abs=1e-9)
        assert s.log_prob - s.log_q == pytest.approx(s.log_weight, abs=1e-9)
        assert s.log_mass == pytest.approx(s.log_weight, abs=1e-9)


def test_results_do_not_depend_on_the_batch() -> None:
    problem, _ = fixture("T2")
    one, many = sample(problem, 50, seed=3, batch=1), sample(problem, 50, seed=3, batch=50)
    assert [s.token_ids for s in one.samples] == [s.token_ids for s in many.samples]
    assert many.stats.prefixes_scored == one.stats.prefixes_scored  # none is read twice, in a batch or later
    assert sample(problem, 50, seed=4).samples != many.samples


def test_a_budget_ends_the_run_and_says_so() -> None:
    problem, _ = fixture("T2")
    few = sample(problem, 1000, budget=Budget(prefixes_scored=100), batch=10)
    assert few.status == "budget"
    assert 0 < len(few) < 1000
    assert few.stats.prefixes_scored < 100 + 10
    assert len(sample(problem, 1000, budget=Budget(attempts=7))) == 7
    none = sample(problem, 1000, budget=Budget(prefixes_scored=1), batch=10)
    assert (none.status, len(none), none.log_evidence) == ("budget", 0, None)
