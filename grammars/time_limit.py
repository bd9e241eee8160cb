"""The processor time that a compilation may take: set where it begins, looked at wherever it goes on for long.

Cost: 0.4 us a look, so once per step of some microseconds. It is the thread's own time: what other processes take from
the machine refuses no schema.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from structgen.errors import LimitExceeded

__all__ = ["at_most", "check_time"]


class _End(NamedTuple):
    at: float  # by time.thread_time()
    seconds: float


_END: ContextVar[_End | None] = ContextVar("_END", default=None)  # of the compilation that is under way


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within it `check_time` raises once the thread has worked for so many seconds; one that ends sooner outside holds
    as well."""
    outer, end = _END.get(), _End(time.thread_time() + seconds, seconds)
    before = _END.set(end if outer is None or end.at < outer.at else outer)
    try:
        yield
    finally:
        _END.reset(before)


def check_time() -> None:
    """Raises LimitExceeded(`seconds`) where the time of the compilation is over."""
    end = _END.get()
    if end is not None and time.thread_time() > end.at:
        raise LimitExceeded("it takes too long to compile", limit="seconds", allowed=end.seconds)
