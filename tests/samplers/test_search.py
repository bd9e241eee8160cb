"""Beam and best-first search against enumeration: what is proven is true, what is not is not claimed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers import best_first as best_first_module
from structgen.samplers.exact import Exact, enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Budget, sample
from tests.samplers.judges import fixture, random_problem, small_problem
from tests.samplers.test_constraints import LooseConstraint


def check_search(problem: Problem, exact: Exact, found: SampleSet, n: int, *, all_proven: bool = True) -> None:
    """Different outputs in order with their true log p; as many as are said to be proven are the likeliest."""
    log_prob = dict(zip(exact.outputs, exact.log_prob, strict=True))
    assert (found.exact, found.target, found.log_evidence) == (False, "argmax", None)
    assert len({s.token_ids for s in found.samples}) == len(found)
    mine = np.array([s.log_prob for s in found.samples])
    np.testing.assert_allclose(mine, [log_prob[s.token_ids] for s in found.samples], atol=1e-9)
    assert (np.diff(mine) <= 1e-12).all()
    best = np.sort(exact.log_prob)[::-1][:n]
    np.testing.assert_allclose(mine[: found.proven], best[: found.proven], atol=1e-9)
    others = [p for w, p in log_prob.items() if w not in {s.token_ids for s in found.samples}]
    if found.log_rest is not None:
        assert max(others, default=-np.inf) <= found.log_rest + 1e-9
    if all_proven:
        assert len(found) == found.proven == len(best)


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
@pytest.mark.parametrize("n", [1, 5, 400])
def test_best_first_finds_the_likeliest(name: str, n: int) -> None:
    problem, exact = fixture(name)
    for batch in (1, 7):
        found = sample(problem, n, "best_first", batch=batch)
        check_search(problem, exact, found, n)
        assert found.status == "complete"
        assert found.note == (f"there are only {len(exact.paths)} outputs" if n == 400 else "")
        assert found.stats.prefixes_scored <= len(exact.log_future)
    if n == 1 and name in ("T2", "T3"):  # the others are full of ties
        assert sample(problem, 1, "best_first").stats.prefixes_scored < len(exact.log_future) / 2


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
def test_beams_of_every_width(name: str) -> None:
    problem, exact = fixture(name)
    for n in (1, 3):
        check_search(problem, exact, sample(problem, n, "beam", width=1000), n)
        for width in (n, 4, 20):
            found = sample(problem, n, "beam", width=width)
            check_search(problem, exact, found, n, all_proven=False)
    whole = sample(problem, 400, "beam", width=1000)
    check_search(problem, exact, whole, 400)
    assert (whole.status, whole.note) == ("complete", f"there are only {len(exact.paths)} outputs")
    assert whole.log_rest == -np.inf


def test_random_problems() -> None:
    for seed in range(25):
        problem = random_problem(np.random.default_rng(seed))
        exact = enumerate_outputs(problem)
        for n in (1, 4):
            check_search(problem, exact, sample(problem, n, "best_first"), n)
            check_search(problem, exact, sample(problem, n, "beam", width=4), n, all_proven=False)
            check_search(problem, exact, sample(problem, n, "beam", width=500), n)


def test_the_beam_looks_for_the_mode_of_the_target_not_of_masking() -> None:
    problem, exact = fixture("T1")
    assert sample(problem, 1, "beam").samples[0].data != b"00000"  # what masking says nine times in ten
    assert exact.outputs[int(np.argmax(exact.masked))] == (0,) * 5


def test_rows_longer_than_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events beyond those kept are read again when their turn comes."""
    monkeypatch.setattr(best_first_module, "KEPT", 1)
    for name in ("T1", "T2", "T3"):
        problem, exact = fixture(name)
        for n in (1, 10, 400):
            for batch in (1, 3):
                check_search(problem, exact, sample(problem, n, "best_first", batch=batch), n)


def test_a_mask_with_dead_ends() -> None:
    vocabulary = vocabulary_of("a", "b")
    constraint = LooseConstraint(vocabulary, ["a", "ab", "bab", "aa", "bb", "aba"], ["a", "ab", "bab"])
    problem = Problem(TableModel.sine(vocabulary, 1.5), constraint, 4)
    exact = enumerate_outputs(problem)
    check_search(problem, exact, sample(problem, 9, "best_first"), 9)
    check_search(problem, exact, sample(problem, 9, "beam", width=20), 9)


def test_groups_find_different_outputs() -> None:
    """Two letters out of four, one of them likely: plain beams begin alike, groups do not."""
    vocabulary = vocabulary_of("a", "b", "c", "d")
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0.7, 0.15, 0.1, 0.05, 0], [0.4, 0.3, 0.2, 0.1, 0], [0, 0, 0, 0, 1]]))
    model = TableModel(vocabulary, lambda u: rows[len(u)])
    texts = ["".join(pair) for pair in itertools.product("abcd", repeat=2)]
    problem = Problem(model, finite_language(vocabulary, texts), 3)
    exact = enumerate_outputs(problem)
    plain = sample(problem, 4, "beam", width=4)
    assert {s.data[:1] for s in plain.samples} == {b"a"}
    diverse = sample(problem, 4, "beam", width=4, groups=4, diversity=6.0)
    check_search(problem, exact, diverse, 4, all_proven=False)
    assert {s.data[:1] for s in diverse.samples} == {b"a", b"b", b"c", b"d"}
    assert len({s.data[1:] for s in diverse.samples}) == 4
    assert (diverse.log_rest, diverse.proven) == (None, 0)
    same = sample(problem, 1, "beam", width=8, groups=4, diversity=0.0)  # equal groups: a beam of a quarter the width
    assert same.samples == sample(problem, 1, "beam", width=2).samples


def test_budgets_and_limits_leave_true_bounds() -> None:
    problem, exact = fixture("T2")
    for budget in (1, 5, 20, 60):
        for method in ("best_first", "beam"):
            found = sample(problem, 5, method, budget=Budget(prefixes_scored=budget))
            check_search(problem, exact, found, 5, all_proven=False)
            if found.status == "budget":
                assert found.stats.prefixes_scored <= budget + 8
            else:
                assert len(found) == 5
    short = sample(problem, 50, "best_first", limit=40)
    assert (short.status, short.note) == ("budget", "the limit of prefixes was reached")
    check_search(problem, exact, short, 50, all_proven=False)
    assert sample(problem, 5, "best_first", budget=Budget(prefixes_scored=20)).note == "the budget was spent"


def test_what_a_narrow_beam_loses_it_does_not_claim() -> None:
    """The likelier first token ends in a dead end: a beam of one finds nothing, and says no more than that."""
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0.6, 0.4, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    model = TableModel(vocabulary, lambda u: rows[0 if not u else 1 + u[0]])
    problem = Problem(model, finite_language(vocabulary, ["ab", "b"]), 4)
    lost = sample(problem, 1, "beam", width=1)
    assert (lost.status, len(lost), lost.note) == ("degenerate", 0, "the beam has met 0 outputs")
    assert lost.log_rest == pytest.approx(np.log(0.4))
    assert [s.data for s in sample(problem, 1, "beam", width=2).samples] == [b"b"]
    assert [s.data for s in sample(problem, 1, "best_first").samples] == [b"b"]


def test_nothing_to_find() -> None:
    vocabulary = vocabulary_of("a", "b")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.7, 0.2, 0.1])))
    problem = Problem(model, finite_language(vocabulary, ["ab", "bb"]), 4, top_k=1)
    for method in ("beam", "best_first"):
        none = sample(problem, 2, method)
        assert (none.status, len(none), none.log_rest) == ("empty", 0, -np.inf)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("beam", {"width": 2}),
        ("beam", {"groups": 0}),
        ("beam", {"width": 8, "groups": 3}),
        ("beam", {"diversity": -1}),
        ("beam", {"diversity": np.nan}),
        ("best_first", {"limit": 0}),
        ("best_first", {"batch": 0}),
    ],
)
def test_options_are_checked(method: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(reversed(options))):
        sample(small_problem(), 3, method, **options)
