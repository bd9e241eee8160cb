"""The law that is sampled: logits -> log-probabilities of the model after temperature, top-k and top-p.

Cost: a few passes over the vocabulary in float64; a nucleus sorts only as many ids as it must.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structgen.errors import ModelError
from structgen.protocols import Floats
from structgen.samplers.logspace import log_sum

__all__ = ["TargetLaw", "log_law", "nucleus"]


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
    scores = logits.astype(np.float64) / law.temperature
    highest = scores.max(axis=1, keepdims=True)
    if not np.isfinite(highest).all():
        raise ModelError("the model returned NaN, infinite logits or no possible token")
    scores -= highest
    if law.top_k is not None and law.top_k < scores.shape[1]:
        cut = np.argpartition(-scores, law.top_k - 1, axis=1)[:, law.top_k :]
        np.put_along_axis(scores, cut, -np.inf, axis=1)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    if law.top_p is not None and law.top_p < 1:
        for row in scores:
            outside = np.ones(row.size, np.bool_)
            outside[nucleus(row, law.top_p)] = False
            row[outside] = -np.inf
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    if len(stops) > 1:
        merged = [log_sum(row[list(stops)]) for row in scores]
        scores[:, list(stops)] = -np.inf
        scores[:, stops[0]] = merged
    return scores


def nucleus(log_probs: Floats, top_p: float) -> NDArray[np.int64]:
    """(n,) the fewest likeliest ids that together have this probability; of equally likely ones those of lowest id."""
    count = 512
    while True:
        count = min(count, log_probs.size)
        best = np.argpartition(-log_probs, count - 1)[:count]
        best = best[np.lexsort((best, -log_probs[best]))]
        cumulative = np.exp(log_probs[best]).cumsum()
        last = min(int(np.searchsorted(cumulative, top_p, side="left")), count - 1)
        if count == log_probs.size or log_probs[best[last]] > log_probs[best[-1]]:  # all its equals are here
            return best[: last + 1]
        count *= 8
