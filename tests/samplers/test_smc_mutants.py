"""Mistakes that particles, AWRS and predicates are known for, made on purpose: each is caught by its judge."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from structgen.errors import PredicateError, StructgenError
from structgen.samplers import predicates, problem, proposals, resampling, smc
from structgen.samplers.awrs import AWRS, Draw
from structgen.samplers.choosers import every_outcome
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.logspace import log_sum
from structgen.samplers.predicates import Predicate
from structgen.samplers.run import sample
from tests.samplers.guards import favours_b, guarded_problem, no_double_b
from tests.samplers.judges import check_weighted, small_problem
from tests.samplers.test_awrs import check_proper
from tests.samplers.test_smc import skewed

Patch = Callable[[pytest.MonkeyPatch], None]


def particles() -> None:
    check_weighted(small_problem(), "smc", 2, ess_threshold=1.01)
    check_weighted(small_problem(), "smc", 2, ess_threshold=0.9)


def twisted() -> None:
    check_weighted(small_problem(), "smc", 2, ess_threshold=0.9, twist=skewed)


def scored() -> None:
    check_weighted(guarded_problem(favours_b(), no_double_b()), "smc", 2, ess_threshold=0.9)


def checked() -> None:
    for proposal in ("lm", "awrs", "full", "mask"):
        check_weighted(guarded_problem(no_double_b()), "smc", 1, proposal=proposal)


def checked_on_the_way() -> None:
    """Nothing may follow a, though ab would be an output."""
    stops = Predicate(lambda text, complete: complete or text in ("", "b", "ba"))
    for proposal in ("lm", "awrs", "full", "mask"):
        check_weighted(guarded_problem(stops), "smc", 1, proposal=proposal)


def conditioned() -> None:
    """Outputs that the predicate refuses are none."""
    drawn = sample(guarded_problem(no_double_b()), 200, "smc", seed=1).samples
    assert {s.data for s in drawn if s.finish == "stop"} == {b"a", b"bab"}


def proper() -> None:
    for p in ((0.5, 0.5), (0.5, 0.25, 0.15, 0.1)):
        for f in ((1, 0, 1, 0), (0, 1, 0, 1), (1, 1, 1, 0), (0, 0, 1, 1)):
            check_proper(AWRS(), p, f[: len(p)])
            check_proper(AWRS(2, 2), p, f[: len(p)])


def rare() -> None:
    """One valid event of mass 5e-6 among two, and nothing but it."""
    check_proper(AWRS(), (1 - 5e-6, 5e-6), (0, 1))


def dying() -> None:
    """Runs in which all particles die belong to the mean."""
    stubborn = guarded_problem(Predicate(lambda text, complete: not text.startswith("a")), max_tokens=3)
    mean = sum(
        probability * float(np.exp(result.log_evidence)) if result.log_evidence is not None else 0.0
        for probability, result in every_outcome(lambda c: sample(stubborn, 2, "smc", seed=c, proposal="mask"))
    )
    assert mean == pytest.approx(float(np.exp(enumerate_outputs(stubborn).log_evidence)), abs=1e-12)


def raising() -> None:
    def fragile(text: str, complete: bool) -> bool:
        raise ValueError("no")

    for method in ("masked", "smc", "cars"):
        try:
            sample(guarded_problem(Predicate(fragile)), 5, method)
        except PredicateError as error:
            assert error.text == "" and not error.complete
        else:
            raise AssertionError("the failure was passed over")


def start_from_nothing(patch: pytest.MonkeyPatch) -> None:
    """After resampling weights are one, not their mean."""
    resample = smc.Particles.resample

    def mutant(self: Any, scheme: str) -> None:
        resample(self, scheme)
        for path in self.paths:
            path.log_weight = 0.0

    patch.setattr(smc.Particles, "resample", mutant)


def keep_the_weights(patch: pytest.MonkeyPatch) -> None:
    """Particles are picked by weight and keep it."""
    copy = resampling.resample

    def mutant(self: Any, scheme: str) -> None:
        chosen = copy(self.log_weights, len(self.paths), self.resampler, scheme)
        self.paths = [self.paths[slot].copy() for slot in chosen.tolist()]
        self.log_psi, self.ancestors = self.log_psi[chosen], self.ancestors[chosen]

    patch.setattr(smc.Particles, "resample", mutant)


def resample_the_unfinished(patch: pytest.MonkeyPatch) -> None:
    """Finished particles stay out of the resampling, and weights become the mean of all."""

    def mutant(self: Any, scheme: str) -> None:
        live, log_mean = self.live, self.log_mean
        weights = np.array([self.paths[slot].log_weight for slot in live])
        chosen = resampling.resample(weights, len(live), self.resampler, scheme)
        paths = [self.paths[live[i]].copy() for i in chosen.tolist()]
        for slot, path in zip(live, paths, strict=True):
            path.log_weight = log_mean
            self.paths[slot] = path

    patch.setattr(smc.Particles, "resample", mutant)


def twist_stays_at_the_end(patch: pytest.MonkeyPatch) -> None:
    advance = smc.Particles.advance

    def mutant(self: Any, step: Any) -> None:
        live, before = self.live, self.log_psi.copy()
        advance(self, step)
        for slot in live:
            if self.paths[slot].finish == "stop":
                self.paths[slot].log_weight += float(before[slot])

    patch.setattr(smc.Particles, "advance", mutant)


def twist_without_its_past(patch: pytest.MonkeyPatch) -> None:
    """psi(u_t) is multiplied in at every step and never divided out."""
    advance = smc.Particles.advance

    def mutant(self: Any, step: Any) -> None:
        live, before = self.live, self.log_psi.copy()
        advance(self, step)
        for slot in live:
            if self.paths[slot].finish is None:
                self.paths[slot].log_weight += float(before[slot])

    patch.setattr(smc.Particles, "advance", mutant)


def drop_dead_particles(patch: pytest.MonkeyPatch) -> None:
    mean = smc.Particles.log_mean.fget  # type: ignore[attr-defined]

    def mutant(self: Any) -> float:
        alive = [path.log_weight for path in self.paths if path.log_weight > -np.inf]
        return log_sum(alive) - float(np.log(len(alive))) if alive else mean(self)

    patch.setattr(smc.Particles, "log_mean", property(mutant))


def drop_dead_runs(patch: pytest.MonkeyPatch) -> None:
    """A run without survivors is begun again."""
    result = smc.Particles.result

    def mutant(self: Any, **known: Any) -> Any:
        if self.log_mean > -np.inf:
            return result(self, **known)
        return smc.smc(self.run, len(self.paths), proposal="full")

    patch.setattr(smc.Particles, "result", mutant)


def clamped_estimator(patch: pytest.MonkeyPatch) -> None:
    """Draws stop once almost everything was rejected."""
    draw = AWRS.draw

    def mutant(self: Any, log_p: Any, accepts: Any, chooser: Any) -> Draw:
        drawn = draw(self, log_p, accepts, chooser)
        small = drawn.place is not None and log_p[drawn.place] < np.log(1e-5)
        return Draw(None, -np.inf, drawn.checks) if small else drawn

    patch.setattr(AWRS, "draw", mutant)


def published_twice(patch: pytest.MonkeyPatch) -> None:
    """x stays among what is looked at after it."""
    rest = AWRS._rest

    def mutant(self: Any, left: Any, order: Any, accepts: Any, looks: int) -> Any:
        estimate, checks = rest(self, left, order, accepts, looks)
        return (estimate + np.log(2.0) if checks and estimate > -np.inf else estimate), checks

    patch.setattr(AWRS, "_rest", mutant)


def mass_of_the_accepted_alone(patch: pytest.MonkeyPatch) -> None:
    """Z-hat = p(x), as if nothing else could be accepted."""
    patch.setattr(AWRS, "_rest", lambda self, left, order, accepts, looks: (-np.inf, 0))


def everything_left_is_fine(patch: pytest.MonkeyPatch) -> None:
    """Z-hat = 1 - psi, as if everything that is left were accepted."""
    patch.setattr(AWRS, "_rest", lambda self, left, order, accepts, looks: (log_sum(left), 0))


def looks_until_one_passes(patch: pytest.MonkeyPatch) -> None:
    """The looks end with the first that is accepted: what they found decides how many there are."""
    rest = AWRS._rest

    def mutant(self: Any, left: Any, order: Any, accepts: Any, looks: int) -> Any:
        drawn = list(order)
        first = next((place for place, y in enumerate(drawn) if accepts(y)), len(drawn))
        return rest(self, left, iter(drawn), accepts, min(looks, first + 1))

    patch.setattr(AWRS, "_rest", mutant)


def looks_replace_the_rejected(patch: pytest.MonkeyPatch) -> None:
    """With more looks than one, every look is taken for a draw from all that was left at first."""

    def mutant(self: Any, left: Any, order: Any, accepts: Any, looks: int) -> Any:
        drawn = list(itertools.islice(order, looks))
        share = sum(map(accepts, drawn)) / len(drawn) if drawn else 0.0
        return (log_sum(left) + np.log(share) if share else -np.inf), len(drawn)

    patch.setattr(AWRS, "_rest", mutant)


def weight_of_the_first_choice(patch: pytest.MonkeyPatch) -> None:
    """The mask's mass as weight, though the predicate refused some of it."""

    def mutant(self: Any, run_: Any, path: Any, row: Any, chooser: Any) -> None:
        drawn = self.estimator.draw(row.log_probs, proposals._check(run_, path, row), chooser)
        if drawn.place is None:
            path.die()
        else:
            path.take(row, drawn.place, log_sum(row.log_probs), None)

    patch.setattr(proposals.Awrs, "step", mutant)


def unmasked_bonus(patch: pytest.MonkeyPatch) -> None:
    """The predicate's yes stands for the constraint's: the end is allowed wherever the predicate allows it."""
    patch.setattr(predicates.GuardedMatcher, "is_accepting", lambda self: self.guard.passes(self.data, complete=True))


def refusals_pass(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(predicates.Guarded, "passes", lambda self, data, *, complete: True)


def potential_twice(patch: pytest.MonkeyPatch) -> None:
    """Once as the twist that is left over, once at the end."""
    twist_stays_at_the_end(patch)


def failures_are_refusals(patch: pytest.MonkeyPatch) -> None:
    ask = predicates.Predicate._ask

    def mutant(self: Any, data: bytes, complete: bool) -> float:
        try:
            return ask(self, data, complete)
        except PredicateError:
            return 0.0

    patch.setattr(predicates.Predicate, "_ask", mutant)


def a_no_on_the_way_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A text that may only end here goes on, if what comes next is fine."""
    patch.setattr(problem.Prefix, "goes_on", lambda self: True)


MUTANTS: list[tuple[Patch, Callable[[], None]]] = [
    (start_from_nothing, particles),
    (keep_the_weights, particles),
    (resample_the_unfinished, particles),
    (twist_stays_at_the_end, twisted),
    (twist_without_its_past, twisted),
    (potential_twice, scored),
    (drop_dead_particles, dying),
    (drop_dead_runs, dying),
    (clamped_estimator, rare),
    (published_twice, proper),
    (mass_of_the_accepted_alone, proper),
    (everything_left_is_fine, proper),
    (looks_until_one_passes, proper),
    (looks_replace_the_rejected, proper),
    (weight_of_the_first_choice, checked),
    (unmasked_bonus, checked),
    (refusals_pass, conditioned),
    (a_no_on_the_way_is_forgotten, checked_on_the_way),
    (failures_are_refusals, raising),
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
