"""A Python type -> its `Target`, through pydantic, which is loaded with this module: a type comes, or nothing does.

Accepted: a pydantic model, dataclass, TypedDict, NamedTuple, Enum, Literal, Union, containers, scalars, Annotated, or a
`pydantic.TypeAdapter`. Its texts are read by `TypeAdapter.validate_json`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import SchemaError as PydanticCoreError

from structgen.errors import InvariantError, SchemaError, UnsupportedSchema, ValueRejected
from structgen.python_types.pydantic_schema import TypeSchema
from structgen.python_types.target import Target

__all__ = ["type_target"]

_USERS_OWN = {"value_error", "assertion_error"}  # what a validator function written by the user raises


def type_target(source: Any) -> Target:
    """The target of a type or of an adapter. Raises SchemaError or UnsupportedSchema."""
    if isinstance(source, TypeAdapter):
        return _type_target(source)
    try:
        return _cached_target(source)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _type_target(_adapter(source))


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
