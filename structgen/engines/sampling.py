"""Logits to laws to tokens, in float64: softmax sums over 128k tokens in float32 are off in the fifth digit.

A law is a tensor of log-probabilities (B, L), -inf where a token cannot come. Drawing inverts the cumulative sum with
one uniform number per row, so a row uses exactly one number a step however large the vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch

from structgen.errors import ModelError
from structgen.options import SamplingOptions


def checked_logits(logits: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """The model's logits (rows, >= width) in float64, or ModelError when no law can be made of them."""
    if logits.ndim != 2 or logits.shape[0] != rows or logits.shape[1] < width:
        raise ModelError(f"the model returned logits of shape {tuple(logits.shape)}, not ({rows}, {width} or more)")
    wide = logits.double()
    if torch.isnan(wide).any() or torch.isposinf(wide).any():
        raise ModelError("the model returned NaN or infinite logits")
    return wide


def law(logits: torch.Tensor, options: SamplingOptions) -> torch.Tensor:
    """Log-probabilities after temperature, top-k and top-p. Temperature 0 is reported as the law at temperature 1."""
    scaled = logits / options.temperature if options.temperature else logits
    if options.top_k is not None and options.top_k < scaled.shape[1]:
        kept, places = scaled.topk(options.top_k, dim=1)
        scaled = torch.full_like(scaled, -torch.inf).scatter(1, places, kept)
    out = torch.log_softmax(scaled, dim=1)
    return out if options.top_p is None or options.top_p >= 1 else _nucleus(out, options.top_p)


def draw(log_law: torch.Tensor, generators: list[torch.Generator], options: SamplingOptions) -> list[int]:
    """One token per row: the likeliest at temperature 0, else drawn with that row's generator."""
    if torch.isnan(log_law).any():
        raise ModelError("the model gives every allowed token probability zero")
    if not options.temperature:
        return [int(token) for token in log_law.argmax(dim=1).tolist()]
    uniforms = torch.cat([torch.rand(1, dtype=torch.float64, generator=generator) for generator in generators])
    probabilities = log_law.exp()
    cumulative = probabilities.cumsum(dim=1)
    reached = uniforms.to(log_law.device).unsqueeze(1) * cumulative[:, -1:]
    # Only possible tokens count: rounding in a parallel sum must not select one of probability zero.
    hit = (cumulative > reached) & (probabilities > 0)
    # No hit: rounding put the number at the very end of the sum, where any possible token is as good as another.
    chosen = torch.where(hit.any(dim=1), hit.int().argmax(dim=1), log_law.argmax(dim=1))
    return [int(token) for token in chosen.tolist()]


def row_generator(seed: int, stream: int) -> torch.Generator:
    """The random numbers of one row: they depend on the seed and the row's own number, not on its neighbours."""
    state = np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def _nucleus(log_law: torch.Tensor, top_p: float) -> torch.Tensor:
    """The fewest likeliest tokens whose probabilities reach `top_p`, renormalised."""
    ordered, places = log_law.sort(dim=1, descending=True, stable=True)
    before = ordered.exp().cumsum(dim=1) - ordered.exp()
    kept = ordered.masked_fill(before >= top_p, -torch.inf)
    kept[:, 0] = ordered[:, 0]
    return torch.log_softmax(torch.full_like(log_law, -torch.inf).scatter(1, places, kept), dim=1)
