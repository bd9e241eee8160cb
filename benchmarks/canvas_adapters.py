"""Adapters of canvases in the loops of transformers and diffusers, around tiny networks with random weights.

Which texts come out valid, and how many without an adapter: the classes are the libraries' own, the weights know
nothing. diffusers is an extra (`[diffusion]`); without it its part is left out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.denoisers import MASK, PAD, STOP, TOKENS, constraint, is_valid
from structgen.infilling.diffusion_gemma import CanvasLogitsProcessor

__all__ = ["BLOCK", "PROMPT", "RandomNetwork", "adapters", "diffusion_gemma"]

BLOCK, PROMPT, ROWS = 20, 5, 50


def diffusion_gemma() -> Any:
    """transformers' class for block diffusion, with few random weights."""
    from transformers.models import diffusion_gemma
    from transformers.models.gemma4.configuration_gemma4 import Gemma4VisionConfig

    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    text = diffusion_gemma.DiffusionGemmaTextConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        layer_types=["full_attention"],
        global_head_dim=16,
        num_experts=2,
        top_k_experts=1,
        moe_intermediate_size=16,
        **heads,
    )
    pictures = Gemma4VisionConfig(hidden_size=32, intermediate_size=16, num_hidden_layers=1, **heads)
    torch.manual_seed(0)
    config = diffusion_gemma.DiffusionGemmaConfig(text_config=text, vision_config=pictures, canvas_length=BLOCK)
    return diffusion_gemma.DiffusionGemmaForBlockDiffusion(config).eval()


class RandomNetwork(torch.nn.Module):
    """Random logits that depend on all tokens, as diffusers' LLaDA2Pipeline calls a model."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(len(TOKENS), 16)
        self.places = torch.nn.Parameter(torch.randn(256, 16))
        self.head = torch.nn.Linear(16, len(TOKENS))

    def forward(self, ids: torch.Tensor, attention_mask: Any = None, position_ids: Any = None) -> Any:
        """An object with logits (B, n, V)."""
        hidden = self.embedding(ids) + self.places[position_ids]
        return SimpleNamespace(logits=4 * self.head(hidden + hidden.mean(1, keepdim=True)))


def adapters(count: int) -> Iterator[dict[str, Any]]:
    """Valid texts of so many, by adapter, with and without it, at random numbers of steps and blocks."""
    yield _counted("DiffusionGemma (transformers)", _gemma(diffusion_gemma()), count)
    if find_spec("diffusers"):
        yield _counted("LLaDA2 (diffusers)", _llada(RandomNetwork()), count)


def _counted(name: str, written: Any, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"part": "adapters", "adapter": name, "texts": 0, "valid": 0, "plain": 0, "plain_valid": 0}
    seed = 0
    while found["texts"] < count:
        rows = written(seed, True)
        found["texts"] += len(rows)
        found["valid"] += sum(map(is_valid, rows))
        if seed % 10 == 0:
            rows = written(seed, False)
            found["plain"] += len(rows)
            found["plain_valid"] += sum(map(is_valid, rows))
        seed += 1
    return found


def _gemma(model: Any) -> Any:
    from transformers import LogitsProcessorList

    def written(seed: int, constrained: bool) -> list[list[int]]:
        chance = random.Random(seed)
        blocks, steps = chance.choice((1, 1, 2, 3)), chance.choice((1, 1, 2, 4))
        torch.manual_seed(seed)
        ids = torch.randint(3, len(TOKENS), (ROWS, PROMPT))
        ends = {"eos_token_id": STOP, "pad_token_id": PAD}
        processor = CanvasLogitsProcessor(constraint(), PROMPT, BLOCK * blocks, pad_ids=PAD)
        processors = LogitsProcessorList([processor] if constrained else [])
        found = model.generate(
            ids, logits_processor=processors, max_new_tokens=BLOCK * blocks, max_denoising_steps=steps, **ends
        )
        rows: list[list[int]] = found.sequences[:, PROMPT:].tolist()
        return rows

    return written


def _llada(network: RandomNetwork) -> Any:
    import diffusers

    from structgen.infilling.schedulers import canvas_scheduler

    def written(seed: int, constrained: bool) -> list[list[int]]:
        chance = random.Random(seed)
        steps, block = chance.choice(((1, 36), (1, 10), (2, 36), (4, 12)))
        generator = torch.Generator().manual_seed(seed)
        scheduler = canvas_scheduler(constraint(), slots=36) if constrained else diffusers.BlockRefinementScheduler()
        pipeline = diffusers.LLaDA2Pipeline(model=network, scheduler=scheduler, tokenizer=None)
        pipeline.set_progress_bar_config(disable=True)
        found = pipeline(
            input_ids=torch.randint(3, len(TOKENS), (ROWS, PROMPT), generator=generator),
            gen_length=36,
            block_length=block,
            num_inference_steps=steps,
            temperature=chance.choice((0.0, 0.7, 1.0)),
            eos_token_id=STOP,
            mask_token_id=MASK,
            generator=generator,
            output_type="seq",
        )
        return [row[: row.index(STOP) if STOP in row else len(row)] for row in found.sequences.tolist()]

    return written
