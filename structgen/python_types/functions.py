"""A function -> a TypedDict of its parameters: what a model writes are arguments, and nothing here calls the function.

pydantic reads a function as "validate the arguments, then call it". Who passes `schema=delete_files` wants to see the
arguments; so the parameters become the fields of a record, required where they have no default, and the value of
`generate` is a dict that the caller may pass on as `f(**arguments)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NotRequired, Required, get_type_hints

from typing_extensions import TypedDict

from structgen.errors import SchemaError, UnsupportedSchema

__all__ = ["arguments_of", "is_function"]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def is_function(source: object) -> bool:
    """Functions, methods, built-ins, partials and what decorators made of them; no types and no forms of `typing`."""
    return inspect.isroutine(source) or isinstance(source, (functools.partial, functools.partialmethod))


def arguments_of(function: Callable[..., Any]) -> Any:
    """The TypedDict of a function's parameters.

    Raises UnsupportedSchema for parameters that a dict cannot pass (positional-only, *args, **kwargs), SchemaError for
    one without an annotation or with one that cannot be found.
    """
    name = _name(function)
    bound = function.keywords if isinstance(function, functools.partial) else {}
    try:
        parameters = inspect.signature(function).parameters.values()
        hints = get_type_hints(_inner(function), include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise SchemaError(f"the function {name}: {error}") from error
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name in bound:
            continue
        if parameter.kind not in _NAMED:
            raise UnsupportedSchema(f"the function {name}: {parameter} cannot be passed by name", keyword="type")
        if parameter.name not in hints:
            raise SchemaError(f"the function {name}: the parameter {parameter.name!r} has no annotation")
        needed = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (Required if needed else NotRequired)[hints[parameter.name]]
    record: Any = TypedDict(name, fields)  # type: ignore[misc]
    record.__doc__ = inspect.getdoc(_inner(function))
    return record


def _inner(function: Any) -> Any:
    """The function in a method, a partial or a decorator, where the annotations are."""
    while isinstance(function, (functools.partial, functools.partialmethod)):
        function = function.func
    return inspect.unwrap(function)


def _name(function: Any) -> str:
    return str(getattr(_inner(function), "__name__", type(function).__name__))
