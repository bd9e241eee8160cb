"""Block diffusion with uniform noise: a logits processor for transformers' DiffusionGemmaForBlockDiffusion.

    processor = CanvasLogitsProcessor(constraint, prompt_length=ids.shape[1], slots=256)
    model.generate(ids, logits_processor=LogitsProcessorList([processor]), max_new_tokens=256)

`generate` fills blocks one behind the other. A step draws every slot by itself, keeps the surest and gives the others
new noise; a block's result is the likeliest token of each slot in its last step. So nothing is ever fixed: each step is
an open canvas, and what the processor returns are the exact log-marginals, in which the likeliest valid fill stands
just above the rest of its row. Then the result is a valid text whichever step is the last, and the entropies by which
the sampler accepts and stops are those of the law. Cost: a law per row and step (structgen/infilling/law.py).
"""

from __future__ import annotations

from typing import Any

import torch

from structgen.errors import OptionError, Unsatisfiable
from structgen.infilling.canvas import Canvas
from structgen.matcher import Constraint
from structgen.vocabulary import TokenIds

__all__ = ["CanvasLogitsProcessor", "lifted"]


def lifted(log_marginals: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Make the token `fill` (n,) of each row of log-marginals (n, V) its maximum, in place, by as little as the dtype
    still tells apart when later processors divide by a temperature."""
    highest = log_marginals.amax(dim=1)
    least = 8 * torch.finfo(log_marginals.dtype).eps * highest.abs().clamp(min=1.0)
    return log_marginals.scatter_(1, fill[:, None], (highest + least)[:, None])


class CanvasLogitsProcessor:
    """What `generate(logits_processor=[...])` calls at every step, for one call of it.

    `prompt_length`: tokens of `input_ids` that are no text of the constraint; `slots`: the most new tokens, which
    `generate` rounds up to whole blocks; `pad_ids`: the model's pad token, which it writes behind an end.
    Raises OptionError where a block is not within the slots, Unsatisfiable where no text fits, as Canvas does.
    """

    def __init__(
        self, constraint: Constraint, prompt_length: int, slots: int, *, depth: int = 4, pad_ids: TokenIds = ()
    ) -> None:
        self.constraint, self.prompt_length, self.slots = constraint, prompt_length, slots
        self._depth, self._pads = depth, pad_ids
        self._blocks: dict[tuple[int, ...], Canvas] = {}  # by the tokens before them, of the last block and this one

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, cur_step: Any) -> torch.Tensor:
        """Replace logits (B, n, >= V) by log-marginals; -inf for what no valid text has."""
        out = torch.empty_like(scores)
        out[..., self.constraint.vocabulary.size :] = -torch.inf
        for row, tokens in enumerate(input_ids[:, self.prompt_length :].tolist()):
            law = self._canvas(tuple(tokens), scores.shape[1]).law(scores[row].float().cpu().numpy())
            marginals = torch.from_numpy(law.log_marginals()).to(out)
            fill = torch.from_numpy(law.best()[0]).to(out.device)
            out[row, :, : marginals.shape[1]] = lifted(marginals, fill)
        return out

    def _canvas(self, before: tuple[int, ...], block: int) -> Canvas:
        """The open block behind some tokens."""
        if before in self._blocks:
            return self._blocks[before]
        slots = -(-self.slots // block) * block
        if len(before) % block or len(before) >= slots:
            raise OptionError(
                f"{len(before)} tokens are written, in blocks of {block}, where there are to be {slots}", option="slots"
            )
        if not before:
            canvas = Canvas(self.constraint, block, depth=self._depth, pad_ids=self._pads, later=slots - block)
            if not canvas.feasible():
                reason = f"a text takes {canvas.least_slots()} tokens at least, there are {slots}"
                raise Unsatisfiable(reason, pointer=None)
        else:
            filled = self._canvas(before[:-block], block).fork()
            for slot, token in enumerate(before[-block:]):
                filled.fix(slot, token)
            canvas = filled.following(block)
            self._blocks = {key: each for key, each in self._blocks.items() if len(key) >= len(before) - block}
        self._blocks[before] = canvas
        return canvas
