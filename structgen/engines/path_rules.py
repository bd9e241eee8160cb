"""How the next token is chosen where that depends on the path so far: what the decode loop asks of such a rule.

A rule changes what the mask has left of a row's logits, and may keep a state for each path. Everything else is the
loop's: the mask before, temperature and draw behind, accounts of probabilities, budgets. `mirostat`, `momentum` and
`contrastive` are rules; a row has one at most.

A rule must leave a way on wherever the mask does: what it refuses on the last way on it has to give back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import torch

__all__ = ["PathRule"]


class PathRule(Protocol):
    """Chooses by the path.   B rows, V tokens

    `draws`: whether the rule is for drawing (True), for the likeliest token (False), or for either (None).
    """

    draws: ClassVar[bool | None]

    def start(self) -> Any:
        """The state of a path before its first token; rules without one give None."""
        ...

    def shape(
        self, logits: torch.Tensor, texts: Sequence[Sequence[int]], states: Sequence[Any], temperature: float
    ) -> torch.Tensor:
        """(B, V) masked float64 logits, -inf where nothing may come -> those to go on from, some of them -inf besides.

        `texts`: prompt and output of each row. The loop divides what it gets by `temperature`, where that is not 0.
        """
        ...

    def took(self, state: Any, token: int) -> None:
        """A path went on with a token."""
        ...
