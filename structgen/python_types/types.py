"""What the user asks for -> a JSON Schema and a reader of the finished text.

Accepted: a Python type (adapters.py says which), a `pydantic.TypeAdapter`, a JSON Schema as a mapping, a boolean, JSON
text or a path to a file. The text of a JSON Schema is parsed and judged under the schema's own draft (exact.py). Judge
and pydantic are loaded when there is something to judge, and when a type comes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.errors import InvariantError, LimitExceeded, SchemaError
from structgen.python_types.target import Target

if TYPE_CHECKING:
    from structgen.python_types.exact import ExactValidator

__all__ = ["json_schema", "target_of"]


def json_schema(source: object) -> dict[str, Any] | bool:
    """The JSON Schema that `generate` enforces for `source` (anything `schema=` takes)."""
    schema = target_of(source).schema
    return schema if isinstance(schema, bool) else dict(schema)


def target_of(source: object, registry: Any = None) -> Target:
    """The target of anything `schema=` takes. Raises SchemaError, UnsupportedSchema or LimitExceeded."""
    if isinstance(source, (str, os.PathLike)):
        source = _parsed(source)
    if isinstance(source, (bool, Mapping)):
        _refuse_wrapper(source)
        _check_names(source)
        return _schema_target(source, registry)
    from structgen.python_types.adapters import type_target

    return type_target(source)


def _parsed(source: str | os.PathLike[str]) -> Any:
    """A schema from JSON text or from a file."""
    if isinstance(source, os.PathLike):
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"cannot read {os.fspath(source)}: {error}") from error
    else:
        text = source
    try:
        found = json.loads(text)
    except RecursionError:
        raise LimitExceeded("the schema is nested too deeply to parse", limit="schema_depth", allowed=1000) from None
    except ValueError as error:
        hint = "" if text.lstrip()[:1] in ("{", "t", "f") else " (text is read as a schema; a file is a pathlib.Path)"
        raise SchemaError(f"not JSON: {error}{hint}") from error
    if not isinstance(found, (bool, dict)):
        raise SchemaError(f"a schema is an object or a boolean, not {type(found).__name__}")
    return found


_WRAPPERS = {  # what APIs put around a schema, by its "type", and what is to be passed instead
    "json_schema": "pass what stands in json_schema.schema",
    "function": "pass what stands in function.parameters",
    "json_object": 'any object is {"type": "object"}',
}


def _refuse_wrapper(source: Mapping[str, Any] | bool) -> None:
    kind = source.get("type") if isinstance(source, Mapping) else None
    if isinstance(source, Mapping) and isinstance(kind, str) and kind in _WRAPPERS:
        hint = _WRAPPERS[kind] if isinstance(source.get(kind), Mapping) else _WRAPPERS[kind].replace(f"{kind}.", "")
        raise SchemaError(f"{kind!r} is a wrapper around a schema: {hint}", pointer="#/type", keyword="type")


def _check_names(source: Mapping[Any, Any] | bool) -> None:
    """Raise SchemaError where a name in a schema is no string: JSON has no others."""
    pending: list[Any] = [source]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            for name in part:
                if not isinstance(name, str):
                    raise SchemaError(f"a name in a schema is a string, not {name!r}")
            pending += part.values()
        elif isinstance(part, (list, tuple)):
            pending += part


def _schema_target(schema: Mapping[str, Any] | bool, registry: Any) -> Target:
    validator: list[ExactValidator] = []  # made when first needed: compiling alone does not need it

    def read(text: str) -> Any:
        from structgen.python_types.exact import ExactValidator, exact_integer, finite_float

        if not validator:
            validator.append(ExactValidator(schema, registry))
        fault = validator[0].fault(text)
        if fault is not None:
            raise InvariantError("generated text satisfies the schema", f"{fault}: {text[:200]}")
        return json.loads(text, parse_int=exact_integer, parse_float=finite_float)

    return Target(schema, schema, read, "JSON Schema", is_type=False, source=schema, registry=registry)
