"""Importance resampling: unbiased over every outcome, near pi with many draws, masked decoding if it keeps all."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers.exact import kl_divergence
from structgen.samplers.resampling import SCHEMES
from structgen.samplers.run import Budget, sample
from tests.samplers.judges import check_weighted, fixture, small_problem


@pytest.mark.parametrize("scheme", SCHEMES)
def test_expectations_over_every_outcome(scheme: str) -> None:
    check_weighted(small_problem(3), "importance", 2, draws=2, resampling=scheme)


def test_without_resampling_it_is_masked_decoding() -> None:
    problem, _ = fixture("T2")
    plain = sample(problem, 30, "masked", seed=5)
    kept = sample(problem, 30, "importance", seed=5, draws=30, resampling=None)
    assert kept.samples == plain.samples
    assert kept.log_evidence == plain.log_evidence


def test_no_prefix_is_read_twice() -> None:
    """Draws of a later batch remember what earlier ones read: the same samples, each prefix scored once."""
    problem, exact = fixture("T2")
    for method, options in (("importance", {"draws": 200}), ("masked", {})):
        runs = [
            sample(problem, 200, method, seed=3, batch=batch, memory=memory, **options)
            for batch, memory in ((200, 0), (20, 1 << 20), (20, 0), (20, 3000))
        ]
        assert len({run.samples for run in runs}) == 1
        assert len({run.log_evidence for run in runs}) == 1
        once, remembered, again, some = (run.stats.prefixes_scored for run in runs)
        assert once == remembered <= len(exact.log_future)
        assert remembered < some <= again
        assert {run.stats.prefixes_scored + run.stats.cache_hits for run in runs} == {again + runs[2].stats.cache_hits}
    with pytest.raises(OptionError, match="memory"):
        sample(problem, 2, "importance", memory=-1)


@pytest.mark.statistical
def test_more_draws_come_nearer() -> None:
    """KL of picking one of N masked draws of T3: .429 at N = 4, .002 at N = 16 draws and beyond, from 3.02."""
    problem, exact = fixture("T3")
    for draws, expected in ((1, 3.019), (4, 0.429)):
        picked = [sample(problem, 1, "importance", seed=seed, draws=draws) for seed in range(2000)]
        counts = np.zeros(len(exact.paths))
        for result in picked:
            counts += exact.frequencies(result)
        smoothed = counts / counts.sum()
        bias = (np.count_nonzero(counts) - 1) / (2 * len(picked))
        assert kl_divergence(smoothed, exact.target) - bias == pytest.approx(expected, rel=0.15)


def test_results_say_what_they_are() -> None:
    problem, _ = fixture("T2")
    result = sample(problem, 20, "importance", draws=400, seed=1)
    assert (result.exact, result.stats.resamples, len(result)) == (False, 1, 20)
    assert 1 <= (result.stats.unique_ancestors or 0) <= 20
    assert result.ess == pytest.approx(20)
    cut = sample(problem, 20, "importance", draws=400, budget=Budget(prefixes_scored=80))
    assert cut.status == "budget"
    with pytest.raises(OptionError, match="draws"):
        sample(problem, 20, "importance", draws=10)
    with pytest.raises(OptionError, match="resampling"):
        sample(problem, 2, "importance", resampling="best")


def test_drawing_from_a_set_follows_the_weights() -> None:
    problem, exact = fixture("T3")
    result = sample(problem, 3000, "masked", seed=2)
    drawn = result.draw(3000, seed=1)
    share = np.mean([s.token_ids == exact.outputs[int(np.argmax(exact.target))] for s in drawn])
    assert share == pytest.approx(exact.target.max(), abs=0.08)
    assert sum(p for _, p in result.posterior()) == pytest.approx(1)
    by_length = dict(result.posterior(lambda s: len(s.token_ids)))
    lengths = np.array([len(w) for w in exact.outputs])
    assert by_length[1] == pytest.approx(exact.target[lengths == 1].sum(), abs=0.08)
    assert len(result.resample(10, scheme="systematic")) == 10
