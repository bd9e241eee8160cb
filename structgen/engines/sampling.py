"""Logits to laws to tokens, in float64: softmax sums over 128k tokens in float32 are off in the fifth digit.

Drawing inverts the cumulative sum with one uniform number per row, so a row uses exactly one number a step however
large the vocabulary. Cost: a few passes over the logits; top-k and top-p select candidates first and never sort them
all unless the nucleus really is that wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from structgen.errors import ModelError
from structgen.options import SamplingOptions

NOTHING_POSSIBLE = "the model gives every allowed token probability zero"
_BLOCK = 256  # tokens whose probabilities are summed before one among them is drawn
_FIRST_CANDIDATES = 512  # looked at for a nucleus before looking at eight times as many


@dataclass(frozen=True, slots=True)
class DrawLaw:
    """What may come, row by row.   B rows, C candidates

    field     shape    meaning
    scores    (B, C)   unnormalised log-probabilities, -inf for what cannot come
    log_norm  (B, 1)   log of their sum: log-probability = score - log_norm
    ids       (B, C)   token ids of the candidates, None when candidate i is token i
    """

    scores: torch.Tensor
    log_norm: torch.Tensor
    ids: torch.Tensor | None

    def log_probs(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, n) token ids -> their log-probabilities."""
        if self.ids is None:
            return self.scores.gather(1, tokens) - self.log_norm
        found = self.ids.unsqueeze(1) == tokens.unsqueeze(2)
        return self.scores.unsqueeze(1).masked_fill(~found, -torch.inf).amax(dim=2) - self.log_norm


def check_logits(logits: torch.Tensor, rows: int, width: int) -> None:
    """Raise ModelError when no law can be made of a model's logits (rows, >= width)."""
    if logits.ndim != 2 or logits.shape[0] != rows or logits.shape[1] < width:
        raise ModelError(f"the model returned logits of shape {tuple(logits.shape)}, not ({rows}, {width} or more)")
    highest = logits.amax(dim=1)  # NaN if any is
    if torch.isnan(highest).any() or torch.isposinf(highest).any():
        raise ModelError("the model returned NaN or infinite logits")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Tokens that were drawn for a row beforehand, one after the other without replacement, and the law they are of.

    tokens  in the order of their drawing, none twice
    law     (V,) float64 probabilities of the first draw, on the device of the logits
    """

    tokens: tuple[int, ...]
    law: torch.Tensor


class Coins(Protocol):
    """The random decisions of a draw with a proposal."""

    def accepts(self, chance: float) -> bool:
        """True with this probability; never where it is 0."""
        ...

    def one_of(self, chances: torch.Tensor) -> int:
        """A place, drawn with these probabilities (they sum to 1)."""
        ...


def law(logits: torch.Tensor, options: SamplingOptions, ids: torch.Tensor | None = None) -> DrawLaw:
    """The law after temperature, top-k, top-p and min-p. Temperature 0 is reported as the law at temperature 1.

    `ids` (B, C): which tokens the logits (B, C) are of, where they are not of all.
    """
    scaled = logits / options.temperature if options.temperature not in (0, 1) else logits
    width = scaled.shape[1]
    if options.top_k is not None and (options.top_k < width or ids is not None):  # candidates are likeliest first
        scores, places = scaled.topk(min(options.top_k, width), dim=1)
        chosen = places if ids is None else ids.gather(1, places)
        whole = DrawLaw(scores, scores.logsumexp(dim=1, keepdim=True), chosen)
    else:
        whole = DrawLaw(scaled, scaled.logsumexp(dim=1, keepdim=True), ids)
    if options.top_p is not None and options.top_p < 1:
        whole = _nucleus(whole, options.top_p)
    return whole if not options.min_p else _likely(whole, options.min_p)


def draw_alone(
    scores: torch.Tensor,
    generators: list[torch.Generator],
    options: SamplingOptions,
    ids: torch.Tensor | None = None,
    proposals: Sequence[Proposal | None] = (),
) -> list[int]:
    """`draw` from the `law` of (B, C) logits of any float type, when nobody asks for probabilities: the likeliest needs
    no sum, and without filters a draw needs no norm."""
    if options.temperature:
        scores = scores.double()
        if options.top_k or options.top_p or options.min_p or any(each is not None for each in proposals):
            return draw(law(scores, options, ids), generators, options, proposals)
        places = _draw_unfiltered(scores / options.temperature if options.temperature != 1 else scores, generators)
        return [int(token) for token in (places if ids is None else ids.gather(1, places)).squeeze(1).tolist()]
    best, places = scores.max(dim=1, keepdim=True)
    if not torch.isfinite(best).all():
        raise ModelError(NOTHING_POSSIBLE)
    return [int(token) for token in (places if ids is None else ids.gather(1, places)).squeeze(1).tolist()]


def draw(
    source: DrawLaw,
    generators: list[torch.Generator],
    options: SamplingOptions,
    proposals: Sequence[Proposal | None] = (),
) -> list[int]:
    """One token per row: the likeliest at temperature 0, else drawn with that row's generator.

    A row that has a proposal takes one of its tokens where the law allows that (`draw_proposed`).
    """
    if not torch.isfinite(source.log_norm).all():
        raise ModelError(NOTHING_POSSIBLE)
    if any(proposal is not None for proposal in proposals) and options.temperature:
        return [
            draw(_row_of(source, row), generators[row : row + 1], options)[0]
            if proposal is None
            else draw_proposed(_dense(source, row, len(proposal.law)), proposal, _Tossed(generators[row]))
            for row, proposal in enumerate(proposals)
        ]
    places = _draw_places(source, generators) if options.temperature else source.scores.argmax(dim=1, keepdim=True)
    tokens = places if source.ids is None else source.ids.gather(1, places)
    return [int(token) for token in tokens.squeeze(1).tolist()]


def draw_proposed(law: torch.Tensor, proposal: Proposal, coins: Coins) -> int:
    """A token with the (V,) law, one of the proposal's where that is possible: recursive rejection (RSD, Jeon et al.
    2024).

    Each token in its order is accepted with min(1, law / proposal); if not, the law is what the proposal has not
    covered, and the proposal what was not yet drawn. Over the proposal's own draws the token has exactly the law.
    """
    rest, given = law, proposal.law
    for token in proposal.tokens:
        if float(given[token]) > 0 and coins.accepts(min(1.0, float(rest[token] / given[token]))):
            return token
        rest = (rest - given).clamp_(min=0)
        whole = float(rest.sum())
        if whole <= 0:  # rounding: what was just refused was nearly certain
            return token
        rest = rest / whole
        given = given.index_fill(0, torch.tensor([token], device=given.device), 0.0)
        left = float(given.sum())
        if left <= 0:
            break
        given = given / left
    return coins.one_of(rest)


@dataclass(slots=True)
class _Tossed:
    """Coins of a row's generator."""

    generator: torch.Generator

    def accepts(self, chance: float) -> bool:
        return float(torch.rand(1, dtype=torch.float64, generator=self.generator)) < chance

    def one_of(self, chances: torch.Tensor) -> int:
        whole = DrawLaw(chances.log().unsqueeze(0), torch.zeros(1, 1, dtype=torch.float64, device=chances.device), None)
        return int(_draw_places(whole, [self.generator]))


def _row_of(source: DrawLaw, row: int) -> DrawLaw:
    ids = None if source.ids is None else source.ids[row : row + 1]
    return DrawLaw(source.scores[row : row + 1], source.log_norm[row : row + 1], ids)


def _dense(source: DrawLaw, row: int, width: int) -> torch.Tensor:
    """(width,) probabilities of a row's law."""
    chances = (source.scores[row] - source.log_norm[row]).exp()
    if source.ids is None:
        return chances[:width]
    empty = torch.zeros(width, dtype=chances.dtype, device=chances.device)
    return empty.index_add_(0, source.ids[row].clamp(min=0), chances)


def row_generator(seed: int, stream: int) -> torch.Generator:
    """The random numbers of one row: they depend on the seed and the row's own number, not on its neighbours."""
    state = np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def _draw_unfiltered(scores: torch.Tensor, generators: list[torch.Generator]) -> torch.Tensor:
    """(B, 1) places drawn from the softmax of (B, C) scores as `_draw_places` draws them, by sums of blocks first, then
    inside the block: that saves the norm and a cumulative sum of all."""
    highest = scores.amax(dim=1, keepdim=True)
    if not torch.isfinite(highest).all():
        raise ModelError(NOTHING_POSSIBLE)
    weights = (scores - highest).exp_()
    blocks = torch.nn.functional.pad(weights, (0, -weights.shape[1] % _BLOCK)).unflatten(1, (-1, _BLOCK))
    sums = blocks.sum(dim=2).cumsum_(dim=1)
    uniforms = torch.cat([torch.rand(1, dtype=torch.float64, generator=generator) for generator in generators])
    reached = uniforms.to(weights.device).unsqueeze(1) * sums[:, -1:]
    block = torch.searchsorted(sums, reached, right=True).clamp_(max=sums.shape[1] - 1)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks[torch.arange(len(block), device=block.device), block.squeeze(1)].cumsum(dim=1)
    places = block * _BLOCK + torch.searchsorted(inside, reached - before, right=True).clamp_(max=_BLOCK - 1)
    places.clamp_(max=weights.shape[1] - 1)
    return torch.where(weights.gather(1, places) > 0, places, weights.argmax(dim=1, keepdim=True))  # see _draw_places


def _draw_places(source: DrawLaw, generators: list[torch.Generator]) -> torch.Tensor:
    uniforms = torch.cat([torch.rand(1, dtype=torch.float64, generator=generator) for generator in generators])
    weights = (source.scores - source.log_norm).exp_()
    cumulative = weights.cumsum(dim=1)
    reached = uniforms.to(weights.device).unsqueeze(1) * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, reached, right=True).clamp_(max=weights.shape[1] - 1)
    # Rounding (a parallel sum need not be monotone; a number may round up to the whole sum) can point at a token of
    # probability zero. That is as rare as rounding, so any possible token will do.
    return torch.where(weights.gather(1, places) > 0, places, weights.argmax(dim=1, keepdim=True))


def _likely(whole: DrawLaw, min_p: float) -> DrawLaw:
    """The candidates at least `min_p` times as likely as the likeliest (Nguyen et al. 2024)."""
    least = whole.scores.amax(dim=1, keepdim=True) + math.log(min_p)
    kept = whole.scores.masked_fill(whole.scores < least, -torch.inf)
    return DrawLaw(kept, kept.logsumexp(dim=1, keepdim=True), whole.ids)


def _nucleus(whole: DrawLaw, top_p: float) -> DrawLaw:
    """The fewest likeliest candidates whose probabilities reach `top_p`; of equally likely ones those of lowest id.

    So many are looked at that all that are as likely as the last one taken are among them (`samplers.law.likeliest`).
    """
    width, count = whole.scores.shape[1], _FIRST_CANDIDATES
    goal = torch.full_like(whole.log_norm, top_p)
    while True:
        count = min(count, width)
        scores, places = whole.scores.topk(count, dim=1)
        cumulative = (scores - whole.log_norm).exp_().cumsum(dim=1)
        last = torch.searchsorted(cumulative, goal).clamp_(max=count - 1)
        edge = scores.gather(1, last)
        if count == width or bool((edge > scores[:, -1:]).all()):
            break
        count *= 8
    ids = places if whole.ids is None else whole.ids.gather(1, places)
    outside = torch.arange(count, device=scores.device) > last
    beyond = (last + 1).clamp_(max=count - 1)
    if bool(((beyond > last) & (scores.gather(1, beyond) == edge)).any()):  # rare, and two sorts triple the time
        by_id = ids.argsort(dim=1)
        scores, order = scores.gather(1, by_id).sort(dim=1, descending=True, stable=True)
        ids = ids.gather(1, by_id.gather(1, order))
    kept = scores.masked_fill(outside, -torch.inf)
    return DrawLaw(kept, kept.logsumexp(dim=1, keepdim=True), ids)
