"""The table model: exact, enumerable, a few lines of arithmetic.

A model (`structgen.protocols.TokenModel`) maps prefixes to logits and remembers nothing that matters: the same prefix
gives the same row whatever stands beside it. Sharing work between prefixes (key-value caches) is the model's own
affair: `structgen.engines.prefixes` does it for transformers.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from structgen.errors import ModelError
from structgen.protocols import Floats, Tokens
from structgen.vocabulary import Vocabulary

__all__ = ["TableModel"]


class TableModel:
    """A model given by a function (or a mapping) from the prefix to the next token's log-probabilities or logits.

    Tables of one name are taken for the same model: what was learned on one serves the other. `encode` spells texts.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        law: Callable[[Tokens], Sequence[float] | Floats] | Mapping[Tokens, Floats],
        name: str | None = None,
        encode: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        if encode is not None:
            self.tokens_of = encode  # an Encoder only if it can spell
        name = name or uuid.uuid4().hex  # two laws without a name are two models
        self._law = law.__getitem__ if isinstance(law, Mapping) else law
        self.fingerprint = hashlib.sha256(f"{name}|{vocabulary.fingerprint}".encode()).hexdigest()
        self.tokens_forwarded = 0

    def logits(self, prefixes: Sequence[Tokens]) -> Floats:
        """One call of the function per prefix."""
        self.tokens_forwarded += sum(map(len, prefixes))
        rows = np.array([self._law(prefix) for prefix in prefixes], np.float64)
        if rows.shape != (len(prefixes), self.vocabulary.size):
            raise ModelError(f"the table gives rows of shape {rows.shape[1:]} for {self.vocabulary.size} tokens")
        return rows

    @classmethod
    def sine(cls, vocabulary: Vocabulary, sharpness: float) -> TableModel:
        """Logits a sin(0.7 + 2.1 t + 1.3 |u| + sum_i (0.9 + 0.37 i)(u_i + 1)): smooth, unlike any grammar, no seed."""
        tokens = np.arange(vocabulary.size)

        def law(u: Tokens) -> Floats:
            phase = 0.7 + 1.3 * len(u) + sum((0.9 + 0.37 * i) * (token + 1) for i, token in enumerate(u))
            return np.asarray(sharpness * np.sin(phase + 2.1 * tokens))

        return cls(vocabulary, law, f"sine {sharpness}")
