"""From nano's weights to those of `diffusion`: answers with masked slots, the masked tokens as targets.

    python -m structgen.nano.train_diffusion --threads 1 --seed 3 --out FILE

Each answer, with the stop tokens that fill it up to a round length, is masked at a rate t, the rates of a batch spread
evenly over (0, 1], and the loss of its masked slots is weighed by 1 / t: a bound of the likelihood of a masked
diffusion model (Sahoo et al. 2024; Nie et al. 2025). Everything else is nano's training: texts, batches, optimizers.
Cost: 14 minutes on one core for the default steps. A seed fixes texts, masks and their order.
"""

from __future__ import annotations

from pathlib import Path

import torch

from structgen.nano import path as nano_path
from structgen.nano.diffusion import bidirectional, pack
from structgen.nano.train import IGNORED, Network, Options, batches, build_model, build_tokenizer, fit, parsed_options

__all__ = ["DEFAULTS", "MaskedLoss", "main", "train"]

DEFAULTS = Options(seed=3, start=str(nano_path()), steps=800, warmup=40, decay_share=0.8, facts=2, longest=96)
_LEAST_RATE = 0.05  # of masking: below it the weight of a slot is without bound


class MaskedLoss:
    """The weighed loss of masked slots, per slot of an answer."""

    def __init__(self, options: Options, mask_id: int, stop_id: int) -> None:
        self._generator = torch.Generator().manual_seed(options.seed)
        self._mask_id, self._stop_id = mask_id, stop_id

    def __call__(self, model: Network, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mask the answers of a batch and score what was masked."""
        targets = inputs.where(inputs != self._mask_id, self._stop_id)  # padding is the mask token: stop tokens instead
        slots = torch.zeros_like(inputs, dtype=torch.bool)
        slots[:, 1:] = (labels != IGNORED).cumsum(1)[:, :-1] > 0  # a label stands one place before its token
        first = torch.rand(1, generator=self._generator)
        rate = (first + torch.arange(len(inputs)) / len(inputs)) % 1 * (1 - _LEAST_RATE) + _LEAST_RATE
        masked = slots & (torch.rand(inputs.shape, generator=self._generator) < rate[:, None])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = bidirectional(model, targets.where(~masked, self._mask_id))
        rows, places = masked.nonzero(as_tuple=True)
        each = torch.nn.functional.cross_entropy(
            logits[rows, places - 1].float(), targets[rows, places], reduction="none"
        )
        return (each / rate[rows]).sum() / slots.sum()


def train(out: Path, options: Options) -> None:
    """Train, and leave packed weights in the file `out`."""
    from safetensors.torch import save_file

    tokenizer = build_tokenizer(options)
    model = build_model(options, tokenizer)

    def keep() -> None:
        own = {name: weight.detach() for name, weight in model.named_parameters()}  # tied weights once
        save_file(pack(own), out)
        out.chmod(0o644)

    loss = MaskedLoss(options, tokenizer.pad_token_id, tokenizer.eos_token_id)
    fit(options, model, batches(options, tokenizer), loss, keep)


def main() -> None:
    """Read the options from the command line and train."""
    train(*parsed_options("Train nano's diffusion model from a seed.", DEFAULTS, "file for the weights"))


if __name__ == "__main__":
    main()
