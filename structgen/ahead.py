"""A constraint and some time -> mask rows of the states that a text is likely to meet first, made before it comes.

Best first, from a state on: a step is a byte that leads elsewhere than others do and all that is forced behind it
(literal keys, punctuation), spelled in the fewest tokens; the states behind each of these tokens get their rows. A step
costs the logarithm of how many such bytes there are, so what few choices lead to comes first, and long strings of
choices last. Rows are those that `mask` would make, kept where it keeps them: nothing about a text changes.

Cost: the rows, some tens of microseconds each; bounded by the time that is given, and looked at between two rows.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from structgen.errors import LimitExceeded
from structgen.kernels.layout import DEAD

__all__ = ["Prepared", "prepare"]

MOST_FORCED = 64  # bytes of a step
MOST_CHOICES = 24  # steps from a state
A_TOKEN = 0.01  # what a token of a step costs beside its choice, in bits


class Prepared(NamedTuple):
    """`states` whose rows are made now or were before, `seconds` that it took, `whole`: all that could be looked at."""

    states: int
    seconds: float
    whole: bool


def prepare(constraint: Any, seconds: float, state: int, stop: Callable[[], bool] | None = None) -> Prepared:
    """Make the rows of states behind a state of a matcher.Constraint, for so many seconds, or until `stop` says so
    between two rows."""
    started = time.perf_counter()
    queue, seen, count = [(0.0, 0, state)], {state}, 0
    while queue:
        if time.perf_counter() - started >= seconds or (stop is not None and stop()):
            return Prepared(count, time.perf_counter() - started, whole=False)
        cost, _, at = heapq.heappop(queue)
        constraint.row(at)
        count += 1
        for more, after in _steps(constraint, at):
            if after not in seen:
                seen.add(after)
                heapq.heappush(queue, (cost + more, len(seen), after))
    return Prepared(count, time.perf_counter() - started, whole=True)


def _steps(constraint: Any, state: int) -> Iterator[tuple[float, int]]:
    """The states behind the tokens of each step from a state, and what they cost."""
    targets: dict[int, int] = {}
    for byte in constraint.live_bytes(state):
        targets.setdefault(constraint.read(state, bytes((byte,))), byte)
    choices = math.log2(len(targets)) if targets else 0.0
    for after, byte in list(targets.items())[:MOST_CHOICES]:
        try:
            tokens = constraint.spelled(bytes((byte,)) + constraint.forced(after)[:MOST_FORCED])
        except LimitExceeded:  # the vocabulary has no tokens for it
            continue
        for number, found in enumerate(constraint.steps(state, tokens)):
            if found != DEAD:
                yield choices + A_TOKEN * number, found
