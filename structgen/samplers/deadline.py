"""A function and a time limit -> the same function, which raises Late instead of taking longer.

It runs in a thread that then waits for the next call, so what it opens there (a connection, a parser) is still there.
Python cannot end a thread: a late one is left to itself, as a daemon that ends with its call, and the next call gets a
new one. Cost: two hand-overs between threads a call, about 20 us.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["Late", "Timed"]


class Late(Exception):
    """No answer within the time."""


class Timed:
    """`fn` within `seconds` a call. What it raises is raised here; calls from several threads have a thread each."""

    def __init__(self, fn: Callable[..., Any], seconds: float) -> None:
        self.fn, self.seconds = fn, seconds
        self._idle: list[_Worker] = []
        weakref.finalize(self, _end, self._idle)

    def __call__(self, *arguments: Any) -> Any:
        """The function's answer. Raises Late, and what the function raises."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self.fn)
        worker.asked.put(arguments)
        try:
            value, error = worker.answered.get(timeout=self.seconds)
        except queue.Empty:
            worker.asked.put(None)
            raise Late(f"it took longer than its deadline of {self.seconds:g} s") from None
        except BaseException:  # an interrupt: nobody waits for this answer any more
            worker.asked.put(None)
            raise
        self._idle.append(worker)
        if error is not None:
            raise error
        return value


class _Worker:
    """A thread that answers calls in their order, until it is asked None."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.asked: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self.answered: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(fn, self.asked, self.answered), name="deadline", daemon=True).start()


def _serve(
    fn: Callable[..., Any],
    asked: queue.SimpleQueue[tuple[Any, ...] | None],
    answered: queue.SimpleQueue[tuple[Any, BaseException | None]],
) -> None:
    while (arguments := asked.get()) is not None:
        try:
            answered.put((fn(*arguments), None))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller raises it
            answered.put((None, error))


def _end(idle: list[_Worker]) -> None:
    for worker in idle:
        worker.asked.put(None)
