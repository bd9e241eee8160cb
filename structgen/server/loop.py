"""The thread that owns the model: jobs join its rows, take a token a step, and leave.

    take out who went away or is late -> a step of all rows -> read waiting prompts -> masks, laws, draws -> events

A job is one output. Its row begins when there is room; prompts are read together, at most `prompt_tokens` a step, so a
long one takes several steps while the others go on. Of a prompt that is being read the step itself reads a token too,
so one call serves all rows and none has to move. Events go to asyncio once a step, not once a token.

An error of one row (its grammar grew too large, its logits are no numbers) is its own; of the model's call, of all rows
in it; the loop goes on. Cost of a step beside the model's: a mask and an accept a row, and the laws (engines/decode).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import torch

from structgen.engines.decode import Output, take_tokens
from structgen.engines.slots import Rows
from structgen.errors import ModelError, StructgenError
from structgen.server.jobs import End, Event, Failed, Job, Piece, TokenReport, report_of, shown_bytes
from structgen.server.metrics import Metrics
from structgen.server.refusals import Refusal, ending, gone, late, refusal_of

__all__ = ["StepLoop"]

_UNEVEN = 2  # prompts that are read together differ by this factor at most: shorter ones are padded
_log = logging.getLogger("structgen")


class StepLoop:
    """Runs jobs over `rows`. `post` takes a list of (job, event) pairs, once a step, and brings them to their readers.

    `submit`, `lend`, `close` and `stop` may be called from any thread; `run` is the loop's own.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        most_rows: int,
        queue: int,
        prompt_tokens: int,
        metrics: Metrics,
        post: Callable[[list[tuple[Job, Event]]], None],
    ) -> None:
        self._rows, self._most, self._queue, self._budget = rows, most_rows, queue, prompt_tokens
        self._metrics, self._post = metrics, post
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._errands: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._live: list[Job] = []  # by row
        self._events: list[tuple[Job, Event]] = []
        self._closing = self._stopped = False

    @property
    def running(self) -> int:
        """Rows that run."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """Jobs that wait for a row."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._live or self._waiting or self._errands)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Let jobs wait for rows, all or none. Raises Refusal: 429 where too many wait, 503 at the end."""
        with self._changed:
            if self._closing:
                raise ending()
            free = max(self._most - len(self._live), 0)
            if len(self._waiting) + len(jobs) > self._queue + free:
                raise Refusal(429, f"{len(self._waiting)} outputs wait already", code="queue_full", retry_after=1)
            self._waiting.extend(jobs)
            self._changed.notify()

    def lend(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function that uses the model between two steps."""
        future: Future[Any] = Future()
        with self._changed:
            if self._stopped:
                raise ending()
            self._errands.append((function, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End what runs: a constrained output is completed where it is, everything else gets an error."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def stop(self) -> None:
        """Let `run` return."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Step until stopped."""
        while True:
            with self._changed:
                while self.is_idle and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    break
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - of the rows in the step, not of the loop
                _log.exception("a step failed")
                self._fail_all(error)
            self._send()
        self._fail_all(ending())
        for _, future in self._errands:
            future.set_exception(ending())
        self._send()

    # ------------------------------------------------------------------------------------------------------- one step

    def _step(self) -> None:
        self._run_errand()
        self._take_out()
        started = time.perf_counter()
        ready: list[tuple[int, torch.Tensor]] = []  # rows that have logits
        if self._live:
            ready += self._feed_all()
        ready += self._read_prompts()
        if ready:
            self._draw([row for row, _ in ready], torch.stack([logits for _, logits in ready]))
            self._metrics.add("steps_total")
            self._metrics.took("token_seconds", time.perf_counter() - started)

    def _run_errand(self) -> None:
        with self._changed:
            if not self._errands:
                return
            function, future = self._errands.popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function())
            except Exception as error:  # noqa: BLE001 - it is the sampler's, which waits for it
                future.set_exception(error)

    def _take_out(self) -> None:
        """Jobs whose reader is gone, which are late, or which the end of the server ends."""
        now = time.monotonic()
        with self._changed:
            out = [job for job in self._waiting if job.is_gone or job.deadline < now or self._closing]
            for job in out:
                self._waiting.remove(job)
        for job in out:
            self._tell(job, Failed(gone() if job.is_gone else ending() if self._closing else late()))
        for row in reversed(range(len(self._live))):
            job = self._live[row]
            if job.is_gone or job.deadline < now:
                self._leave(row, Failed(gone() if job.is_gone else late()))
            elif self._closing:
                job.row.end_now()
                output = job.row.output() if job.row.completion is not None else None
                self._leave(row, Failed(ending()) if output is None else self._end(job, output, "shutdown"))

    def _feed_all(self) -> list[tuple[int, torch.Tensor]]:
        """One token for every row: the one it drew, or the next of its prompt."""
        pieces = [[int(job.unread[0])] if len(job.unread) else [job.row.last_token] for job in self._live]
        logits = self._rows.feed(0, pieces)
        ready = []
        for row, job in enumerate(self._live):
            if len(job.unread):
                job.unread = job.unread[1:]
            if not len(job.unread):
                ready.append((row, logits[row]))
        return ready

    def _read_prompts(self) -> list[tuple[int, torch.Tensor]]:
        """Go on with the prompt that is being read, then begin others, as far as the step's budget goes."""
        left = self._budget if not self._rows.reads_whole else 1 << 60
        fed: list[tuple[int, list[int]]] = []
        for row, job in enumerate(self._live):
            if len(job.unread):
                fed.append((row, self._next_piece(job, left)))
                left -= len(fed[-1][1])
        while left > 0 and self._rows.room and (new := self._next_waiting()) is not None:
            job = new
            self._live.append(job)  # first: where something fails from here on, it fails with the others
            prompt = job.row.request.prompt
            job.reused = known = self._rows.open(prompt)
            job.unread = job.unread[known:]
            self._metrics.add("prompt_tokens_total", len(prompt))
            self._metrics.add("reused_tokens_total", known)
            fed.append((len(self._live) - 1, self._next_piece(job, left)))
            left -= len(fed[-1][1])
        ready = []
        for run in _runs(fed, whole=self._rows.reads_whole):
            logits = self._rows.feed(run[0][0], [piece for _, piece in run])
            ready += [(row, logits[at]) for at, (row, _) in enumerate(run) if not len(self._live[row].unread)]
        return ready

    def _next_piece(self, job: Job, most: int) -> list[int]:
        piece: list[int] = job.unread[:most].tolist()
        job.unread = job.unread[most:]
        return piece

    def _next_waiting(self) -> Job | None:
        """The first job that waits, but for those whose prompt is better read a step later."""
        with self._changed:
            near = [self._waiting[at] for at in range(min(len(self._waiting), self._most))]
        for job in near:
            if not self._rows.waits(job.row.request.prompt):
                with self._changed:
                    self._waiting.remove(job)
                return job
        return None

    # ---------------------------------------------------------------------------------------------------------- draws

    def _draw(self, rows: list[int], logits: torch.Tensor) -> None:
        """A token for each of these rows, and what follows from it."""
        jobs = [self._live[row] for row in rows]
        failed: dict[int, StructgenError] = {}
        highest = logits.amax(dim=1)
        for at in torch.nonzero(~torch.isfinite(highest)).flatten().tolist():
            failed[at] = ModelError("the model returned NaN or infinite logits")
        seconds = self._prepare_masks(jobs, failed)
        good = [at for at in range(len(jobs)) if at not in failed]
        masks = {at: jobs[at].row.mask() for at in good if jobs[at].trace}
        lost: dict[int, StructgenError] = {}
        chosen = logits if len(good) == len(jobs) else logits[good]
        taken = take_tokens([jobs[at].row for at in good], chosen, weigh=False, failed=lost) if good else []
        failed |= {good[place]: error for place, error in lost.items()}
        ends: list[tuple[int, Event]] = [(rows[at], Failed(refusal_of(error))) for at, error in failed.items()]
        for place, at in enumerate(good):
            if place not in lost:
                report = report_of(jobs[at], logits[at], taken[place], masks.get(at), seconds[at])
                ended = self._took(jobs[at], taken[place], report)
                if ended is not None:
                    ends.append((rows[at], ended))
        self._metrics.add("output_tokens_total", len(good) - len(lost))
        for row, event in sorted(ends, key=lambda each: -each[0]):  # from the last: whoever moves has been seen to
            self._leave(row, event)

    def _prepare_masks(self, jobs: list[Job], failed: dict[int, StructgenError]) -> list[float]:
        """Make every row's mask; what each took. A mask that cannot be made is its row's error."""
        seconds = []
        for at, job in enumerate(jobs):
            started = time.perf_counter()
            if at not in failed:
                try:
                    job.row.mask()
                except StructgenError as error:
                    failed[at] = error
            seconds.append(time.perf_counter() - started)
        self._metrics.took("mask_seconds", sum(seconds))
        return seconds

    def _took(self, job: Job, token: int, report: TokenReport | None) -> Event | None:
        """A row has taken a token; the event of its end, if this was it."""
        row = job.row
        if len(row.tokens) == 1:
            self._metrics.took("first_token_seconds", time.monotonic() - job.asked_at)
        if report is not None:
            job.pending.append(report)
        if row.completion is None:
            matcher = row.matcher
            if matcher is not None and not matcher.is_finished() and matcher.ends_here():
                row.take(row.stops[0])  # the only thing that can come
            job.data += row.vocabulary.decode([token], begins=not job.data)
        output = row.output()
        if output is not None:
            return self._end(job, output, "budget" if output.finish_reason == "completed" else None)
        if job.in_pieces:
            shown = shown_bytes(job)
            data = bytes(job.data[row.seen : shown])
            row.seen = shown
            self._tell(job, Piece((token,), data, tuple(job.pending)))
            job.pending.clear()
        return None

    def _end(self, job: Job, output: Output, why: str | None) -> End:
        kept = zip(output.token_ids, job.row.tokens, strict=False)
        chosen = next((at for at, (one, other) in enumerate(kept) if one != other), None)
        chosen = min(len(output.token_ids), len(job.row.tokens)) if chosen is None else chosen
        if job.pending:
            self._tell(job, Piece((), b"", tuple(job.pending)))
        return End(output, chosen, why)

    def _leave(self, row: int, event: Event) -> None:
        self._tell(self._live[row], event)
        moved = self._rows.leave(row)
        self._live[row] = self._live[moved]
        self._live.pop()

    def _fail_all(self, error: Exception) -> None:
        """End every row with an error: the call that they were all in has failed."""
        for row in reversed(range(len(self._live))):
            if row < self._rows.count:
                self._leave(row, Failed(refusal_of(error)))
            else:  # it had not begun
                self._tell(self._live.pop(), Failed(refusal_of(error)))
        if self._stopped:
            while self._waiting:
                self._tell(self._waiting.popleft(), Failed(refusal_of(error)))

    def _tell(self, job: Job, event: Event) -> None:
        self._events.append((job, event))

    def _send(self) -> None:
        events, self._events = self._events, []
        for _, event in events:
            if isinstance(event, End):
                self._metrics.add("choices_total", ended=event.why or event.output.finish_reason)
            elif isinstance(event, Failed):
                self._metrics.add("choices_total", ended=event.refusal.code)
        if events:
            self._post(events)


def _runs(fed: list[tuple[int, list[int]]], *, whole: bool) -> Iterator[list[tuple[int, list[int]]]]:
    """Neighbouring rows whose pieces are about equally long, to be read in one call; all of them where a batch is
    `whole`."""
    run: list[tuple[int, list[int]]] = []
    for row, piece in fed:
        sizes = [len(piece), *(len(each) for _, each in run)]
        if run and not whole and (row != run[-1][0] + 1 or max(sizes) > _UNEVEN * min(sizes)):
            yield run
            run = []
        run.append((row, piece))
    if run:
        yield run
