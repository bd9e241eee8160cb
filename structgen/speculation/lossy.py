"""Verifiers that change the law: a draft that is likely enough is taken without a draw.

Inside a constraint every draft that is taken is legal, so such rules are tempting; but what is sampled is no longer the
model's law. They are off unless one is given by name, and the result says so. The rule here is Medusa's; judge decoding
and reflective verification, which need a trained head or a second prompt, fit the same protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["Lossy", "TypicalAcceptance"]


class Lossy(Protocol):
    """Takes drafts without a draw. `name` is written into the result."""

    name: str

    def taken(self, law: torch.Tensor, drafts: Sequence[int]) -> int | None:
        """The token to take, of the drafts behind a node, likeliest first; None to draw as ever.

        `law`: (V,) probabilities under the constraint, at temperature 1.
        """
        ...


@dataclass(frozen=True, slots=True)
class TypicalAcceptance:
    """Take the likeliest draft whose probability is above min(epsilon, delta * exp(-entropy)) (Cai et al. 2024)."""

    epsilon: float = 0.3
    delta: float = 0.09
    name: str = "typical"

    def taken(self, law: torch.Tensor, drafts: Sequence[int]) -> int | None:
        """See Lossy."""
        entropy = float(torch.special.entr(law).sum())
        threshold = min(self.epsilon, self.delta * float(torch.exp(torch.tensor(-entropy))))
        best = max(drafts, key=lambda token: float(law[token]))
        return best if float(law[best]) > threshold else None
