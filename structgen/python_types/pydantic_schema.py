"""A Python type -> the JSON Schema of the JSON texts pydantic reads it from.

pydantic's generator describes; this subclass tightens what it writes until a schema-valid text is a valid value:
Decimal digits, UUID versions, dates Python can hold, base64, networks, `Json[T]`, keys that are not strings, stripped
strings. What has no exact schema is refused by name (UnsupportedSchema): dates compared with a bound or with today,
files that must exist, objects to import. Two choices of ours: a class's object holds its fields and no others unless
it says `extra="allow"`, and a set of whatever size is an array (pydantic lets repeats collapse).

Validators written by users cannot be seen from here; they run on the finished value.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind

from structgen.errors import UnsupportedSchema
from structgen.python_types import patterns
from structgen.python_types.json_text import json_text_pattern, key_schema

__all__ = ["TypeSchema"]

Core = Any  # pydantic's core schemas: one TypedDict per kind, told apart by "type"
Schema = JsonSchemaValue

_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_STRIPPED = rf"^([^{_WHITE}]([\s\S]*[^{_WHITE}])?)?$"
_ASCII = r"^[\x00-\x7f]*$"
_EXACT_DIGITS = 15  # decimal digits a double always keeps
_REFUSED = {
    "file-path": "whether a file exists is no property of its name",
    "directory-path": "whether a folder exists is no property of its name",
    "socket-path": "whether a socket exists is no property of its name",
    "new-path": "whether a path is free is no property of its name",
}


def refuse(core: Core, reason: str) -> UnsupportedSchema:
    """The error for a type without an exact schema."""
    return UnsupportedSchema(f"Python type: {reason}", keyword=str(core.get("type", "type")))


def also(schema: Schema, pattern: str) -> Schema:
    """`schema` with one more pattern; the same pattern twice is the same."""
    known = [schema.get("pattern"), *(part.get("pattern") for part in schema.get("allOf", ()))]
    if pattern in known:
        return schema
    if "pattern" not in schema:
        return {**schema, "pattern": pattern}
    return {**schema, "allOf": [*schema.get("allOf", ()), {"pattern": pattern}]}


def _bounded(core: Core) -> bool:
    return any(core.get(name) is not None for name in ("ge", "gt", "le", "lt", "now_op"))


class TypeSchema(GenerateJsonSchema):
    """pydantic's generator, tightened; see the module."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """A union member without a schema is refused; a default that cannot be written is an annotation less."""
        if kind == "skipped-choice":
            raise UnsupportedSchema(f"Python type: {detail}", keyword="anyOf")

    def generate_inner(self, schema: Core) -> Schema:
        """Every schema passes here after pydantic has put its `format` on it."""
        if (
            schema["type"] == "function-plain"
            and getattr(schema["function"]["function"], "__name__", "") == "import_string"
        ):
            raise refuse(schema, "text that a model wrote is not imported")
        found = super().generate_inner(schema)
        name = found.get("format")
        if found.get("type") != "string" or not isinstance(name, str):
            return found
        if name in _REFUSED:
            raise refuse(schema, _REFUSED[name])
        if name in ("base64", "base64url") and schema["type"] == "function-after":
            extra = "+/" if name == "base64" else "-_"
            return also(found, patterns.base64(extra, text=schema["schema"]["type"] == "str"))
        if name == "zoneinfo":
            return {"enum": sorted(zoneinfo.available_timezones())}
        return also(found, patterns.BY_FORMAT[name]) if name in patterns.BY_FORMAT else found

    # strings

    def str_schema(self, schema: Core) -> Schema:  # noqa: D102
        expression = schema.get("pattern")
        if isinstance(expression, re.Pattern) and expression.flags & ~re.UNICODE:
            raise refuse(schema, f"the pattern {expression.pattern!r} is compiled with flags")
        found = super().str_schema(schema)
        strips = schema.get("strip_whitespace", self._config.str_strip_whitespace)
        if strips and ("pattern" in found or found.get("minLength")):
            found = also(found, _STRIPPED)
        return also(found, _ASCII) if schema.get("ascii_only") else found

    def bytes_schema(self, schema: Core) -> Schema:  # noqa: D102
        spelling = self._config.val_json_bytes
        low, high = schema.get("min_length"), schema.get("max_length")
        found: Schema = {"type": "string", "format": "binary"}
        if spelling == "hex":
            times = "*" if low is None and high is None else f"{{{low or 0},{'' if high is None else high}}}"
            return also(found, f"^([0-9a-f]{{2}}){times}$")
        if low is None and high is None:
            return also(found, patterns.base64("-_", text=False)) if spelling == "base64" else found
        if spelling == "base64":
            raise refuse(schema, "bounds on the bytes behind base64")
        self.update_with_validations(found, schema, self.ValidationsMapping.bytes)
        return also(found, _ASCII)  # one byte a character, so that lengths agree

    def uuid_schema(self, schema: Core) -> Schema:  # noqa: D102
        version = schema.get("version")
        found = {"type": "string", "format": "uuid"}
        return found if version is None else also(found, patterns.uuid(version))

    def url_schema(self, schema: Core) -> Schema:  # noqa: D102
        return also(super().url_schema(schema), patterns.url(schema.get("allowed_schemes")))

    def multi_host_url_schema(self, schema: Core) -> Schema:  # noqa: D102
        found = super().multi_host_url_schema(schema)
        return also(found, patterns.url(schema.get("allowed_schemes"), path=False))

    # time

    def date_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._unbounded(schema, {"type": "string", "format": "date"})

    def datetime_schema(self, schema: Core) -> Schema:  # noqa: D102
        zone = schema.get("tz_constraint")
        if zone == "naive":
            return self._unbounded(schema, {"type": "string", "pattern": patterns.NAIVE_DATETIME})
        if zone not in (None, "aware"):
            raise refuse(schema, f"a datetime with the offset {zone} s")
        return self._unbounded(schema, {"type": "string", "format": "date-time", "pattern": patterns.DATETIME})

    def time_schema(self, schema: Core) -> Schema:  # noqa: D102
        found = {"type": "string", "pattern": patterns.TIME}
        if schema.get("tz_constraint") is not None:
            raise refuse(schema, "a time with a constraint on its offset")
        return self._unbounded(schema, found)

    def timedelta_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._unbounded(schema, {"type": "string", "format": "duration", "pattern": patterns.DURATION})

    def _unbounded(self, core: Core, found: Schema) -> Schema:
        if _bounded(core):
            raise refuse(core, f"a {core['type']} compared with a bound or with now")
        return found

    # numbers

    def decimal_schema(self, schema: Core) -> Schema:
        """A number where a double keeps the digits, a string where no bound has to be compared; mostly both."""
        digits, places, bounded = schema.get("max_digits"), schema.get("decimal_places"), _bounded(schema)
        below_one = digits is not None and places is not None and places >= digits
        choices: list[Schema] = []
        if not below_one and (digits is None or digits <= _EXACT_DIGITS) and (places is not None or digits is None):
            number = self._number(schema)
            choices.append(number if places is None else _with_digits(number, digits or _EXACT_DIGITS, places))
        if not bounded and schema.get("multiple_of") is None:
            choices.append({"type": "string", "pattern": patterns.decimal(digits, places)})
        if not choices:
            raise refuse(
                schema, f"a Decimal with bounds needs decimal_places and from there up to {_EXACT_DIGITS} digits"
            )
        return self.get_union_of_schemas(choices)

    def fraction_schema(self, schema: Core) -> Schema:  # noqa: D102
        number = self._number(schema)
        if _bounded(schema):
            return number
        pattern = f"^{patterns.INTEGER}(/[1-9][0-9]*)?$"
        return self.get_union_of_schemas([number, {"type": "string", "pattern": pattern}])

    def _number(self, core: Core) -> Schema:
        bounds: Schema = {}
        self.update_with_validations(bounds, core, self.ValidationsMapping.numeric)
        return {"type": "number", **{keyword: float(value) for keyword, value in bounds.items()}}

    def complex_schema(self, schema: Core) -> Schema:  # noqa: D102
        return {"type": "string", "pattern": patterns.BY_FORMAT["complex"]}

    # containers

    def dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().dict_schema, schema)

    def frozendict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().frozendict_schema, schema)

    def ordered_dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().ordered_dict_schema, schema)

    def counter_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().counter_schema, schema)

    def _keyed(self, described: Callable[[Any], Schema], core: Core) -> Schema:
        """An object whose keys are what the key type reads from a string; pydantic drops most of that."""
        found = described(core)
        found = {k: v for k, v in found.items() if k not in ("propertyNames", "patternProperties")}
        if "values_schema" in core:
            found["additionalProperties"] = self.generate_inner(core["values_schema"])
        if "keys_schema" in core:
            keys = key_schema(self.generate_inner(core["keys_schema"]), self.resolve_ref_schema)
            if keys != {"type": "string"}:
                found["propertyNames"] = keys
        return found

    def set_schema(self, schema: Core) -> Schema:  # noqa: D102
        return _collapsing(super().set_schema(schema))

    def frozenset_schema(self, schema: Core) -> Schema:  # noqa: D102
        return _collapsing(super().frozenset_schema(schema))

    def json_schema(self, schema: Core) -> Schema:
        """`Json[T]`: a string that holds a JSON text, which is regular as long as T has no recursion."""
        inner = schema.get("schema")
        if inner is None:
            raise refuse(schema, "Json without a type: the text inside the string is not regular")
        return {
            "type": "string",
            "pattern": f"^{json_text_pattern(self.generate_inner(inner), self.resolve_ref_schema)}$",
        }

    def call_schema(self, schema: Core) -> Schema:
        """Named tuples are made by a call; any other function is refused, since pydantic would run it."""
        if not isinstance(schema["function"], type):
            name = getattr(schema["function"], "__name__", "function")
            raise refuse(
                schema, f"{name} would be called with what a model wrote; as schema= alone it gives its arguments"
            )
        return super().call_schema(schema)

    # classes: their fields and no others

    def model_schema(self, schema: Core) -> Schema:  # noqa: D102
        return _closed(super().model_schema(schema))

    def dataclass_schema(self, schema: Core) -> Schema:  # noqa: D102
        return _closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return _closed(super().typed_dict_schema(schema))

    # pieces of pydantic that say less than they check

    def union_schema(self, schema: Core) -> Schema:  # noqa: D102
        if schema.get("custom_error_type") == "byte_size":
            return {"type": "integer", "minimum": 0}
        return super().union_schema(schema)


def _closed(found: Schema) -> Schema:
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def _collapsing(found: Schema) -> Schema:
    """Repeats collapse, so they only matter where a least size is asked for."""
    if found.get("minItems", 0) <= 1:
        found.pop("uniqueItems", None)
    return found


def _with_digits(number: Schema, digits: int, places: int) -> Schema:
    """At most `digits` digits, `places` of them after the point: multiples of 10^-places below 10^(digits - places)."""
    limit = (10**digits - 1) / 10**places
    low, high = number.get("minimum", -limit), number.get("maximum", limit)
    return {**number, "multipleOf": 10**-places, "minimum": max(low, -limit), "maximum": min(high, limit)}
