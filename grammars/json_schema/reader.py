"""Read JSON Schema documents: check every keyword's value, record where each subschema is and which URIs name it.

One iterative walk over a document, linear in its size. A `Node` is one schema location; nodes know their parent, so
pointers are spelled only when a message needs one. Nothing is interpreted here, but keywords are looked up once: what a
schema says is kept as (keyword, value).
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from urllib.parse import urldefrag, urljoin

from structgen.errors import LimitExceeded, SchemaError, UnsupportedSchema
from structgen.grammars.json_schema.keywords import DEPENDENCIES, SCHEMA_MAP, Keyword, keywords_of
from structgen.options import Limits

__all__ = ["DEFAULT_DRAFT", "Node", "Reader", "escape", "exact", "load"]

DEFAULT_DRAFT = 2020
DRAFT_OF_URI = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "http://json-schema.org/schema": DEFAULT_DRAFT,
}


@dataclass(slots=True, eq=False)
class Node:
    """A schema location.

    `content` is a number, equal for locations that say the same, annotations aside: they share rules, and cancel where
    one is subtracted from the other. `says`: the keywords that count here, as written.
    """

    schema: Any
    parent: Node | None
    place: tuple[str, ...]  # from the parent: keyword, then keys inside its value
    base: str
    draft: int
    depth: int = 0
    content: int = -1
    says: list[tuple[Keyword, Any]] = field(default_factory=list)

    @property
    def pointer(self) -> str:
        """The JSON pointer, as a fragment, from the document's root."""
        tokens: list[str] = []
        node: Node | None = self
        while node is not None:
            tokens.extend(reversed(node.place))
            node = node.parent
        return "#" + "".join("/" + escape(token) for token in reversed(tokens))

    def at(self, *tokens: str) -> str:
        """The pointer of something inside this schema."""
        return self.pointer + "".join("/" + escape(token) for token in tokens)


def escape(token: str) -> str:
    """One token of a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def load(schema: object) -> Any:
    """A schema as Python values: text is parsed (decimals stay exact), anything else is taken as it is."""
    if not isinstance(schema, (str, bytes, bytearray)):
        return schema
    try:
        return json.loads(schema, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise LimitExceeded("the schema is nested too deeply to parse", limit="schema_depth", allowed=1000) from None
    except ValueError as error:
        raise SchemaError(f"not JSON: {error}") from error


def _refuse_constant(text: str) -> Any:
    raise SchemaError(f"{text} is not JSON")


@cache
def _table(draft: int) -> dict[str, Keyword]:
    return keywords_of(draft)


def draft_of(schema: Any, pointer: str, inherited: int) -> int:
    """The draft a schema resource is written in."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if uri is None:
        return inherited
    if not isinstance(uri, str):
        raise SchemaError("must be a string", pointer=f"{pointer}/$schema", keyword="$schema")
    draft = DRAFT_OF_URI.get(uri.rstrip("#"))
    if draft is None:
        raise UnsupportedSchema(f"unknown dialect {uri}", pointer=f"{pointer}/$schema", keyword="$schema")
    return draft


COMPARED_HEIGHT = 40
MAPS = (SCHEMA_MAP, DEPENDENCIES)
BESIDE_IF = frozenset(("then", "else"))  # keywords that only hold schemas, and yet mean something where they stand
IDENTIFYING = frozenset(("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"))


@dataclass(slots=True)
class Reader:
    """All documents of one compilation: `resources` and `anchors` by URI, `nodes` by schema object and enclosing base.

    The base is part of the key because one Python object may stand at two places of a schema built by a program.
    """

    limits: Limits
    nodes: dict[tuple[int, str], Node] = field(default_factory=dict)
    resources: dict[str, Node] = field(default_factory=dict)
    anchors: dict[tuple[str, str], Node] = field(default_factory=dict)
    dynamic: dict[tuple[str, str], Node] = field(default_factory=dict)  # dynamic anchors; "" is $recursiveAnchor
    kept: list[Any] = field(default_factory=list)  # keeps ids in `nodes` valid
    contents: dict[Hashable, int] = field(default_factory=dict)  # what a location says -> its number

    def read(self, schema: Any, base: str = "", draft: int = DEFAULT_DRAFT) -> Node:
        """Read a whole document."""
        root = Node(schema, None, (), base, draft_of(schema, "#", draft))
        self.resources.setdefault(base, root)
        self.kept.append(schema)
        self._walk(root)
        return root

    def read_inside(self, schema: Any, parent: Node, place: tuple[str, ...]) -> Node:
        """Read a subschema at a place no keyword gives meaning to (a reference may point anywhere)."""
        node = Node(schema, parent, place, parent.base, parent.draft, parent.depth + len(place))
        self._walk(node)
        return node

    def _number(self, node: Node, height: int = COMPARED_HEIGHT) -> int:
        """Give a node its `content`, and return it.

        A document is numbered from its leaves to its root; what that order misses (one Python object at two places) is
        numbered to a bounded height, beyond which locations count as different.
        """
        if node.content < 0:
            key: list[Hashable] = [node.base, node.draft] if height else [id(node)]
            for entry, value in node.says if height else ():
                if entry.on == "place" and entry.name not in BESIDE_IF:
                    continue
                key.append(entry.name)
                if entry.form.places is None:
                    key.append(repr(value))
                elif isinstance(value, list):
                    key.append(tuple([self._part(part, node, height) for part in value]))
                elif entry.form in MAPS:
                    key.append(tuple([(inner, self._part(part, node, height)) for inner, part in value.items()]))
                else:
                    key.append(self._part(value, node, height))
            node.content = self.contents.setdefault(tuple(key), len(self.contents))
        return node.content

    def _part(self, schema: Any, node: Node, height: int) -> Hashable:
        if not isinstance(schema, dict):
            return repr(schema)
        inner = self.nodes[id(schema), node.base]
        return inner.content if inner.content >= 0 else self._number(inner, height - 1)

    def _walk(self, root: Node) -> None:
        limits, nodes = self.limits, self.nodes
        visited, pending = [], [root]
        while pending:
            node = pending.pop()
            schema = node.schema
            if isinstance(schema, bool):
                continue
            if not isinstance(schema, dict):
                raise SchemaError("must be a schema (an object or a boolean)", pointer=node.pointer)
            key = (id(schema), node.base)
            if key in nodes:
                continue
            nodes[key] = node
            visited.append(node)
            if node.depth > limits.schema_depth:
                raise LimitExceeded("schema nested too deeply", limit="schema_depth", allowed=limits.schema_depth)
            if len(nodes) > limits.schema_nodes:
                raise LimitExceeded("too many subschemas", limit="schema_nodes", allowed=limits.schema_nodes)
            if not IDENTIFYING.isdisjoint(schema):
                self._identify(node)
            _look_up(node, pending)
        for node in reversed(visited):
            self._number(node)

    def _identify(self, node: Node) -> None:
        schema, draft = node.schema, node.draft
        if draft <= 7 and "$ref" in schema:
            return
        if "$schema" in schema and node.parent is not None and ("$id" in schema or "id" in schema):
            node.draft = draft = draft_of(schema, node.pointer, draft)
        identity = schema.get("id" if draft == 4 else "$id")
        if isinstance(identity, str):
            uri, fragment = urldefrag(urljoin(node.base, identity) if node.base else identity)
            if fragment and draft <= 7:
                self.anchors.setdefault((uri or node.base, fragment), node)
            if uri and uri != node.base:
                node.base = uri
                self.resources.setdefault(uri, node)
        if draft >= 2019:
            for name in ("$anchor", "$dynamicAnchor"):
                anchor = schema.get(name)
                if isinstance(anchor, str):
                    self.anchors.setdefault((node.base, anchor), node)
                    if name == "$dynamicAnchor":
                        self.dynamic.setdefault((node.base, anchor), node)
            if schema.get("$recursiveAnchor") is True and self.resources.get(node.base) is node:
                self.dynamic.setdefault((node.base, ""), node)


def _look_up(node: Node, pending: list[Node]) -> None:
    """Check the values of a schema's keywords and keep those that count; the subschemas inside them are `pending`."""
    schema, base, draft, depth, table = node.schema, node.base, node.draft, node.depth + 1, _table(node.draft)
    overridden = draft <= 7 and isinstance(schema.get("$ref"), str)  # nothing beside it counts
    for name, value in schema.items():
        entry = table.get(name)
        if entry is None or (overridden and name != "$ref" and entry.on != "place"):
            continue
        form = entry.form
        reason = form.wrong(value)
        if reason is not None:
            raise SchemaError(reason + _older(name, value, draft), pointer=node.at(name), keyword=name)
        if not overridden or name == "$ref":
            node.says.append((entry, value))
        if form.places is None:
            continue
        for place, subschema in form.places(value):
            if isinstance(subschema, dict):
                pending.append(Node(subschema, node, (name, *place), base, draft, depth))
            elif not isinstance(subschema, bool):
                pointer = node.at(name, *place)
                raise SchemaError("must be a schema (an object or a boolean)", pointer=pointer, keyword=name)


def _older(name: str, value: Any, draft: int) -> str:
    """What to say where a value is right under an older draft; "" where it is not."""
    if name == "items" and isinstance(value, list) and draft == 2020:
        return '; in 2020-12 a tuple is prefixItems: write that, or say which draft it is ("$schema", dialect="draft7")'
    if name in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool) and draft > 4:
        return (
            "; a boolean is how draft 4 and OpenAPI 3.0 write it: write the bound itself, or say which draft this is "
            '("$schema", dialect="draft4" or "openapi-3.0")'
        )
    if name == "required" and isinstance(value, bool):
        return "; required lists the names of members, beside properties"
    return ""


def exact(value: int | float | Decimal | Fraction, limits: Limits) -> int | Fraction:
    """A JSON number exactly: what was written, or what repr writes for a float."""
    if isinstance(value, (int, Fraction)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError(f"{value} is not a JSON number")
        value = Decimal(repr(value))
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) + len(digits) > limits.number_digits:
        reason = "a number in the schema has too many digits"
        raise LimitExceeded(reason, limit="number_digits", allowed=limits.number_digits)
    fraction = Fraction(value)
    return fraction.numerator if fraction.denominator == 1 else fraction
