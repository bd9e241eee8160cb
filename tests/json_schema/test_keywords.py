"""Each keyword, by a table of values it accepts and rejects; `jsonschema` must agree with the table."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from structgen.grammars.json_schema import JsonStyle, compile_schema
from tests.json_schema.recogniser import accepts

D4, D7 = "http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"
D2019 = "https://json-schema.org/draft/2019-09/schema"

TABLE: list[tuple[Any, list[Any], list[Any]]] = [
    # any
    (True, [None, 1, "x", [[]], {"a": {}}], []),
    ({}, [None, 1.5, -0.25, "x", [1, "a"], {"a": {"b": []}}], []),
    ({"title": "t", "x-unknown": 5, "nullable": True, "type": "string"}, ["a"], [None]),
    # type
    ({"type": "null"}, [None], [0, False, "null", []]),
    ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
    ({"type": "integer"}, [0, -7, 10**30], [1.5, -0.1, "1", True]),
    ({"type": "number"}, [0, -7, 1.5, 1e-05, 1e16, 1.5e300], ["1", None]),
    ({"type": "string"}, ["", "é\u2028\U0001f600", '"\\/\b\f\n\r\t\x01'], [1, None]),
    ({"type": ["string", "null"]}, ["a", None], [1, []]),
    ({"type": "array"}, [[], [1, "a", None]], [{}]),
    ({"type": "object"}, [{}, {"a": 1}], [[]]),
    # enum, const
    (
        {"enum": [1, "a", None, True, [1, {}], {"a": [2]}]},
        [1, "a", None, True, [1, {}], {"a": [2]}],
        [2, False, [1], {}],
    ),
    ({"const": 0}, [0], [False, "0", [], 0.5]),
    ({"const": False}, [False], [0, None]),
    ({"const": {"a": [1, None]}}, [{"a": [1, None]}], [{"a": [1]}, {"a": [1, None], "b": 1}, {}]),
    ({"enum": ["a", "b"], "minLength": 1, "pattern": "a"}, ["a"], ["b"]),
    ({"enum": [1, 2, 3, "x"], "minimum": 2}, [2, 3, "x"], [1]),
    # strings
    ({"minLength": 2}, ["ab", "\U0001f600\U0001f600", 1], ["", "a", "\U0001f600"]),
    ({"maxLength": 2}, ["", "ab", "\U0001f600\U0001f600", []], ["abc"]),
    ({"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a+$"}, ["a", "aaa"], ["", "aaaa", "ab"]),
    ({"pattern": "b+"}, ["abc", "b"], ["", "ac"]),
    # numbers
    ({"minimum": 1.5}, [1.5, 2, 1e20, "x"], [1.4, 0, -3, 1e-7]),
    ({"maximum": -3}, [-3, -4.5, -1e18], [-2.9, 0, 5]),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5, 1e-9, 0.999], [0, 1, -0.5, 1.5]),
    ({"type": "integer", "minimum": -12, "maximum": 345}, [-12, 0, 7, 99, 345], [-13, 346, 1000, 0.5]),
    ({"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 100}, [10, 55, 99], [9, 100, 0]),
    ({"multipleOf": 3}, [0, 3, -9, 300, "a"], [1, 10, 1.5]),
    ({"multipleOf": 0.25}, [0.25, -1.75, 3, 0], [0.3, 0.125]),
    ({"type": "integer", "multipleOf": 7, "minimum": 10}, [14, 21, 700], [7, 13, 15]),
    ({"$schema": D4, "minimum": 2, "exclusiveMinimum": True}, [2.5, 3], [2, 1]),
    ({"$schema": D4, "maximum": 2, "exclusiveMaximum": False}, [2, 1], [2.5]),
    ({"not": {"multipleOf": 2}}, [1, 3, 0.5], [0, 2, "a"]),
    # arrays
    ({"items": {"type": "integer"}}, [[], [1, 2], "x"], [["a"], [1, None]]),
    ({"items": False}, [[], 1], [[1]]),
    ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, [[], [1], [1, "a"], [1, "a", None]], [["a"], [1, 2]]),
    ({"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 2}, [[1, 2], [1, 2, 2]], [[1], [1, 1], [2, 2]]),
    ({"prefixItems": [True, True], "items": False}, [[], [1, 2]], [[1, 2, 3]]),
    ({"$schema": D7, "items": [{"const": 1}], "additionalItems": {"const": 2}}, [[], [1], [1, 2, 2]], [[2], [1, 1]]),
    ({"$schema": D7, "items": {"const": 1}, "additionalItems": False}, [[1, 1]], [[2]]),
    ({"minItems": 2, "maxItems": 3}, [[1, 2], [1, 2, 3], {}], [[], [1], [1, 2, 3, 4]]),
    ({"contains": {"const": 5}}, [[5], [1, 5], [5, 5, 2]], [[], [1, 2]]),
    (
        {"contains": {"const": 5}, "maxItems": 3, "prefixItems": [{"type": "integer"}]},
        [[5], [1, 5, 7]],
        [[1, 2], ["x", 5]],
    ),
    ({"$schema": D2019, "contains": {"const": 5}, "minContains": 0}, [[], [1]], []),
    ({"uniqueItems": False}, [[1, 1]], []),
    ({"uniqueItems": True, "maxItems": 1}, [[], [1]], [[1, 2]]),
    ({"allOf": [{"contains": {"const": 1}}, {"contains": {"const": 2}}]}, [[1, 2], [2, 3, 1]], [[1], [2, 2]]),
    ({"not": {"items": {"type": "integer"}}}, [["a"], [1, None]], [[], [1], 5]),
    ({"not": {"minItems": 2}}, [[], [1]], [[1, 2], "x"]),
    # objects
    (
        {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
        [{"a": 1}, {"a": 1, "b": None}, 5],
        [{}, {"a": "x"}],
    ),
    ({"required": ["x"]}, [{"x": None}, {"x": 1, "y": 2}], [{}, {"y": 1}]),
    ({"properties": {"a": True}, "additionalProperties": False}, [{}, {"a": 1}], [{"b": 1}, {"a": 1, "b": 2}]),
    ({"properties": {"a": True}, "additionalProperties": {"type": "null"}}, [{"a": 1, "b": None}], [{"b": 1}]),
    ({"properties": {"a": False}}, [{}, {"b": 1}], [{"a": 1}]),
    ({"patternProperties": {"^x": {"type": "integer"}}}, [{"x": 1, "y": "a"}, {}], [{"xa": "a"}]),
    (
        {"patternProperties": {"a": {"minimum": 2}, "b": {"maximum": 5}}, "additionalProperties": False},
        [{"a": 9, "b": 1, "ab": 3}],
        [{"ab": 1}, {"ab": 6}, {"c": 1}],
    ),
    (
        {"properties": {"ab": {"multipleOf": 2}}, "patternProperties": {"^a": {"minimum": 3}}},
        [{"ab": 4}],
        [{"ab": 2}, {"ab": 5}],
    ),
    ({"propertyNames": {"pattern": "^[a-c]+$"}}, [{}, {"abc": 1}], [{"d": 1}, {"": 1}]),
    ({"propertyNames": {"enum": ["a", "b"]}, "minProperties": 1}, [{"a": 1}], [{}, {"c": 1}]),
    ({"minProperties": 1, "properties": {"a": True, "b": True}}, [{"a": 1}, {"c": 1}], [{}]),
    ({"maxProperties": 1, "properties": {"a": True}}, [{}, {"a": 1}, {"b": 1}], [{"a": 1, "b": 1}]),
    ({"minProperties": 2, "maxProperties": 2}, [{"a": 1, "b": 1}], [{"a": 1}, {"a": 1, "b": 1, "c": 1}]),
    ({"dependentRequired": {"a": ["b", "c"]}}, [{}, {"b": 1}, {"a": 1, "b": 1, "c": 1}], [{"a": 1}, {"a": 1, "b": 1}]),
    ({"dependentSchemas": {"a": {"minProperties": 2}}}, [{}, {"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    (
        {"$schema": D7, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
        [{}, {"a": 1, "b": 1}],
        [{"a": 1}, {"c": 1}],
    ),
    # combinations
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 5, None], [4]),
    ({"allOf": [{"minimum": 2}, {"maximum": 4}, {"type": "integer"}]}, [2, 3, 4], [1, 5, 2.5]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, [1, 2.5, "x"], [3, 1.5]),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, [{"a": 1}, {"b": 1}], [{}, {"a": 1, "b": 1}, 5]),
    (
        {
            "oneOf": [
                {"properties": {"t": {"const": "a"}, "v": {"type": "integer"}}, "required": ["t"]},
                {"properties": {"t": {"const": "b"}, "v": {"type": "string"}}, "required": ["t"]},
            ]
        },
        [{"t": "a", "v": 1}, {"t": "b", "v": "x"}, {"t": "a"}],
        [{"t": "a", "v": "x"}, {"t": "c"}, {}],
    ),
    ({"oneOf": [True]}, [1], []),
    ({"oneOf": [{"type": "string"}, {"type": "string"}, {"type": "null"}]}, [None], ["a", 1]),
    ({"oneOf": [{"items": {"type": "integer"}}, {"maxItems": 1}]}, [["a"], [1, 2]], [[1], [], ["a", "b"]]),
    ({"not": {"type": "string"}}, [1, None, [], {}], ["a"]),
    ({"not": {"required": ["a"]}}, [{}, {"b": 1}], [{"a": 1}, 5]),
    (
        {"not": {"properties": {"a": {"const": 1}}, "required": ["b"]}},
        [{"a": 2, "b": 1}, {}, {"a": 1}],
        [{"a": 1, "b": 2}],
    ),
    ({"not": {"additionalProperties": {"type": "integer"}}}, [{"a": "x"}, {"b": 1, "a": None}], [{}, {"a": 1}]),
    ({"not": {"enum": [1, "a", [1]]}}, [2, "b", [], [1, 2], {}], [1, "a", [1]]),
    ({"if": {"minimum": 5}, "then": {"multipleOf": 2}, "else": {"multipleOf": 3}}, [6, 3, 8], [7, 4]),
    (
        {"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["v"]}},
        [{"k": 2}, {"v": 1}, {"k": 1, "v": 0}],
        [{"k": 1}, {}],
    ),
    # references
    ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}, [1], ["a"]),
    ({"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": {"type": "integer"}}}, [3], [2, 3.5]),
    (
        {"$schema": D7, "$ref": "#/definitions/a", "minimum": 3, "definitions": {"a": {"type": "integer"}}},
        [3, 2],
        ["a"],
    ),
    ({"$defs": {"a/b~c %": {"const": 1}}, "items": {"$ref": "#/$defs/a~1b~0c%20%25"}}, [[1]], [[2]]),
    ({"$defs": {"x": {"$anchor": "here", "const": 1}}, "items": {"$ref": "#here"}}, [[1]], [[2]]),
    ({"$id": "http://e.x/s", "$defs": {"i": {"$id": "t", "const": 1}}, "items": {"$ref": "t"}}, [[1]], [[2]]),
    (
        {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
        [{}, {"next": {"next": {}}}],
        [{"next": {"x": 1}}],
    ),
    (
        {
            "$defs": {"t": {"type": ["integer", "array"], "items": {"$ref": "#/$defs/t"}}},
            "$ref": "#/$defs/t",
            "maxItems": 1,
        },
        [1, [], [1], [[1, [2]]]],
        [[1, 2], ["a"], [["a"]]],
    ),
    (
        {"not": {"$ref": "#/$defs/t"}, "$defs": {"t": {"items": {"$ref": "#/$defs/t"}, "type": "array"}}},
        [1, [1], [[], [1]]],
        [[], [[]]],
    ),
]


def texts(value: Any, **options: Any) -> list[str]:
    """What json.dumps writes compact, by default and indented."""
    separators = (",", ":")
    return [
        json.dumps(value, **options),
        json.dumps(value, separators=separators, **options),
        json.dumps(value, indent=2, **options),
    ]


@pytest.mark.parametrize(("schema", "good", "bad"), TABLE, ids=[json.dumps(row[0])[:60] for row in TABLE])
def test_table(schema: Any, good: list[Any], bad: list[Any]) -> None:
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert all(map(validator.is_valid, good))
    assert not any(map(validator.is_valid, bad))
    flexible, full = (compile_schema(schema, style=style).grammar for style in (JsonStyle(), JsonStyle.any()))
    for value in good:
        assert all(accepts(flexible, text) for text in texts(value, ensure_ascii=False)), value
        assert all(accepts(full, text) for text in [*texts(value), *texts(value, ensure_ascii=False)]), value
    for value in bad:
        assert not any(accepts(grammar, text) for text in texts(value) for grammar in (flexible, full)), value
