"""Values inside strings: the texts a schema's values have when they are object keys, or JSON inside a JSON string.

`key_schema` turns the schema of a key type into the schema of the key's text. `json_text_pattern` writes a schema's
compact JSON texts as one regular expression, which exists as long as the schema is not recursive and has no bounds
on numbers and containers; anything else is refused. Both are linear in the schema with references spelled out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from structgen.errors import UnsupportedSchema
from structgen.python_types.patterns import INTEGER, REAL
from structgen.python_types.target import DIALECT, HINT

__all__ = ["ANNOTATIONS", "json_text_pattern", "key_schema"]

Schema = Mapping[str, Any]
Resolve = Callable[[Any], Any]

ANNOTATIONS = {HINT, "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_TEXT = {
    "integer": INTEGER,
    "number": REAL,
    "boolean": "(true|false)",
    "null": "null",
    "string": r'"([^"\\\x00-\x1f]|\\["\\bfnrt])*"',
}
_MOST_KEYS = 1000
_DEEPEST = 20


def key_schema(schema: Schema, resolve: Resolve) -> dict[str, Any]:
    """The schema of the strings that a mapping with keys of `schema` may have as keys."""
    schema = {name: value for name, value in resolve(dict(schema)).items() if name not in ANNOTATIONS}
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if resolve(dict(option)).get("type") != "null"]
        return {"anyOf": [key_schema(option, resolve) for option in options]}
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        if not all(isinstance(value, (str, int)) for value in values):
            raise UnsupportedSchema("Python type: keys that are neither strings nor integers", keyword="propertyNames")
        return {"enum": [value if isinstance(value, str) else json.dumps(value) for value in values]}
    kind, rest = schema.get("type", "string"), schema.keys() - {"type"}
    if kind == "string":
        return _key_string(schema)
    if kind == "integer" and {"minimum", "maximum"} == rest and schema["maximum"] - schema["minimum"] < _MOST_KEYS:
        return {"enum": [str(value) for value in range(schema["minimum"], schema["maximum"] + 1)]}
    if rest or kind not in ("integer", "number", "boolean"):
        raise UnsupportedSchema(f"Python type: keys of the type {kind} with {sorted(rest)}", keyword="propertyNames")
    return {"type": "string", "pattern": f"^{_TEXT[kind]}$"}


def _key_string(schema: Schema) -> dict[str, Any]:
    """Patterns alone: a `format` may be enforced as less than it says, and then names no key exactly."""
    dropped = {"format"} if "pattern" in schema else set()
    return {"type": "string", **{key: value for key, value in schema.items() if key not in dropped}}


def json_text_pattern(schema: Schema, resolve: Resolve, depth: int = 0) -> str:
    """A pattern of the compact JSON texts of `schema`'s values, in parentheses where it needs them."""
    schema = {name: value for name, value in resolve(dict(schema)).items() if name not in ANNOTATIONS}
    if depth > _DEEPEST:
        raise _not_regular("recursion")

    def inner(part: Schema) -> str:
        return json_text_pattern(part, resolve, depth + 1)

    if "anyOf" in schema:
        return "(" + "|".join(inner(part) for part in schema["anyOf"]) + ")"
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        return "(" + "|".join(_quoted(json.dumps(value, separators=(",", ":"))) for value in values) + ")"
    kind, rest = schema.get("type"), schema.keys() - {"type"}
    if kind in _TEXT and not rest:
        return _TEXT[kind]
    if kind == "array" and rest <= {"items"} and "items" in rest:
        item = inner(schema["items"])
        return rf"\[({item}(,{item})*)?\]"
    if kind == "array" and "prefixItems" in rest and schema.get("minItems") == schema.get("maxItems"):
        return r"\[" + ",".join(inner(part) for part in schema["prefixItems"]) + r"\]"
    if kind == "object" and rest <= {"properties", "required", "additionalProperties"}:
        return _object(schema, inner)
    raise _not_regular(f"{kind} with {', '.join(sorted(rest - {DIALECT})) or 'no type of its members'}")


def _object(schema: Schema, inner: Callable[[Schema], str]) -> str:
    fields, extra = schema.get("properties", {}), schema.get("additionalProperties")
    if not fields and isinstance(extra, Mapping):
        member = f"{_TEXT['string']}:{inner(extra)}"
        return rf"\{{({member}(,{member})*)?\}}"
    if extra is not False:
        raise _not_regular("an object with members of any name")
    required = set(schema.get("required", ()))
    # every field is written; leaving one out is a valid spelling that is not needed
    if not required <= set(fields):
        raise _not_regular("required members without a schema")
    return r"\{" + ",".join(f"{_quoted(json.dumps(name))}:{inner(part)}" for name, part in fields.items()) + r"\}"


def _quoted(text: str) -> str:
    return re.sub(r"([\\^$.|?*+()\[\]{}/])", r"\\\1", text)


def _not_regular(what: str) -> UnsupportedSchema:
    return UnsupportedSchema(f"Python type: Json[...] of {what}", keyword="contentSchema")
