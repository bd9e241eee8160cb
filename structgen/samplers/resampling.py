"""Resampling schemes: N weights -> how often each particle goes on, with expected counts k w_i.

    multinomial   k independent draws
    stratified    one draw in each of k equal strata of the cumulative weights (Kitagawa 1996); never more variance
    systematic    the same uniform number in every stratum
    residual      floor(k w_i) copies for certain, the rest multinomial (Liu and Chen 1998)

All but multinomial draw in an order that goes with the places of the weights (certain copies first, the last stratum
last), so what they drew is shuffled: then every place among the k has the same law.

Douc, Cappe and Moulines (2005) compare them. Each draw is a discrete choice (systematic: of the piece of [0, 1/k) on
which the counts are constant), so tests can enumerate all of them. Cost O(N + k), systematic O(N log N).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError
from structgen.protocols import Chooser, Floats

__all__ = ["SCHEMES", "check_scheme", "resample"]

Places = NDArray[np.int64]


def resample(log_weights: Floats, k: int, chooser: Chooser, scheme: str = "stratified") -> Places:
    """(k,) indices into the weights, in random order: every place has the law of one draw by weight.

    Raises OptionError for an unknown scheme, ValueError when all weights are zero.
    """
    check_scheme(scheme)
    highest = log_weights.max(initial=-np.inf)
    if highest == -np.inf:
        raise ValueError("all weights are zero: there is nothing to resample")
    weights = np.exp(log_weights - highest)
    drawn = SCHEMES[scheme](weights / weights.sum(), k, chooser)
    return drawn if scheme == "multinomial" else _shuffled(drawn, chooser)


def check_scheme(scheme: str) -> None:
    """OptionError for a scheme that does not exist."""
    if scheme not in SCHEMES:
        raise OptionError(f"resampling is one of {', '.join(SCHEMES)}, not {scheme!r}", option="resampling")


def multinomial(weights: Floats, k: int, chooser: Chooser) -> Places:
    """k independent draws."""
    logs = _log(weights)
    return np.array([chooser.choice(logs) for _ in range(k)], np.int64)


def stratified(weights: Floats, k: int, chooser: Chooser) -> Places:
    """In stratum j one of the particles whose piece of the cumulative weights it meets, by the length they share."""
    upper = _cumulative(weights) * k
    lower = np.concatenate([[0.0], upper[:-1]])
    out = np.zeros(k, np.int64)
    for j in range(k):
        first = int(np.searchsorted(upper, j, side="right"))
        last = int(np.searchsorted(lower, j + 1, side="left"))
        shared = np.minimum(upper[first:last], j + 1) - np.maximum(lower[first:last], j)
        out[j] = first + chooser.choice(_log(shared))
    return out


def systematic(weights: Floats, k: int, chooser: Chooser) -> Places:
    """Points (j + u) / k for one uniform u; counts change only where u passes the fraction of a cumulative weight."""
    cumulative = _cumulative(weights) * k
    breaks = np.unique(np.concatenate([[0.0, 1.0], cumulative % 1.0]))
    piece = chooser.choice(_log(np.diff(breaks)))
    u = (breaks[piece] + breaks[piece + 1]) / 2
    return np.asarray(np.searchsorted(cumulative, np.arange(k) + u, side="right"), np.int64)


def residual(weights: Floats, k: int, chooser: Chooser) -> Places:
    """floor(k w) copies of each, then multinomial on what is left over."""
    expected = weights * k
    whole = np.floor(expected + 1e-12)  # a count that is whole up to rounding leaves nothing over
    certain = np.repeat(np.arange(weights.size), whole.astype(np.int64))
    left = k - certain.size
    over = np.maximum(expected - whole, 0.0)
    return np.concatenate([certain, multinomial(over, left, chooser)]) if left else certain


SCHEMES: dict[str, Callable[[Floats, int, Chooser], Places]] = {
    "multinomial": multinomial,
    "stratified": stratified,
    "systematic": systematic,
    "residual": residual,
}


def _shuffled(drawn: Places, chooser: Chooser) -> Places:
    return drawn[list(chooser.order(np.zeros(drawn.size)))]


def _cumulative(weights: Floats) -> Floats:
    """Cumulative weights whose last is exactly one: a particle of weight zero owns no part of [0, 1)."""
    cumulative = np.minimum(weights.cumsum(), 1.0)
    cumulative[np.flatnonzero(weights)[-1] :] = 1.0
    return np.asarray(cumulative)


def _log(weights: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(weights, 0.0)))
