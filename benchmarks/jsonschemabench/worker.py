"""An engine in a process of its own: commands over a pipe, masks through shared memory.

It holds a sequence in each of several places. One that crashes, runs on or eats memory is killed and started again, and
harms no other: what it was doing is a result (`EngineFailed`), and its other sequences are made again.

Its times are the processor time of its process, all threads included, around the engine's own call; neither pipe nor
copy is in them.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EngineFailed", "EngineProcess"]

WARM = {"type": "object", "properties": {"a": {"type": "string"}}}  # what a process pays once is not measured
_STEP = 0.05  # seconds between two looks at a process that is working


class EngineFailed(Exception):
    """The engine's process died, took too long, or took too much memory."""


class _Gone(Exception):
    """The process cannot be asked any more."""


class EngineProcess:
    """The engine `name` over the tokenizer of a model. Seconds are of wall time, and bound every call.

    `name` may hold a style of ours behind a colon: structgen:compact.
    """

    def __init__(self, name: str, model: str, width: int, *, seconds: float = 60, megabytes: int = 6000) -> None:
        self.name, self._model, self._seconds, self._megabytes = name, model, seconds, megabytes
        self._memory = SharedMemory(create=True, size=width * 4)
        self.words: NDArray[np.uint32] = np.ndarray(width, np.uint32, self._memory.buf)
        self._sequences = dict[int, tuple[Any, list[int]]]()
        self._start()

    def compile(self, place: int, schema: Any) -> tuple[str | None, float]:
        """Why the schema is refused, or None; milliseconds. A fresh sequence stands at its beginning in `place`."""
        found: tuple[str | None, float] = self._ask("compile", place, schema)
        self._sequences[place] = (schema, [])
        return found

    def mask(self, place: int) -> float:
        """Fill `words`; microseconds."""
        return float(self._ask("mask", place))

    def commit(self, place: int, token: int) -> tuple[bool, float]:
        """Whether the token was taken; microseconds."""
        found: tuple[bool, float] = self._ask("commit", place, token)
        self._sequences[place][1].append(token)
        return found

    def completed(self, place: int, tokens: list[int], budget: int) -> list[int] | None:
        """What `on_truncate="complete"` makes of an output that the budget ends; None of an engine that cannot."""
        found: list[int] | None = self._ask("completed", place, tokens, budget)
        return found

    def close(self) -> None:
        """End the process and give its memory back."""
        self._stop()
        del self.words
        self._memory.close()
        self._memory.unlink()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (self.name, self._model, theirs, self._memory.name, self.words.size)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._wait(300)

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _ask(self, command: str, place: int, *arguments: Any) -> Any:
        try:
            self._pipe.send((command, (place, *arguments)))
            return self._wait(self._seconds)
        except _Gone as gone:
            self._sequences.pop(place, None)
            self._restart()
            raise EngineFailed(str(gone)) from None

    def _wait(self, seconds: float) -> Any:
        started = time.perf_counter()
        try:
            while not self._pipe.poll(_STEP):
                if time.perf_counter() - started > seconds:
                    raise _Gone(f"over {seconds:.0f} s")
                if _megabytes_of(self._process.pid) > self._megabytes:
                    raise _Gone(f"over {self._megabytes} MB")
            found = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(10)
            raise _Gone(f"the process ended with {self._process.exitcode}") from None
        if isinstance(found, BaseException):
            raise EngineFailed(f"{type(found).__name__}: {found}"[:300])
        return found

    def _restart(self) -> None:
        """A new process, and the other sequences in it as far as they were; one that fails now is left out."""
        self._stop()
        self._start()
        for place, (schema, tokens) in list(self._sequences.items()):
            self._ask("compile", place, schema)
            for token in tokens:
                self._ask("commit", place, token)


def _megabytes_of(pid: int | None) -> float:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def _serve(name: str, model: str, pipe: Connection, memory: str, width: int) -> None:
    """The process: commands until it is killed."""
    shared = SharedMemory(memory)
    words: NDArray[np.uint32] = np.ndarray(width, np.uint32, shared.buf)
    engine = _engine(name, model)
    commands = _Commands(engine, words)
    commands.compile(0, WARM)
    commands.mask(0)
    pipe.send("ready")
    while True:
        command, arguments = pipe.recv()
        try:
            pipe.send(getattr(commands, command)(*arguments))
        except Exception as error:  # noqa: BLE001 - peers raise anything: it is the answer
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


class _Commands:
    """What the process is asked for."""

    def __init__(self, engine: Any, words: NDArray[np.uint32]) -> None:
        self._engine, self._words = engine, words
        self._engines = dict[int, Any]()  # by place: copies that share tokenizer and buffers
        self._compiled = dict[int, Any]()

    def compile(self, place: int, schema: Any) -> tuple[str | None, float]:
        self._engines[place] = copy.copy(self._engine)
        self._compiled[place] = None
        started = time.process_time_ns()
        try:
            self._compiled[place] = self._engine.compile(schema)
        except Exception as error:  # noqa: BLE001 - a refusal is a result
            return f"{type(error).__name__}: {error}"[:300], (time.process_time_ns() - started) / 1e6
        passed = (time.process_time_ns() - started) / 1e6
        self._engines[place].start(self._compiled[place])
        return None, passed

    def mask(self, place: int) -> float:
        engine = self._engines[place]
        started = time.process_time_ns()
        engine.mask()
        passed = (time.process_time_ns() - started) / 1e3
        found = engine.words()
        self._words[:] = 0
        self._words[: len(found)] = found[: len(self._words)]
        return passed

    def commit(self, place: int, token: int) -> tuple[bool, float]:
        engine = self._engines[place]
        started = time.process_time_ns()
        taken = engine.commit(token)
        return taken, (time.process_time_ns() - started) / 1e3

    def completed(self, place: int, tokens: list[int], budget: int) -> list[int] | None:
        from structgen.engines.steering import complete, leaves_room
        from structgen.matcher import Constraint

        constraint = self._compiled[place]
        if not isinstance(constraint, Constraint):
            return None
        matcher, distances = constraint.matcher(), dict[int, int]()
        if budget <= matcher.tokens_to_accept():
            return None  # no output fits
        for count, token in enumerate(tokens, 1):
            matcher.accept(token)
            if not matcher.is_finished() and not leaves_room(matcher, budget - count, distances):
                return complete(matcher, tokens[:count], budget, is_json=True).tokens
        return tokens


def _engine(name: str, model: str) -> Any:
    from benchmarks.engines import ENGINES
    from benchmarks.jsonschemabench.model import tokenizer_of

    kind, _, style = name.partition(":")
    options: dict[str, dict[str, Any]] = {"structgen": {"style": style or "default"}, "xgrammar": {"stops": True}}
    make: Callable[..., Any] = ENGINES[kind]
    return make(tokenizer_of(model), **options.get(kind, {}))
