"""The responses API by the real client: the same answers as chats, as items and events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from structgen.python_types.exact import ExactValidator
from tests.server.kit import PERSON, Running, schema_format

TEXT = "Ada Lovelace, 36, lives in London"
LIGHT = {
    "type": "object",
    "properties": {"room": {"type": "string", "maxLength": 12}, "state": {"enum": ["on", "off"]}},
    "required": ["room", "state"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [{"type": "function", "name": "set_light", "parameters": LIGHT, "strict": True}]


class Person(BaseModel):
    name: str
    age: int


def text_of(schema: Any) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "name": "it", "schema": schema}}


def test_a_type_is_parsed_by_the_client(server: Running) -> None:
    answer = server.client.responses.parse(
        model="nano", input=TEXT, text_format=Person, temperature=0, max_output_tokens=60
    )
    assert answer.output_parsed == Person(name="Ada Lovelace", age=36)
    assert answer.status == "completed" and answer.usage.output_tokens > 5


def test_the_answer_is_that_of_a_chat(server: Running) -> None:
    chat = server.chat(TEXT, response_format=schema_format(PERSON), seed=5, max_tokens=60).json()
    answer = server.client.responses.create(
        model="nano", input=TEXT, text=text_of(PERSON), max_output_tokens=60, extra_body={"seed": 5}
    )
    assert answer.output_text == chat["choices"][0]["message"]["content"]


@pytest.mark.parametrize("budget", [16, 60])
def test_events_add_up_to_the_response(server: Running, budget: int) -> None:
    asked: Any = {"model": "nano", "input": TEXT, "text": text_of(PERSON), "max_output_tokens": budget}
    events = list(server.client.responses.create(**asked, stream=True, extra_body={"seed": 3}))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].response.output_text == text and ExactValidator(PERSON).fault(text) is None
    (item,) = [event.item for event in events if event.type == "response.output_item.done"]
    assert item.content[0].text == text and item.id == events[-1].response.output[0].id


def test_calls_and_their_results(server: Running) -> None:
    asked: Any = {"model": "nano", "tools": TOOLS, "tool_choice": "required", "max_output_tokens": 120}
    asked["parallel_tool_calls"] = False
    answer = server.client.responses.create(input="Turn on the light", **asked, extra_body={"seed": 2})
    (call,) = answer.output
    assert call.type == "function_call" and ExactValidator(LIGHT).fault(call.arguments) is None
    events = list(
        server.client.responses.create(input="Turn on the light", **asked, stream=True, extra_body={"seed": 2})
    )
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(pieces) == call.arguments and events[-1].response.output[0].call_id == call.call_id
    chat = [
        {"role": "user", "content": [{"type": "input_text", "text": "Turn on the light"}]},
        *(item.model_dump(exclude_none=True) for item in answer.output),
        {"type": "function_call_output", "call_id": call.call_id, "output": "done"},
    ]
    last = server.client.responses.create(model="nano", instructions="Be short.", input=chat, max_output_tokens=5)
    assert last.status in ("completed", "incomplete")


def test_a_text_that_is_cut_is_incomplete(server: Running) -> None:
    answer = server.client.responses.create(model="nano", input="Tell me", max_output_tokens=3, temperature=1.5)
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"store": True}, "unsupported_parameter", "store"),
        ({"previous_response_id": "resp_1"}, "unsupported_parameter", "previous_response_id"),
        ({"tools": [{"type": "web_search_preview"}]}, "invalid_value", "tools[0].type"),
        ({"n": 2}, "unknown_parameter", "n"),
        ({"input": []}, "invalid_value", "input"),
        ({"text": text_of({"type": "strin"})}, "SchemaError", "text.format.schema"),
    ],
)
def test_what_is_not_done_is_refused(server: Running, fields: dict[str, Any], code: str, param: str) -> None:
    answer = server.post("/v1/responses", **{"input": "x", **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param), error


def test_an_error_in_a_stream_is_an_event(start: Any, slow_engine: Any) -> None:
    running, slow_engine.pause = start(timeout=0.4), 0.05
    events = running.events("/v1/responses", input="x", text=text_of({"type": "array", "items": PERSON, "minItems": 3}))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] == "deadline_exceeded"
    json.dumps(events)
