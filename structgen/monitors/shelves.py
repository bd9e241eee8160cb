"""A vocabulary -> its texts as names meet them: by the blanks they begin with, sorted by what follows.

Cost: a pass over the vocabulary, once; 0.3 s for 128,256 tokens.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of
from structgen.monitors.lexical import Letters
from structgen.vocabulary import Vocabulary

__all__ = ["Shelf", "Shelves", "shelves_of"]

BLANKS = b" \t\f\v\r\n"
FEW = 256  # texts that are looked through one by one
Row = NDArray[np.uint32]


class Shelf:
    """Texts, each of a token: all of it, or what is left of it behind a common beginning.

    `row` has the bits of all of them; `blank`: those that begin with a blank.
    """

    def __init__(self, texts: Iterable[tuple[bytes, int]], size: int, letters: Letters) -> None:
        self._texts, self._size, self._letters = sorted(texts), size, letters
        self._holding: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
        self._beginning: dict[frozenset[int], Row] = {}

    def _bits(self, chosen: Callable[[bytes], bool]) -> Row:
        return row_of([token for text, token in self._texts if chosen(text)], self._size)

    @cached_property
    def _whole(self) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for text, token in self._texts:
            found.setdefault(text, []).append(token)
        return found

    @cached_property
    def row(self) -> Row:
        """Of all texts."""
        return self._bits(lambda text: True)

    @cached_property
    def blank(self) -> list[int]:
        """The tokens that begin with a blank."""
        return [token for text, token in self._texts if text and text[0] in BLANKS]

    def whole(self, text: bytes) -> Sequence[int]:
        """The tokens of exactly this text."""
        return self._whole.get(text, ())

    def beginning(self, first: frozenset[int]) -> Row:
        """Bits of the tokens whose text begins with one of these bytes."""
        if first not in self._beginning:
            self._beginning[first] = self._bits(lambda text: text[:1] != b"" and text[0] in first)
        return self._beginning[first]

    def holding(self, first: frozenset[int], these: frozenset[int]) -> list[int]:
        """The tokens whose text begins with one of the bytes of `first` and holds one of `these`."""
        if (first, these) not in self._holding:
            found = [t for text, t in self._texts if text and text[0] in first and not these.isdisjoint(text)]
            self._holding[first, these] = found
        return self._holding[first, these]

    def fitting(self, rests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """The tokens whose text begins one of `rests`, or is one and what ends a name; each with what follows it."""
        if len(self._texts) < FEW:
            behind = ((token, self._further(text, rests)) for text, token in self._texts)
            return [(token, further) for token, further in behind if further is not None]
        found = dict[int, bytes]()
        for rest in rests:
            for size in range(1, len(rest) + 1):
                for token in self._whole.get(rest[:size], ()):
                    found[token] = b""
            at = bisect_left(self._texts, (rest + b"\0",))
            while at < len(self._texts) and self._texts[at][0].startswith(rest):
                text, token = self._texts[at]
                if text[len(rest)] not in self._letters.all:
                    found[token] = text[len(rest) :]
                at += 1
        return list(found.items())

    def _further(self, text: bytes, rests: Sequence[bytes]) -> bytes | None:
        """What follows the name in a text, if it fits."""
        for rest in rests:
            if text and rest.startswith(text):
                return b""
            if text.startswith(rest) and text[len(rest)] not in self._letters.all:
                return text[len(rest) :]
        return None


class Shelves:
    """The texts of a vocabulary: `plain` those that begin with no blank; `blanks` what the others begin with, shorter
    ones first. `ending` has the bits of the tokens that begin with no byte of a name."""

    def __init__(self, vocabulary: Vocabulary, letters: Letters) -> None:
        size, groups = vocabulary.size, dict[bytes, list[tuple[bytes, int]]]()
        for token in np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist():
            text = vocabulary.token_bytes(token)
            rest = text.lstrip(BLANKS)
            groups.setdefault(text[: len(text) - len(rest)], []).append((rest, token))
        self.plain = Shelf(groups.pop(b"", []), size, letters)
        self.blanks = sorted(groups, key=len)
        self._groups, self._size, self._letters = groups, size, letters
        self._behind: dict[tuple[bytes, ...], Shelf] = {}
        texts = np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist()
        ending = [token for token in texts if vocabulary.token_bytes(token)[0] not in letters.all]
        self.ending = row_of(ending, size)

    def behind(self, blanks: tuple[bytes, ...]) -> Shelf:
        """What the tokens that begin with one of these blanks go on with."""
        found = self._behind.get(blanks)
        if found is None:
            texts = [each for some in blanks for each in self._groups[some]]
            found = self._behind[blanks] = Shelf(texts, self._size, self._letters)
        return found


_shelves: weakref.WeakKeyDictionary[Vocabulary, dict[Letters, Shelves]] = weakref.WeakKeyDictionary()


def shelves_of(vocabulary: Vocabulary, letters: Letters) -> Shelves:
    """The shelves of a vocabulary for names of these letters, made once."""
    found = _shelves.setdefault(vocabulary, {})
    if letters not in found:
        found[letters] = Shelves(vocabulary, letters)
    return found[letters]
