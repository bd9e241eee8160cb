"""`generate` and its twins: a model, a prompt and what the output must be -> the typed value.

    read options -> api/call.py: engine, prompts, constraints -> api/running.py: decode or sample, read, validate

Prompts are text, token ids or chat messages, or a list of these (a batch, whose `schema` or `constraint` may be a list
of the same length). Every value that is returned was validated by the type itself or by `jsonschema-rs`.

The overloads are what type checkers know: the value of a type, whichever form it has (`int | None`, `Literal[...]`,
`Annotated[...]`: PEP 747), of a compiled constraint, a `Reply` where there are tools, or else a text; one of them, a
list for `n` or a batch, a list of lists for both. JSON Schemas give Any, and so do streams, whose partial values have
no type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from typing_extensions import TypeForm, Unpack

from structgen.api.call import Call
from structgen.api.options import GenerateOptions, Settings
from structgen.api.result import Result
from structgen.api.running import results_of, stream_of, values_of
from structgen.matcher import Constraint
from structgen.tools.reply import Reply

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["agenerate", "agenerate_result", "generate", "generate_result"]

T = TypeVar("T")
Prompt: TypeAlias = str | Sequence[int] | Sequence[Mapping[str, Any]]
Prompts: TypeAlias = Sequence[str] | Sequence[Sequence[int]] | Sequence[Sequence[Mapping[str, Any]]] | Sequence[Prompt]

# fmt: off


@overload
def generate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Reply: ...
@overload
def generate(
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[Reply]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[Reply]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[list[Reply]]: ...
@overload
def generate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> T: ...
@overload
def generate(
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[list[T]]: ...
@overload
def generate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> T: ...
@overload
def generate(
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[list[T]]: ...
@overload
def generate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> T: ...
@overload
def generate(
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[T]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[list[T]]: ...
@overload
def generate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> str: ...
@overload
def generate(
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[str]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[str]: ...
@overload
def generate(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> list[list[str]]: ...
@overload
def generate(
    model: Any = None, prompt: Any = "", *, stream: Literal[True], schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1,
    **options: Unpack[GenerateOptions],
) -> Iterator[Any]: ...
@overload
def generate(
    model: Any = None, prompt: Any = "", *, schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1, stream: bool = False,
    **options: Unpack[GenerateOptions],
) -> Any: ...
def generate(model: Any = None, prompt: Any = "", *, stream: bool = False, **options: Any) -> Any:
    """Generate a value of the type, schema, regex or choices asked for; with `tools` a `Reply`.

    One prompt gives a value, a batch a list, `n` > 1 a list per prompt; `stream=True` an iterator over ever longer
    partial values, the last of them the finished, typed one. Options: docs/generate.md (`api.options.Settings`).
    Raises Truncated when the budget ends an output (unless `on_truncate` says otherwise), BudgetTooSmall, OptionError,
    and what `compile` raises.
    """
    call = Call.of(model, prompt, Settings.read(options, stream=stream))
    return stream_of(call) if stream else values_of(call)


@overload
def generate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Result[Reply]: ...
@overload
def generate_result(
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: int, **options: Unpack[GenerateOptions]
) -> list[Result[Reply]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> list[Result[Reply]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: int, **options: Unpack[GenerateOptions]
) -> list[list[Result[Reply]]]: ...
@overload
def generate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Result[T]: ...
@overload
def generate_result(
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[list[Result[T]]]: ...
@overload
def generate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Result[T]: ...
@overload
def generate_result(
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[list[Result[T]]]: ...
@overload
def generate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Result[T]: ...
@overload
def generate_result(
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> list[Result[T]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: int, **options: Unpack[GenerateOptions]
) -> list[list[Result[T]]]: ...
@overload
def generate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Result[str]: ...
@overload
def generate_result(
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: int, **options: Unpack[GenerateOptions]
) -> list[Result[str]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> list[Result[str]]: ...
@overload
def generate_result(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: int, **options: Unpack[GenerateOptions]
) -> list[list[Result[str]]]: ...
@overload
def generate_result(
    model: Any = None, prompt: Any = "", *, schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1,
    **options: Unpack[GenerateOptions],
) -> Any: ...
def generate_result(model: Any = None, prompt: Any = "", **options: Any) -> Any:
    """Like `generate`, with everything known about each output: a `Result`, or lists of them."""
    return results_of(Call.of(model, prompt, Settings.read(options)))


@overload
def agenerate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Reply]: ...
@overload
def agenerate(
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Reply]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Reply]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Reply]]]: ...
@overload
def agenerate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, T]: ...
@overload
def agenerate(
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[T]]]: ...
@overload
def agenerate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, T]: ...
@overload
def agenerate(
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[T]]]: ...
@overload
def agenerate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, T]: ...
@overload
def agenerate(
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[T]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[T]]]: ...
@overload
def agenerate(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, str]: ...
@overload
def agenerate(
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[str]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[str]]: ...
@overload
def agenerate(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: int, stream: Literal[False] = False, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[str]]]: ...
@overload
def agenerate(
    model: Any = None, prompt: Any = "", *, stream: Literal[True], schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1,
    **options: Unpack[GenerateOptions],
) -> AsyncIterator[Any]: ...
@overload
def agenerate(
    model: Any = None, prompt: Any = "", *, schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1, stream: bool = False,
    **options: Unpack[GenerateOptions],
) -> Any: ...
def agenerate(model: Any = None, prompt: Any = "", *, stream: bool = False, **options: Any) -> Any:
    """`generate` in a thread: `await` it, or with `stream=True` go through it with `async for`."""
    if stream:
        return _in_threads(model, prompt, options)
    return asyncio.to_thread(lambda: generate(model, prompt, stream=stream, **options))


@overload
def agenerate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Result[Reply]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Prompt = "", *, tools: Sequence[object], schema: Any = None,
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[Reply]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[Reply]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, tools: Sequence[object], schema: Any = None,
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Result[Reply]]]]: ...
@overload
def agenerate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Result[T]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Prompt = "", *, schema: TypeForm[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: TypeForm[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Result[T]]]]: ...
@overload
def agenerate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Result[T]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Prompt = "", *, schema: TypeAdapter[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: TypeAdapter[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Result[T]]]]: ...
@overload
def agenerate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Result[T]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Prompt = "", *, constraint: Constraint[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[T]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, constraint: Constraint[T],
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Result[T]]]]: ...
@overload
def agenerate_result(  # type: ignore[overload-overlap]
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, Result[str]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Prompt = "", *, schema: None = None, constraint: None = None,
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[str]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: Literal[1] = 1, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[Result[str]]]: ...
@overload
def agenerate_result(
    model: Any, prompt: Prompts, *, schema: None = None, constraint: None = None,
    n: int, **options: Unpack[GenerateOptions]
) -> Coroutine[Any, Any, list[list[Result[str]]]]: ...
@overload
def agenerate_result(
    model: Any = None, prompt: Any = "", *, schema: Any = None, constraint: Any = None,
    tools: Sequence[Any] | None = None, n: int = 1,
    **options: Unpack[GenerateOptions],
) -> Coroutine[Any, Any, Any]: ...
def agenerate_result(model: Any = None, prompt: Any = "", **options: Any) -> Any:
    """`generate_result` in a thread."""
    return asyncio.to_thread(lambda: generate_result(model, prompt, **options))


async def _in_threads(model: Any, prompt: Any, options: dict[str, Any]) -> AsyncIterator[Any]:
    """Every step of a stream in a thread of its own."""
    steps, end = await asyncio.to_thread(lambda: generate(model, prompt, stream=True, **options)), object()
    while (value := await asyncio.to_thread(next, steps, end)) is not end:
        yield value
