"""A hook for trained heads: what a model's last state says of the tokens after the next.

Medusa (Cai et al. 2024), Hydra (Ankner et al. 2024), EAGLE (Li et al. 2024) and multi-token prediction train small
networks on a model's states. Whoever has one gives a function; nothing here is trained.

Cost: the function's, once a call of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch

from structgen.speculation.drafters.base import SHARE_PRIORS, Draft, Place, Seen, share_of_eighths

__all__ = ["TrainedHeads"]

# (H,) the state behind which the last token was drawn, and that token -> by depth, (token, probability) pairs
HeadFunction = Callable[[torch.Tensor, int], Sequence[Sequence[tuple[int, float]]]]


class TrainedHeads:
    """Drafts, at each depth, what a head says of it; the same behind every node of a depth, as Medusa does."""

    name = "heads"

    def __init__(self, function: HeadFunction) -> None:
        self._function = function
        self._depths: Sequence[Sequence[tuple[int, float]]] = ()

    def begin(self, place: Place) -> None:
        """Ask the heads. Nothing is known behind the prompt, nor of a model whose states are not seen."""
        self._depths = () if place.state is None else self._function(place.state, place.tokens[-1])

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """What the head of this depth says."""
        depth = place.tree.depths[node]
        for token, chance in self._depths[depth] if depth < len(self._depths) else ():
            share = share_of_eighths(chance)
            yield Draft(token, 9 * min(depth, 7) + share, SHARE_PRIORS[share])

    def observe(self, seen: Seen) -> None:
        """Heads learn elsewhere."""
