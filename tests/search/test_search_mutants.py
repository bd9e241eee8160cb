"""Mistakes that a search may make, made on purpose: the judge named with each passes without it and fails with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from structgen.errors import StructgenError
from structgen.samplers import masked
from structgen.search import adaptive, astar, frontier, lookahead, mcts, scorers
from tests.samplers.judges import fixture
from tests.search import test_scorers
from tests.search.judges import check_all_of_it, check_astar, check_lookahead, check_mcts, check_reranked

Patch = Callable[[pytest.MonkeyPatch], None]


def best_of_dyck() -> None:
    check_astar(fixture("T2")[0], 1.0, candidates=2)


def best_of_texts_with_many_spellings() -> None:
    check_astar(fixture("T3")[0])


def slow_lookahead() -> None:
    check_lookahead(fixture("T2")[0], 3, 2, 1.0)
    check_lookahead(fixture("T3")[0], 3, 1, 1.0)
    check_lookahead(fixture("T1")[0], 2, 2, 3.0)


def slow_mcts() -> None:
    check_mcts(fixture("T2")[0], 60)
    check_mcts(fixture("T3")[0], 40, c=0.3, base=2.0)


def everything() -> None:
    check_all_of_it(fixture("T3")[0])


def slow_rerank() -> None:
    for threshold, trials, length in ((0.0, 3, 99), (0.5, 9, 99), (0.6, 3, 1)):
        check_reranked(fixture("T2")[0], threshold, trials, length)


def wrong_length() -> None:
    test_scorers.test_a_wrong_scorer_ends_the_run("astar", test_scorers.too_few, "scores for")


def not_a_number() -> None:
    test_scorers.test_a_wrong_scorer_ends_the_run("mcts", test_scorers.nan_at_ab, "no score")


def rest_is_lost(patch: pytest.MonkeyPatch) -> None:
    """What is beyond the first candidates never comes back."""
    patch.setattr(astar.Queue, "extend", lambda self, place, row, most: frontier.ways_on(place.path, row, most))


def outputs_are_not_queued_by_their_value(patch: pytest.MonkeyPatch) -> None:
    """An output keeps the bound of its beginning."""
    put = astar.Queue.put

    def mutant(self: Any, path: Any, bound: float, first: int = 0, log_prob: Any = None) -> None:
        put(self, path, 99.0 if path.finish else bound, first, log_prob)

    patch.setattr(astar.Queue, "put", mutant)


def bound_without_the_likelihood(patch: pytest.MonkeyPatch) -> None:
    put = astar.Queue.put

    def mutant(self: Any, path: Any, bound: float, first: int = 0, log_prob: Any = None) -> None:
        self.search.likelihood, likelihood = (self.search.likelihood if path.finish else 9.0), self.search.likelihood
        put(self, path, bound, first, log_prob)
        self.search.likelihood = likelihood

    patch.setattr(astar.Queue, "put", mutant)


def equal_values_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """Of equal values the first met stays, not the likeliest."""

    def mutant(self: Any, path: Any, value: float) -> None:
        if path.prefix.tokens not in self._seen:
            self._seen.add(path.prefix.tokens)
            self.best.append((value, path))
            self.best.sort(key=lambda pair: -pair[0])
            del self.best[self.n :]

    patch.setattr(frontier.Search, "_offer", mutant)


def worst_rollout(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(frontier, "likeliest", lambda log_probs: int(np.argmin(log_probs)))


def rollouts_one_short(patch: pytest.MonkeyPatch) -> None:
    extend = masked.extend_paths
    patch.setattr(
        frontier, "extend_paths", lambda rows, paths, picks, most: extend(rows, paths, picks, most and most - 1)
    )


def likelihood_of_the_rollout(patch: pytest.MonkeyPatch) -> None:
    """log p of the rollout counts where that of the way on should."""
    best = lookahead._best
    patch.setattr(lookahead, "_best", lambda search, ways, ahead, room: _as_ways(best, search, ways, ahead, room))


def _as_ways(best: Any, search: Any, ways: Any, ahead: Any, room: int) -> Any:
    chosen = best(search, ahead, ahead, room)
    return [way for way, far in zip(ways, ahead, strict=True) if any(far is each for each in chosen)]


def mean_value(patch: pytest.MonkeyPatch) -> None:
    """The mean of what was found below, as in plain UCT."""
    back_up = mcts.Tree.back_up

    def mutant(self: Any, trail: Any, value: float) -> None:
        before = [(node, node.best, node.visits - 1) for node in trail]
        back_up(self, trail, value)
        for node, best, visits in before:
            node.best = value if best == -math.inf else (best * (visits - 1) + value) / visits

    patch.setattr(mcts.Tree, "back_up", mutant)


def uncounted_visits(patch: pytest.MonkeyPatch) -> None:
    select = mcts.Tree.select

    def mutant(self: Any) -> Any:
        trail = select(self)
        trail[-1].visits -= 1
        return trail

    patch.setattr(mcts.Tree, "select", mutant)


def prior_without_the_mask(patch: pytest.MonkeyPatch) -> None:
    """P as the model has it, not among what is allowed."""
    expand = mcts.Tree.expand

    def mutant(self: Any, trail: Any, row: Any, candidates: int) -> None:
        node = trail[-1]
        expand(self, trail, row, candidates)
        for child in node.children:
            child.prior *= math.exp(row.log_mass)

    patch.setattr(mcts.Tree, "expand", mutant)


def claims_what_it_pruned(patch: pytest.MonkeyPatch) -> None:
    expand = mcts.Tree.expand

    def mutant(self: Any, trail: Any, row: Any, candidates: int) -> None:
        expand(self, trail, row, candidates)
        self.pruned = False

    patch.setattr(mcts.Tree, "expand", mutant)


def entropy_of_the_whole_law(patch: pytest.MonkeyPatch) -> None:
    looks = adaptive._looks
    patch.setattr(
        adaptive, "_looks", lambda row, style: looks(type(row)(row.ids, row.log_probs, row.log_mass * 0.5), style)
    )


def sum_for_mean(patch: pytest.MonkeyPatch) -> None:
    best = adaptive.Writer._best

    def mutant(self: Any, ahead: Any) -> int:
        best(self, ahead)
        return int(np.argmax([path.log_prob for path in ahead]))

    patch.setattr(adaptive.Writer, "_best", mutant)


def any_length_will_do(patch: pytest.MonkeyPatch) -> None:
    asked = scorers._Answers._asked

    def mutant(self: Any, texts: Any) -> Any:
        ask, self.ask = self.ask, lambda given: [*ask(given), *[0.0] * len(given)][: len(given)]
        found = asked(self, texts)
        self.ask = ask
        return found

    patch.setattr(scorers._Answers, "_asked", mutant)


def nan_is_a_number(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scorers._Answers, "_checked", lambda self, value, text: float(np.nan_to_num(value)))


MUTANTS: list[tuple[Patch, Callable[[], None]]] = [
    (rest_is_lost, best_of_dyck),
    (outputs_are_not_queued_by_their_value, best_of_dyck),
    (bound_without_the_likelihood, best_of_dyck),
    (equal_values_in_any_order, best_of_texts_with_many_spellings),
    (worst_rollout, slow_lookahead),
    (worst_rollout, slow_mcts),
    (rollouts_one_short, slow_lookahead),
    (likelihood_of_the_rollout, slow_lookahead),
    (mean_value, slow_mcts),
    (uncounted_visits, slow_mcts),
    (prior_without_the_mask, slow_mcts),
    (claims_what_it_pruned, everything),
    (entropy_of_the_whole_law, slow_rerank),
    (sum_for_mean, slow_rerank),
    (any_length_will_do, wrong_length),
    (nan_is_a_number, not_a_number),
]


@pytest.mark.parametrize("judge", dict.fromkeys(judge for _, judge in MUTANTS))
def test_the_judges_pass_the_code_as_it_is(judge: Callable[[], None]) -> None:
    judge()


@pytest.mark.parametrize(("mutate", "judge"), MUTANTS, ids=lambda value: value.__name__)
def test_the_mutants_are_caught(mutate: Patch, judge: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, StructgenError, pytest.fail.Exception)):
        judge()
