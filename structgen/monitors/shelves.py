"""A vocabulary -> its texts as names meet them: by the blanks they begin with, and sorted by what follows.

Cost: a pass over the vocabulary, once; 0.3 s for 128,256 tokens.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of
from structgen.monitors.lexical import NAME_BYTES, NAME_STARTS
from structgen.vocabulary import Vocabulary

__all__ = ["Shelf", "shelves_of"]

BLANKS = b" \t\f\r\n"
FEW = 256  # texts that are looked through one by one


class Shelf:
    """Texts behind certain blanks, and their tokens.

    starting  bits of the tokens whose text begins like a name;  ending  of those whose text begins with no byte of one
    """

    def __init__(self, texts: Iterable[tuple[bytes, int]], size: int) -> None:
        self._texts, self._size = sorted(texts), size
        self._whole: dict[bytes, list[int]] = {}
        for text, token in self._texts:
            self._whole.setdefault(text, []).append(token)
        self.starting = row_of([token for text, token in self._texts if text and text[0] in NAME_STARTS], size)
        self.ending = row_of([token for text, token in self._texts if text and text[0] not in NAME_BYTES], size)
        self._accesses: dict[frozenset[int], NDArray[np.uint32]] = {}

    def whole(self, text: bytes) -> Sequence[int]:
        """The tokens of exactly this text."""
        return self._whole.get(text, ())

    def accesses(self, triggers: frozenset[int]) -> NDArray[np.uint32]:
        """Bits of the tokens whose text holds one of these bytes."""
        if triggers not in self._accesses:
            found = [token for text, token in self._texts if not triggers.isdisjoint(text)]
            self._accesses[triggers] = row_of(found, self._size)
        return self._accesses[triggers]

    def fitting(self, rests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """The tokens that begin one of `rests`, or are one and what ends a name; each with what follows the name."""
        if len(self._texts) < FEW:
            return [(token, further) for text, token in self._texts if (further := _behind(text, rests)) is not None]
        found = dict[int, bytes]()
        for rest in rests:
            for size in range(1, len(rest) + 1):
                for token in self._whole.get(rest[:size], ()):
                    found[token] = b""
            at = bisect_left(self._texts, (rest + b"\0",))
            while at < len(self._texts) and self._texts[at][0].startswith(rest):
                text, token = self._texts[at]
                if text[len(rest)] not in NAME_BYTES:
                    found[token] = text[len(rest) :]
                at += 1
        return list(found.items())


def _behind(text: bytes, rests: Sequence[bytes]) -> bytes | None:
    """What follows the name in a text, if it fits."""
    for rest in rests:
        if text and rest.startswith(text):
            return b""
        if text.startswith(rest) and text[len(rest)] not in NAME_BYTES:
            return text[len(rest) :]
    return None


_shelves: weakref.WeakKeyDictionary[Vocabulary, dict[bytes, Shelf]] = weakref.WeakKeyDictionary()


def shelves_of(vocabulary: Vocabulary) -> dict[bytes, Shelf]:
    """The texts of a vocabulary by the blanks they begin with: under b"" all of them, blanks included."""
    found = _shelves.get(vocabulary)
    if found is None:
        tokens = np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist()
        texts = [(vocabulary.token_bytes(token), token) for token in tokens]
        by_blanks: dict[bytes, list[tuple[bytes, int]]] = {b"": texts}
        for text, token in texts:
            rest = text.lstrip(BLANKS)
            if len(rest) < len(text):
                by_blanks.setdefault(text[: len(text) - len(rest)], []).append((rest, token))
        found = {blanks: Shelf(group, vocabulary.size) for blanks, group in by_blanks.items()}
        _shelves[vocabulary] = found
    return found
