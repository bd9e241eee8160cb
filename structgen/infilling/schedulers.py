"""Masked and block diffusion in diffusers: a scheduler whose every step commits tokens of one valid fill.

    pipeline = LLaDA2Pipeline(model=model, scheduler=canvas_scheduler(constraint, slots=64), tokenizer=tokenizer)

A pipeline asks its scheduler which tokens a block takes in a step, by their sampled tokens and confidences. Here they
are of one exact draw of the whole canvas (or its likeliest fill, at temperature 0) and of its marginals, so whatever is
committed can be completed; then the base class decides by its own rules. It sees one block at a time: what earlier
blocks hold is remembered. Tokens once committed are fixed, so editing changes none of them.
Needs the extra `[diffusion]`. Cost: a law per row and step (structgen/infilling/law.py).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from structgen.errors import ModelError, OptionError, Unsatisfiable
from structgen.infilling.canvas import Canvas
from structgen.infilling.diffusion_gemma import lifted
from structgen.matcher import Constraint
from structgen.samplers.choosers import RandomChooser
from structgen.vocabulary import TokenIds

__all__ = ["canvas_scheduler"]


def canvas_scheduler(
    constraint: Constraint, slots: int, *, depth: int = 4, pad_ids: TokenIds = (), **settings: Any
) -> Any:
    """A BlockRefinementScheduler under a constraint, for LLaDA2Pipeline, and for block diffusion without a mask.

    `slots`: the most tokens of a text, the pipeline's gen_length; `settings` are the base class's. Raises as Canvas
    does, Unsatisfiable where no text fits, ModelError where diffusers is missing.
    """
    whole = Canvas(constraint, slots, depth=depth, pad_ids=pad_ids)
    if not whole.feasible():
        reason = f"a text takes {whole.least_slots()} tokens at least, there are {slots}"
        raise Unsatisfiable(reason, pointer=None)
    scheduler = _scheduler_class()(**settings)
    scheduler.constrain(constraint, slots, {"depth": depth, "pad_ids": pad_ids})
    return scheduler


@lru_cache(maxsize=1)
def _scheduler_class() -> Any:
    try:
        from diffusers import BlockRefinementScheduler
    except ImportError as error:
        raise ModelError(f"{error.name} is missing: pip install structgen-engine[diffusion]") from error
    return type("CanvasScheduler", (_CanvasSteps, BlockRefinementScheduler), {})


class _CanvasSteps:
    """What a scheduler does otherwise; mixed in before the class of diffusers."""

    def constrain(self, constraint: Constraint, slots: int, options: dict[str, Any]) -> None:
        """Say what the texts are, once."""
        self._constraint, self._slots, self._options = constraint, slots, options
        self._rows = list[_Row]()

    def set_timesteps(self, num_inference_steps: int, device: Any = None, block_length: int | None = None) -> None:
        """Begin a run: no block is written."""
        super().set_timesteps(num_inference_steps, device=device, block_length=block_length)  # type: ignore[misc]
        self._rows = []

    def step(
        self,
        model_output: torch.Tensor,
        timestep: int | torch.Tensor,
        sample: torch.Tensor,
        *,
        mask_token_id: int | None = None,
        temperature: float = 0.0,
        top_p: float | None = None,
        top_k: int | None = None,
        prompt_mask: torch.Tensor | None = None,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
        **others: Any,
    ) -> Any:
        """As the base class's, with tokens of one valid fill. Raises OptionError where top_p or top_k is given: the
        fill is drawn from the whole law."""
        if top_p is not None or top_k is not None:
            raise OptionError("a canvas is drawn from the whole law, not from likely tokens alone", option="top_p")
        written = torch.zeros(sample.shape[1], dtype=torch.bool) if prompt_mask is None else prompt_mask.cpu()
        begins = int(timestep) == 0
        if not self._rows:
            self._rows = [_Row(self._constraint, self._slots, self._options) for _ in range(len(sample))]
        tokens, chances, marginals = [], [], torch.full_like(model_output, -torch.inf)
        for b, row in enumerate(self._rows):
            if begins:
                row.begin((~written).nonzero().flatten().tolist(), sample.shape[1])
            held = sample[b] != mask_token_id if mask_token_id is not None else row.held(sample[b])
            seed = int(torch.randint(1 << 62, (1,), generator=generator).item())
            found = row.step(model_output[b], sample[b], held, temperature, seed)
            tokens.append(found[0])
            chances.append(found[1])
            marginals[b, :, : found[2].shape[1]] = found[2].to(marginals)
        fill = torch.stack(tokens).to(sample)
        # That a token is likeliest with a given chance: the rest is shared evenly by all others.
        chance = torch.stack(chances).to(torch.float32).clamp(min=2.0 / model_output.shape[-1], max=1.0)
        rest = (1 - chance) / (model_output.shape[-1] - 1)
        stated = rest.log()[..., None].expand(*model_output.shape).clone()
        stated.scatter_(2, fill.cpu()[..., None], chance.log()[..., None])
        out = super().step(  # type: ignore[misc]
            stated.to(model_output.device),
            timestep,
            sample,
            mask_token_id=mask_token_id,
            temperature=0.0,
            prompt_mask=prompt_mask,
            generator=generator,
            return_dict=True,
            **{**others, "sampling_method": "greedy"},
        )
        for row, moved in zip(self._rows, out.transfer_index.cpu(), strict=True):
            row.committed |= moved
        out.pred_logits = torch.stack(
            [lifted(*each) for each in zip(marginals, fill.to(marginals.device), strict=True)]
        )
        return out if return_dict else tuple(out.values())


class _Row:
    """One text of a batch: the block of it that is being written."""

    def __init__(self, constraint: Constraint, slots: int, options: dict[str, Any]) -> None:
        self._constraint, self._left, self._options = constraint, slots, options
        self._canvas: Canvas | None = None
        self._own: list[int] = []  # places of the block that are slots of the canvas
        self._fill = np.zeros(0, np.int64)
        self.committed = torch.zeros(0, dtype=torch.bool)

    def begin(self, places: list[int], size: int) -> None:
        """Begin a block of `size` whose `places` are open; the last fill of the one before is written. Places behind
        the last slot are none: the pipeline cuts them off."""
        before, self._own = self._canvas, places[: self._left]
        slots = len(self._own)
        self._left -= slots
        if before is None:
            self._canvas = Canvas(self._constraint, slots, later=self._left, **self._options)
        elif slots:
            for slot, token in enumerate(self._fill.tolist()):
                before.fix(slot, token)
            self._canvas = before.following(slots)
        self._fill = np.zeros(0, np.int64)
        self.committed = torch.zeros(size, dtype=torch.bool)

    def held(self, sample: torch.Tensor) -> torch.Tensor:
        """The places that keep their tokens where no mask token says so: those that were committed, and all where the
        pipeline holds the last fill whole, because its own rule has ended the row."""
        whole = len(self._fill) and sample[self._own].tolist() == self._fill.tolist()
        return torch.ones_like(self.committed) if whole else self.committed

    def step(
        self, logits: torch.Tensor, sample: torch.Tensor, held: torch.Tensor, temperature: float, seed: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A fill of the block (n,), the chances of its tokens, and the log-marginals (n, V)."""
        vocabulary = self._constraint.vocabulary
        fill, chances = torch.full_like(sample, vocabulary.stop_ids[0]).cpu(), torch.ones(len(sample))
        marginals = torch.full((len(sample), vocabulary.size), -torch.inf)
        marginals.scatter_(1, fill[:, None], 0.0)  # of places that are no slots
        if not self._own or self._canvas is None:
            return fill, chances, marginals
        canvas = self._canvas.fork()
        for slot, place in enumerate(self._own):
            if held[place]:
                canvas.fix(slot, int(sample[place]))
        scores = logits[self._own].float().cpu().numpy()
        law = canvas.law(scores if temperature in (0, 1) else scores / np.float32(temperature))
        self._fill = law.best()[0] if temperature == 0 else law.sample(RandomChooser(seed))
        found = torch.from_numpy(law.log_marginals())
        own = torch.from_numpy(self._fill)
        fill[self._own], marginals[self._own] = own, found
        chances[self._own] = found.gather(1, own[:, None])[:, 0].exp()
        return fill, chances, marginals
