"""ReadAhead: an engine for the decode loop that has often read the next tokens already.

Between two calls of the model the loop walks down a tree of draft tokens whose logits are known. Where the token drawn
is no node of it, the path so far becomes part of the text, drafters propose the next tree, and one call reads it. A row
of a batch that is still inside its tree when another is not starts a new tree all the same: then what it had read ahead
is read again, and no row waits.

Cost beside the model's calls: drafting and pruning, some hundred microseconds a call.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from structgen.engines.allowed import allowed_ids
from structgen.engines.masking import apply_masks
from structgen.engines.sampling import Proposal
from structgen.engines.transformers import TransformersEngine
from structgen.kernels.layout import START
from structgen.matcher import Constraint
from structgen.speculation.drafters import Drafter, Place, Seen, default_drafters
from structgen.speculation.estimates import Acceptance, CallCost, Payoff
from structgen.speculation.forward import ReadText, TreeForward
from structgen.speculation.growth import Grown, grow
from structgen.speculation.head import Answers
from structgen.speculation.lossy import Lossy
from structgen.speculation.options import Speculation
from structgen.speculation.tree import NOWHERE, DraftTree

__all__ = ["Figures", "Learnt", "ReadAhead", "learnt_of", "read_ahead"]

_LIKELY = 8  # tokens by which a row of logits is remembered
_NARROW = 32  # bytes that may come
_LEAST_WEIGHTS = 30_000_000  # of a model; where there are fewer, drafting costs about what it saves


@dataclass(slots=True)
class Figures:
    """What speculation did.

    field     counts
    calls     model calls
    tokens    tokens they gave, over all rows
    nodes     draft tokens read, by drafter
    taken     of these, those the text went on with
    lossy     name of the verifier that changed the law, None where none did
    """

    calls: int = 0
    tokens: int = 0
    nodes: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    lossy: str | None = None


@dataclass(slots=True)
class _Row:
    """A row of the batch: its text, and where in its tree the loop stands."""

    constraint: Constraint | None
    drafters: list[Drafter]
    start: int
    tokens: list[int]
    text: bytearray
    state: int
    place: Place
    grown: Grown
    node: int = 0

    @property
    def tree(self) -> DraftTree:
        return self.place.tree


@dataclass(slots=True)
class Learnt:
    """What is known of a model, shared by the batches it decodes: the cost of a call by rows, the acceptance.

    Nothing that is `fixed` depends on the clock.
    """

    forward: TreeForward
    fixed: bool = False
    acceptance: Acceptance = field(default_factory=Acceptance)
    costs: dict[int, CallCost] = field(default_factory=dict)

    def cost(self, rows: int) -> CallCost:
        """Of calls with so many rows."""
        return self.costs.setdefault(rows, CallCost(fixed=self.fixed))


@dataclass(slots=True)
class _Since:
    """What happened since the last call began: whether there were drafts, seconds of drafting, and tokens of a row."""

    drafted: bool = False
    tokens: int = 0
    seconds: float = 0.0


class ReadAhead:
    """The decode loop's model (engines.decode.BatchModel) for one batch of requests, whose constraints are given.

    `whole`: whether the loop looks at logits of forbidden tokens. Where it does not, and few are allowed, only those of
    these are computed (head.py), and the others are -inf.
    Attributes: `vocabulary`, `figures`. Not thread-safe; one object per batch.
    """

    def __init__(
        self,
        learnt: Learnt,
        constraints: Sequence[Constraint | None],
        options: Speculation | None = None,
        *,
        whole: bool = True,
    ) -> None:
        options = options or Speculation()
        self._few = options.restricted_head and not whole and learnt.forward.head is not None
        self.vocabulary, self._learnt, self._forward = learnt.forward.engine.vocabulary, learnt, learnt.forward
        self._constraints, self._most = list(constraints), options.most_nodes
        self._make = options.drafters or partial(default_drafters, remember=not learnt.fixed)
        self._payoff, self._since = Payoff(fixed=learnt.fixed), _Since()
        self._lossy, self._cost = options.lossy, learnt.cost(len(self._constraints))
        self.figures = Figures(lossy=None if options.lossy is None else options.lossy.name)
        self._rows: list[_Row] = []
        self._answers: Answers | None = None

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, ReadText]:
        """Logits (rows, vocabulary) after each prompt, and the context to extend by at most `reserve` tokens."""
        self._forward.engine.check_length(max(map(len, prompts)) + reserve)
        logits, text = self._forward.read(prompts)
        self._rows = [self._opened(prompt, each) for prompt, each in zip(prompts, self._constraints, strict=True)]
        self._answers = None
        return logits, text

    def _opened(self, prompt: Sequence[int], constraint: Constraint | None) -> _Row:
        tokens, drafters = list(prompt), list(self._make(self._forward.engine))
        tree = DraftTree(prompt[-1], START, constraint)
        place = Place(tokens, len(tokens), b"", tree, constraint, self.vocabulary)
        return _Row(constraint, drafters, len(tokens), tokens, bytearray(), START, place, Grown())

    def extend(self, tokens: Sequence[int], context: ReadText) -> torch.Tensor:
        """Append one token to every row; logits (rows, vocabulary) after each."""
        self._since.tokens += 1
        self.figures.tokens += len(tokens)
        inside = [row.tree.child(row.node, token) for row, token in zip(self._rows, tokens, strict=True)]
        if self._answers is not None:
            for row, token, node in zip(self._rows, tokens, inside, strict=True):
                self._count(row, token, node)
        if self._answers is None or NOWHERE in inside:
            return self._read(tokens, context)
        for row, token, node in zip(self._rows, tokens, inside, strict=True):
            self._append(row, token)
            row.node = node
        return self._here()

    def proposals(self) -> list[Proposal | None]:
        """What drafters drew for each row's next token."""
        return [row.place.proposals.get(row.node) for row in self._rows]

    def _here(self) -> torch.Tensor:
        """(B, V) behind the nodes where the rows stand."""
        assert self._answers is not None
        few = [self._few_allowed(row.constraint, row.state) if self._few else None for row in self._rows]
        nodes = [(at, row.node) for at, row in enumerate(self._rows) if few[at] is None]
        self._answers.know(nodes)
        found = [
            self._answers.logits(at, row.node) if ids is None else self._answers.some(at, row.node, ids)
            for at, (row, ids) in enumerate(zip(self._rows, few, strict=True))
        ]
        if self._lossy is not None:
            found = [self._forced(row, each, self._lossy) for row, each in zip(self._rows, found, strict=True)]
        return torch.stack(found)

    def _forced(self, row: _Row, logits: torch.Tensor, lossy: Lossy) -> torch.Tensor:
        """Logits that leave the loop one token, where the verifier takes it."""
        drafts = [row.tree.tokens[child] for child in row.tree.children(row.node)]
        if not drafts:
            return logits
        mask = None if row.constraint is None else row.constraint.row(row.state)
        law = apply_masks(logits.unsqueeze(0), [mask])[0].double().softmax(dim=0)
        token = lossy.taken(law, drafts)
        if token is None:
            return logits
        return torch.full_like(logits, -torch.inf).index_fill_(0, torch.tensor([token], device=logits.device), 0.0)

    def _few_allowed(self, constraint: Constraint | None, state: int) -> torch.Tensor | None:
        """The allowed tokens, on the model's device, where they are few."""
        if constraint is None or state < START:
            return None
        ids = allowed_ids(constraint, state)
        return None if ids is None or not len(ids) else ids.to(self._forward.engine.device)

    def _read(self, tokens: Sequence[int], context: ReadText) -> torch.Tensor:
        """Make what was walked part of the text, draft anew behind `tokens`, and read it."""
        if self._answers is not None:
            paths = [row.tree.path(row.node) for row in self._rows]
            self._forward.take(paths, self._answers.width, context)
            if self._since.drafted:
                seconds = self._cost(self._answers.width) + self._since.seconds
                self._payoff.measured(seconds, self._since.tokens, self._cost(1))
        self._since, started = _Since(drafted=self._payoff.drafts()), time.perf_counter()
        for at, (row, token) in enumerate(zip(self._rows, tokens, strict=True)):
            state = None if self._answers is None else self._answers.state(at, row.node)
            self._append(row, token)
            self._draft(row, state)
        self._since.seconds, started = time.perf_counter() - started, time.perf_counter()
        self._answers = self._forward.forward([row.tree for row in self._rows], context)
        self._observe(self._answers)
        logits = self._here()
        self._cost.measured(self._answers.width, time.perf_counter() - started)
        self.figures.calls += 1
        return logits

    def _append(self, row: _Row, token: int) -> None:
        row.tokens.append(token)
        row.text += self.vocabulary.token_bytes(token)
        if row.constraint is not None:
            row.state = row.constraint.step(row.state, token)

    def _draft(self, row: _Row, state: torch.Tensor | None) -> None:
        """The next tree of a row: what all drafters propose, as far as it pays. A row that has ended drafts nothing."""
        tree = DraftTree(row.tokens[-1], row.state, row.constraint, self.vocabulary.stop_ids)
        row.place = Place(row.tokens, row.start, bytes(row.text), tree, row.constraint, self.vocabulary, state)
        row.node, row.grown = 0, Grown()
        ended = row.tokens[-1] in self.vocabulary.stop_ids or (row.constraint is not None and row.state < START)
        if ended or not self._since.drafted:
            return
        row.grown = grow(row.place, row.drafters, self._learnt.acceptance, self._cost, self._most)
        for label in tree.sources[1:]:
            self.figures.nodes[label[0]] = self.figures.nodes.get(label[0], 0) + 1

    def _count(self, row: _Row, token: int, node: int) -> None:
        """Count which drafts behind the node reached were taken."""
        row.grown.count(row.node, token, self._learnt.acceptance)
        if node != NOWHERE:
            name = row.tree.sources[node][0]
            self.figures.taken[name] = self.figures.taken.get(name, 0) + 1

    def _observe(self, answers: Answers) -> None:
        """Compute the logits of all nodes, and show the drafters what the model finds likely there.

        Where few bytes may come, few tokens are allowed, and their logits are computed alone. Without drafts nobody
        looks, and what is computed is what the loop asks for.
        """
        if not self._since.drafted:
            return
        many: list[tuple[int, int]] = []
        for at, row in enumerate(self._rows):
            for node, state in enumerate(row.tree.states):
                few = self._few_allowed(row.constraint, state) if self._few and _narrow(row.constraint, state) else None
                if few is None:
                    many.append((at, node))
                else:
                    top = answers.few(at, node, few).topk(min(_LIKELY, len(few)))
                    self._show(row, node, few[top.indices].tolist(), top.values)
        if many:
            answers.know(many)
            logits = torch.stack([answers.logits(at, node) for at, node in many])
            tops = logits.topk(min(_LIKELY, logits.shape[1]), dim=1)
            for (at, node), indices, values in zip(many, tops.indices.tolist(), tops.values, strict=True):
                self._show(self._rows[at], node, indices, values)

    def _show(self, row: _Row, node: int, likely: list[int], logits: torch.Tensor) -> None:
        seen = Seen(row.place.tail(node), row.tree.states[node], likely, logits.float().softmax(dim=0).tolist())
        for drafter in row.drafters:
            drafter.observe(seen)


def _narrow(constraint: Constraint | None, state: int) -> bool:
    """Whether a state probably allows few tokens, by the bytes that may come: what costs no mask."""
    return constraint is not None and state >= START and len(constraint.live_bytes(state)) <= _NARROW


_learnt: weakref.WeakKeyDictionary[Any, Learnt] = weakref.WeakKeyDictionary()  # tested once per engine


def learnt_of(engine: TransformersEngine) -> Learnt:
    """What is known of an engine's model; at first whether it reads trees, which takes a few calls."""
    learnt = _learnt.get(engine)
    if learnt is None:
        learnt = _learnt[engine] = Learnt(TreeForward(engine))
    return learnt


def read_ahead(
    engine: Any,
    constraints: Sequence[Constraint | None],
    options: Speculation | None = None,
    *,
    whole: bool = True,
    repeatable: bool = False,
) -> tuple[ReadAhead | None, str | None]:
    """The engine that reads ahead for one batch of requests; or None and the reason why there is none.

    Without `options` it is for this function to say whether it pays. `whole`: see ReadAhead. `repeatable`: nothing that
    was learnt from other calls, and no clock, has a say in what is drafted. The text never depends on it but for the
    rounding of the model's floats; in half precision this decides between tokens that nearly tie.
    """
    if not isinstance(engine, TransformersEngine):
        return None, f"{type(engine).__name__} reads no trees"
    if options is None and (weights := sum(each.numel() for each in engine.model.parameters())) < _LEAST_WEIGHTS:
        return None, f"a model of {weights / 1e6:.1f} million weights answers too quickly to save anything"
    if any(constraint is not None and constraint.asks for constraint in constraints):
        return None, "somebody is asked what may come, for drafts in vain"
    learnt = learnt_of(engine)
    if learnt.forward.why_not is not None:
        return None, learnt.forward.why_not
    if repeatable:
        learnt = Learnt(learnt.forward, fixed=True)
    return ReadAhead(learnt, constraints, options, whole=whole), None
