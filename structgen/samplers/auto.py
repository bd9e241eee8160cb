"""Which method? CARS where it is cheap, as its outputs are exact; else particles (`smc`), in rounds where they pay.

The first attempts of CARS are a probe, in rounds: two at least, and further ones while none is accepted and all of it
has cost less than an eighth of what the particles would. The last round has learned most, and counts:

    s   prefixes scored          a   attempts accepted          L   mean steps of the accepted outputs

n outputs will cost about n s / a prefixes, and fewer as the trie goes on learning; N particles at most N L. CARS goes
on if n s / a <= 2 N L: to be exact is worth as much again.

The outputs of the probe are thrown away, though each is a draw from pi: whether CARS goes on depends on them, and those
after which it does have another law. The trie remains, and no output that comes later knows of the decision: given the
trie an accepted attempt is a draw from pi (`cars`), so all n are exact and independent. Particles have streams of their
own, and their weights are right as ever. Cost: the probe, whose prefixes CARS need not score again.

Particles go in rounds (`smc`) wherever there are states to learn from and the budget has room: N / 4 scouts first, and
N / 4 more unless the first leave a relative error of the evidence of `_ENOUGH`. What they read guides the N, who have
weights of their own, whatever the scouts came to. A set says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from structgen.options import check_least
from structgen.samplers.attempts import Attempt, Attempts, trie_for
from structgen.samplers.cars import accepted_outputs, accepted_samples
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Run
from structgen.samplers.smc import smc

__all__ = ["Probe", "auto"]

_WORTH = 2  # times the prefixes of smc that exact outputs may cost
_MOST_ROUNDS = 64  # attempts that score nothing new are cheap, but not free
_ROUNDS, _FEWEST_SCOUTS, _ENOUGH = 3, 16, 0.1  # of particles


@dataclass(frozen=True, slots=True)
class Probe:
    """What the last round of first attempts says.

    field     meaning
    attempts  how many they were
    accepted  how many of them became outputs
    scored    prefixes whose logits they needed
    steps     events of the accepted outputs, bottom included, all together
    """

    attempts: int
    accepted: int
    scored: int
    steps: int

    def prefers_cars(self, n: int, particles: int) -> bool:
        """n s / a <= 2 N L."""
        return self.accepted > 0 and n * self.scored <= _WORTH * particles * self.steps

    def why(self, n: int, particles: int) -> str:
        """The decision and its reason, in words."""
        rate = f"{self.accepted} of the last {self.attempts} attempts were accepted"
        if not self.accepted:
            return f"smc: {rate}"
        cars_cost, smc_cost = n * self.scored / self.accepted, particles * self.steps / self.accepted
        chosen = "cars" if self.prefers_cars(n, particles) else "smc"
        return f"{chosen}: {rate}; n = {n} would score about {cars_cost:.0f} prefixes, smc at most {smc_cost:.0f}"


def auto(run: Run, n: int, *, probe: int = 16, draws: int | None = None, concurrency: int = 16) -> SampleSet:
    """n exact independent draws by `cars` where they are cheap, else `draws` weighted particles of `smc`.

    Rounds of `probe` attempts decide; `draws` is 32 or 4 n if not given. `SampleSet.method` says what was chosen, its
    note why. Potentials are for smc alone.
    """
    particles = max(32, 4 * n) if draws is None else draws
    check_least(probe=(probe, 1), draws=(particles, n))
    if run.problem.law.potentials:
        return _by_particles(run, particles, "smc: there are potentials")
    streams = particles + (_ROUNDS - 1) * _scouts(particles) + _ROUNDS  # of all rounds of particles
    attempts = Attempts(run, trie_for(run, None), reject=True, concurrency=concurrency, first=streams)
    found, begun = _probed(run, attempts, probe, run.attempt_limit(n), particles)
    if attempts.cut or attempts.trie.log_upper == -np.inf or found.prefers_cars(n, particles):
        result = accepted_outputs(run, attempts, n, run.attempt_limit(n) - begun)
        result = _noted(result, found.why(n, particles) if result.status != "empty" else "")
    else:
        result = _by_particles(run, particles, found.why(n, particles))
    run.stats.attempts += begun
    return result


def _by_particles(run: Run, particles: int, why: str) -> SampleSet:
    """N of them, in rounds where that is possible, and what the first round had left to gain."""
    scouts, limit = _scouts(particles), run.budget.attempts
    if run.problem.automaton is None:
        return _noted(smc(run, particles), f"{why}; one round, as the constraint has no states to learn from")
    if limit is not None and limit < particles + (_ROUNDS - 1) * scouts:
        return _noted(smc(run, particles), f"{why}; one round, as the budget has no attempts for scouts")
    result = smc(run, particles, rounds=_ROUNDS, scouts=scouts, enough=_ENOUGH)
    if not result.rounds:
        return _noted(result, why)
    error = result.rounds[0].evidence_error
    left = "met no output" if error is None else f"left a relative error of the evidence of {error:.2g}"
    return _noted(result, f"{why}; {len(result.rounds)} rounds, as {scouts} scouts {left}")


def _probed(run: Run, attempts: Attempts, size: int, limit: int, particles: int) -> tuple[Probe, int]:
    """Rounds of attempts: what the last of them says, and how many attempts all were."""
    seen: list[Attempt] = []
    run.finished = lambda: accepted_samples(run, (*seen, *attempts.finished()), len(seen))
    for turn in range(1, _MOST_ROUNDS + 1):
        before, begun = run.stats.prefixes_scored, len(seen)
        for attempt in attempts.in_order(min(size, limit - begun)):
            seen.append(attempt)
            run.stats.attempts = len(seen)
            run.stats.accepted += attempt.outcome == "stop"
        last = seen[begun:]
        steps = [len(attempt.masses) for attempt in last if attempt.outcome == "stop"]
        deepest = max((len(attempt.masses) for attempt in seen), default=0)
        costly = 8 * run.stats.prefixes_scored >= particles * deepest
        if len(last) < size or (turn > 1 and (steps or costly)):
            break
    return Probe(len(last), len(steps), run.stats.prefixes_scored - before, sum(steps)), len(seen)


def _scouts(particles: int) -> int:
    return max(_FEWEST_SCOUTS, particles // 4)


def _noted(result: SampleSet, why: str) -> SampleSet:
    """With the decision before whatever the method has to say."""
    return replace(result, note="; ".join(filter(None, (why, result.note))))
