"""What is refused, with which error, and where it points."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from structgen.errors import LimitExceeded, OptionError, SchemaError, Unsatisfiable, UnsupportedSchema
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.json_schema.keywords import NATURAL, keyword
from tests.json_schema.recogniser import accepts

D4 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (5, "#"),
        (None, "#"),
        ({"type": 5}, "#/type"),
        ({"type": "strin"}, "#/type"),
        ({"type": []}, "#/type"),
        ({"minimum": "a"}, "#/minimum"),
        ({"minimum": True}, "#/minimum"),
        ({"exclusiveMinimum": True}, "#/exclusiveMinimum"),
        ({"$schema": D4, "exclusiveMinimum": 3}, "#/exclusiveMinimum"),
        ({"multipleOf": 0}, "#/multipleOf"),
        ({"minLength": -1}, "#/minLength"),
        ({"minLength": 1.5}, "#/minLength"),
        ({"pattern": "("}, "#/pattern"),
        ({"patternProperties": {"[": {}}}, "#/patternProperties/["),
        ({"required": "x"}, "#/required"),
        ({"required": ["x", "x"]}, "#/required"),
        ({"properties": []}, "#/properties"),
        ({"properties": {"a~/b": {"items": 3}}}, "#/properties/a~0~1b/items"),
        ({"anyOf": []}, "#/anyOf"),
        ({"allOf": [{}, 3]}, "#/allOf/1"),
        ({"$ref": "#/nope"}, "#/$ref"),
        ({"items": {"$ref": "#nope"}}, "#/items/$ref"),
        ({"$defs": {"unused": {"type": "x"}}}, "#/$defs/unused/type"),
        ("{", ""),
        ('{"minimum": NaN}', ""),
    ],
)
def test_not_a_schema(schema: Any, pointer: str) -> None:
    with pytest.raises(SchemaError) as caught:
        compile_schema(schema)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("schema", "pointer", "name"),
    [
        ({"not": {"uniqueItems": True}}, "#/not/uniqueItems", "uniqueItems"),
        ({"not": {"propertyNames": {"format": "regex"}}}, "#/not/propertyNames", "propertyNames"),
        ({"type": "array", "contains": {}, "maxContains": 5000}, "#", "contains"),
        ({"$ref": "http://elsewhere.example/s"}, "#/$ref", "$ref"),
        ({"$schema": "http://elsewhere.example/s"}, "#/$schema", "$schema"),
    ],
)
def test_unsupported(schema: Any, pointer: str, name: str) -> None:
    with pytest.raises(UnsupportedSchema) as caught:
        compile_schema(schema)
    assert (caught.value.pointer, caught.value.keyword) == (pointer, name)


def test_what_does_not_apply_is_no_obstacle() -> None:
    grammar = compile_schema({"type": "string", "contains": {}, "maxContains": 5000}).grammar
    assert accepts(grammar, '"a"')


@pytest.mark.parametrize(
    ("schema", "conflict"),
    [
        (False, ()),
        ({"type": "integer", "minimum": 5, "maximum": 3}, ("#/minimum", "#/maximum")),
        ({"allOf": [{"type": "string"}, {"type": "object"}]}, ("#/allOf/0/type", "#/allOf/1/type")),
        ({"$ref": "#/$defs/a", "type": "null", "$defs": {"a": {"type": "string"}}}, ("#/type", "#/$defs/a/type")),
        ({"type": "string", "enum": [1, 2]}, ("#/type", "#/enum")),
        ({"type": "string", "minLength": 3, "maxLength": 2}, ("#/minLength", "#/maxLength")),
        ({"type": "string", "pattern": "^a$", "const": "b"}, ("#/pattern", "#/const")),
        (
            {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
            ("#/exclusiveMinimum", "#/exclusiveMaximum"),
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "minItems": 2, "maxItems": 1}}},
            ("#/properties/a/minItems", "#/properties/a/maxItems"),
        ),
        (
            {"type": "object", "required": ["a"], "additionalProperties": False},
            ("#/required", "#/additionalProperties"),
        ),
        ({"type": "object", "minProperties": 3, "maxProperties": 2}, ("#/minProperties", "#/maxProperties")),
        ({"type": "object", "required": ["a", "b"], "maxProperties": 1}, ("#/required", "#/maxProperties")),
        (
            {"type": "object", "required": ["a"], "propertyNames": {"enum": ["b"]}},
            ("#/required", "#/propertyNames"),
        ),
        (
            {"type": "object", "required": ["a"], "patternProperties": {"^a": False}},
            ("#/required", "#/patternProperties"),
        ),
        (
            {"type": "array", "contains": {"type": "string"}, "items": {"type": "integer"}, "maxItems": 9},
            ("#/contains", "#/items"),
        ),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}, ("#/items", "#/minItems")),
        ({"type": "string", "format": "date", "maxLength": 5}, ("#/format", "#/maxLength")),
        ({"const": 1, "not": {"type": "integer"}}, ("#/const", "#/not")),
        ({"enum": ["a", "b"], "not": {"pattern": "a|b"}}, ("#/enum", "#/not")),
        ({"if": True, "then": {"type": "null"}, "type": "string"}, ("#/if", "#/type")),
        (
            {"type": "integer", "anyOf": [{"type": "string"}, {"minimum": 5}], "maximum": 3},
            ("#/anyOf", "#/maximum"),
        ),
        (
            {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3},
            ("#/items", "#/uniqueItems", "#/minItems"),
        ),
        (
            {"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9, "title": "t"},
            ("#/multipleOf", "#/minimum", "#/maximum"),
        ),
        (
            {"allOf": [{"minimum": 1}, {"maximum": 5}, {"type": "number"}, {"multipleOf": 7}]},
            ("#/allOf/0/minimum", "#/allOf/1/maximum", "#/allOf/3/multipleOf"),
        ),
        ({"$ref": "#"}, ("#", "#")),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, ("#", "#/$defs/a")),
    ],
)
def test_unsatisfiable_names_the_conflict(schema: Any, conflict: tuple[str, ...]) -> None:
    with pytest.raises(Unsatisfiable) as caught:
        compile_schema(schema)
    assert caught.value.conflict == conflict


def test_impossible_parts_disappear() -> None:
    grammar = compile_schema({"anyOf": [{"type": "string", "minLength": 2, "maxLength": 1}, {"const": 1}]}).grammar
    assert accepts(grammar, "1")
    grammar = compile_schema({"type": "object", "properties": {"a": {"type": "null", "const": 1}}}).grammar
    assert accepts(grammar, "{}")
    assert not accepts(grammar, '{"a":null}')


def nested(depth: int, key: str) -> Any:
    schema: Any = {}
    for _ in range(depth):
        schema = {key: [schema]} if key in ("allOf", "anyOf") else {key: schema}
    return schema


def test_hostile_depth() -> None:
    for key in ("items", "allOf", "not"):
        with pytest.raises(LimitExceeded, match="schema_depth"):
            compile_schema(nested(10_000, key))
    with pytest.raises(LimitExceeded, match="schema_depth"):
        compile_schema('{"items":' * 10_000 + "{}" + "}" * 10_000)
    for key in ("allOf", "anyOf", "not"):
        with pytest.raises(LimitExceeded, match="inline_depth"):
            compile_schema(nested(900, key))
    compile_schema(nested(900, "items"))
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(500)}
    with pytest.raises(LimitExceeded, match="inline_depth"):
        compile_schema({"$ref": "#/$defs/d0", "$defs": {**chain, "d500": {}}})


def test_hostile_size() -> None:
    start = time.perf_counter()
    compile_schema({"type": "array", "minItems": 10**9, "maxItems": 10**9})
    compile_schema({"type": "string", "enum": [f"value {i}" for i in range(100_000)]})
    compile_schema(
        json.dumps({"properties": {f"name {i}": {"type": "string", "minLength": i % 7} for i in range(20_000)}})
    )
    assert time.perf_counter() - start < 20
    with pytest.raises(LimitExceeded, match="number_digits"):
        compile_schema('{"minimum": 1e1000000000}')


def test_hostile_combinations_end() -> None:
    parts = [{"required": [f"a{i}"]} for i in range(6)]
    with pytest.raises(LimitExceeded, match="shapes"):
        schema = {"allOf": [{"anyOf": [{"required": [f"{j}{i}"]} for i in range(6)]} for j in range(8)]}
        compile_schema(schema, style=JsonStyle.any())
    compile_schema({"oneOf": parts})


def test_registry_refuses_a_second_meaning() -> None:
    with pytest.raises(ValueError, match="twice"):
        keyword("minLength", on="string", form=NATURAL)(lambda value, scope: None)


def test_style_options_are_checked() -> None:
    with pytest.raises(OptionError):
        JsonStyle(whitespace="lots")  # type: ignore[arg-type]


def test_report_names_every_keyword() -> None:
    compiled = compile_schema(
        {"type": "string", "format": "unheard-of", "title": "t", "properties": {"a": {"const": 1}}}
    )
    assert {(entry.pointer, entry.status) for entry in compiled.report} == {
        ("#/type", "enforced"),
        ("#/format", "annotation"),
        ("#/title", "annotation"),
        ("#/properties", "enforced"),
        ("#/properties/a/const", "enforced"),
    }
