"""`generate` and its twins, on an engine without a model: shapes of what comes back, options, streaming, errors."""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pydantic
import pytest

import structgen as sg
from structgen.api.compile import compile_source
from structgen.api.options import GenerateOptions, MethodName, Settings, SourceOptions
from structgen.api.sources import FRONT_ENDS, source_of
from structgen.samplers.run import METHODS
from tests.api.engines import HashEngine


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=10)
    age: int = pydantic.Field(ge=0, le=150)


@dataclass
class Point:
    x: Literal[1, 2]
    y: bool


POINT_SCHEMA = {
    "type": "object",
    "properties": {"x": {"enum": [1, 2]}, "y": {"type": "boolean"}},
    "required": ["x", "y"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def engine() -> HashEngine:
    return HashEngine()


def test_a_type_gives_its_object(engine: HashEngine) -> None:
    person = sg.generate(engine, "who?", schema=Person)
    assert isinstance(person, Person)
    point = sg.generate(engine, "where?", schema=Point)
    assert isinstance(point, Point)
    assert sg.generate(engine, "yes?", schema=bool) in (True, False)
    assert sg.generate(engine, "which?", schema=Literal["a", "b"]) in ("a", "b")


def test_a_schema_gives_parsed_json(engine: HashEngine) -> None:
    for schema in (POINT_SCHEMA, json.dumps(POINT_SCHEMA)):
        value = sg.generate(engine, "where?", schema=schema)
        assert value["x"] in (1, 2)
        assert isinstance(value["y"], bool)


def test_regex_choices_and_compiled_constraints_give_text(engine: HashEngine) -> None:
    assert re.fullmatch(r"[a-c]{2,4}-\d", sg.generate(engine, "", regex=r"[a-c]{2,4}-\d"))
    assert sg.generate(engine, "", choices=["ja", "jä", "nein"]) in ("ja", "jä", "nein")
    constraint = sg.compile(choices=["one"], vocabulary=engine.vocabulary)
    assert sg.generate(engine, "", constraint=constraint) == "one"


def test_prompts_are_text_ids_messages_or_a_batch(engine: HashEngine) -> None:
    messages = [{"role": "user", "content": "hi"}]
    for prompt in ("text", [1, 2, 3], messages):
        engine.prompts.clear()
        assert sg.generate(engine, prompt, choices=["x"]) == "x"
        assert engine.prompts == [prompt]
    assert sg.generate(engine, ["a", [1, 2], messages], choices=["x"]) == ["x", "x", "x"]


def test_a_batch_may_have_a_constraint_each(engine: HashEngine) -> None:
    values = sg.generate(engine, ["a", "b"], schema=[Person, Point])
    assert [type(value) for value in values] == [Person, Point]
    one, two = (sg.compile(choices=[text], vocabulary=engine.vocabulary) for text in ("1", "2"))
    assert sg.generate(engine, ["a", "b"], constraint=[one, two]) == ["1", "2"]


def test_several_samples_are_a_list_and_repeatable(engine: HashEngine) -> None:
    first = sg.generate(engine, "p", schema=Person, n=4, seed=7)
    assert len(first) == 4
    assert first == sg.generate(engine, "p", schema=Person, n=4, seed=7)
    assert len({str(value) for value in first}) > 1
    batch = sg.generate(engine, ["p", "q"], regex="[ab]{3}", n=2)
    assert [len(values) for values in batch] == [2, 2]


def test_result_knows_everything(engine: HashEngine) -> None:
    result = sg.generate_result(engine, "p", schema=Point, temperature=1.0, seed=1)
    assert isinstance(result.value, Point)
    assert json.loads(result.text) == {"x": result.value.x, "y": result.value.y}
    assert engine.vocabulary.decode(result.token_ids) == result.text.encode()
    assert result.log_weight == pytest.approx(result.log_prob - result.log_q)
    assert result.finish_reason in ("stop", "completed")
    assert result.stats.prompt_tokens == 1
    assert result.stats.output_tokens == len(result.token_ids)
    assert result.stats.tokens_per_second > 0


def test_a_budget_that_runs_out_raises_with_what_is_there(engine: HashEngine) -> None:
    with pytest.raises(sg.Truncated, match="a valid end takes") as caught:
        sg.generate(engine, "p", regex="[a-z]{12,90}0", max_tokens=6, seed=1)
    error = caught.value
    assert error.budget == 6 and error.text.isalpha() and error.results == (None,)
    matcher = sg.compile(regex="[a-z]{12,90}0", vocabulary=engine.vocabulary).matcher()
    assert matcher.accept_bytes(error.text.encode())
    assert error.needed == matcher.tokens_to_accept() + 1, "with the stop token"
    with pytest.raises(sg.Truncated) as several:
        sg.generate(engine, ["p", "q", "r"], schema=int, max_tokens=3, seed=2, temperature=3.0)
    whole = [result for result in several.value.results if result is not None]
    assert 0 < len(whole) < 3 and all(isinstance(result.value, int) for result in whole)  # type: ignore[attr-defined]


def test_completing_is_asked_for_and_says_what_it_chose(engine: HashEngine) -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
    for budget in (4, 5, 8, 16):
        with pytest.warns(sg.CompletedWarning, match="not chosen by the model") as caught:
            result = sg.generate_result(
                engine, "p", schema=schema, max_tokens=budget, seed=2, temperature=3.0, on_truncate="complete"
            )
        assert isinstance(result.value, list) and result.finish_reason == "completed"
        assert result.completed_at == caught[0].message.completed_at  # type: ignore[union-attr]
        assert caught[0].filename == __file__
        assert math.isnan(result.log_prob) and math.isnan(result.log_weight)
        assert result.to_dict()["log_prob"] is None
    with pytest.warns(sg.CompletedWarning):
        people = sg.generate_result(
            engine, "p", schema=Person, n=20, max_tokens=14, seed=2, temperature=3.0, on_truncate="complete"
        )
    assert any("/age" in result.completed_at for result in people)
    assert {result.completed_at for result in people if result.finish_reason == "stop"} <= {()}


def test_a_text_is_returned_as_it_stands_or_is_too_small(engine: HashEngine) -> None:
    cut = sg.generate_result(engine, "p", regex="[a-z]{40,90}0", max_tokens=6, on_truncate="return", seed=1)
    assert cut.finish_reason == "length" and cut.value is None and len(cut.token_ids) == 6
    assert cut.text.isalpha() and cut.text.islower()
    whole = sg.generate_result(engine, "p", regex="[a-z]{0,2}0", max_tokens=20, on_truncate="return", seed=1)
    assert whole.finish_reason == "stop" and whole.value == whole.text
    for mode, budget in (("raise", 6), ("complete", 10)):
        with pytest.raises(sg.BudgetTooSmall) as small:
            sg.generate(engine, "p", schema={"type": "string", "minLength": 30}, max_tokens=budget, on_truncate=mode)
        assert small.value.needed > budget
    with pytest.raises(sg.Truncated):  # words of five letters would do: it is for the model to find them
        sg.generate(engine, "p", regex="[a-z]{12,90}0", max_tokens=6, seed=1)


def test_stream_ends_with_the_typed_value(engine: HashEngine) -> None:
    *partial, last = sg.generate(engine, "p", schema=Person, stream=True)
    assert isinstance(last, Person)
    assert partial
    assert all(set(value) <= {"name", "age"} for value in partial)
    assert {value["age"] for value in partial if "age" in value} <= {last.age}, "a number is shown once it is finished"
    assert last == sg.generate(engine, "p", schema=Person)
    *begun, text = sg.generate(engine, "p", regex="[äöü]{3}x", stream=True)
    assert re.fullmatch("[äöü]{3}x", text)
    assert all(text.startswith(value) for value in begun)


def test_a_batch_streams_a_list(engine: HashEngine) -> None:
    prompts = ["a", "b", "c"]
    *partial, last = sg.generate(engine, prompts, schema=Point, stream=True, batch_size=2)
    assert last == sg.generate(engine, prompts, schema=Point)
    assert partial and all(len(values) == 3 for values in partial)
    assert partial[0][2] is None, "the second batch has not begun"
    *_, several = sg.generate(engine, ["a"], schema=Point, stream=True, n=2, seed=1)
    assert several == sg.generate(engine, ["a"], schema=Point, n=2, seed=1)
    assert list(sg.generate(engine, [], schema=Point, stream=True)) == [[]]
    with pytest.raises(sg.OptionError, match="stream"):
        sg.generate(engine, "a", schema=Point, stream=True, method="cars")


def test_async_twins(engine: HashEngine) -> None:
    async def work() -> tuple[Any, Any, list[Any]]:
        value = await sg.agenerate(engine, "p", schema=Person)
        result = await sg.agenerate_result(engine, "p", schema=Person)
        return value, result, [part async for part in sg.agenerate(engine, "p", schema=Person, stream=True)]

    value, result, parts = asyncio.run(work())
    assert value == result.value == parts[-1]


def test_progress_counts_tokens(engine: HashEngine) -> None:
    seen: list[tuple[int, float]] = []
    result = sg.generate_result(
        engine, "p", schema=Point, progress=lambda tokens, seconds: seen.append((tokens, seconds))
    )
    assert [tokens for tokens, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == len(result.token_ids) + 1


@pytest.mark.parametrize(
    ("given", "option", "message"),
    [
        ({"schema": int, "max_token": 3}, "max_token", "did you mean 'max_tokens'"),
        ({"schema": int, "temprature": 3}, "temprature", "did you mean 'temperature'"),
        ({"schema": int, "larc": "x"}, "larc", "unknown option"),
        ({}, "schema", "one constraint is needed"),
        ({"schema": int, "regex": "a"}, "regex", "schema and regex are given"),
        ({"regex": "a", "style": sg.JsonStyle()}, "style", "beside schema"),
        ({"schema": int, "method": "mask"}, "method", "did you mean 'masked'"),
        ({"schema": int, "on_truncate": "give up"}, "on_truncate", "'raise', 'complete', 'return'"),
        ({"schema": int, "n": 0}, "n", "at least 1"),
        ({"schema": int, "n": 2, "temperature": 0}, "temperature", "same output"),
        ({"schema": int, "top_p": 0}, "top_p", "top_p"),
        ({"schema": int, "max_tokens": 0}, "max_tokens", "at least 1"),
        ({"choices": "abc"}, "choices", "list of strings"),
        ({"choices": []}, "choices", "empty"),
        ({"schema": int, "tokenizer": object()}, "tokenizer", "its own tokenizer"),
        ({"schema": [int]}, "schema", "needs a list of prompts"),
        ({"constraint": "x"}, "constraint", "what compile"),
    ],
)
def test_a_wrong_option_is_named(engine: HashEngine, given: dict[str, Any], option: str, message: str) -> None:
    with pytest.raises(sg.OptionError, match=message) as caught:
        sg.generate(engine, "p", **given)
    assert caught.value.option == option


def test_batch_lists_must_fit(engine: HashEngine) -> None:
    with pytest.raises(sg.OptionError, match="1 values of schema for 2 prompts"):
        sg.generate(engine, ["a", "b"], schema=[int])
    with pytest.raises(sg.OptionError, match="neither a transformers model nor an engine"):
        sg.generate(object(), "p", schema=int)


def test_both_lists_of_options_agree() -> None:
    names = {
        field
        for field in Settings.__dataclass_fields__
        if field not in ("schema", "source", "constraint", "n", "tools")
    }
    sources = set(SourceOptions.__annotations__)
    assert names | sources == set(GenerateOptions.__annotations__)
    assert get_args(MethodName) == tuple(METHODS)
    assert all(f"    {name} " in (Settings.__doc__ or "") for name in names), "every option is described"
    assert all(f"    {name} " in (SourceOptions.__doc__ or "") for name in sources), "every source is described"
    assert sources == set(FRONT_ENDS)


def test_compile_remembers_by_content(engine: HashEngine) -> None:
    first = sg.compile(schema=POINT_SCHEMA, vocabulary=engine.vocabulary)
    assert sg.compile(schema=json.dumps(POINT_SCHEMA), vocabulary=engine.vocabulary) is first
    other_order = {**POINT_SCHEMA, "properties": dict(reversed(POINT_SCHEMA["properties"].items()))}  # type: ignore[attr-defined]
    assert sg.compile(schema=other_order, vocabulary=engine.vocabulary) is not first
    compact = sg.compile(schema=POINT_SCHEMA, style=sg.JsonStyle(whitespace="compact"), vocabulary=engine.vocabulary)
    assert compact is not first
    assert first.accepts('{"x": 1, "y": true}')
    assert not compact.accepts('{"x": 1, "y": true}')
    assert compile_source(source_of(regex="a"), engine.vocabulary)[0].accepts("a")


def test_numbers_of_a_type_are_canonical_under_any_style(engine: HashEngine) -> None:
    typed = sg.compile(schema=int, style=sg.JsonStyle.any(), vocabulary=engine.vocabulary)
    assert typed.accepts(" 12 ")
    assert not typed.accepts("1e2")
    assert sg.compile(schema={"type": "integer"}, style=sg.JsonStyle.any(), vocabulary=engine.vocabulary).accepts("1e2")


def test_errors_of_sources_come_through(engine: HashEngine) -> None:
    with pytest.raises(sg.Unsatisfiable):
        sg.compile(schema={"type": "string", "minLength": 2, "maxLength": 1}, vocabulary=engine.vocabulary)
    with pytest.raises(sg.RegexError):
        sg.compile(regex="(", vocabulary=engine.vocabulary)
    with pytest.raises(sg.SchemaError):
        sg.compile(schema={"type": "nothing"}, vocabulary=engine.vocabulary)
