"""What is wrong with a request is said as OpenAI says it, with the field and the place; nothing is ignored."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

import httpx2 as httpx
import openai
import pytest

from structgen.cli import main
from structgen.errors import InvariantError, LimitExceeded, ModelError, OptionError
from structgen.server.refusals import refusal_of
from tests.server.kit import PERSON, Running, schema_format

BAD: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"guided_json": PERSON}, 400, "unknown_parameter", "guided_json"),
    ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, 400, "unknown_parameter", "messages[0].mood"),
    ({"messages": []}, 400, "invalid_value", "messages"),
    ({"messages": [{"role": "king", "content": "x"}]}, 400, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, 400, "OptionError", "messages"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        400,
        "unknown_parameter",
        "messages[0].content[0].image_url",
    ),
    ({"model": "gpt-4"}, 404, "model_not_found", "model"),
    ({"temperature": "hot"}, 400, "invalid_value", "temperature"),
    ({"temperature": -1}, 400, "OptionError", "temperature"),
    ({"temperature": 1e-300}, 400, "OptionError", "temperature"),
    ({"top_p": 0}, 400, "OptionError", "top_p"),
    ({"seed": -4}, 400, "OptionError", "seed"),
    ({"max_tokens": 0}, 400, "OptionError", "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, 400, "OptionError", "max_tokens"),
    ({"max_tokens": 5000}, 400, "context_length_exceeded", "max_tokens"),
    ({"n": 0}, 400, "invalid_value", "n"),
    ({"n": 17}, 400, "OptionError", "n"),
    ({"frequency_penalty": 0.5}, 400, "unsupported_parameter", "frequency_penalty"),
    ({"logit_bias": {"5": 1}}, 400, "unsupported_parameter", "logit_bias"),
    ({"audio": {}}, 400, "unsupported_parameter", "audio"),
    ({"store": True}, 400, "unsupported_parameter", "store"),
    ({"top_logprobs": 3}, 400, "OptionError", "top_logprobs"),
    ({"stream_options": {"include_usage": True}}, 400, "OptionError", "stream_options"),
    ({"tool_choice": "required"}, 400, "OptionError", "tool_choice"),
    ({"tools": []}, 400, "OptionError", "tools"),
    ({"tools": [{"type": "web_search"}]}, 400, "invalid_value", "tools[0].type"),
    ({"response_format": {"type": "json_schema"}}, 400, "OptionError", "response_format"),
    ({"response_format": {"type": "xml"}}, 400, "invalid_value", "response_format.type"),
    ({"stop": [""]}, 400, "OptionError", "stop"),
    ({"stop": "x", "structured_outputs": {"regex": "a"}}, 400, "unsupported_parameter", "stop"),
    ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, 400, "OptionError", "structured_outputs.choice"),
    ({"structured_outputs": {"regex": "(a"}}, 400, "RegexError", "structured_outputs.regex"),
    ({"structured_outputs": {"choice": []}}, 400, "OptionError", "choices"),
    ({"structured_outputs": {"grammar": 'root ::= ("a"'}}, 400, "GrammarError", "structured_outputs.grammar"),
    ({"structured_outputs": {"json": "/etc/passwd"}}, 400, "OptionError", "structured_outputs.json"),
    ({"method": "magic"}, 400, "OptionError", "method"),
    ({"method": "cars"}, 400, "OptionError", "method"),
    ({"method": "cars", "structured_outputs": {"regex": "a"}, "stream": True}, 400, "OptionError", "stream"),
    ({"method_options": {"draws": 3}}, 400, "OptionError", "method_options"),
]


@pytest.mark.parametrize(("fields", "status", "code", "param"), BAD)
def test_bad_requests(server: Running, fields: dict[str, Any], status: int, code: str, param: str | None) -> None:
    answer = server.post("/v1/chat/completions", **{"messages": [{"role": "user", "content": "x"}], **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error["message"]
    assert error["message"]


@pytest.mark.parametrize(
    ("schema", "code", "pointer"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "SchemaError", "#/properties/a/type"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "SchemaError", None),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "Unsatisfiable", None),
        ({"type": "array", "items": {"$ref": "https://elsewhere.example/x"}}, None, None),
    ],
)
def test_schemas_that_cannot_be_enforced(server: Running, schema: Any, code: str | None, pointer: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        server.client.chat.completions.create(
            model="nano", messages=[{"role": "user", "content": "x"}], response_format=schema_format(schema)
        )
    error: Any = caught.value.body
    assert error["param"] == "response_format.json_schema.schema"
    assert code is None or error["code"] == code, error
    assert pointer is None or error["pointer"] == pointer


def test_a_constraint_that_takes_too_long_fails_alone(start: Any) -> None:
    """By its own clock, which counts processor time; and where the process does not answer at all."""
    running = start(compile_seconds=0.1)
    slow = {"allOf": [{"type": "string", "pattern": f"^.*{each}.{{{n}}}$"} for n, each in enumerate("abcdefghij", 6)]}
    answer = running.chat(response_format=schema_format(slow), max_tokens=60)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["limit"]) == (400, "LimitExceeded", "compile_seconds")
    assert running.service.metrics.count("compiler_restarts_total") == 0
    (worker,) = running.service.compiler._workers
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGSTOP)
    error = running.chat(response_format=schema_format(PERSON), max_tokens=60).json()["error"]
    assert error["limit"] == "compile_seconds"
    assert running.service.metrics.count("compiler_restarts_total") == 1
    assert running.chat(response_format=schema_format({"enum": [1, 2]}), max_tokens=60).status_code == 200


def test_a_compiling_process_that_dies_is_begun_again(server: Running) -> None:
    (worker,) = server.service.compiler._workers
    assert worker._process is not None
    worker._process.kill()
    schema = {**PERSON, "title": "never seen"}
    error = server.chat(response_format=schema_format(schema), max_tokens=60).json()["error"]
    assert error["code"] == "LimitExceeded" and "memory" in error["message"]
    assert server.chat(response_format=schema_format(schema), max_tokens=60).status_code == 200


def test_a_budget_that_holds_no_answer_says_how_much_does(server: Running) -> None:
    error = server.chat(response_format=schema_format(PERSON), max_tokens=3).json()["error"]
    assert error["code"] == "BudgetTooSmall" and error["param"] == "max_tokens" and error["needed"] > 3
    good = server.chat(response_format=schema_format(PERSON), max_tokens=error["needed"])
    assert good.status_code == 200


def test_bodies_and_paths(server: Running) -> None:
    headers = {"content-type": "application/json"}
    url = f"{server.url}/v1/chat/completions"
    for body, code in ((b"{", "invalid_json"), (b"[]", "invalid_type"), (b"[" * 100_000, "invalid_json")):
        answer = httpx.post(url, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    large = httpx.post(url, content=b" " * (5 << 20), headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
    missing = httpx.get(f"{server.url}/v1/embeddings")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    wrong = httpx.get(url)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "not_allowed")


def test_errors_of_ours_are_not_the_clients() -> None:
    assert refusal_of(ModelError("NaN")).status == 500
    assert refusal_of(InvariantError("x", "y")).status == 500
    assert refusal_of(KeyError("x")).body["error"]["type"] == "server_error"
    assert refusal_of(OptionError("no", option="top_k")).param == "top_k"
    limit = refusal_of(LimitExceeded("much", limit="states", allowed=3, pointer="/a"), "schema")
    assert limit.body["error"]["pointer"] == "/a" and limit.param == "schema"


def test_an_error_of_the_model_fails_its_rows_and_not_the_server(
    start: Any, slow_engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    running = start()
    slow_engine.fault = RuntimeError("out of memory")
    with caplog.at_level(logging.CRITICAL):
        answer = running.chat(max_tokens=5)
    assert answer.status_code == 500 and "out of memory" in answer.json()["error"]["message"]
    assert running.chat(max_tokens=5).status_code == 200
    assert running.service.loop.is_idle


def test_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    assert main(["serve", "--api-key-env", "NO_SUCH_KEY"]) == 2
    assert "NO_SUCH_KEY: there is no such variable" in capsys.readouterr().err
    assert main(["serve", "--rows", "0"]) == 2
    assert "rows must be at least 1" in capsys.readouterr().err
    assert main(["serve", "/no/such/model", "--port", "0"]) == 1
    assert "no model at /no/such/model" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "structgen.server.running", None)  # as if nothing of the extra were there
    assert main(["serve"]) == 1
    assert "pip install structgen-engine[server]" in capsys.readouterr().err
