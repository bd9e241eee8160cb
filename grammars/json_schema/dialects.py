"""Schema documents as people have them: in another dialect than the default, wrapped, or with a keyword misspelled.

    in_dialect   a document without $schema, read under a dialect that its caller names; OpenAPI 3.0 as draft 4
    unwrapped    what to pass instead of a tool definition, a response format, or {"name": "string"}
    doubts       keywords that mean nothing under the document's draft, and yet look as if they should

Cost: linear in the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from structgen.errors import OptionError, SchemaError
from structgen.grammars.json_schema.keywords import keywords_of
from structgen.grammars.json_schema.reader import DRAFT_OF_URI, Reader

__all__ = ["DIALECTS", "Doubt", "doubts", "in_dialect", "refuse_wrapped"]

OPENAPI = "openapi-3.0"
DIALECTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    OPENAPI: "http://json-schema.org/draft-04/schema#",
}

_ONE = ("not", "items", "additionalProperties", "additionalItems")
_LISTS = ("allOf", "anyOf", "oneOf", "items")
_MAPS = ("properties", "patternProperties", "definitions", "$defs", "dependencies", "schemas")
_EITHER = "x-kubernetes-int-or-string"


def in_dialect(schema: Mapping[str, Any] | bool, dialect: str) -> Mapping[str, Any] | bool:
    """The document with the `$schema` of a dialect. Raises OptionError for a dialect there is not, or where the
    document says another itself."""
    if dialect not in DIALECTS:
        raise OptionError(f"dialect is one of {', '.join(DIALECTS)}, not {dialect!r}", option="dialect")
    if isinstance(schema, bool):
        return schema
    uri, own = DIALECTS[dialect], schema.get("$schema")
    if isinstance(own, str) and DRAFT_OF_URI.get(own.rstrip("#")) != DRAFT_OF_URI[uri.rstrip("#")]:
        raise OptionError(f"dialect={dialect!r}, and the schema's own $schema is {own}", option="dialect")
    return {"$schema": uri, **(_from_openapi(schema) if dialect == OPENAPI else schema)}


def _from_openapi(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Draft 4 for an OpenAPI 3.0 schema object, or a document of them: `nullable` adds null to the type beside it."""
    root: dict[str, Any] = {}
    pending: list[tuple[Mapping[str, Any], dict[str, Any]]] = [(schema, root)]

    def copied(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        copy: dict[str, Any] = {}
        pending.append((value, copy))
        return copy

    while pending:
        given, made = pending.pop()
        made.update(given)
        for name in _ONE:
            if name in given:
                made[name] = copied(given[name])
        for name in _LISTS:
            if isinstance(given.get(name), list):
                made[name] = [copied(each) for each in given[name]]
        for name in _MAPS:
            if isinstance(given.get(name), Mapping):
                made[name] = {key: copied(each) for key, each in given[name].items()}
        if isinstance(given.get("components"), Mapping):
            made["components"] = copied(given["components"])
        kinds = given.get("type")
        if given.get(_EITHER) is True and kinds is None:
            kinds = made["type"] = ["integer", "string"]
        if made.pop("nullable", None) is True and kinds is not None:
            made["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    return root


# ------------------------------------------------------------------------------------------------------- wrappers

_TYPES = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))
_NAMES = _TYPES | {"str", "int", "float", "bool", "list", "dict", "any"}


def refuse_wrapped(schema: object) -> None:
    """Raise SchemaError for a document that holds a schema and is none itself, saying what to pass. (Those that have a
    `type`, as response formats have, are refused where types are read.)"""
    if not isinstance(schema, Mapping):
        return
    if not _known().isdisjoint(schema):
        return
    for name in ("input_schema", "parameters", "schema", "json_schema"):
        if isinstance(schema.get(name), Mapping) and "name" in schema:
            raise SchemaError(f"this is a tool definition: pass the schema inside it, schema=...['{name}']")
    values = list(schema.values())
    if values and all(isinstance(value, str) and value in _NAMES for value in values):
        members = ", ".join(f'"{name}": {{"type": "{value}"}}' for name, value in list(schema.items())[:2])
        raise SchemaError(
            f"these are no keywords of JSON Schema: members and their types are written "
            f'{{"type": "object", "properties": {{{members}, ...}}}}, or as a Python type'
        )


@cache
def _known() -> frozenset[str]:
    return frozenset().union(*(keywords_of(draft) for draft in (4, 6, 7, 2019, 2020)), ("$comment", "title"))


# --------------------------------------------------------------------------------------------------------- doubts

_ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "contentEncoding",
     "contentMediaType", "contentSchema", "discriminator", "xml", "externalDocs", "nullable", "definitions", "name",
     "version", "kind", "label", "labels", "value", "values", "options", "unit", "units", "group", "enumNames")
)  # fmt: skip
_OLDER = {
    "dependencies": "dependencies is no keyword of {draft}: write dependentRequired or dependentSchemas, or say "
    'dialect="draft7"',
    "nullable": 'nullable is no keyword of JSON Schema: write "type": [..., "null"], or say dialect="openapi-3.0"',
    "additionalItems": 'additionalItems is no keyword of {draft}: write prefixItems and items, or say dialect="draft7"',
    "$recursiveRef": '$recursiveRef is no keyword of {draft}: write $dynamicRef, or say dialect="2019-09"',
}


class Doubt(NamedTuple):
    """A keyword that restricts nothing, and what was meant."""

    pointer: str
    keyword: str
    reason: str


def doubts(reader: Reader) -> Iterator[Doubt]:
    """The doubtful keywords of all documents that were read."""
    for node in reader.nodes.values():
        table = keywords_of(node.draft)
        for name, value in node.schema.items():
            if name in table or not isinstance(name, str):
                continue
            if name in _OLDER and not (name == "nullable" and value is not True):
                draft = {2019: "2019-09", 2020: "2020-12"}.get(node.draft, f"draft {node.draft}")
                yield Doubt(node.at(name), name, _OLDER[name].format(draft=draft))
            elif name not in _ANNOTATIONS and name not in _known() and (meant := _near(name, node.draft)):
                yield Doubt(node.at(name), name, f"{name!r} is no keyword and restricts nothing; {meant!r} is one")


@lru_cache(maxsize=4096)
def _near(name: str, draft: int) -> str:
    """The keyword that a name is a misspelling of, "" if it looks like none."""
    if len(name) < 4 or name.startswith(("x-", "$")):
        return ""
    known = {keyword.lower(): keyword for keyword in keywords_of(draft) if not keyword.startswith("$")}
    lowered = name.replace("_", "").replace("-", "").lower()
    if lowered in known:
        return known[lowered]
    allowed = 1 if len(lowered) < 9 else 2
    return next((keyword for each, keyword in known.items() if _edits(lowered, each, allowed) <= allowed), "")


def _edits(one: str, two: str, most: int) -> int:
    """Letters to insert, drop, change or swap with their neighbours (Damerau 1964); more than `most` is any more."""
    if abs(len(one) - len(two)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, other in enumerate(two, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other)))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                row[j] = min(row[j], before[j - 2] + 1)
        before = above
    return row[-1]
