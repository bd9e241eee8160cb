"""The examples of `structgen.protocols` are what they say: run as they stand, and taken by the samplers."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

from structgen import protocols
from structgen.bits import row_of
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """Everything the examples define; each must run without a failure. What has laws is in test_laws.py instead."""
    known: dict[str, Any] = {"np": np, "row_of": row_of, "Encoder": protocols.Encoder}
    runner, finder = doctest.DocTestRunner(), doctest.DocTestFinder()
    for name in ("SequenceMatcher", "SequenceConstraint", "TokenModel", "TreeModel", "Encoder", "Chooser"):
        found = finder.find(getattr(protocols, name), name, globs={})
        test = next(test for test in found if test.name == name)
        assert test.examples, f"{name} shows no example"
        test.globs = known
        assert runner.run(test, clear_globs=False).failed == 0, name
    return known


def test_a_problem_takes_the_examples(examples: dict[str, Any]) -> None:
    vocabulary = vocabulary_of("a", "b")
    exact = enumerate_outputs(Problem(examples["Uniform"](vocabulary), examples["Short"](vocabulary), 4))
    assert len(exact.outputs) == 1 + 2 + 4 + 8
    np.testing.assert_allclose(np.exp(exact.log_evidence), 1 / 3 + 2 / 9 + 4 / 27 + 8 / 81)


def test_a_tree_of_tokens_is_read_like_its_paths(examples: dict[str, Any]) -> None:
    model = TableModel.sine(vocabulary_of("a", "b"), 1.0)
    rows = examples["ByPrefixes"](model, (1,)).forward([0, 1, 0, 1], [-1, 0, 0, 1])
    np.testing.assert_array_equal(rows, model.logits([(1, 0), (1, 0, 1), (1, 0, 0), (1, 0, 1, 1)]))


def test_a_chooser_of_ones_own_draws(examples: dict[str, Any]) -> None:
    vocabulary = vocabulary_of("a", "b")
    problem = Problem(TableModel.sine(vocabulary, 2.0), finite_language(vocabulary, ["a", "ab", "bb"]), 4)
    for method in ("masked", "smc", "enumeration"):
        drawn = sample(problem, 3, method, seed=examples["Likeliest"]())
        assert len({s.token_ids for s in drawn.samples}) == 1


def test_an_encoder_is_known_by_its_method(examples: dict[str, Any]) -> None:
    assert not isinstance(TableModel.sine(vocabulary_of("a"), 1.0), protocols.Encoder)
    spelling = TableModel(vocabulary_of("a"), lambda u: np.zeros(2), encode=examples["Letters"]().tokens_of)
    assert isinstance(spelling, protocols.Encoder) and spelling.tokens_of("ab") == [0, 1]
