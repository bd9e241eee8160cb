"""Chains of `mcmc` side by side: what they all need next is read in one call of the model, and some of it ahead.

    step k of chain c    a stream of its own: its cut, the rest of its proposal, whether it is accepted
    ahead                proposals of the steps to come, drawn as if all before them were rejected

A chain's steps follow one another only through where it stands, and it often stays: so the proposals of the next steps
can be written beside the present one. They are looked at in order. Where a step has moved the chain, the steps ahead
draw their cuts anew from their own streams; a proposal that would keep the same (a restart always does) stays, the
others are dropped, and what was read for them was in vain. A proposal is dropped for what happened before it, never for
what it came to, so it has the law it would have had alone; with streams by step the chain is even the same, token by
token, whatever was read ahead.

Cost: a call reads what every chain needs, and goes on ahead until it has `_AIM` prefixes, by steps that have a chance
of `_WORTH` or more to be of use. Chains do not wait for each other: one whose rows are known runs on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from structgen.protocols import Chooser, Tokens
from structgen.samplers.cuts import Trace, cut_of, log_acceptance
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.weights import Row

__all__ = ["Chain", "Chains", "Proposal"]

_SEEN = 10_000  # outputs remembered for M
_AIM = 24  # prefixes of a call: beyond, one more costs a processor as much as in a call of its own
_WORTH = 0.3  # below, more is read in vain than is saved


@dataclass(slots=True)
class Proposal:
    """A step being made: its stream, the kind of its cut, how many steps it keeps, and what is written of it so far."""

    chooser: Chooser
    cut: str
    kept: int
    trace: Trace

    def is_like(self, cut: str, kept: Trace) -> bool:
        """Drawn from a state that gives this, it would be the same."""
        return cut == self.cut and len(kept.events) == self.kept and self.trace.events[: self.kept] == kept.events


@dataclass(slots=True)
class Chain:
    """One chain: its number, where it stands after `made` steps (None before its first output), where it stood.

    `past` are the states since the chain that is furthest behind was as far, the last of them `state`; `ahead` the
    proposals of the steps to come.
    """

    index: int
    state: Trace | None = None
    made: int = 0
    past: deque[Trace] = field(default_factory=deque)
    ahead: deque[Proposal] = field(default_factory=deque)


class Chains:
    """`count` chains of one run, each of which goes the way it would go alone."""

    def __init__(self, run: Run, count: int, cut: str, batch: int, memory: int) -> None:
        self.run, self.cut, self.batch, self.rows = run, cut, batch, RowMemory(run, memory)
        self.chains, self.count = [Chain(index) for index in range(count)], count
        self.seen: dict[Tokens, float] = {}
        self.log_weights: list[float] = []  # of all proposals since the start
        self.stays = 0  # steps that left a chain where it was

    def start(self, limit: int, patience: int) -> bool:
        """A first output for every chain from at most `limit` masked draws, `patience` if all of them die; False once
        the budget is spent."""
        streams = {chain.index: self.run.chooser(chain.index) for chain in self.chains}
        while waiting := [chain for chain in self.chains if chain.state is None]:
            most = patience if len(waiting) == len(self.chains) else limit
            if self.run.stats.attempts + len(waiting) > most:
                break
            draws = [self._written(streams[c.index], "restart", Trace([self.run.problem.root()])) for c in waiting]
            while unfinished := [draw for draw in draws if draw.trace.finish is None]:
                if not self._read(unfinished):
                    return False
            self.run.stats.attempts += len(draws)
            for chain, draw in zip(waiting, draws, strict=True):
                if draw.trace.log_weight > -np.inf:
                    chain.state = draw.trace
                    chain.past.append(draw.trace)
        self.chains = [chain for chain in self.chains if chain.state is not None]
        return True

    def advance(self, goal: int, last: int) -> bool:
        """Until every chain has made `goal` steps, none of them more than `last`; False once the budget is spent."""
        while True:
            for chain in self.chains:
                self._settle(chain, last)
            self._forget(goal)
            if self.made >= goal:
                return True
            if not self._read(self._unfinished(last)):
                return False

    @property
    def made(self) -> int:
        """Steps that every chain has made."""
        return min(chain.made for chain in self.chains)

    def states(self, step: int) -> list[Trace]:
        """Where the chains stood after this step, the goal of the last `advance` or `made`."""
        return [chain.past[step - chain.made - 1] for chain in self.chains]

    def moved(self) -> list[Trace]:
        """Where each chain stands now, of those that have made a step."""
        return [chain.state for chain in self.chains if chain.state is not None and chain.made]

    def _forget(self, goal: int) -> None:
        """Keep no state from before the goal, nor from before what all have made."""
        needed = min(self.made, goal)
        for chain in self.chains:
            while len(chain.past) > chain.made - needed + 1:
                chain.past.popleft()

    def _settle(self, chain: Chain, last: int) -> None:
        """Make the steps whose proposals are finished, or can be from rows that are remembered."""
        while chain.made < last and self._ahead(chain, 0).trace.finish is not None:
            self._move(chain, chain.ahead.popleft())

    def _ahead(self, chain: Chain, depth: int) -> Proposal:
        """The proposal so many steps ahead, if all before it are rejected."""
        if depth == len(chain.ahead):
            assert chain.state is not None
            chooser = self._stream(chain, depth)
            chain.ahead.append(self._written(chooser, *cut_of(self.cut, chain.state, chooser)))
        return chain.ahead[depth]

    def _stream(self, chain: Chain, depth: int) -> Chooser:
        return self.run.chooser(self.count * (chain.made + 1 + depth) + chain.index)

    def _move(self, chain: Chain, proposal: Proposal) -> None:
        """One step: to the proposal, or nowhere."""
        assert chain.state is not None
        before, chance = chain.state, log_acceptance(proposal.cut, chain.state, proposal.trace)
        self.log_weights.append(proposal.trace.log_weight)
        self.run.stats.attempts += 1
        if chance > -np.inf and (chance == 0 or proposal.chooser.accept(chance)):
            chain.state = proposal.trace
            self.run.stats.accepted += 1
        chain.made += 1
        chain.past.append(chain.state)
        if chain.state.events == before.events:
            self.stays += 1
        else:
            self._look_again(chain)

    def _look_again(self, chain: Chain) -> None:
        """Keep the proposals ahead that would be the same from where the chain stands now."""
        assert chain.state is not None
        ahead, chain.ahead = chain.ahead, deque()
        for depth, proposal in enumerate(ahead):
            chooser = self._stream(chain, depth)
            cut, kept = cut_of(self.cut, chain.state, chooser)
            same = proposal.is_like(cut, kept)
            chain.ahead.append(proposal if same else self._written(chooser, cut, kept))

    def _unfinished(self, last: int) -> list[Proposal]:
        """What to write on: of every chain the next step, that of the slowest first, then further ones while that is
        worth it."""
        found, distinct, depth = list[Proposal](), set[Tokens](), 0
        aim = self.batch if self.cut == "restart" else min(_AIM, self.batch)
        slowest_first = sorted(self.chains, key=lambda chain: chain.made)
        while (able := [chain for chain in slowest_first if chain.made + depth < last]) and self._worth(depth):
            if depth and len(distinct) >= aim:
                break
            here = [self._ahead(chain, depth) for chain in able]
            found += (open_ := [proposal for proposal in here if proposal.trace.finish is None])
            distinct |= {proposal.trace.tokens for proposal in open_}
            depth += 1
        return found

    def _worth(self, depth: int) -> bool:
        """Whether a proposal so many steps ahead has a fair chance to be of use."""
        if self.cut == "restart":
            return depth < self.batch
        return bool(((self.stays + 1) / (len(self.log_weights) + 2)) ** depth >= _WORTH)

    def _written(self, chooser: Chooser, cut: str, kept: Trace) -> Proposal:
        """A proposal as far as remembered rows lead."""
        proposal = Proposal(chooser, cut, len(kept.events), kept)
        self._go_on(proposal, None)
        return proposal

    def _go_on(self, proposal: Proposal, row: Row | None) -> None:
        """Masked decoding by this row, then by what is remembered."""
        trace = proposal.trace
        while trace.finish is None:
            row = row or self.rows.remembered(trace.prefixes[-1])
            if row is None:
                return
            if row.dead:
                trace.finish = "dead"
            else:
                trace.take(row, proposal.chooser.choice(row.log_probs))
            row = None
        if trace.finish == "stop" and len(self.seen) < _SEEN:
            self.seen[trace.tokens] = trace.log_prob + trace.log_score

    def _read(self, proposals: Sequence[Proposal]) -> bool:
        """One call of the model for the first `batch` prefixes these need; False if the budget is spent."""
        if self.run.spent():
            return False
        waiting = dict[Tokens, list[Proposal]]()
        for proposal in proposals:
            waiting.setdefault(proposal.trace.tokens, []).append(proposal)
        block = [pair for pairs in list(waiting.values())[: self.batch] for pair in pairs]
        rows = self.rows.rows([proposal.trace.prefixes[-1] for proposal in block])
        for proposal, row in zip(block, rows, strict=True):
            self._go_on(proposal, row)
        return True
