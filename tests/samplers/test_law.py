"""What top-k and top-p keep, beside a full sort; one choice among many, beside one cumulative sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from structgen.samplers import choosers, law
from structgen.samplers.choosers import RandomChooser
from structgen.samplers.law import TargetLaw, likeliest, log_law


def scores_of(rng: np.random.Generator, size: int, spread: float, levels: int | None, cut: float) -> np.ndarray:
    """Scores with ties where they have few levels, some of them -inf, some far below the last bin."""
    scores = rng.normal(size=size) * spread
    if levels is not None:
        scores = rng.choice(scores[:levels], size)
    scores[rng.random(size) < cut] = -np.inf
    scores[rng.integers(size)] = 1.0
    return scores


def by_sorting(scores: np.ndarray, amount: float, weights: np.ndarray) -> set[int]:
    order = sorted(range(scores.size), key=lambda i: (-scores[i], i))
    reached = np.cumsum(weights[order])
    assume(np.abs(reached - amount).min() > 1e-9 or (weights == 1).all())  # else rounding decides
    return set(order[: int(np.searchsorted(reached, amount)) + 1])


@given(
    seed=st.integers(0, 1 << 32),
    size=st.sampled_from([1, 2, 30, 700, 20_000]),
    spread=st.sampled_from([1e-3, 0.5, 5.0, 60.0]),
    levels=st.sampled_from([None, 1, 3, 40]),
    cut=st.sampled_from([0.0, 0.5]),
    top_p=st.floats(1e-6, 1, exclude_max=True),
    top_k=st.integers(1, 800),
)
def test_what_is_kept_is_what_a_full_sort_keeps(
    seed: int, size: int, spread: float, levels: int | None, cut: float, top_p: float, top_k: int
) -> None:
    scores = scores_of(np.random.default_rng(seed), size, spread, levels, cut)
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    inside, together = likeliest(scores, top_p, weights)
    assert set(np.flatnonzero(inside).tolist()) == by_sorting(scores, top_p, weights)
    assert together == pytest.approx(weights[inside].sum())
    top_k = min(top_k, size)
    assert set(np.flatnonzero(likeliest(scores, top_k)[0]).tolist()) == by_sorting(scores, top_k, np.ones(size))


def deep_cut() -> None:
    """The cut lies inside one bin of 20,000 tokens; a wide row has several chunks."""
    rng = np.random.default_rng(3)
    logits = np.concatenate([rng.normal(size=30_000) * 1e-3, rng.normal(size=30_000) * 1e-3 - 64])[None]
    kept = ~np.isneginf(log_law(logits, TargetLaw(top_p=0.25), [0])[0])
    probabilities = np.sort(np.exp(log_law(logits, TargetLaw(), [0])[0]))[::-1]
    assert kept.sum() == np.searchsorted(probabilities.cumsum(), 0.25) + 1
    assert logits[0, kept].min() > logits[0, ~kept].max()
    assert np.exp(log_law(logits, TargetLaw(top_p=0.25), [0])).sum() == pytest.approx(1, abs=1e-12)
    far = ~np.isneginf(log_law(logits, TargetLaw(top_k=40_000), [0])[0])  # what is in the last bin is sorted, too
    assert far.sum() == 40_000
    assert logits[0, far].min() > logits[0, ~far].max()


def unsorted_bin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(law.np, "argsort", lambda values, kind: np.arange(values.size))


def shallow(patch: pytest.MonkeyPatch) -> None:
    """The last bin wraps around instead of holding all that is further down."""
    patch.setattr(law, "_bins", lambda scores: ((scores.max() - scores) * 256).astype(np.int64) % (1 << 14))


def by_blocks() -> None:
    """Every uniform number reaches the place that one cumulative sum reaches."""
    rng = np.random.default_rng(4)
    for size in (1, 511, 512, 513, 5_000):
        weights = rng.exponential(size=size) * (rng.random(size) < 0.3)
        weights[size // 2] = 1.0
        with np.errstate(divide="ignore"):
            logs = np.log(weights)
        scaled = np.exp(logs - logs.max())
        cumulative, chooser = scaled.cumsum(), RandomChooser(0)
        for u in [0.0, *np.linspace(0.003, 0.997, 199), 1 - 2**-53]:

            class Fixed:
                def random(self, u: float = u) -> float:
                    return u

            chooser.generator = Fixed()  # type: ignore[assignment]
            place = chooser.choice(logs)
            assert weights[place] > 0
            below = cumulative[place - 1] if place else 0.0
            assert below - 1e-9 <= u * cumulative[-1] <= cumulative[place] + 1e-9


def blocks_from_their_start(patch: pytest.MonkeyPatch) -> None:
    """The block that is reached is entered with the whole sum."""
    choice = RandomChooser.choice

    def mutant(self: Any, log_weights: Any) -> int:
        weights = np.exp(log_weights - log_weights.max())
        reached = self.generator.random() * weights.sum()
        if weights.size <= choosers._BLOCK:
            return choice(self, log_weights)
        blocks = np.add.reduceat(weights, np.arange(0, weights.size, choosers._BLOCK)).cumsum()
        first = min(int(blocks.searchsorted(reached, side="right")), blocks.size - 1) * choosers._BLOCK
        inside = weights[first : first + choosers._BLOCK].cumsum()
        return first + min(int(inside.searchsorted(reached, side="right")), inside.size - 1)

    patch.setattr(RandomChooser, "choice", mutant)


@pytest.mark.parametrize(
    ("judge", "mutant"), [(deep_cut, unsorted_bin), (deep_cut, shallow), (by_blocks, blocks_from_their_start)]
)
def test_the_judges_catch_the_mutants(judge: Any, mutant: Any) -> None:
    judge()
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        with pytest.raises(AssertionError):
            judge()
