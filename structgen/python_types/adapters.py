"""A Python type -> its `Target`, through pydantic, which is loaded with this module: a type comes, or nothing does.

Accepted: a pydantic model, dataclass, TypedDict, NamedTuple, Enum, Literal, Union, containers, scalars, Annotated, or a
`pydantic.TypeAdapter`. Its texts are read by `TypeAdapter.validate_json`. Of a function the parameters are the type
(functions.py): it is never called with what a model wrote.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Any, get_args

from pydantic import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import SchemaError as PydanticCoreError
from pydantic_core.core_schema import ErrorType

from structgen.errors import InvariantError, LimitExceeded, SchemaError, UnsupportedSchema, ValueRejected
from structgen.python_types.functions import arguments_of, is_function
from structgen.python_types.narrowing import shown
from structgen.python_types.pydantic_schema import Notes, TypeSchema
from structgen.python_types.target import Target

__all__ = ["type_target"]

# What a function written by the user refuses: these, and every kind of error that pydantic itself does not have.
_USERS_OWN = {"value_error", "assertion_error", "predicate_failed"}
_PYDANTICS_OWN = frozenset(get_args(ErrorType))
_MANY_DIGITS = re.compile(r"[0-9]{309}")  # which no number has whose digits are counted (JsonStyle.max_digits)


def type_target(source: Any) -> Target:
    """The target of a type or of an adapter. Raises SchemaError or UnsupportedSchema."""
    try:
        hash(source)
    except TypeError:
        return _type_target(source)[0]
    target, momentary = _cached_target(source)
    return _type_target(source)[0] if momentary else target


@lru_cache(maxsize=256)
def _cached_target(source: Any) -> tuple[Target, bool]:
    return _type_target(source)


def _adapter(source: Any) -> TypeAdapter[Any]:
    if isinstance(source, TypeAdapter):
        return source
    try:
        return TypeAdapter(arguments_of(source) if is_function(source) else source)
    except (PydanticUserError, PydanticUndefinedAnnotation, PydanticCoreError, ImportError) as error:  # email-validator
        raise SchemaError(f"{source!r}: {error}") from error


def _type_target(source: Any) -> tuple[Target, bool]:
    """The target, and whether it depends on the moment: what is in the past or in the future."""
    adapter = _adapter(source)
    name = getattr(source, "__name__", None) or str(getattr(adapter, "_type", source))
    notes = Notes()
    generator: Any = partial(TypeSchema, notes=notes, config=getattr(adapter, "_config", None))
    try:
        schema = adapter.json_schema(schema_generator=generator, mode="validation")
    except PydanticInvalidForJsonSchema as error:
        raise UnsupportedSchema(f"Python type {name}: {error.message}", keyword="type") from error
    except (PydanticUserError, ImportError) as error:
        raise SchemaError(f"{name}: {error}") from error

    def read(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except PydanticValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            kinds = {fault["type"] for fault in faults}
            reason = "; ".join(f"{'/'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in faults[:5])
            if notes.unseen or notes.momentary or kinds & _USERS_OWN or not kinds <= _PYDANTICS_OWN:
                raise ValueRejected(reason, text=text) from error
            if _MANY_DIGITS.search(text):
                raise LimitExceeded(
                    f"a number with more digits than {name} reads", limit="max_digits", allowed=308
                ) from error
            raise InvariantError(f"generated text is a valid {name}", f"{reason}: {text[:200]}") from error
        except Exception as error:  # a validator of the user's: pydantic passes on what is no ValueError
            raise ValueRejected(f"{type(error).__name__}: {error}", text=text) from error

    return Target(shown(schema), schema, read, name, is_type=True, source=source), notes.momentary
