"""Input made to hurt: exact answers or typed errors, in bounded time and memory, through the whole pipeline."""

from __future__ import annotations

import json
import string
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from structgen.api.compile import compile
from structgen.errors import BudgetTooSmall, LimitExceeded, SchemaError, StructgenError, Unsatisfiable
from structgen.grammars.ir import ByteSet, Grammar, Literal, Ref, Repeat, Rule, Seq, alt, seq
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import START
from structgen.kinds import automaton_of
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary

BYTES = Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256))], eos=[0])
SECONDS = 40.0  # generous: shared machines; without its limit each case below would take hours or all memory


def compiled(**source: Any) -> Constraint:
    started = time.process_time()
    try:
        return compile(vocabulary=BYTES, **source)
    finally:
        assert time.process_time() - started < SECONDS


def test_a_megabyte_of_schema() -> None:
    properties = {f"property_{i:05}": {"type": "string", "description": "x" * 60} for i in range(9_000)}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    assert len(json.dumps(schema)) > 1_000_000
    constraint = compiled(schema=schema)
    assert constraint.accepts('{"property_00007":"a","property_07999":""}')
    assert not constraint.accepts('{"property_00007":1}') and not constraint.accepts('{"property_9000":""}')


def test_ten_thousand_nested_schemas() -> None:
    text = '{"items":' * 10_000 + "{}" + "}" * 10_000
    with pytest.raises(LimitExceeded):
        compiled(schema=text)


def test_ten_thousand_nested_arrays_in_the_text() -> None:
    constraint = compiled(
        schema={"$ref": "#/$defs/n", "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}
    )
    matcher = constraint.matcher()
    assert matcher.accept_bytes(b"[" * 10_000)
    assert matcher.tokens_to_accept() == 10_000
    assert matcher.accept_bytes(b"]" * 10_000) and matcher.is_accepting()


def test_a_billion_items() -> None:
    few = compiled(schema={"type": "array", "items": {"type": "boolean"}, "maxItems": 10**9})
    assert few.accepts("[true,false]") and not few.accepts("[1]")
    many = compiled(schema={"type": "array", "items": {"type": "boolean"}, "minItems": 10**9})
    assert not many.accepts("[true]")
    with pytest.raises(LimitExceeded):
        many.matcher().tokens_to_accept()


def test_a_budget_no_output_of_a_billion_items_fits() -> None:
    torch = pytest.importorskip("torch")
    from structgen.engines.decode import Request, decode
    from structgen.options import SamplingOptions

    class Silent:
        vocabulary = BYTES

        def prefill(self, prompts: Any, reserve: int) -> Any:
            return torch.zeros(len(prompts), BYTES.size), None

        def extend(self, tokens: Any, context: Any) -> Any:
            return torch.zeros(len(tokens), BYTES.size)

    many = compiled(schema={"type": "array", "items": {"type": "boolean"}, "minItems": 10**9})
    with pytest.raises(BudgetTooSmall) as caught:
        decode(Silent(), [Request([1], many, max_tokens=100)], SamplingOptions())
    assert caught.value.budget == 100 and caught.value.needed > 10**9


@pytest.mark.parametrize("pattern", ["[a-z]{1,100000}", "(a|b){0,100000}c", "((a{1,100}){1,100}){1,100}"])
def test_large_counts_in_patterns(pattern: str) -> None:
    constraint = compiled(regex=pattern)
    assert constraint.accepts("a" * 40 + ("c" if pattern.endswith("c") else ""))
    assert not constraint.accepts("!")
    assert len(constraint.automaton.networks.arrays.nodes) < 1_000


def test_counts_end_where_they_say() -> None:
    constraint = compiled(schema={"type": "string", "maxLength": 100_000})
    assert constraint.accepts('"' + "x" * 100_000 + '"')
    assert not constraint.accepts('"' + "x" * 100_001 + '"')


def test_an_explosive_determinisation() -> None:
    try:
        constraint = compiled(regex="(a|b)*a(a|b){40}")
    except LimitExceeded:
        return
    assert constraint.accepts("a" + "b" * 40) and not constraint.accepts("b" * 41)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    ],
)
def test_schemas_without_a_finite_value(schema: object) -> None:
    with pytest.raises((Unsatisfiable, SchemaError)):
        compiled(schema=schema)


def test_nested_choices_that_multiply() -> None:
    either: dict[str, Any] = {"type": "string"}
    for i in range(40):
        either = {
            "allOf": [{"anyOf": [either, {"type": "object", "required": [f"k{i}"]}]}, {"not": {"required": [f"n{i}"]}}]
        }
    try:
        constraint = compiled(schema=either)
    except StructgenError as error:
        assert isinstance(error, LimitExceeded)
        return
    assert constraint.accepts('"text"')


def test_ambiguity_is_polynomial() -> None:
    body = alt(Literal(b"a"), seq(Ref(0), Ref(0)), Seq((Ref(0), Ref(0), Ref(0))))
    matcher = compiled(grammar=Grammar((Rule("s", body),))).matcher()
    assert matcher.accept_bytes(b"a" * 150) and matcher.is_accepting()


def test_counts_under_ambiguity_meet_their_limit() -> None:
    body = Repeat(alt(ByteSet.of(b"a"), Literal(b"aa"), Literal(b"aaa")), 0, 10**9)
    constraint = compiled(grammar=Grammar((Rule("s", body),)))
    assert constraint.accepts(b"a" * 300)


def by_patterns(count: int) -> dict[str, Any]:
    return {"patternProperties": {f"a.*b{number}": {"minimum": number} for number in range(count)}}


HOSTILE: dict[str, tuple[Any, bool]] = {  # a schema, and whether it is small enough to be compiled
    "overlapping patterns": (by_patterns(40), False),
    "a few overlapping patterns": (by_patterns(4), True),
    "many strings": ({"enum": [f"value {7919 * number % 20011}" for number in range(20_000)]}, True),
    "many numbers": ({"enum": list(range(0, 60_000, 3))}, True),
    "references in a row": (
        {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)} | {"d3000": {}}, "$ref": "#/$defs/d0"},
        False,
    ),
    "not each other, in items": (
        {
            "$defs": {"a": {"items": {"not": {"$ref": "#/$defs/b"}}}, "b": {"items": {"not": {"$ref": "#/$defs/a"}}}},
            "$ref": "#/$defs/a",
        },
        True,
    ),
    "subschemas that may evaluate": (
        {"anyOf": [{"properties": {f"p{n}": {}}} for n in range(30)], "unevaluatedProperties": False},
        False,
    ),
    "distinct and too many": ({"uniqueItems": True, "minItems": 10**6, "items": {"enum": list(range(100))}}, True),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_combinations_are_answered_or_refused(name: str) -> None:
    schema, small = HOSTILE[name]
    if not small:
        with pytest.raises(LimitExceeded):
            compile_schema(schema)
        return
    grammar = compile_schema(schema).grammar
    for listed in schema.get("enum", ())[::5000]:
        assert accepts(grammar, json.dumps(listed))


LETTERS = string.ascii_letters + string.digits
MANY: dict[str, Callable[[Random], Any]] = {  # one value of an enum that has as many as schemas of real services have
    "strings": lambda rng: "".join(rng.choices(LETTERS, k=16)),
    "whole numbers": lambda rng: rng.randrange(-(10**15), 10**15),
    "decimals": lambda rng: rng.randrange(-(10**9), 10**9) / 1000,
}


@pytest.mark.parametrize("shape", MANY)
def test_a_hundred_thousand_values(shape: str) -> None:
    rng = Random(f"enum of {shape}")
    values = [MANY[shape](rng) for _ in range(100_000)]
    started = time.process_time()
    constraint = compiled(schema={"enum": values})
    assert time.process_time() - started < 10  # 2 to 4 seconds of a busy core
    for value in values[::5000]:
        assert constraint.accepts(json.dumps(value)) and not constraint.accepts(json.dumps(value)[:-1] + "!")
    assert not constraint.accepts(json.dumps(MANY[shape](rng)))


def accepts(grammar: Grammar, text: str) -> bool:
    automaton = automaton_of(grammar)
    return automaton.is_accepting(automaton.advance(START, text.encode()))
