"""Values of states: rounds are unbiased over every outcome, values solve their equation, traps are found; mutants."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.errors import OptionError
from structgen.protocols import Floats
from structgen.samplers import proposals, smc, values
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.run import Budget, Run, sample
from structgen.samplers.values import Values
from structgen.samplers.weights import Row
from tests.samplers.guards import favours_b, guarded_problem, no_double_b
from tests.samplers.judges import check_weighted, dying, fixture, small_problem, three_outputs
from tests.samplers.test_constraints import LooseConstraint
from tests.samplers.test_smc import skewed


def by_length() -> Problem:
    """The model's law depends on the length alone, as the state does: there c(u) is a function of the state."""
    vocabulary = vocabulary_of("a", "b")
    rows = 1.5 * np.sin(np.arange(18).reshape(6, 3) * 2.3 + 1)
    constraint = sg.compile(regex="(aa|b[ab])(a|ab|bb)", vocabulary=vocabulary)
    return Problem(TableModel(vocabulary, lambda u: rows[len(u)]), constraint, 6)


def trap() -> Problem:
    """One text in a thousand begins with b, and there nearly all the mass is: behind a the model wants what is not
    allowed."""
    vocabulary = vocabulary_of("a", "b", "c")

    def law(u: tuple[int, ...]) -> Floats:
        if not u:
            return np.log([0.999, 0.001, 1e-9, 1e-9])
        if u[0] == 0:
            return np.log([0.01, 0.01, 0.97, 0.01])
        return np.log([0.01, 0.01, 0.01, 0.97] if len(u) == 5 else [0.5, 0.49, 0.005, 0.005])

    texts = ["".join(letters) for letters in itertools.product("ab", repeat=5)]
    return Problem(TableModel(vocabulary, law), finite_language(vocabulary, texts), 7)


def viable_prefixes(problem: Problem) -> list[Prefix]:
    """Every prefix from which an output can be reached."""
    found = [problem.root()]
    for prefix in found:
        row = Run(problem).rows([prefix])[0]
        found += [prefix.extend(token) for token in row.ids.tolist() if token != problem.stop]
    return found


def read_everything(problem: Problem) -> Values:
    """Values learnt from all viable prefixes."""
    learnt, run = Values(problem, 0.1), Run(problem)
    for prefix in viable_prefixes(problem):
        learnt.learn(prefix, run.rows([prefix])[0])
    learnt.update()
    return learnt


def by_states_alone(learnt: Values) -> Values:
    """The same without what single prefixes are worth."""
    out = copy.copy(learnt)
    out._log_of = {}
    return out


def rounds() -> None:
    check_weighted(three_outputs(), "smc", 2, rounds=2, ess_threshold=0.9)


def a_scout() -> None:
    check_weighted(three_outputs(), "smc", 2, rounds=2, scouts=1)


def rounds_with_a_twist() -> None:
    check_weighted(three_outputs(), "smc", 1, rounds=2, twist=skewed)


def rounds_under_functions() -> None:
    check_weighted(guarded_problem(favours_b(), no_double_b()), "smc", 1, rounds=2)


def three_rounds() -> None:
    check_weighted(small_problem(), "smc", 1, rounds=3)


@pytest.mark.parametrize(
    "judge", [rounds, a_scout, rounds_with_a_twist, rounds_under_functions, three_rounds], ids=lambda f: f.__name__
)
def test_the_last_round_is_unbiased_over_every_outcome(judge: Callable[[], None]) -> None:
    judge()


def test_values_are_exact_where_the_law_follows_the_state() -> None:
    problem = by_length()
    exact, learnt = enumerate_outputs(problem), read_everything(problem)
    assert len(learnt) < len(exact.log_future)  # prefixes share states
    for prefix in viable_prefixes(problem):
        assert learnt.log_value(prefix) == pytest.approx(exact.log_future[prefix.tokens], abs=2e-3)
    done = sample(problem, 16, "smc", rounds=4, seed=1)
    assert done.rounds[-1].ess == pytest.approx(16, rel=0.01)  # then every particle has the weight Z
    assert done.log_evidence == pytest.approx(exact.log_evidence, abs=0.02)


@pytest.mark.parametrize("name", ["T2", "T3"])
def test_prefixes_that_were_read_are_worth_what_they_are(name: str) -> None:
    """Whatever the law depends on; once all of them were read, every particle weighs Z."""
    problem, exact = fixture(name)
    learnt = read_everything(problem)
    by_state = by_states_alone(learnt)
    prefixes = viable_prefixes(problem)
    off = [learnt.log_value(prefix) - exact.log_future[prefix.tokens] for prefix in prefixes]
    assert np.abs(off).max() < 1e-9
    assert max(abs(by_state.log_value(prefix) - exact.log_future[prefix.tokens]) for prefix in prefixes) > 0.1
    drawn = sample(small_problem(), 200, "smc", rounds=2, seed=3)
    assert drawn.rounds[0].prefixes_scored == len(viable_prefixes(small_problem()))
    assert drawn.log_weights == pytest.approx(enumerate_outputs(small_problem()).log_evidence, abs=1e-9)


def test_a_prefix_without_a_way_on_is_dead_and_others_at_its_state_are_not() -> None:
    """After "a" the model never says what the constraint needs."""
    problem = dying()
    learnt = read_everything(problem)
    root = problem.root()
    learnt.learn(root.extend(0), Run(problem).rows([root.extend(0)])[0])
    learnt.update()
    row = Run(problem).rows([root])[0]
    assert learnt.log_value(root.extend(0)) == -np.inf
    assert dict(zip(row.ids.tolist(), (learnt.log_values_after(root, row) == -np.inf).tolist(), strict=True))[0]
    runs = [sample(problem, 8, "smc", rounds=3, seed=seed) for seed in range(5)]
    assert {s.finish for run in runs for s in run.samples} == {"stop"}
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        never = np.log(np.array([0.5, 0.0, 0.5]))
    hopeless = Problem(TableModel(vocabulary, lambda u: never), finite_language(vocabulary, ["ab"]), 4)
    found = sample(hopeless, 4, "smc", rounds=3)
    assert (found.status, found.log_evidence) == ("degenerate", -np.inf)


def test_the_last_of_three_rounds_explores_no_more() -> None:
    """What nobody has read is then worth the mean of what is as near to an end."""
    problem = trap()
    run, root = Run(problem), problem.root()
    learnt = Values(problem, 0.25)
    for prefix in (root, root.extend(0)):
        learnt.learn(prefix, run.rows([prefix])[0])
    learnt.update()
    hopeful = np.exp(learnt.log_values_after(root, run.rows([root])[0]))
    learnt.update(optimistic=False)
    plain = np.exp(learnt.log_values_after(root, run.rows([root])[0]))
    assert hopeful[1] > 10 * hopeful[0]
    assert plain[1] == pytest.approx(plain[0], rel=0.01)


def test_what_nobody_has_read_is_guessed_with_optimism() -> None:
    """After the root alone its successors are worth what it is, or enough for their share; a state nobody has met at
    all is worth the best that is no nearer to an end."""
    problem = trap()
    run, root = Run(problem), problem.root()
    learnt = Values(problem, 0.25)
    row = run.rows([root])[0]
    learnt.learn(root, row)
    learnt.learn(root, row)  # once for each prefix
    learnt.learn(root.extend(0), run.rows([root.extend(0)])[0])
    learnt.update()
    assert len(learnt) == 2
    a, b = learnt.log_values_after(root, row)
    shares = np.exp(row.log_probs + np.array([a, b]))
    assert shares[1] / shares.sum() == pytest.approx(0.25, rel=1e-3)
    assert learnt.log_value(root) == pytest.approx(np.log(shares.sum()), abs=2e-3)
    deep = root.extend(0).extend(1).extend(1)
    assert learnt.log_value(deep) == pytest.approx(max(learnt.log_value(root), a), abs=2e-3)


def test_rows_with_many_events_have_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not told apart is worth the mean of what is, by states, and counts in the value of its state."""
    problem, _ = fixture("T3")
    whole = read_everything(problem)
    monkeypatch.setattr(values, "HEAD", 2)
    some = read_everything(problem)
    root = problem.root()
    row = Run(problem).rows([root])[0]
    after, head = some.log_values_after(root, row), np.argsort(-row.log_probs)[:2]
    assert row.ids.size > 2
    rest = np.delete(after, head)
    weights, by_state = np.exp(row.log_probs[head]), by_states_alone(some).log_values_after(root, row)[head]
    assert rest == pytest.approx(np.log((weights * np.exp(by_state)).sum() / weights.sum()))
    assert some.log_value(root) == pytest.approx(np.log(np.exp(row.log_probs + after).sum()), abs=2e-3)
    assert abs(some.log_value(root) - whole.log_value(root)) < 2
    check_weighted(three_outputs(), "smc", 1, rounds=2)


@pytest.mark.statistical
def test_a_trap_is_found_in_the_second_round() -> None:
    """Plain particles find b in one run of sixteen; in the second round it is met, in the third all is right."""
    problem, truth = trap(), enumerate_outputs(trap()).log_evidence
    runs = [sample(problem, 64, "smc", rounds=3, seed=seed).rounds for seed in range(25)]
    errors = np.exp(np.array([[each.log_evidence for each in run] for run in runs]) - truth) - 1
    met = (errors > -0.9).mean(axis=0)
    assert met[0] < 0.2 and met[1] > 0.9 and met[2] > 0.9
    assert np.abs(errors[:, 2]).mean() < 0.1


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["T1", "T2", "T3"])
def test_rounds_spread_less_than_plain_particles(name: str) -> None:
    """The mean error of Z-hat of the second round against that of the first."""
    problem, exact = fixture(name)
    runs = [sample(problem, 16, "smc", rounds=2, seed=seed).rounds for seed in range(40)]
    errors = np.exp(np.array([[each.log_evidence for each in run] for run in runs]) - exact.log_evidence) - 1
    plain, guided = np.abs(errors).mean(axis=0)
    assert guided < 0.7 * plain, (guided, plain)


def test_rounds_say_what_came_of_them() -> None:
    problem, exact = fixture("T2")
    result = sample(problem, 20, "smc", rounds=3, seed=2)
    assert (len(result), result.status, result.stats.attempts, len(result.rounds)) == (20, "complete", 60, 3)
    assert result.rounds[-1].log_evidence == result.log_evidence
    assert result.rounds[-1].ess == pytest.approx(result.ess)
    assert sum(each.prefixes_scored for each in result.rounds) == result.stats.prefixes_scored
    assert result.stats.prefixes_scored <= len(exact.log_future)  # no prefix is read twice
    assert [each.states for each in result.rounds] == sorted(each.states for each in result.rounds)
    assert '"rounds": [{"log_evidence"' in result.to_json()
    plain = sample(problem, 20, "smc", seed=2)
    assert plain.rounds == () and plain.log_evidence == result.rounds[0].log_evidence


def test_budgets_leave_the_last_whole_round() -> None:
    problem, _ = fixture("T2")
    first = sample(problem, 20, "smc", rounds=3, seed=2).rounds[0].prefixes_scored
    cut = sample(problem, 20, "smc", rounds=3, seed=2, budget=Budget(prefixes_scored=first + 1))
    assert (cut.status, len(cut), len(cut.rounds)) == ("budget", 20, 1)
    assert cut.note == "1 of 3 rounds were finished before the budget was spent"
    assert sample(problem, 20, "smc", seed=2).samples == cut.samples
    none = sample(problem, 20, "smc", rounds=3, budget=Budget(prefixes_scored=2))
    assert (none.status, len(none), none.rounds) == ("budget", 0, ())
    assert sample(problem, 20, "smc", rounds=3, budget=Budget(attempts=59)).note.startswith("60 particles")
    scouted = sample(problem, 20, "smc", rounds=3, scouts=7, budget=Budget(attempts=34))
    assert (len(scouted), scouted.stats.attempts, scouted.status) == (20, 34, "complete")


def test_predicates_and_the_tokenizers_spelling_have_states_too() -> None:
    guarded = guarded_problem(no_double_b())
    drawn = sample(guarded, 60, "smc", rounds=2, seed=1)
    assert {s.data for s in drawn.samples if s.finish == "stop"} == {b"a", b"bab"}
    assert drawn.log_evidence == pytest.approx(enumerate_outputs(guarded).log_evidence, abs=0.5)
    vocabulary = vocabulary_of("a", "b", "ab")
    spelling = {"ab": [2], "abab": [2, 2], "": []}
    model = TableModel(vocabulary, lambda u: np.array([0.3, 0.1, 0.2, 0.4]), encode=lambda text: spelling.get(text, []))
    canonical = Problem(model, finite_language(vocabulary, ["ab", "abab"]), 5, canonical=True)
    assert {s.token_ids for s in sample(canonical, 20, "smc", rounds=2).draw(20)} <= {(2,), (2, 2)}


def test_wrong_options() -> None:
    problem, _ = fixture("T4")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("rounds", {"rounds": 0}),
        ("rounds", {"rounds": 1.5}),
        ("scouts", {"rounds": 2, "scouts": 0}),
        ("explore", {"rounds": 2, "explore": 1.0}),
        ("proposal", {"rounds": 2, "proposal": "mask"}),
        ("memory", {"rounds": 2, "memory": -1}),
    ]
    for option, options in wrong:
        with pytest.raises(OptionError, match=option):
            sample(problem, 4, "smc", **options)
    with pytest.raises(OptionError, match="compiled constraint"):
        sample(Problem(problem.model, LooseConstraint(problem.vocabulary, ["a"], ["a"]), 5), 4, "smc", rounds=2)


def weight_without_the_value(patch: pytest.MonkeyPatch) -> None:
    """Drawn by p V, weighed as if by p."""

    def step(self: Any, run: Run, path: Any, row: Row, chooser: Any) -> None:
        if row.dead:
            path.die()
        else:
            path.take(row, chooser.choice(row.log_probs + self._after[path.prefix.tokens]))

    patch.setattr(proposals.Guided, "step", step)


def worthless_until_seen(patch: pytest.MonkeyPatch) -> None:
    """A state nobody has read at is worth nothing: its outputs are never drawn."""
    solved = values._Graph.solved

    def mutant(self: Any, distances: Any, explore: float | None) -> Any:
        log_v, horizon = solved(self, distances, explore)
        log_v[self.first.size :] = -np.inf
        return log_v, horizon

    patch.setattr(values._Graph, "solved", mutant)


def best_round(patch: pytest.MonkeyPatch) -> None:
    """The round of the largest estimate is returned: a choice that leans upwards."""
    whole = smc.smc

    @wraps(whole)
    def mutant(run: Run, n: int, **options: Any) -> Any:
        result = whole(run, n, **options)
        highest = max(each.log_evidence for each in result.rounds)
        return replace(result, log_evidence=highest)

    patch.setattr(smc, "smc", mutant)


def exact_values() -> None:
    test_prefixes_that_were_read_are_worth_what_they_are("T3")


def row_without_what_is_behind_it(patch: pytest.MonkeyPatch) -> None:
    """A prefix is worth what its own row says of the states it leads to."""
    of_a_row = values.Values._of_a_row

    def mutant(self: Any, tokens: Any, read: Any) -> float:
        return of_a_row(by_states_alone(self), tokens, read)

    patch.setattr(values.Values, "_of_a_row", mutant)


def parents_first(patch: pytest.MonkeyPatch) -> None:
    """Prefixes are worth what was behind them before this round."""

    def ascending(items: Any, key: Any, reverse: bool) -> Any:
        return sorted(items, key=key, reverse=not reverse)

    patch.setattr(values, "sorted", ascending, raising=False)


MUTANTS = [
    (row_without_what_is_behind_it, exact_values),
    (parents_first, exact_values),
    (weight_without_the_value, rounds),
    (worthless_until_seen, rounds),
    (best_round, rounds),
]


@pytest.mark.parametrize(("mutant", "judge"), MUTANTS, ids=lambda f: f.__name__)
def test_the_judge_catches_the_mutant(
    mutant: Callable[[pytest.MonkeyPatch], None], judge: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        judge()
