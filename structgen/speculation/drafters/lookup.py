"""Prompt lookup: what stood behind the last tokens when they stood in the prompt or the output before.

Source: prompt lookup decoding (Saxena 2023); aggressive decoding (Ge et al. 2022), which copies the input. The longest
match counts, of equal ones the latest; the next longest with another token is the second draft.

Cost: a few dictionary look-ups a node, and as many entries for each token of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from structgen.speculation.drafters.base import Draft, Place, Seen, endings

__all__ = ["PromptLookup"]

_PRIORS = (0.12, 0.5, 0.55, 0.6, 0.72, 0.75, 0.85)  # by the length of the match
_SECOND, _PRIOR_OF_SECOND = 16, 0.06  # added to the kind of a second draft


class PromptLookup:
    """Drafts by matches of up to `longest` tokens."""

    name = "lookup"

    def __init__(self, longest: int = 4) -> None:
        self._longest = longest
        self._ends: dict[tuple[int, ...], int] = {}  # by n-gram: the latest place behind one
        self._read = 0

    def begin(self, place: Place) -> None:
        """Index what is new in the text: n-grams that end before its last token, behind which nothing stands yet."""
        tokens = place.tokens
        for end in range(max(self._read, 1), len(tokens)):
            self._ends.update(dict.fromkeys(endings(tokens, end, self._longest), end))
        self._read = len(tokens)

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The token behind the longest match, and the one behind the longest match that says otherwise."""
        tail, first = place.tail(node), None
        for size in range(min(self._longest, len(tail)), 0, -1):
            end = self._ends.get(tail[-size:])
            if end is None:
                continue
            token = place.tokens[end]
            if first is None:
                first = token
                length = self._matched(place.tokens, end, tail)
                yield Draft(token, min(length, 12), _PRIORS[min(length, len(_PRIORS)) - 1])
            elif token != first:
                yield Draft(token, _SECOND + size, _PRIOR_OF_SECOND)
                return

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""

    def _matched(self, tokens: Sequence[int], end: int, tail: tuple[int, ...]) -> int:
        """How many of the last tokens stand before `end`."""
        length = 0
        while length < min(len(tail), end) and tokens[end - 1 - length] == tail[-1 - length]:
            length += 1
        return length
