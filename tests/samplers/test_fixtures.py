"""The four fixtures against their pinned numbers, and the identities of the account on them and on random languages."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.samplers.exact import Exact, enumerate_outputs, kl_divergence, total_variation
from structgen.samplers.fixtures import FIXTURES
from tests.samplers.judges import fixture, random_problem

# |L|, Z, KL(q || pi), KL(pi || q), TV, 1 + chi^2(pi || q), largest W, sd of log W under q
PINNED = {
    "T1": (17, 0.10009, 5.987621, 2.293404, 0.899101, 9.982, 1, 2.763),
    "T2": (284, 0.00733928696, 5.818040, 2.770066, 0.920591, 19.08, 0.249554, 2.875),
    "T3": (37, 0.134277644, 3.019240, 0.981122, 0.617554, 2.820, 0.412926, 3.172),
    "T4": (16, 0.17850625, 0, 0, 0, 1, 0.17850625, 0),
}


@pytest.mark.parametrize("name", PINNED)
def test_pinned_numbers(name: str) -> None:
    _, exact = fixture(name)
    size, z, forward, backward, distance, chi, highest, spread = PINNED[name]
    q, pi = exact.masked, exact.target
    assert len(exact.outputs) == size == len(set(exact.outputs))
    assert np.exp(exact.log_evidence) == pytest.approx(z, rel=1e-6)
    assert kl_divergence(q, pi) == pytest.approx(forward, abs=1e-6)
    assert kl_divergence(pi, q) == pytest.approx(backward, abs=1e-6)
    assert total_variation(q, pi) == pytest.approx(distance, abs=1e-6)
    assert (pi**2 / q).sum() == pytest.approx(chi, rel=1e-3)
    assert np.exp(exact.log_mass.max()) == pytest.approx(highest, abs=1e-6)
    sd = np.sqrt((q * (exact.log_mass - (q * exact.log_mass).sum()) ** 2).sum())
    assert sd == pytest.approx(spread, abs=1e-3)


def check_identities(exact: Exact) -> None:
    q, pi, log_w, log_z = exact.masked, exact.target, exact.log_mass, exact.log_evidence
    w = np.exp(log_w)
    close = {"abs": 1e-12, "rel": 1e-9}
    assert q.sum() == pytest.approx(1, **close)
    assert pi.sum() == pytest.approx(1, **close)
    assert (q * w).sum() == pytest.approx(np.exp(log_z), **close)
    assert kl_divergence(q, pi) == pytest.approx(log_z - (q * log_w).sum(), **close)
    assert kl_divergence(pi, q) == pytest.approx((pi * log_w).sum() - log_z, **close)
    assert (pi * w).sum() / np.exp(log_z) == pytest.approx((pi**2 / q).sum(), **close)
    assert (q / pi >= np.exp(log_z) - 1e-12).all()
    assert exact.log_future[()] == pytest.approx(log_z, **close)


@pytest.mark.parametrize("name", PINNED)
def test_identities_on_the_fixtures(name: str) -> None:
    check_identities(fixture(name)[1])


def test_identities_on_random_languages() -> None:
    for seed in range(25):
        check_identities(enumerate_outputs(random_problem(np.random.default_rng(seed))))


def test_masked_rejection_and_independence_chain_are_bounded_by_the_weights() -> None:
    """Accept a masked draw with probability W: exactly pi, at rate Z. Independence MH: TV_k <= (1 - Z / W_max)^k."""
    for name in PINNED:
        _, exact = fixture(name)
        q, pi, w, z = exact.masked, exact.target, np.exp(exact.log_mass), np.exp(exact.log_evidence)
        np.testing.assert_allclose(q * w / z, pi, atol=1e-12)
        kernel = q * np.minimum(1, w / w[:, None])  # from x to y
        kernel[np.diag_indices_from(kernel)] += 1 - kernel.sum(axis=1)
        law = q
        for k in range(6):
            assert total_variation(law, pi) <= (1 - z / w.max()) ** k + 1e-12
            law = law @ kernel


def test_every_fixture_is_pinned() -> None:
    assert [name.split()[0] for name in FIXTURES] == list(PINNED)
