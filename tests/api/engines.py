"""An engine without a model: logits from a hash of the row's tokens, over a small vocabulary of bytes and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from structgen.vocabulary import Vocabulary

WORDS = [b'{"', b'": ', b'", "', b'"}', b"true", b"false", b"null", b"name", b"age", b"abc", b"12"]


class HashEngine:
    """Knows nothing and is repeatable: what it prefers depends on the tokens before."""

    def __init__(self) -> None:
        tokens = [bytes([byte]) for byte in range(256)] + WORDS + [b""]
        self.vocabulary = Vocabulary.from_bytes(tokens, eos=[len(tokens) - 1])
        self.prompts: list[Any] = []

    def encode(self, prompt: Any) -> list[int]:
        self.prompts.append(prompt)
        return list(prompt.encode()) if isinstance(prompt, str) else [len(str(item)) for item in prompt]

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, list[list[int]]]:
        context = [list(prompt) for prompt in prompts]
        return self._logits(context), context

    def extend(self, tokens: Sequence[int], context: list[list[int]]) -> torch.Tensor:
        for row, token in zip(context, tokens, strict=True):
            row.append(token)
        return self._logits(context)

    def _logits(self, context: list[list[int]]) -> torch.Tensor:
        rows = []
        for row in context:
            rng = np.random.default_rng(row)
            logits = rng.normal(size=self.vocabulary.size)
            logits[-1] += 3  # ends soon
            rows.append(logits)
        return torch.from_numpy(np.array(rows))
