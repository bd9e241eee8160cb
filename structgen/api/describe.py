"""A schema -> a few lines that tell a model what to write: the schema's shape in the manner of a type declaration.

    Answer with JSON of this form and nothing else:
    {
      "name": string (1 to 40 characters),
      "age": integer (0 to 150),
      "city"?: string
    }

It is a hint: what it leaves out, the constraint enforces all the same. Cost: linear in what is written; a reference
inside itself is written by name, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from structgen.python_types.types import json_schema

__all__ = ["describe"]

_MOST_VALUES = 40  # of an enum
_MOST_LETTERS = 60  # of a pattern
_DEEPEST = 8


def describe(schema: Any) -> str:
    """A short description of anything `schema=` takes, to stand at the end of a prompt.

    `generate(..., describe=True)` puts it there; `describe=f` puts what f(JSON Schema) returns there instead.
    Raises what `schema=` raises.
    """
    found = json_schema(schema)
    writer = _Writer(found if isinstance(found, Mapping) else {})
    lines = [f"Answer with JSON of this form and nothing else:\n{writer.shape(found, '', ())}"]
    while writer.pending:
        name, reference = writer.pending.popitem()
        lines.append(f"where {name} is {writer.shape(writer.target(reference), '', (reference,))}")
    return "\n".join(lines)


class _Writer:
    """Writes shapes of one document; `pending` are the references that are still to be written by name."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root, self.pending, self._named = root, dict[str, str](), set[str]()

    def target(self, reference: str) -> Any:
        """What a JSON pointer inside the document leads to; True, anything, for other references."""
        node: Any = self.root
        for part in reference.split("/")[1:] if reference.startswith("#") else ["?"]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or key not in node:
                return True
            node = node[key]
        return node

    def shape(self, schema: Any, indent: str, inside: tuple[str, ...]) -> str:
        """One schema; `inside` are the references that led to it."""
        if not isinstance(schema, Mapping):
            return "nothing" if schema is False else "any JSON value"
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]), indent, inside)
        if "const" in schema or "enum" in schema:
            return _values([schema["const"]] if "const" in schema else schema["enum"])
        for keyword, joint in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
            if schema.get(keyword) and "properties" not in schema:
                shapes = [self.shape(part, indent, inside) for part in schema[keyword]]
                return joint.join(dict.fromkeys(shapes))
        kind = schema.get("type")
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            return " | ".join(self.shape({**schema, "type": one}, indent, inside) for one in kind)
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, indent, inside)
        if kind == "array":
            return self._array(schema, indent, inside)
        if kind == "string":
            return "string" + _facts(schema, ("minLength", "maxLength"), "characters", *_text_facts(schema))
        if kind in ("integer", "number"):
            return kind + _facts(schema, ("minimum", "maximum"), "", *_number_facts(schema))
        return str(kind or "any JSON value")

    def _reference(self, reference: str, indent: str, inside: tuple[str, ...]) -> str:
        if reference not in inside and len(inside) < _DEEPEST:
            return self.shape(self.target(reference), indent, (*inside, reference))
        name = reference.rsplit("/", 1)[-1] or "it"
        if reference not in self._named:
            self._named.add(reference)
            self.pending[name] = reference
        return name

    def _object(self, schema: Mapping[str, Any], indent: str, inside: tuple[str, ...]) -> str:
        inner, lines = indent + "  ", []
        required, properties = set(schema.get("required", ())), schema.get("properties", {})
        for name, part in properties.items():
            mark = "" if name in required else "?"
            lines.append(
                (f"{json.dumps(name, ensure_ascii=False)}{mark}: {self.shape(part, inner, inside)}", _note(part))
            )
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping):
            lines.append((f"(any name): {self.shape(extra, inner, inside)}", ""))
        if not lines:
            return "{}" if extra is False else "object"
        last = len(lines) - 1
        written = [f"{inner}{text}{',' * (at < last)}{note}" for at, (text, note) in enumerate(lines)]
        return "\n".join(["{", *written, indent + "}"])

    def _array(self, schema: Mapping[str, Any], indent: str, inside: tuple[str, ...]) -> str:
        items = schema.get("items", True)
        first = schema.get("prefixItems", items if isinstance(items, list) else [])
        parts = [self.shape(part, indent, inside) for part in first]
        if not isinstance(items, list) and items is not False and not (parts and "items" not in schema):
            parts += [self.shape(items, indent, inside), "..."]
        return f"[{', '.join(parts)}]" + _facts(schema, ("minItems", "maxItems"), "items")


def _values(values: Sequence[Any]) -> str:
    texts = [json.dumps(value, ensure_ascii=False, default=str) for value in values[:_MOST_VALUES]]
    return " | ".join([*texts, *["..."] * (len(values) > _MOST_VALUES)])


def _facts(schema: Mapping[str, Any], bounds: tuple[str, str], unit: str, *more: str) -> str:
    """What restricts a value, in parentheses."""
    low, high = (schema.get(name) for name in bounds)
    span = {
        (True, True): "",
        (False, True): f"at least {low}",
        (True, False): f"at most {high}",
        (False, False): f"{low}" if low == high else f"{low} to {high}",
    }[low is None, high is None]
    facts = [*([f"{span} {unit}".strip()] if span else []), *more]
    return f" ({', '.join(facts)})" if facts else ""


def _text_facts(schema: Mapping[str, Any]) -> list[str]:
    if "format" in schema:
        return [str(schema["format"])]
    pattern = str(schema.get("pattern", ""))
    return [f"matching {pattern}"] if 0 < len(pattern) <= _MOST_LETTERS else []


def _number_facts(schema: Mapping[str, Any]) -> list[str]:
    words = (("exclusiveMinimum", "above"), ("exclusiveMaximum", "below"), ("multipleOf", "a multiple of"))
    return [f"{word} {schema[name]}" for name, word in words if name in schema]


def _note(part: Any) -> str:
    """A property's description, behind it."""
    text = part.get("description") if isinstance(part, Mapping) else None
    return f"  // {' '.join(text.split())}" if isinstance(text, str) and text else ""
