"""Random schemas of every draft, and instances near the border of what they allow.

Domains are small (four names, a handful of numbers and strings) so that keywords meet: `not` of what a sibling asks,
branches of `oneOf` that overlap, patterns that match declared names, references into the schema itself.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

__all__ = ["DIALECTS", "near", "random_schema"]

DIALECTS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}
NAMES = ("a", "b", "ab", "c")
NUMBERS: tuple[Any, ...] = (0, 1, 2, 3, -1, -2, 0.5, 1.5, 2.0, 10, 0.1, 0.3, 12)
STRINGS = ("", "a", "b", "ab", "ba", "abc", "aab", "c", "é", "😀", "2020-02-29", "2021-02-29", "1.2.3.4", "1.2.3.256")
SCALARS: tuple[Any, ...] = (None, True, False, *NUMBERS, *STRINGS)
PATTERNS = ("^a", "b$", "^(ab)*$", "a|b", "^[^a]*$", "^.{2}$", "b")
FORMATS = ("date", "ipv4", "unheard-of")
DIVISORS = (1, 2, 3, 0.5, 0.1, 1.5, 4)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

Maker = Callable[["Random", int, int], Any]  # rng, draft, depth


def random_value(rng: Random, depth: int = 2) -> Any:
    """Any JSON value, small."""
    kind = rng.random()
    if depth == 0 or kind < 0.6:
        return rng.choice(SCALARS)
    if kind < 0.8:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {name: random_value(rng, depth - 1) for name in rng.sample(NAMES, rng.randrange(4))}


def random_schema(rng: Random, draft: int) -> dict[str, Any]:
    """A schema of a draft, with its dialect, and definitions that may refer to each other and to the whole."""
    while True:
        schema = _document(rng, draft)
        defined = schema.get("definitions", schema.get("$defs"))
        if not any(_leads_back(part, schema, ()) for part in (schema, *defined.values())):
            return schema


def _document(rng: Random, draft: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"$schema": DIALECTS[draft]}
    body = _schema(rng, draft, rng.choice((1, 2, 2, 3)))
    holder = "definitions" if draft < 2019 else "$defs"
    if draft < 2019 and isinstance(body, dict) and "$ref" in body:
        body = {"allOf": [body]}  # beside a reference nothing counts there, the definitions neither
    schema.update(body if isinstance(body, dict) else {"allOf": [body]})
    schema[holder] = {name: _schema(rng, draft, 1) for name in ("r", "s")}
    return schema


def _schema(rng: Random, draft: int, depth: int) -> Any:
    if depth == 0 or rng.random() < 0.08:
        return _leaf(rng, draft)
    kind = rng.choice(("string", "number", "array", "array", "object", "object", "object", "any", "any"))
    schema: dict[str, Any] = {}
    if kind != "any" and rng.random() < 0.6:
        schema["type"] = rng.choice((kind, kind, "integer" if kind == "number" else kind, [kind, rng.choice(TYPES)]))
        if isinstance(schema["type"], list):
            schema["type"] = list(dict.fromkeys(schema["type"]))
    tables = [OF_KIND[kind]] if rng.random() < 0.6 else [OF_KIND[kind], OF_KIND["any"]]
    names = sorted({name for table in tables for name, (drafts, _) in table.items() if draft in drafts})
    for name in rng.sample(names, min(len(names), rng.choice((1, 2, 2, 3, 4)))):
        maker = next(table[name][1] for table in tables if name in table)
        schema[name] = maker(rng, draft, depth - 1)
    if draft == 4:
        for bound in ("minimum", "maximum"):
            flag = "exclusive" + bound.capitalize()
            if bound in schema and rng.random() < 0.4:
                schema[flag] = rng.random() < 0.7
    if "if" in schema:
        for branch in ("then", "else"):
            if branch not in schema and rng.random() < 0.6:
                schema[branch] = _schema(rng, draft, depth - 1)
    if draft < 2020 and isinstance(schema.get("items"), list) and rng.random() < 0.5:
        schema["additionalItems"] = _schema(rng, draft, depth - 1)
    if draft >= 2019 and rng.random() < 0.12:
        schema[rng.choice(("unevaluatedProperties", "unevaluatedItems"))] = _schema(rng, draft, depth - 1)
    return schema


def _leads_back(schema: Any, root: Any, path: tuple[int, ...]) -> bool:
    """Whether a reference leads back to its own schema before any child is entered: that means nothing."""
    if not isinstance(schema, dict):
        return False
    if id(schema) in path:
        return True
    inner = [part for name in ("allOf", "anyOf", "oneOf") for part in schema.get(name, ())]
    inner += [schema[name] for name in ("not", "if", "then", "else") if name in schema]
    inner += [part for name in ("dependencies", "dependentSchemas") for part in schema.get(name, {}).values()]
    if "$ref" in schema:
        inner.append(_target(schema["$ref"], root))
    return any(_leads_back(part, root, (*path, id(schema))) for part in inner)


def _target(reference: str, root: Any) -> Any:
    for token in reference[1:].split("/")[1:]:
        root = root[token]
    return root


def _leaf(rng: Random, draft: int) -> Any:
    place = "definitions" if draft < 2019 else "$defs"
    simple: list[Any] = [{}, {"type": rng.choice(TYPES)}, {"$ref": f"#/{place}/{rng.choice('rs')}"}]
    simple += [{"enum": [rng.choice(SCALARS)]}, {"enum": [random_value(rng, 1)]}, {"not": {"type": rng.choice(TYPES)}}]
    if draft > 4:
        simple += [True, False, {"const": rng.choice(SCALARS)}]
    if rng.random() < 0.1:
        return {"$ref": "#"}
    return rng.choice(simple)


def _several(rng: Random, draft: int, depth: int) -> list[Any]:
    return [_schema(rng, draft, depth) for _ in range(rng.choice((1, 2, 2, 3)))]


def _names(rng: Random) -> list[str]:
    return rng.sample(NAMES, rng.choice((1, 1, 2, 3)))


def _of_names(rng: Random, draft: int, depth: int) -> dict[str, Any]:
    return {name: _schema(rng, draft, depth) for name in _names(rng)}


def _needs(rng: Random) -> list[str]:
    return rng.sample(NAMES, rng.choice((1, 2)))


def _dependencies(rng: Random, draft: int, depth: int) -> dict[str, Any]:
    return {name: _needs(rng) if rng.random() < 0.5 else _schema(rng, draft, depth) for name in _names(rng)}


def _name_schema(rng: Random, draft: int, depth: int) -> Any:
    choices: list[Any] = [
        {"enum": ["a", "b"]}, {"pattern": "^a"}, {"minLength": 1}, {"maxLength": 1}, {"not": {"enum": ["a"]}},
        {"anyOf": [{"pattern": "b"}, {"maxLength": 1}]},
    ]  # fmt: skip
    return rng.choice(choices)


def _number(rng: Random, draft: int, depth: int) -> Any:
    return rng.choice((-1, 0, 1, 1.5, 2, 3, 0.3))


def _small(rng: Random, draft: int, depth: int) -> int:
    return rng.choice((0, 1, 1, 2, 2, 3))


ALL, LATER, SEVENTH, MODERN, OLD = (4, 6, 7, 2019, 2020), (6, 7, 2019, 2020), (7, 2019, 2020), (2019, 2020), (4, 6, 7)
Table = dict[str, tuple[tuple[int, ...], Maker]]
OF_KIND: dict[str, Table] = {
    "any": {
        "enum": (ALL, lambda r, v, d: _distinct([random_value(r, 1) for _ in range(r.randrange(1, 5))])),
        "const": (LATER, lambda r, v, d: random_value(r, 1)),
        "not": (ALL, _schema),
        "allOf": (ALL, _several),
        "anyOf": (ALL, _several),
        "oneOf": (ALL, lambda r, v, d: [*_several(r, v, d), _schema(r, v, d)]),
        "if": (SEVENTH, _schema),
        "$ref": (MODERN, lambda r, v, d: r.choice(("#/$defs/r", "#/$defs/s"))),
    },
    "string": {
        "minLength": (ALL, _small),
        "maxLength": (ALL, _small),
        "pattern": (ALL, lambda r, v, d: r.choice(PATTERNS)),
        "format": (ALL, lambda r, v, d: r.choice(FORMATS)),
        "enum": (ALL, lambda r, v, d: r.sample(STRINGS, r.randrange(1, 4))),
        "not": (ALL, lambda r, v, d: {"pattern": r.choice(PATTERNS)}),
    },
    "number": {
        "minimum": (ALL, _number),
        "maximum": (ALL, _number),
        "exclusiveMinimum": (LATER, _number),
        "exclusiveMaximum": (LATER, _number),
        "multipleOf": (ALL, lambda r, v, d: r.choice(DIVISORS)),
        "not": (ALL, lambda r, v, d: {"multipleOf": r.choice(DIVISORS)}),
        "enum": (ALL, lambda r, v, d: _distinct(r.sample(NUMBERS, r.randrange(1, 5)))),
    },
    "array": {
        "items": (ALL, lambda r, v, d: _several(r, v, d) if v < 2020 and r.random() < 0.4 else _schema(r, v, d)),
        "prefixItems": ((2020,), _several),
        "minItems": (ALL, _small),
        "maxItems": (ALL, _small),
        "contains": (LATER, _schema),
        "minContains": (MODERN, _small),
        "maxContains": (MODERN, _small),
        "uniqueItems": (ALL, lambda r, v, d: r.random() < 0.85),
        "unevaluatedItems": (MODERN, _schema),
    },
    "object": {
        "properties": (ALL, _of_names),
        "required": (ALL, lambda r, v, d: _names(r)),
        "additionalProperties": (ALL, _schema),
        "patternProperties": (
            ALL, lambda r, v, d: {p: _schema(r, v, d) for p in r.sample(PATTERNS, r.choice((1, 2)))}
        ),
        "propertyNames": (LATER, _name_schema),
        "minProperties": (ALL, _small),
        "maxProperties": (ALL, _small),
        "dependencies": (OLD, _dependencies),
        "dependentRequired": (MODERN, lambda r, v, d: {name: _needs(r) for name in _names(r)}),
        "dependentSchemas": (MODERN, _of_names),
        "unevaluatedProperties": (MODERN, _schema),
    },
}  # fmt: skip


def _distinct(values: list[Any]) -> list[Any]:
    """Without values that are equal as JSON: some meta-schemas forbid them in an enum."""
    kept: list[Any] = []
    for value in values:
        if not any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in kept):
            kept.append(value)
    return kept


# ------------------------------------------------------------------------------------------------------- instances


def near(rng: Random, schema: Any, root: Any = None, depth: int = 3) -> Any:
    """A value that follows most of what a schema says about one kind of value, and often breaks some of it."""
    root = schema if root is None else root
    if rng.random() < 0.07 or depth == 0:
        return random_value(rng, min(depth, 1))
    parts = [part for part in _in_place(rng, schema, root, 4) if isinstance(part, dict)]
    listed = [
        value for part in parts for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else ()))
    ]
    if listed and rng.random() < 0.7:
        return _nudged(rng, rng.choice(listed))
    return BUILD[_kind(rng, parts)](rng, parts, root, depth)


def _in_place(rng: Random, schema: Any, root: Any, depth: int) -> list[Any]:
    """The schemas that apply to the same value, of alternatives some."""
    if not isinstance(schema, dict) or depth == 0:
        return [schema]
    found = [schema]
    reference = schema.get("$ref")
    if reference is not None:
        found += _in_place(rng, _target(reference, root), root, depth - 1)
    inner = [*schema.get("allOf", ())]
    for name in ("anyOf", "oneOf"):
        inner += [part for part in schema.get(name, ()) if rng.random() < 0.5]
    inner += [schema[name] for name in ("not", "if", "then", "else") if name in schema and rng.random() < 0.5]
    for name in ("dependencies", "dependentSchemas"):
        inner += [part for part in schema.get(name, {}).values() if not isinstance(part, list) and rng.random() < 0.6]
    for part in inner:
        found += _in_place(rng, part, root, depth - 1)
    return found


def _kind(rng: Random, parts: list[Any]) -> str:
    asked: list[str] = []
    for part in parts:
        named = part.get("type", ())
        asked += [named] if isinstance(named, str) else list(named)
        asked += [kind for kind in ("string", "number", "array", "object") if not OF_KIND[kind].keys().isdisjoint(part)]
    kind = rng.choice(asked) if asked and rng.random() < 0.92 else rng.choice(TYPES)
    return "number" if kind == "integer" else kind


def _nudged(rng: Random, value: Any) -> Any:
    """The value, spelled otherwise, or almost it."""
    if isinstance(value, bool) or rng.random() < 0.6:
        return value
    if isinstance(value, (int, float)):
        return rng.choice((value + 1, -value, float(value), value / 2))
    if isinstance(value, str):
        return rng.choice((value + "a", value[:-1], value))
    if isinstance(value, list):
        return rng.choice((value[:-1], [*value, 1], value[::-1]))
    if isinstance(value, dict):
        return rng.choice(({**value, "c": 1}, dict(reversed(value.items())), dict(list(value.items())[1:])))
    return value


def _build_number(rng: Random, parts: list[Any], root: Any, depth: int) -> Any:
    pool: list[Any] = list(NUMBERS)
    for part in parts:
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            bound = part.get(name)
            if bound is not None and not isinstance(bound, bool):
                pool += [bound, bound, bound + 1, bound - 1, bound + 0.5]
        if "multipleOf" in part:
            step = Fraction(str(part["multipleOf"]))
            factor = rng.choice((0, 1, 2, 3, 7, -1))
            pool += [float(factor * step)] * 4
    value = rng.choice(pool)
    return int(value) if float(value).is_integer() and rng.random() < 0.7 else value


def _build_string(rng: Random, parts: list[Any], root: Any, depth: int) -> Any:
    if rng.random() < 0.7:
        return rng.choice(STRINGS)
    return "".join(rng.choice("aabbc") for _ in range(rng.randrange(5)))


def _build_array(rng: Random, parts: list[Any], root: Any, depth: int) -> Any:
    sizes = [part[name] for part in parts for name in ("minItems", "maxItems", "minContains") if name in part]
    size = max(0, rng.choice([*sizes, 1, 2, 3]) + rng.choice((0, 0, 0, 1, -1)))
    made: list[Any] = []
    for index in range(size):
        options: list[Any] = []
        for part in parts:
            items, prefix = part.get("items", True), part.get("prefixItems", ())
            if isinstance(items, list):
                prefix, items = items, part.get("additionalItems", True)
            options.append(prefix[index] if index < len(prefix) else items)
            options += [part[name] for name in ("contains", "unevaluatedItems") if name in part]
        wanted = [option for option in options if option is not True]
        if made and rng.random() < 0.15:
            made.append(rng.choice(made))
        else:
            made.append(near(rng, rng.choice(wanted) if wanted else True, root, depth - 1))
    return made


def _build_object(rng: Random, parts: list[Any], root: Any, depth: int) -> Any:
    names: dict[str, None] = {}
    for part in parts:
        names.update((name, None) for name in part.get("required", ()) if rng.random() < 0.9)
        names.update((name, None) for name in part.get("properties", ()) if rng.random() < 0.6)
        for keyword in ("dependencies", "dependentRequired"):
            for name, needed in part.get(keyword, {}).items():
                if isinstance(needed, list) and rng.random() < 0.5:
                    names.update(dict.fromkeys((name, *needed)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        names[rng.choice((*NAMES, "d", "ba", ""))] = None
    chosen = list(names)
    if rng.random() < 0.4:
        rng.shuffle(chosen)
    made = {}
    for name in chosen:
        options: list[Any] = [part["properties"][name] for part in parts if name in part.get("properties", ())]
        for part in parts:
            options += [part[k] for k in ("additionalProperties", "unevaluatedProperties") if k in part and not options]
            options += [rng.choice(list(part["patternProperties"].values()))] if "patternProperties" in part else []
        made[name] = near(rng, rng.choice(options) if options else True, root, depth - 1)
    return made


BUILD: dict[str, Callable[[Random, list[Any], Any, int], Any]] = {
    "null": lambda rng, parts, root, depth: None,
    "boolean": lambda rng, parts, root, depth: rng.random() < 0.5,
    "number": _build_number,
    "string": _build_string,
    "array": _build_array,
    "object": _build_object,
}
