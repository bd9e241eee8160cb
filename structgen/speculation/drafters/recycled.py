"""Recycled tokens: what the model found likely behind the last tokens when they stood anywhere before.

Sources: token recycling (Luo et al. 2024), by one token; the tri-grams of adaptive draft-verification (ADED, Liu et al.
2024), by two. Every node that was read teaches, taken or not. What is known is asked for from the closest to the
farthest: behind the same two tokens; behind the same token in the same state of the constraint (behind `"` where a
name begins something else comes than behind `"` where a key begins); behind the same token; and where the same bytes
may come, which inside strings is often their end.

The priors are what was counted with SmolLM2-135M over 20 prompts, rounded.

Cost: some dictionary look-ups a node, and a step of the constraint for each likely token.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from structgen.matcher import Constraint
from structgen.speculation.drafters.base import Draft, Place, Seen, share_of_eighths

__all__ = ["RecycledTokens"]

_PRIORS = (  # by level and share
    (0.15, 0.25, 0.25, 0.42, 0.5, 0.6, 0.7, 0.77, 0.9),
    (0.12, 0.12, 0.2, 0.25, 0.25, 0.4, 0.42, 0.5, 0.74),
    (0.05, 0.05, 0.12, 0.12, 0.2, 0.28, 0.45, 0.6, 0.72),
    (0.02, 0.02, 0.05, 0.14, 0.17, 0.35, 0.55, 0.7, 0.8),
)
_LEVEL = 16  # kinds of one level
_BY_BYTES = 3  # the level that knows no tokens


class RecycledTokens:
    """Drafts the `wide` likeliest tokens."""

    name = "recycled"

    def __init__(self, wide: int = 3) -> None:
        self._wide = wide
        self._seen: dict[Hashable, Seen] = {}
        self._counts: dict[bytes, dict[int, int]] = {}  # by the bytes that may come: how often a token was likeliest
        self._live: dict[int, bytes] = {}  # by state
        self._constraint: Constraint | None = None

    def begin(self, place: Place) -> None:
        """Nothing to prepare."""
        self._constraint = place.constraint

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The likeliest of those that are legal, with their share among these."""
        level, pairs = self._known(place.tail(node), place.tree.states[node])
        legal = [(token, chance) for token, chance in pairs if place.allows(node, token)]
        whole = sum(chance for _, chance in legal)
        for token, chance in legal[: self._wide]:
            share = share_of_eighths(chance / whole) if whole else 0
            yield Draft(token, _LEVEL * level + share, _PRIORS[level][share])

    def observe(self, seen: Seen) -> None:
        """The latest finding replaces those before it."""
        for key in _keys(seen.tail, seen.state):
            self._seen[key] = seen
        counts = self._counts.setdefault(self._bytes(seen.state), {})
        counts[seen.likely[0]] = counts.get(seen.likely[0], 0) + 1

    def _known(self, tail: tuple[int, ...], state: int) -> tuple[int, Iterable[tuple[int, float]]]:
        """The closest level that knows anything, and (token, weight) of what it knows."""
        for level, key in enumerate(_keys(tail, state)):
            seen = self._seen.get(key)
            if seen is not None:
                return level, zip(seen.likely, seen.chances, strict=True)
        counts = self._counts.get(self._bytes(state), {})
        return _BY_BYTES, sorted(counts.items(), key=lambda pair: -pair[1])[: self._wide]

    def _bytes(self, state: int) -> bytes:
        if state not in self._live:
            self._live[state] = b"" if self._constraint is None else bytes(self._constraint.live_bytes(state))
        return self._live[state]


def _keys(tail: Sequence[int], state: int) -> tuple[Hashable, ...]:
    return (tail[-2], tail[-1]) if len(tail) > 1 else (tail[-1], None), ("state", state, tail[-1]), tail[-1]
