"""From a vocabulary to the texts of its tokens as kernels read them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from structgen.kernels.handles import handle
from structgen.kernels.layout import Words

if TYPE_CHECKING:
    from structgen.vocabulary import Vocabulary

__all__ = ["words_of"]


@lru_cache(maxsize=16)
def words_of(vocabulary: Vocabulary) -> tuple[Any, Words]:
    """A handle, and the arrays behind it, which whoever uses it keeps alive: the vocabulary that they belong to may be
    another one with the same tokens."""
    words = Words(np.frombuffer(vocabulary.data or b"\0", np.uint8), vocabulary.spans)
    return handle(words), words
