"""The ways on that a text of a constraint is likely to take: kernels/likely.py in plain Python, for any automaton."""

from __future__ import annotations

import math
from typing import Any

from structgen.kernels.likely import BLANK_BEHIND, BLANK_ELSEWHERE, CERTAIN, LINE_END, MOST_BYTES, MOST_WAYS, RARE

__all__ = ["likely_ways"]

Way = tuple[float, bytes]  # what choosing it costs in bits, and its bytes
_Class = tuple[int, int, float]  # where it leads, its heaviest byte, what that weighs


def likely_ways(automaton: Any, state: int, last: int) -> list[Way]:
    """The ways on from a state of a LazyAutomaton behind byte `last` (0: none), by their first bytes.

    Cost: some microseconds per byte that is alive. Raises LimitExceeded as the automaton does.
    """
    ways = []
    classes = _classes(automaton, state, last)
    total = sum(weight for _, _, weight in classes)
    for after, byte, own in classes[:MOST_WAYS]:
        text = bytearray((byte,))
        while len(text) < MOST_BYTES and (found := _classes(automaton, after, text[-1])):
            after, best, most = max(found, key=lambda each: each[2])
            if most < CERTAIN * sum(weight for _, _, weight in found):
                break
            text.append(best)
        ways.append((math.log2(total / own), bytes(text)))
    return ways


def _classes(automaton: Any, state: int, last: int) -> list[_Class]:
    best: dict[int, _Class] = {}
    for byte in automaton.live_bytes(state):
        after, own = automaton.advance(state, bytes((byte,))), _weight(last, byte)
        if after not in best or own > best[after][2]:
            best[after] = after, byte, own
    return list(best.values())


def _weight(last: int, byte: int) -> float:
    character = chr(byte)
    if character == " ":
        return BLANK_BEHIND if chr(last) in ",:" else BLANK_ELSEWHERE
    if character == "\n":
        return LINE_END
    return 1.0 if character.isascii() and character.isprintable() and character != "\\" else RARE
