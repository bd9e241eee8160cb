"""A constraint and some time -> mask rows of the states that a text is likely to meet first, made before it comes.

Best first: from a state on go the ways that a text is likely to take (kernels/likely.py: a choice, and what is as good
as certain behind it, such as the rest of a key), spelled in the fewest tokens; the state behind each token gets its
row. A way costs as many bits as its choice, so what is likely comes first, and long strings of choices last. Rows are
those that `mask` would make, kept where it keeps them: nothing about a text changes.

Cost: the rows, some tens of microseconds each; bounded by the time that is given, and looked at between two rows.

`Ahead` is a thread that does so while a model computes: of the place that a text has just come to it makes the row
itself, then those behind, until a text moves on or the time for one place is over. Kernels run without the GIL; whoever
needs a row meanwhile waits for at most the one that is being made.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple

from structgen.errors import LimitExceeded, OptionError, StructgenError

__all__ = ["AHEAD", "Ahead", "Prepared", "prepare"]

A_TOKEN = 0.01  # what each token of a way costs beside choosing it, in bits


class Prepared(NamedTuple):
    """`states` whose rows are made now or were before, `seconds` that it took, `whole`: all that could be looked at."""

    states: int
    seconds: float
    whole: bool


def prepare(constraint: Any, seconds: float, state: int, stop: Callable[[], bool] | None = None) -> Prepared:
    """Make the rows of states behind a state of a matcher.Constraint, for so many seconds, or until `stop` says so
    between two rows."""
    started = time.perf_counter()
    queue, seen, count = [(0.0, 0, state, 0)], {state}, 0
    while queue:
        if time.perf_counter() - started >= seconds or (stop is not None and stop()):
            return Prepared(count, time.perf_counter() - started, whole=False)
        cost, _, at, last = heapq.heappop(queue)
        constraint.row(at)
        count += 1
        for bits, after, byte in _places(constraint, at, last):
            if after not in seen:
                seen.add(after)
                heapq.heappush(queue, (cost + bits, len(seen), after, byte))
    return Prepared(count, time.perf_counter() - started, whole=True)


def _places(constraint: Any, state: int, last: int) -> Iterator[tuple[float, int, int]]:
    """What it costs to come to the place behind each token of the likely ways on; the state there, the byte before."""
    for bits, text in constraint.likely(state, last):
        try:
            tokens = constraint.split(text)
        except LimitExceeded:  # the vocabulary has no tokens for it
            continue
        states = constraint.steps(state, [token for token, _ in tokens])
        for number, ((_, end), after) in enumerate(zip(tokens, states, strict=False)):
            yield bits + A_TOKEN * number, after, text[end - 1]


class Ahead:
    """A thread that makes mask rows ahead of the texts that it hears of; for any number of constraints and texts.

        constraint.matcher(ahead=sg.Ahead())    it says where it comes to, and so do its forks

    `seconds`: the most it spends behind a place once the row of the place itself is made; `rows` counts what it looked
    at. It starts with the first place it hears of and ends with `close`, or with the process. In a forked child it
    starts anew. Raises OptionError if `seconds` is negative.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        if not seconds >= 0:
            raise OptionError(f"a time of {seconds} seconds", option="seconds")
        self.seconds, self.rows = seconds, 0
        self._places: SimpleQueue[tuple[Any, int] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process = 0

    def at(self, constraint: Any, state: int) -> None:
        """A text under a matcher.Constraint has come to a state. Costs 1 us, and never waits."""
        if self._process != os.getpid():
            self._start()
        self._places.put((constraint, state))

    def close(self) -> None:
        """End the thread when the row that it is making is made; hearing of a place starts another."""
        if self._thread is not None and self._process == os.getpid():
            self._places.put(None)
            self._thread.join()
            atexit.unregister(self.close)
        self._process = 0

    @property
    def is_alive(self) -> bool:
        """Whether its thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._process, self._places = os.getpid(), SimpleQueue()
        atexit.register(self.close)  # no kernel runs while arrays go
        self._thread = threading.Thread(target=self._work, args=(self._places,), name="structgen-ahead", daemon=True)
        self._thread.start()

    def _work(self, places: SimpleQueue[tuple[Any, int] | None]) -> None:
        while (place := places.get()) is not None:
            constraint, state = place
            with contextlib.suppress(StructgenError):  # memory is short, or nobody is there any more: who asks is told
                if not constraint.asks:  # a row that asks is asked for by whoever needs it
                    constraint.row(state)
                    self.rows += 1
                    if places.empty():
                        self.rows += prepare(constraint, self.seconds, state, lambda: not places.empty()).states
            del constraint, place  # not held while nothing is to do


AHEAD = Ahead()  # of the decode loops of this process
