"""Mirostat: draws whose surprise, in bits, is kept near tau by cutting off what would be too surprising.

    S(t) = -log2 q(t|u)          q the law after mask and temperature
    kept: the tokens with S(t) <= mu, and the likeliest in any case; one is drawn
    mu  <- mu - eta (S(token) - tau),   mu = 2 tau at the start of a path

The second version of the algorithm, as its authors ship it: a cut by mu itself instead of by an estimated rank. Under
a mask a place with one way on says nothing of how surprising the model is: mu stays as it is there, or every bracket
that a schema asks for would loosen the next word.

Source: Basu et al. 2021, "Mirostat: A Neural Text Decoding Algorithm that Directly Controls Perplexity". Cost: one more
softmax a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from structgen.errors import OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["Mirostat"]


@dataclass(slots=True)
class Surprise:
    """The state of a path: mu, and S of every token at the place where it stands; None where there is one way on."""

    most: float
    bits: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Mirostat:
    """`tau`: the mean surprise that is aimed at, in bits; `eta`: how fast the cut follows."""

    tau: float = 5.0
    eta: float = 0.1
    draws: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        for name in ("tau", "eta"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise OptionError(f"{name} of mirostat is a positive number, not {value!r}", option="mirostat")

    def start(self) -> Surprise:
        """mu = 2 tau."""
        return Surprise(2 * self.tau)

    def shape(
        self, logits: torch.Tensor, texts: Sequence[Sequence[int]], states: Sequence[Surprise], temperature: float
    ) -> torch.Tensor:
        """Without what is too surprising."""
        bits = -(logits / temperature).log_softmax(dim=1) / math.log(2)
        for state, row in zip(states, bits, strict=True):
            state.bits = row if int(row.isfinite().sum()) > 1 else None
        most = bits.new_tensor([state.most for state in states]).unsqueeze(1)
        kept = (bits <= most) | (bits == bits.amin(dim=1, keepdim=True))
        return logits.masked_fill(~kept, -math.inf)

    def took(self, state: Surprise, token: int) -> None:
        """mu follows the surprise of what was drawn."""
        if state.bits is not None:
            state.most -= self.eta * (float(state.bits[token]) - self.tau)
            state.bits = None
