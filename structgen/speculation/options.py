"""How `generate` speculates, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structgen.errors import OptionError

if TYPE_CHECKING:
    from structgen.speculation.lossy import Lossy

__all__ = ["Speculation"]


@dataclass(frozen=True, slots=True)
class Speculation:
    """Drafts are proposed, read in one call, and taken where the draws agree; see structgen/speculation.

    field       meaning
    most_nodes  most draft tokens of a call, over a row; how many pay is measured while decoding
    drafters    makes the drafters of a row, given the engine (speculation/drafters); None: all that need no model
    restricted_head  whether to compute the logits of allowed tokens alone where these are few and nobody asks for
                probabilities (speculation/head.py)
    lossy       takes likely drafts without a draw, which changes the law (speculation/lossy.py); None keeps the law.
                Probabilities of what is so decoded are NaN, and `result.stats.speculation.lossy` names it
    """

    most_nodes: int = 32
    drafters: Callable[[Any], Sequence[Any]] | None = None
    restricted_head: bool = True
    lossy: Lossy | None = None

    def __post_init__(self) -> None:
        if isinstance(self.most_nodes, bool) or not isinstance(self.most_nodes, int) or self.most_nodes < 1:
            raise OptionError(f"most_nodes is a positive integer, not {self.most_nodes!r}", option="speculation")
        if self.lossy is not None and not (hasattr(self.lossy, "taken") and hasattr(self.lossy, "name")):
            raise OptionError("lossy is a verifier with a name, or None", option="speculation")
        if self.drafters is not None and not callable(self.drafters):
            raise OptionError("drafters is a function of the engine", option="speculation")
