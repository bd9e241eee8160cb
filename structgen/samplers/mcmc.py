"""Metropolis-Hastings over outputs: keep a part of the present one, write the rest anew by masked decoding, or stay.

    x, y        the present output and the proposal
    g(u)        how readily an output is cut at its prefix u; G(x) = sum of g over x_<0, ..., x_<|x|
    pos_x(i)    g(x_<i) / G(x): the cut, x_<i is kept
    q(y_i..)    masked decoding of the rest, prod of p / m, bottom the last event
    Q(x -> y)   sum over all cuts i in the part that x and y share of pos_x(i) q(y_i.. | y_<i)

    accept with min(1, p(y) Q(y -> x) / (p(x) Q(x -> y))) = min(1, G(x) W(y) / (G(y) W(x))),   W = prod of m

The sums cancel: for every shared cut p(x) pos_x(i) q(y_i..) is G(y) W(x) / (G(x) W(y)) times the same with x and y
exchanged, as g and m at shared prefixes are the same for both.

    cut         g(u)
    restart     1 for the empty prefix, else 0: independent proposals
    uniform     1
    priority    exp(H(u)) - 1, H the entropy of the masked row: where there was a choice; one step in 100 is a restart

pi is stationary for each, and every kernel has a part of pi in it: K(x, .) >= delta Z pi, as Q(x -> y) is at least
delta q(y) and q / pi = Z / W >= Z, with delta = 1, 1 / T, 1 / 100 of each cut. So has the start, a masked draw that did
not die: mu >= q >= Z pi. With mu = Z pi + (1 - Z) r, and as K leaves pi as it is, mu K^k - pi = (1 - Z) (r - pi) K^k;
K shrinks the difference of two laws by 1 - delta Z (Doeblin). Hence

    TV_k <= (1 - delta Z)^k (1 - Z)

Z >= M, the probability of all outputs met so far, makes it a certificate, a loose one for large languages. Potentials
Phi multiply p(w bottom) and W; W is not bounded by one then, and there is no certificate.

A proposal that dies is a rejected one. The first state is a masked draw that did not die.

Source: Gonzalez et al. 2025, "Constrained Sampling for Language Models Should Be Easy: An MCMC Perspective"; the short
form of the acceptance, the restarts among "priority" cuts and the bounds are this library's. Cost: a proposal reads the
rows that were not read lately; p and q come from the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from structgen.errors import OptionError
from structgen.protocols import Chooser, Floats, Tokens
from structgen.samplers.logspace import log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.result import Sample, SampleSet
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run, mean_weight
from structgen.samplers.weights import Row
from structgen.vocabulary import Vocabulary

__all__ = ["CUTS", "RESTARTS", "Chain", "Chains", "Trace", "certificate", "mcmc"]

CUTS = ("restart", "uniform", "priority")
RESTARTS = 0.01  # of the steps of "priority": pos(0) > 0 whatever the first row looks like
_SEEN = 10_000  # outputs remembered for M


@dataclass(slots=True)
class Trace:
    """An output and what each of its steps knew.   L = |x| + 1 steps once it ends

    `prefixes[i]` is x_<i; `events`, `log_p`, `log_m`, `entropy` are of the step taken there; `log_score`: log Phi.
    """

    prefixes: list[Prefix]
    events: list[int] = field(default_factory=list)
    log_p: list[float] = field(default_factory=list)
    log_m: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    finish: str | None = None
    log_score: float = 0.0

    def kept(self, cut: int) -> Trace:
        """The first `cut` steps, to go on from."""
        return Trace(
            self.prefixes[: cut + 1], self.events[:cut], self.log_p[:cut], self.log_m[:cut], self.entropy[:cut]
        )

    def take(self, row: Row, place: int) -> None:
        """One step of masked decoding."""
        here, event = self.prefixes[-1], int(row.ids[place])
        log_q = row.log_probs - row.log_mass
        self.events.append(event)
        self.log_p.append(float(row.log_probs[place]))
        self.log_m.append(row.log_mass)
        self.entropy.append(max(0.0, -float((np.exp(log_q) * log_q).sum())))
        if event == here.stop:
            self.finish = "stop"
            self.log_score = here.log_score(complete=True)
        else:
            self.prefixes.append(here.extend(event))

    @property
    def tokens(self) -> Tokens:
        """Without bottom."""
        return self.prefixes[-1].tokens

    @property
    def log_prob(self) -> float:
        """log p(x bottom)."""
        return sum(self.log_p)

    @property
    def log_weight(self) -> float:
        """log W(x), and the potentials; -inf for a trace that died."""
        return sum(self.log_m) + self.log_score if self.finish == "stop" else -np.inf

    def sample(self, vocabulary: Vocabulary) -> Sample:
        """As an output: of equal weight, without a known proposal."""
        data, masses = vocabulary.decode(self.tokens), tuple(self.log_m)
        return Sample(self.tokens, data, self.log_prob, None, 0.0, "stop", masses)


def cut_weights(cut: str, x: Trace) -> Floats:
    """g at every prefix of x, (L,). Where no step of x had a choice it is the only output: then a restart."""
    if cut == "uniform":
        return np.ones(len(x.events))
    weights = np.expm1(np.array(x.entropy)) if cut == "priority" else np.zeros(len(x.events))
    if not weights.any():
        weights[0] = 1.0
    return weights


def log_acceptance(cut: str, x: Trace, y: Trace) -> float:
    """log of the probability to move from x to the proposal y."""
    if y.log_weight == -np.inf:
        return -np.inf
    if x.events == y.events:
        return 0.0
    log_g = np.log(cut_weights(cut, x).sum()) - np.log(cut_weights(cut, y).sum())
    return min(0.0, float(log_g) + y.log_weight - x.log_weight)


def certificate(cut: str, max_tokens: int, steps: int, log_lower: float) -> float:
    """Bound on the total variation between pi and the law of a chain after `steps` steps, from log M <= log Z."""
    delta = {"restart": 1.0, "uniform": 1 / max_tokens, "priority": RESTARTS}[cut]
    lower = min(float(np.exp(log_lower)), 1.0)
    return float((1 - delta * lower) ** steps * (1 - lower))


@dataclass(slots=True)
class Chain:
    """One chain: its stream, and where it stands (None before its first output)."""

    chooser: Chooser
    state: Trace | None = None


class Chains:
    """Chains that move together: what they have to read in a step is read in one call, equal prefixes once."""

    def __init__(self, run: Run, count: int, cut: str, batch: int, memory: int) -> None:
        self.run, self.cut, self.batch, self.rows = run, cut, batch, RowMemory(run, memory)
        self.chains = [Chain(run.chooser(index)) for index in range(count)]
        self.seen: dict[Tokens, float] = {}
        self.log_weights: list[float] = []  # of all proposals since the start

    def start(self, limit: int) -> bool:
        """A first output for every chain from at most `limit` masked draws; False once the budget is spent."""
        while waiting := [chain for chain in self.chains if chain.state is None]:
            if self.run.stats.attempts + len(waiting) > limit:
                break
            drawn = self._finish([(chain, Trace([self.run.problem.root()])) for chain in waiting])
            if drawn is None:
                return False
            for chain, trace in zip(waiting, drawn, strict=True):
                chain.state = trace if trace.log_weight > -np.inf else None
        self.chains = [chain for chain in self.chains if chain.state is not None]
        return True

    def step(self) -> bool:
        """One proposal for every chain, all accepted or not; False, and nothing moved, once the budget is spent."""
        cuts = [self._cut(chain) for chain in self.chains]
        proposals = self._finish([(chain, trace) for chain, (_, trace) in zip(self.chains, cuts, strict=True)])
        if proposals is None:
            return False
        for chain, (cut, _), proposal in zip(self.chains, cuts, proposals, strict=True):
            assert chain.state is not None
            self.log_weights.append(proposal.log_weight)
            chance = log_acceptance(cut, chain.state, proposal)
            if chance > -np.inf and (chance == 0 or chain.chooser.accept(chance)):
                chain.state = proposal
                self.run.stats.accepted += 1
        return True

    def _cut(self, chain: Chain) -> tuple[str, Trace]:
        """The kind of this step, and what it keeps."""
        assert chain.state is not None
        restart = self.cut == "restart" or (self.cut == "priority" and chain.chooser.accept(float(np.log(RESTARTS))))
        if restart:
            return "restart", chain.state.kept(0)
        with np.errstate(divide="ignore"):
            log_law = np.log(cut_weights(self.cut, chain.state))
        return self.cut, chain.state.kept(chain.chooser.choice(log_law))

    def states(self) -> list[Trace]:
        """Where the chains stand."""
        return [chain.state for chain in self.chains if chain.state is not None]

    def _finish(self, begun: Sequence[tuple[Chain, Trace]]) -> list[Trace] | None:
        """Masked decoding of the rest of every trace, each with the stream of its chain; None once it is too dear."""
        live = list(begun)
        while live:
            for first in range(0, len(live), self.batch):
                if self.run.spent():
                    return None
                block = live[first : first + self.batch]
                rows = self.rows.rows([trace.prefixes[-1] for _, trace in block])
                for (chain, trace), row in zip(block, rows, strict=True):
                    if row.dead:
                        trace.finish = "dead"
                    else:
                        trace.take(row, chain.chooser.choice(row.log_probs))
            live = [pair for pair in live if pair[1].finish is None]
        self.run.stats.attempts += len(begun)
        for _, trace in begun:
            if trace.finish == "stop" and len(self.seen) < _SEEN:
                self.seen[trace.tokens] = trace.log_prob + trace.log_score
        return [trace for _, trace in begun]


def mcmc(
    run: Run,
    n: int,
    *,
    cut: str = "restart",
    steps: int = 10,
    chains: int | None = None,
    thin: int | None = None,
    batch: int = 64,
    memory: int = 64 << 20,
) -> SampleSet:
    """n outputs, each after `steps` steps of its own chain from a masked draw: nearer to the target with every step.

    Fewer `chains` than n give several outputs each, `thin` steps apart (as many as `steps` if not given); those of one
    chain depend on each other. `cut` is "restart", "uniform" or "priority". `memory` bounds the rows that are kept. A
    budget that ends the run leaves the outputs reached so far, after one step at least, with status "budget".
    """
    count, thin = n if chains is None else min(n, chains), steps if thin is None else thin
    for name, value in {"steps": steps, "chains": count, "thin": thin, "batch": batch}.items():
        if value < 1:
            raise OptionError(f"{name} must be at least 1, not {value}", option=name)
    if cut not in CUTS:
        raise OptionError(f"cut is one of {', '.join(CUTS)}, not {cut!r}", option="cut")
    walk = Chains(run, count, cut, batch, memory)
    started = walk.start(run.attempt_limit(n))
    if not started or not walk.chains:
        return _no_start(run, walk, cut_off=not started)
    outputs: list[Trace] = []
    done = 0
    while len(outputs) < n:
        allowed = run.budget.attempts
        if (allowed is not None and run.stats.attempts + len(walk.chains) > allowed) or not walk.step():
            break
        done += 1
        if done >= steps and (done - steps) % thin == 0:
            outputs += walk.states()
    if not outputs and done:
        outputs = walk.states()
    return _result(run, walk, outputs[:n], n, done, steps)


def _no_start(run: Run, walk: Chains, *, cut_off: bool) -> SampleSet:
    """No chain found a first output."""
    if cut_off:
        return run.result("mcmc", [], status="budget", note="the budget was spent before the first outputs")
    if walk.rows.rows([run.problem.root()])[0].dead:
        return run.result("mcmc", [], status="empty", log_evidence=-np.inf)
    return run.result("mcmc", [], status="degenerate", note=f"all {run.stats.attempts} first draws died")


def _result(run: Run, walk: Chains, outputs: Sequence[Trace], n: int, done: int, steps: int) -> SampleSet:
    """With M, the bounds it certifies, and what the proposals say of Z where they are independent."""
    root = walk.states()[0].log_m[0]
    lower = min(log_sum(list(walk.seen.values())), root)
    bounded = not run.problem.law.potentials
    known: dict[str, Any] = {"status": "complete", "evidence_bounds": (lower, root) if bounded else None}
    if len(outputs) < n or done < steps:
        known |= {"status": "budget", "note": f"{done} of {steps} steps were made before the budget was spent"}
    else:
        if bounded:
            known["tv_bound"] = certificate(walk.cut, run.problem.max_tokens, steps, lower)
        if walk.cut == "restart":
            known["log_evidence"], known["evidence_error"] = mean_weight(walk.log_weights)
    return run.result("mcmc", [trace.sample(run.problem.vocabulary) for trace in outputs], **known)
