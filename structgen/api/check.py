"""A schema -> what a user should know before deploying it: is it enforced, by what, how large, what invites trouble.

Reads and compiles the schema once; linear in the schema beside the compilation itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from structgen.api.sources import document_of
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedSchema
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.dialects import doubts, refuse_wrapped
from structgen.grammars.json_schema.keywords import keywords_of
from structgen.grammars.json_schema.reader import Node, Reader
from structgen.grammars.json_schema.report import impossible_parts
from structgen.grammars.json_schema.string import DIALECT, SHOWN_FORMAT
from structgen.grammars.json_schema.style import JsonStyle
from structgen.options import Limits
from structgen.warmup import ensure_compiled

__all__ = ["Findings", "check"]

HUGE_ENUM = 1000


@dataclass(frozen=True, slots=True)
class Findings:
    """What `check` found.

    field        meaning
    supported    the schema is enforced exactly
    reason       why not, with the JSON pointer; "" when it is
    draft        the JSON Schema draft it is read under
    enforced     keywords that restrict the output -> how often they occur
    annotations  names without a meaning to validation -> how often they occur
    size         rules, nodes and edges of the automaton; empty when not supported
    residual     where elements or keys have to differ, which is checked beside the automaton
    seconds      spent compiling
    warnings     (JSON pointer, what may go wrong there)
    """

    supported: bool
    reason: str
    draft: int
    enforced: Mapping[str, int]
    annotations: Mapping[str, int]
    size: Mapping[str, int]
    residual: tuple[str, ...]
    seconds: float
    warnings: tuple[tuple[str, str], ...]


def check(
    source: object,
    *,
    style: JsonStyle | None = None,
    limits: Limits | None = None,
    dialect: str | None = None,
    strict: bool = False,
) -> Findings:
    """Findings about anything `schema=` takes; under `strict`, a schema with keywords that look misspelled or belong to
    another draft is not supported, as `compile` has it. Raises SchemaError when it is no schema at all."""
    limits = limits or Limits()
    schema = document_of(source, None, dialect).enforced
    refuse_wrapped(schema)
    reader = Reader(limits)
    draft = reader.read(schema).draft
    enforced, annotations = _count(reader)
    ensure_compiled()  # the kernels, once per machine: not what the schema costs
    started, reason, size = time.perf_counter(), "", {}
    residual: tuple[str, ...] = ()
    try:
        grammar = compile_schema(schema, style=style, limits=limits).grammar
        networks = build_network(grammar)
    except (LimitExceeded, UnsupportedSchema, Unsatisfiable) as error:
        reason = str(error)
    else:
        arrays = networks.arrays
        edges = len(arrays.arcs) + len(arrays.calls) + len(arrays.silent)
        size = {"rules": len(networks.names), "nodes": len(arrays.nodes) - 1, "edges": edges}
        residual = tuple(grammar.rules[rule].name for rule, _ in grammar.distinct)
    seconds = time.perf_counter() - started
    parts = impossible_parts(reader, limits) if not reason else ()
    pruned = tuple((pointer, f"left out, as nothing satisfies it: {why}") for pointer, why in parts)
    meant = tuple((doubt.pointer, doubt.reason) for doubt in doubts(reader))
    if strict and meant and not reason:
        reason = "{1} at {0}".format(*meant[0])
    warnings = (*pruned, *meant, *(warning for node in reader.nodes.values() for warning in _warnings(node)))
    return Findings(not reason, reason, draft, enforced, annotations, size, residual, seconds, warnings)


def _count(reader: Reader) -> tuple[dict[str, int], dict[str, int]]:
    enforced: Counter[str] = Counter()
    annotations: Counter[str] = Counter()
    for node in reader.nodes.values():
        table = keywords_of(node.draft)
        for name in node.schema:
            entry = table.get(name)
            if name in (DIALECT, SHOWN_FORMAT):  # of types, which their own patterns show already
                continue
            if entry is None:
                annotations[name] += 1
            elif entry.on != "place":
                enforced[name] += 1
    return dict(sorted(enforced.items())), dict(sorted(annotations.items()))


def _warnings(node: Node) -> Iterator[tuple[str, str]]:
    schema = node.schema
    for keyword in ("oneOf", "anyOf"):
        for name in _told_late(schema.get(keyword, [])):
            text = (
                f"{name!r} tells the alternatives apart but is not the first property: a model writes others before it"
            )
            yield node.at(keyword), text
    listed = schema.get("enum")
    if isinstance(listed, list) and len(listed) > HUGE_ENUM:
        yield node.pointer, f"an enum of {len(listed)} values: slow to compile, hard for a model to choose from"
    if listed is not None or "const" in schema:
        return
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds or []
    if "string" in kinds and not schema.keys() & {"maxLength", "pattern", "format"}:
        yield node.pointer, "a string without maxLength: a model may write until the budget ends"
    if "array" in kinds and "maxItems" not in schema and _more_items(schema):
        yield node.pointer, "an array without maxItems: a model may go on until the budget ends"
    if "object" in kinds and "properties" in schema and not _is_closed(schema):
        yield node.pointer, "an object open to other members: additionalProperties is not false"


def _told_late(options: list[Any]) -> Iterator[str]:
    """Properties that tell all the alternatives apart and yet do not come first in some of them."""
    shapes: list[dict[str, Any]] = []
    for option in options:
        properties = option.get("properties") if isinstance(option, dict) else None
        if not isinstance(properties, dict) or not properties:
            return
        shapes.append(properties)
    for name in shapes[0] if len(shapes) > 1 else ():
        marks = [shape.get(name) for shape in shapes]
        fixed = all(isinstance(mark, dict) and ("const" in mark or "enum" in mark) for mark in marks)
        if fixed and any(next(iter(shape)) != name for shape in shapes):
            yield name


def _more_items(schema: Mapping[str, Any]) -> bool:
    rest = schema.get("items", True)
    return schema.get("additionalItems", True) is not False if isinstance(rest, list) else rest is not False


def _is_closed(schema: Mapping[str, Any]) -> bool:
    return "additionalProperties" in schema or schema.get("unevaluatedProperties") is False
