"""What the user asks for -> a JSON Schema and a reader of the finished text.

Accepted: a Python type (pydantic model, dataclass, TypedDict, NamedTuple, Enum, Literal, Union, containers, scalars,
Annotated), a `pydantic.TypeAdapter`, a JSON Schema as a mapping, a boolean, JSON text or a path to a file.
The text of a type is read by `TypeAdapter.validate_json`; that of a JSON Schema is parsed and validated by
`jsonschema` under the schema's own draft with formats asserted, on exact decimals.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import SchemaError as PydanticCoreError

from structgen.errors import InvariantError, LimitExceeded, SchemaError, UnsupportedSchema, ValueRejected
from structgen.python_types.exact import ExactValidator
from structgen.python_types.pydantic_schema import TypeSchema

__all__ = ["Target", "json_schema", "target_of"]

_USERS_OWN = {"value_error", "assertion_error"}  # what a validator function written by the user raises


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be generated.

    `schema` is for the automaton, `read` for the finished text, `name` for messages. `is_type` says that a Python type
    reads the text: its numbers are then spelled canonically whatever the style, since no `int` is read from 1e999999.
    """

    schema: Mapping[str, Any] | bool
    read: Callable[[str], Any]
    name: str
    is_type: bool


def json_schema(source: object) -> dict[str, Any] | bool:
    """The JSON Schema that `generate` enforces for `source` (anything `schema=` takes)."""
    schema = target_of(source).schema
    return schema if isinstance(schema, bool) else dict(schema)


def target_of(source: object, registry: Any = None) -> Target:
    """The target of anything `schema=` takes. Raises SchemaError, UnsupportedSchema or LimitExceeded."""
    if isinstance(source, (str, os.PathLike)):
        source = _parsed(source)
    if isinstance(source, (bool, Mapping)):
        return _schema_target(source, registry)
    if isinstance(source, TypeAdapter):
        return _type_target(source)
    try:
        return _cached_target(source)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _type_target(_adapter(source))


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


def _schema_target(schema: Mapping[str, Any] | bool, registry: Any) -> Target:
    validator: list[ExactValidator] = []  # made when first needed: compiling alone does not need it

    def read(text: str) -> Any:
        if not validator:
            validator.append(ExactValidator(schema, registry))
        fault = validator[0].fault(text)
        if fault is not None:
            raise InvariantError("generated text satisfies the schema", f"{fault}: {text[:200]}")
        return json.loads(text)

    return Target(schema, read, "JSON Schema", is_type=False)


@lru_cache(maxsize=256)
def _cached_target(source: Any) -> Target:
    return _type_target(_adapter(source))


def _adapter(source: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(source)
    except (PydanticUserError, PydanticUndefinedAnnotation, PydanticCoreError) as error:
        raise SchemaError(f"{source!r}: {error}") from error


def _type_target(adapter: TypeAdapter[Any]) -> Target:
    name = str(getattr(adapter, "_type", "type"))
    try:
        schema = adapter.json_schema(schema_generator=TypeSchema, mode="validation")
    except PydanticInvalidForJsonSchema as error:
        raise UnsupportedSchema(f"Python type {name}: {error.message}", keyword="type") from error
    except PydanticUserError as error:
        raise SchemaError(f"{name}: {error}") from error

    def read(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except PydanticValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            reason = "; ".join(f"{'/'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in faults[:5])
            if any(fault["type"] in _USERS_OWN for fault in faults):
                raise ValueRejected(reason, text=text) from error
            raise InvariantError(f"generated text is a valid {name}", f"{reason}: {text[:200]}") from error

    return Target(schema, read, name, is_type=True)
