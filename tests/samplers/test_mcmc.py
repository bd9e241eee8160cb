"""Chains: the kernel over every outcome, its convergence in exact KL, the certificate, frequencies, ways to end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.protocols import Floats, Tokens
from structgen.samplers.cuts import CUTS, RESTARTS, Trace, cut_weights, log_acceptance
from structgen.samplers.exact import enumerate_outputs, kl_divergence, total_variation
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.predicates import Potential
from structgen.samplers.problem import Problem
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Budget, Run, sample
from tests.samplers.guards import favours_b, guarded_problem, late, no_double_b
from tests.samplers.judges import (
    ALPHA,
    check_cut_chains,
    check_fit,
    check_kernel,
    check_steps_ahead,
    dying,
    expectations,
    fit_p_value,
    fixture,
    random_problem,
    small_problem,
    three_outputs,
    trace_of,
)
from tests.samplers.test_constraints import LooseConstraint

# KL(mu_k || pi) after k = 0, 1, 3, 10 steps from a masked draw
CONVERGENCE = {
    "restart": (3.0192, 1.5394, 0.4148, 0.0021),
    "uniform": (3.0192, 2.6202, 2.0232, 0.8556),
    "priority": (3.0192, 1.9385, 0.8432, 0.0397),
}


def loose() -> Problem:
    """A mask with dead ends."""
    vocabulary = vocabulary_of("a", "b")
    constraint = LooseConstraint(vocabulary, ["a", "ab", "bab", "aa", "bb", "aba"], ["a", "ab", "bab"])
    return Problem(TableModel.sine(vocabulary, 1.5), constraint, 4)


@pytest.mark.parametrize("cut", CUTS)
def test_detailed_balance(cut: str) -> None:
    for name in ("T1", "T3", "T4"):
        check_kernel(fixture(name)[0], cut, fixture(name)[1])
    for problem in (small_problem(), small_problem(3), dying(), loose()):
        check_kernel(problem, cut)


@pytest.mark.parametrize("cut", CUTS)
def test_detailed_balance_on_random_problems(cut: str) -> None:
    for seed in range(4):
        check_kernel(random_problem(np.random.default_rng(seed)), cut)


@pytest.mark.parametrize("cut", CUTS)
def test_detailed_balance_under_functions_of_the_user(cut: str) -> None:
    """Predicates make dead ends, potentials weigh: both are in the target, and the chain knows."""
    for functions in ([no_double_b()], [late()], [favours_b()], [no_double_b(), favours_b()]):
        check_kernel(guarded_problem(*functions), cut)


def test_potentials_take_the_certificate_away_and_minus_infinity_forbids() -> None:
    scored = sample(guarded_problem(favours_b()), 5, "mcmc")
    exact = enumerate_outputs(guarded_problem(favours_b()))
    assert (scored.tv_bound, scored.evidence_bounds) == (None, None)
    assert scored.log_evidence == pytest.approx(exact.log_evidence, abs=6 * scored.evidence_error)
    forbids = Potential(lambda text, complete: -np.inf if complete and text != "bb" else 0.0, "bb")
    for cut in CUTS:
        found = sample(guarded_problem(forbids), 20, "mcmc", cut=cut, steps=3)
        assert {s.data for s in found.samples} == {b"bb"}
    never = Potential(lambda text, complete: -np.inf if complete else 0.0, "never")
    nothing = sample(guarded_problem(never), 3, "mcmc", budget=Budget(attempts=50))
    assert (nothing.status, len(nothing)) == ("degenerate", 0)


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["restart", "uniform"])
def test_detailed_balance_on_brackets(cut: str) -> None:
    check_kernel(fixture("T2")[0], cut, fixture("T2")[1])


@pytest.mark.parametrize("cut", CUTS)
def test_the_acceptance_is_the_sum_over_all_cuts(cut: str) -> None:
    """Q(x -> y) added up cut by cut, from the rows."""
    problem, exact = fixture("T3")
    rows = RowMemory(Run(problem), 1 << 20)
    traces = [trace_of(rows, problem, w) for w in exact.outputs]

    def log_proposal(x: Trace, y: Trace) -> float:
        weights, total = cut_weights(cut, x), 0.0
        for i in range(min(len(x.events), len(y.events))):
            if x.events[:i] == y.events[:i]:
                rest = sum(y.log_p[i:]) - sum(y.log_m[i:])
                total += weights[i] / weights.sum() * float(np.exp(rest))
        return float(np.log(total))

    for x in traces:
        for y in traces:
            ratio = y.log_prob + log_proposal(y, x) - x.log_prob - log_proposal(x, y)
            assert log_acceptance(cut, x, y) == pytest.approx(min(0.0, ratio), abs=1e-12)


@pytest.mark.parametrize("cut", CUTS)
def test_convergence_and_its_bounds(cut: str) -> None:
    for name in ("T3", "T1"):
        problem, exact = fixture(name)
        k, law, z = check_kernel(problem, cut, exact), exact.masked, float(np.exp(exact.log_evidence))
        share = {"restart": 1.0, "uniform": 1 / problem.max_tokens, "priority": RESTARTS}[cut]
        assert (k >= share * z * exact.target - 1e-15).all()  # what the bounds follow from
        highest = float(np.exp(exact.log_mass.max()))
        before = np.inf
        for step in range(30):
            if name == "T3" and step in (0, 1, 3, 10):
                kl = CONVERGENCE[cut][(0, 1, 3, 10).index(step)]
                assert kl_divergence(law, exact.target) == pytest.approx(kl, abs=2e-4)
            distance = total_variation(law, exact.target)
            assert distance <= (1 - share * z) ** step + 1e-12
            if cut == "restart":
                assert distance <= (1 - z / highest) ** step + 1e-12
            assert distance <= before + 1e-15
            before, law = distance, law @ k


def test_a_whole_run_over_every_outcome() -> None:
    """The law of the output is mu_steps, and the mean weight of the proposals is unbiased for Z."""
    problem = small_problem()
    exact = enumerate_outputs(problem)
    for cut in CUTS:
        k = check_kernel(problem, cut, exact)
        by_output, evidence, total = expectations(problem, "mcmc", 1, cut=cut, steps=2, batch=1)
        assert total == pytest.approx(1, abs=1e-12)
        law = np.array([by_output.get(w, 0.0) for w in exact.outputs])
        np.testing.assert_allclose(law, exact.masked @ k @ k, atol=1e-12)
        if cut == "restart":
            assert evidence == pytest.approx(np.exp(exact.log_evidence), abs=1e-12)
    by_output, _, _ = expectations(problem, "mcmc", 2, steps=1, chains=1, cut="uniform", batch=1)  # two outputs of one
    k = check_kernel(problem, "uniform", exact)
    law = np.array([by_output.get(w, 0.0) for w in exact.outputs])
    np.testing.assert_allclose(law, (exact.masked @ k + exact.masked @ k @ k) / 2, atol=1e-12)


@pytest.mark.parametrize("cut", CUTS)
def test_steps_written_ahead_have_the_law_of_one_after_the_other(cut: str) -> None:
    check_steps_ahead(dying(), cut)
    check_steps_ahead(three_outputs(), cut)
    if cut == "uniform":
        check_steps_ahead(dying(), cut, steps=3)


@pytest.mark.statistical
@pytest.mark.parametrize(("cut", "steps"), [("restart", 30), ("uniform", 70), ("priority", 40)])
def test_thinned_chains_follow_the_target(cut: str, steps: int) -> None:
    """Distance left after `steps`: .675^30 = 8e-6, .912^70 = 2e-3, .813^40 = 3e-4: less than 300 draws can tell."""
    problem, exact = fixture("T3")
    drawn = sample(problem, 300, "mcmc", cut=cut, steps=steps, chains=100, seed=4)
    tokens = [s.token_ids for s in drawn.samples]
    check_fit(exact, tokens)
    short = sample(problem, 300, "mcmc", cut=cut, steps=1, seed=4)
    assert fit_p_value(exact, [s.token_ids for s in short.samples]) < ALPHA  # one step is not enough, and shows


@pytest.mark.statistical
def test_proposals_tell_the_evidence() -> None:
    problem, exact = fixture("T3")
    drawn = sample(problem, 100, "mcmc", steps=20, seed=1)
    z, proposals = np.exp(exact.log_evidence), 2000
    assert abs(np.exp(drawn.log_evidence) - z) <= 6 * drawn.evidence_error * z
    lower, upper = drawn.evidence_bounds
    assert lower <= exact.log_evidence + 1e-12 <= upper
    assert drawn.stats.attempts == proposals + 100
    assert 0 < drawn.stats.accepted < proposals


def test_rows_are_read_once_and_results_do_not_depend_on_the_batch() -> None:
    problem, exact = fixture("T2")
    for cut in CUTS:
        runs = [
            sample(problem, 30, "mcmc", cut=cut, seed=3, **how)
            for how in ({}, {"batch": 1}, {"memory": 0}, {"memory": 2000})
        ]
        assert len({tuple(s.token_ids for s in run.samples) for run in runs}) == 1
        assert runs[0].stats.prefixes_scored <= len(exact.log_future)
        assert runs[0].stats.prefixes_scored < runs[3].stats.prefixes_scored <= runs[2].stats.prefixes_scored
        assert {(s.log_weight, s.log_q) for s in runs[0].samples} == {(0.0, None)}
    log_prob = dict(zip(exact.outputs, exact.log_prob, strict=True))
    masses = dict(zip(exact.outputs, exact.log_mass, strict=True))
    for s in runs[0].samples:
        assert s.log_prob == pytest.approx(log_prob[s.token_ids], abs=1e-9)
        assert s.log_mass == pytest.approx(masses[s.token_ids], abs=1e-9)


class Counted:
    """A model that notes how many prefixes each of its calls has."""

    def __init__(self, model: TableModel) -> None:
        self.model, self.calls = model, [0] * 0
        self.vocabulary, self.fingerprint, self.tokens_forwarded = model.vocabulary, model.fingerprint, 0

    def logits(self, prefixes: Sequence[Tokens]) -> Floats:
        self.calls.append(len(prefixes))
        return self.model.logits(prefixes)


def test_chains_wait_for_the_model_together() -> None:
    """Chains whose rows are known run ahead, so few calls read for many; each goes the way it would go alone."""
    problem, _ = fixture("T2")
    for cut in CUTS:
        counted = Counted(problem.model)
        together = Problem(counted, problem.constraint, problem.max_tokens)
        drawn = sample(together, 60, "mcmc", cut=cut, steps=10, seed=7)
        assert sum(counted.calls) == drawn.stats.prefixes_scored
        assert len(counted.calls) < 5 * problem.max_tokens  # in lockstep 11 outputs one after the other
        alone = sample(problem, 60, "mcmc", cut=cut, steps=10, seed=7, batch=1)
        assert [s.token_ids for s in drawn.samples] == [s.token_ids for s in alone.samples]
        assert (drawn.stats.attempts, drawn.stats.accepted) == (alone.stats.attempts, alone.stats.accepted)


def test_restarts_of_one_chain_are_written_side_by_side() -> None:
    """Sixty steps in as many calls as one output has tokens, and the same chain whatever the batch."""
    problem, _ = fixture("T2")
    counted = Counted(problem.model)
    together = Problem(counted, problem.constraint, problem.max_tokens)
    drawn = sample(together, 1, "mcmc", steps=60, seed=7)
    assert len(counted.calls) <= 2 * problem.max_tokens
    for batch in (1, 3):
        alone = sample(problem, 1, "mcmc", steps=60, seed=7, batch=batch)
        assert alone.samples == drawn.samples
        assert alone.log_evidence == pytest.approx(drawn.log_evidence)


def test_a_budget_leaves_all_chains_after_as_many_steps() -> None:
    check_cut_chains()


def test_small_batches_serve_the_slowest_chain_first() -> None:
    """Half the prefixes leave every chain about half its steps, though each call reads one."""
    problem, _ = fixture("T2")
    options = {"cut": "uniform", "steps": 40, "seed": 5, "batch": 1, "memory": 0}
    whole = sample(problem, 8, "mcmc", **options)
    half = sample(problem, 8, "mcmc", budget=Budget(prefixes_scored=whole.stats.prefixes_scored // 2), **options)
    assert (half.status, len(half)) == ("budget", 8)
    assert int(half.note.split()[0]) > 12


def test_a_step_without_a_choice_never_strands_a_chain() -> None:
    """The first row is all but certain: a cut there has weight 1e-7 in "priority" but for restarts."""
    vocabulary = vocabulary_of("a", "b", "c")
    model = TableModel(vocabulary, lambda u: np.log([1 - 3e-9, 1e-9, 1e-9, 1e-9] if not u else [0.3, 0.3, 0.3, 0.1]))
    problem = Problem(model, finite_language(vocabulary, ["ab", "ac", "b"]), 4)
    k = check_kernel(problem, "priority")
    assert (np.linalg.matrix_power(k, 2000) > 0).all()
    only = Problem(model, finite_language(vocabulary, ["a"]), 4)  # no choice at all: every cut is a restart
    assert [s.data for s in sample(only, 2, "mcmc", cut="priority").samples] == [b"a"] * 2


def test_how_a_run_ends() -> None:
    problem, _ = fixture("T2")
    whole = sample(problem, 7, "mcmc", chains=2, steps=4, thin=2)
    assert (len(whole), whole.status, whole.exact, whole.target) == (7, "complete", False, "distribution")
    assert whole.stats.attempts == 2 + 2 * (4 + 3 * 2)
    assert whole.tv_bound is not None
    assert 0 < whole.tv_bound < 1
    cut = sample(problem, 5, "mcmc", steps=1000, budget=Budget(attempts=23))
    assert (len(cut), cut.status, cut.note[:9], cut.tv_bound) == (5, "budget", "3 of 1000", None)
    assert cut.stats.attempts == 20
    none = sample(problem, 5, "mcmc", budget=Budget(prefixes_scored=1))
    assert (len(none), none.status) == (0, "budget")
    few = sample(problem, 5, "mcmc", steps=1000, budget=Budget(prefixes_scored=60), memory=0)
    assert (few.status, few.log_evidence) == ("budget", None)
    assert few.stats.prefixes_scored < 60 + 64  # the batch that spent it
    for name, value in (("steps", 0), ("chains", 0), ("thin", 0), ("batch", 0), ("memory", -1), ("cut", "middle")):
        with pytest.raises(OptionError, match=name):
            sample(problem, 5, "mcmc", **{name: value})


def test_draws_that_die() -> None:
    """A dead proposal is a rejection; a dead first draw is drawn again; a language of dead ends is a status."""
    drawn = sample(dying(), 200, "mcmc", seed=2)
    assert {s.finish for s in drawn.samples} == {"stop"}
    assert drawn.stats.accept_rate < 0.9
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        row = np.log(np.array([0.5, 0.0, 0.5]))
    model = TableModel(vocabulary, lambda u: row)
    hopeless = Problem(model, finite_language(vocabulary, ["ab"]), 4)
    for budget, most in ((Budget(attempts=30), 30), (None, 1000)):
        stuck = sample(hopeless, 3, "mcmc", budget=budget)
        assert (stuck.status, len(stuck)) == ("degenerate", 0)
        assert most - 3 < stuck.stats.attempts <= most
        told = f"all {stuck.stats.attempts} first draws died: within max_tokens = 4 none met an end that is allowed"
        assert stuck.note == told
    empty = sample(Problem(model, finite_language(vocabulary, ["bb"]), 4), 3, "mcmc")
    assert (empty.status, empty.log_evidence) == ("empty", -np.inf)
