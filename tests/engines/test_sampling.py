"""Masks and laws against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from structgen.bits import row_of
from structgen.engines.masking import allowed_tokens, apply_masks, unpack_on_device, unpack_on_host
from structgen.engines.sampling import draw, draw_alone, law, row_generator
from structgen.errors import ModelError
from structgen.options import SamplingOptions
from structgen.samplers.law import TargetLaw, log_law


@pytest.mark.parametrize("size", [1, 31, 32, 33, 500])
@pytest.mark.parametrize("padding", [0, 1, 64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_masks_are_applied_bit_by_bit(size: int, padding: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng([size, padding])
    allowed = rng.random((3, size)) < 0.5
    rows = [*(row_of(row, size) for row in allowed), None]
    logits = torch.randn(4, size + padding).to(dtype)
    out = apply_masks(logits, rows)
    expected = np.zeros((4, size + padding), bool)
    expected[:3, :size], expected[3] = allowed, True
    assert out.dtype == dtype and torch.equal(torch.isneginf(out), torch.from_numpy(~expected))
    assert torch.equal(out[torch.from_numpy(expected)], logits[torch.from_numpy(expected)])


def test_logits_narrower_than_the_mask() -> None:
    row = np.array([1, 1], np.uint32)
    assert allowed_tokens([np.array([1, 0], np.uint32)], 20).shape == (1, 20)
    with pytest.raises(ModelError, match="fewer"):
        allowed_tokens([row], 32)
    with pytest.raises(ModelError, match="shape"):
        apply_masks(torch.zeros(2, 64), [row])


def test_both_ways_to_unpack_agree() -> None:
    packed = torch.randint(0, 256, (5, 36), dtype=torch.uint8)
    assert torch.equal(unpack_on_device(packed), unpack_on_host(packed))


@pytest.mark.gpu
def test_masks_on_a_device_equal_those_on_the_cpu() -> None:
    rng = np.random.default_rng(5)
    rows = [rng.integers(0, 1 << 32, 4009, dtype=np.uint32) for _ in range(8)]
    here = allowed_tokens([*rows, None], 4009 * 32 + 17)
    assert torch.equal(allowed_tokens([*rows, None], 4009 * 32 + 17, "cuda").cpu(), here)


def reference_law(logits: np.ndarray, options: SamplingOptions) -> np.ndarray:
    p = np.exp(logits / options.temperature - np.max(logits / options.temperature))
    order = np.argsort(-p, kind="stable")
    if options.top_k:
        p[order[options.top_k :]] = 0
    p /= p.sum()
    if options.top_p:
        keep, total = 0, 0.0
        while total < options.top_p and keep < len(order):
            total += p[order[keep]]
            keep += 1
        p[order[keep:]] = 0
    return p / p.sum()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 3, 100])
@pytest.mark.parametrize("top_p", [None, 0.01, 0.5, 0.95])
def test_laws(temperature: float, top_k: int | None, top_p: float | None) -> None:
    options = SamplingOptions(temperature=temperature, top_k=top_k, top_p=top_p)
    logits = np.random.default_rng(3).normal(0, 2, (5, 40))
    logits[:, ::3] = -np.inf
    source = law(torch.from_numpy(logits), options)
    out = source.log_probs(torch.arange(40).expand(5, -1)).exp().numpy()
    for row, expected in zip(out, logits, strict=True):
        np.testing.assert_allclose(row, reference_law(expected, options), atol=1e-12)


def test_draws_follow_the_law_and_never_take_what_is_impossible() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 1.0, -2.0, -torch.inf]], dtype=torch.float64)
    options = SamplingOptions()
    source = law(logits.repeat(20_000, 1), options)
    drawn = np.bincount(draw(source, [row_generator(0, i) for i in range(20_000)], options), minlength=5) / 20_000
    expected = source.log_probs(torch.arange(5).expand(20_000, -1))[0].exp().numpy()
    assert (np.abs(drawn - expected) <= 4 * np.sqrt(expected * (1 - expected) / 20_000)).all()
    assert draw(law(logits, options), [], SamplingOptions(temperature=0)) == [2]


def test_a_nucleus_wider_than_the_first_look() -> None:
    logits = torch.from_numpy(np.random.default_rng(2).normal(0, 0.1, (2, 6000)))
    for top_k in (None, 5000):
        options = SamplingOptions(top_p=0.9, top_k=top_k)
        out = law(logits, options).log_probs(torch.arange(6000).expand(2, -1)).exp().numpy()
        for row, scores in zip(out, logits.numpy(), strict=True):
            np.testing.assert_allclose(row, reference_law(scores, options), atol=1e-12)


@given(
    seed=st.integers(0, 1 << 32),
    size=st.sampled_from([1, 2, 7, 511, 512, 513, 700]),
    levels=st.integers(1, 40),
    top_p=st.floats(1e-6, 1, exclude_max=True),
)
def test_both_nuclei_agree_whatever_is_equally_likely(seed: int, size: int, levels: int, top_p: float) -> None:
    """torch's of the decode loop and numpy's of the samplers, on logits with few different values."""
    rng = np.random.default_rng(seed)
    logits = rng.choice(rng.normal(0, 2, levels), (3, size))
    whole = np.exp(log_law(logits, TargetLaw(), [0]))
    sums = np.cumsum(-np.sort(-whole, axis=1), axis=1)
    assume(np.abs(sums - top_p).min() > 1e-9)  # there rounding decides
    ours = log_law(logits, TargetLaw(top_p=top_p), [0])
    theirs = law(torch.from_numpy(logits), SamplingOptions(top_p=top_p)).log_probs(torch.arange(size).expand(3, -1))
    np.testing.assert_array_equal(np.isneginf(ours), np.isneginf(theirs.numpy()))
    np.testing.assert_allclose(np.exp(ours), theirs.exp().numpy(), atol=1e-12)
    for row, kept in zip(logits, ~np.isneginf(ours), strict=True):
        edge = row[kept].min()
        assert kept[row > edge].all() and not kept[row < edge].any()
        assert (np.diff(kept[row == edge].astype(int)) <= 0).all()  # of the last ones the lowest ids


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_a_draw_that_nobody_weighs_is_the_same_draw(dtype: torch.dtype, temperature: float) -> None:
    """Alone by blocks, else by the norm and the sum of all: the same numbers give the same tokens."""
    options = SamplingOptions(temperature=temperature)
    for seed, width in enumerate((3, 255, 256, 257, 1000)):
        logits = torch.randn(64, width, generator=torch.Generator().manual_seed(seed)).to(dtype) * 4
        logits[:, :: 1 + seed] = -torch.inf
        logits[:, -1] = 0.5
        some = [[torch.Generator().manual_seed(100 * seed + row) for row in range(64)] for _ in range(2)]
        expected = draw(law(logits.double(), options), some[0], options)
        assert draw_alone(logits, some[1], options) == expected
        assert all(float(logits[row, token]) > -torch.inf for row, token in enumerate(expected))
    with pytest.raises(ModelError, match="probability zero"):
        draw_alone(torch.full((1, 5), -torch.inf), some[0][:1], options)
