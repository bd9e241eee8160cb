"""Pause Python's cyclic garbage collector while compiling, and in masks that make many objects.

A compile allocates tens of thousands of small objects that all live until it ends. Left alone, the collector would scan
the whole heap, models and tokenizers included, in the middle of it: 100 ms on top of a compile of 1 ms. No cycles are
left behind. Receipt: mean of compile_schema over 500 schemas of maskbench 2.5 -> 1.6 ms. So do the slowest masks:
beside a hundred schemas 40 to 500 ms of them were the collector's.
"""

from __future__ import annotations

import contextlib
import gc
import threading


class _Pause(contextlib.ContextDecorator):
    """A pause for the whole process, entered and left by whoever compiles."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._enabled = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._enabled:
                full = gc.get_count()[1] >= gc.get_threshold()[1]
                gc.collect(1 if full else 0)  # 20 µs, since little is left: else it would begin in the next mask
                gc.enable()


_pause = _Pause()


def collector_paused() -> _Pause:
    """A context, or a decorator, in which no cyclic collection begins in this process. It nests, and is counted over
    all
    threads: the last one out collects the young generation and turns the collector on again."""
    return _pause
