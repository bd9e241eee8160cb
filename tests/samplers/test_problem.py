"""What a problem is made of: the law in float64, the allowed set under T, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import structgen as sg
from structgen.errors import BudgetTooSmall, LimitExceeded, ModelError, OptionError, VocabularyError
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.law import TargetLaw, log_law
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import METHODS, Budget, method_of, options_of, sample
from structgen.vocabulary import Vocabulary
from tests.samplers.judges import fixture, needs, small_problem


def test_a_wide_row_sums_to_one_whatever_the_float() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 152_000)) * 5
    for dtype in (np.float16, np.float32, np.float64):
        law = log_law(logits.astype(dtype), TargetLaw(), [7])
        assert np.abs(np.exp(law).sum(axis=1) - 1).max() < 1e-12


def test_masses_far_below_one_are_kept() -> None:
    logits = np.zeros((1, 3))
    logits[0, 0] = 690.0  # the others are 1e-300
    law = log_law(logits, TargetLaw(), [2])
    assert law[0, 1] == pytest.approx(-690.0)
    vocabulary = vocabulary_of("a", "b")
    problem = Problem(TableModel(vocabulary, lambda u: logits[0]), finite_language(vocabulary, ["b"]), 4)
    result = sample(problem, 3)
    assert result.log_evidence is not None
    assert result.log_evidence == pytest.approx(-1380.0, rel=1e-12)


def test_temperature_then_top_k_then_top_p() -> None:
    logits = np.log(np.array([[0.4, 0.3, 0.2, 0.1]]))
    np.testing.assert_allclose(np.exp(log_law(logits, TargetLaw(top_k=2), [3]))[0], [4 / 7, 3 / 7, 0, 0])
    np.testing.assert_allclose(np.exp(log_law(logits, TargetLaw(top_p=0.5), [3]))[0], [4 / 7, 3 / 7, 0, 0])
    np.testing.assert_allclose(np.exp(log_law(logits, TargetLaw(top_p=0.39), [3]))[0], [1, 0, 0, 0])
    squares = np.array([16, 9, 4, 1]) / 30
    np.testing.assert_allclose(np.exp(log_law(logits, TargetLaw(temperature=0.5), [3]))[0], squares)
    np.testing.assert_allclose(
        np.exp(log_law(logits, TargetLaw(temperature=0.5, top_p=0.54), [3]))[0], [16 / 25, 9 / 25, 0, 0]
    )


def test_stop_tokens_are_one_event() -> None:
    vocabulary = Vocabulary.from_bytes([b"a", b"", b""], eos=[1, 2])
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.5, 0.2, 0.3])))
    problem = Problem(model, finite_language(vocabulary, ["", "a"]), 4)
    exact = enumerate_outputs(problem)
    assert dict(zip(exact.outputs, np.exp(exact.log_prob), strict=True)) == pytest.approx({(): 0.5, (0,): 0.25})


def test_a_stop_token_that_the_grammar_asks_for_by_name_is_refused() -> None:
    vocabulary = Vocabulary.from_bytes([b"a", b"", b""], eos=[1, 2], names={"<end>": 2})
    constraint = sg.compile(gbnf='root ::= "a" <end>', vocabulary=vocabulary)
    with pytest.raises(OptionError, match="<end>"):
        Problem(TableModel(vocabulary, lambda u: np.zeros(3)), constraint, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_unusable_logits_are_a_model_error(bad: float) -> None:
    vocabulary = vocabulary_of("a")
    problem = Problem(TableModel(vocabulary, lambda u: np.array([bad, 0.0])), finite_language(vocabulary, ["a"]), 3)
    for method in METHODS:
        with pytest.raises(ModelError):
            sample(problem, 1, method, **needs(method))


def test_the_output_ends_within_t() -> None:
    """Strings that need more than T tokens have probability zero; only bottom may come last."""
    full, cut = enumerate_outputs(small_problem(4)), enumerate_outputs(small_problem(3))
    kept = {w: p for w, p in zip(full.outputs, full.log_prob, strict=True) if len(w) < 3}
    assert dict(zip(cut.outputs, cut.log_prob, strict=True)) == pytest.approx(kept)
    assert len(full.outputs) > len(kept)


def test_what_cannot_be_sampled_is_refused() -> None:
    problem, _ = fixture("T1")
    with pytest.raises(BudgetTooSmall) as too_small:
        Problem(problem.model, problem.constraint, 5)
    assert (too_small.value.needed, too_small.value.budget) == (6, 5)
    with pytest.raises(OptionError, match="temperature"):
        Problem(problem.model, problem.constraint, 6, temperature=0)
    with pytest.raises(OptionError, match="max_tokens"):
        Problem(problem.model, problem.constraint, 0)
    with pytest.raises(VocabularyError):
        Problem(TableModel(vocabulary_of("x", "y"), {}), problem.constraint, 6)
    with pytest.raises(LimitExceeded):
        enumerate_outputs(problem, limit=3)


def test_methods_and_options_are_checked_by_name() -> None:
    problem, _ = fixture("T1")
    with pytest.raises(OptionError, match="did you mean 'masked'"):
        sample(problem, 1, "maksed")
    with pytest.raises(OptionError, match="no option 'temperature'"):
        sample(problem, 1, "masked", temperature=1)
    for n in (0, -1, 1.5, True):
        with pytest.raises(OptionError, match="n must"):
            sample(problem, n)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="seed"):
        sample(problem, 1, seed=-1)
    with pytest.raises(OptionError, match="seconds"):
        Budget(seconds=0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_is(name: str) -> None:
    assert (method_of(name).__doc__ or "").strip()
    assert isinstance(options_of(name), tuple)


@pytest.mark.parametrize("name", METHODS)
def test_no_possible_output_is_a_status_never_a_sample(name: str) -> None:
    """The law cuts away what the constraint needs: Z = 0."""
    vocabulary = vocabulary_of("a", "b")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.7, 0.2, 0.1])))
    problem = Problem(model, finite_language(vocabulary, ["ab", "bb"]), 4, top_k=1)
    result = sample(problem, 4, name, budget=Budget(attempts=500, seconds=20), **needs(name))
    assert result.status in ("empty", "degenerate", "budget")
    assert not any(s.log_weight > -np.inf for s in result.samples)
    assert not result.exact or not result.samples


def test_the_result_records_the_law_and_goes_to_json() -> None:
    problem, exact = fixture("T3")
    result = sample(problem, 5, "enumeration")
    assert result.law.max_tokens == 7
    assert result.law.order == "transform, then constrain"
    data = json.loads(result.to_json())
    assert data["law"]["measure"] == "token sequences"
    assert data["samples"][0]["log_weight"] == 0
    assert result.log_evidence == pytest.approx(exact.log_evidence)


def test_problems_are_told_apart() -> None:
    problem, _ = fixture("T3")
    same = Problem(problem.model, problem.constraint, 7)
    others = [
        Problem(problem.model, problem.constraint, 6),
        Problem(problem.model, problem.constraint, 7, temperature=0.9),
        Problem(problem.model, problem.constraint, 7, prompt=[1]),
        Problem(TableModel.sine(problem.vocabulary, 1.0), problem.constraint, 7),
    ]
    assert same.fingerprint == problem.fingerprint
    assert len({problem.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_tables_without_a_name_are_models_of_their_own() -> None:
    vocabulary = vocabulary_of("a")
    one, other = (TableModel(vocabulary, lambda u: np.zeros(2)) for _ in range(2))
    assert one.fingerprint != other.fingerprint
    assert TableModel.sine(vocabulary, 1.0).fingerprint == TableModel.sine(vocabulary, 1.0).fingerprint
