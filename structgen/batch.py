"""Masks of many sequences at once.

A row met before is a copy without any lock; a new one takes its grammar's lock and runs without the GIL. So threads pay
where several grammars have much to compute, and nowhere else: the caller's thread works alone for a millisecond, and
what is left then, if it belongs to several constraints, is shared with a pool that stays. That shortens the slowest
steps and leaves the others as they are (`python -m benchmarks batch`).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError
from structgen.matcher import Matcher

__all__ = ["fill_masks"]

_ALONE_NS = 1_000_000  # below that, waking threads and passing the GIL to and fro cost what they save
_ALL = 0xFFFFFFFF

Job = tuple[Matcher | None, NDArray[np.uint32]]


def fill_masks(matchers: Sequence[Matcher | None], out: Any, *, threads: int | None = None) -> None:
    """Fill row i of `out` with the mask of matcher i.

    out      numpy or torch (CPU), (B, words) or wider (cleared to its end), uint32 or int32
    threads  at most so many; None: one per core

    A matcher that is None means no constraint: every bit of its row is set. Raises OptionError if the shapes disagree.
    """
    if len(out) != len(matchers):
        raise OptionError(f"{len(matchers)} matchers for {len(out)} rows", option="out")
    words = (out if isinstance(out, np.ndarray) else out.numpy()).view(np.uint32)
    jobs: deque[Job] = deque(zip(matchers, words, strict=True))
    deadline = time.perf_counter_ns() + _ALONE_NS
    while jobs and time.perf_counter_ns() < deadline:
        _fill(*jobs.popleft())
    groups = deque(_by_constraint(jobs))
    helpers = min(len(groups), threads or _cores()) - 1
    futures = [_pool().submit(_drain, groups) for _ in range(helpers)]
    try:
        _drain(groups)
    finally:
        for future in futures:
            future.result()


def _fill(matcher: Matcher | None, row: NDArray[np.uint32]) -> None:
    if matcher is None:
        row[:] = _ALL
    else:
        matcher.fill_mask(row)


def _by_constraint(jobs: deque[Job]) -> list[list[Job]]:
    """Jobs that would wait for the same lock stay together."""
    groups: dict[int, list[Job]] = {}
    for job in jobs:
        groups.setdefault(0 if job[0] is None else id(job[0].constraint), []).append(job)
    return list(groups.values())


def _drain(groups: deque[list[Job]]) -> None:
    """Take groups until none is left; several threads share one deque, whose popleft is atomic."""
    while True:
        try:
            group = groups.popleft()
        except IndexError:
            return
        for job in group:
            _fill(*job)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_lock = threading.Lock()
_threads: tuple[int, ThreadPoolExecutor] | None = None  # and the process they live in: a fork takes no threads along


def _pool() -> ThreadPoolExecutor:
    global _threads
    with _lock:
        if _threads is None or _threads[0] != os.getpid():
            _threads = (os.getpid(), ThreadPoolExecutor(max(1, _cores() - 1), thread_name_prefix="structgen"))
        return _threads[1]
