"""The model for samplers: their thread waits while the loop, which owns the model, reads their prefixes between steps.

So a request with a `method` takes turns with the rows instead of stopping them. Cost: a call of the model for a batch
of prefixes beside a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.protocols import Tokens
from structgen.server.loop import StepLoop
from structgen.server.refusals import Refusal

__all__ = ["LentModel"]


class LentModel:
    """A model of samplers (`structgen.protocols.TokenModel`) that is asked through the loop. `end` makes the next
    question raise a refusal: the sampler ends with it."""

    def __init__(self, inner: Any, loop: StepLoop) -> None:
        self._inner, self._loop = inner, loop
        self.vocabulary, self.fingerprint = inner.vocabulary, inner.fingerprint
        self.tokens_forwarded = inner.tokens_forwarded
        if hasattr(inner, "tokens_of"):  # an Encoder only if it can spell
            self.tokens_of = inner.tokens_of
        self._refusal: Refusal | None = None

    def logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.floating]:
        """(n, V) logits after each prefix. Raises Refusal."""
        if self._refusal is not None:
            raise self._refusal
        found: NDArray[np.floating] = self._loop.lend(lambda: self._inner.logits(prefixes)).result()
        self.tokens_forwarded = self._inner.tokens_forwarded
        return found

    def end(self, refusal: Refusal) -> None:
        """Answer no question any more."""
        self._refusal = refusal
