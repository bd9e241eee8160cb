"""Contrastive decoding: what a large model says more than a small one, among the tokens that the large one believes in.

    head   = the tokens behind the mask with p(v|u) >= alpha max p(.|u)       p the model's law on what is allowed
    score  = log p(v|u) - log a(v|u) in the head, -inf elsewhere              a the amateur's

What both find likely is common and dull; the difference is what the larger one has learnt besides. The head is taken
behind the mask: before it, all that is allowed might be outside. The likeliest token is the highest score; at a
temperature scores are logits.

Contrastive *search* (Su et al. 2022) is another thing: it compares hidden states of candidates with those of the text,
and engines and prefix models give logits alone. It is not supported.

Source: Li et al. 2023, "Contrastive Decoding: Open-ended Text Generation as Optimization". Cost: the amateur reads
every row too; what its rows share with one another and with their own past it reads once (engines/prefixes.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from structgen.errors import ModelError, OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["Contrastive"]


@dataclass(frozen=True, slots=True)
class Contrastive:
    """`amateur`: a smaller model of the same vocabulary: whatever `generate` takes as a model, or a TokenModel.

    `alpha`: how likely a token must be to be compared, as a share of the likeliest.
    """

    amateur: Any
    alpha: float = 0.1
    draws: ClassVar[bool | None] = None

    def __post_init__(self) -> None:
        if not (isinstance(self.alpha, int | float) and 0 < self.alpha <= 1):
            raise OptionError(f"alpha of contrastive is in (0, 1], not {self.alpha!r}", option="contrastive")

    def start(self) -> None:
        """The text is all there is to know."""

    def shape(
        self, logits: torch.Tensor, texts: Sequence[Sequence[int]], states: Sequence[None], temperature: float
    ) -> torch.Tensor:
        """The scores. Raises ModelError for an amateur that gives no logits of these tokens."""
        rows = self.amateur.logits([tuple(text) for text in texts])
        width = self.amateur.vocabulary.size
        if rows.ndim != 2 or rows.shape[0] != len(texts) or rows.shape[1] < width:
            raise ModelError(f"the amateur returned logits of shape {rows.shape} for {len(texts)} texts")
        dull = logits.new_full(logits.shape, -math.inf)
        dull[:, :width] = logits.new_tensor(rows[:, : min(width, logits.shape[1])])
        least = logits.amax(dim=1, keepdim=True) + math.log(self.alpha)
        head = logits >= least
        dull = dull.masked_fill(logits == -math.inf, -math.inf).log_softmax(dim=1)
        if bool(dull.isnan().any()) or bool((head & (dull == -math.inf)).any()):
            raise ModelError("the amateur gives probability zero to what the model believes in")
        return (logits.log_softmax(dim=1) - dull).masked_fill(~head, -math.inf)

    def took(self, state: None, token: int) -> None:
        """The text is all there is to know."""
