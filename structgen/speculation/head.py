"""The model's last layer, computed for as few tokens as are asked for.

A model ends with one product of its states with a matrix of V rows; with a large vocabulary that is much of a call (of
Gemma 3 270M two thirds of all weights). Where the constraint allows few tokens, the rows of these are all that is
needed: the law over them is the same (VocabTrim, 2025, cuts a drafter's matrix by frequency; here the constraint cuts,
and nothing is lost).

Cost: of n nodes, one product with the whole matrix; of a node with k tokens, one with k rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from structgen.engines.transformers import TransformersEngine

__all__ = ["Answers", "Head"]


class Head:
    """A model's output matrix, and the model before it."""

    def __init__(self, body: Any, linear: torch.nn.Linear) -> None:
        self.body, self._linear = body, linear

    @staticmethod
    def of(engine: TransformersEngine) -> Head | None:
        """The head of a model whose logits are a linear layer's; None of others. Whether nothing else happens to them
        (caps, scales) is for the caller to test."""
        body, linear = getattr(engine.model, "base_model", None), engine.model.get_output_embeddings()
        if body is None or body is engine.model or not isinstance(linear, torch.nn.Linear):
            return None
        return Head(body, linear)

    def whole(self, states: torch.Tensor) -> torch.Tensor:
        """(n, H) -> (n, V) logits."""
        logits: torch.Tensor = self._linear(states)
        return logits

    def few(self, state: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(H,), k ids -> (k,) logits of these tokens."""
        weight, bias = self._linear.weight, self._linear.bias
        found = weight.index_select(0, ids) @ state
        return found if bias is None else found + bias[ids]

    @property
    def size(self) -> int:
        """V."""
        return int(self._linear.weight.shape[0])


class Answers:
    """What the model says behind the nodes of a batch of trees, as far as it is asked for.

    Made of logits (B, T, V), or of states (B, T, H) and the head that turns them into logits.
    """

    def __init__(self, head: Head | None, values: torch.Tensor) -> None:
        self._head, self._values = head, values
        self._known: dict[tuple[int, int], torch.Tensor] = {}
        self._few: dict[tuple[int, int], torch.Tensor] = {}

    @property
    def width(self) -> int:
        """T: nodes of the largest tree."""
        return int(self._values.shape[1])

    def know(self, nodes: Sequence[tuple[int, int]]) -> None:
        """Compute the logits of (row, node) pairs that are not known yet, in one product."""
        nodes = [node for node in nodes if node not in self._known]
        if not nodes:
            return
        values = torch.stack([self._values[at, node] for at, node in nodes])
        if self._head is not None:
            with torch.no_grad():
                values = self._head.whole(values)
        self._known |= dict(zip(nodes, values, strict=True))

    def logits(self, at: int, node: int) -> torch.Tensor:
        """(V,) of one node."""
        self.know([(at, node)])
        return self._known[at, node]

    def state(self, at: int, node: int) -> torch.Tensor | None:
        """(H,) the model's last state at a node, where it is known."""
        return None if self._head is None else self._values[at, node]

    def few(self, at: int, node: int, ids: torch.Tensor) -> torch.Tensor:
        """(k,) logits of one node's tokens `ids`, always the same ones for one node."""
        if self._head is None or (at, node) in self._known:
            return self.logits(at, node)[ids]
        if (at, node) not in self._few:
            with torch.no_grad():
                self._few[at, node] = self._head.few(self._values[at, node], ids)
        return self._few[at, node]

    def some(self, at: int, node: int, ids: torch.Tensor) -> torch.Tensor:
        """(V,) logits of one node, right for these tokens; others may be -inf."""
        if self._head is None or (at, node) in self._known:
            return self.logits(at, node)
        found = self.few(at, node, ids)
        out = torch.full((self._head.size,), -torch.inf, dtype=found.dtype, device=found.device)
        return out.index_copy_(0, ids, found)
