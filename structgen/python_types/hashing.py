"""What a set can hold: of a core schema the part whose values Python can hash, and whether texts tell values apart.

pydantic reads the elements of a set one by one and puts them in: a list or a model that is not frozen is refused only
then. And it lets equal elements collapse: a set of at least two has to be written as two that stay two.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from pydantic_core import core_schema as cs

__all__ = ["hashable", "tells_apart"]

Core = Any
Definitions = Mapping[str, Core]

_NEVER = {"list", "dict", "set", "typed-dict", "deque", "counter", "frozendict", "ordered-dict"}
_INSIDE = {
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
    **dict.fromkeys(
        ("default", "nullable", "custom-error", "definitions", "function-after", "function-before", "function-wrap"),
        "schema",
    ),
}
_SCALARS = cs.union_schema([cs.none_schema(), cs.bool_schema(), cs.float_schema(), cs.str_schema()])


def hashable(core: Core, definitions: Definitions) -> Core | None:
    """The same schema without what cannot be hashed; None if nothing is left."""
    kind = core["type"]
    if kind == "any":
        return _SCALARS
    if kind in _NEVER or (kind in ("model", "dataclass", "named-tuple") and not _class_is_hashable(core, definitions)):
        return None
    if kind in _INSIDE:
        inner = hashable(core[_INSIDE[kind]], definitions)
        if kind == "nullable" and inner is None:
            return cs.none_schema()
        return None if inner is None else {**core, _INSIDE[kind]: inner}
    if kind == "tuple":
        items = [hashable(item, definitions) for item in core["items_schema"]]
        return None if None in items else {**core, "items_schema": items}
    if kind == "union":
        kept = [choice for choice in core["choices"] if hashable(_labelled(choice), definitions) is not None]
        return {**core, "choices": [hashable(_labelled(choice), definitions) for choice in kept]} if kept else None
    if kind == "tagged-union":
        choices = {tag: hashable(choice, definitions) for tag, choice in core["choices"].items()}
        return None if None in choices.values() else {**core, "choices": choices}
    if kind == "definition-ref":
        target = definitions.get(core["schema_ref"])
        rest = {ref: known for ref, known in definitions.items() if ref != core["schema_ref"]}
        return core if target is None or _whole(target, rest) else None
    if kind == "json":
        return core if "schema" in core and _whole(core["schema"], definitions) else None
    if kind == "chain":
        return core if _whole(core["steps"][-1], definitions) else None
    return core


def _whole(core: Core, definitions: Definitions) -> bool:
    """Whether all values can be hashed."""
    return bool(hashable(core, definitions) == core)


def _labelled(choice: Any) -> Core:
    return choice[0] if isinstance(choice, tuple) else choice


def _class_is_hashable(core: Core, definitions: Definitions) -> bool:
    """Whether the class has a hash, and the fields too where it is made of theirs."""
    cls = core["cls"]
    if cls.__hash__ is None:
        return False
    made = "make_hash_func" in cls.__hash__.__qualname__ or (
        dataclasses.is_dataclass(cls) and getattr(cls, "__dataclass_params__").eq  # noqa: B009  (mypy knows it not)
    )
    inner = core.get("schema", core)
    while "schema" in inner:
        inner = inner["schema"]
    fields = inner.get("fields", ())
    parts = fields.values() if isinstance(fields, Mapping) else fields
    return not (made or core["type"] == "named-tuple") or all(_whole(part["schema"], definitions) for part in parts)


def tells_apart(core: Core) -> bool:
    """Whether different JSON values are read as values that differ; False where that is not plain to see."""
    kind = core["type"]
    if kind == "str":
        return not any(core.get(name) for name in ("strip_whitespace", "to_lower", "to_upper"))
    if kind == "literal":
        plain = [value.value if isinstance(value, enum.Enum) else value for value in core["expected"]]
        return len(set(plain)) == len(plain)
    if kind in _INSIDE:
        return not kind.startswith("function") and tells_apart(core[_INSIDE[kind]])
    if kind == "tuple":
        return all(map(tells_apart, core["items_schema"]))
    if kind == "union":
        choices = [_labelled(choice) for choice in core["choices"]]
        kinds = {choice["type"] for choice in choices}
        return (
            not {"int", "bool"} <= kinds and not kinds & {"literal", "enum", "tuple"} and all(map(tells_apart, choices))
        )
    return kind in ("int", "bool", "none", "date", "enum")
