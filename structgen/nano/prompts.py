"""From a schema and a text to the one prompt format that nano reads.

The schema is written as a JSON value of the same shape in which every leaf is the name of its type, e.g.
`{"name":"string","age?":"integer","tags":["string"],"state":"open|closed"}`; `?` marks a field that may be absent.
It is a hint for the model and says nothing about limits: the constraint enforces the schema itself.
The chat template of the tokenizer writes the same text from a system and a user message.
Cost: O(size of the schema); references are followed once per path, a cycle is cut with "any".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = [
    "ASSISTANT",
    "BOS",
    "CHAT_TEMPLATE",
    "EOS",
    "PAD",
    "SYSTEM",
    "USER",
    "prompt_text",
    "schema_text",
    "tool_prompt",
    "tools_schema",
    "tools_text",
]

BOS: Final = "<|bos|>"
EOS: Final = "<|eos|>"
PAD: Final = "<|pad|>"
SYSTEM: Final = "<|system|>"
USER: Final = "<|user|>"
ASSISTANT: Final = "<|assistant|>"

CHAT_TEMPLATE: Final = (
    "{{- '" + BOS + "' -}}"
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] -}}"
    "{%- if message['role'] == 'assistant' -%}{{- '" + EOS + "' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '" + ASSISTANT + "' -}}{%- endif -%}"
)

_MAX_DEPTH: Final = 16


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    """Follow a JSON pointer inside the root schema; anything else is unknown, hence `True`."""
    if not reference.startswith("#"):
        return True
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, Mapping) or key not in node:
            return True
        node = node[key]
    return node


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    if properties:
        return {
            name if name in required else f"{name}?": _outline(child, root, depth + 1)
            for name, child in properties.items()
        }
    extra = schema.get("additionalProperties", True)
    return {"*": _outline(extra, root, depth + 1)} if isinstance(extra, Mapping) else "object"


def _union(parts: Sequence[Any]) -> Any:
    """One outline for alternatives: leaf names joined by `|`; next to a structure, the structure says most."""
    structures = [part for part in parts if not isinstance(part, str)]
    return structures[0] if structures else "|".join(dict.fromkeys(parts))


def _outline(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return "any"
    if "$ref" in schema:
        return _outline(_resolve(schema["$ref"], root), root, depth + 1)
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "|".join(value if isinstance(value, str) else json.dumps(value) for value in schema["enum"])
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword) and "properties" not in schema:
            return _union([_outline(part, root, depth + 1) for part in schema[keyword]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([_outline({**schema, "type": one}, root, depth + 1) for one in kind])
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth)
    if kind == "array":
        items = schema.get("items", schema.get("prefixItems", [True])[0])
        return [_outline(items, root, depth + 1)]
    if kind == "string":
        return str(schema.get("format", "string"))
    return str(kind) if kind else "any"


def schema_text(schema: Mapping[str, Any] | bool | None) -> str:
    """The short form of a schema, as one line of compact JSON."""
    outline = _outline(schema, schema if isinstance(schema, Mapping) else {})
    return outline if isinstance(outline, str) else json.dumps(outline, ensure_ascii=False, separators=(",", ":"))


def prompt_text(schema: Mapping[str, Any] | bool | None, text: str) -> str:
    """The whole prompt for "write `text` as JSON under `schema`", special tokens included."""
    return f"{BOS}{SYSTEM}{schema_text(schema)}{USER}{text}{ASSISTANT}"


def tools_text(tools: Sequence[Mapping[str, Any]]) -> str:
    """One line per tool: its name, then the short form of its parameters."""
    return "\n".join(tool["name"] + schema_text(tool.get("parameters", {"type": "object"})) for tool in tools)


def tool_prompt(tools: Sequence[Mapping[str, Any]], request: str) -> str:
    """The whole prompt for "answer `request` with a call of one of `tools`"; a tool has `name` and `parameters`."""
    return f"{BOS}{SYSTEM}{tools_text(tools)}{USER}{request}{ASSISTANT}"


def tools_schema(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of a tool call, `{"name": ..., "arguments": {...}}`, for any of these tools."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool["name"]}, "arguments": tool.get("parameters", {"type": "object"})},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}
