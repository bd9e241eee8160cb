"""Whoever takes the first of n draws gets what whoever takes the last one gets: every place has one law."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from structgen.protocols import Chooser
from structgen.samplers.choosers import RandomChooser
from structgen.samplers.resampling import SCHEMES
from structgen.samplers.run import METHODS, Budget, Run, sample
from tests.samplers.judges import check_places, fixture, three_outputs, unequal_weights

SEARCHES = {"beam", "best_first", "lookahead", "astar", "mcts", "adaptive"}  # no draws of anything
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("masked", 3, {}),
    ("enumeration", 3, {}),
    ("rejection", 2, {"budget": Budget(attempts=3)}),
    ("cars", 2, {"budget": Budget(attempts=3)}),
    ("asap", 2, {}),
    ("mcmc", 2, {"steps": 1}),
    *(("importance", 3, {"draws": 3, "resampling": scheme}) for scheme in SCHEMES),
    *(("smc", 3, {"ess_threshold": 4, "resampling": scheme}) for scheme in SCHEMES if scheme != "multinomial"),
]


@pytest.mark.parametrize(("method", "n", "options"), CASES, ids=lambda value: str(value)[:40])
def test_every_place_has_one_law(method: str, n: int, options: dict[str, Any]) -> None:
    check_places(lambda chooser: sample(three_outputs(), n, method, seed=chooser, **options).samples)


def test_every_method_that_samples_is_among_the_cases() -> None:
    """But auto, whose draws are those of cars or of smc: test_auto.py."""
    assert {method for method, _, _ in CASES} | SEARCHES | {"auto"} == set(METHODS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_place_of_a_resampled_set_has_one_law(scheme: str) -> None:
    drawn = unequal_weights()
    check_places(lambda chooser: drawn.resample(3, chooser, scheme))


@pytest.mark.parametrize("method", [method for method in METHODS if method not in SEARCHES])
def test_no_stream_of_random_numbers_is_used_twice(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[tuple[int, ...]] = Counter()

    def counted(self: Run, *key: int) -> Chooser:
        asked[key] += 1
        return RandomChooser(0, *key)

    monkeypatch.setattr(Run, "chooser", counted)
    # one prefix a call: chains read nothing ahead, and begin no step a second time from its own stream
    options = {"smc": {"ess_threshold": 2}, "mcmc": {"batch": 1}}.get(method, {})
    assert sample(fixture("T3")[0], 8, method, **options).samples
    assert set(asked.values()) == {1}
