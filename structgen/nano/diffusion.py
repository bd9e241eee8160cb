"""nano as a masked diffusion model: the weights that ship with the library, and how to load them.

The same network over the same tokens, but each place sees all others, and open slots hold a mask token, for which the
padding token serves. A logit of a place still speaks of the next one, as it did when the weights were nano's
(`train_diffusion`; Gong et al., "Scaling Diffusion Language Models via Adaptation from Autoregressive Models", 2024).
The file holds 8-bit integers and a scale for each row: 3.0 MB. It shows how a canvas is filled step by step, and how
often that goes wrong without a constraint; it says nothing of what large models do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.nano import path as nano_path

__all__ = ["FILE", "Denoiser", "bidirectional", "likeliest_tokens", "load", "pack", "unpack"]

FILE = "diffusion.safetensors"
Weights = dict[str, torch.Tensor]


class Denoiser:
    """What `structgen.denoise(shifted=True)` asks: token ids i64 (B, n) to logits float32 (B, n, V), `mask_id` in open
    slots."""

    def __init__(self, network: Any, mask_id: int) -> None:
        self.network, self.mask_id = network, mask_id

    def __call__(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score every place."""
        with torch.no_grad():
            found: NDArray[np.float32] = bidirectional(self.network, torch.from_numpy(ids)).numpy()
        return found


def bidirectional(network: Any, ids: torch.Tensor) -> torch.Tensor:
    """The logits of a causal network (B, n, V) in which every place sees all others."""
    everything = torch.zeros((len(ids), 1, ids.shape[1], ids.shape[1]))
    logits: torch.Tensor = network(input_ids=ids, attention_mask=everything, use_cache=False).logits
    return logits


def load(file: Path | None = None) -> Denoiser:
    """The model in float32, ready for the CPU; of another file than the bundled one where it is given."""
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(nano_path(), local_files_only=True)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    network.load_state_dict(unpack(load_file(file or nano_path() / FILE)), strict=False)
    network.tie_weights()
    return Denoiser(network.eval(), config.pad_token_id)


def likeliest_tokens(model: Denoiser, prompt: Sequence[int], slots: int, steps: int) -> Iterator[list[int | None]]:
    """What such a model is run without a constraint: each step keeps the surest tokens, whatever they make together.
    The slots behind each step, None where they are open."""
    tokens: list[int | None] = [None] * slots
    for share in np.array_split(np.arange(slots), steps):
        held = [model.mask_id if token is None else token for token in tokens]
        scores = model(np.array([[*prompt, *held]]))[0, len(prompt) - 1 : -1]  # a logit speaks of the next place
        scores[:, model.mask_id] = -np.inf
        scores -= np.logaddexp.reduce(scores, axis=1)[:, None]
        left = [slot for slot in np.argsort(-scores.max(axis=1)).tolist() if tokens[slot] is None]
        for slot in left[: len(share)]:
            tokens[slot] = int(scores[slot].argmax())
        yield list(tokens)


def pack(weights: Weights) -> Weights:
    """Matrices as 8-bit integers and a float16 scale for each row, all else as float16."""
    packed: Weights = {}
    for name, weight in weights.items():
        if weight.ndim == 2:
            scale = (weight.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-7).to(torch.float16)
            packed[name] = (weight / scale).round().clamp(-127, 127).to(torch.int8)
            packed[f"{name}.scale"] = scale
        else:
            packed[name] = weight.to(torch.float16)
    return packed


def unpack(packed: Weights) -> Weights:
    """The weights that `pack` wrote, in float32."""
    found = {name: weight.float() for name, weight in packed.items() if not name.endswith(".scale")}
    return {name: weight * packed.get(f"{name}.scale", torch.ones(1)).float() for name, weight in found.items()}
