"""Constraints for requests: lowered in processes of their own, built here, remembered.

A schema lowered in a thread of the server would slow every step of the model: each torch operator gives the lock of
the interpreter back and waits for it (a step took 3.5 to 6 times as long). In another process it costs what it costs.
What comes back is the grammar as text; reading it and building its networks takes a few milliseconds here.

A worker that takes more processor time than allowed gives up; one that does not answer at all is ended and begun again.
That request alone fails (LimitExceeded). Who asks for what is being compiled already waits for it. Cost of a constraint
that is known: a look-up by the hash of its text.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.storage import read_grammar
from structgen.matcher import Constraint
from structgen.server.lowering import LENGTH, PROGRAM, READY, error_of, packed
from structgen.server.metrics import Metrics
from structgen.vocabulary import Vocabulary

__all__ = ["Compiled", "Compiler", "Wanted"]

_PATIENCE = 6  # times the processor time that a worker may take, in which it has to answer
_SIZE = 32  # bytes that a constraint takes for each of its grammar's text: 7.5 MB for 242 KB


@dataclass(frozen=True, slots=True)
class Wanted:
    """A constraint that a request asks for: what it is known by, the options of `source_of`, and the field it is in."""

    key: str
    options: Callable[[], dict[str, Any]]
    param: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A constraint, and what was doubtful about its schema."""

    constraint: Constraint
    warnings: tuple[str, ...]
    text_bytes: int = 0  # of its grammar

    @property
    def nbytes(self) -> int:
        """About the memory that it takes: its states, and its grammar as objects and arrays."""
        return self.constraint.memo_bytes + _SIZE * self.text_bytes


class Compiler:
    """Compiles for one vocabulary with `workers` processes; remembers the last `most` constraints, as far as they
    take `most_bytes`. Lives in one event loop: `start` and `close` there."""

    def __init__(
        self, vocabulary: Vocabulary, *, workers: int, seconds: float, most: int, most_bytes: int, metrics: Metrics
    ) -> None:
        self._vocabulary, self._seconds, self._metrics = vocabulary, seconds, metrics
        self._most, self._most_bytes = most, most_bytes
        self._workers = [_Worker(vocabulary) for _ in range(workers)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._known: OrderedDict[str, Compiled] = OrderedDict()
        self._making: dict[str, asyncio.Task[Compiled]] = {}
        self._restarts: set[asyncio.Task[None]] = set()
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="structgen-build")

    async def start(self) -> None:
        """Begin the processes."""
        await asyncio.gather(*(worker.start() for worker in self._workers))
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def close(self) -> None:
        """End them."""
        for task in (*self._making.values(), *self._restarts):
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in self._workers))
        self._builder.shutdown(wait=False)

    def __len__(self) -> int:
        """Constraints that are remembered."""
        return len(self._known)

    @property
    def nbytes(self) -> int:
        """About the memory that these take."""
        return sum(each.nbytes for each in self._known.values())

    async def compiled(self, wanted: Wanted) -> Compiled:
        """The constraint. Raises what `structgen.compile` raises."""
        if wanted.key in self._known:
            self._known.move_to_end(wanted.key)
            self._metrics.add("compiled_total", source="memory")
            return self._known[wanted.key]
        if wanted.key not in self._making:
            task = asyncio.create_task(self._make(wanted))
            self._making[wanted.key] = task
            task.add_done_callback(lambda _: self._making.pop(wanted.key, None))
        return await asyncio.shield(self._making[wanted.key])  # whoever goes away leaves it to the others

    async def _make(self, wanted: Wanted) -> Compiled:
        options, worker, started = wanted.options(), await self._idle.get(), time.perf_counter()
        try:
            answer = await worker.ask(options, self._seconds)
        except (TimeoutError, EOFError) as error:
            self._metrics.add("compiler_restarts_total")
            self._metrics.add("compiled_total", source="failed")
            task = asyncio.create_task(self._restart(worker))
            self._restarts.add(task)
            task.add_done_callback(self._restarts.discard)
            why = "takes too long" if isinstance(error, TimeoutError) else "needs more memory than it may"
            raise LimitExceeded(f"compiling it {why}", limit="compile_seconds", allowed=self._seconds) from None
        self._idle.put_nowait(worker)
        if "error" in answer:
            self._metrics.add("compiled_total", source="failed")
            raise error_of(*answer["error"])
        loop = asyncio.get_running_loop()
        constraint = await loop.run_in_executor(self._builder, self._built, answer)
        self._metrics.add("compiled_total", source="worker")
        self._metrics.took("compile_seconds", time.perf_counter() - started)
        found = Compiled(constraint, answer["warnings"], len(answer.get("grammar", "")))
        self._known[wanted.key] = found
        sizes = [each.nbytes for each in self._known.values()]
        total = sum(sizes)
        for size in sizes[:-1]:  # the newest stays
            if len(self._known) <= self._most and total <= self._most_bytes:
                break
            self._known.popitem(last=False)
            total -= size
        return found

    async def _restart(self, worker: _Worker) -> None:
        await worker.end()
        await worker.start()
        self._idle.put_nowait(worker)

    def _built(self, answer: dict[str, Any]) -> Constraint:
        grammar = answer["lexed"] if "lexed" in answer else read_grammar(answer["grammar"])
        try:
            return compile_grammar(grammar, self._vocabulary)
        except Unsatisfiable as error:
            raise Unsatisfiable(error.reason or "no text satisfies it", pointer=error.pointer or None) from None


class _Worker:
    """One process, with one question at a time."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            *sys.path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the server, which ends its workers itself
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(packed(self._vocabulary))
        await self._process.stdout.readexactly(len(READY))

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(self, options: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer. Raises TimeoutError, EOFError where the process is gone."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(_PATIENCE * seconds):
                process.stdin.write(packed((seconds, options)))
                await process.stdin.drain()
                (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                answer: dict[str, Any] = pickle.loads(await process.stdout.readexactly(length))
                return answer
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError("the compiling process ended") from error
