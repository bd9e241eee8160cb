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
rows that were not read lately; p and q come from the same. Chains wait for the model together, not for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, TypeAlias

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
_HOPELESS = 1_000  # first draws that all died, after which no more are made

Walk: TypeAlias = "Generator[Prefix, Row, Any]"  # says after which prefix it needs the row, and is sent it


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
    """One chain: number, stream, where it stands after `made` steps (None before its first output), where it stood.

    `past` are the states since the chain that is furthest behind was as far, the last of them `state`.
    """

    index: int
    chooser: Chooser
    state: Trace | None = None
    made: int = 0
    past: deque[Trace] = field(default_factory=deque)


class Chains:
    """Chains side by side: each goes on until it needs a row that nobody has read; these are read in one call.

    A chain whose rows are known runs ahead of the others, so a call reads for all that wait, wherever they are. No
    chain knows of another, each has its own stream, and so it goes the way it would go alone. Restarts know nothing of
    the chain either, and each has a stream of its own: where chains are fewer than a batch has rows, those of the next
    steps are written side by side.
    """

    def __init__(self, run: Run, count: int, cut: str, batch: int, memory: int) -> None:
        self.run, self.cut, self.batch, self.rows = run, cut, batch, RowMemory(run, memory)
        self.chains, self.count = [Chain(index, run.chooser(index)) for index in range(count)], count
        self.seen: dict[Tokens, float] = {}
        self.log_weights: list[float] = []  # of all proposals since the start

    def start(self, limit: int, patience: int) -> bool:
        """A first output for every chain from at most `limit` masked draws, `patience` if all of them die; False once
        the budget is spent."""
        while waiting := [chain for chain in self.chains if chain.state is None]:
            most = patience if len(waiting) == len(self.chains) else limit
            if self.run.stats.attempts + len(waiting) > most:
                break
            if not self._drive([self._begin(chain) for chain in waiting]):
                return False
        self.chains = [chain for chain in self.chains if chain.state is not None]
        return True

    def advance(self, steps: int) -> bool:
        """So many proposals for every chain, each accepted or not; False once the budget is spent."""
        together, whole = self.batch // len(self.chains) if self.cut == "restart" else 1, True
        if together < 2:
            return self._drive([self._steps(chain, steps) for chain in self.chains])
        while steps and whole:
            size = min(steps, together)
            drawn = [[Trace([self.run.problem.root()]) for _ in range(size)] for _ in self.chains]
            whole = self._drive(
                self._finish(self._chooser(chain, "restart", ahead), trace)
                for chain, traces in zip(self.chains, drawn, strict=True)
                for ahead, trace in enumerate(traces)
            )
            for chain, traces in zip(self.chains, drawn, strict=True):
                for trace in takewhile(lambda trace: trace.finish is not None, traces):
                    self._move(chain, "restart", trace)
            self._forget()
            steps -= size
        return whole

    @property
    def made(self) -> int:
        """Steps that every chain has made."""
        return min(chain.made for chain in self.chains)

    def states(self) -> list[Trace]:
        """Where the chains stood after `made` steps."""
        self._forget()
        return [chain.past[0] for chain in self.chains]

    def moved(self) -> list[Trace]:
        """Where each chain stands now, of those that have made a step."""
        return [chain.state for chain in self.chains if chain.state is not None and chain.made]

    def _forget(self) -> None:
        """Keep no state from before what all have made."""
        made = self.made
        for chain in self.chains:
            while len(chain.past) > chain.made - made + 1:
                chain.past.popleft()

    def _drive(self, walks: Iterable[Walk]) -> bool:
        """Run walks to their ends; False, with some of them unfinished, once the budget is spent."""
        waiting = [(walk, prefix) for walk in walks for prefix in islice(walk, 1)]
        while waiting:
            further, places = [], dict[Tokens, list[tuple[Walk, Prefix]]]()
            for walk, prefix in waiting:
                places.setdefault(prefix.tokens, []).append((walk, prefix))
            distinct = list(places.values())
            for first in range(0, len(distinct), self.batch):
                if self.run.spent():
                    return False
                block = [pair for pairs in distinct[first : first + self.batch] for pair in pairs]
                rows = self.rows.rows([prefix for _, prefix in block])
                further += [pair for (walk, _), row in zip(block, rows, strict=True) for pair in self._go_on(walk, row)]
            waiting = further
            self._forget()
        return True

    def _go_on(self, walk: Walk, row: Row) -> Iterator[tuple[Walk, Prefix]]:
        """The walk with what it needs next and is not remembered; nothing once it has ended."""
        known: Row | None = row
        try:
            while known is not None:
                prefix = walk.send(known)
                known = self.rows.remembered(prefix)
        except StopIteration:
            return
        yield walk, prefix

    def _begin(self, chain: Chain) -> Walk:
        """A masked draw; where it did not die, the chain stands on it."""
        trace = yield from self._finish(chain.chooser, Trace([self.run.problem.root()]))
        if trace.log_weight > -np.inf:
            chain.state = trace
            chain.past.append(trace)

    def _steps(self, chain: Chain, steps: int) -> Walk:
        """Proposals one after the other."""
        for _ in range(steps):
            cut, kept = self._cut(chain)
            self._move(chain, cut, (yield from self._finish(self._chooser(chain, cut), kept)))

    def _chooser(self, chain: Chain, cut: str, ahead: int = 0) -> Chooser:
        """The stream of a proposal so many steps ahead."""
        if cut != "restart":
            return chain.chooser
        return self.run.chooser(self.count * (chain.made + 1 + ahead) + chain.index)

    def _move(self, chain: Chain, cut: str, proposal: Trace) -> None:
        """One step: to the proposal, or nowhere."""
        assert chain.state is not None
        self.log_weights.append(proposal.log_weight)
        chance = log_acceptance(cut, chain.state, proposal)
        if chance > -np.inf and (chance == 0 or chain.chooser.accept(chance)):
            chain.state = proposal
            self.run.stats.accepted += 1
        chain.made += 1
        chain.past.append(chain.state)

    def _cut(self, chain: Chain) -> tuple[str, Trace]:
        """The kind of this step, and what it keeps."""
        assert chain.state is not None
        restart = self.cut == "restart" or (self.cut == "priority" and chain.chooser.accept(float(np.log(RESTARTS))))
        if restart:
            return "restart", chain.state.kept(0)
        with np.errstate(divide="ignore"):
            log_law = np.log(cut_weights(self.cut, chain.state))
        return self.cut, chain.state.kept(chain.chooser.choice(log_law))

    def _finish(self, chooser: Chooser, trace: Trace) -> Generator[Prefix, Row, Trace]:
        """Masked decoding of the rest of a trace."""
        while trace.finish is None:
            row = yield trace.prefixes[-1]
            if row.dead:
                trace.finish = "dead"
            else:
                trace.take(row, chooser.choice(row.log_probs))
        self.run.stats.attempts += 1
        if trace.finish == "stop" and len(self.seen) < _SEEN:
            self.seen[trace.tokens] = trace.log_prob + trace.log_score
        return trace


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
    outputs: list[Trace] = []
    run.finished = lambda: [trace.sample(run.problem.vocabulary) for trace in (*outputs, *walk.moved())][:n]
    limit = run.attempt_limit(n)
    started = walk.start(limit, max(count, _HOPELESS) if run.budget.attempts is None else limit)
    if not started or not walk.chains:
        return _no_start(run, walk, cut_off=not started)
    while len(outputs) < n:
        wanted = thin if outputs else steps
        able = wanted if run.budget.attempts is None else (run.budget.attempts - run.stats.attempts) // len(walk.chains)
        if not walk.advance(min(wanted, able)) or able < wanted:
            break
        outputs += walk.states()
    if not outputs and walk.made:
        outputs = walk.states()
    return _result(run, walk, outputs[:n], n, walk.made, steps)


def _no_start(run: Run, walk: Chains, *, cut_off: bool) -> SampleSet:
    """No chain found a first output."""
    if cut_off:
        return run.result("mcmc", [], status="budget", note="the budget was spent before the first outputs")
    if walk.rows.rows([run.problem.root()])[0].dead:
        return run.result("mcmc", [], status="empty", log_evidence=-np.inf)
    told = f"within max_tokens = {run.problem.max_tokens} none met an end that is allowed"
    note = f"all {run.stats.attempts:,} first draws died: {told}"
    return run.result("mcmc", [], status="degenerate", note=note)


def _result(run: Run, walk: Chains, outputs: Sequence[Trace], n: int, done: int, steps: int) -> SampleSet:
    """With M, the bounds it certifies, and what the proposals say of Z where they are independent."""
    root = walk.chains[0].past[-1].log_m[0]
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
