"""Wrong scorers end the run with the text they were wrong about; right ones are asked once for every text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.errors import OptionError, ScorerError
from structgen.samplers.run import sample
from tests.samplers.judges import fixture, small_problem
from tests.search.judges import weighed

Score = Callable[[Sequence[str]], Any]


def too_few(texts: Sequence[str]) -> list[float]:
    return [0.0] * (len(texts) - ("ab" in texts))


def nan_at_ab(texts: Sequence[str]) -> list[float]:
    return [float("nan") if text == "ab" else 1.0 for text in texts]


def infinite(texts: Sequence[str]) -> Any:
    return np.array([np.inf if text == "ab" else 1.0 for text in texts])


def raises(texts: Sequence[str]) -> list[float]:
    if "ab" in texts:
        raise KeyError("no such column")
    return [1.0] * len(texts)


def words(texts: Sequence[str]) -> list[Any]:
    return ["1.0" if text == "ab" else 1.0 for text in texts]


def nothing(texts: Sequence[str]) -> Any:
    return None if "ab" in texts else [1.0] * len(texts)


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        (too_few, r"returned \d scores for \d texts"),
        (nan_at_ab, "returned nan, which is no score"),
        (infinite, r"returned .*inf.*, which is no score"),
        (raises, "KeyError: 'no such column'"),
        (words, "returned '1.0', which is no score"),
        (nothing, "returned None, which is no list of scores"),
    ],
)
@pytest.mark.parametrize("method", ["lookahead", "astar", "mcts", "adaptive"])
def test_a_wrong_scorer_ends_the_run(method: str, scorer: Score, said: str) -> None:
    options = {"seed": 1, "n": 30} if method == "adaptive" else {"n": 4}
    with pytest.raises(ScorerError, match=said) as caught:
        sample(small_problem(), method=method, scorer=scorer, **options)
    error = caught.value
    assert error.scorer == scorer.__name__
    assert error.text == "ab" or scorer in (too_few, nothing)  # which are wrong about a list of texts
    assert isinstance(error, sg.StructgenError)
    assert isinstance(error.__cause__, KeyError) == (scorer is raises)


def test_a_scorer_that_fails_on_lists_alone_fails() -> None:
    def one_by_one(texts: Sequence[str]) -> list[float]:
        (text,) = texts
        return [float(len(text))]

    with pytest.raises(ScorerError, match="too many values to unpack"):
        sample(small_problem(), 4, "astar", scorer=one_by_one)


def test_a_bound_that_is_exceeded_is_none() -> None:
    def score(texts: Sequence[str]) -> list[float]:
        return [float(text.count("b")) for text in texts]

    score.bound = lambda texts: [float(text.count("b") + 1) for text in texts]  # type: ignore[attr-defined]
    with pytest.raises(ScorerError, match=r"score\.bound failed .*'bb': the bound of a beginning was 1") as caught:
        sample(small_problem(), 4, "astar", scorer=score)
    assert caught.value.text == "bb"


def test_what_is_no_function_is_refused() -> None:
    def score(texts: Sequence[str]) -> list[float]:
        return [0.0] * len(texts)

    with pytest.raises(OptionError, match="scorer is a function"):
        sample(small_problem(), 1, "astar", scorer=[1.0])
    score.bound = 3  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match="bound of a scorer"):
        sample(small_problem(), 1, "astar", scorer=score)
    with pytest.raises(OptionError, match="astar needs scorer"):
        sample(small_problem(), 1, "astar")


@pytest.mark.parametrize("method", ["lookahead", "astar", "mcts", "adaptive"])
def test_every_text_is_asked_once_and_counted(method: str) -> None:
    asked: list[str] = []

    def note(texts: Sequence[str]) -> list[float]:
        asked.extend(texts)
        return weighed(texts)

    found = sample(fixture("T2")[0], 1, method, scorer=note)
    assert len(asked) == len(set(asked)) == found.stats.texts_scored > 1


def test_an_object_with_both_is_a_scorer() -> None:
    class Letters:
        def __call__(self, texts: Sequence[str], /) -> Sequence[float]:
            return [float(text.count("b")) for text in texts]

        def bound(self, texts: Sequence[str]) -> Sequence[float]:
            return [4.0] * len(texts)

    letters: sg.Scorer = Letters()
    found = sample(small_problem(), 1, "astar", scorer=letters)
    assert (found.samples[0].text.count("b"), found.proven) == (2, 1)
