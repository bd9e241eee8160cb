"""The law that is sampled: logits -> log-probabilities of the model after temperature, top-k and top-p.

Cost: a few passes over the vocabulary in float64, one row after the other, as a row stays in the processor's cache.
What top-k and top-p cut is found by a histogram of the scores, of which one bin is sorted. At 128,256 tokens 0.2 ms,
0.8 to 1 ms with a cut (`python -m benchmarks law`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structgen.errors import ModelError
from structgen.protocols import Floats
from structgen.samplers.logspace import log_sum

__all__ = ["TargetLaw", "likeliest", "log_law"]

_CHUNK = 1 << 14  # values worked on at once: larger temporary arrays are new pages of memory, which cost more than sums
_BINS, _BINS_PER_NAT = 1 << 14, 256  # a bin of a flat law over 128,256 tokens holds some hundreds of them


@dataclass(frozen=True, slots=True)
class TargetLaw:
    """Which measure was sampled; part of every result.

    field         meaning
    temperature   divides the logits, before
    top_k, top_p  cut the model's law, before
    max_tokens    T, the stop token counted
    order         the law is transformed before it is constrained
    measure       what is one outcome: a token sequence, not a text; "canonical": those the tokenizer would write
    potentials    names of the potentials that multiply it
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_tokens: int = 256
    order: str = "transform, then constrain"
    measure: str = "token sequences"
    potentials: tuple[str, ...] = ()


def log_law(logits: NDArray[np.floating], law: TargetLaw, stops: Sequence[int]) -> Floats:
    """(n, L) logits -> (n, L) log-probabilities after temperature, top-k, top-p; stop ids merged into the first.

    Raises ModelError for NaN, +inf or a row without a possible token.
    """
    scores = np.empty(logits.shape, np.float64)
    for row, given in zip(scores, logits, strict=True):
        np.divide(given, law.temperature, out=row)
        highest = row.max(initial=-np.inf)
        if not np.isfinite(highest):
            raise ModelError("the model returned NaN, infinite logits or no possible token")
        row -= highest
        weights = np.exp(row)
        if law.top_k is not None and law.top_k < row.size:
            inside, _ = likeliest(row, law.top_k)
            _keep(row, inside)
            weights *= inside
        total = weights.sum()
        row -= np.log(total)
        if law.top_p is not None and law.top_p < 1:
            weights /= total
            inside, together = likeliest(row, law.top_p, weights)
            _keep(row, inside)
            row -= np.log(together)
        if len(stops) > 1:
            merged = log_sum(row[list(stops)])
            row[list(stops)] = -np.inf
            row[stops[0]] = merged
    return scores


def likeliest(scores: Floats, amount: float, weights: Floats | None = None) -> tuple[NDArray[np.bool_], float]:
    """(L,) the fewest of the highest scores whose weights (L,) reach an amount, and what these weigh together.

    Of equal scores those of lowest id. With the scores' own probabilities for weights that is a nucleus; without
    weights each counts one. Bin b of the histogram holds what is b to b + 1 steps below the highest score, the last bin
    all that is further down: the bins before that in which the amount is reached are taken, and of it the first ones.
    """
    bins = _bins(scores)
    upto = np.bincount(bins, weights, _BINS).cumsum()
    reached = min(int(np.searchsorted(upto, amount)), int(bins.max()))
    inside, last = np.asarray(bins < reached), np.flatnonzero(bins == reached)
    last = last[np.argsort(-scores[last], kind="stable")]
    further = np.arange(1, last.size + 1) if weights is None else weights[last].cumsum()
    further = further + (upto[reached - 1] if reached else 0)
    taken = min(int(np.searchsorted(further, amount)), last.size - 1)
    inside[last[: taken + 1]] = True
    return inside, float(further[taken])


def _bins(scores: Floats) -> NDArray[np.uint16]:
    """(L,) the bin of every score."""
    out, highest = np.empty(scores.size, np.uint16), scores.max()
    for first in range(0, scores.size, _CHUNK):
        depth = highest - scores[first : first + _CHUNK]
        depth *= _BINS_PER_NAT
        out[first : first + _CHUNK] = np.minimum(depth, _BINS - 1, out=depth)
    return out


def _keep(row: Floats, inside: NDArray[np.bool_]) -> None:
    """-inf for everything else."""
    for first in range(0, row.size, _CHUNK):
        part = row[first : first + _CHUNK]
        part[:] = np.where(inside[first : first + _CHUNK], part, -np.inf)
