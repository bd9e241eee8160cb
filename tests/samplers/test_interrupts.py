"""What a sampler says while it runs, and what an interrupt leaves: whole accounts, by a law where one is known."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.errors import BudgetTooSmall, OptionError, PredicateError, SamplingIncomplete, SamplingInterrupted
from structgen.samplers import smc, weights
from structgen.samplers.choosers import every_outcome
from structgen.samplers.deadline import Late, Timed
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.predicates import Potential, Predicate
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet, Stats
from structgen.samplers.run import METHODS, sample
from tests.api.engines import HashEngine
from tests.samplers.guards import guarded_problem
from tests.samplers.judges import fixture, needs, small_problem


class After:
    """Interrupts at the k-th call."""

    def __init__(self, k: int) -> None:
        self.left = k

    def __call__(self, *_: object) -> float:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return 0.0


def interrupted(problem: Problem, n: int, method: str, k: int, **options: Any) -> SampleSet:
    """What is left by an interrupt at the k-th step, or what there is if the run is over before."""
    try:
        return sample(problem, n, method, progress=After(k), **options)
    except SamplingInterrupted as interrupt:
        found = interrupt.result
        assert isinstance(found, SampleSet)
        assert (interrupt.found, interrupt.wanted, found.status) == (len(found), n, "interrupted")
        return found


@pytest.mark.parametrize("method", METHODS)
def test_every_method_says_how_far_it_is(method: str) -> None:
    told: list[Stats] = []
    result = sample(fixture("T2")[0], 12, method, progress=told.append, seed=3, **needs(method))
    assert told[-1].prefixes_scored == result.stats.prefixes_scored > 0
    for earlier, later in pairwise(told):
        assert earlier.prefixes_scored <= later.prefixes_scored
        assert earlier.seconds <= later.seconds
    assert len({id(stats) for stats in told}) == len(told)  # what was told stays as it was
    assert result.samples == sample(fixture("T2")[0], 12, method, seed=3, **needs(method)).samples


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupt_anywhere_leaves_whole_outputs(method: str) -> None:
    problem, exact = fixture("T3")
    account = dict(zip(exact.outputs, zip(exact.log_prob, exact.log_mass, strict=True), strict=True))
    most = Counter[str]()
    k, weighted = 0, method in ("masked", "importance")
    while (found := interrupted(problem, 12, method, k, seed=5, **needs(method))).status == "interrupted":
        most[method] = max(most[method], len(found))
        assert not found.exact
        assert len(found) <= (120 if method == "importance" else 12)
        for s in found.samples:
            if s.finish == "stop":
                log_prob, log_mass = account[s.token_ids]
                assert s.log_prob == pytest.approx(log_prob)
                assert not weighted or s.log_weight == pytest.approx(log_mass)
        k += 1
    assert k > 1
    assert most[method] or method == "enumeration"


def mean_counts(problem: Problem, n: int, method: str, interrupt: Any) -> dict[tuple[int, ...], float]:
    """E[sum of the weights of an output] / n over every outcome of a run that `interrupt` ends."""
    total: dict[tuple[int, ...], float] = {}

    def run(chooser: Any) -> SampleSet:
        return interrupt(problem, n, method, chooser)

    for probability, found in every_outcome(run):
        for s in found.samples:
            total[s.token_ids] = total.get(s.token_ids, 0.0) + probability * float(np.exp(s.log_weight)) / n
    return {w: mass for w, mass in total.items() if mass > 0}


def at_step(step: int) -> Any:
    def interrupt(problem: Problem, n: int, method: str, chooser: Any) -> SampleSet:
        return interrupted(problem, n, method, step, seed=chooser)

    return interrupt


def check_restricted(problem: Problem, method: str, most: int, interrupt: Any) -> None:
    """What is finished is weighted by p among outputs of at most `most` tokens, bottom counted."""
    exact = enumerate_outputs(problem)
    found = mean_counts(problem, 2, method, interrupt)
    wanted = {w: np.exp(p) for w, p in zip(exact.outputs, exact.log_prob, strict=True) if len(w) + 1 <= most}
    assert wanted
    assert set(found) == set(wanted)
    for w, mass in wanted.items():
        assert found[w] == pytest.approx(mass, rel=1e-9)


@pytest.mark.parametrize("method", ["masked", "smc"])
@pytest.mark.parametrize("step", [2, 3])
def test_what_is_finished_after_t_tokens_is_weighted_among_those(method: str, step: int) -> None:
    check_restricted(small_problem(), method, step, at_step(step))


def inside_a_step() -> None:
    """The interrupt comes from a twist, when one particle of a step may be finished and another has not begun it."""

    def twist(prefix: Any) -> float:
        if len(prefix.tokens) == 3:
            raise KeyboardInterrupt
        return 0.0

    def interrupt(problem: Problem, n: int, method: str, chooser: Any) -> SampleSet:
        try:
            whole = sample(problem, n, method, seed=chooser, twist=twist)
        except SamplingInterrupted as stop:
            assert isinstance(stop.result, SampleSet)
            assert all(len(s.token_ids) + 1 <= 2 for s in stop.result.samples)
            return stop.result
        return replace(whole, samples=tuple(s for s in whole.samples if len(s.token_ids) + 1 <= 2))

    check_restricted(small_problem(), "smc", 2, interrupt)


def inside_a_score() -> None:
    """The interrupt comes from a potential: an output without its score is not finished."""
    ends: list[str] = []

    def fn(text: str, complete: bool) -> float:
        if complete:
            ends.append(text)
            if len(ends) == 2:
                raise KeyboardInterrupt
        return -1.0

    problem = guarded_problem(Potential(fn))
    exact = enumerate_outputs(guarded_problem(Potential(lambda text, complete: -1.0)))
    account = dict(zip(exact.outputs, exact.log_mass, strict=True))
    with pytest.raises(SamplingInterrupted) as caught:
        sample(problem, 20, "masked", seed=1)
    found = caught.value.result
    assert isinstance(found, SampleSet)
    assert found.samples
    for s in found.samples:
        assert s.log_weight == pytest.approx(account[s.token_ids])


def unsettled(patch: pytest.MonkeyPatch) -> None:
    """What is finished at this moment, in the middle of a step."""
    paths = property(lambda self: [p.sample(self.run.problem.vocabulary) for p in self.paths if p.finish == "stop"])
    patch.setattr(smc.Particles, "finished", paths)


def finished_before_its_score(patch: pytest.MonkeyPatch) -> None:
    enter = weights.Path.enter

    def mutant(self: Any, event: int, *account: Any) -> None:
        if event == self.prefix.stop:
            self.finish = "stop"
        enter(self, event, *account)

    patch.setattr(weights.Path, "enter", mutant)


@pytest.mark.parametrize(("judge", "mutant"), [(inside_a_step, unsettled), (inside_a_score, finished_before_its_score)])
def test_interrupts_come_where_they_like(judge: Any, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judge()
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        judge()


def test_a_deadline_ends_what_hangs() -> None:
    asked = threading.Event()
    slow = Predicate(lambda text, complete: asked.wait() or True, "slow", deadline=0.02)
    started = time.perf_counter()
    with pytest.raises(PredicateError, match=r"slow failed .* deadline of 0.02 s"):
        sample(guarded_problem(slow), 4, "smc")
    assert time.perf_counter() - started < 5
    asked.set()  # whatever still hangs goes on, and ends
    with pytest.raises(OptionError, match="deadline"):
        Predicate(lambda text, complete: True, deadline=0)


def test_a_deadline_changes_no_answer() -> None:
    threads = set[int]()

    def short(text: str, complete: bool) -> bool:
        threads.add(threading.get_ident())
        return "bb" not in text

    timed, plain = Predicate(short, deadline=30), Predicate(lambda text, complete: "bb" not in text)
    one, other = (sample(guarded_problem(each), 20, "smc", seed=2).samples for each in (timed, plain))
    assert one == other
    assert len(threads) == 1  # what it keeps by thread is still there
    assert threading.get_ident() not in threads
    with pytest.raises(PredicateError, match="ValueError: no"):
        raising = Predicate(lambda text, complete: (_ for _ in ()).throw(ValueError("no")), deadline=30)
        sample(guarded_problem(raising), 4, "smc")


def test_a_late_answer_answers_nothing_else() -> None:
    """Nor does one nobody waited for; and threads do not outlive what they are for."""
    gate, others = threading.Event(), set(threading.enumerate())
    timed = Timed(lambda x: gate.wait() and x if x == "late" else x, 0.02)
    assert timed(1) == 1
    with pytest.raises(Late):
        timed("late")
    gate.set()
    assert [timed(x) for x in range(50)] == list(range(50))
    del timed
    until = time.perf_counter() + 5
    while set(threading.enumerate()) - others and time.perf_counter() < until:
        time.sleep(0.005)
    assert not set(threading.enumerate()) - others


@pytest.fixture(scope="module")
def engine() -> HashEngine:
    return HashEngine()


LONG = {"regex": "red (green|blue) red red", "seed": 1}


@pytest.mark.parametrize("method", ["cars", "asap", "enumeration", "beam", "best_first"])
def test_a_budget_that_holds_no_output_is_too_small(engine: HashEngine, method: str) -> None:
    room = 1 + len(sg.compile(vocabulary=engine.vocabulary, regex=LONG["regex"]).matcher().shortest_completion())
    with pytest.raises(BudgetTooSmall) as caught:
        sg.generate(engine, "?", method=method, max_tokens=room - 1, **LONG)
    assert (caught.value.needed, caught.value.budget) == (room, room - 1)


def test_no_other_reason_is_taken_for_a_small_budget(engine: HashEngine) -> None:
    room = 1 + len(sg.compile(vocabulary=engine.vocabulary, regex=LONG["regex"]).matcher().shortest_completion())
    with pytest.raises(SamplingIncomplete, match=f"the shortest text takes {room} tokens"):
        sg.generate(engine, "?", method="importance", max_tokens=room - 1, **LONG)
    with pytest.raises(SamplingIncomplete, match="no output has positive probability") as caught:
        sg.generate(engine, "?", method="cars", max_tokens=room + 30, top_k=1, **LONG)
    assert "shortest" not in str(caught.value)
    with pytest.raises(SamplingIncomplete, match="the shortest text takes"):
        sg.generate(engine, "?", method="cars", max_tokens=room - 1, top_k=3, **LONG)
    never = Predicate(lambda text, complete: False)
    with pytest.raises(SamplingIncomplete):
        sg.generate(engine, "?", method="cars", max_tokens=room - 1, where=never, **LONG)


def test_generate_says_how_far_its_samplers_are(engine: HashEngine) -> None:
    told: list[tuple[int, float]] = []
    results = sg.generate_result(
        engine, ["a", "b"], choices=["red", "blue"], method="cars", n=3, max_tokens=8, seed=1,
        progress=lambda scored, seconds: told.append((scored, seconds)),
    )  # fmt: skip
    assert told == sorted(told)
    assert told[-1][0] == sum(row[0].samples.stats.prefixes_scored for row in results)
    for row in results:
        assert sum(r.stats.decode_seconds for r in row) == pytest.approx(row[0].samples.stats.seconds)


def test_an_interrupt_keeps_the_prompts_before(engine: HashEngine) -> None:
    ask = {"choices": ["red", "blue"], "method": "cars", "n": 2, "max_tokens": 8, "seed": 1}
    whole, told = sg.generate_result(engine, ["a", "b"], **ask), list[int]()

    def interrupt(scored: int, seconds: float) -> None:
        told.append(scored)
        if scored > whole[0][0].samples.stats.prefixes_scored:
            raise KeyboardInterrupt

    with pytest.raises(SamplingInterrupted) as caught:
        sg.generate(engine, ["a", "b"], **ask, progress=interrupt)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert [r.value for r in caught.value.results] == [r.value for r in whole[0]]
    assert caught.value.wanted == 2


def test_each_output_has_its_own_time(engine: HashEngine) -> None:
    results = sg.generate_result(
        engine, ["a", "a"], choices=["r", "rather a long colour, and more of it"], n=8, max_tokens=60, seed=1
    )
    flat = sorted((r for row in results for r in row), key=lambda r: r.stats.output_tokens)
    assert flat[0].stats.output_tokens < flat[-1].stats.output_tokens
    assert 0 < flat[0].stats.decode_seconds < flat[-1].stats.decode_seconds
