"""Choices and resampling: seeded streams, every outcome, expected counts k w."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.errors import InvariantError, LimitExceeded, OptionError
from structgen.samplers.choosers import RandomChooser, every_outcome
from structgen.samplers.resampling import SCHEMES, resample

WEIGHTS = np.log(np.array([0.05, 0.5, 0.3, 0.15]))


def test_impossible_outcomes_are_never_chosen() -> None:
    chooser = RandomChooser(0)
    weights = np.array([-np.inf, 0.0, -np.inf, -700.0, -np.inf])
    assert {chooser.choice(weights) for _ in range(500)} == {1}
    assert list(chooser.order(weights)) == [1, 3]
    with pytest.raises(InvariantError):
        chooser.choice(np.full(3, -np.inf))
    with pytest.raises(InvariantError):
        chooser.choice(np.zeros(0))


def test_a_uniform_that_rounds_to_the_end_stays_inside() -> None:
    chooser = RandomChooser(0)

    class Highest:
        def random(self) -> float:
            return 1 - 2**-53

    chooser.generator = Highest()  # type: ignore[assignment]
    assert chooser.choice(np.array([0.0, -1.0, -np.inf])) == 1


def test_streams_are_their_key() -> None:
    weights = np.zeros(1000)
    assert RandomChooser(1, 2, 3).choice(weights) == RandomChooser(1, 2, 3).choice(weights)
    drawn = {RandomChooser(1, key).choice(weights) for key in range(50)}
    assert len(drawn) > 40


def test_every_outcome_of_choices_and_orders() -> None:
    outcomes = list(every_outcome(lambda c: (c.accept(np.log(0.25)), tuple(c.order(WEIGHTS[:3])))))
    assert len(outcomes) == 12
    assert sum(p for p, _ in outcomes) == pytest.approx(1, abs=1e-15)
    p = np.exp(WEIGHTS[:3]) / np.exp(WEIGHTS[:3]).sum()
    by = {result: probability for probability, result in outcomes}
    assert by[True, (1, 0, 2)] == pytest.approx(0.25 * p[1] * p[0] / (p[0] + p[2]), abs=1e-15)
    with pytest.raises(LimitExceeded):
        list(every_outcome(lambda c: list(c.order(WEIGHTS)), limit=5))


@pytest.mark.statistical
def test_gumbel_order_has_the_law_of_sequential_draws() -> None:
    expected = {result: p for p, result in every_outcome(lambda c: tuple(c.order(WEIGHTS)))}
    n, counts = 20_000, dict.fromkeys(expected, 0)
    chooser = RandomChooser(5)
    for _ in range(n):
        counts[tuple(chooser.order(WEIGHTS))] += 1
    for order, p in expected.items():
        assert abs(counts[order] - n * p) < 6 * np.sqrt(n * p * (1 - p)) + 6


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("k", [1, 3, 4])
def test_expected_counts_and_variance(scheme: str, k: int) -> None:
    mean, square = np.zeros(4), np.zeros(4)
    for probability, places in every_outcome(lambda c: resample(WEIGHTS, k, c, scheme)):
        counts = np.bincount(places, minlength=4)
        assert counts.sum() == k
        mean += probability * counts
        square += probability * counts**2
    w = np.exp(WEIGHTS)
    np.testing.assert_allclose(mean, k * w, atol=1e-12)
    assert (square - mean**2 <= k * w * (1 - w) + 1e-12).all()  # multinomial's variance


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampling_of_zero_and_certain_weights(scheme: str) -> None:
    certain = np.array([-np.inf, -800.0, -np.inf])
    assert resample(certain, 5, RandomChooser(0), scheme).tolist() == [1] * 5
    with pytest.raises(ValueError, match="zero"):
        resample(np.full(2, -np.inf), 2, RandomChooser(0), scheme)
    equal = resample(np.zeros(7), 7, RandomChooser(3), scheme)
    if scheme != "multinomial":
        assert sorted(equal.tolist()) == list(range(7))


def test_unknown_schemes_are_refused() -> None:
    with pytest.raises(OptionError, match="stratified"):
        resample(WEIGHTS, 2, RandomChooser(0), "stratify")
