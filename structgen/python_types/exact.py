"""The judge of a finished JSON text: `jsonschema-rs`, with numbers as exact decimals and formats asserted.

It shares no code with the automata that wrote the text. Numbers go to it as integers and decimals, never as doubles:
`multipleOf` of 0.01, 1 and 1.0 among distinct items and integers of forty digits are judged exactly. Where it asserts
more than the specification does it is told not to (`_UNASSERTED`), and addresses are left to the automata but for
their "@": it refuses quoted blanks, which RFC 5321 allows.

Cost: linear in text times schema, except where the schema itself asks for more (uniqueItems, contains, $ref). Loaded
when the first text is judged: compiling a schema needs no judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

import jsonschema_rs

from structgen.errors import SchemaError

__all__ = ["ExactValidator", "exact_integer", "finite_float"]

_MOST_DIGITS = 4300  # what int() reads (sys.int_info.default_max_str_digits)

_HERE = "json-schema:///"  # what it puts before a relative reference in a document without an address
_WHOLE = re.compile(r"\\[pPu]\{[^}]*\}|\\.|\{\d+(,\d*)?\}", re.DOTALL)  # escapes and quantifiers, outside classes
_MAPS = ("properties", "$defs", "definitions", "dependentSchemas", "dependencies")  # from names to schemas
_VALUES = ("const", "enum", "default", "examples")  # no schemas
_UNASSERTED = ("contentEncoding", "contentMediaType", "contentSchema")
_SINCE_2019: tuple[type, ...] = (jsonschema_rs.Draft201909Validator, jsonschema_rs.Draft202012Validator)


def exact_integer(digits: str) -> int | Decimal:
    """An integer of any size: beyond the 4,300 digits that Python reads as an int, a Decimal."""
    return int(digits) if len(digits) <= _MOST_DIGITS else Decimal(digits)


def finite_float(digits: str) -> float | Decimal:
    """A number with a point or an exponent: where a double would be infinite, the exact Decimal."""
    found = float(digits)
    return found if isfinite(found) else Decimal(digits)


class _Annotation:
    """A keyword that restricts nothing."""

    def __init__(self, _parent: Any, _value: Any, _path: Any) -> None: ...

    def validate(self, _instance: Any) -> None:
        """No value has a fault."""


class ExactValidator:
    """Judges texts under one schema. `registry` is a `referencing.Registry` of documents it may point to."""

    def __init__(self, schema: Mapping[str, Any] | bool, registry: Any = None) -> None:
        exact = _exact(schema)
        replaced = dict.fromkeys(_UNASSERTED, _Annotation)
        try:
            if jsonschema_rs.validator_cls_for(exact) in _SINCE_2019:
                replaced["dependencies"] = _Annotation
            options: dict[str, Any] = {"keywords": replaced, "validate_formats": True}
            options["formats"] = dict.fromkeys(("email", "idn-email"), _has_at)
            if registry is not None:
                options["retriever"] = lambda uri: _exact(
                    registry.get_or_retrieve(uri.removeprefix(_HERE)).value.contents
                )
            self._validator = jsonschema_rs.validator_for(exact, **options)
        except jsonschema_rs.ValidationError as error:
            pointer = "#" + "".join(f"/{part}" for part in error.instance_path)
            raise SchemaError(error.message, pointer=pointer) from error

    def fault(self, text: str) -> str | None:
        """Why `text` is not a valid instance, or None."""
        try:
            value = json.loads(text, parse_float=Decimal, parse_int=exact_integer)
            fault = next(self._validator.iter_errors(value), None)
        except UnicodeEncodeError:
            return "a string holds a lone surrogate, which is no character"
        except (ValueError, RecursionError) as error:
            return f"not JSON: {error}"
        return None if fault is None else f"{_path(fault.instance_path)}: {fault.message}"


def _strict(pattern: str) -> str:
    """A pattern with brackets and braces that stand for themselves escaped, as ECMAScript's Annex B lets one omit."""
    written, at, in_class = [], 0, False
    while at < len(pattern):
        character = pattern[at]
        whole = _WHOLE.match(pattern, at) if character == "\\" or not in_class else None
        size = 1 if whole is None else whole.end() - at
        lone = whole is None and not in_class and character in "]{}"
        written.append("\\" * lone + pattern[at : at + size])
        in_class = (in_class and (character != "]")) or (whole is None and character == "[")
        at += size
    return "".join(written)


def _has_at(text: str) -> bool:
    return "@" in text


def _path(steps: list[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _exact(schema: Any) -> Any:
    """A schema as the judge takes it: numbers exact, patterns such that it reads them."""
    if not isinstance(schema, Mapping):
        return [_exact(item) for item in schema] if isinstance(schema, (list, tuple)) else _value(schema)
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "patternProperties" and isinstance(value, Mapping):
            found[name] = {_readable(_value(key)): _exact(inner) for key, inner in value.items()}
        elif name in _MAPS and isinstance(value, Mapping):
            found[name] = {_value(key): _exact(inner) for key, inner in value.items()}
        elif name == "pattern" and isinstance(value, str):
            found[name] = _readable(_value(value))
        else:
            found[_value(name)] = _value(value) if name in _VALUES else _exact(value)
    return found


def _value(value: Any) -> Any:
    """A JSON value with every double as the decimal that `repr` writes for it, and lone surrogates as U+FFFD."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_value(key): _value(inner) for key, inner in value.items()}
    return [_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def _readable(pattern: str) -> str:
    """The pattern, spelled anew if only ECMAScript reads it."""
    try:
        jsonschema_rs.Draft7Validator({"pattern": pattern})
    except jsonschema_rs.ValidationError:
        return _strict(pattern)
    return pattern
