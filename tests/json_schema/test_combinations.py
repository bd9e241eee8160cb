"""Random combinations of keywords against two judges; benchmarks/combinations.py does the same at scale."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("jsonschema_rs")

from benchmarks.combinations import judge, problems
from benchmarks.random_schemas import DIALECTS, near, random_schema
from structgen.errors import UnsupportedSchema
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of

checks = settings(max_examples=60, suppress_health_check=list(HealthCheck))


def check(rng: Random, draft: int) -> None:
    schema = random_schema(rng, draft)
    found = list(problems(schema, rng, Counter(), instances=10))
    assert not found, str(found[0])


@pytest.mark.parametrize("draft", DIALECTS)
@checks
@given(st.randoms(use_true_random=False))
def test_random_combinations(draft: int, rng: Random) -> None:
    check(rng, draft)


@pytest.mark.slow
@pytest.mark.parametrize("draft", DIALECTS)
@settings(checks, max_examples=3000)
@given(st.randoms(use_true_random=False))
def test_many_random_combinations(draft: int, rng: Random) -> None:
    check(rng, draft)


@pytest.mark.parametrize("draft", DIALECTS)
def test_instances_lie_on_both_sides(draft: int) -> None:
    rng = Random(draft)
    count: Counter[bool | None] = Counter()
    for _ in range(100):
        schema = random_schema(rng, draft)
        verdict = judge(schema)
        count.update(verdict(near(rng, schema)) for _ in range(5))
    assert count[True] > 100 and count[False] > 100 and count[None] < 100


# ---------------------------------------------------------------------------------------- what the combinations found

TWINS = {"contains": {"type": "array", "uniqueItems": True}}
SHORT = {"anyOf": [{"uniqueItems": True}, {"type": "array", "maxItems": 2}]}
SELF = {"patternProperties": {"^c": {"not": {"$ref": "#"}, "enum": []}}, "required": ["c"]}
DRAFT4 = "http://json-schema.org/draft-04/schema#"
FOUND: list[tuple[str, Any, str, bool]] = [
    ("an alternative without", TWINS, '[[2,2],[{"b":true}]]', True),
    ("an alternative without", TWINS, "[[2,2],[3,3]]", False),
    ("of two lengths", SHORT, "[1,1]", True),
    ("of two lengths", SHORT, "[1,2,1]", False),
    ("what refers to itself in not", SELF, "1", True),
    ("integers are spelled", {"$schema": DRAFT4, "not": {"type": "integer"}}, "1.0", True),
    ("integers are spelled", {"$schema": DRAFT4, "not": {"type": "integer"}}, "1", False),
    ("integers are spelled", {"$schema": DRAFT4, "not": {"not": {"type": "integer"}}}, "760.0", False),
    ("integers are spelled", {"$schema": DRAFT4, "not": {"enum": [1], "type": "integer"}}, "1e0", True),
    ("values that are decimals", {"items": {"maximum": 1, "enum": [0, 0.1, 3]}, "uniqueItems": True}, "[0.1,0]", True),
    ("not a date", {"not": {"format": "date"}}, '"2021-02-29"', True),
    ("not a date", {"not": {"format": "date"}}, '"0000-02-29"', False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "schema", "text", "valid"), FOUND)
def test_what_was_found(name: str, schema: Any, text: str, valid: bool) -> None:
    automaton = automaton_of(compile_schema(schema, style=JsonStyle.any()).grammar)
    assert automaton.is_accepting(automaton.advance(START, text.encode())) == valid, name


def test_text_that_is_no_json_is_refused_not_read() -> None:
    automaton = automaton_of(compile_schema({"uniqueItems": True, "minProperties": 2}, style=JsonStyle.any()).grammar)
    for text in ("[1 2,", '["a"b', "[::", '{"a"::', '{"a":1,"b"b:'):
        assert automaton.advance(START, text.encode()) == DEAD


def test_the_complement_of_distinct_is_refused() -> None:
    with pytest.raises(UnsupportedSchema, match="repeated"):
        compile_schema({"not": {"uniqueItems": True}})
