"""What judges a search: exhaustive search, and slow twins that are told apart by what they come by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from structgen.samplers.problem import Problem
from structgen.samplers.run import Budget, sample
from tests.samplers.judges import fixture
from tests.search.twins import exhaustive, met_by_lookahead, met_by_mcts, reranked, text_of

LONGEST = 12


def weighed(texts: Sequence[str]) -> list[float]:
    """A score that no token decides by itself; its bound takes the most for every character still to come."""
    return [_weighed(text) for text in texts]


def _weighed(text: str) -> float:
    return sum((1 + i % 3) * (ord(letter) % 3) for i, letter in enumerate(text)) - 1.5 * (len(text) == 5)


weighed.bound = lambda texts: [  # type: ignore[attr-defined]
    sum((1 + i % 3) * (ord(letter) % 3) for i, letter in enumerate(text))
    + sum(2 * (1 + i % 3) for i in range(len(text), LONGEST))
    for text in texts
]


def unbounded(texts: Sequence[str]) -> list[float]:
    """The same without a bound."""
    return weighed(texts)


def check_astar(problem: Problem, likelihood: float = 0.0, n: int = 5, **options: Any) -> None:
    """The n best in order, proven."""
    truth = exhaustive(problem, weighed, likelihood)
    found = sample(problem, n, "astar", scorer=weighed, likelihood=likelihood, **options)
    best = [(value, log_prob) for value, log_prob, _ in truth[:n]]
    np.testing.assert_allclose([(s.score, s.log_prob) for s in found.samples], best, atol=1e-9)
    assert found.status == "complete"
    assert found.proven == len(found) == len(best)
    others = [value for value, _, tokens in truth if tokens not in {s.token_ids for s in found.samples}]
    assert found.score_rest is not None
    assert max(others, default=-np.inf) <= found.score_rest + 1e-9


def check_lookahead(problem: Problem, candidates: int, length: int, likelihood: float = 0.0) -> None:
    """It comes by what the slow one comes by, and returns the best of that."""
    met = met_by_lookahead(problem, weighed, candidates, length, likelihood)
    truth = [each for each in exhaustive(problem, weighed, likelihood) if each[2] in met]
    options = {"candidates": candidates, "length": length, "likelihood": likelihood, "width": 1}
    found = sample(problem, 1, "lookahead", scorer=unbounded, **options)
    assert found.note.endswith(f"{len(met)} outputs met")
    assert [s.token_ids for s in found.samples] == [tokens for _, _, tokens in truth[:1]]


def check_mcts(problem: Problem, rollouts: int, c: float = 4.0, base: float = 10.0) -> None:
    """Rollouts of one at a time meet what those of the slow one meet, in its order."""
    met = met_by_mcts(problem, weighed, rollouts, c, base)
    asked: list[str] = []

    def note(texts: Sequence[str]) -> list[float]:
        asked.extend(texts)
        return weighed(texts)

    options = {"rollouts": rollouts, "batch": 1, "candidates": 99, "c": c, "base": base}
    found = sample(problem, 3, "mcts", scorer=note, **options)
    assert asked == list(dict.fromkeys(text_of(problem, tokens) for tokens in met))
    assert found.stats.attempts == len(met)
    best = [each for each in exhaustive(problem, weighed) if each[2] in set(met)][:3]
    np.testing.assert_allclose([(s.score, s.log_prob) for s in found.samples], [each[:2] for each in best])


def check_all_of_it(problem: Problem) -> None:
    """With rollouts enough mcts ends with everything, and says so; where ways on are left out it does not."""
    truth = exhaustive(problem, weighed)
    whole = sample(problem, 3, "mcts", scorer=unbounded, rollouts=5000, candidates=99)
    assert whole.score_rest == -np.inf
    assert whole.proven == len(whole) == min(3, len(truth))
    np.testing.assert_allclose([s.score for s in whole.samples], [value for value, _, _ in truth[:3]])
    assert sample(problem, 1, "mcts", scorer=unbounded, rollouts=5000, candidates=1).score_rest is None


def check_reranked(problem: Problem, threshold: float, trials: int, length: int) -> None:
    options = {"style": "rerank", "low": threshold, "high": threshold, "trials": trials, "length": length}
    found = sample(problem, 1, "adaptive", **options)
    assert found.samples[0].token_ids == reranked(problem, threshold, trials, length)


def check_budget(method: str, **options: Any) -> None:
    """A budget of prefixes is kept to within a batch, and what is left is valid and in order."""
    problem, exact = fixture("T2")
    known = dict(zip(exact.outputs, exact.log_prob, strict=True))
    for scored in (1, 9, 40):
        found = sample(problem, 4, method, budget=Budget(prefixes_scored=scored), **options)
        assert found.stats.prefixes_scored <= scored + 40
        assert found.status == "budget"
        assert [s.score for s in found.samples] == sorted((s.score for s in found.samples), reverse=True)
        for s in found.samples:
            assert abs(known[s.token_ids] - s.log_prob) < 1e-9
