"""Model, prompt and options -> a call that is ready to run: engine, rows, sampling; everything read and compiled.

    read options -> find the engine -> frame and encode each prompt -> compile each constraint

A row is one prompt with its constraint and with what reads the finished text. Cost: the encoding of the prompts, and
the compilation of constraints that are not remembered (api/compile.py).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structgen.api.compile import compile_source
from structgen.api.models import engine_of
from structgen.api.options import Settings
from structgen.api.prompts import framed, read_prompts
from structgen.api.rules import ready_rule
from structgen.api.sources import Source, source_of
from structgen.errors import OptionError
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.samplers.predicates import Guarded

if TYPE_CHECKING:
    from structgen.engines.decode import Request
    from structgen.tools.layout import Layout
    from structgen.tools.reading import ReplyReader

__all__ = ["MOST_TOKENS", "Call", "Row", "context_of"]

MOST_TOKENS = 8192  # of one output, where neither the caller nor the model's context says less
ROWS = 32  # decoded at once on an engine that does not say how many fit


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt: its tokens, its constraint, and what reads the finished text.

    `layout`: of a row with tools what reads its tokens (structgen/tools); its value is a `Reply`.
    """

    prompt: list[int]
    constraint: Constraint | Guarded
    read: Callable[[str], Any]
    is_json: bool
    report: Any
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is ready to run."""

    engine: Any
    rows: tuple[Row, ...]
    is_batch: bool
    settings: Settings
    sampling: SamplingOptions
    budget: int
    compile_seconds: float

    @classmethod
    def of(cls, model: Any, prompt: Any, settings: Settings) -> Call:
        """Read, check and compile."""
        prompts, is_batch = read_prompts(prompt, settings.messages)
        if settings.tools is not None:
            return cls._with_tools(model, prompts, is_batch, settings)
        sources = _sources(settings, len(prompts), is_batch)
        sampling, engine = _sampling(settings), engine_of(model, settings.tokenizer)
        started, rows = time.perf_counter(), []
        for each, source in zip(prompts, sources, strict=True):
            constraint, target, report = _compiled(source, engine.vocabulary)
            constraint = _narrowed(constraint, settings)
            schema = None if target is None else target.schema
            ids = engine.encode(framed(each, schema, settings, engine, bundled=model is None))
            read = str if target is None else target.read
            rows.append(Row(ids, constraint, read, schema is not None, report))
        seconds = time.perf_counter() - started
        return cls(engine, tuple(rows), is_batch, settings, sampling, _budget(engine, rows, settings), seconds)

    @classmethod
    def _with_tools(cls, model: Any, prompts: list[Any], is_batch: bool, settings: Settings) -> Call:
        """The same where the model may call tools."""
        from structgen.api.tooling import answers_of, tooled  # loaded when tools come
        from structgen.tools.tool import tools_of

        tools, answers = tools_of(settings.tools), answers_of(settings, len(prompts), is_batch)
        sampling, engine = _sampling(settings), engine_of(model, settings.tokenizer)
        started, rows = time.perf_counter(), []
        for each, answer in zip(prompts, answers, strict=True):
            ids, layout, source = tooled(each, tools, answer, settings, engine)
            constraint: Any = compile_source(source, engine.vocabulary)[0]
            constraint = _narrowed(constraint, settings)
            rows.append(Row(ids, constraint, str, False, None, layout))
        seconds = time.perf_counter() - started
        return cls(engine, tuple(rows), is_batch, settings, sampling, _budget(engine, rows, settings), seconds)

    def reader(self, index: int) -> ReplyReader:
        """What reads the tokens of an output of a row with tools."""
        from structgen.tools.reading import ReplyReader

        row = self.rows[index // self.settings.n]
        assert row.layout is not None
        salt = f"{row.prompt}|{self.sampling.seed}|{index}"  # the same seed gives the same ids, other prompts do not
        return ReplyReader(row.layout, self.engine.vocabulary, salt=salt)

    def requests(self) -> list[Request]:
        """What the decode loop is asked: n rows per prompt, each with its own random stream."""
        from structgen.engines.decode import Request
        from structgen.engines.steering import check_budget

        settings, requests = self.settings, list[Request]()
        rule = ready_rule(settings.rule, self.engine.vocabulary)
        stops = tuple(text.encode() for text in settings.stops)
        for row in self.rows:
            if not isinstance(row.constraint, Constraint):
                raise OptionError("a constraint with functions on top needs a sampler: method='smc'", option="method")
            if settings.on_truncate != "return":
                check_budget(row.constraint.matcher(), self.budget, steer=settings.on_truncate == "complete")
            for _ in range(settings.n):
                requests.append(
                    Request(
                        row.prompt,
                        row.constraint,
                        self.budget,
                        stream=len(requests),
                        steer=settings.on_truncate == "complete",
                        is_json=row.is_json,
                        stops=stops,
                        processors=settings.processors,
                        ahead=settings.ahead,
                        rule=rule,
                    )
                )
        return requests

    @property
    def batch_size(self) -> int:
        """Outputs decoded at once."""
        if self.settings.batch_size is not None:
            return self.settings.batch_size
        fits = getattr(self.engine, "rows_that_fit", None)
        longest = max((len(row.prompt) for row in self.rows), default=0)
        return ROWS if fits is None else max(1, fits(longest + self.budget))


def _narrowed(constraint: Any, settings: Settings) -> Any:
    """The constraint with the monitors on top, and the functions on top of these."""
    for monitor in settings.watching:
        if hasattr(monitor, "__rand__"):
            constraint = constraint & monitor
        else:
            from structgen.monitors.monitored import monitored  # loaded when monitors come

            constraint = monitored(constraint, monitor)
    for function in settings.functions:
        constraint = constraint & function
    return constraint


def _compiled(source: Source | Constraint | Guarded, vocabulary: Any) -> tuple[Any, Any, Any]:
    """Constraint, target (None: the value is the text), and report."""
    if isinstance(source, Guarded):
        return source, getattr(source.constraint, "target", None), None
    constraint, report = compile_source(source, vocabulary)
    return constraint, source.target, report


def _sources(settings: Settings, count: int, is_batch: bool) -> list[Source | Constraint | Guarded]:
    """A source per prompt; `schema` and `constraint` may be lists in a batch."""
    several = {name: getattr(settings, name) for name in ("schema", "constraint")}
    lists = {name: value for name, value in several.items() if isinstance(value, (list, tuple))}
    for name, value in lists.items():
        if not is_batch:
            raise OptionError(f"a list of {name} needs a list of prompts", option=name)
        if len(value) != count:
            raise OptionError(f"{len(value)} values of {name} for {count} prompts", option=name)
    if not lists:
        return [_source(settings, settings.schema, settings.constraint)] * count
    return [
        _source(settings, **{n: lists[n][i] if n in lists else v for n, v in several.items()}) for i in range(count)
    ]


def _source(settings: Settings, schema: Any, constraint: Any) -> Source | Constraint | Guarded:
    others = {name: getattr(settings, name) for name in ("style", "limits", "registry", "dialect")} | {
        **settings.source
    }
    if constraint is None:
        return source_of(schema=schema, strict=settings.strict, **others)
    if not isinstance(constraint, (Constraint, Guarded)):
        raise OptionError("constraint is what compile() returns", option="constraint")
    for name, value in {"schema": schema, "strict": settings.strict or None, **others}.items():
        if value is not None:
            raise OptionError(f"{name} is part of a compiled constraint already", option=name)
    return constraint


def _sampling(settings: Settings) -> SamplingOptions:
    temperature = settings.temperature
    if temperature is None:
        drawn = settings.rule is not None and settings.rule.draws
        temperature = 0.0 if settings.n == 1 and settings.method == "masked" and not drawn else 1.0
    return SamplingOptions(
        temperature=temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        seed=secrets.randbits(32) if settings.seed is None else settings.seed,
        min_p=settings.min_p,
        repetition_penalty=1.0 if settings.repetition_penalty is None else settings.repetition_penalty,
    )


def _budget(engine: Any, rows: Sequence[Row], settings: Settings) -> int:
    """Most tokens of one output: what was asked for, else what the model's context leaves behind the longest prompt."""
    longest = max((len(row.prompt) for row in rows), default=0)
    context = context_of(engine)
    if context is not None and longest >= context:
        raise OptionError(
            f"a prompt of {longest} tokens leaves no room in the model's context of {context}", option="prompt"
        )
    if settings.max_tokens is not None:
        return settings.max_tokens
    return MOST_TOKENS if context is None else min(MOST_TOKENS, context - longest)


def context_of(engine: Any) -> int | None:
    """Tokens that the engine's model reads at most, where it says so."""
    config = getattr(getattr(engine, "model", None), "config", None)
    context = None if config is None else getattr(config.get_text_config(), "max_position_embeddings", None)
    return None if context is None else int(context)
