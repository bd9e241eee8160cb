"""`auto`: what it decides and why, and that what it returns is as exact as it says, by every outcome of small runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from structgen.errors import OptionError, SamplingInterrupted
from structgen.samplers import auto as module
from structgen.samplers.auto import Probe
from structgen.samplers.choosers import every_outcome
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Budget, Run, sample
from tests.samplers.guards import favours_b, guarded_problem
from tests.samplers.judges import fixture
from tests.samplers.test_constraints import LooseConstraint


def rare() -> Problem:
    """Eight times a or b, each pair of mass 0.2: no attempt survives, and 256 outputs are not learned at once."""
    vocabulary = vocabulary_of("a", "b", "c")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.1, 0.1, 0.79, 0.01])))
    return Problem(model, finite_language(vocabulary, ["".join(w) for w in product("ab", repeat=8)]), 9)


def forked() -> Problem:
    """Behind "a" a longer text, behind "b" the end: how many prefixes the probe scores goes with what it accepts."""
    vocabulary = vocabulary_of("a", "b")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.45, 0.35, 0.2])))
    return Problem(model, finite_language(vocabulary, ["aa", "b"]), 3)


def exact_after_the_decision() -> None:
    """The law of the output, of all runs that chose cars and found one, is the target."""
    problem, law, chosen = forked(), dict[tuple[int, ...], float](), set[str]()
    exact = enumerate_outputs(problem)
    options: dict[str, Any] = {"budget": Budget(attempts=4), "concurrency": 1, "probe": 1, "draws": 1}
    for probability, result in every_outcome(lambda chooser: sample(problem, 1, "auto", seed=chooser, **options)):
        chosen.add(result.method)
        if result.method == "cars" and result.samples:
            assert result.exact
            w = result.samples[0].token_ids
            law[w] = law.get(w, 0.0) + probability
    assert chosen == {"cars", "smc"}  # else nothing is decided here
    assert set(law) == set(exact.outputs)
    total = sum(law.values())
    for w, p in zip(exact.outputs, exact.target, strict=True):
        assert law[w] / total == pytest.approx(p, rel=1e-9)


def keep_the_probe(patch: pytest.MonkeyPatch) -> None:
    """What the probe has accepted is returned first."""
    probed, outputs = module._probed, module.accepted_outputs

    def mutant(run: Run, attempts: Any, *rest: Any) -> Any:
        found = probed(run, attempts, *rest)
        attempts.kept = run.finished()
        return found

    def returned(run: Run, attempts: Any, n: int, limit: int) -> SampleSet:
        result = outputs(run, attempts, n, limit)
        return replace(result, samples=(*attempts.kept, *result.samples)[:n])

    patch.setattr(module, "_probed", mutant)
    patch.setattr(module, "accepted_outputs", returned)


def separate_streams() -> None:
    """No random number that decided is used again, or what is drawn would know of the decision."""
    for problem, method in ((fixture("T1")[0], "cars"), (rare(), "smc")):
        keys: list[tuple[int, ...]] = []

        class Watched(Run):
            def chooser(self, *key: int, keys: list[tuple[int, ...]] = keys) -> Any:
                keys.append(key)
                return super().chooser(*key)

        assert module.auto(Watched(problem), 3).method == method
        assert len(keys) == len(set(keys))


def share_streams(patch: pytest.MonkeyPatch) -> None:
    attempts = module.Attempts
    patch.setattr(module, "Attempts", lambda *given, first, **known: attempts(*given, **known))


@pytest.mark.parametrize(
    ("judge", "mutant"), [(exact_after_the_decision, keep_the_probe), (separate_streams, share_streams)]
)
def test_outputs_know_nothing_of_the_decision(judge: Any, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judge()
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        judge()


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4"])
def test_cheap_outputs_are_exact(name: str) -> None:
    result = sample(fixture(name)[0], 10, "auto", seed=1)
    assert (result.method, result.exact, result.status, len(result)) == ("cars", True, "complete", 10)
    assert result.note.startswith("cars: ")
    assert result.stats.attempts > result.stats.accepted == 10
    assert {s.token_ids for s in result.samples} <= set(fixture(name)[1].outputs)


def test_what_is_never_accepted_is_left_to_particles() -> None:
    result = sample(rare(), 3, "auto", seed=1)
    assert (result.method, result.exact, len(result), result.status) == ("smc", False, 32, "complete")
    reason = "2 rounds, as 16 scouts left a relative error of the evidence of"
    assert result.note.startswith(f"smc: 0 of the last 16 attempts were accepted; {reason}")
    assert result.log_evidence == pytest.approx(enumerate_outputs(rare()).log_evidence, abs=1e-9)
    assert len(sample(rare(), 3, "auto", seed=1, draws=7)) == 7


def uneven() -> Problem:
    """`rare`, but what is behind an a has a sixth of the mass: masked particles have unlike weights."""
    vocabulary = vocabulary_of("a", "b", "c")
    rows = np.log(np.array([[0.02, 0.02, 0.95, 0.01], [0.1, 0.14, 0.75, 0.01]]))
    model = TableModel(vocabulary, lambda u: rows[u[-1] if u else 1])
    return Problem(model, rare().constraint, 9)


def test_particles_go_in_rounds_where_these_pay() -> None:
    """More where the scouts say that little is known, one where there is nothing to learn from, or no attempts."""
    result = sample(uneven(), 3, "auto", seed=1)
    assert (len(result.rounds), len(result)) == (3, 32)
    assert "; 3 rounds, as 16 scouts left a relative error of the evidence of " in result.note
    few = sample(uneven(), 3, "auto", seed=1, budget=Budget(attempts=40))
    assert (few.rounds, few.note.split("; ")[1]) == ((), "one round, as the budget has no attempts for scouts")
    texts = ["".join(w) for w in product("ab", repeat=8)]
    loose = Problem(rare().model, LooseConstraint(vocabulary_of("a", "b", "c"), texts, texts), 9)
    alone = sample(loose, 3, "auto", seed=1)
    assert (alone.rounds, alone.note.split("; ")[1]) == ((), "one round, as the constraint has no states to learn from")


def test_potentials_are_for_particles() -> None:
    problem = guarded_problem(favours_b())
    result = sample(problem, 2, "auto", seed=1, draws=500)
    assert (result.method, result.note[:26]) == ("smc", "smc: there are potentials;")
    assert result.log_evidence == pytest.approx(enumerate_outputs(problem).log_evidence, abs=0.3)


def test_the_decision_is_about_prefixes() -> None:
    assert Probe(16, 4, 40, 20).prefers_cars(8, 32)  # 80 prefixes, and 160 for particles
    assert Probe(16, 1, 40, 5).prefers_cars(8, 32)  # 320, twice 160
    assert not Probe(16, 1, 41, 5).prefers_cars(8, 32)
    assert not Probe(16, 0, 0, 0).prefers_cars(8, 32)
    assert Probe(16, 1, 41, 5).why(8, 32) == (
        "smc: 1 of the last 16 attempts were accepted; n = 8 would score about 328 prefixes, smc at most 160"
    )


def test_ends_of_other_kinds() -> None:
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        row = np.log(np.array([0.0, 0.5, 0.5]))
    empty = Problem(TableModel(vocabulary, lambda u: row), finite_language(vocabulary, ["a"]), 3)
    result = sample(empty, 2, "auto")
    assert (result.method, result.status, result.note) == ("cars", "empty", "")
    cut = sample(fixture("T2")[0], 50, "auto", budget=Budget(prefixes_scored=10))
    assert (cut.method, cut.status, cut.exact) == ("cars", "budget", False)
    with pytest.raises(OptionError, match="draws must be at least 4"):
        sample(fixture("T2")[0], 4, "auto", draws=3)
    with pytest.raises(OptionError, match="probe must be at least 1"):
        sample(fixture("T2")[0], 4, "auto", probe=0)


def test_an_interrupt_in_the_probe_leaves_its_outputs() -> None:
    def stop(stats: Any) -> None:
        if stats.accepted == 3:
            raise KeyboardInterrupt

    with pytest.raises(SamplingInterrupted) as caught:
        sample(fixture("T4")[0], 10, "auto", progress=stop, concurrency=1)
    assert isinstance(caught.value.result, SampleSet)
    assert (caught.value.found, caught.value.result.exact) == (3, False)
