"""Schemas as tools of the ecosystem write them: each compiles, takes what is meant and refuses what is not."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import START
from structgen.kinds import automaton_of

Case = tuple[dict[str, Any], list[Any], list[Any]]

CASES: dict[str, Case] = {
    "OpenAI strict mode: every property required, null for what may be missing, recursion by $defs": (
        {
            "type": "object",
            "properties": {
                "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
                "answer": {"type": ["string", "null"]},
                "unit": {"anyOf": [{"type": "string", "enum": ["m", "s"]}, {"type": "null"}]},
            },
            "$defs": {
                "step": {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string"},
                        "next": {"anyOf": [{"$ref": "#/$defs/step"}, {"type": "null"}]},
                    },
                    "required": ["text", "next"],
                    "additionalProperties": False,
                }
            },
            "required": ["steps", "answer", "unit"],
            "additionalProperties": False,
        },
        [
            {"steps": [], "answer": None, "unit": "m"},
            {"steps": [{"text": "a", "next": {"text": "b", "next": None}}], "answer": "b", "unit": None},
        ],
        [{"steps": [], "answer": None}, {"steps": [{"text": "a"}], "answer": None, "unit": None}],
    ),
    "OpenAPI 3.1: a discriminator is an annotation, the const properties decide": (
        {
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "discriminator": {"propertyName": "petType", "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}},
            "$defs": {
                "Pet": {"required": ["petType"], "properties": {"name": {"type": ["string", "null"]}}},
                "Cat": {
                    "allOf": [{"$ref": "#/$defs/Pet"}],
                    "type": "object",
                    "properties": {"petType": {"const": "cat"}, "lives": {"type": "integer", "maximum": 9}},
                    "unevaluatedProperties": False,
                },
                "Dog": {
                    "allOf": [{"$ref": "#/$defs/Pet"}],
                    "type": "object",
                    "properties": {"petType": {"const": "dog"}, "bark": {"type": "string"}},
                    "required": ["bark"],
                    "unevaluatedProperties": False,
                },
            },
        },
        [{"petType": "cat", "lives": 9, "name": None}, {"petType": "dog", "bark": "wow"}],
        [{"petType": "cat", "lives": 10}, {"petType": "dog"}, {"petType": "cat", "bark": "wow"}, {"petType": "cow"}],
    ),
    "pydantic: a discriminated union, a decimal, a date, bounded strings and lists, a set": (
        {
            "$defs": {
                "Card": {
                    "properties": {
                        "kind": {"const": "card", "title": "Kind", "type": "string"},
                        "number": {"maxLength": 19, "minLength": 12, "pattern": "^[0-9]+$", "type": "string"},
                    },
                    "required": ["kind", "number"],
                    "title": "Card",
                    "type": "object",
                },
                "Cash": {
                    "properties": {"kind": {"const": "cash", "default": "cash", "type": "string"}},
                    "title": "Cash",
                    "type": "object",
                },
            },
            "properties": {
                "amount": {
                    "anyOf": [{"exclusiveMinimum": 0, "type": "number"},
                              {"pattern": "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$", "type": "string"}],
                },
                "day": {"format": "date", "type": "string"},
                "tags": {"items": {"type": "string"}, "maxItems": 3, "type": "array", "uniqueItems": True},
                "by": {
                    "discriminator": {"mapping": {"cash": "#/$defs/Cash"}, "propertyName": "kind"},
                    "oneOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Cash"}],
                },
            },
            "required": ["amount", "by"],
            "type": "object",
        },
        [
            {"amount": 1.5, "by": {"kind": "cash"}},
            {"amount": "12.50", "day": "2024-02-29", "by": {"kind": "card", "number": "123456789012"}, "tags": ["a"]},
        ],
        [
            {"amount": 0, "by": {"kind": "cash"}},
            {"amount": 1, "day": "2023-02-29", "by": {"kind": "cash"}},
            {"amount": 1, "tags": ["a", "a"], "by": {"kind": "cash"}},
            {"amount": 1, "by": {"kind": "card", "number": "12"}},
        ],
    ),
    "a Kubernetes CRD: int-or-string, exactly one of, preserved fields": (
        {
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": {
                    "type": "object",
                    "required": ["replicas", "source"],
                    "properties": {
                        "replicas": {"type": "integer", "format": "int32", "minimum": 0},
                        "maxUnavailable": {
                            "x-kubernetes-int-or-string": True,
                            "anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+%$"}],
                        },
                        "source": {
                            "type": "object",
                            "properties": {"git": {"type": "object"}, "oci": {"type": "object"}},
                            "oneOf": [{"required": ["git"]}, {"required": ["oci"]}],
                        },
                    },
                },
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        [{"spec": {"replicas": 1, "source": {"git": {}}, "maxUnavailable": "25%"}, "status": {"any": [1, {}]}}],
        [{"spec": {"replicas": 1, "source": {}}}, {"spec": {"replicas": 1, "source": {"git": {}, "oci": {}}}}],
    ),
    "the schema of a configuration file: patterns for names, if and then, dependencies": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "extends": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "jobs": {
                    "type": "object",
                    "patternProperties": {
                        "^[a-z][a-z0-9_-]*$": {
                            "type": "object",
                            "properties": {"image": {"type": "string"}, "script": {"type": ["string", "array"]},
                                           "when": {"enum": ["always", "manual"]}, "delay": {"type": "string"}},
                            "if": {"properties": {"when": {"const": "manual"}}, "required": ["when"]},
                            "then": {"not": {"required": ["delay"]}},
                            "dependencies": {"delay": ["when"]},
                        }
                    },
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        [{"extends": ["a"], "jobs": {"build-1": {"script": "x", "when": "always", "delay": "5m"}}}, {"extends": "a"}],
        [
            {"jobs": {"Build": {}}},
            {"jobs": {"a": {"when": "manual", "delay": "5m"}}},
            {"jobs": {"a": {"delay": "5m"}}},
            {"other": 1},
        ],
    ),
    "an MCP tool: the input of a search": (
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "description": "What to look for"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
                "filters": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"field": {"enum": ["name", "size"]}, "equals": {"type": ["string", "number"]}},
                        "required": ["field", "equals"],
                        "additionalProperties": False,
                    },
                },
                "cursor": {"type": "string", "contentEncoding": "base64"},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        [{"query": "a", "limit": 100, "filters": [{"field": "size", "equals": 3}]}, {"query": "b", "cursor": "YQ=="}],
        [{"query": ""}, {"query": "a", "limit": 0}, {"query": "a", "filters": [{"field": "age", "equals": 3}]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("style", [JsonStyle(), JsonStyle.any()], ids=["default", "any"])
def test_documents(name: str, style: JsonStyle) -> None:
    schema, valid, invalid = CASES[name]
    validator = jsonschema.validators.validator_for(schema)
    judge = validator(schema, format_checker=validator.FORMAT_CHECKER)
    automaton = automaton_of(compile_schema(schema, style=style).grammar)
    for value, expected in [*((value, True) for value in valid), *((value, False) for value in invalid)]:
        assert judge.is_valid(value) == expected, "the case itself"
        state = automaton.advance(START, json.dumps(value).encode())
        if not expected or style.property_order == "any":  # what is valid may list properties in another order
            assert automaton.is_accepting(state) == expected, value


def test_nullable_of_openapi_3_0_is_an_annotation() -> None:
    """It is no keyword of JSON Schema, and nothing is added to a language without being asked."""
    automaton = automaton_of(compile_schema({"type": "string", "nullable": True}).grammar)
    assert not automaton.is_accepting(automaton.advance(START, b"null"))
