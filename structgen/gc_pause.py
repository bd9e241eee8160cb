"""Pause Python's cyclic garbage collector while compiling, and in masks that make many objects.

A compile allocates tens of thousands of small objects that all live until it ends. Left alone, the collector would scan
the whole heap, models and tokenizers included, in the middle of it: 100 ms on top of a compile of 1 ms. No cycles are
left behind (tests/test_gc_pause.py). Receipt: mean of compile_schema over 500 schemas of maskbench 2.5 -> 1.6 ms. So do
the slowest masks: beside a hundred schemas 40 to 500 ms of them were the collector's.

The last one out leaves the collector nothing to begin with in the next mask. Few objects it looks through (20 us). Many
become old as they are, all at once: looking through 50,000 takes 10 ms, in which no other thread gets the interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import threading

__all__ = ["Pause", "collector_paused"]

MANY = 10_000  # new objects from which looking through them takes a millisecond
UNSEEN = 1_000_000  # objects made old as they are, before the whole heap is looked through, for what others left in it


class Pause(contextlib.ContextDecorator):
    """A pause for the whole process, entered and left by whoever compiles. After `unseen` objects that became old
    without being looked at the whole heap is, as the collector itself would in time."""

    def __init__(self, unseen: int = UNSEEN) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._enabled = False
        self._left = unseen
        self._unseen = unseen
        self._freezes = False  # whether somebody keeps objects from the collector: then they stay as they are

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
                self._settle()
                gc.enable()

    def _settle(self) -> None:
        young, middle, _ = gc.get_count()
        if young < MANY or self._somebody_freezes():
            gc.collect(1 if middle >= gc.get_threshold()[1] else 0)
        elif young < self._left:
            self._left -= young
            gc.freeze()
            gc.unfreeze()  # where both generations of new objects are old ones
        else:
            self._left = self._unseen
            gc.collect()

    def _somebody_freezes(self) -> bool:
        """Asked for a second time only where it was not so: counting frozen objects takes a pass over them."""
        self._freezes = self._freezes or gc.get_freeze_count() > 0
        return self._freezes


_pause = Pause()


def collector_paused() -> Pause:
    """A context, or a decorator, in which no cyclic collection begins in this process. It nests, and is counted over
    all threads: the last one out sees to what is new and turns the collector on again."""
    return _pause
