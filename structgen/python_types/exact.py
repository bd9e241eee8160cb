"""The judge of a finished JSON text: `jsonschema`, with numbers as exact decimals and formats asserted.

`jsonschema` divides doubles for multipleOf (0.07 is no multiple of 0.01 there) and takes 1.0 but not Decimal("1.0") for
an integer; both are mended by parsing text and schema into decimals and saying what an integer is.
Cost: linear in text times schema, except where the schema itself asks for more (uniqueItems, contains, $ref).
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from structgen.errors import SchemaError

__all__ = ["ExactValidator"]

_PRECISION = 5000  # digits of a quotient; texts longer than that are limited before they get here


class ExactValidator:
    """Judges texts under one schema. `registry` is a `referencing.Registry` of documents it may point to."""

    def __init__(self, schema: Mapping[str, Any] | bool, registry: Any = None) -> None:
        base = validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            base.check_schema(schema)
        except jsonschema.SchemaError as error:
            pointer = "#" + "".join(f"/{part}" for part in error.absolute_path)
            raise SchemaError(error.message, pointer=pointer) from error
        checker = base.TYPE_CHECKER.redefine("integer", _is_integer).redefine("number", _is_number)
        exact = jsonschema.validators.extend(base, type_checker=checker)
        options = {} if registry is None else {"registry": registry}
        self._validator = exact(_exact(schema), format_checker=base.FORMAT_CHECKER, **options)

    def fault(self, text: str) -> str | None:
        """Why `text` is not a valid instance, or None."""
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            return f"not JSON: {error}"
        with decimal.localcontext() as context:
            context.prec = _PRECISION
            fault = next(self._validator.iter_errors(value), None)
        return None if fault is None else f"{fault.json_path}: {fault.message}"


def _is_integer(_checker: Any, value: Any) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: Any, value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _exact(schema: Any) -> Any:
    """The schema with every double as the decimal that `repr` writes for it."""
    if isinstance(schema, float):
        return Decimal(repr(schema))
    if isinstance(schema, Mapping):
        return {key: _exact(value) for key, value in schema.items()}
    return [_exact(item) for item in schema] if isinstance(schema, (list, tuple)) else schema
