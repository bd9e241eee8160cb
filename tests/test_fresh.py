"""The nightly profile: new numbers in every stream, one rerun, and a number that repeats a failure."""

from __future__ import annotations

import pytest

from tests.fresh import VARIABLE, FreshSeeds

pytest_plugins = ["pytester"]

TEST = """
import pytest
from structgen.samplers.choosers import RandomChooser

def draw():
    with open({seen!r}, "a") as out:
        print(RandomChooser(1, 2).generator.integers(1 << 60), file=out)
    with open({seen!r}) as file:
        return len(file.readlines())

@pytest.mark.statistical
def test_drawn():
    assert draw() >= {passes}

def test_plain():
    assert RandomChooser(1, 2).generator.integers(1 << 60) == {usual}
"""


@pytest.mark.parametrize(("passes", "outcome", "runs"), [(1, "passed", 1), (2, "passed", 2), (9, "failed", 2)])
def test_numbers_are_fresh_and_failures_run_once_more(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, passes: int, outcome: str, runs: int
) -> None:
    from structgen.samplers.choosers import RandomChooser

    usual = int(RandomChooser(1, 2).generator.integers(1 << 60))
    seen = pytester.path / "seen"
    pytester.makeini("[pytest]\nmarkers = statistical")
    pytester.makepyfile(TEST.format(seen=str(seen), passes=passes, usual=usual))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", plugins=[FreshSeeds()])
    counts = {"passed": 2} if outcome == "passed" else {"passed": 1, "failed": 1}
    assert result.parseoutcomes() == counts
    drawn = [int(line) for line in seen.read_text().split()]
    assert len(set(drawn)) == len(drawn) == runs
    assert usual not in drawn
    if outcome == "failed":
        number = next(line for line in result.outlines if line.startswith(VARIABLE)).split("=")[1]
        monkeypatch.setenv(VARIABLE, number)
        pytester.runpytest_inprocess("-p", "no:cacheprovider", plugins=[FreshSeeds()])
        again = [int(line) for line in seen.read_text().split()][runs:]
        assert again == drawn[-1:]
