"""The law of a canvas against every fill with its exact probability."""

from __future__ import annotations

import numpy as np
import pytest

import structgen as sg
from structgen.errors import ModelError
from structgen.infilling.canvas import Canvas
from structgen.samplers.choosers import RandomChooser
from tests.infilling.judges import check_law
from tests.infilling.test_canvas import LETTERS


def test_laws_are_those_of_all_fills() -> None:
    seen = [check_law(seed) for seed in range(5000, 5080)]
    assert sum(seen) > 40


@pytest.mark.slow
def test_laws_are_those_of_all_fills_at_length() -> None:
    assert sum(check_law(seed) for seed in range(6000, 9000)) > 1500


def test_float32_scores_and_rows_longer_than_the_vocabulary() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="(ab)*"), 3)
    scores = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    scores[:, 6:] = 50.0  # padding of the model's own, which is no token
    law = canvas.law(scores)
    assert law.marginals().dtype == np.float32
    assert law.marginals().shape == (3, 6)
    assert np.allclose(law.marginals(), canvas.law(scores[:, :6].astype(np.float64)).marginals(), atol=1e-6)
    assert law.log_z == pytest.approx(canvas.law(scores[:, :6].astype(np.float64)).log_z, abs=1e-5)


def test_ways_that_lead_to_no_end_do_not_count() -> None:
    """Of nine fills two are texts; "bb" begins a third one, and b may stand in either slot."""
    letters = sg.Vocabulary.from_bytes([b"", b"a", b"b"], eos=0)
    law = Canvas(sg.compile(vocabulary=letters, regex="ab|ba|bbb"), 2).law(np.zeros((2, 3)))
    assert law.log_z == pytest.approx(np.log(2 / 9), abs=1e-12)


def test_a_law_is_of_the_canvas_as_it_was() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="(ab)*"), 3)
    law = canvas.law(np.zeros((3, 6)))
    canvas.fix(0, 1)
    canvas.feasible()
    assert law.log_z == Canvas(canvas.constraint, 3).law(np.zeros((3, 6))).log_z


def test_a_model_that_denies_every_text_gives_the_law_of_the_limit() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="ab"), 2)
    scores = np.full((2, 6), -np.inf)
    scores[:, 4] = 0.0  # "ba" and nothing else
    law = canvas.law(scores)
    assert law.log_z == -np.inf
    assert law.sample(RandomChooser(0)).tolist() in ([1, 2], [3, 0])
    assert np.allclose(law.marginals()[0, [1, 3]], 0.5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nan_and_infinity_are_errors_of_the_model(wrong: float) -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="ab"), 2)
    scores = np.zeros((2, 6))
    scores[1, 3] = wrong
    with pytest.raises(ModelError, match="slot 1"):
        canvas.law(scores)
    with pytest.raises(ModelError, match="shape"):
        canvas.law(np.zeros((2, 5)))
