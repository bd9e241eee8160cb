"""A model's logits and the tokens so far -> the logits to sample from: repetition penalty, the caller's functions.

Both come before the mask, the temperature and the filters, and count as the model's own law: log-probabilities are of
what they leave. Cost: for each row, a pass over its tokens and one call of each function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from structgen.errors import ModelError

__all__ = ["shape_logits"]

Processor = Callable[[Any, Any], Any]  # (token ids (1, t), logits (1, V)) -> logits (1, V)


def shape_logits(
    logits: torch.Tensor, texts: Sequence[Sequence[int]], penalty: float, processors: Sequence[Processor]
) -> torch.Tensor:
    """(B, V) logits after the penalty and after `processors`, in their order. `texts`: prompt and output of each row.

    Raises ModelError when a function returns no logits.
    """
    if penalty == 1 and not processors:
        return logits
    shaped = logits.clone()
    for row, text in enumerate(texts):
        ids = torch.tensor(list(text), device=logits.device)
        if penalty != 1:
            scores = shaped[row, ids]
            shaped[row, ids] = torch.where(scores < 0, scores * penalty, scores / penalty)
        for processor in processors:
            found = processor(ids.unsqueeze(0), shaped[row : row + 1])
            shape = getattr(found, "shape", None)
            if not isinstance(found, torch.Tensor) or shape != (1, logits.shape[1]) or bool(torch.isnan(found).any()):
                raise ModelError(f"a logits_processor returned no logits of shape (1, {logits.shape[1]})")
            shaped[row] = found[0]
    return shaped
