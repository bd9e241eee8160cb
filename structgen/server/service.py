"""Model, loop, compiler and limits together: plans in, readers of choices out.

    plan -> constraint (compiling.py) -> rows -> jobs of the loop -> events, in the event loop

The model is loaded, tried and warmed in a thread while the server already answers (503). Cost of a request beside its
rows: its constraint, once.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from structgen.api.compile import compile
from structgen.api.models import engine_of
from structgen.api.sampled import draw_outputs, prefix_model_of
from structgen.engines.decode import Output, Request, open_row
from structgen.engines.packed import pack
from structgen.engines.slots import rows_of
from structgen.engines.transformers import TransformersEngine
from structgen.samplers.run import WEIGHTED, Budget
from structgen.server.compiling import Compiled, Compiler
from structgen.server.jobs import End, Event, Failed, Job, Piece
from structgen.server.lending import LentModel
from structgen.server.loop import StepLoop
from structgen.server.metrics import Metrics
from structgen.server.plan import Plan
from structgen.server.reading import Choice, ChoiceReader
from structgen.server.refusals import Refusal, ending, gone, late, refusal_of
from structgen.server.settings import ServerSettings
from structgen.tools.reading import Delta

__all__ = ["Answering", "Service"]

_CONTEXT = 4096
_log = logging.getLogger("structgen")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answering:
    """The outputs of a request that are being made, by place. `deadline` is of time.monotonic()."""

    plan: Plan
    jobs: tuple[Job, ...]
    readers: tuple[ChoiceReader, ...]
    inbox: asyncio.Queue[tuple[int, Event]]
    warnings: tuple[str, ...]

    async def steps(self) -> AsyncIterator[tuple[int, list[Delta], Piece | None, Choice | None]]:
        """(place, what is new, the piece it came with, the whole choice at its end). Raises Refusal."""
        left = len(self.jobs)
        while left:
            place, event = await self.inbox.get()
            if isinstance(event, Failed):
                raise event.refusal
            if isinstance(event, End):
                deltas, choice = self.readers[place].finish(event)
                left -= 1
                yield place, deltas, None, choice
            else:
                yield place, self.readers[place].feed(event), event, None

    def leave(self) -> None:
        """Nobody waits any more: rows that still run end with the next step."""
        for job in self.jobs:
            job.is_gone = True


class Service:
    """One model with everything around it. `start` and `close` in the event loop that serves; `state` says how far."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.state: Literal["loading", "ready", "draining", "ended"] = "loading"
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.engine: Any = None
        self.context = 0
        self.pending = 0  # requests that have not got rows yet
        self.notes: list[str] = []  # what is not as fast as it could be
        self._sampling = asyncio.Semaphore(1)
        self._answering = 0

    async def start(self) -> None:
        """Load, try and warm."""
        settings = self.settings
        self._asyncio = asyncio.get_running_loop()
        self.engine = await asyncio.to_thread(engine_of, settings.model)
        rows = await asyncio.to_thread(self._prepare)
        self.loop = StepLoop(
            rows,
            most_rows=rows.rows,
            queue=settings.queue,
            prompt_tokens=settings.prompt_tokens,
            metrics=self.metrics,
            post=self._posted,
        )
        self.compiler = Compiler(
            self.engine.vocabulary,
            workers=settings.compilers,
            seconds=settings.compile_seconds,
            most=settings.most_constraints,
            most_bytes=settings.constraint_bytes,
            metrics=self.metrics,
        )
        await self.compiler.start()
        for name, about, ask in (
            ("running_rows", "outputs that are being written", lambda: self.loop.running),
            ("waiting_outputs", "outputs that wait for a row", lambda: self.loop.waiting),
            ("constraints", "constraints that are remembered", lambda: len(self.compiler)),
            ("constraint_bytes", "about the memory that these take", lambda: self.compiler.nbytes),
        ):
            self.metrics.gauge(name, about, ask)
        self._thread = threading.Thread(target=self.loop.run, name="structgen-model", daemon=True)
        self._thread.start()
        for note in self.notes:
            _log.warning(note)
        self.state = "ready"

    def _prepare(self) -> Any:
        """Rows of the model, after everything that is slow the first time."""
        settings, engine = self.settings, self.engine
        config = getattr(getattr(engine, "model", None), "config", None)
        reads = None if config is None else getattr(config.get_text_config(), "max_position_embeddings", None)
        self.context = min(settings.context or _CONTEXT, reads or settings.context or _CONTEXT)
        compile(schema={"type": "object"}, vocabulary=engine.vocabulary).matcher().mask()
        if settings.packed and isinstance(engine, TransformersEngine):
            why_not = pack(engine, settings.rows)
            if why_not is not None:
                self.notes.append(f"weights are not packed: {why_not}")
        fits = getattr(engine, "rows_that_fit", lambda _: settings.rows)(self.context)
        if fits < settings.rows:
            self.notes.append(f"{fits} rows of {self.context} tokens fit the memory, not {settings.rows}")
        most = min(settings.rows, fits)
        rows, why_not = rows_of(engine, rows=most, length=self.context, kept=min(settings.kept, most))
        if why_not is not None:
            self.notes.append(f"rows are decoded in batches that begin together: {why_not}")
        return rows

    def _posted(self, events: list[tuple[Job, Event]]) -> None:
        self._asyncio.call_soon_threadsafe(_deliver, events)

    async def close(self) -> None:
        """End at once."""
        self.state = "ended"
        if hasattr(self, "_thread"):
            self.loop.stop()
            await asyncio.to_thread(self._thread.join)
        if hasattr(self, "compiler"):
            await self.compiler.close()

    async def drain(self) -> None:
        """Take no request any more, wait for those that run, then end them: constrained outputs are completed."""
        self.state, until = "draining", time.monotonic() + self.settings.drain
        while self.is_busy and time.monotonic() < until:
            await asyncio.sleep(0.02)
        if hasattr(self, "loop"):
            self.loop.close()
            until = time.monotonic() + 5.0  # for what was ended to be sent
            while self.is_busy and time.monotonic() < until:
                await asyncio.sleep(0.02)

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._answering > 0

    @contextmanager
    def answering(self) -> Any:
        """Around a request, from its first byte to the last of its answer. Raises Refusal where none is taken."""
        if self.state != "ready":
            if self.failure is not None:
                raise Refusal(503, f"the model cannot be loaded: {self.failure}", code="not_loaded")
            if self.state != "loading":
                raise ending()
            raise Refusal(503, "the model is being loaded", code="loading", retry_after=1)
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    async def planned(self, make: Callable[..., Plan], request: Any) -> Plan:
        """The plan of a request, made in a thread: templates and tokenizers take milliseconds."""
        if self.pending >= self.settings.queue + self.settings.rows:
            raise Refusal(429, f"{self.pending} requests wait already", code="queue_full", retry_after=1)
        self.pending += 1
        try:
            return await asyncio.to_thread(make, request, self.engine, self.settings, self.context)
        finally:
            self.pending -= 1

    async def compiled(self, plan: Plan) -> Compiled | None:
        """The constraint of a plan. Raises Refusal."""
        if plan.wanted is None:
            return None
        self.pending += 1
        try:
            return await self.compiler.compiled(plan.wanted)
        except Exception as error:
            raise refusal_of(error, plan.wanted.param) from error
        finally:
            self.pending -= 1

    async def begin(self, plan: Plan, asked_at: float, *, in_pieces: bool) -> Answering:
        """Let the outputs of a plan be made. Raises Refusal."""
        compiled = await self.compiled(plan)
        inbox: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        open_all = functools.partial(self._jobs, plan, compiled, inbox, asked_at, in_pieces)
        try:
            jobs = await asyncio.to_thread(open_all)
        except Exception as error:
            raise refusal_of(error, None if plan.wanted is None else plan.wanted.param) from error
        readers = tuple(ChoiceReader(plan, self.engine.vocabulary, _salt(plan, place)) for place in range(plan.n))
        self.loop.submit(jobs)
        return Answering(plan, jobs, readers, inbox, () if compiled is None else compiled.warnings)

    def _jobs(
        self,
        plan: Plan,
        compiled: Compiled | None,
        inbox: asyncio.Queue[tuple[int, Event]],
        asked_at: float,
        in_pieces: bool,
    ) -> tuple[Job, ...]:
        constraint, distances = None if compiled is None else compiled.constraint, dict[int, int]()
        jobs = []
        for place in range(plan.n):
            request = Request(
                plan.prompt,
                constraint,
                plan.budget,
                stream=place,
                is_json=plan.is_json and plan.layout is None,
                stops=plan.stops,
                options=plan.options,
            )
            row = open_row(request, self.engine.vocabulary, plan.options, distances=distances)
            deliver = functools.partial(_put, inbox, place)
            until = asked_at + self.settings.timeout
            jobs.append(Job(row, until, deliver, in_pieces, plan.logprobs, plan.trace, asked_at=asked_at))
        return tuple(jobs)

    async def sampled(self, plan: Plan, asked_at: float, is_gone: Callable[[], bool]) -> list[Choice]:
        """The choices of a plan whose method is a sampler, one request at a time. Raises Refusal."""
        compiled = await self.compiled(plan)
        assert compiled is not None and plan.wanted is not None
        async with self._sampling:
            until = asked_at + self.settings.timeout
            seconds = until - time.monotonic()
            if seconds <= 0:
                raise late()
            model = LentModel(await self._in_loop(lambda: prefix_model_of(self.engine)), self.loop)
            draw = functools.partial(
                draw_outputs, self.engine, plan.prompt, compiled.constraint, plan.budget, plan.options, plan.n,
                plan.method, 0, budget=Budget(seconds=seconds), options=plan.method_options, model=model,
            )  # fmt: skip
            task = asyncio.create_task(asyncio.to_thread(draw))
            try:
                while not (await asyncio.wait([task], timeout=0.1))[0]:
                    if is_gone() or time.monotonic() > until:
                        model.end(gone() if is_gone() else late())
                samples, everything = await task
            except Exception as error:
                raise refusal_of(error, "method") from error
            finally:
                model.end(gone())  # whatever still asks
        weighted = everything.method in WEIGHTED
        return [self._choice_of(plan, place, sample, weighted) for place, sample in enumerate(samples)]

    async def _in_loop(self, function: Callable[[], T]) -> T:
        found: T = await asyncio.wrap_future(self.loop.lend(function))
        return found

    def _choice_of(self, plan: Plan, place: int, sample: Any, weighted: bool) -> Choice:
        output = Output(sample.token_ids, None, sample.data, "stop", sample.log_prob, sample.log_q)
        _, choice = ChoiceReader(plan, self.engine.vocabulary, _salt(plan, place)).finish(
            End(output, len(sample.token_ids), None)
        )
        weight = sample.log_weight if weighted else None
        return Choice(
            choice.text, choice.thinking, choice.calls, choice.finish, None, (), len(sample.token_ids) + 1, (), weight
        )


def _deliver(events: list[tuple[Job, Event]]) -> None:
    for job, event in events:
        job.deliver(event)


def _put(inbox: asyncio.Queue[tuple[int, Event]], place: int, event: Event) -> None:
    inbox.put_nowait((place, event))


def _salt(plan: Plan, place: int) -> str:
    """What ids of calls are made of: the same request with the same seed has the same ids, others have others."""
    return hashlib.sha256(f"{plan.prompt}|{plan.options.seed}|{place}".encode()).hexdigest()
