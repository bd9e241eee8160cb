"""Attention masks that a caller makes itself, for every kind of layer of a transformers model.

Whoever reads several sequences of unequal progress in one call (engines/slots.py), or a tree of drafts or of prefixes
in one sequence (speculation/forward.py, engines/prefixes.py), says which token looks at which: (B, T, S) booleans. A
model takes them as (B, 1, T, S), one mask or one for each kind of layer; layers with a sliding window see what is near
alone. Whether a model does what it is told is then measured: `difference` compares logits with those of plain decoding.
Cost: the masks.
"""

from __future__ import annotations

from typing import Any

import torch

from structgen.engines.transformers import TransformersEngine

__all__ = ["REFUSALS", "LayerMasks", "difference", "tolerance"]

# What a model raises when it is tried with a mask or a cache that it cannot take: code of others, which says it in many
# ways. Whoever tries goes on without.
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, NotImplementedError)

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-3}  # of the largest logit; other types below
_COARSE = 0.06
_MASKED = ("sdpa", "eager")  # attention implementations that take a mask


class LayerMasks:
    """Masks as a model takes them. `why_not` says why this model takes none, or is None."""

    def __init__(self, engine: TransformersEngine) -> None:
        config = engine.model.config.get_text_config()
        self._model = engine.model
        self._types = tuple(dict.fromkeys(getattr(config, "layer_types", None) or ()))
        self._window: int | None = getattr(config, "sliding_window", None)
        self._attention = getattr(config, "_attn_implementation", None)

    @property
    def why_not(self) -> str | None:
        """Why this model takes no masks, None where it does."""
        if self._attention not in _MASKED:
            return f"attention {self._attention!r} takes no mask"
        other = [kind for kind in self._types if kind not in ("full_attention", "sliding_attention")]
        return f"layers of kind {other[0]}" if other else None

    def of(self, seen: torch.Tensor, positions: torch.Tensor, at: torch.Tensor) -> Any:
        """The masks for (B, T) new tokens at `positions`, which look at S places where `seen` (B, T, S) says so; `at`
        (B or 1, S) are the positions in the text of what stands there."""
        near = seen
        if self._window is not None:
            near = seen & (positions.unsqueeze(2) - at.unsqueeze(1) < self._window)
        masks = {"full_attention": seen, "sliding_attention": near}
        if len(self._types) > 1:
            return {kind: self._as_mask(masks[kind]) for kind in self._types}
        return self._as_mask(masks[self._types[0]] if self._types else near)

    def _as_mask(self, seen: torch.Tensor) -> torch.Tensor:
        """(B, 1, T, S): booleans for sdpa; eager adds what it is given."""
        mask = seen.unsqueeze(1)
        if self._attention == "sdpa":
            return mask
        dtype = self._model.dtype
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference of two rows of logits, as a share of the largest logit."""
    scale = float(other.abs().max()) or 1.0
    return float((one.double() - other.double()).abs().max()) / scale


def tolerance(model: Any) -> float:
    """The difference that rounding makes in a model of this float type."""
    return _TOLERANCE.get(model.dtype, _COARSE)
