"""Linear layers of a model on a CPU, their weights laid out as oneDNN multiplies them.

torch lays a weight out anew in every product. Done once, a step of 16 rows of SmolLM2-135M in bfloat16 took 67 ms
instead of 126, one of a single row 45 instead of 55, with the same logits to the last bit (float32: 91 instead of 131,
to 1e-4). Cost: a second copy of the weights. What torch has for this is no public part of it, so `pack` looks first
whether it is there and gives the same logits, and puts everything back where it does not.
"""

from __future__ import annotations

from typing import Any

import torch

from structgen.engines.attention import difference, tolerance
from structgen.engines.transformers import TransformersEngine

__all__ = ["pack", "unpack"]


class _Packed(torch.nn.Module):
    """A linear layer whose weight is packed for products of about `rows` rows."""

    def __init__(self, linear: torch.nn.Linear, rows: int) -> None:
        super().__init__()
        self.linear, self.weight, self.bias = linear, linear.weight, linear.bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), rows)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the layer gives."""
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self.packed, self.bias, "none", [], "")
        return found


def pack(engine: TransformersEngine, rows: int) -> str | None:
    """Pack the weights for steps of `rows` rows; a reason where they stay as they are."""
    model = engine.model
    if engine.device.type != "cpu" or model.dtype not in (torch.float32, torch.bfloat16):
        return f"weights in {model.dtype} on {engine.device.type} are not packed"
    if not all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise")):
        return "this torch has no packed products"
    prompts = [[engine.vocabulary.stop_ids[0]] * 3] * min(rows, 2)
    with torch.no_grad():
        plain = engine.prefill(prompts, 1)[0]
        try:
            for parent, name, layer in _linears(model):
                setattr(parent, name, _Packed(layer, rows))
            packed = engine.prefill(prompts, 1)[0]
        except (RuntimeError, NotImplementedError, TypeError) as error:
            unpack(engine)
            return f"{type(error).__name__}: {error}".split("\n")[0]
    worst = max(difference(one, other) for one, other in zip(packed, plain, strict=True))
    if worst > tolerance(model):
        unpack(engine)
        return f"packed weights differ by {worst:.1e}"
    return None


def unpack(engine: TransformersEngine) -> None:
    """Put the plain layers back."""
    for module in list(engine.model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _Packed):
                setattr(module, name, child.linear)


def _linears(model: Any) -> list[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    """The linear layers, each with its parent and its name there; those of other libraries are left alone."""
    return [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if type(child) is torch.nn.Linear
    ]
