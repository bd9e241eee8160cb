"""Any denoiser ends in a valid text, in one step and in many."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

import structgen as sg
from benchmarks.denoisers import DENOISERS, MASK, PAD, STOP, constraint, is_valid
from structgen.errors import ModelError, OptionError, Unsatisfiable
from structgen.infilling.canvas import Canvas
from structgen.infilling.denoise import Denoised, Order, denoise
from structgen.protocols import Chooser
from structgen.samplers.choosers import every_outcome
from tests.infilling.test_canvas import LETTERS


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("steps", [1, 5, 28])
@pytest.mark.parametrize("how", [{}, {"order": "entropy"}, {"order": "left", "block": 9}, {"commit": "best"}])
def test_every_denoiser_ends_valid(name: str, steps: int, how: dict[str, Any]) -> None:
    for seed in range(3):
        canvas = Canvas(constraint(), 28, pad_ids=PAD)
        result = denoise(DENOISERS[name], canvas, mask_id=MASK, steps=steps, seed=seed, **how)
        assert is_valid(list(result.tokens))
        assert len(result.steps) == max(steps, 4 if "block" in how else 1)
        assert sorted(slot for step in result.steps for slot in step.committed) == list(range(28))
        assert canvas.text() == result.text


def test_what_is_fixed_stays_and_the_model_sees_it() -> None:
    seen = list[np.ndarray[Any, Any]]()

    def model(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.append(ids.copy())
        return np.zeros((*ids.shape, LETTERS.size))

    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="(ab)*"), 4)
    canvas.fix(1, 2)
    result = denoise(model, canvas, mask_id=5, steps=3, prompt=[1, 1], order="random")
    assert seen[0].tolist() == [[1, 1, 5, 2, 5, 5]]
    assert result.tokens[:2] == (1, 2)
    assert [len(step.committed) for step in result.steps] == [1, 1, 1]
    assert all(step.tokens[1] == 2 for step in result.steps)
    fixed_before = [(ids[0, 2:] != 5).sum() for ids in seen]
    assert fixed_before == [1, 2, 3]


def test_shifted_logits_are_those_before_each_slot() -> None:
    def model(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The logits at a place say what stands behind it: b, then stop tokens, for a canvas behind two tokens."""
        logits = np.zeros((*ids.shape, LETTERS.size))
        logits[0, 1, 2] = logits[0, 2, 0] = logits[0, 0, 1] = 9.0
        return logits

    constraint = sg.compile(vocabulary=LETTERS, regex="a|b")
    shifted = denoise(model, Canvas(constraint, 2), mask_id=5, steps=1, prompt=[1, 1], shifted=True, commit="best")
    assert shifted.text == "b"
    with pytest.raises(OptionError, match="prompt"):
        denoise(model, Canvas(constraint, 2), mask_id=5, steps=1, shifted=True)


def test_joint_draws_have_the_law_of_the_model_given_validity() -> None:
    """One step of independent slots: 'ab' against 'ba' by their products."""
    logits = np.log(np.array([[0.1, 0.6, 0.3, 1e-9, 1e-9, 1e-9], [0.1, 0.3, 0.6, 1e-9, 1e-9, 1e-9]]))
    constraint = sg.compile(vocabulary=LETTERS, regex="ab|ba")
    texts = [
        denoise(lambda ids: logits[None], Canvas(constraint, 2), mask_id=5, steps=1, seed=seed).text
        for seed in range(400)
    ]
    expected = 0.36 / (0.36 + 0.09)
    assert abs(texts.count("ab") / 400 - expected) < 4 * (expected * (1 - expected) / 400) ** 0.5


def test_wrong_options_and_models_are_refused() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="ab"), 2)
    model = DENOISERS["uniform"]
    for wrong in ({"order": "best"}, {"commit": "all"}, {"steps": 0}, {"block": 0}, {"temperature": 0}):
        with pytest.raises(OptionError):
            denoise(model, canvas, **{"mask_id": 5, "steps": 1, **wrong})
    with pytest.raises(ModelError, match="shape"):
        denoise(lambda ids: np.zeros((1, 2)), canvas, mask_id=5, steps=1)
    with pytest.raises(ModelError, match="NaN"):
        denoise(lambda ids: np.full((1, 2, 6), np.nan), canvas, mask_id=5, steps=1)
    canvas.fix(0, STOP + 1)
    with pytest.raises(Unsatisfiable):
        denoise(lambda ids: np.zeros((1, 2, 6)), canvas, mask_id=5, steps=1)


@pytest.mark.parametrize(("order", "steps", "temperature"), [("left", 2, 1.0), ("left", 3, 0.7), ("random", 2, 1.0)])
@pytest.mark.parametrize("source", [{"regex": "(ab)*|ba*|aab"}, {"gbnf": 'root ::= "a" root? "b" | "b"'}])
def test_weights_make_runs_those_of_the_model(
    source: dict[str, str], order: Order, steps: int, temperature: float
) -> None:
    """Every run with its probability, times its weight: what the model alone writes where that is valid."""
    letters = sg.Vocabulary.from_bytes([b"", b"a", b"b"], eos=0)
    constraint, found = sg.compile(vocabulary=letters, **source), defaultdict[tuple[int, ...], float](float)

    def model(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.random.default_rng([*ids[0]]).normal(size=(*ids.shape, 3))

    def run(chooser: Chooser) -> Denoised:
        asked: dict[str, Any] = {"order": order, "temperature": temperature, "weighted": True, "seed": chooser}
        return denoise(model, Canvas(constraint, 3), mask_id=7, steps=steps, **asked)

    for chance, result in every_outcome(run):
        assert result.account is not None and result.account.log_q is not None
        assert result.account.log_prob == pytest.approx(result.account.log_q + result.account.log_weight, abs=1e-12)
        found[result.tokens] += chance * np.exp(result.account.log_weight)
    orders = list(itertools.permutations(range(3))) if order == "random" else [(0, 1, 2)]
    for fill in itertools.product(range(3), repeat=3):
        alone = 0.0
        for own in orders:
            ids, log_prob = np.full(3, 7), 0.0
            for slots in map(list, np.array_split(own, steps)):
                scores = model(ids[None])[0] / temperature
                log_prob += (scores - np.logaddexp.reduce(scores, axis=1)[:, None])[slots, np.array(fill)[slots]].sum()
                ids[slots] = np.array(fill)[slots]
            alone += np.exp(log_prob) / len(orders)
        text = letters.decode([token for token in fill if token])
        valid = constraint.accepts(text) and list(fill) == [t for t in fill if t] + [0] * fill.count(0)
        assert found.pop(fill, 0.0) == pytest.approx(alone if valid else 0.0, abs=1e-12)
    assert not found


def test_runs_whose_order_depends_on_draws_are_not_weighed() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="(ab)*"), 4)
    for how in ({}, {"order": "left", "commit": "best"}):
        with pytest.raises(OptionError, match="weighed"):
            denoise(DENOISERS["uniform"], canvas, mask_id=5, steps=2, weighted=True, **how)  # type: ignore[arg-type]
