"""Alternatives that are all unique need no complement of uniqueness; where one is needed, it is refused by name."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import jsonschema
import pytest

from structgen.errors import UnsupportedSchema
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of


def unique(**more: Any) -> dict[str, Any]:
    return {"type": "array", "uniqueItems": True, **more}


INTEGERS, STRINGS = {"type": "integer"}, {"type": "string"}
SCHEMAS: dict[str, Any] = {
    "one of two kinds": {"oneOf": [unique(items=INTEGERS), unique(items=STRINGS)]},
    "one of three": {"oneOf": [unique(items=INTEGERS), unique(items=STRINGS), unique(maxItems=1)]},
    "one of two that overlap": {"oneOf": [unique(items={"enum": [1, "a"]}), unique(contains={"const": 1})]},
    "unique and not": unique(**{"not": unique(items=INTEGERS)}),
    "if": {"type": "array", "uniqueItems": True, "if": unique(items=INTEGERS), "then": {"minItems": 2}},
    "if, else": unique(**{"if": unique(minItems=2), "then": {"items": INTEGERS}, "else": {"items": STRINGS}}),
    "not not": {"type": "array", "not": {"not": unique(items={"enum": [1, "a"]})}},
    "both ways": {"type": "array", "items": INTEGERS, "anyOf": [unique(), {"not": unique()}]},
    "one of unique and short": {"oneOf": [unique(minItems=2), {"type": "array", "maxItems": 1}]},
    "in an object": {"type": "object", "properties": {"x": {"oneOf": [unique(items=INTEGERS), unique(items=STRINGS)]}}},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_alternatives_are_judged_as_jsonschema_does(name: str) -> None:
    schema, judge = SCHEMAS[name], jsonschema.Draft202012Validator(SCHEMAS[name])
    automaton = automaton_of(compile_schema(schema, style=JsonStyle("compact")).grammar)
    count = {True: 0, False: 0}
    for size in range(4):
        for chosen in product((1, 2, "a", "b"), repeat=size):
            value = {"x": list(chosen)} if schema.get("type") == "object" else list(chosen)
            text = json.dumps(value, separators=(",", ":")).encode()
            state, valid = automaton.advance(START, text), judge.is_valid(value)
            assert (state != DEAD and automaton.is_accepting(state)) == valid, value
            count[valid] += 1
    assert all(count.values())


@pytest.mark.parametrize("name", ["not", "overlap"])
def test_arrays_that_must_repeat_an_element_are_refused_by_name(name: str) -> None:
    schema = {"type": "array", "not": {"uniqueItems": True}}
    if name == "overlap":
        schema = {"oneOf": [unique(), {"type": "array", "items": INTEGERS}]}
    with pytest.raises(UnsupportedSchema, match="repeated items") as caught:
        compile_schema(schema)
    assert caught.value.keyword == "uniqueItems" and caught.value.pointer.endswith("uniqueItems")
