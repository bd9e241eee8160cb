"""Spelling: whitespace, order of properties, escapes, numbers."""

from __future__ import annotations

import itertools
import json

from structgen.grammars.json_schema import JsonStyle, compile_schema
from tests.json_schema.recogniser import accepts

SCHEMA = {
    "properties": {"b": {"type": "integer"}, "a": {"type": "array", "items": {"type": "string"}}},
    "required": ["b", "z"],
    "additionalProperties": {"type": "null"},
    "type": "object",
}
VALUE = {"b": 1, "a": ["x", "y"], "z": None, "other": None}


def taken(style: JsonStyle, *texts: str) -> list[bool]:
    grammar = compile_schema(SCHEMA, style=style).grammar
    return [accepts(grammar, text) for text in texts]


def test_whitespace() -> None:
    compact, usual, indented = json.dumps(VALUE, separators=(",", ":")), json.dumps(VALUE), json.dumps(VALUE, indent=4)
    wild, far = usual.replace(":", "\t: \r\n"), json.dumps(VALUE, indent=41)
    texts = (compact, usual, indented, wild, far)
    assert taken(JsonStyle(whitespace="compact"), *texts) == [True, False, False, False, False]
    assert taken(JsonStyle(whitespace="json_dumps"), *texts) == [False, True, False, False, False]
    assert taken(JsonStyle(), *texts) == [True, True, True, False, False]
    assert taken(JsonStyle.any(), *texts, f" \n{usual}\t") == [True] * 6


def test_declared_order_then_required_then_others() -> None:
    style = JsonStyle(whitespace="compact")
    for keys in itertools.permutations(VALUE):
        text = json.dumps({key: VALUE[key] for key in keys}, separators=(",", ":"))
        assert taken(style, text) == [keys == ("b", "a", "z", "other")], keys
        assert taken(JsonStyle.any(), text) == [True]
    assert taken(style, '{"b":1,"z":null}', '{"b":1}', "{}") == [True, False, False]


def test_known_keys_are_not_repeated() -> None:
    repeated = '{"b":1,"z":null,"b":1}'
    assert taken(JsonStyle.any(), repeated) == [False]
    assert taken(JsonStyle(), repeated, '{"b":1,"z":null,"z":null}') == [False, False]


def test_escapes() -> None:
    schema = {"properties": {"é": {"const": "\n/é"}}, "additionalProperties": False}
    raw, escaped = '{"é":"\\n/é"}', '{"\\u00e9":"\\u000a\\/\\u00E9"}'
    ascii_text = '{"\\u00e9":"\\n/\\u00e9"}'
    for style, expected in {
        JsonStyle(): [True, False, False],
        JsonStyle(ascii_only=True): [False, False, True],
        JsonStyle(escapes="any"): [True, True, True],
    }.items():
        grammar = compile_schema(schema, style=style).grammar
        assert [accepts(grammar, text) for text in (raw, escaped, ascii_text)] == expected


def test_integers() -> None:
    for style, expected in {JsonStyle(): [True, False, False, False], JsonStyle.any(): [True] * 4}.items():
        grammar = compile_schema({"type": "integer"}, style=style).grammar
        assert [accepts(grammar, text) for text in ("5", "-0", "5.0", "1e2")] == expected


def test_one_rule_for_equal_shapes_and_linear_size() -> None:
    def size(count: int) -> int:
        properties = {f"p{i}": {"type": "string"} for i in range(count)}
        grammar = compile_schema({"properties": properties, "additionalProperties": False}).grammar
        return len(grammar.rules) * 1000 + len(repr(grammar))

    assert size(200) < 2.2 * size(100)
    twice = {"type": "array", "items": {"enum": ["a", 1]}}
    grammar = compile_schema(
        {"type": "object", "properties": {"x": twice, "y": twice}, "additionalProperties": False}
    ).grammar
    assert sum(rule.name.startswith("array") for rule in grammar.rules[grammar.common :]) == 1
