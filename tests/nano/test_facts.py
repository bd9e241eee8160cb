"""The training text: reproducible, valid under its own schemas, and held-out words stay out of training."""

from __future__ import annotations

import json
from itertools import islice

import jsonschema
import pytest

from structgen.nano.facts import exercises, prompt_text, schema_text, tools_schema
from structgen.nano.words import POOLS, is_held_out, pick_pool


def test_same_seed_same_text() -> None:
    assert list(islice(exercises(3), 300)) == list(islice(exercises(3), 300))
    assert list(islice(exercises(3), 300)) != list(islice(exercises(4), 300))


@pytest.mark.parametrize("held_out", [False, True])
def test_answers_are_valid(held_out: bool) -> None:
    for one in islice(exercises("valid", held_out), 250):
        assert json.loads(one.answer) == one.value
        jsonschema.Draft202012Validator.check_schema(one.schema)
        jsonschema.validate(one.value, one.schema, format_checker=jsonschema.FormatChecker())


def test_properties_keep_the_order_of_the_schema() -> None:
    for one in islice(exercises("order", sort="extraction"), 300):
        if one.schema.get("type") != "object":
            continue  # a single value
        names = [name for name in one.schema["properties"] if name in one.value]
        assert names == list(one.value)


def test_every_sort_appears() -> None:
    assert {one.sort for one in islice(exercises(0), 600)} == {"extraction", "record", "list", "tool", "free"}


def test_held_out_names_are_not_trained() -> None:
    for pool in ("first", "last", "city"):
        kept, held = set(pick_pool(pool, held_out=False)), set(pick_pool(pool, held_out=True))
        assert held
        assert not kept & held
        assert kept | held == set(POOLS[pool])
    held = {word for pool in ("first", "last", "city") for word in POOLS[pool] if is_held_out(word)}
    others = {word.lower() for pool in POOLS if pool not in ("first", "last", "city") for word in POOLS[pool]}
    names = {word for word in held if word.lower() not in others}
    text = " ".join(one.text for one in islice(exercises("split", sort="list"), 200))
    assert not names & set(text.replace(",", " ").replace(".", " ").split())


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, "any"),
        (None, "any"),
        ({}, "any"),
        ({"type": "string"}, "string"),
        ({"enum": ["a", 1, None]}, "a|1|null"),
        ({"const": "x"}, "x"),
        ({"type": ["integer", "null"]}, "integer|null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer|null"),
        ({"type": "array", "items": {"type": "number"}}, '["number"]'),
        ({"type": "string", "format": "date"}, "date"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
            '{"a":"string","b?":"integer"}',
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/x~1y"}},
                "required": ["a"],
                "$defs": {"x/y": {"type": "boolean"}},
            },
            '{"a":"boolean"}',
        ),
    ],
)
def test_schema_text(schema: dict[str, object] | bool | None, expected: str) -> None:
    assert schema_text(schema) == expected
    assert prompt_text(schema, "t") == f"<|bos|><|system|>{expected}<|user|>t<|assistant|>"


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert '"any"' in schema_text(tree)


def test_tools_schema_accepts_a_call() -> None:
    tools = [{"name": "one", "parameters": {"type": "object"}}, {"name": "two"}]
    validator = jsonschema.Draft202012Validator(tools_schema(tools))
    assert validator.is_valid({"name": "two", "arguments": {"x": 1}})
    assert not validator.is_valid({"name": "three", "arguments": {}})
