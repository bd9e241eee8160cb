"""Every mistake that samplers are known for, made on purpose: each must be caught by the judge that is named with it.

A mutant replaces one function; the judge passes without it and raises AssertionError (or the library's InvariantError)
with it. A judge that no mutant can fail would test nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from structgen.errors import StructgenError
from structgen.samplers import (
    attempts,
    beam,
    best_first,
    canonical,
    chains,
    choosers,
    cuts,
    law,
    mcmc,
    problem,
    resampling,
    run,
    trie,
    trie_rows,
    weights,
)
from structgen.samplers.choosers import every_outcome
from structgen.samplers.exact import enumerate_outputs, total_variation
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.law import TargetLaw
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from structgen.vocabulary import Vocabulary
from tests.samplers.judges import (
    check_accepts,
    check_attempt_order,
    check_cut_chains,
    check_fit,
    check_kernel,
    check_places,
    check_steps_ahead,
    check_trie_weights,
    check_weighted,
    dying,
    fixture,
    small_problem,
    unequal_weights,
    warmed,
)
from tests.samplers.test_canonical import letters_but, problem_of

Patch = Callable[[pytest.MonkeyPatch], None]
TAIL = np.log(np.array([0.05, 0.5, 0.3, 0.15]))


def masked_small() -> None:
    check_weighted(small_problem(), "masked", 2)


def masked_cut_short() -> None:
    """With a T that some strings exceed: none of them is ever seen, whole or in part."""
    drawn = sample(small_problem(3), 100, "masked").samples
    assert {s.data for s in drawn if s.finish == "stop"} <= {b"a", b"ab", b"bb"}


def masked_rare() -> None:
    """A step whose mass is 5e-6."""
    vocabulary = vocabulary_of("a", "b")
    rows = np.log(np.array([[1 - 6e-6, 5e-6, 1e-6], [0.3, 0.3, 0.4]]))
    model = TableModel(vocabulary, lambda u: rows[min(len(u), 1)])
    rare = Problem(model, finite_language(vocabulary, ["b", "bb"]), 4)
    assert enumerate_outputs(rare).log_evidence == pytest.approx(np.log(5e-6 * (0.4 + 0.3 * 0.4)), rel=1e-9)
    check_weighted(rare, "masked", 1)


def masked_dead_ends() -> None:
    """Draws that die count."""
    check_weighted(dying(), "masked", 2)


def two_stops() -> None:
    vocabulary = Vocabulary.from_bytes([b"a", b"", b""], eos=[1, 2])
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.5, 0.2, 0.3])))
    stops = Problem(model, finite_language(vocabulary, ["", "a"]), 4)
    drawn = sample(stops, 4, "masked")
    assert drawn.samples
    for s in drawn.samples:
        assert s.log_prob == pytest.approx(np.log(0.5 ** (1 + len(s.token_ids))))
        assert s.log_prob - s.log_q == pytest.approx(s.log_weight)
    check_weighted(stops, "masked", 1)


def top_k_before_the_mask() -> None:
    vocabulary = vocabulary_of("a", "b")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.6, 0.3, 0.1])))
    cut = Problem(model, finite_language(vocabulary, ["b", "a"]), 3, top_k=1)
    assert sample(cut, 4, "masked").status == "degenerate"  # "a" may begin, nothing of the law may end it


def trie_weights() -> None:
    check_trie_weights(small_problem(), warmed(small_problem(), 2))
    check_trie_weights(small_problem(), warmed(small_problem(), 0), together=2)


def trie_accepts() -> None:
    check_accepts(fixture("T1")[0], warmed(fixture("T1")[0], 2))
    check_accepts(small_problem(), warmed(small_problem(), 0), together=2)


def trie_tail() -> None:
    check_accepts(small_problem(), trie.Trie(small_problem(), kept=1))
    vocabulary = vocabulary_of("a", "b", "c")
    wide = Problem(TableModel.sine(vocabulary, 1.0), finite_language(vocabulary, ["a", "b", "c"]), 2)
    check_accepts(wide, trie.Trie(wide, kept=1), together=2)


def certificates() -> None:
    for name in ("T1", "T2", "T3"):
        problem_, exact = fixture(name)
        warm = warmed(problem_, 50)
        assert warm.log_lower - 1e-12 <= exact.log_evidence <= warm.log_upper + 1e-12


def launch_order() -> None:
    check_attempt_order(fixture("T3")[0], fixture("T3")[1], 1200)


def rejection_fits() -> None:
    problem_, exact = fixture("T3")
    result = sample(problem_, 2000, "rejection", seed=1)
    assert all(s.token_ids in exact.outputs for s in result.samples)
    check_fit(exact, [s.token_ids for s in result.samples])


def wide_rows() -> None:
    logits = (np.random.default_rng(0).normal(size=(1, 152_000)) * 5).astype(np.float32)
    assert abs(np.exp(law.log_law(logits, TargetLaw(), [0])).sum() - 1) < 1e-12


def uniform_kernel() -> None:
    check_kernel(fixture("T3")[0], "uniform", fixture("T3")[1])


def priority_kernel() -> None:
    check_kernel(fixture("T3")[0], "priority", fixture("T3")[1])


def restart_kernel() -> None:
    check_kernel(fixture("T3")[0], "restart", fixture("T3")[1])


def kernel_from_a_sure_start() -> None:
    """With a first row that is all but certain, outputs that begin otherwise must not be out of reach."""
    vocabulary = vocabulary_of("a", "b", "c")
    model = TableModel(vocabulary, lambda u: np.log([1 - 3e-9, 1e-9, 1e-9, 1e-9] if not u else [0.3, 0.3, 0.3, 0.1]))
    sure = Problem(model, finite_language(vocabulary, ["ab", "ac", "b"]), 4)
    k = check_kernel(sure, "priority")
    exact = enumerate_outputs(sure)
    assert (k >= 0.009 * np.exp(exact.log_evidence) * exact.target - 1e-15).all()


def evidence_of_chains() -> None:
    exact = enumerate_outputs(dying())
    drawn = sample(dying(), 100, "mcmc", steps=20)
    assert drawn.log_evidence == pytest.approx(exact.log_evidence, abs=6 * (drawn.evidence_error or 0))


def chain_certificate() -> None:
    for name in ("T1", "T3"):
        problem_, exact = fixture(name)
        for seed in range(3):
            lower, upper = sample(problem_, 20, "mcmc", seed=seed).evidence_bounds or (1.0, -1.0)
            assert lower - 1e-12 <= exact.log_evidence <= upper + 1e-12


def chains_read_ahead() -> None:
    for cut in ("restart", "uniform"):
        check_steps_ahead(dying(), cut)


def narrow_beams() -> None:
    """What is proven is true, whatever the width."""
    for name in ("T1", "T2", "T3"):
        problem_, exact = fixture(name)
        best = np.sort(exact.log_prob)[::-1]
        for width in (2, 4, 1000):
            found = sample(problem_, 2, "beam", width=width)
            assert [s.log_prob for s in found.samples[: found.proven]] == pytest.approx(best[: found.proven].tolist())


def likeliest_first() -> None:
    for name in ("T1", "T2", "T3"):
        problem_, exact = fixture(name)
        found = sample(problem_, 6, "best_first")
        assert [s.log_prob for s in found.samples] == pytest.approx(np.sort(exact.log_prob)[::-1][:6].tolist())


def canonical_language() -> None:
    """A tokenizer that spells "aba" as [ab, a], and "ab" as [a, b]."""
    wanted = {w for w in enumerate_outputs(problem_of(letters_but, False)).outputs if spelled(w)}
    assert set(enumerate_outputs(problem_of(letters_but, True)).outputs) == wanted


def spelled(w: tuple[int, ...]) -> bool:
    return letters_but("".join(("a", "b", "ab", "ba", "aa")[token] for token in w)) == list(w)


def batches() -> None:
    problem_, _ = fixture("T2")
    one, many = sample(problem_, 40, seed=3, batch=1), sample(problem_, 40, seed=3, batch=40)
    assert [s.token_ids for s in one.samples] == [s.token_ids for s in many.samples]
    assert [s.log_weight for s in one.samples] == pytest.approx([s.log_weight for s in many.samples])


def forget_last_mass(patch: pytest.MonkeyPatch) -> None:
    enter = weights.Path.enter

    def mutant(self: Any, event: int, log_prob: float, log_mass: float, log_weight: float, log_q: Any) -> None:
        enter(self, event, log_prob, log_mass, 0.0 if event == self.prefix.stop else log_weight, log_q)

    patch.setattr(weights.Path, "enter", mutant)


def weigh_by_q(patch: pytest.MonkeyPatch) -> None:
    enter = weights.Path.enter

    def mutant(self: Any, event: int, log_prob: float, log_mass: float, log_weight: float, log_q: Any) -> None:
        enter(self, event, log_prob, log_mass, -log_weight, log_q)

    patch.setattr(weights.Path, "enter", mutant)


def clamp_masses(patch: pytest.MonkeyPatch) -> None:
    """A mass below 1e-5 counts as impossible."""
    of = weights.Row.of

    def mutant(ids: Any, log_probs: Any) -> Any:
        row = of(ids, log_probs)
        return row if row.log_mass > np.log(1e-5) else of(ids[:0], log_probs[:0])

    patch.setattr(weights.Row, "of", mutant)


def one_minus_the_rest(patch: pytest.MonkeyPatch) -> None:
    of = weights.Row.of

    def mutant(ids: Any, log_probs: Any) -> Any:
        row = of(ids, log_probs)
        mass = 1 - np.float32(1 - np.exp(row.log_mass))
        return weights.Row(row.ids, row.log_probs, float(np.log(mass)) if mass > 0 else -np.inf)

    patch.setattr(weights.Row, "of", mutant)


def drop_dead_draws(patch: pytest.MonkeyPatch) -> None:
    mean = run.mean_weight
    patch.setattr(run, "mean_weight", lambda values: mean([v for v in values if v > -np.inf] or [-np.inf]))


def truncate_at_t(patch: pytest.MonkeyPatch) -> None:
    """At the last step the output may end wherever it stands."""
    allowed = problem.Problem.allowed

    def mutant(self: Any, prefix: Any) -> Any:
        if self.max_tokens - len(prefix.tokens) == 1:
            return np.array([self.stop])
        return allowed(self, prefix)

    patch.setattr(problem.Problem, "allowed", mutant)
    patch.setattr(problem.Problem, "_fewest_tokens", lambda self, prefix: 1)


def end_anywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(problem.Problem, "is_complete", lambda self, prefix: True)


def first_stop_only(patch: pytest.MonkeyPatch) -> None:
    log_law = law.log_law
    patch.setattr(problem, "log_law", lambda logits, target, stops: log_law(logits, target, stops[:1]))


def constrain_then_transform(patch: pytest.MonkeyPatch) -> None:
    laws = problem.Problem.laws

    def mutant(self: Any, prefixes: Any) -> Any:
        cut, self.law = self.law, TargetLaw(max_tokens=self.max_tokens)
        rows = laws(self, prefixes)
        self.law = cut
        for row, prefix in zip(rows, prefixes, strict=True):
            best = self.allowed(prefix)[np.argmax(row[self.allowed(prefix)])]
            row[:] = -np.inf
            row[best] = 0.0
        return rows

    patch.setattr(problem.Problem, "laws", mutant)


def float32_softmax(patch: pytest.MonkeyPatch) -> None:
    def mutant(logits: Any, target: Any, stops: Any) -> Any:
        scores = logits.astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        return scores - np.log(np.cumsum(np.exp(scores), axis=1, dtype=np.float32)[:, -1:])

    patch.setattr(law, "log_law", mutant)


def mix_up_rows(patch: pytest.MonkeyPatch) -> None:
    rows = run.Run.rows
    patch.setattr(run.Run, "rows", lambda self, prefixes: rows(self, prefixes)[::-1])


def completion_order(patch: pytest.MonkeyPatch) -> None:
    in_order = attempts.Attempts.in_order

    class FirstDone(deque):  # type: ignore[type-arg]
        def __getitem__(self, index: Any) -> Any:
            done = [a for a in self if a.outcome is not None]
            if done:
                self.remove(done[0])
                self.appendleft(done[0])
            return super().__getitem__(index)

    def mutant(self: Any, limit: int) -> Iterator[Any]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(attempts, "deque", FirstDone)
            yield from in_order(self, limit)

    patch.setattr(attempts.Attempts, "in_order", mutant)


def bound_of_now(patch: pytest.MonkeyPatch) -> None:
    """The ratio is taken against the bound as it is at arrival, not as it was when the parent chose."""
    survives = attempts.Attempts._survives

    def mutant(self: Any, attempt: Any) -> bool:
        theta, mass = self.trie.theta[attempt.node], self.trie.mass[attempt.node]
        attempt.bound = theta if theta < mass or not attempt.learned else attempt.bound
        return survives(self, attempt)

    patch.setattr(attempts.Attempts, "_survives", mutant)


def renormalise_instead_of_rejecting(patch: pytest.MonkeyPatch) -> None:
    survives = attempts.Attempts._survives

    def mutant(self: Any, attempt: Any) -> bool:
        self.reject, reject = False, self.reject
        alive = survives(self, attempt)
        self.reject = reject
        return alive

    patch.setattr(attempts.Attempts, "_survives", mutant)


def forget_the_root(patch: pytest.MonkeyPatch) -> None:
    survives = attempts.Attempts._survives

    def mutant(self: Any, attempt: Any) -> bool:
        before = attempt.log_weight
        alive = survives(self, attempt)
        if attempt.node == 0:
            attempt.log_weight = before
        return alive

    patch.setattr(attempts.Attempts, "_survives", mutant)


def reject_at_the_root(patch: pytest.MonkeyPatch) -> None:
    survives = attempts.Attempts._survives

    def mutant(self: Any, attempt: Any) -> bool:
        alive = survives(self, attempt)
        if alive and attempt.node == 0 and self.reject and not attempt.chooser.accept(attempt.log_upper):
            attempt.outcome = "rejected"
        return attempt.outcome is None

    patch.setattr(attempts.Attempts, "_survives", mutant)


def tail_without_its_newest(patch: pytest.MonkeyPatch) -> None:
    """The tail is taken as it is when the row arrives, not as it was when it was chosen."""
    from_tail = attempts.Attempts._from_tail

    def mutant(self: Any, attempt: Any, row: Any, placed: Any) -> None:
        now = self.trie.rows[attempt.node].ids
        from_tail(self, attempt, row, now if now.size < row.ids.size else placed)

    patch.setattr(attempts.Attempts, "_from_tail", mutant)


def tail_of_mass_one(patch: pytest.MonkeyPatch) -> None:
    of = trie_rows.NodeRow.of

    def mutant(*given: Any) -> Any:
        kept = of(*given)
        kept.log_tail = min(kept.log_tail + 0.1, 0.0)
        return kept

    patch.setattr(trie_rows.NodeRow, "of", mutant)


def count_twice(patch: pytest.MonkeyPatch) -> None:
    """M passes all it found up again at every draw."""
    settle = trie.Trie.settle

    def mutant(self: Any, node: int) -> None:
        for place in range(len(self.passed)):
            self.passed[place] = -np.inf
        settle(self, node)

    patch.setattr(trie.Trie, "settle", mutant)


def settle_below_the_truth(patch: pytest.MonkeyPatch) -> None:
    """The bound is taken for the mass that was found."""
    settle = trie.Trie.settle

    def mutant(self: Any, node: int) -> None:
        self.theta[node] = min(self.theta[node], self.found[node])
        settle(self, node)

    patch.setattr(trie.Trie, "settle", mutant)


def forget_the_proposal(patch: pytest.MonkeyPatch) -> None:
    """Metropolis without Hastings: p(y) / p(x)."""

    def mutant(cut: str, x: Any, y: Any) -> float:
        return min(0.0, y.log_prob - x.log_prob) if y.finish == "stop" else -np.inf

    patch.setattr(chains, "log_acceptance", mutant)


def forget_the_way_back(patch: pytest.MonkeyPatch) -> None:
    """W(y) / W(x) whatever the cut: what outputs of different length or choice would do on the way back is left out."""
    log_acceptance = cuts.log_acceptance
    patch.setattr(chains, "log_acceptance", lambda cut, x, y: log_acceptance("restart", x, y))


def way_back_upside_down(patch: pytest.MonkeyPatch) -> None:
    weights_of = cuts.cut_weights
    log_acceptance = cuts.log_acceptance

    def mutant(cut: str, x: Any, y: Any) -> float:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(cuts, "cut_weights", lambda name, z: 1 / weights_of(name, z).sum(keepdims=True))
            return log_acceptance(cut, x, y)

    patch.setattr(chains, "log_acceptance", mutant)


def never_cut_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """The cut just before bottom is drawn but left out of G."""
    weights_of = cuts.cut_weights
    log_acceptance = cuts.log_acceptance

    def mutant(cut: str, x: Any, y: Any) -> float:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(cuts, "cut_weights", lambda name, z: weights_of(name, z)[: max(1, len(z.events) - 1)])
            return log_acceptance(cut, x, y)

    patch.setattr(chains, "log_acceptance", mutant)


def entropy_of_unmasked_p(patch: pytest.MonkeyPatch) -> None:
    """The cut is drawn by one entropy and accounted for by another."""
    weights_of = cuts.cut_weights
    log_acceptance = cuts.log_acceptance

    def mutant(cut: str, x: Any, y: Any) -> float:
        def unmasked(name: str, z: Any) -> Any:
            return weights_of(name, z) * np.exp(np.array(z.log_m))

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(cuts, "cut_weights", unmasked)
            return log_acceptance(cut, x, y)

    patch.setattr(chains, "log_acceptance", mutant)


def no_restarts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cuts, "RESTARTS", 1e-300)


def forget_dead_proposals(patch: pytest.MonkeyPatch) -> None:
    mean = mcmc.mean_weight
    patch.setattr(mcmc, "mean_weight", lambda values: mean([v for v in values if v > -np.inf] or [-np.inf]))


def weight_without_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cuts.Trace, "log_weight", property(lambda trace: sum(trace.log_m[:-1])))


def weight_upside_down(patch: pytest.MonkeyPatch) -> None:
    log_acceptance = cuts.log_acceptance
    patch.setattr(chains, "log_acceptance", lambda cut, x, y: log_acceptance(cut, y, x))


def every_proposal_counts(patch: pytest.MonkeyPatch) -> None:
    """An output met twice is counted twice in M."""
    move = chains.Chains._move

    def mutant(self: Any, chain: Any, proposal: Any) -> None:
        self.seen[len(self.seen), *proposal.trace.tokens] = proposal.trace.log_prob
        move(self, chain, proposal)

    patch.setattr(chains.Chains, "_move", mutant)


def where_it_stands_by_now(patch: pytest.MonkeyPatch) -> None:
    """A budget returns chains that ran ahead with those that did not."""
    patch.setattr(chains.Chains, "states", lambda self, step: [chain.past[-1] for chain in self.chains])


def ahead_of_another_state(patch: pytest.MonkeyPatch) -> None:
    """What was written ahead stays, though the chain has moved from where it was cut."""
    patch.setattr(chains.Chains, "_look_again", lambda self, chain: None)


def the_first_to_be_finished(patch: pytest.MonkeyPatch) -> None:
    """The step is made with whatever proposal is finished, so short ones are too many."""
    settle = chains.Chains._settle

    def mutant(self: Any, chain: Any, last: int) -> None:
        chain.ahead = deque(sorted(chain.ahead, key=lambda proposal: proposal.trace.finish is None))
        settle(self, chain, last)

    patch.setattr(chains.Chains, "_settle", mutant)


def a_dead_one_is_drawn_again(patch: pytest.MonkeyPatch) -> None:
    """A proposal written ahead is dropped for what it came to."""
    settle = chains.Chains._settle

    def mutant(self: Any, chain: Any, last: int) -> None:
        further = list(chain.ahead)[1:]
        chain.ahead = deque([*list(chain.ahead)[:1], *(each for each in further if each.trace.finish != "dead")])
        settle(self, chain, last)

    patch.setattr(chains.Chains, "_settle", mutant)


def beam_forgets_the_beaten(patch: pytest.MonkeyPatch) -> None:
    """What a row had beyond the width is not counted as given up."""
    best_of = beam.Group._best_of

    def mutant(self: Any, *given: Any) -> Any:
        before = self.log_rest
        out = best_of(self, *given)
        self.log_rest = before
        return out

    extend = beam.Group.extend

    def forgetful(self: Any, *given: Any) -> None:
        before = self.log_rest
        extend(self, *given)
        self.log_rest = before

    patch.setattr(beam.Group, "_best_of", mutant)
    patch.setattr(beam.Group, "extend", forgetful)


def search_the_masked_law(patch: pytest.MonkeyPatch) -> None:
    """Places are in the order of q, not of p."""
    of = best_first.Events.of

    def mutant(row: Any, first: int) -> Any:
        return of(weights.Row(row.ids, row.log_probs - row.log_mass, 0.0), first)

    patch.setattr(best_first.Events, "of", mutant)


def judge_prefixes(patch: pytest.MonkeyPatch) -> None:
    """Every prefix of a canonical sequence is taken to be canonical."""
    start = canonical.CanonicalConstraint.__init__

    def mutant(self: Any, constraint: Any, encode: Any, *, by_prefix: bool = False) -> None:
        start(self, constraint, encode, by_prefix=True)

    patch.setattr(canonical.CanonicalConstraint, "__init__", mutant)


def end_in_any_spelling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical.CanonicalMatcher, "is_accepting", lambda self: self.under.is_accepting())


def order_of_the_tail() -> None:
    """Draws without replacement by Gumbel keys alone: the rounds of draws with replacement do not hide them."""
    expected = {result: p for p, result in every_outcome(lambda c: tuple(c.order(TAIL)))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosers, "_ROUNDS", 0)
        chooser = choosers.RandomChooser(5)
        drawn = Counter(tuple(chooser.order(TAIL)) for _ in range(20_000))
    for order, p in expected.items():
        assert abs(drawn[order] - 20_000 * p) < 6 * np.sqrt(20_000 * p * (1 - p)) + 6


def places_of_a_resampled_set() -> None:
    drawn = unequal_weights()
    for scheme in ("stratified", "systematic", "residual"):
        check_places(lambda chooser, scheme=scheme: drawn.resample(3, chooser, scheme))


def searches_cut_short() -> None:
    """Whatever a search did not return is at most as likely as it says."""
    for name in ("T1", "T2", "T3"):
        problem_, exact = fixture(name)
        for budget in range(1, 30):
            found = sample(problem_, 3, "best_first", batch=4, limit=budget)
            returned = {s.token_ids for s in found.samples}
            rest = [p for w, p in zip(exact.outputs, exact.log_prob, strict=True) if w not in returned]
            assert found.log_rest is not None and max(rest, default=-np.inf) <= found.log_rest + 1e-12


def chains_as_near_as_certified() -> None:
    """The law after k steps, exactly, against the bound; Z is known here, so the bound is as tight as it gets."""
    for problem_ in (fixture("T3")[0], slow_to_restart()):
        exact = enumerate_outputs(problem_)
        for cut in cuts.CUTS:
            k, law_ = check_kernel(problem_, cut, exact), exact.masked / exact.masked.sum()
            for steps in range(8):
                bound = cuts.certificate(cut, problem_.max_tokens, steps, exact.log_evidence)
                assert total_variation(law_, exact.target) <= bound + 1e-12, (cut, steps)
                law_ = law_ @ k


def slow_to_restart() -> Problem:
    """Long outputs that differ at the first token, where a uniform cut is rare; "a" is drawn far too often."""
    vocabulary = vocabulary_of("a", "b")
    rows = np.log(np.array([[0.5, 0.5 - 1e-9, 1e-9], [0.5, 0.4999, 0.0001]]))
    model = TableModel(vocabulary, lambda u: rows[1] if u[:1] == (0,) or not u else np.log([0.0005, 0.999, 0.0005]))
    return Problem(model, finite_language(vocabulary, ["aaaaaa", "bbbbbb"]), 7)


def uniform_tail_keys(patch: pytest.MonkeyPatch) -> None:
    """Uniform numbers where exponential ones belong."""
    order = choosers.RandomChooser.order

    def mutant(self: Any, log_weights: Any) -> Any:
        generator = self.generator
        self.generator = SimpleNamespace(random=generator.random, standard_exponential=generator.random)
        yield from order(self, log_weights)
        self.generator = generator

    patch.setattr(choosers.RandomChooser, "order", mutant)


def unshuffled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resampling, "_shuffled", lambda drawn, chooser: drawn)


def forget_what_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(best_first, "_log_rest", lambda queue, waiting: queue.log_bound)


def every_cut_a_restart(patch: pytest.MonkeyPatch) -> None:
    certificate = cuts.certificate
    patch.setattr(cuts, "certificate", lambda cut, *rest: certificate("restart", *rest))


MUTANTS: list[tuple[Patch, Callable[[], None]]] = [
    (forget_last_mass, masked_small),
    (weigh_by_q, masked_small),
    (clamp_masses, masked_rare),
    (one_minus_the_rest, masked_rare),
    (drop_dead_draws, masked_dead_ends),
    (truncate_at_t, masked_cut_short),
    (end_anywhere, rejection_fits),
    (first_stop_only, two_stops),
    (constrain_then_transform, top_k_before_the_mask),
    (float32_softmax, wide_rows),
    (mix_up_rows, batches),
    (completion_order, launch_order),
    (bound_of_now, trie_accepts),
    (bound_of_now, trie_weights),
    (renormalise_instead_of_rejecting, trie_accepts),
    (forget_the_root, trie_weights),
    (reject_at_the_root, trie_accepts),
    (tail_without_its_newest, trie_tail),
    (tail_of_mass_one, trie_tail),
    (count_twice, certificates),
    (settle_below_the_truth, certificates),
    (forget_the_way_back, uniform_kernel),
    (forget_the_way_back, priority_kernel),
    (way_back_upside_down, uniform_kernel),
    (way_back_upside_down, priority_kernel),
    (never_cut_at_the_end, uniform_kernel),
    (entropy_of_unmasked_p, priority_kernel),
    (no_restarts, kernel_from_a_sure_start),
    (forget_dead_proposals, evidence_of_chains),
    (forget_the_proposal, uniform_kernel),
    (forget_the_proposal, restart_kernel),
    (weight_without_the_end, restart_kernel),
    (weight_upside_down, restart_kernel),
    (weight_upside_down, priority_kernel),
    (every_proposal_counts, chain_certificate),
    (where_it_stands_by_now, check_cut_chains),
    (ahead_of_another_state, chains_read_ahead),
    (the_first_to_be_finished, chains_read_ahead),
    (a_dead_one_is_drawn_again, chains_read_ahead),
    (judge_prefixes, canonical_language),
    (end_in_any_spelling, canonical_language),
    (beam_forgets_the_beaten, narrow_beams),
    (search_the_masked_law, likeliest_first),
    (uniform_tail_keys, order_of_the_tail),
    (unshuffled, places_of_a_resampled_set),
    (forget_what_waits, searches_cut_short),
    (every_cut_a_restart, chains_as_near_as_certified),
]


@pytest.mark.parametrize(("mutant", "judge"), MUTANTS, ids=lambda f: f.__name__)
def test_the_judge_catches_the_mutant(mutant: Patch, judge: Callable[[], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        with pytest.raises((AssertionError, StructgenError)):
            judge()


@pytest.mark.parametrize("judge", dict.fromkeys(judge for _, judge in MUTANTS), ids=lambda f: f.__name__)
def test_the_judge_passes_what_is_right(judge: Callable[[], None]) -> None:
    judge()
