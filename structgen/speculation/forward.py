"""One model call for all nodes of draft trees: tree attention over a key-value cache, in transformers.

Every row of a batch has a tree. Its nodes are fed as one sequence with explicit positions and a four-dimensional
attention mask: a node looks at the row's text so far, at its ancestors and at itself. Keys and values of nodes that
were not taken stay in the cache, marked as invalid, until a quarter of it is waste; then it is compacted.

`self_test` compares a tree with plain decoding on the model at hand, since a model whose attention is of another kind
(recurrent states, ALiBi, convolutions) would be silently wrong. Cost of a call: that of its nodes as a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from structgen.engines.attention import REFUSALS, LayerMasks, difference, tolerance
from structgen.engines.transformers import TransformersEngine
from structgen.speculation.head import Answers, Head
from structgen.speculation.tree import NO_LABEL, DraftTree

__all__ = ["ReadText", "TreeForward"]

_WASTE = 0.25  # share of a cache's slots from which it is compacted


@dataclass(slots=True)
class ReadText:
    """What was read of a batch.

    cache      keys and values of S slots a row
    valid      (B, S) bool: the slot is part of the row's text
    positions  (B, S) i64: where in the text
    length     (B,) i64: tokens of the row's text in the cache
    """

    cache: DynamicCache
    valid: torch.Tensor
    positions: torch.Tensor
    length: torch.Tensor


class TreeForward:
    """Trees through a transformers engine's model. `why_not` says why this model cannot, or is None."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine
        self._layer_masks = LayerMasks(engine)
        self.head: Head | None = None
        self.why_not = self._layer_masks.why_not
        if self.why_not is None:
            self.why_not = self.self_test()
        if self.why_not is None:
            self.head = self._tested_head()

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, ReadText]:
        """(B, V) logits after each prompt, and what was read."""
        device, longest = self.engine.device, max(map(len, prompts))
        pad = self.engine.vocabulary.stop_ids[0]
        ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        length = torch.tensor([len(prompt) for prompt in prompts], device=device)
        places = torch.arange(longest, device=device).unsqueeze(0) - (longest - length).unsqueeze(1)
        real = places >= 0
        positions = places.clamp(min=0)
        none = torch.zeros(len(prompts), 0, device=device)
        text = ReadText(DynamicCache(), none.bool(), none.long(), torch.zeros_like(length))
        causal = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
        within = causal.unsqueeze(0) & real.unsqueeze(1) | torch.eye(longest, dtype=torch.bool, device=device)
        mask = self._masks(positions, within, text)
        logits = self.engine.call(ids, positions, mask, text.cache, last=True)
        text.valid, text.positions, text.length = real, positions, length
        return logits[:, -1], text

    def forward(self, trees: Sequence[DraftTree], text: ReadText) -> Answers:
        """What the model says behind every node of every tree; `text` has as many more slots as the largest has nodes,
        none of them valid yet (see `take`)."""
        device, size = self.engine.device, max(map(len, trees))
        ids = torch.full((len(trees), size), self.engine.vocabulary.stop_ids[0])
        depths = torch.zeros(len(trees), size, dtype=torch.long)
        within = torch.eye(size, dtype=torch.bool).repeat(len(trees), 1, 1)
        for row, tree in enumerate(trees):
            ids[row, : len(tree)] = torch.tensor(tree.tokens)
            depths[row, : len(tree)] = torch.tensor(tree.depths)
            within[row, : len(tree), : len(tree)] = torch.from_numpy(tree.attention())
        positions = text.length.unsqueeze(1) + depths.to(device)
        ids, mask = ids.to(device), self._masks(positions, within.to(device), text)
        if self.head is None:
            values = self.engine.call(ids, positions, mask, text.cache)
        else:
            values = self.engine.states(self.head.body, ids, positions, mask, text.cache)
        text.valid = torch.cat([text.valid, torch.zeros_like(ids, dtype=torch.bool).to(device)], dim=1)
        text.positions = torch.cat([text.positions, positions], dim=1)
        return Answers(self.head, values)

    def take(self, paths: Sequence[Sequence[int]], size: int, text: ReadText) -> None:
        """Make the nodes of `paths`, one a row, part of the text: nodes of the last trees, whose largest had `size`."""
        start = text.valid.shape[1] - size
        for row, path in enumerate(paths):
            text.valid[row, torch.tensor(path, device=text.valid.device) + start] = True
            text.length[row] += len(path)
        if text.valid.shape[1] - int(text.length.max()) > _WASTE * text.valid.shape[1]:
            self._compact(text)

    def _compact(self, text: ReadText) -> None:
        """Keep valid slots alone, padded on the left where rows differ."""
        width = int(text.length.max())
        order = torch.argsort(text.valid.long(), dim=1, stable=True)[:, -width:]
        for layer in text.cache.layers:
            for name in ("keys", "values"):
                states = getattr(layer, name)
                index = order.view(order.shape[0], 1, width, 1).expand(-1, states.shape[1], -1, states.shape[3])
                setattr(layer, name, states.gather(2, index))
        text.valid, text.positions = text.valid.gather(1, order), text.positions.gather(1, order)

    def _masks(self, positions: torch.Tensor, within: torch.Tensor, text: ReadText) -> Any:
        """What (B, T) new tokens look at, whose mask among themselves is (B, T, T), as the model takes it."""
        seen = torch.cat([text.valid.unsqueeze(1).expand(-1, positions.shape[1], -1), within], dim=2)
        at = torch.cat([text.positions, positions], dim=1)
        return self._layer_masks.of(seen, positions, at)

    def self_test(self) -> str | None:
        """Compare trees with plain decoding, over two rows of different lengths; a reason where they differ."""
        texts = self._texts()
        prompts = [[texts[(7 * at + 3 * row) % len(texts)] for at in range(5 + 4 * row)] for row in range(2)]
        trees = [DraftTree(texts[row], 2, None) for row in range(2)]
        for row, tree in enumerate(trees):
            for parent, token in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5)):
                tree.add(parent, texts[(token + row) % len(texts)], 0.5, NO_LABEL)
        try:
            _, text = self.read(prompts)
            first = self.forward(trees, text)
            if not all(_is_plain(layer, text.valid.shape[1]) for layer in text.cache.layers):
                return "its cache holds more than keys and values"
            paths = [tree.path(len(tree) - 1) for tree in trees]
            self.take(paths, max(map(len, trees)), text)
            self._compact(text)
            second = self.forward([DraftTree(texts[3], 2, None) for _ in trees], text)
            return self._difference(prompts, trees, paths, first, second, texts[3])
        except REFUSALS as error:
            return f"{type(error).__name__}: {error}".split("\n")[0]

    def _difference(
        self,
        prompts: list[list[int]],
        trees: list[DraftTree],
        paths: list[list[int]],
        first: Answers,
        second: Answers,
        last: int,
    ) -> str | None:
        found: list[torch.Tensor] = []
        texts: list[list[int]] = []
        for row, (prompt, tree) in enumerate(zip(prompts, trees, strict=True)):
            for node in range(len(tree)):
                found.append(first.logits(row, node))
                texts.append([*prompt, *(tree.tokens[each] for each in tree.path(node))])
            found.append(second.logits(row, 0))
            texts.append([*prompt, *(tree.tokens[each] for each in paths[row]), last])
        plain = self.engine.prefill(texts, 0)[0]
        worst = max(difference(one, other) for one, other in zip(found, plain, strict=True))
        allowed = tolerance(self.engine.model)
        return None if worst <= allowed else f"trees differ from plain decoding by {worst:.1e} of the largest logit"

    @torch.no_grad()
    def _tested_head(self) -> Head | None:
        """The model's head, where states and head give the logits that the model gives."""
        head = Head.of(self.engine)
        if head is None:
            return None
        tokens = torch.tensor([self._texts()[:6]], device=self.engine.device)
        positions = torch.arange(tokens.shape[1], device=self.engine.device).unsqueeze(0)
        every = torch.ones_like(tokens)
        try:
            states = self.engine.states(head.body, tokens, positions, every, DynamicCache())
        except (RuntimeError, ValueError, TypeError, AttributeError):
            return None  # its body is called otherwise
        logits = self.engine.call(tokens, positions, every, DynamicCache())[0]
        ids = torch.arange(0, logits.shape[1], 3, device=self.engine.device)
        some = head.few(states[0, -1], ids)
        if max(difference(head.whole(states[0]), logits), difference(some, logits[-1, ids])) > tolerance(
            self.engine.model
        ):
            return None  # something happens to its logits behind the product
        return head

    def _texts(self) -> list[int]:
        """Some tokens to test with."""
        vocabulary = self.engine.vocabulary
        return [token for token in range(vocabulary.size) if vocabulary.token_bytes(token)][:600:7] or [0]


def _is_plain(layer: Any, length: int) -> bool:
    """A layer that keeps all keys and values, four-dimensional, and nothing else."""
    states = (getattr(layer, "keys", None), getattr(layer, "values", None))
    return all(t is not None and t.ndim == 4 and t.shape[2] == length for t in states)
