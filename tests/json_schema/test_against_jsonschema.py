"""Both directions against `jsonschema`: what we write is valid, and what is valid we accept.

Schemas are random combinations of keywords over small domains, so that they overlap, contradict and recurse; then the
official suite and a sample of MaskBench, where the shared folder is there.
"""

from __future__ import annotations

import gzip
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_specifications
import pytest
from referencing import Resource
from referencing.jsonschema import DRAFT202012

from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedSchema
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.regular import formats
from tests.json_schema.recogniser import Sampler, accepts

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not here")
REFUSED = (LimitExceeded, UnsupportedSchema, Unsatisfiable)
STYLES = (JsonStyle(), JsonStyle.any(), JsonStyle(whitespace="compact", property_order="any", ascii_only=True))
SCALARS: list[Any] = [None, True, False, 0, 1, 2, 3, 1.5, -1, 10, "", "a", "b", "ab", "ba"]

RECURSIVE: list[Any] = [
    {"type": ["integer", "array"], "items": {"$ref": "#/$defs/r"}},
    {"properties": {"a": {"$ref": "#/$defs/r"}, "b": {"type": "string"}}, "required": ["b"]},
    {"anyOf": [{"const": 1}, {"prefixItems": [{"$ref": "#/$defs/r"}], "minItems": 1}]},
    {"additionalProperties": {"not": {"$ref": "#/$defs/r"}}},
]


def random_value(rng: random.Random, depth: int = 2) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice(SCALARS)
    if kind < 0.75:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice("abcd"): random_value(rng, depth - 1) for _ in range(rng.randrange(4))}


def random_schema(rng: random.Random, depth: int = 3) -> Any:
    if depth == 0 or rng.random() < 0.05:
        return rng.choice([True, False, {}, {"$ref": "#/$defs/r"}, {"type": "integer"}, {"const": rng.choice(SCALARS)}])
    schema: dict[str, Any] = {}
    for name in rng.sample(sorted(KEYWORDS), rng.choice((1, 2, 2, 3))):
        schema[name] = KEYWORDS[name](rng, depth - 1)
    return schema


def names(rng: random.Random) -> list[str]:
    return rng.sample("abcd", rng.randrange(1, 3))


KEYWORDS: dict[str, Any] = {
    "type": lambda r, d: r.choice(["integer", "number", "string", "array", "object", ["null", "string"]]),
    "enum": lambda r, d: [random_value(r, 1) for _ in range(r.randrange(1, 5))],
    "const": lambda r, d: random_value(r, 1),
    "minimum": lambda r, d: r.choice([-1, 0, 1.5, 2]),
    "exclusiveMaximum": lambda r, d: r.choice([0, 2, 3]),
    "multipleOf": lambda r, d: r.choice([1, 2, 0.5]),
    "minLength": lambda r, d: r.randrange(3),
    "maxLength": lambda r, d: r.randrange(3),
    "pattern": lambda r, d: r.choice(["^a", "b$", "^(ab)*$", "a|b"]),
    "items": random_schema,
    "prefixItems": lambda r, d: [random_schema(r, d) for _ in range(r.randrange(1, 3))],
    "minItems": lambda r, d: r.randrange(3),
    "maxItems": lambda r, d: r.randrange(4),
    "contains": random_schema,
    "minContains": lambda r, d: r.randrange(3),
    "maxContains": lambda r, d: r.randrange(3),
    "uniqueItems": lambda r, d: True,
    "unevaluatedItems": random_schema,
    "unevaluatedProperties": random_schema,
    "properties": lambda r, d: {name: random_schema(r, d) for name in names(r)},
    "required": lambda r, d: names(r),
    "additionalProperties": random_schema,
    "patternProperties": lambda r, d: {r.choice(["^a", "b|c"]): random_schema(r, d)},
    "propertyNames": lambda r, d: r.choice([{"enum": ["a", "b"]}, {"pattern": "^[a-c]"}, {"minLength": 1}]),
    "minProperties": lambda r, d: r.randrange(3),
    "maxProperties": lambda r, d: r.randrange(3),
    "dependentRequired": lambda r, d: {name: names(r) for name in names(r)},
    "dependentSchemas": lambda r, d: {name: random_schema(r, d) for name in names(r)},
    "anyOf": lambda r, d: [random_schema(r, d) for _ in range(2)],
    "allOf": lambda r, d: [random_schema(r, d) for _ in range(2)],
    "oneOf": lambda r, d: [random_schema(r, d) for _ in range(r.randrange(2, 4))],
    "not": random_schema,
    "if": random_schema,
    "then": random_schema,
    "else": random_schema,
}


def agree(schema: Any, style: JsonStyle, rng: random.Random, values: list[Any], samples: int) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    valid = [value for value in values if validator.is_valid(value)]
    try:
        grammar = compile_schema(schema, style=style).grammar
    except Unsatisfiable:
        assert not valid, f"{valid[0]} is valid under {schema}"
        return
    if style.property_order == "any" and style.numbers == "any":
        for value in values:
            expected = validator.is_valid(value)
            assert accepts(grammar, json.dumps(value)) == expected, f"{value} under {schema}: valid is {expected}"
    sampler = Sampler(grammar, rng)
    for _ in range(samples):
        text = sampler.text()
        if text is None:
            assert not valid
            break
        if grammar.distinct and not accepts(grammar, text):
            continue  # the sampler does not compare elements
        value, judged = parsed(text)
        if judged:
            assert validator.is_valid(value), f"{text!r} under {schema}"
            assert accepts(grammar, text)


def parsed(text: bytes) -> tuple[Any, bool]:
    """The value, and whether `jsonschema` can judge it.

    It cannot where doubles overflow or underflow, nor where a key is repeated (which is not prevented for names that no
    schema knows).
    """
    judged = True

    def number(digits: str) -> int | float:
        nonlocal judged
        exact = Decimal(digits)
        if not -290 < exact.adjusted() < 290:
            judged = False
            return 0
        if exact == exact.to_integral_value():
            return int(exact)
        judged = judged and abs(exact) < 10**15  # beyond, a double may be a whole number where the text is not
        return float(exact)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal judged
        judged = judged and len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, object_pairs_hook=members, parse_float=number), judged


@pytest.mark.parametrize("seed", range(40))
def test_random_schemas(seed: int) -> None:
    rng = random.Random(seed)
    compiled = 0
    for _ in range(12):
        schema = {"$defs": {"r": rng.choice(RECURSIVE)}, "allOf": [random_schema(rng)]}
        values = [random_value(rng) for _ in range(40)]
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            agree(schema, rng.choice(STYLES), rng, values, samples=6)
            compiled += 1
        except (LimitExceeded, UnsupportedSchema):
            continue
    assert compiled >= 3


# ------------------------------------------------------------------------------------------------ the official suite


def rows(name: str) -> list[Any]:
    with gzip.open(SHARED / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


DIALECT = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# Groups about what is an annotation to them and not to us (`format`, which their optional/format asserts), or to us as
# in the specification: contents of strings; `dependencies` after draft 7.
ANNOTATIONS = ("9/format#", "2/format#", "optional/content", "optional/dependencies-compatibility")


@shared
def test_official_suite() -> None:
    remotes = json.loads((SHARED / "json-schema-suite-remotes.json").read_text())
    documents = [(uri, Resource.from_contents(text, DRAFT202012)) for uri, text in remotes.items()]
    registry = jsonschema_specifications.REGISTRY.with_resources(documents)
    compiled, wrong = 0, []
    for row in rows("json-schema-suite-dev"):
        if any(part in row["id"] for part in ANNOTATIONS):
            continue
        schema, tests = row["schema"], row["tests"]
        if isinstance(schema, dict):
            schema = {"$schema": DIALECT[row["id"].split("/")[0]], **schema}
        try:
            grammar = compile_schema(schema, style=JsonStyle.any(), registry=registry).grammar
        except Unsatisfiable:
            wrong += [(row["id"], test["data"]) for test in tests if test["valid"]]
            continue
        except (LimitExceeded, UnsupportedSchema):
            continue
        compiled += 1
        narrower = isinstance(schema, dict) and schema.get("format") in formats.NARROWER
        for test in tests:
            accepted = accepts(grammar, json.dumps(test["data"]))
            if accepted != test["valid"] and not (narrower and not accepted):
                wrong.append((row["id"], test["data"]))
    assert not wrong
    assert compiled > 950


@shared
def test_maskbench_sample() -> None:
    compiled = 0
    for row in random.Random(20).sample(rows("maskbench-dev"), 150):
        try:
            grammar = compile_schema(row["schema"], style=JsonStyle.any()).grammar
        except REFUSED:
            continue
        compiled += 1
        for test in row["tests"]:
            text = json.dumps(test["data"])
            if len(text) < 3000:
                assert accepts(grammar, text) == test["valid"], (row["id"], text)
    assert compiled >= 140
