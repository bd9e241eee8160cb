"""The alphabet of one automaton: code points that no character set in play tells apart form one class.

Every set of code points then is a set of classes, written as an integer with one bit per class, and the automata
compute with these integers alone. Built by one sweep over the interval ends, O(n log n) for n intervals.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from structgen.grammars.regular.charset import ANY, NONE, CharSet


@dataclass(frozen=True, slots=True, eq=False)
class Alphabet:
    """Classes by number, in the order of their first code points; `owner[i]` is the class from `bounds[i]` on."""

    classes: tuple[CharSet, ...]
    masks: dict[CharSet, int]
    bounds: tuple[int, ...]
    owner: tuple[int, ...]

    @property
    def everything(self) -> int:
        """The mask of all classes."""
        return (1 << len(self.classes)) - 1

    def classify(self, character: str) -> int:
        """The mask of the class a character belongs to; 0 for a surrogate."""
        point = ord(character)
        if 0xD800 <= point <= 0xDFFF:
            return 0
        return 1 << self.owner[bisect_right(self.bounds, point) - 1]

    def charset(self, mask: int) -> CharSet:
        """The code points of a set of classes."""
        if mask == self.everything:
            return ANY
        if not mask & (mask - 1):
            return self.classes[mask.bit_length() - 1] if mask else NONE
        return CharSet.spans(span for n, members in enumerate(self.classes) if mask >> n & 1 for span in members.ranges)


def alphabet_of(sets: Iterable[CharSet]) -> Alphabet:
    """The coarsest alphabet in which each of `sets` (and the set of all) is a union of classes."""
    distinct = list(dict.fromkeys((ANY, *sets)))
    toggles: dict[int, int] = {0: 0}
    for number, charset in enumerate(distinct):
        for low, high in charset.ranges:
            toggles[low] = toggles.get(low, 0) ^ (1 << number)
            toggles[high + 1] = toggles.get(high + 1, 0) ^ (1 << number)
    bounds = sorted(toggles)
    numbers: dict[int, int] = {}
    spans: list[list[tuple[int, int]]] = []
    owner, signature = [], 0
    for at, low in enumerate(bounds):
        signature ^= toggles[low]
        if not signature:  # surrogates, and what lies behind the last code point
            owner.append(0)
            continue
        number = numbers.setdefault(signature, len(numbers))
        if number == len(spans):
            spans.append([])
        spans[number].append((low, bounds[at + 1] - 1))
        owner.append(number)
    masks = [0] * len(distinct)
    for signature, number in numbers.items():
        while signature:
            bit = signature & -signature
            masks[bit.bit_length() - 1] |= 1 << number
            signature ^= bit
    classes = tuple(CharSet(tuple(_joined(members))) for members in spans)
    return Alphabet(classes, dict(zip(distinct, masks, strict=True)), tuple(bounds), tuple(owner))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adjacent intervals of one class, which another set's end had split, as one."""
    joined: list[tuple[int, int]] = []
    for low, high in spans:
        if joined and joined[-1][1] + 1 == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined
