"""Lines of a batch: what each stands for, and what is refused, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structgen.api.options import Settings
from structgen.batches.questions import FIELDS, options_of, read_question
from structgen.errors import QuestionError, StructgenError
from structgen.grammars.json_schema.style import JsonStyle

NONE: dict[str, Any] = {}
TEXT = {"custom_id": "a", "prompt": "x"}


def options(fields: dict[str, Any], defaults: dict[str, Any] = NONE) -> dict[str, Any]:
    return options_of(read_question({"custom_id": "a", **fields}), defaults, "nano")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "not JSON"),
        ('{"custom_id": "a"', "not JSON"),
        ("[1]", "a JSON object, not list"),
        ("{}", "custom_id is a text that is not empty, not None"),
        ('{"custom_id": ""}', "custom_id is a text that is not empty, not ''"),
        ('{"custom_id": 7}', "custom_id is a text that is not empty, not 7"),
        ('{"custom_id": "a", "custom_id": "b"}', "'custom_id' stands twice"),
        ('{"custom_id": "a", "schema": {"type": "string", "type": "null"}}', "'type' stands twice"),
        ('{"custom_id": "a", "temperature": NaN}', "NaN is no number in JSON"),
        (b'{"custom_id": "\xff"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_line_without_an_id_is_refused(line: str | bytes, message: str) -> None:
    with pytest.raises(QuestionError) as caught:
        read_question(line, 12)
    assert caught.value.line == 12
    assert message in str(caught.value)


def test_the_key_is_of_the_content() -> None:
    line = '{"custom_id": "a", "prompt": "x", "schema": {"a": 1, "b": 2}}'
    same = read_question(line.replace(" ", ""))
    assert read_question(line).key == same.key == read_question(json.loads(line)).key
    for other in (
        line.replace("x", "y"),
        line.replace('"a": 1, "b": 2', '"b": 2, "a": 1'),
        line.replace('"a",', '"c",'),
    ):
        assert read_question(other).key != same.key


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "x", "regx": "a"}, "no field 'regx'; did you mean 'regex'"),
        ({"prompt": "x", "max_new_tokens": 5}, "no field 'max_new_tokens': max_tokens= counts"),
        ({"prompt": "x", "n": 2}, "no field 'n'"),
        ({"prompt": "x", "logits_processor": "f"}, "no field 'logits_processor'"),
        ({"regex": "a"}, "prompt or messages is needed"),
        ({"prompt": ["x", "y"]}, "a text or a list of token ids"),
        ({"prompt": [1, True]}, "a text or a list of token ids"),
        ({"prompt": {"role": "user"}}, "a text or a list of token ids"),
        ({"prompt": "x", "describe": "yes"}, "describe is true or false"),
        ({"prompt": "x", "schema": "person.json"}, "an object or a boolean"),
        ({"prompt": "x", "tag": {"tags": [{"begin": 3}]}}, "begin is a text"),
        ({"prompt": "x", "grammar": 'span(file("notes.txt"))'}, "there are avoiding"),
        ({"prompt": "x", "whitespace": "wide"}, "whitespace"),
        ({"method": "POST", "url": "/v1/embeddings", "body": {}}, "url is one of"),
        ({"url": "/v1/completions", "body": {"model": "gpt", "prompt": "x"}}, "this run's model is 'nano'"),
        ({"url": "/v1/completions", "body": {"model": "nano", "n": 2}}, "body.n = 2 is not done"),
        (
            {"url": "/v1/completions", "body": {"model": "nano", "tools": [], "suffix": "x"}},
            "no field 'suffix' in body",
        ),
        ({"url": "/v1/completions", "body": {"model": "nano"}, "schema": {}}, "beside method, url and body"),
        (
            {"url": "/v1/chat/completions", "body": {"model": "nano", "response_format": {"type": "json"}}},
            "response_format is text",
        ),
    ],
)
def test_what_a_line_may_not_say(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StructgenError) as caught:
        options(fields)
    assert message in str(caught.value)


def test_a_line_is_options_of_generate() -> None:
    found = options({"prompt": "x", "schema": {"type": "string"}, "whitespace": "compact", "seed": None, "top_k": 3})
    assert found == {"prompt": "x", "schema": {"type": "string"}, "style": JsonStyle(whitespace="compact"), "top_k": 3}
    assert str(options({"prompt": "x", "grammar": 'regex("a+") | "b"'})["grammar"]) == "(regex('a+') | choices('b'))"


def test_the_run_says_what_a_line_does_not() -> None:
    run = {
        "schema": {"type": "object"},
        "style": JsonStyle(whitespace="compact"),
        "temperature": 0.5,
        "system": "Be short.",
    }
    assert options({"prompt": "x", "temperature": 0}, run) == {**run, "prompt": "x", "temperature": 0}
    own = options({"prompt": "x", "regex": "a"}, run)  # a constraint of its own, and the run's style is about JSON
    assert own == {"prompt": "x", "regex": "a", "temperature": 0.5, "system": "Be short."}
    called = {"tools": [{"name": "f"}], "tool_choice": "f", "describe": True}
    assert options({"prompt": "x", "regex": "a"}, called) == {"prompt": "x", "regex": "a"}
    assert options({"prompt": "x"}, called) == {"prompt": "x", **called}
    chat = [{"role": "system", "content": "Be long."}, {"role": "user", "content": "x"}]
    assert "system" not in options({"messages": chat}, run)
    assert options({"messages": chat[1:]}, run)["system"] == "Be short."


def test_openai_lines_say_the_same() -> None:
    chat = [{"role": "user", "content": "x"}]
    schema = {"type": "object"}
    body = {
        "model": "nano",
        "messages": chat,
        "max_completion_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": {"name": "o", "strict": True, "schema": schema}},
        "stop": ["."],
        "user": "u",
        "n": 1,
        "frequency_penalty": 0,
    }
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    assert options(line) == {"messages": chat, "max_tokens": 9, "schema": schema, "stop": ["."], "temperature": 1.0}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    choice = {"type": "function", "function": {"name": "f"}}
    body = {"model": "nano", "messages": chat, "tools": tools, "tool_choice": choice, "temperature": 0}
    found = options({**line, "body": body})
    assert found == {"messages": chat, "tools": tools, "tool_choice": "f", "temperature": 0}
    free = options({"url": "/v1/completions", "body": {"model": "nano", "prompt": "x", "seed": 3}})
    assert free.pop("regex")
    assert free == {"prompt": "x", "chat": False, "seed": 3, "temperature": 1.0, "on_truncate": "return"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_json_is_read_or_refused_by_an_error_of_ours(fields: dict[str, Any]) -> None:
    try:
        found = options_of(read_question({**fields, **TEXT}), {}, "nano")
        found.pop("prompt")
        Settings.read(found)
    except StructgenError as error:
        assert json.dumps(error.to_dict())
