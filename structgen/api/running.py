"""A call that is ready -> its results: by the decode loop, in batches that fit memory, or by a sampler; or as a stream.

The random numbers of an output depend on its place among all outputs of the call, not on the batch it is decoded in.
Every text that ended is read and validated; what the budget ended is handled as `on_truncate` says.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from structgen.api.call import Call
from structgen.api.result import Result, Stats
from structgen.api.sampled import draw_outputs
from structgen.errors import CompletedWarning, OptionError, SamplingIncomplete, SamplingInterrupted, Truncated
from structgen.python_types.partial import partial_value
from structgen.speculation.options import Speculation

if TYPE_CHECKING:
    from structgen.api.options import Progress, Settings
    from structgen.engines.decode import Output, Request, Step
    from structgen.samplers.result import Stats as SamplerStats

__all__ = ["Decoding", "read_outputs", "results_of", "stream_of", "values_of"]


def results_of(call: Call, *, weigh: bool = True) -> Any:
    """All outputs: a `Result`, or lists of them as the prompts and n ask for. Without `weigh` the decode loop counts no
    probabilities, which is faster."""
    if not call.rows:
        return []
    return _arranged(call, _sampled(call) if call.settings.method != "masked" else _decoded(call, weigh))


def values_of(call: Call) -> Any:
    """The values of the results, in the same lists."""
    return _values(results_of(call, weigh=False))


def _values(results: Any) -> Any:
    return [_values(item) for item in results] if isinstance(results, list) else results.value


def stream_of(call: Call) -> Iterator[Any]:
    """Partial values as they change, in the lists that `generate` returns, and in the end the finished ones."""
    if call.settings.method != "masked":
        raise OptionError("stream=True is for method='masked': samplers finish before they choose", option="stream")
    return _partials(call, call.requests()) if call.rows else iter([[]])


def _arranged(call: Call, items: list[Any]) -> Any:
    """One item per output -> per prompt one, or a list of n; of one prompt that, of a batch a list."""
    n = call.settings.n
    per_prompt = [items[at] if n == 1 else items[at : at + n] for at in range(0, len(items), n)]
    return per_prompt if call.is_batch else per_prompt[0]


@dataclass(slots=True)
class Decoding:
    """What is known of outputs beside themselves.

    field    meaning
    figures  what speculation did, by the number of a batch's first output
    seconds  from the start of its batch to its end, by the number of an output
    """

    figures: dict[int, Any] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)


def _steps(call: Call, requests: list[Request], decoding: Decoding, *, weigh: bool) -> Iterator[tuple[int, Step]]:
    """The steps of all batches, each with the number of the batch's first output."""
    from structgen.engines.decode import decode_steps

    started, count, size = time.perf_counter(), 0, call.batch_size
    for first in range(0, len(requests), size):
        batch, began = requests[first : first + size], time.perf_counter()
        model, decoding.figures[first] = _model(call, batch, weigh)
        weigh = weigh and getattr(decoding.figures[first], "lossy", None) is None
        for step in decode_steps(model, batch, call.sampling, weigh=weigh):
            count += len(step.tokens)
            if call.settings.progress is not None:
                call.settings.progress(count, time.perf_counter() - started)
            decoding.seconds |= dict.fromkeys((first + row for row in step.finished), time.perf_counter() - began)
            yield first, step


def _model(call: Call, batch: list[Request], weigh: bool) -> tuple[Any, Any]:
    """What decodes a batch, and what becomes of speculation."""
    asked = call.settings.speculation
    if asked is None:
        return call.engine, None
    if call.settings.rule is not None:
        return call.engine, "off: what comes next depends on more than the text"
    from structgen.speculation.read_ahead import read_ahead

    options = None if asked == "auto" else asked
    whole, repeatable = weigh or bool(call.settings.processors), call.settings.seed is not None
    model, why_not = read_ahead(
        call.engine, [request.constraint for request in batch], options, whole=whole, repeatable=repeatable
    )
    return (call.engine, f"off: {why_not}") if model is None else (model, model.figures)


def _decoded(call: Call, weigh: bool) -> list[Result[Any]]:
    """n results per prompt from the decode loop."""
    outputs: dict[int, Output] = {}
    decoding = Decoding()
    for first, step in _steps(call, call.requests(), decoding, weigh=weigh):
        outputs |= {first + row: output for row, output in step.finished.items()}
    return read_outputs(call, outputs, decoding)


def read_outputs(call: Call, outputs: dict[int, Output], decoding: Decoding) -> list[Result[Any]]:
    """The results of a call's outputs, by their places; raises Truncated for the first that its budget ended, with the
    others, and ValueRejected."""
    n, results, cut = call.settings.n, list[Result[Any] | None](), None
    for index in range(len(call.rows) * n):
        output = outputs[index]
        if output.finish_reason == "length" and call.settings.on_truncate == "raise":
            cut = output if cut is None else cut
            results.append(None)
        else:
            results.append(_result(call, index, output, decoding))
    if cut is not None:
        assert cut.needed is not None, "a row of generate has a constraint"
        raise Truncated(text=cut.text, budget=call.budget, needed=cut.needed, results=tuple(results))
    return [result for result in results if result is not None]


def _value(call: Call, index: int, text: str, token_ids: Sequence[int]) -> Any:
    """What a finished output is read as."""
    row = call.rows[index // call.settings.n]
    if row.layout is None:
        return row.read(text)
    reader = call.reader(index)
    reader.feed(token_ids)
    return reader.finish()


def _result(call: Call, index: int, output: Output, decoding: Decoding) -> Result[Any]:
    row = call.rows[index // call.settings.n]
    speculation = decoding.figures.get(index - index % call.batch_size)
    seconds = decoding.seconds[index]
    incomplete = output.finish_reason == "length"
    text = output.text if incomplete else output.data.decode("utf-8")
    if output.finish_reason == "completed":
        warnings.warn(
            CompletedWarning(text=text, completed_at=output.completed_at), stacklevel=6
        )  # the line that called generate
    return Result(
        value=None if incomplete else _value(call, index, text, output.token_ids),
        text=text,
        token_ids=output.token_ids,
        log_prob=output.log_prob,
        log_q=output.log_q,
        log_weight=output.log_weight,
        finish_reason=output.finish_reason,
        stats=Stats(len(row.prompt), len(output.token_ids), call.compile_seconds, seconds, speculation),
        completed_at=output.completed_at,
        report=row.report,
        monitors=_reports(row.constraint),
    )


def _reports(constraint: Any) -> dict[str, Any]:
    """What the monitors of a constraint did, by their names; a function on top of it has none."""
    narrowed = getattr(constraint, "constraint", constraint)
    if not getattr(narrowed, "asks", False):
        return {}
    from structgen.monitors.monitored import reports_of  # loaded when monitors come

    return reports_of(narrowed)


def _sampled(call: Call) -> list[Result[Any]]:
    """n results per prompt from a sampler; what falls short or is interrupted has those of the prompts before."""
    results, scored = list[Result[Any]](), _Scored(call.settings.progress)
    for stream in range(len(call.rows)):
        try:
            results += _sampled_row(call, stream, scored)
        except (SamplingIncomplete, SamplingInterrupted) as error:
            error.results = tuple(results)
            raise
    return results


class _Scored:
    """How far the samplers of a call are, for `progress`: prefixes of all prompts, and seconds."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.before, self.started = progress, 0, time.perf_counter()

    def __call__(self, stats: SamplerStats) -> None:
        assert self.progress is not None
        self.progress(self.before + stats.prefixes_scored, time.perf_counter() - self.started)


def _method_options(settings: Settings) -> dict[str, Any]:
    """The sampler's own options; the scorer of a search is one of them."""
    given = dict(settings.method_options or {})
    return given if settings.scorer is None else {**given, "scorer": settings.scorer}


def _sampled_row(call: Call, stream: int, scored: _Scored) -> list[Result[Any]]:
    """The n results of one prompt."""
    row, settings = call.rows[stream], call.settings
    samples, everything = draw_outputs(
        call.engine,
        row.prompt,
        row.constraint,
        call.budget,
        call.sampling,
        settings.n,
        settings.method,
        stream,
        budget=settings.budget,
        options=_method_options(settings),
        ahead=isinstance(settings.speculation, Speculation),
        progress=None if settings.progress is None else scored,
    )
    scored.before += everything.stats.prefixes_scored
    seconds = everything.stats.seconds / settings.n
    return [
        Result(
            value=_value(call, stream * settings.n + place, drawn.data.decode("utf-8"), drawn.token_ids),
            text=drawn.data.decode("utf-8"),
            token_ids=drawn.token_ids,
            log_prob=drawn.log_prob,
            log_q=drawn.log_q,
            log_weight=drawn.log_weight,
            finish_reason=drawn.finish,
            stats=Stats(len(row.prompt), len(drawn.token_ids), call.compile_seconds, seconds),
            report=row.report,
            samples=everything,
            monitors=_reports(row.constraint),
        )
        for place, drawn in enumerate(samples)
    ]


def _partials(call: Call, requests: list[Request]) -> Iterator[Any]:
    """Streams begin at None; the last item has every value finished and typed."""
    n = call.settings.n
    texts, shown = [bytearray() for _ in requests], list[Any]([None] * len(requests))
    outputs: dict[int, Output] = {}
    decoding = Decoding()
    vocabulary = call.engine.vocabulary
    readers = {index: call.reader(index) for index in range(len(requests)) if call.rows[index // n].layout is not None}
    for first, step in _steps(call, requests, decoding, weigh=False):
        outputs |= {first + row: output for row, output in step.finished.items()}
        changed = False
        for row, token in step.tokens.items():
            index = first + row
            if index in readers:
                value = readers[index].reply if readers[index].feed([token]) else None
            else:
                texts[index] += vocabulary.decode([token], begins=not texts[index])
                value = partial_value(bytes(texts[index]), is_json=call.rows[index // n].is_json)
            if value is not None and value != shown[index]:
                shown[index], changed = value, True
        if changed and len(outputs) < len(requests):
            yield _arranged(call, list(shown))
    yield _values(_arranged(call, read_outputs(call, outputs, decoding)))
