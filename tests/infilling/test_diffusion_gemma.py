"""transformers' own block diffusion class, with random weights: every text is valid, at every number of steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList

from benchmarks.canvas_adapters import BLOCK, PROMPT, diffusion_gemma
from benchmarks.denoisers import PAD, STOP, TOKENS, constraint, is_valid
from structgen.errors import OptionError, Unsatisfiable
from structgen.infilling.diffusion_gemma import CanvasLogitsProcessor, lifted

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch's own, of itself


@pytest.fixture(scope="module")
def model() -> Any:
    pytest.importorskip("transformers.models.diffusion_gemma")
    return diffusion_gemma()


def check(model: Any, dtype: torch.dtype, blocks: int, steps: int) -> None:
    torch.manual_seed(blocks + steps)
    ids = torch.randint(3, len(TOKENS), (2, PROMPT))
    settings = {
        "max_new_tokens": BLOCK * blocks,
        "max_denoising_steps": steps,
        "eos_token_id": STOP,
        "pad_token_id": PAD,
    }
    processor = CanvasLogitsProcessor(constraint(), PROMPT, BLOCK * blocks, pad_ids=PAD)
    found = model.to(dtype).generate(ids, logits_processor=LogitsProcessorList([processor]), **settings)
    assert all(is_valid(row) for row in found.sequences[:, PROMPT:].tolist())
    plain = model.generate(ids, **settings)
    assert not any(is_valid(row) for row in plain.sequences[:, PROMPT:].tolist())


def test_every_text_is_valid(model: Any) -> None:
    check(model, torch.float32, 2, 2)
    check(model, torch.bfloat16, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("blocks", "steps"), [(1, 1), (1, 8), (2, 4), (3, 2), (3, 12)])
def test_every_text_is_valid_at_every_number_of_steps(model: Any, dtype: torch.dtype, blocks: int, steps: int) -> None:
    check(model, dtype, blocks, steps)


def test_a_lifted_token_is_the_maximum_at_every_temperature_and_in_every_dtype() -> None:
    rng = torch.Generator().manual_seed(0)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        rows = torch.log_softmax(torch.randn(200, 50, generator=rng) * 5, dim=1).to(dtype)
        fill = torch.randint(0, 50, (200,), generator=rng)
        for temperature in (0.4, 0.55, 0.8, 1.0):
            out = lifted(rows, fill)
            assert torch.equal((out / temperature).argmax(dim=1), fill)
            others = out.scatter(1, fill[:, None], torch.zeros((200, 1), dtype=dtype))
            assert torch.equal(others, rows.scatter(1, fill[:, None], torch.zeros((200, 1), dtype=dtype)))


def test_what_does_not_fit_is_refused_at_the_start_and_blocks_are_whole() -> None:
    scores = torch.zeros((1, 4, len(TOKENS)))
    with pytest.raises(Unsatisfiable, match="tokens at least, there are 8"):
        CanvasLogitsProcessor(constraint(), 0, 8)(torch.zeros((1, 0), dtype=torch.long), scores, 1)
    processor = CanvasLogitsProcessor(constraint(), 0, 40)
    with pytest.raises(OptionError, match="blocks of 4"):
        processor(torch.zeros((1, 3), dtype=torch.long), scores, 1)
