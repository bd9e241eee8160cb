"""diffusers' own pipelines, with a random model: every text is valid, at every number of steps."""

from __future__ import annotations

import pytest
import torch

from benchmarks.canvas_adapters import RandomNetwork
from benchmarks.denoisers import MASK, STOP, TOKENS, constraint, is_valid
from structgen.errors import OptionError, Unsatisfiable

diffusers = pytest.importorskip("diffusers")


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("steps", "block", "editing"), [(24, 24, None), (4, 24, 0.5), (1, 24, None), (1, 10, 0.5)])
def test_every_text_of_the_masked_pipeline_is_valid(
    steps: int, block: int, editing: float | None, temperature: float
) -> None:
    from structgen.infilling.schedulers import canvas_scheduler

    torch.manual_seed(0)
    net = RandomNetwork()
    scheduler = canvas_scheduler(constraint(), slots=36)
    pipeline = diffusers.LLaDA2Pipeline(model=net, scheduler=scheduler, tokenizer=None)
    pipeline.set_progress_bar_config(disable=True)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        found = pipeline(
            input_ids=torch.randint(3, len(TOKENS), (2, 5), generator=generator),
            gen_length=36,
            block_length=block,
            num_inference_steps=steps,
            temperature=temperature,
            editing_threshold=editing,
            eos_token_id=STOP,
            mask_token_id=MASK,
            generator=generator,
            output_type="seq",
        )
        for row in found.sequences.tolist():
            end = row.index(STOP) if STOP in row else len(row)
            assert is_valid(row[:end])


def test_uniform_noise_commits_tokens_of_one_text() -> None:
    """As diffusers' DiffusionGemmaPipeline calls it (which 0.42.1 cannot with transformers 5.24): no mask token, new
    noise where nothing is committed, and a row that the pipeline ends early keeps what was likeliest then."""
    from structgen.infilling.schedulers import canvas_scheduler

    rng = torch.Generator().manual_seed(0)
    for steps in (1, 3, 12):
        scheduler = canvas_scheduler(constraint(), slots=40)
        scheduler.set_timesteps(steps, block_length=20)
        written = list[torch.Tensor]()
        for _ in range(2):
            canvas, kept = torch.randint(0, len(TOKENS), (3, 20), generator=rng), None
            for step in range(steps):
                logits = torch.randn((3, 20, len(TOKENS)), generator=rng) * 3
                out = scheduler.step(logits, step, canvas, temperature=1.0, generator=rng)
                assert out.pred_logits.shape == logits.shape
                kept = out.pred_logits[0].argmax(dim=-1) if kept is None else kept
                canvas = torch.cat([kept[None], out.prev_sample[1:]])
            written.append(canvas)
        assert all(is_valid(row) for row in torch.cat(written, dim=1).tolist())


def test_what_cannot_be_exact_is_refused() -> None:
    from structgen.infilling.schedulers import canvas_scheduler

    with pytest.raises(Unsatisfiable, match="there are 4"):
        canvas_scheduler(constraint(), slots=4)
    scheduler = canvas_scheduler(constraint(), slots=40)
    with pytest.raises(OptionError, match="whole law"):
        scheduler.step(torch.zeros((1, 40, len(TOKENS))), 0, torch.full((1, 40), MASK), top_k=5)
