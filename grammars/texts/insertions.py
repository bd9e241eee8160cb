"""A fixed text into which markers are written: labels projected into a sentence, and nothing else changed.

`marked`: any of the markers may stand at any of the places. `labelled`: labelled stretches, each between its opening
and closing marker, neither empty nor nested. Places are between words or between characters. Linear in text times
labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from structgen.grammars.regular.language import Language
from structgen.grammars.texts.network import NetworkBuilder

__all__ = ["Places", "labelled", "marked"]

Places = Literal["words", "characters"]
_WORD = re.compile(r"\w+")


def _places(text: str, at: Places) -> tuple[set[int], set[int]]:
    """Where a marker may open and where one may close."""
    if at == "characters":
        return set(range(len(text) + 1)), set(range(len(text) + 1))
    found = list(_WORD.finditer(text))
    return {word.start() for word in found}, {word.end() for word in found}


def marked(text: str, markers: Sequence[str], limit: int, *, at: Places = "words", most: int = 1) -> Language:
    """`text` with up to `most` of `markers` at each place: before and behind words, or anywhere."""
    places = set.union(*_places(text, at))
    builder = NetworkBuilder(limit, accepts=not text)
    here = 0
    for place in range(len(text) + 1):
        written = [here]  # by how many markers stand here
        for _ in range(most if place in places else 0):
            after = builder.state(accepts=place == len(text))
            for marker in markers:
                builder.text(written[-1], marker, after)
            written.append(after)
        if place < len(text):
            here = builder.state(accepts=place + 1 == len(text))
            for state in written:
                builder.edge(state, text[place], here)
    return builder.language()


def labelled(text: str, labels: Mapping[str, tuple[str, str]], limit: int, *, at: Places = "words") -> Language:
    """`text` with stretches of it between the (opening, closing) markers of a label. Raises LimitExceeded."""
    opens, closes = _places(text, at)
    builder = NetworkBuilder(limit, accepts=not text)
    outside, inside = 0, dict.fromkeys(labels, -1)  # the state here, outside and inside each label (-1: not possible)
    last = max(closes, default=0)
    for place in range(len(text) + 1):
        entered = {label: state for label, state in inside.items() if state >= 0}
        if place in closes:
            for label, state in entered.items():
                builder.text(state, labels[label][1], outside)
        if place == len(text):
            break
        following = builder.state(accepts=place + 1 == len(text))
        builder.edge(outside, text[place], following)
        for label in labels:
            inside[label] = -1
            if place + 1 <= last and (label in entered or place in opens):
                inside[label] = builder.state()
                if label in entered:
                    builder.edge(entered[label], text[place], inside[label])
                if place in opens:
                    begun = builder.text(outside, labels[label][0])
                    builder.edge(begun, text[place], inside[label])
        outside = following
    return builder.language()
