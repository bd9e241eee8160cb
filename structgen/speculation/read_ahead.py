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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from structgen.engines.transformers import TransformersEngine
from structgen.kernels.layout import START
from structgen.matcher import Constraint
from structgen.speculation.drafters import Drafter, Place, default_drafters
from structgen.speculation.forward import ReadText, TreeForward
from structgen.speculation.goodput import Acceptance, CallCost, worth_reading
from structgen.speculation.options import Speculation
from structgen.speculation.tree import NOWHERE, DraftTree

__all__ = ["Figures", "ReadAhead", "read_ahead"]

_LIKELY = 4  # tokens by which a row of logits is remembered


@dataclass(slots=True)
class Figures:
    """What speculation did.

    field     counts
    calls     model calls
    tokens    tokens they gave, over all rows
    nodes     draft tokens read, by drafter
    taken     of these, those the text went on with
    """

    calls: int = 0
    tokens: int = 0
    nodes: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Row:
    """A row of the batch: its text, and where in its tree the loop stands."""

    constraint: Constraint | None
    drafters: list[Drafter]
    tokens: list[int]
    text: bytearray
    state: int
    tree: DraftTree
    node: int = 0


class ReadAhead:
    """The decode loop's model (engines.decode.BatchModel) for one batch of requests, whose constraints are given.

    Attributes: `vocabulary`, `figures`. Not thread-safe; one object per batch.
    """

    def __init__(
        self, forward: TreeForward, constraints: Sequence[Constraint | None], options: Speculation | None = None
    ) -> None:
        options = options or Speculation()
        self.vocabulary, self._forward = forward.engine.vocabulary, forward
        self._constraints, self._most = list(constraints), options.most_nodes
        self._make: Callable[[Any], Sequence[Drafter]] = options.drafters or default_drafters
        self.figures, self._cost = Figures(), CallCost()
        self._acceptance: dict[str, Acceptance] = {}
        self._rows: list[_Row] = []
        self._logits: torch.Tensor | None = None

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, ReadText]:
        """Logits (rows, vocabulary) after each prompt, and the context to extend by at most `reserve` tokens."""
        self._forward.engine.check_length(max(map(len, prompts)) + reserve)
        logits, text = self._forward.read(prompts)
        self._rows = [
            _Row(
                constraint,
                list(self._make(self._forward.engine)),
                list(prompt),
                bytearray(),
                START,
                DraftTree(prompt[-1], START, None),
            )
            for prompt, constraint in zip(prompts, self._constraints, strict=True)
        ]
        self._logits = None
        return logits, text

    def extend(self, tokens: Sequence[int], context: ReadText) -> torch.Tensor:
        """Append one token to every row; logits (rows, vocabulary) after each."""
        self.figures.tokens += len(tokens)
        inside = [row.tree.child(row.node, token) for row, token in zip(self._rows, tokens, strict=True)]
        if self._logits is not None:
            self._count(tokens)
        if self._logits is None or NOWHERE in inside:
            return self._read(tokens, context)
        for row, token, node in zip(self._rows, tokens, inside, strict=True):
            self._append(row, token)
            row.node = node
        return self._here()

    def _here(self) -> torch.Tensor:
        assert self._logits is not None
        return torch.stack([self._logits[at, row.node] for at, row in enumerate(self._rows)])

    def _read(self, tokens: Sequence[int], context: ReadText) -> torch.Tensor:
        """Make what was walked part of the text, draft anew behind `tokens`, and read it."""
        if self._logits is not None:
            paths = [row.tree.path(row.node) for row in self._rows]
            self._forward.take(paths, self._logits.shape[1], context)
        for row, token in zip(self._rows, tokens, strict=True):
            self._append(row, token)
            row.tree, row.node = self._drafted(row), 0
        started = time.perf_counter()
        self._logits = self._forward.forward([row.tree for row in self._rows], context)
        self._cost.measured(self._logits.shape[1], time.perf_counter() - started)
        self.figures.calls += 1
        self._observe()
        return self._here()

    def _append(self, row: _Row, token: int) -> None:
        row.tokens.append(token)
        row.text += self.vocabulary.token_bytes(token)
        if row.constraint is not None:
            row.state = row.constraint.step(row.state, token)

    def _drafted(self, row: _Row) -> DraftTree:
        """The next tree of a row: what all drafters propose, as far as it pays. A row that has ended drafts nothing."""
        tree = DraftTree(row.tokens[-1], row.state, row.constraint, self.vocabulary.stop_ids)
        if row.tokens[-1] in self.vocabulary.stop_ids or (row.constraint is not None and row.state < START):
            return tree
        place = Place(row.tokens, bytes(row.text), tree, row.constraint, self.vocabulary)
        for number, drafter in enumerate(row.drafters):
            drafter.propose(place, self._chances(drafter.name), number)
        tree = tree.pruned(worth_reading(tree, self._cost, self._most))
        for source in tree.sources[1:]:
            name = row.drafters[source].name
            self.figures.nodes[name] = self.figures.nodes.get(name, 0) + 1
        return tree

    def _chances(self, name: str) -> Acceptance:
        return self._acceptance.setdefault(name, Acceptance())

    def _count(self, tokens: Sequence[int]) -> None:
        """Count which children of the nodes reached were taken."""
        for row, token in zip(self._rows, tokens, strict=True):
            ranks: dict[int, int] = {}
            for child in row.tree.children(row.node):
                source = row.tree.sources[child]
                rank = ranks[source] = ranks.get(source, -1) + 1
                taken, name = row.tree.tokens[child] == token, row.drafters[source].name
                self._chances(name).count(rank, taken)
                self.figures.taken[name] = self.figures.taken.get(name, 0) + taken

    def _observe(self) -> None:
        """Show the drafters what the model finds likely behind every node that was read."""
        assert self._logits is not None
        likely = self._logits.topk(min(_LIKELY, self._logits.shape[2]), dim=2).indices.tolist()
        for at, row in enumerate(self._rows):
            for node, token in enumerate(row.tree.tokens):
                for drafter in row.drafters:
                    drafter.observe(token, likely[at][node])


_forwards: weakref.WeakKeyDictionary[Any, TreeForward] = weakref.WeakKeyDictionary()  # tested once per engine


def read_ahead(
    engine: Any, constraints: Sequence[Constraint | None], options: Speculation
) -> tuple[ReadAhead | None, str | None]:
    """The engine that reads ahead for one batch of requests; or None and the reason why this engine cannot."""
    if not isinstance(engine, TransformersEngine):
        return None, f"{type(engine).__name__} reads no trees"
    forward = _forwards.get(engine)
    if forward is None:
        forward = _forwards[engine] = TreeForward(engine)
    if forward.why_not is not None:
        return None, forward.why_not
    return ReadAhead(forward, constraints, options), None
