"""Momentum decoding: the likeliest token, unless it leads back along a path that the text has gone before.

A text is a walk on a graph whose nodes are tokens; a repetition is a walk in circles. Of the k likeliest tokens

    v* = argmax  q(v|u) - alpha f(depth(v))         q the law behind the mask
    depth(v): the length of the longest end of u v that stands in u already; f(0) = 0, f(d) = d up to 5, then infinite

so a new token costs nothing, a second use little, and a phrase of six tokens is not said twice. Where all k are out of
reach the likeliest comes: under a mask a key of a schema may have to be written again, whatever it resists.

Source: Lan et al. 2022, "Momentum Decoding: Open-ended Text Generation As Graph Exploration". Cost: k passes over the
row's tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from structgen.errors import OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["Momentum", "depth"]

DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Momentum:
    """`alpha`: what a step of depth costs, as a probability; `k`: how many of the likeliest tokens are compared."""

    alpha: float = 0.2
    k: int = 5
    draws: ClassVar[bool | None] = False

    def __post_init__(self) -> None:
        if not (isinstance(self.alpha, int | float) and 0 < self.alpha < math.inf):
            raise OptionError(f"alpha of momentum is a positive number, not {self.alpha!r}", option="momentum")
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise OptionError(f"k of momentum is a positive integer, not {self.k!r}", option="momentum")

    def start(self) -> None:
        """The text is all there is to know."""

    def shape(
        self, logits: torch.Tensor, texts: Sequence[Sequence[int]], states: Sequence[None], temperature: float
    ) -> torch.Tensor:
        """The candidates' probabilities less their resistance; -inf for all other tokens."""
        shaped = logits.new_full(logits.shape, -math.inf)
        chances, tokens = logits.softmax(dim=1).topk(min(self.k, logits.shape[1]), dim=1)
        for row, text in enumerate(texts):
            possible = [(chance, token) for chance, token in zip(chances[row], tokens[row].tolist(), strict=True)]
            possible = [pair for pair in possible if pair[0] > 0]
            costs = [self.alpha * _resistance(depth(text, token)) for _, token in possible]
            lost = min(costs, default=math.inf) == math.inf
            for (chance, token), cost in zip(possible, costs, strict=True):
                shaped[row, token] = chance if lost else chance - cost
        return shaped

    def took(self, state: None, token: int) -> None:
        """The text is all there is to know."""


def depth(text: Sequence[int], token: int, deepest: int = DEEPEST + 1) -> int:
    """Length of the longest end of `text` and `token`, up to `deepest`, that stands in `text`."""
    found = 0
    for at, other in enumerate(text):
        if other != token:
            continue
        length = 1
        while length < deepest and length <= at and text[at - length] == text[-length]:
            length += 1
        found = max(found, length)
    return found


def _resistance(steps: int) -> float:
    return steps if steps <= DEEPEST else math.inf
