"""Searches with a scorer against exhaustive search and slow twins, on problems of which everything is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.errors import OptionError
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.models import TableModel
from structgen.samplers.run import METHODS, sample
from tests.api.engines import HashEngine
from tests.samplers.judges import dying, fixture, needs, random_problem, small_problem
from tests.search.judges import (
    check_all_of_it,
    check_astar,
    check_budget,
    check_lookahead,
    check_mcts,
    check_reranked,
    unbounded,
    weighed,
)
from tests.search.twins import exhaustive

SEARCHES = [name for name, home in METHODS.items() if home.startswith("structgen.search")]


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
@pytest.mark.parametrize("likelihood", [0.0, 1.0])
def test_astar_proves_the_best(name: str, likelihood: float) -> None:
    problem, _ = fixture(name)
    check_astar(problem, likelihood)
    check_astar(problem, likelihood, n=1, candidates=1, batch=3)


def test_astar_on_random_problems() -> None:
    for seed in range(8):
        problem = random_problem(np.random.default_rng(seed))
        check_astar(problem, 0.5, n=3, candidates=2)


def test_a_tight_bound_reads_less() -> None:
    """The scorer's own bound leads the search; one that says nothing reads whatever is likelier than the best."""
    problem, exact = fixture("T2")

    def closing(texts: Sequence[str]) -> list[float]:
        return [float(text.startswith("[")) for text in texts]

    closing.bound = lambda texts: [float(not text or text[0] == "[") for text in texts]  # type: ignore[attr-defined]
    tight = sample(problem, 1, "astar", scorer=closing)
    closing.bound = lambda texts: [1.0] * len(texts)  # type: ignore[attr-defined]
    loose = sample(problem, 1, "astar", scorer=closing)
    assert tight.samples == loose.samples
    assert tight.proven == loose.proven == 1
    assert tight.stats.prefixes_scored < loose.stats.prefixes_scored < len(exact.log_future)


def test_astar_without_a_bound_proves_nothing_unless_it_saw_everything() -> None:
    problem, _ = fixture("T2")
    found = sample(problem, 1, "astar", scorer=unbounded)
    assert (found.status, found.score_rest, found.proven) == ("complete", None, 0)
    everything = sample(problem, 500, "astar", scorer=unbounded)
    assert (everything.status, everything.score_rest, everything.proven) == ("complete", -np.inf, len(everything))
    assert everything.note.startswith(f"there are only {len(everything)} outputs")
    truth = exhaustive(problem, weighed)
    np.testing.assert_allclose([s.score for s in everything.samples], [value for value, _, _ in truth])


def test_a_limit_leaves_the_best_met_and_a_certain_bound() -> None:
    problem, _ = fixture("T2")
    truth = exhaustive(problem, weighed)
    short = sample(problem, 2, "astar", scorer=weighed, limit=60)
    assert (short.status, short.stats.attempts) == ("budget", 60)
    assert short.score_rest is not None and short.score_rest >= truth[0][0]
    assert "the limit" in short.note


@pytest.mark.parametrize("name", ["T1", "T2", "T3"])
@pytest.mark.parametrize("likelihood", [0.0, 1.0])
def test_lookahead_is_the_slow_one(name: str, likelihood: float) -> None:
    for candidates, length in ((2, 0), (2, 2), (9, 99)):
        check_lookahead(fixture(name)[0], candidates, length, likelihood)


def test_a_beam_that_keeps_everything_is_exact() -> None:
    for name in ("T1", "T3"):
        problem, _ = fixture(name)
        found = sample(problem, 4, "lookahead", scorer=unbounded, width=1000, candidates=99, length=1)
        best = [value for value, _, _ in exhaustive(problem, weighed)[:4]]
        np.testing.assert_allclose([s.score for s in found.samples], best)
        assert (found.target, found.exact, found.score_rest, found.log_evidence) == ("argmax", False, None, None)


def test_a_search_is_never_worse_than_its_first_rollout() -> None:
    problem, _ = fixture("T2")
    plain = sample(problem, 1, "lookahead", scorer=unbounded, candidates=1, length=0)  # greedy
    for method, options in (("lookahead", {"length": 99}), ("mcts", {})):
        assert sample(problem, 1, method, scorer=unbounded, **options).samples[0].score >= plain.samples[0].score


@pytest.mark.parametrize("name", ["T1", "T2", "T3"])
def test_mcts_is_the_slow_one(name: str) -> None:
    check_mcts(fixture(name)[0], 40)
    check_mcts(fixture(name)[0], 25, c=0.3, base=2.0)


def test_mcts_ends_with_everything_there_is() -> None:
    for name in ("T1", "T3"):
        check_all_of_it(fixture(name)[0])


def test_batches_of_rollouts_spread_and_draws_repeat() -> None:
    problem, _ = fixture("T2")
    one = sample(problem, 1, "mcts", scorer=unbounded, rollouts=60, batch=1)
    many = sample(problem, 1, "mcts", scorer=unbounded, rollouts=60, batch=8)
    assert one.stats.attempts == many.stats.attempts == 60
    assert abs(int(one.note.split()[2]) - int(many.note.split()[2])) < 20
    ask = {"scorer": unbounded, "sampled": True, "rollouts": 6}
    drawn = [sample(problem, 3, "mcts", seed=seed, **ask).samples for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("method", ["lookahead", "mcts", "astar"])
def test_a_ceiling_that_is_reached_ends_the_search(method: str) -> None:
    """What the bound says of the empty text cannot be exceeded."""
    problem, exact = fixture("T2")

    def passes(texts: Sequence[str]) -> list[bool]:
        return ["x" in text for text in texts]

    passes.bound = lambda texts: [1] * len(texts)  # type: ignore[attr-defined]
    found = sample(problem, 2, method, scorer=passes)
    assert (found.status, found.proven, [s.score for s in found.samples]) == ("complete", 2, [1.0, 1.0])
    assert found.stats.prefixes_scored < len(exact.log_future) / 3


@pytest.mark.parametrize("name", ["T1", "T2", "T3"])
def test_reranking_is_the_slow_one(name: str) -> None:
    for threshold, trials, length in ((0.0, 9, 3), (0.5, 2, 0), (0.3, 3, 99), (99.0, 4, 8)):
        check_reranked(fixture(name)[0], threshold, trials, length)


def test_cautious_trials_grow_with_the_entropy_of_what_is_allowed() -> None:
    """T4 allows two of three ways on: what the model thinks of the third is nothing to be uncertain about."""
    problem, _ = fixture("T4")
    entropy = -sum(q * np.log(q) for q in (0.4 / 0.65, 0.25 / 0.65))
    never = sample(problem, 3, "adaptive", low=entropy + 1e-9, high=9.0, seed=1)
    assert never.note == "looked ahead at 0 of 15 steps"
    always = sample(problem, 3, "adaptive", low=entropy - 1e-9, high=entropy - 1e-9, trials=2, length=1, seed=1)
    assert always.note == "looked ahead at 12 of 15 steps"  # the end is certain
    assert {len(s.token_ids) for s in always.samples} == {4}


def test_cautious_outputs_are_likelier_than_plain_ones() -> None:
    problem, exact = fixture("T2")
    plain = sample(problem, 60, "masked", seed=1).samples
    cautious = sample(problem, 60, "adaptive", trials=8, seed=1).samples
    assert {s.token_ids for s in cautious} <= set(exact.outputs)
    per_event = [float(np.mean([s.log_prob / (1 + len(s.token_ids)) for s in some])) for some in (plain, cautious)]
    assert per_event[1] > per_event[0] + 0.1
    assert cautious == sample(problem, 60, "adaptive", trials=8, seed=1).samples


def test_a_look_ends_behind_punctuation() -> None:
    vocabulary = sg.Vocabulary.from_bytes([b"a", b"b", b".", b""], eos=[3])
    constraint = sg.compile(regex=r"[ab]{2}\.[ab]{2}\.", vocabulary=vocabulary)
    model = TableModel(vocabulary, lambda u: np.zeros(4))
    found = sample(sg.Problem(model, constraint, 8), 1, "adaptive", low=0.1, high=0.1, trials=3)
    assert found.note == "looked ahead at 2 of 3 steps"  # up to each full stop, and then the end


def test_a_scorer_leads_where_the_model_is_uncertain() -> None:
    problem, _ = fixture("T2")
    led = sample(problem, 8, "adaptive", scorer=unbounded, seed=2).samples
    alone = sample(problem, 8, "adaptive", seed=2).samples
    assert np.mean([s.score for s in led]) > np.mean(weighed([s.text for s in alone]))
    assert alone[0].score is None


@pytest.mark.parametrize("method", ["lookahead", "mcts", "astar"])
def test_budgets_leave_what_was_met(method: str) -> None:
    check_budget(method, scorer=weighed if method == "astar" else unbounded)


def test_forbidden_outputs_and_dead_ends() -> None:
    """-inf forbids; a rollout that dies is no output."""
    problem = small_problem()

    def no_b(texts: Sequence[str]) -> list[float]:
        return [-np.inf if "b" in text else 0.0 for text in texts]

    for method in ("lookahead", "mcts", "astar"):
        found = sample(problem, 3, method, scorer=no_b)
        assert [s.text for s in found.samples] == ["a"], method
        assert {s.text for s in sample(dying(), 5, method, scorer=unbounded).samples} <= {"b", "bb"}
    assert {s.text for s in sample(dying(), 9, "adaptive", seed=1).samples} <= {"b", "bb"}
    assert len(enumerate_outputs(dying()).paths) == 2


def letters_e(texts: Sequence[str]) -> list[int]:
    return [text.count("e") for text in texts]


letters_e.bound = lambda texts: [2] * len(texts)  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", SEARCHES)
def test_generate_takes_them_by_name(method: str) -> None:
    ask = {"choices": ["red", "green", "blue"], "method": method, "max_tokens": 12, "seed": 1}
    scorer = letters_e if needs(method) else None
    found = sg.generate_result(HashEngine(), "The sky is blue.", scorer=scorer, **ask)
    assert found.samples.method == method
    assert found.value == "green" if needs(method) else found.value in ask["choices"]
    without = {} if needs(method) else {"n": 2, "method_options": {"style": "rerank"}}
    with pytest.raises(OptionError, match="needs scorer" if needs(method) else "n outputs"):
        sg.generate(HashEngine(), "?", **ask, **without)


def test_scorers_belong_to_searches() -> None:
    for method, said in (("masked", "a search is needed"), ("cars", "no option 'scorer'")):
        with pytest.raises(OptionError, match=said):
            sg.generate(HashEngine(), "?", choices=["a"], method=method, scorer=len)


@pytest.mark.parametrize(
    ("method", "options", "named"),
    [
        ("lookahead", {"candidates": 0}, "candidates"),
        ("lookahead", {"length": -1}, "length"),
        ("lookahead", {"width": 2}, "width"),
        ("lookahead", {"likelihood": np.nan}, "likelihood"),
        ("astar", {"limit": 0}, "limit"),
        ("astar", {"batch": True}, "batch"),
        ("mcts", {"rollouts": 0}, "rollouts"),
        ("mcts", {"c": -1}, "c must"),
        ("mcts", {"base": 0}, "base must"),
        ("adaptive", {"style": "bold"}, "style"),
        ("adaptive", {"low": 2.0}, "low"),
        ("adaptive", {"trials": 0}, "trials"),
        ("adaptive", {"length": 0}, "length"),
        ("adaptive", {"style": "rerank"}, "n outputs"),
    ],
)
def test_options_are_checked(method: str, options: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        sample(small_problem(), 3, method, **({} if method == "adaptive" else {"scorer": unbounded}) | options)


def test_text_is_what_the_vocabulary_says() -> None:
    """A character that is not whole yet is left out of what a scorer is given."""
    vocabulary = sg.Vocabulary.from_bytes([b"\xc3", b"\xa9", b"x", b""], eos=[3])
    constraint = sg.compile(choices=["éx", "x"], vocabulary=vocabulary)
    asked = set[str]()

    def note(texts: Sequence[str]) -> list[float]:
        asked.update(texts)
        return [len(text) for text in texts]

    problem = sg.Problem(TableModel(vocabulary, lambda u: np.zeros(4)), constraint, 5)
    found = sample(problem, 2, "astar", scorer=note)
    assert [s.text for s in found.samples] == ["éx", "x"]
    assert asked == {"", "é", "éx", "x"}
