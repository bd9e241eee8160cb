"""`generate`: a model, a prompt and what the output must be -> the typed value.

    read options -> encode prompts -> compile constraints -> decode the batch, or sample -> read and validate each text

Prompts are text, token ids or chat messages, or a list of these (a batch, whose `schema` or `constraint` may be a list
of the same length). Every value that is returned was validated by the type itself or by `jsonschema`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from typing_extensions import Unpack

from structgen.api.compile import compile_source
from structgen.api.models import engine_of
from structgen.api.options import GenerateOptions, Settings
from structgen.api.result import Result, Stats
from structgen.api.sampled import draw_outputs
from structgen.api.sources import Source, source_of
from structgen.errors import OptionError, Truncated
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.python_types.partial import partial_value
from structgen.samplers.predicates import Function, Guarded

if TYPE_CHECKING:
    from structgen.engines.decode import Output, Request, Step

__all__ = ["agenerate", "agenerate_result", "generate", "generate_result"]

T = TypeVar("T")
DEFAULT_TOKENS = 512


@overload
def generate(
    model: Any = None,
    prompt: str = "",
    *,
    schema: type[T],
    stream: Literal[False] = False,
    **options: Unpack[GenerateOptions],
) -> T: ...
@overload
def generate(
    model: Any = None, prompt: Any = "", *, schema: Any = None, stream: bool = False, **options: Unpack[GenerateOptions]
) -> Any: ...
def generate(
    model: Any = None, prompt: Any = "", *, schema: Any = None, stream: bool = False, **options: Unpack[GenerateOptions]
) -> Any:
    """Generate a value of the type, schema, regex or choices asked for.

    One prompt gives a value, a batch a list, `n` > 1 a list per prompt; `stream=True` an iterator over ever longer
    partial values, the last of them the finished, typed one. Options: see `structgen.api.options.Settings`.
    """
    settings = Settings.read({"schema": schema, **options})
    if stream:
        return _stream(_Call.of(model, prompt, settings))
    return _values(_run(_Call.of(model, prompt, settings)))


@overload
def generate_result(
    model: Any = None, prompt: str = "", *, schema: type[T], **options: Unpack[GenerateOptions]
) -> Result[T]: ...
@overload
def generate_result(
    model: Any = None, prompt: Any = "", *, schema: Any = None, **options: Unpack[GenerateOptions]
) -> Any: ...
def generate_result(
    model: Any = None, prompt: Any = "", *, schema: Any = None, **options: Unpack[GenerateOptions]
) -> Any:
    """Like `generate`, with everything known about each output: a `Result`, or lists of them."""
    return _run(_Call.of(model, prompt, Settings.read({"schema": schema, **options})))


async def agenerate(
    model: Any = None, prompt: Any = "", *, schema: Any = None, stream: bool = False, **options: Unpack[GenerateOptions]
) -> Any:
    """`generate` in a thread. With `stream=True` it returns an async iterator."""
    if stream:
        return _in_threads(
            await asyncio.to_thread(lambda: generate(model, prompt, schema=schema, stream=True, **options))
        )
    return await asyncio.to_thread(lambda: generate(model, prompt, schema=schema, **options))


async def agenerate_result(
    model: Any = None, prompt: Any = "", *, schema: Any = None, **options: Unpack[GenerateOptions]
) -> Any:
    """`generate_result` in a thread."""
    return await asyncio.to_thread(lambda: generate_result(model, prompt, schema=schema, **options))


async def _in_threads(steps: Iterator[Any]) -> AsyncIterator[Any]:
    end = object()
    while (value := await asyncio.to_thread(next, steps, end)) is not end:
        yield value


@dataclass(frozen=True, slots=True)
class _Row:
    """One prompt: its tokens, its constraint, and what reads the finished text."""

    prompt: list[int]
    constraint: Constraint | Guarded
    read: Callable[[str], Any]
    is_json: bool
    report: Any


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is ready to run: everything has been read, checked and compiled."""

    engine: Any
    rows: tuple[_Row, ...]
    is_batch: bool
    settings: Settings
    sampling: SamplingOptions
    compile_seconds: float

    @classmethod
    def of(cls, model: Any, prompt: Any, settings: Settings) -> _Call:
        """Read, check and compile."""
        is_batch = _is_batch(prompt)
        prompts = list(prompt) if is_batch else [prompt]
        sources = _sources(settings, len(prompts), is_batch)
        sampling = _sampling(settings)
        engine = engine_of(model, settings.tokenizer)
        started = time.perf_counter()
        functions = settings.functions
        pairs = zip(prompts, sources, strict=True)
        rows = tuple(_row(engine, *pair, functions, bundled=model is None) for pair in pairs)
        return cls(engine, rows, is_batch, settings, sampling, time.perf_counter() - started)

    def requests(self) -> list[Request]:
        """What the decode loop is asked: n rows per prompt, each with its own random stream."""
        from structgen.engines.decode import Request

        steer, requests = self.settings.on_truncate != "return", []
        for row in self.rows:
            if not isinstance(row.constraint, Constraint):
                raise OptionError("a constraint with functions on top needs a sampler: method='smc'", option="method")
            requests += [Request(row.prompt, row.constraint, self.budget, steer=steer)] * self.settings.n
        return requests

    @property
    def budget(self) -> int:
        """Most tokens of one output: what was asked for, else the default or what the model's context leaves."""
        if self.settings.max_tokens is not None:
            return self.settings.max_tokens
        config = getattr(getattr(self.engine, "model", None), "config", None)
        limit = None if config is None else getattr(config.get_text_config(), "max_position_embeddings", None)
        if limit is None:
            return DEFAULT_TOKENS
        return max(1, min(DEFAULT_TOKENS, int(limit) - max(len(row.prompt) for row in self.rows)))


def _is_batch(prompt: Any) -> bool:
    """A list of prompts; not text, not token ids, not chat messages."""
    if isinstance(prompt, str):
        return False
    if not isinstance(prompt, Sequence):
        raise OptionError(f"prompt is text, token ids or chat messages, not {type(prompt).__name__}", option="prompt")
    return bool(prompt) and not isinstance(prompt[0], (int, Mapping))


def _sources(settings: Settings, count: int, is_batch: bool) -> list[Source | Constraint | Guarded]:
    """A source per prompt; `schema` and `constraint` may be lists in a batch."""
    several = {name: getattr(settings, name) for name in ("schema", "constraint")}
    lists = {name: value for name, value in several.items() if isinstance(value, (list, tuple))}
    for name, value in lists.items():
        if not is_batch:
            raise OptionError(f"a list of {name} needs a list of prompts", option=name)
        if len(value) != count:
            raise OptionError(f"{len(value)} values of {name} for {count} prompts", option=name)
    return [
        _source(settings, **{n: lists[n][i] if n in lists else v for n, v in several.items()}) for i in range(count)
    ]


def _source(settings: Settings, schema: Any, constraint: Any) -> Source | Constraint | Guarded:
    others = {name: getattr(settings, name) for name in ("style", "limits", "registry")} | {**settings.source}
    if constraint is None:
        return source_of(schema=schema, **others)
    if not isinstance(constraint, (Constraint, Guarded)):
        raise OptionError("constraint is what compile() returns", option="constraint")
    for name, value in {"schema": schema, **others}.items():
        if value is not None:
            raise OptionError(f"{name} is part of a compiled constraint already", option=name)
    return constraint


def _row(
    engine: Any,
    prompt: Any,
    source: Source | Constraint | Guarded,
    functions: Sequence[Function],
    *,
    bundled: bool,
) -> _Row:
    constraint: Constraint | Guarded
    constraint, report = (source, None) if isinstance(source, Guarded) else compile_source(source, engine.vocabulary)
    for function in functions:
        constraint = constraint & function
    schema = source.schema if isinstance(source, Source) else None
    if bundled and isinstance(prompt, str):
        from structgen.nano.prompts import prompt_text

        prompt = prompt_text(schema, prompt)  # the one form of prompt nano was trained on
    read = source.read if isinstance(source, Source) else str
    return _Row(engine.encode(prompt), constraint, read, schema is not None, report)


def _sampling(settings: Settings) -> SamplingOptions:
    temperature = settings.temperature
    if temperature is None:
        temperature = 0.0 if settings.n == 1 and settings.method == "masked" else 1.0
    seed = secrets.randbits(32) if settings.seed is None else settings.seed
    return SamplingOptions(temperature=temperature, top_k=settings.top_k, top_p=settings.top_p, seed=seed)


def _run(call: _Call) -> Any:
    """All outputs: a `Result`, or lists of them as the prompts and n ask for."""
    results = _decoded(call) if call.settings.method == "masked" else _sampled(call)
    n = call.settings.n
    per_prompt = [results[at] if n == 1 else results[at : at + n] for at in range(0, len(results), n)]
    return per_prompt if call.is_batch else per_prompt[0]


def _decoded(call: _Call) -> list[Result[Any]]:
    """n results per prompt from the decode loop."""
    from structgen.engines.decode import decode_steps

    outputs: dict[int, Output] = {}
    started, count = time.perf_counter(), 0
    for step in decode_steps(call.engine, call.requests(), call.sampling):
        outputs |= step.finished
        count += len(step.tokens)
        if call.settings.progress is not None:
            call.settings.progress(count, time.perf_counter() - started)
    seconds, n = time.perf_counter() - started, call.settings.n
    return [_result(call, call.rows[index // n], outputs[index], seconds) for index in range(len(call.rows) * n)]


def _sampled(call: _Call) -> list[Result[Any]]:
    """n results per prompt from a sampler."""
    results, settings = [], call.settings
    for stream, row in enumerate(call.rows):
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
            options=settings.method_options,
        )
        for drawn in samples:
            text = drawn.data.decode("utf-8")
            stats = Stats(len(row.prompt), len(drawn.token_ids), call.compile_seconds, everything.stats.seconds)
            results.append(
                Result(
                    value=row.read(text),
                    text=text,
                    token_ids=drawn.token_ids,
                    log_prob=drawn.log_prob,
                    log_q=drawn.log_q,
                    log_weight=drawn.log_weight,
                    finish_reason=drawn.finish,
                    stats=stats,
                    report=row.report,
                    samples=everything,
                )
            )
    return results


def _result(call: _Call, row: _Row, output: Output, seconds: float) -> Result[Any]:
    incomplete = output.finish_reason == "length"
    text = output.text if incomplete else output.data.decode("utf-8")
    if output.finish_reason == "completed" and call.settings.on_truncate == "raise":
        raise Truncated(text=text, budget=call.budget)
    return Result(
        value=None if incomplete else row.read(text),
        text=text,
        token_ids=output.token_ids,
        log_prob=output.log_prob,
        log_q=output.log_q,
        log_weight=output.log_weight,
        finish_reason=output.finish_reason,
        stats=Stats(len(row.prompt), len(output.token_ids), call.compile_seconds, seconds),
        report=row.report,
    )


def _values(results: Any) -> Any:
    return [_values(item) for item in results] if isinstance(results, list) else results.value


def _stream(call: _Call) -> Iterator[Any]:
    """Partial values of the one output as they change, then the finished value."""
    from structgen.engines.decode import decode_steps

    if call.settings.method != "masked":
        raise OptionError("stream=True is for method='masked': samplers finish before they choose", option="stream")
    if call.is_batch or call.settings.n > 1:
        raise OptionError("stream=True is for one prompt and n=1", option="stream")
    return _partials(call, decode_steps(call.engine, call.requests(), call.sampling))


def _partials(call: _Call, steps: Iterator[Step]) -> Iterator[Any]:
    row, data, shown = call.rows[0], bytearray(), None
    started, vocabulary = time.perf_counter(), call.engine.vocabulary
    for step in steps:
        if call.settings.progress is not None:
            call.settings.progress(step.index + 1, time.perf_counter() - started)
        if 0 in step.finished:
            yield _result(call, row, step.finished[0], time.perf_counter() - started).value
            return
        data += vocabulary.token_bytes(step.tokens[0])
        value = partial_value(bytes(data), is_json=row.is_json)
        if value is not None and value != shown:
            shown = value
            yield value
