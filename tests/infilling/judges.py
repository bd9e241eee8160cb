"""What judges canvases: every fill of small ones, enumerated."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from benchmarks.canvas_check import Case, random_case, random_changes, wrong_bits
from structgen.errors import Unsatisfiable, UnsupportedCombination
from structgen.infilling.law import CanvasLaw
from structgen.samplers.choosers import every_outcome

FEW = 60  # fills of which every draw is enumerated


def check_masks(seeds: range, steps: int) -> None:
    """Masks and feasibility are those of the fills, after every change."""
    for seed in seeds:
        wrong, _ = wrong_bits(seed, steps)
        assert wrong == 0, f"seed {seed}: {wrong} wrong bits"


def random_scores(chance: random.Random, slots: int, size: int) -> NDArray[np.float64]:
    """Logits, sometimes sharp, sometimes with tokens of probability zero."""
    rng = np.random.default_rng(chance.randrange(1 << 30))
    scores = rng.normal(size=(slots, size)) * chance.choice([1, 1, 30])
    if chance.random() < 0.3:
        scores[rng.random(scores.shape) < 0.3] = -np.inf
    return scores


REGULAR, NESTED = (5, 2, 0), (0, 0, 1)


def check_law(seed: int, kinds: tuple[int, int, int] = REGULAR) -> bool:
    """log Z, the likeliest fill, marginals and every draw are those of the enumerated fills; whether there were any,
    and a law of them."""
    case, chance = random_case(seed, kinds), random.Random(seed + 1)
    size = case.canvas.constraint.vocabulary.size
    fills = [case.fills, *random_changes(case, chance, chance.randint(0, 4))][-1]
    scores = random_scores(chance, case.canvas.slots, size)
    try:
        law = case.canvas.law(scores)
    except Unsatisfiable:
        assert not len(fills)
        return False
    except UnsupportedCombination:
        assert kinds == NESTED
        return False
    _compare(case, fills, scores, law)
    return True


def _compare(case: Case, fills: NDArray[np.int64], scores: NDArray[np.float64], law: CanvasLaw) -> None:
    free = [i for i, token in enumerate(case.canvas.tokens) if token is None]
    highest = scores.max(axis=1, keepdims=True)
    highest[highest == -np.inf] = 1e6
    floored = np.maximum(scores, highest - 1e6)
    weights = floored[free, fills[:, free]].sum(axis=1) if free else np.zeros(len(fills))
    norm = np.logaddexp.reduce(floored[free], axis=1).sum() if free else 0.0
    whole = float(np.logaddexp.reduce(weights))
    exact = 1e-9 if np.isinf(scores).any() else 1e-12  # numbers of a million round to 1e-10
    if whole - norm > -5e5:
        assert abs(law.log_z - (whole - norm)) <= exact * max(1.0, abs(whole))
    else:
        assert law.log_z == -np.inf
    best, log_probability = law.best()
    assert abs(log_probability - (weights.max() - whole)) <= exact * max(1.0, abs(whole))
    place = int(np.flatnonzero((fills == best).all(axis=1))[0])
    assert weights[place] >= weights.max() - exact * max(1.0, abs(whole))
    chances = np.exp(weights - whole)
    marginals = law.marginals()
    expected = np.zeros_like(marginals)
    for i in range(fills.shape[1]):
        np.add.at(expected[i], fills[:, i], chances)
    assert np.abs(marginals - expected).max() <= 10 * exact
    if len(fills) <= FEW:
        drawn: dict[tuple[int, ...], float] = defaultdict(float)
        for probability, tokens in every_outcome(lambda chooser: tuple(law.sample(chooser).tolist())):
            drawn[tokens] += probability
        for tokens, chance in zip(fills.tolist(), chances, strict=True):
            assert abs(drawn.pop(tuple(tokens), 0.0) - chance) <= 10 * exact
        assert not drawn
