"""Conditions on objects that hold together: judged by jsonschema on every small object, and never multiplied."""

from __future__ import annotations

import json
from itertools import product
from random import Random
from typing import Any

import jsonschema
import pytest

from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of
from structgen.options import Limits

NAMES = ("a", "b", "c", "d")
VALUES = (True, 1, "x")
ORDERS = [JsonStyle("compact"), JsonStyle("compact", "any")]


def objects(names: tuple[str, ...] = NAMES) -> list[dict[str, Any]]:
    ways = product((*VALUES, None), repeat=len(names))
    return [{n: v for n, v in zip(names, way, strict=True) if v is not None} for way in ways]


def atom(rng: Random) -> dict[str, Any]:
    name = rng.choice(NAMES)
    value = rng.choice([{"const": True}, {"type": "integer"}, {"type": "string"}, {"enum": [1, "x"]}, False, True])
    return rng.choice(
        [
            {"required": [name]},
            {"properties": {name: value}},
            {"properties": {name: value}, "required": [name]},
            {"required": [name, rng.choice(NAMES)]} if name != NAMES[-1] else {"required": [name]},
        ]
    )


def condition(rng: Random) -> dict[str, Any]:
    first, second, third = atom(rng), atom(rng), atom(rng)
    return rng.choice(
        [
            {"if": first, "then": second},
            {"if": first, "then": second, "else": third},
            {"anyOf": [first, second]},
            {"oneOf": [first, second]},
            {"oneOf": [first, second, third]},
            {"not": {"allOf": [first, second]}},
            {"dependentRequired": {rng.choice(NAMES): [rng.choice(NAMES)]}},
            {"dependentSchemas": {rng.choice(NAMES): second}},
        ]
    )


def deduplicated(schema: Any) -> Any:
    """`required` may not repeat a name."""
    if isinstance(schema, dict):
        return {
            key: list(dict.fromkeys(value)) if key == "required" else deduplicated(value)
            for key, value in schema.items()
        }
    return [deduplicated(item) for item in schema] if isinstance(schema, list) else schema


def check(schema: Any, style: JsonStyle, candidates: list[dict[str, Any]]) -> int:
    """How many of the objects are valid; all must be judged as jsonschema does, prefix by prefix without dead ends."""
    judge = jsonschema.Draft202012Validator(schema)
    valid = {json.dumps(each, separators=(",", ":")) for each in candidates if judge.is_valid(each)}
    try:
        automaton = automaton_of(compile_schema(schema, style=style).grammar)
    except Unsatisfiable:
        assert not valid, schema
        return 0
    for each in candidates:
        text = json.dumps(each, separators=(",", ":"))
        state = automaton.advance(START, text.encode())
        assert (state != DEAD and automaton.is_accepting(state)) == (text in valid), (schema, text)
        for end in range(1, len(text)):
            state = automaton.advance(START, text[:end].encode())
            if state != DEAD:
                rest = automaton.shortest(state)
                assert len(rest) == automaton.distance(state)
                assert judge.is_valid(json.loads(text[:end].encode() + rest)), (schema, text[:end], rest)
    return len(valid)


@pytest.mark.parametrize("style", ORDERS, ids=["declared", "any"])
@pytest.mark.parametrize("closed", [True, False])
def test_random_conditions_are_judged_as_jsonschema_does(style: JsonStyle, closed: bool) -> None:
    rng, n_valid = Random(7), 0
    candidates = objects()
    for _ in range(30):
        schema = deduplicated({
            "type": "object",
            "properties": {name: rng.choice([{}, {"type": ["integer", "string", "boolean"]}]) for name in NAMES},
            "allOf": [condition(rng) for _ in range(rng.randint(4, 7))],
        })  # fmt: skip
        if closed:
            schema["additionalProperties"] = False
        n_valid += check(schema, style, rng.sample(candidates, 20))
    assert n_valid > 30


@pytest.mark.parametrize("style", ORDERS, ids=["declared", "any"])
@pytest.mark.parametrize(
    "more",
    [
        {"minProperties": 2},
        {"maxProperties": 2},
        {"not": {"required": ["a", "b"]}},
        {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"^[ab]$": {"type": "string"}}},
        {"propertyNames": {"enum": ["a", "b", "c"]}},
        {"not": {"additionalProperties": {"type": "integer"}}},
        {"unevaluatedProperties": False, "required": ["a"]},
    ],
    ids=json.dumps,
)
def test_conditions_beside_other_keywords(style: JsonStyle, more: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {}, "c": {}, "b": {}}, "allOf": SEVERAL, **more}
    assert check(schema, style, objects(("a", "c", "b", "d"))[1::5]) > 0


SEVERAL = [
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"if": {"required": ["c"]}, "then": {"required": ["b"]}},
    {"anyOf": [{"required": ["c"]}, {"properties": {"a": {"const": "x"}}}]},
    {"anyOf": [{"required": ["a"]}, {"properties": {"b": {"enum": [1, "x"]}}}]},
    {"anyOf": [{"required": ["a"]}, {"required": ["c"]}, {"required": ["d"]}]},
]


@pytest.mark.parametrize("style", ORDERS, ids=["declared", "any"])
def test_the_negation_of_several_conditions(style: JsonStyle) -> None:
    properties, several, one = {name: {} for name in NAMES}, {"allOf": SEVERAL}, {"required": ["a"]}
    for more in ({"not": several}, {"oneOf": [several, one]}, {"anyOf": [several, one]}, {"if": several, "then": one}):
        assert check({"type": "object", "properties": properties, **more}, style, objects()[::5]) > 0


def test_conditions_that_exclude_each_other_are_unsatisfiable() -> None:
    neither = {"anyOf": [{"required": ["a", "b"]}, {"properties": {"a": False, "b": False}}]}
    schema = {"type": "object", "allOf": [*SEVERAL, neither]}
    with pytest.raises(Unsatisfiable):
        compile_schema(schema)
    inside = compile_schema({"type": "object", "properties": {"x": schema}})
    assert automaton_of(inside.grammar).advance(START, b'{"x"') == DEAD


def implications(n: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**{f"has{i}": {"type": "boolean"} for i in range(n)}, **{f"val{i}": {} for i in range(n)}},
        "allOf": [
            {
                "if": {"properties": {f"has{i}": {"const": True}}, "required": [f"has{i}"]},
                "then": {"required": [f"val{i}"]},
            }
            for i in range(n)
        ],
    }


MANY: dict[str, tuple[Any, str, str]] = {
    "implications": (implications(12), '{"has3": true, "val3": 0}', '{"has3": true, "val4": 0}'),
    "exclusive pairs": (
        {"type": "object", "allOf": [{"oneOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(60)]},
        "{" + ", ".join(f'"{"ab"[i % 2]}{i}": 0' for i in range(60)) + "}",
        "{" + ", ".join(f'"a{i}": 0' for i in range(59)) + "}",
    ),
    "dependencies": (
        {"type": "object", "dependentRequired": {f"a{i}": [f"b{i}"] for i in range(60)}},
        '{"a1": 0, "b1": 0, "a2": 0, "b2": 0}',
        '{"a1": 0, "b1": 0, "a2": 0}',
    ),
    "kinds": (
        {"oneOf": [{"type": "object", "properties": {"kind": {"const": f"k{i}"}, "v": {"const": i}},
                    "required": ["kind", "v"], "additionalProperties": False} for i in range(500)]},
        '{"kind": "k77", "v": 77}',
        '{"kind": "k77", "v": 78}',
    ),
    "labelled constants": (
        {"oneOf": [{"const": f"C{i % 4999}", "title": f"label {i}"} for i in range(5000)]}, '"C7"', '"C0"'
    ),
    "labelled numbers": (
        {"oneOf": [*({"const": i, "title": f"label {i}"} for i in range(2000)), {"type": "number", "maximum": 5}]},
        "7", "4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_many_that_exclude_or_imply_are_no_product(name: str) -> None:
    """All of these were refused, or took the square of their number."""
    schema, good, bad = MANY[name]
    automaton = automaton_of(compile_schema(schema, style=JsonStyle("json_dumps")).grammar)
    assert jsonschema.Draft202012Validator(schema).is_valid(json.loads(good))
    assert automaton.is_accepting(automaton.advance(START, good.encode()))
    assert not jsonschema.Draft202012Validator(schema).is_valid(json.loads(bad))
    state = automaton.advance(START, bad.encode())
    assert state == DEAD or not automaton.is_accepting(state)


def test_what_is_open_at_once_has_a_limit_that_says_what_to_change() -> None:
    with pytest.raises(LimitExceeded, match="next to each other") as caught:
        compile_schema(implications(20))
    assert caught.value.limit == "object_states"


def test_one_union_is_not_looked_into_by_itself() -> None:
    """What tells the members of a oneOf apart stands beside it; without that, each overlaps with each: 415 meets."""
    kinds = ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
    named = [{"properties": {"type": {"enum": [kind]}}} for kind in kinds]
    places = {"allOf": [{"$ref": "#/$defs/places"}, {"items": {"type": "array", "items": {"type": "number"}}}]}
    shapes = [
        {
            "required": ["places"],
            "properties": {**each["properties"], "places": places},
            "allOf": [{"$ref": "#/$defs/shape"}],
        }
        for each in named
    ]
    shape = {"type": "object", "required": ["type", "places"], "properties": {"type": {"enum": kinds}}, "oneOf": named}
    feature = {
        "required": ["shape"],
        "properties": {
            "type": {"enum": ["Feature"]},
            "shape": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/shape"}]},
        },
    }
    anything = {"type": "array", "items": {"oneOf": [{"type": "array"}, {"type": "number"}]}}
    schema = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [*kinds, "Feature"]}},
        "oneOf": [*shapes, feature],
        "$defs": {"places": anything, "shape": shape},
    }
    grammar = compile_schema(schema, limits=Limits(algebra_steps=300)).grammar
    automaton = automaton_of(grammar)
    for text, valid in (
        ('{"type": "Point", "places": [[1, 2]]}', True),
        ('{"type": "Point", "places": 1}', False),
        ('{"type": "Feature", "shape": null}', True),
    ):
        state = automaton.advance(START, text.encode())
        assert (state != DEAD and automaton.is_accepting(state)) == valid
