"""JSON Schemas as values: each function gives the schema with one condition more, or as others are shown it."""

from __future__ import annotations

from typing import Any

from structgen.python_types.json_text import ANNOTATIONS
from structgen.python_types.target import DIALECT, HINT

__all__ = ["also", "closed", "meet", "shown", "with_digits", "within"]

Schema = dict[str, Any]


def also(schema: Schema, pattern: str) -> Schema:
    """`schema` with one more pattern; the same pattern twice is the same."""
    known = [schema.get("pattern"), *(part.get("pattern") for part in schema.get("allOf", ()))]
    if pattern in known:
        return schema
    if "pattern" not in schema:
        return {**schema, "pattern": pattern}
    return {**schema, "allOf": [*schema.get("allOf", ()), {"pattern": pattern}]}


def meet(own: Schema, users: Schema) -> Schema:
    """What both say; `own` is left out where the other repeats it."""
    if all(users.get(name) == value for name, value in own.items() if name not in ANNOTATIONS):
        return users
    return {**users, "allOf": [*users.get("allOf", ()), own]}


def closed(found: Schema) -> Schema:
    """An object of its fields and no others, unless it says which."""
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def within(number: Schema, limit: float) -> Schema:
    """Numbers whose size is at most `limit`."""
    low, high = number.get("minimum", -limit), number.get("maximum", limit)
    return {**number, "minimum": max(low, -limit), "maximum": min(high, limit)}


def with_digits(number: Schema, digits: int, places: int) -> Schema:
    """At most `digits` digits, `places` of them after the point: multiples of 10^-places below 10^(digits - places)."""
    return within({**number, "multipleOf": 10**-places}, (10**digits - 1) / 10**places)


def shown(schema: Any) -> Any:
    """A schema as people, models and other tools read it."""
    if isinstance(schema, dict):
        kept = {key: shown(value) for key, value in schema.items() if key != DIALECT or not isinstance(value, str)}
        return {"format" if key == HINT else key: value for key, value in kept.items()}
    return [shown(value) for value in schema] if isinstance(schema, list) else schema
