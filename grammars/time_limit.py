"""The processor time that a compilation may take: set where it begins, looked at wherever it goes on for long.

It is the thread's own time: what other processes take from the machine refuses no schema. Cost: 0.15 us a look, by the
clock on the wall, which cannot be behind the thread's; that one is asked, for more, when the other is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from structgen.errors import LimitExceeded

__all__ = ["at_most", "check_time"]


@dataclass(slots=True)
class _End:
    """Of a compilation: `at` by time.thread_time(), not before `look` by time.perf_counter()."""

    at: float
    look: float
    seconds: float


_END: ContextVar[_End | None] = ContextVar("_END", default=None)  # of the compilation that is under way


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within it `check_time` raises once the thread has worked for so many seconds; one that ends sooner outside holds
    as well."""
    outer, end = _END.get(), _End(time.thread_time() + seconds, time.perf_counter() + seconds, seconds)
    before = _END.set(end if outer is None or end.at < outer.at else outer)
    try:
        yield
    finally:
        _END.reset(before)


def check_time() -> None:
    """Raises LimitExceeded(`seconds`) where the time of the compilation is over."""
    end = _END.get()
    if end is None or (now := time.perf_counter()) < end.look:
        return
    left = end.at - time.thread_time()
    if left < 0:
        raise LimitExceeded("it takes too long to compile", limit="seconds", allowed=end.seconds)
    end.look = now + left
