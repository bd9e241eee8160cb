"""Documents as people have them: another dialect, a wrapper, a misspelled keyword, other documents."""

from __future__ import annotations

import json
import warnings
from typing import Any

import jsonschema
import pytest
import referencing

import structgen as sg
from structgen.api.check import check
from structgen.cli import main
from structgen.errors import OptionError, SchemaError, SchemaWarning, StructgenError, UnsupportedSchema
from structgen.grammars.json_schema.dialects import DIALECTS, in_dialect

VOCABULARY = sg.Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), b""], eos=[256])
D7 = "http://json-schema.org/draft-07/schema#"
TUPLE: dict[str, Any] = {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False}


def accepted(schema: Any, values: list[Any], **options: Any) -> list[bool]:
    constraint = sg.compile(schema=schema, vocabulary=VOCABULARY, **options)
    return [constraint.accepts(json.dumps(value)) for value in values]


@pytest.mark.parametrize(
    ("dialect", "schema", "values"),
    [
        ("draft4", {"minimum": 1, "exclusiveMinimum": True}, [1, 2]),
        ("draft4", {"type": "integer"}, [1, 1.5]),
        ("draft6", TUPLE, [[1, "a"], ["a"], [1, "a", 2]]),
        ("draft7", TUPLE, [[1, "a"], ["a"], [1, "a", 2]]),
        ("draft7", {"type": "object", "dependencies": {"a": ["b"]}}, [{"a": 1}, {"a": 1, "b": 1}]),
        ("2019-09", TUPLE, [[1, "a"], [1, "a", 2]]),
        ("2020-12", {"prefixItems": [{"type": "integer"}]}, [[1], ["a"]]),
    ],
)
def test_a_dialect_is_what_the_schema_could_have_said(dialect: str, schema: dict[str, Any], values: list[Any]) -> None:
    judge = jsonschema.validators.validator_for({"$schema": DIALECTS[dialect]})(schema)
    expected = [judge.is_valid(value) for value in values]
    assert accepted(schema, values, dialect=dialect) == expected and len(set(expected)) == 2
    assert accepted({"$schema": DIALECTS[dialect], **schema}, values) == expected


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"type": "string", "nullable": False}, ["a"], [None]),
        ({"nullable": True, "minimum": 3}, [3, None], [2]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, ["a"], [None, "b"]),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"type": "array", "items": {"type": "integer", "nullable": True}}, [[1, None]], [["a"]]),
        ({"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}, [{"a": None}], [{"a": 1}]),
        ({"x-kubernetes-int-or-string": True}, [1, "a"], [None, [1]]),
        ({"allOf": [{"type": "object", "nullable": True}], "not": {"type": "boolean", "nullable": True}}, [{}], [None]),
        (
            {
                "$ref": "#/components/schemas/Pet",
                "components": {"schemas": {"Pet": {"type": "array", "items": {"type": "string", "nullable": True}}}},
            },
            [["a", None]],
            [[1]],
        ),
    ],
)
def test_openapi(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    before = json.dumps(schema)
    assert accepted(schema, [*good, *bad], dialect="openapi-3.0") == [True] * len(good) + [False] * len(bad)
    assert json.dumps(schema) == before, "the caller's own document is left alone"


def test_a_dialect_and_another_schema_contradict_each_other() -> None:
    with pytest.raises(OptionError, match="draft-07"):
        in_dialect({"$schema": D7}, "draft4")
    with pytest.raises(OptionError, match="draft4, draft6"):
        sg.compile(schema={}, vocabulary=VOCABULARY, dialect="draft5")
    with pytest.raises(OptionError, match="Python type"):
        sg.compile(schema=int, vocabulary=VOCABULARY, dialect="draft7")
    with pytest.raises(OptionError, match="beside schema"):
        sg.compile(regex="a", vocabulary=VOCABULARY, dialect="draft7")
    assert in_dialect({"$schema": D7}, "draft7") == {"$schema": D7} and in_dialect(True, "draft4") is True


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        (TUPLE, "prefixItems"),
        ({"minimum": 1, "exclusiveMinimum": True}, "draft4"),
        ({"maximum": 1, "exclusiveMaximum": False}, "openapi-3.0"),
        ({"properties": {"a": {"type": "string", "required": True}}}, "lists the names"),
    ],
)
def test_an_older_idiom_is_refused_with_a_hint(schema: dict[str, Any], hint: str) -> None:
    with pytest.raises(SchemaError, match=hint):
        sg.compile(schema=schema, vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    ("schema", "pointer", "hint"),
    [
        ({"type": "object", "additionalproperties": False}, "#/additionalproperties", "'additionalProperties' is one"),
        ({"type": "object", "requried": ["a"]}, "#/requried", "'required' is one"),
        ({"type": "object", "propertys": {}}, "#/propertys", "'properties' is one"),
        ({"type": "string", "max_length": 3}, "#/max_length", "'maxLength' is one"),
        ({"properties": {"a": {"minimun": 1}}}, "#/properties/a/minimun", "'minimum' is one"),
        ({"dependencies": {"a": ["b"]}}, "#/dependencies", "dependentRequired"),
        ({"type": "string", "nullable": True}, "#/nullable", "openapi-3.0"),
    ],
)
def test_near_misses_warn_and_strict_refuses_them(schema: dict[str, Any], pointer: str, hint: str) -> None:
    with pytest.warns(SchemaWarning, match=hint) as told:
        sg.compile(schema=schema, vocabulary=VOCABULARY)
    assert len(told) == 1 and str(told[0].message).startswith(pointer)
    with pytest.raises(UnsupportedSchema, match=hint) as caught:
        sg.compile(schema=schema, vocabulary=VOCABULARY, strict=True)
    assert caught.value.pointer == pointer
    assert (pointer, str(told[0].message).removeprefix(f"{pointer}: ")) in check(schema).warnings


def test_what_is_meant_as_an_annotation_does_not_warn() -> None:
    schema = {
        "title": "t", "x-order": 1, "formatted": True, "propertyOrder": 1, "nullable": False, "tsType": "A", "id": 1,
        "properties": {"requried": {"type": "integer"}, "additionalproperties": {"enum": [{"minimun": 1}]}},
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.compile(schema=schema, vocabulary=VOCABULARY, strict=True)


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}, "in json_schema.schema"),
        ({"type": "json_schema", "name": "x", "schema": {}}, "in schema"),
        ({"type": "function", "function": {"name": "f", "parameters": {}}}, "in function.parameters"),
        ({"type": "function", "name": "f", "parameters": {}}, "in parameters"),
        ({"name": "f", "description": "d", "input_schema": {}}, r"\['input_schema'\]"),
        ({"name": "f", "parameters": {"type": "object"}}, r"\['parameters'\]"),
        ({"name": "string", "age": "integer"}, '"name": {"type": "string"}'),
        ({"name": "str"}, "properties"),
    ],
)
def test_a_wrapper_says_what_to_pass(document: dict[str, Any], hint: str) -> None:
    with pytest.raises(SchemaError, match=hint):
        sg.compile(schema=document, vocabulary=VOCABULARY)
    with pytest.raises(SchemaError, match=hint):
        check(document)


def test_defs_is_no_keyword_before_2019() -> None:
    schema = {"$schema": D7, "$defs": {"note": "for people", "n": {"minimum": 3}}, "$ref": "#/$defs/n"}
    assert accepted(schema, [3, 2]) == [True, False]
    with pytest.raises(SchemaError, match="must be a schema"):
        sg.compile(schema={"$defs": {"note": "for people"}}, vocabulary=VOCABULARY)


@pytest.mark.parametrize("dialect", ["draft4", "draft6", "draft7"])
def test_the_published_metaschemas_are_known(dialect: str) -> None:
    values = [{"properties": {"a": {"minLength": 1}}}, {"type": 3}, {"minLength": -1}]
    assert accepted({"$schema": DIALECTS[dialect], "$ref": DIALECTS[dialect]}, values) == [True, False, False]
    empty = referencing.Registry()  # type: ignore[var-annotated]
    assert accepted({"$schema": DIALECTS[dialect], "$ref": DIALECTS[dialect]}, values, registry=empty)[0]


def test_an_unknown_document_is_an_error_of_ours_with_a_pointer() -> None:
    def fails(uri: str) -> Any:
        raise ConnectionError(uri)

    registries = [None, referencing.Registry(), referencing.Registry(retrieve=fails)]  # type: ignore[var-annotated,call-arg]
    for registry in registries:
        with pytest.raises(StructgenError) as caught:
            sg.compile(schema={"not": {"$ref": "part.json"}}, vocabulary=VOCABULARY, registry=registry)
        assert isinstance(caught.value, UnsupportedSchema) and caught.value.pointer == "#/not/$ref"


def test_the_command_line_knows_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", json.dumps(TUPLE), "--dialect", "draft7"]) == 0
    assert "draft 7" in capsys.readouterr().out
    assert main(["check", json.dumps({"type": "object", "requried": ["a"]})]) == 0
    assert "'required' is one" in capsys.readouterr().out
