"""Answers by the real client: what `generate` gives, whole and in pieces."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel

import structgen as sg
from structgen.api.models import engine_of
from structgen.python_types.exact import ExactValidator
from tests.server.kit import PERSON, Running, schema_format

TEXT = "Ada Lovelace, 36, lives in London"
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "set_light",
            "description": "Turns a light on or off.",
            "parameters": {
                "type": "object",
                "properties": {"room": {"type": "string", "maxLength": 12}, "state": {"enum": ["on", "off"]}},
                "required": ["room", "state"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "function": {"name": "stop"}},
]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["good", "bad"]


def messages(text: str = TEXT) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_a_type_is_parsed_by_the_client(server: Running) -> None:
    answer = server.client.chat.completions.parse(
        model="nano", messages=messages(), response_format=Person, max_tokens=80, temperature=0
    )
    person = answer.choices[0].message.parsed
    assert isinstance(person, Person) and person.age == 36
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.total_tokens > answer.usage.completion_tokens > 10


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_answer_is_that_of_generate(server: Running, temperature: float) -> None:
    options = {"temperature": temperature, "seed": 11, "max_tokens": 60}
    schema = {**PERSON, "title": str(temperature)}
    expected = sg.generate_result(None, TEXT, schema=schema, on_truncate="complete", speculation=None, **options)
    answer = server.chat(TEXT, response_format=schema_format(schema), **options).json()
    assert answer["choices"][0]["message"]["content"] == expected.text
    assert answer["usage"]["completion_tokens"] == len(expected.token_ids) + 1


@pytest.mark.parametrize("budget", [12, 15, 60])
@pytest.mark.parametrize("seed", range(2))
def test_the_pieces_of_a_stream_are_the_answer(server: Running, budget: int, seed: int) -> None:
    """Budgets that end it too: what was sent is never taken back, and what comes is valid."""
    asked = {"messages": messages(), "response_format": schema_format(PERSON), "max_tokens": budget, "seed": seed}
    *chunks, last, done = server.events(**asked, stream_options={"include_usage": True})
    assert done == "[DONE]" and last["choices"] == [] and last["usage"]["completion_tokens"] <= budget
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert ExactValidator(PERSON).fault(text) is None
    end = chunks[-1]["choices"][0]
    assert end["finish_reason"] == "stop" and end.get("stop_reason") in (None, "budget")
    whole = server.post("/v1/chat/completions", **asked).json()["choices"][0]
    if "stop_reason" not in end:
        assert whole["message"]["content"] == text
    assert ExactValidator(PERSON).fault(whole["message"]["content"]) is None


def test_free_text_in_pieces_and_whole(server: Running) -> None:
    asked: Any = {"model": "nano", "prompt": "Ada lives", "max_tokens": 24, "seed": 3}
    whole = server.client.completions.create(**asked)
    pieces = list(server.client.completions.create(**asked, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
    assert whole.choices[0].finish_reason == pieces[-1].choices[0].finish_reason
    text = whole.choices[0].text
    assert len(text) > 8
    for stop in (text[3:6], text[-3:], "never"):
        cut = text.split(stop)[0]
        assert server.client.completions.create(**asked, stop=[stop]).choices[0].text == cut
        stream = server.client.completions.create(**asked, stop=stop, stream=True)
        assert "".join(piece.choices[0].text for piece in stream) == cut


def test_several_outputs_depend_on_the_seed_alone(server: Running) -> None:
    asked: Any = {"n": 3, "seed": 5, "temperature": 2, "response_format": schema_format(PERSON), "max_tokens": 60}
    first = [choice["message"]["content"] for choice in server.chat(**asked).json()["choices"]]
    again = [choice["message"]["content"] for choice in server.chat(**asked).json()["choices"]]
    assert first == again and len(set(first)) > 1
    other = [choice["message"]["content"] for choice in server.chat(**{**asked, "seed": 6}).json()["choices"]]
    assert other != first
    streamed = ["", "", ""]
    for event in server.events(messages=messages(), **asked)[:-1]:
        for choice in event["choices"]:
            streamed[choice["index"]] += choice["delta"].get("content", "")
    assert streamed == first


def test_log_probabilities_are_the_models_own(server: Running) -> None:
    engine = engine_of(None)
    prompt = engine.encode("Ada is")
    asked: Any = {"model": "nano", "prompt": prompt, "max_tokens": 12, "temperature": 0.7, "seed": 2, "logprobs": 3}
    choice = server.client.completions.create(
        **asked, extra_body={"structured_outputs": {"regex": "[a-z ]{9}"}}
    ).choices[0]
    text = list(prompt)
    assert choice.logprobs is not None and len(choice.logprobs.tokens or []) >= 1
    for name, value, tops in zip(
        choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs, strict=True
    ):
        law = engine.prefill([text], 1)[0][0].double().log_softmax(dim=0)
        token = next(i for i in range(engine.vocabulary.size) if engine.vocabulary.token_bytes(i) == name.encode())
        assert value == pytest.approx(float(law[token]), abs=1e-3)
        assert len(tops) == 3 and max(tops.values()) == pytest.approx(float(law.max()), abs=1e-3)
        text.append(token)
    chat = server.client.chat.completions.create(
        model="nano", messages=messages(), max_tokens=4, logprobs=True, top_logprobs=2, seed=1
    )
    content = chat.choices[0].logprobs.content
    assert "".join(bytes(each.bytes).decode() for each in content).startswith(chat.choices[0].message.content)
    assert all(len(each.top_logprobs) == 2 for each in content)


def test_a_trace_says_what_was_allowed(server: Running) -> None:
    asked: Any = {"response_format": schema_format({"enum": ["yes", "no"]}), "trace": True, "max_tokens": 9, "seed": 4}
    choice = server.chat(**asked).json()["choices"][0]
    assert "".join(each["token"] for each in choice["trace"]).startswith(choice["message"]["content"])
    for each in choice["trace"]:
        assert each["allowed"] >= 1 and each["mask_us"] > 0
        assert each["forced"] == (each["allowed"] == 1)
        assert 0 <= each["probability"] <= each["masked_probability"] * (1 + 1e-9) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        ({"json": {"enum": [1, 22]}}, r"1|22"),
        ({"json": '{"enum": [1, 22]}'}, r"1|22"),
        ({"json_object": True}, r"\{.*\}"),
        ({"regex": "[a-c]{3}"}, r"[a-c]{3}"),
        ({"choice": ["red", "green"]}, r"red|green"),
        ({"grammar": 'root ::= "x" [0-9]'}, r"x[0-9]"),
        ({"gbnf": 'root ::= "x" [0-9]'}, r"x[0-9]"),
        ({"lark": 'start: "a" B\nB: /[0-9]+/'}, r"a[0-9]+"),
        (
            {"structural_tag": {"type": "structural_tag", "format": {"type": "const_string", "value": "hello"}}},
            r"hello",
        ),
    ],
)
def test_every_kind_of_constraint(server: Running, given: Any, pattern: str) -> None:
    import re

    answer = server.post("/v1/completions", prompt="it", structured_outputs=given, max_tokens=40, seed=1)
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(pattern, answer.json()["choices"][0]["text"], re.S), answer.text


def test_structural_tags_and_objects_as_response_format(server: Running) -> None:
    tag = {"type": "structural_tag", "format": {"type": "regex", "pattern": "[0-9]{4}"}}
    content = server.chat(response_format=tag, max_tokens=9).json()["choices"][0]["message"]["content"]
    assert content.isdigit() and len(content) == 4
    answer = server.chat(response_format={"type": "json_object"}, max_tokens=30, whitespace="compact").json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "set_light"}}])
@pytest.mark.parametrize("seed", range(2))
def test_calls_are_valid_whole_and_in_pieces(server: Running, choice: Any, seed: int) -> None:
    asked: Any = {"tools": TOOLS, "tool_choice": choice, "seed": seed, "max_tokens": 60, "parallel_tool_calls": False}
    whole = server.client.chat.completions.create(model="nano", messages=messages("Turn on the light"), **asked)
    (call,) = whole.choices[0].message.tool_calls
    assert whole.choices[0].finish_reason == "tool_calls"
    arguments = json.loads(call.function.arguments)
    if call.function.name == "set_light":
        assert ExactValidator(TOOLS[0]["function"]["parameters"]).fault(call.function.arguments) is None
    else:
        assert arguments == {}
    pieces: list[Any] = []
    for event in server.events(messages=messages("Turn on the light"), **asked)[:-1]:
        pieces += event["choices"][0]["delta"].get("tool_calls", [])
    assert pieces[0]["function"]["name"] == call.function.name and pieces[0]["id"] == call.id
    assert "".join(piece["function"]["arguments"] for piece in pieces) == call.function.arguments


def test_text_or_an_answer_beside_tools(server: Running) -> None:
    asked: Any = {"tools": TOOLS, "max_tokens": 40, "seed": 1, "temperature": 0}
    answer = server.chat("Hello", **asked).json()["choices"][0]
    assert answer["finish_reason"] in ("stop", "length", "tool_calls")
    answer = server.chat("Hello", **asked, response_format=schema_format({"enum": [5, 6]})).json()["choices"][0]
    assert answer["message"]["content"] in ("5", "6") or answer["message"]["tool_calls"]
    none = server.chat("Hello", **{**asked, "tool_choice": "none"}).json()["choices"][0]
    assert "tool_calls" not in none["message"]


def test_results_of_calls_go_back(server: Running) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "stop", "arguments": "{}"}}
    chat = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Stop "}, {"type": "text", "text": "it."}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "annotations": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    answer = server.post("/v1/chat/completions", messages=chat, tools=TOOLS, max_tokens=8)
    assert answer.status_code == 200, answer.text


def test_a_sampler_draws_from_the_model_conditioned_on_the_constraint(server: Running) -> None:
    asked = {"prompt": "Is it? ", "structured_outputs": {"choice": ["yes", "no", "maybe"]}, "max_tokens": 8, "seed": 3}
    for method in ("cars", "smc", "best_first"):
        answer = server.post("/v1/completions", method=method, n=2, temperature=1, **asked)
        assert answer.status_code == 200, answer.text
        texts = [choice["text"] for choice in answer.json()["choices"]]
        assert len(texts) == 2 and set(texts) <= {"yes", "no", "maybe"}
        again = server.post("/v1/completions", method=method, n=2, temperature=1, **asked).json()
        assert [choice["text"] for choice in again["choices"]] == texts
        weighted = "log_weight" in answer.json()["choices"][0]
        assert weighted == (method == "smc")


def test_warnings_about_a_schema_are_said(server: Running) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minLenght": 3}}}
    answer = server.chat(response_format=schema_format(schema), max_tokens=30).json()
    assert "minLenght" in " ".join(answer["warnings"])


def test_models_health_and_metrics(server: Running) -> None:
    (model,) = server.client.models.list().data
    assert model.id == "nano" and server.client.models.retrieve("nano").id == "nano"
    import httpx2 as httpx

    assert httpx.get(f"{server.url}/health").json()["status"] == "ready"
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    for name in ("output_tokens_total", "steps_total", "first_token_seconds_count", "constraints"):
        assert float(values[f"structgen_{name}"]) > 0, name
    assert float(values["structgen_reused_tokens_total"]) > 0
    buckets = [float(value) for name, value in values.items() if name.startswith("structgen_token_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == float(values["structgen_token_seconds_count"])
    assert values["structgen_running_rows"] == "0"


def test_one_prompt_of_many_rows_is_read_once(server: Running) -> None:
    text = " ".join(f"word{i}" for i in range(60))
    answer = server.post("/v1/completions", prompt=text, n=4, max_tokens=3, seed=1).json()
    usage = answer["usage"]
    assert usage["prompt_tokens"] > 64  # more than one step reads
    assert usage["prompt_tokens_details"]["cached_tokens"] >= usage["prompt_tokens"] * 3 // 4 - 2


def test_numbers_of_a_trace_add_up(server: Running) -> None:
    """Over all single tokens that a mask allows the shares are one; the law is the model's."""
    engine = engine_of(None)
    constraint = sg.compile(choices=["a", "b"], vocabulary=engine.vocabulary)
    allowed = np.flatnonzero(np.unpackbits(constraint.matcher().mask().view(np.uint8), bitorder="little"))
    law = engine.prefill([engine.encode("it")], 1)[0][0].double().softmax(dim=0)
    found = server.post(
        "/v1/completions", prompt="it", structured_outputs={"choice": ["a", "b"]}, trace=True, max_tokens=3, seed=2
    ).json()
    first = found["choices"][0]["trace"][0]
    assert first["allowed"] == len(allowed) == 2
    assert first["probability"] == pytest.approx(float(law[first["id"]]), rel=1e-3)
    mass = float(law[list(allowed)].sum())
    assert math.isclose(first["masked_probability"], first["probability"] / mass, rel_tol=1e-3)
