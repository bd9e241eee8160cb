"""AWRS: proper weights for every check, by every outcome and in fractions; rare events; known spreads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers.awrs import AWRS
from structgen.samplers.choosers import RandomChooser, every_outcome
from tests.samplers.judges import ALPHA, bernstein

PEAKED = (0.9, 0.04, 0.03, 0.02, 0.01)
ZIPF = tuple(1 / k / sum(1 / j for j in range(1, 8)) for k in range(1, 8))
LAWS = [
    (1.0,),
    (0.5, 0.5),
    (0.7, 0.2, 0.1),
    (0.0, 0.6, 0.4),
    (0.5, 0.25, 0.15, 0.1),
    PEAKED,
    (0.0, 0.5, 0.3, 0.2, 1e-9),
]
DRAWS = [AWRS(b, m, k) for b, k in ((1, 0), (1, 1), (1, 2), (2, 1), (3, 0)) for m in (None, 1, 2, 3, 5)]


def log_of(p: tuple[float, ...]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(p))


def check_proper(estimator: AWRS, p: tuple[float, ...], f: tuple[int, ...], scale: float = 1.0) -> None:
    """E[Z-hat 1{x = a}] = p(a) f(a) for every event, over every order of draws."""
    expected = np.zeros(len(p))
    logs = log_of(p) + np.log(scale)
    for probability, drawn in every_outcome(lambda c: estimator.draw(logs, lambda place: bool(f[place]), c)):
        if drawn.place is not None:
            expected[drawn.place] += probability * np.exp(drawn.log_estimate)
    np.testing.assert_allclose(expected, np.array(p) * np.array(f) * scale, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("p", LAWS, ids=len)
def test_proper_weights_for_every_check(p: tuple[float, ...]) -> None:
    few = [estimator for estimator in DRAWS if estimator.lookahead < 3 or estimator.max_rejects == 2]
    for estimator in DRAWS if len(p) < 5 else few:
        for f in itertools.product((0, 1), repeat=len(p)):
            check_proper(estimator, p, f)


def test_masses_that_do_not_sum_to_one() -> None:
    """On top of a mask p is cut, not renormalised: the estimate has the mask's mass in it, however small."""
    for scale in (0.3, 1e-300):
        check_proper(AWRS(), (0.5, 0.25, 0.15, 0.1), (0, 1, 0, 1), scale)
        check_proper(AWRS(2, 3), (0.5, 0.25, 0.15, 0.1), (1, 1, 0, 1), scale)


def orders(p: list[Fraction]) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
    """Every order without replacement and its exact probability."""
    for order in itertools.permutations(range(len(p))):
        probability, left = Fraction(1), Fraction(1)
        for place in order:
            probability *= p[place] / left
            left -= p[place]
        yield probability, order


def raj(p: list[Fraction], f: tuple[int, ...], order: tuple[int, ...], k: int) -> tuple[int | None, Fraction]:
    """p(x) and the mean over looks of what each alone says: what passed before it, and all from it on if it passes.

    1 + k rejections looks; where they reach the last event all is known.
    """
    for j, x in enumerate(order):
        if f[x]:
            if j + 2 + k * j >= len(order):
                return x, sum((p[y] for y in order if f[y]), Fraction(0))
            said = []
            for at in range(j + 1, j + 2 + k * j):
                passed = sum((p[y] for y in order[j + 1 : at] if f[y]), Fraction(0))
                said.append(passed + f[order[at]] * sum((p[y] for y in order[at:]), Fraction(0)))
            return x, p[x] + sum(said, Fraction(0)) / len(said)
    return None, Fraction(0)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_estimator_in_fractions(k: int) -> None:
    """The formula itself, in rational arithmetic, is proper; and it is what the code computes."""
    p = [Fraction(k, 15) for k in (5, 4, 3, 2, 1)]
    logs = np.log([float(value) for value in p])
    for f in itertools.product((0, 1), repeat=5):
        expected = dict.fromkeys(range(5), Fraction(0))
        for probability, order in orders(p):
            x, estimate = raj(p, f, order, k)
            if x is not None:
                expected[x] += probability * estimate
                drawn = AWRS(per_reject=k).draw(logs, lambda place, f=f: bool(f[place]), Listed(order))
                assert drawn.place == x
                assert np.exp(drawn.log_estimate) == pytest.approx(float(estimate), rel=1e-12)
        assert expected == {a: p[a] * f[a] for a in range(5)}


class Listed(RandomChooser):
    """Draws in a given order."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__(0)
        self.listed = order

    def order(self, log_weights: np.ndarray) -> Iterator[int]:
        yield from self.listed


def repeated_passes(p: list[Fraction], f: tuple[int, ...], accepts: int) -> Fraction:
    """E[Z-hat] when x is drawn again `accepts` times, rejects staying out: (1 - psi) L / (rejects + L)."""

    def passes(left: tuple[int, ...], found: int, rejects: int, gone: Fraction | None) -> Fraction:
        if found == accepts + 1:
            assert gone is not None
            return (1 - gone) * accepts / (rejects + accepts)
        total, out = sum((p[i] for i in left), Fraction(0)), Fraction(0)
        for x in left:
            if f[x]:
                first = sum((p[i] for i in range(len(p)) if i not in left), Fraction(0)) if gone is None else gone
                out += p[x] / total * passes(left, found + 1, rejects, first)
            else:
                out += p[x] / total * passes(tuple(i for i in left if i != x), found, rejects + 1, gone)
        return out

    return passes(tuple(range(len(p))), 0, 0, None) if any(f) else Fraction(0)


def test_why_the_published_form_is_not_generalised() -> None:
    """Drawing x again once is proper; the same with two more passes is not: 13/24 instead of 1/2."""
    half = [Fraction(1, 2), Fraction(1, 2)]
    assert repeated_passes(half, (1, 0), 1) == Fraction(1, 2)
    assert repeated_passes(half, (1, 0), 2) == Fraction(13, 24)


@pytest.mark.parametrize(
    ("p", "accepted", "estimator", "spread", "checks"),
    [
        (PEAKED, (0, 2), AWRS(1, per_reject=0), 0.063, 2.1),
        (PEAKED, (0, 2), AWRS(2, per_reject=0), 0.035, 3.1),
        (PEAKED, (1, 2), AWRS(1, per_reject=0), 0.055, 3.3),
        (PEAKED, (1, 2), AWRS(2, per_reject=0), 0.028, 4.2),
        (ZIPF, (1, 3, 6), AWRS(1, per_reject=0), 0.281, 3.1),
        (ZIPF, (1, 3, 6), AWRS(2, per_reject=0), 0.173, 4.1),
        (PEAKED, (0, 2), AWRS(), 0.0618, 2.14),
        (PEAKED, (1, 2), AWRS(), 0.0494, 4.16),
        (ZIPF, (1, 3, 6), AWRS(), 0.2354, 4.11),
        (ZIPF, (1, 3, 6), AWRS(per_reject=2), 0.2229, 4.64),
    ],
)
def test_spread_and_cost(
    p: tuple[float, ...], accepted: tuple[int, ...], estimator: AWRS, spread: float, checks: float
) -> None:
    """Exact standard deviation of Z-hat and mean number of checks, as known from enumeration."""
    mean = square = cost = 0.0
    for probability, drawn in every_outcome(lambda c: estimator.draw(log_of(p), accepted.__contains__, c)):
        estimate = float(np.exp(drawn.log_estimate))
        mean, square = mean + probability * estimate, square + probability * estimate**2
        cost += probability * drawn.checks
    assert mean == pytest.approx(sum(p[a] for a in accepted), abs=1e-12)
    assert np.sqrt(square - mean**2) == pytest.approx(spread, abs=1.5e-3)
    assert cost == pytest.approx(checks, abs=0.06)


@pytest.mark.statistical
def test_an_event_of_mass_five_in_a_million() -> None:
    """One valid token nobody expects, among many: found in every draw, and the mean is right within 5 %."""
    p = np.full(50, (1 - 5e-6) / 49)
    p[7] = 5e-6
    estimates = [
        float(np.exp(AWRS().draw(np.log(p), lambda place: place == 7, RandomChooser(1, seed)).log_estimate))
        for seed in range(200)
    ]
    assert estimates == pytest.approx([5e-6] * 200, rel=1e-9)
    second = p.copy()
    second[8], second[7] = 2e-6, 3e-6
    pairs = [
        np.exp(AWRS().draw(np.log(second), (7, 8).__contains__, RandomChooser(2, seed)).log_estimate)
        for seed in range(3000)
    ]
    assert np.mean(pairs) == pytest.approx(5e-6, rel=0.05)


def relative_variance(estimator: AWRS, seed: int) -> tuple[float, float]:
    """(of Z-hat, mean checks) where one thousandth of the mass is accepted, spread as widely as the rest."""
    weights = np.tile(1 / np.arange(1.0, 201.0), (2, 1)) * np.array([[0.999], [0.001]])
    p = (weights / weights.sum()).reshape(-1)
    drawn = [estimator.draw(np.log(p), range(200, 400).__contains__, RandomChooser(seed, i)) for i in range(2000)]
    values = np.exp([d.log_estimate for d in drawn])
    assert abs(values.mean() - 0.001) < bernstein(values)
    return float(values.var() / 0.001**2), float(np.mean([d.checks for d in drawn]))


@pytest.mark.statistical
def test_a_thousandth_of_the_mass() -> None:
    """One look says all or nothing; as many looks as there were rejections have a variance of about one."""
    one, few = relative_variance(AWRS(per_reject=0), 4)
    many, twice = relative_variance(AWRS(), 4)
    assert (one > 50, many < 1.5, twice < 2.2 * few) == (True, True, True), (one, many, few, twice)


@pytest.mark.statistical
def test_seeded_streams_weigh_every_event_properly() -> None:
    """The Gumbel path, event by event, at ALPHA in all; with more events than are put in order at once."""
    weights = 1 / np.arange(1.0, 201.0)
    p = weights / weights.sum()
    accepted = set(range(3, 200, 7))
    drawn = [AWRS(2).draw(np.log(p), accepted.__contains__, RandomChooser(3, i)) for i in range(12_000)]
    for place in [3, 10, 17, 24, 31, 199]:
        values = np.array([np.exp(d.log_estimate) if d.place == place else 0.0 for d in drawn])
        assert abs(values.mean() - p[place]) < bernstein(values, ALPHA / 6), place
    assert max(d.checks for d in drawn) > 33  # some go beyond the draws that come before the sorting


def test_what_it_gives_up_on() -> None:
    none = AWRS().draw(np.log([0.5, 0.5]), lambda place: False, RandomChooser(0))
    assert (none.place, none.log_estimate, none.checks) == (None, -np.inf, 2)
    limited = AWRS(max_rejects=1).draw(np.log([0.5, 0.5]), lambda place: False, RandomChooser(0))
    assert (limited.place, limited.checks) == (None, 1)
    assert AWRS().draw(np.zeros(0), lambda place: True, RandomChooser(0)).place is None
    for bad in ({"lookahead": 0}, {"max_rejects": 0}, {"per_reject": -1}):
        with pytest.raises(OptionError, match=next(iter(bad))):
            AWRS(**bad)
