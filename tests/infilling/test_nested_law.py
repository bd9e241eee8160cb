"""The law of texts that nest without bound: against every fill, against tables of states, and by formula."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

import structgen as sg
from structgen.errors import LimitExceeded, UnsupportedCombination
from structgen.infilling import nested_law
from structgen.infilling.canvas import Canvas
from structgen.infilling.law import CanvasLaw
from structgen.samplers.choosers import RandomChooser, every_outcome
from tests.infilling.judges import NESTED, check_law, random_scores
from tests.infilling.test_nested import BYTES, LETTERS

TWICE = 'root ::= "(" root* ")" | "a" rest\nrest ::= "a" rest | ""'  # in brackets "aa" is one or two
BRACKETS = sg.Vocabulary.from_bytes([b"", b"(", b")", b"a"], eos=0)


def test_laws_are_those_of_all_fills() -> None:
    assert sum(check_law(seed, NESTED) for seed in range(7000, 7025)) > 8


@pytest.mark.slow
def test_laws_are_those_of_all_fills_at_length() -> None:
    assert sum(check_law(seed, NESTED) for seed in range(8000, 12_000)) > 1200


@pytest.mark.parametrize("source", ['root ::= "(" root* ")" | "a"', 'root ::= "(" root ")" root | "a" | "(" ")"'])
def test_where_the_table_has_all_texts_its_law_is_the_same(source: str) -> None:
    """Six tokens of at most three bytes nest nine levels deep."""
    constraint = sg.compile(vocabulary=LETTERS, gbnf=source)
    exact, flat = Canvas(constraint, 6), Canvas(constraint, 6, depth=9)
    chance = random.Random(1)
    for slot in (2, 4, 0):
        scores = random_scores(chance, 6, LETTERS.size)
        law, expected = exact.law(scores), flat.law(scores)
        assert law.log_z == pytest.approx(expected.log_z, rel=1e-12, abs=1e-9)
        assert np.abs(law.marginals() - expected.marginals()).max() < 1e-9
        fill, log_probability = law.best()
        assert log_probability == pytest.approx(expected.best()[1], abs=1e-9)
        exact.fix(slot, fill[slot])
        flat.fix(slot, fill[slot])
    drawn = [_drawn(canvas.law(scores)) for canvas in (exact, flat)]
    assert drawn[0].keys() == drawn[1].keys()
    assert all(abs(chance - drawn[1][fill]) < 1e-9 for fill, chance in drawn[0].items())


def _drawn(law: CanvasLaw) -> dict[tuple[int, ...], float]:
    """The probability of each fill that is drawn."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for chance, fill in every_outcome(lambda chooser: tuple(law.sample(chooser).tolist())):
        found[fill] += chance
    return found


@pytest.mark.parametrize("sharpness", [1.0, 1000.0])
def test_nothing_vanishes_in_long_texts(sharpness: float) -> None:
    """In 100 slots a nest of k brackets is one text, and there are stop tokens behind it."""
    slots = 100
    canvas = Canvas(sg.compile(vocabulary=BRACKETS, gbnf='root ::= "(" root ")" | "a"'), slots)
    scores = np.random.default_rng(0).normal(size=(slots, 4)) * sharpness
    fills = np.array([[1] * k + [3] + [2] * k + [0] * (slots - 2 * k - 1) for k in range((slots + 1) // 2)])
    weights = scores[np.arange(slots), fills].sum(axis=1)
    law, whole = canvas.law(scores), np.logaddexp.reduce(weights)
    assert law.log_z == pytest.approx(whole - np.logaddexp.reduce(scores, axis=1).sum(), rel=1e-12)
    assert law.best()[0].tolist() == fills[weights.argmax()].tolist()
    assert law.best()[1] == pytest.approx(weights.max() - whole, abs=1e-9)
    expected = np.zeros((slots, 4))
    for fill, chance in zip(fills, np.exp(weights - whole), strict=True):
        expected[np.arange(slots), fill] += chance
    assert np.abs(law.marginals() - expected).max() < 1e-9
    assert law.sample(RandomChooser(0)).tolist() in fills.tolist()


def test_any_json_is_denoised_without_a_depth() -> None:
    constraint = sg.compile(vocabulary=BYTES, schema=True, style=sg.JsonStyle("compact", max_digits=3))
    canvas = Canvas(constraint, 12)
    canvas.fix(3, BYTES.size - 4)  # "[[" once more

    def model(ids: NDArray[np.int64]) -> NDArray[np.float64]:
        scores = np.random.default_rng(int(ids.sum())).normal(size=(*ids.shape, BYTES.size))
        scores[..., 1 + ord("[")] += 4
        return scores

    found = sg.denoise(model, canvas, mask_id=0, steps=3)
    assert canvas.exact and constraint.accepts(found.text.encode())


@pytest.mark.parametrize(
    "source",
    [
        'root ::= "(" root ")" | "a" | "(" nest ")"\nnest ::= root | "a"',  # "(a)" is of either sort
        TWICE,
    ],
)
def test_a_text_that_might_be_read_in_two_ways_is_refused(source: str) -> None:
    constraint = sg.compile(vocabulary=BRACKETS, gbnf=source)
    with pytest.raises(UnsupportedCombination, match="two ways"):
        Canvas(constraint, 4).law(np.zeros((4, 4)))
    assert Canvas(constraint, 4, depth=4).law(np.zeros((4, 4))).log_z < 0


def test_what_is_decided_later_is_read_once() -> None:
    """Behind "a" it is open whether a call has begun: "=" or ";" tells."""
    tokens = sg.Vocabulary.from_bytes([b"", b"(", b")", b"a", b"=", b";"], eos=0)
    source = 'root ::= (call ";" | "a" "=" call ";")+\ncall ::= "a" | "(" call ")" | "(" root ")"'
    canvas = Canvas(sg.compile(vocabulary=tokens, gbnf=source), 6)
    flat = Canvas(canvas.constraint, 6, depth=6)
    scores = np.random.default_rng(0).normal(size=(6, 6))
    assert canvas.exact
    assert canvas.law(scores).log_z == pytest.approx(flat.law(scores).log_z, abs=1e-12)
    assert np.abs(canvas.marginals(scores) - flat.marginals(scores)).max() < 1e-12


def test_a_block_with_more_behind_it_asks_for_a_depth() -> None:
    constraint = sg.compile(vocabulary=BRACKETS, gbnf='root ::= "(" root ")" | "a"')
    block = Canvas(constraint, 2, later=3)
    with pytest.raises(UnsupportedCombination, match="depth=4"):
        block.law(np.zeros((2, 4)))
    block.fix(0, 1)
    block.fix(1, 1)
    scores = np.random.default_rng(0).normal(size=(3, 4))
    flat = Canvas(constraint, 2, later=3, depth=4)
    flat.fix(0, 1)
    flat.fix(1, 1)
    assert block.following(3).law(scores).log_z == pytest.approx(flat.following(3).law(scores).log_z, abs=1e-12)


def test_too_many_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = Canvas(sg.compile(vocabulary=BRACKETS, gbnf='root ::= "(" root ")" | "a"'), 40)
    monkeypatch.setattr(nested_law, "MOST_LAW_BYTES", 1 << 16)
    with pytest.raises(LimitExceeded, match="depth=4"):
        canvas.law(np.zeros((40, 4)))


def test_a_law_is_of_the_canvas_as_it_was() -> None:
    canvas = Canvas(sg.compile(vocabulary=BRACKETS, gbnf='root ::= "(" root ")" | "a"'), 5)
    law = canvas.law(np.zeros((5, 4)))
    canvas.fix(0, 3)
    canvas.feasible()
    assert law.log_z == pytest.approx(np.log(3) - 5 * np.log(4))


def test_the_table_of_a_grammar_with_rules_that_end_with_themselves_is_made() -> None:
    source = 'root ::= "(" root ")" | rest\nrest ::= "a" rest | "a"'
    constraint = sg.compile(vocabulary=BRACKETS, gbnf=source)
    scores = np.random.default_rng(0).normal(size=(5, 4))
    exact, flat = Canvas(constraint, 5), Canvas(constraint, 5, depth=4)
    assert exact.law(scores).log_z == pytest.approx(flat.law(scores).log_z, abs=1e-12)
