"""Limits, clients that go away, and the end of the server: no row is stuck, no answer that was promised is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from structgen.python_types.exact import ExactValidator
from tests.server.kit import PERSON, Running, SlowEngine, schema_format

LIST = {"type": "array", "items": PERSON, "minItems": 3}


def ask(running: Running, **fields: Any) -> Any:
    return running.chat(**{"max_tokens": 90, "response_format": schema_format(LIST), **fields})


def test_a_full_queue_is_said_at_once(start: Any, slow_engine: SlowEngine) -> None:
    running, slow_engine.pause = start(rows=2, queue=1), 0.02
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ask, running) for _ in range(3)]
        running.wait_until(lambda: running.service.loop.running == 2 and running.service.loop.waiting == 1)
        refused = ask(running)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert refused.headers["retry-after"] == "1"
        assert [answer.result().status_code for answer in answers] == [200] * 3


def test_a_request_that_is_late_ends(start: Any, slow_engine: SlowEngine) -> None:
    running, slow_engine.pause = start(timeout=0.6), 0.05
    answer = ask(running)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    events = running.events(messages=[{"role": "user", "content": "x"}], response_format=schema_format(LIST))
    assert events[-2]["error"]["code"] == "deadline_exceeded" and events[-1] == "[DONE]"
    assert running.service.loop.is_idle


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_row(start: Any, slow_engine: SlowEngine, stream: bool) -> None:
    running, slow_engine.pause = start(rows=1), 0.05
    body = {
        "model": "nano",
        "messages": [{"role": "user", "content": "x"}],
        "response_format": schema_format(LIST),
        "stream": stream,
    }
    sent = json.dumps(body).encode()
    with socket.create_connection(running.socket.getsockname()) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(sent)}\r\n\r\n"
        client.sendall(head.encode() + sent)
        running.wait_until(lambda: running.service.loop.running == 1)
        if stream:
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    gone = time.monotonic()
    running.wait_until(lambda: running.service.loop.is_idle)
    assert time.monotonic() - gone < 1.0
    running.wait_until(lambda: not running.service.is_busy)
    assert running.service.metrics.count("choices_total", ended="client_gone") == 1


def test_a_slow_reader_does_not_hold_its_row(start: Any) -> None:
    running = start(rows=1)
    body = json.dumps(
        {"model": "nano", "prompt": "x", "max_tokens": 200, "stream": True, "seed": 1, "logprobs": 20,
         "structured_outputs": {"regex": "[a-z]{150}"}}
    ).encode()  # fmt: skip
    with socket.create_connection(running.socket.getsockname()) as client:
        head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        running.wait_until(lambda: running.service.loop.running == 1)
        running.wait_until(lambda: running.service.loop.is_idle, 30)  # though nobody has read a byte
        assert running.chat(max_tokens=3).status_code == 200
        text = b""
        while b"[DONE]" not in text:
            text += client.recv(4096)
    assert b'"finish_reason":"stop"' in text or b'"finish_reason":"length"' in text or b'"stop_reason"' in text


def test_a_request_is_not_changed_by_others(start: Any, slow_engine: SlowEngine) -> None:
    """The same request alone, and beside ones that come, go, and fail."""
    running = start(rows=4, queue=64)
    asked = {"seed": 9, "temperature": 1.5, "max_tokens": 60}
    alone = ask(running, **asked).json()["choices"][0]["message"]["content"]
    others = [{"seed": i, "max_tokens": 3 + 16 * (i % 5), "n": 1 + i % 2, "temperature": 1.5} for i in range(10)]
    with ThreadPoolExecutor(10) as pool:
        beside = [pool.submit(ask, running, **each) for each in others]
        same = [pool.submit(ask, running, **asked) for _ in range(2)]
        assert {answer.result().json()["choices"][0]["message"]["content"] for answer in same} == {alone}
        assert {answer.result().status_code for answer in beside} == {200, 400}  # some budgets hold no answer


def test_the_key_is_asked_for_where_it_matters(start: Any) -> None:
    running = start(api_key="secret")
    for path in ("/v1/models", "/v1/models/nano", "/metrics"):
        assert httpx.get(f"{running.url}{path}").status_code == 401
        assert httpx.get(f"{running.url}{path}", headers={"authorization": "Bearer secret"}).status_code == 200
    wrong = httpx.post(f"{running.url}/v1/completions", json={}, headers={"authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert httpx.get(f"{running.url}/health").status_code == httpx.get(running.url).status_code == 200
    assert running.client.models.list().data[0].id == "nano"


def test_what_runs_is_finished_at_the_end_and_nothing_begins(start: Any, slow_engine: SlowEngine) -> None:
    running, slow_engine.pause = start(rows=2, drain=20.0), 0.02
    with ThreadPoolExecutor(2) as pool:
        whole = pool.submit(ask, running, seed=1)
        stream = pool.submit(running.events, messages=[{"role": "user", "content": "x"}], max_tokens=60,
                             response_format=schema_format(LIST), seed=2)  # fmt: skip
        running.wait_until(lambda: running.service.loop.running == 2)
        running.leave()
        running.wait_until(lambda: running.service.state == "draining")
        refused = ask(running)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_ending")
        assert httpx.get(f"{running.url}/health").json()["status"] == "draining"
        assert ExactValidator(LIST).fault(whole.result().json()["choices"][0]["message"]["content"]) is None
        assert stream.result()[-1] == "[DONE]"
    running.thread.join(10)
    assert not running.thread.is_alive()


def test_what_is_not_finished_in_time_is_completed_or_says_so(start: Any, slow_engine: SlowEngine) -> None:
    running, slow_engine.pause = start(rows=3, drain=0.3), 0.05
    free = {"model": "nano", "prompt": "it is", "max_tokens": 900, "stream": True, "seed": 5,
            "structured_outputs": {"regex": "[a-z ]{4000,}"}}  # fmt: skip
    with ThreadPoolExecutor(3) as pool:
        whole = pool.submit(ask, running, seed=1, max_tokens=800)
        stream = pool.submit(running.events, messages=[{"role": "user", "content": "x"}], max_tokens=800,
                             response_format=schema_format(LIST), seed=2)  # fmt: skip
        text = pool.submit(running.events, "/v1/completions", **{**free, "structured_outputs": None, "temperature": 2})
        running.wait_until(lambda: running.service.loop.running == 3)
        time.sleep(0.3)
        running.leave()
        choice = whole.result().json()["choices"][0]
        assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "shutdown")
        assert ExactValidator(LIST).fault(choice["message"]["content"]) is None
        *chunks, end, done = stream.result()
        said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        assert end["choices"][0]["stop_reason"] == "shutdown" and done == "[DONE]"
        assert ExactValidator(LIST).fault(said) is None
        *_, error, done = text.result()
        assert error["error"]["code"] == "server_ending" and done == "[DONE]"


def test_sigterm_in_the_middle_of_a_stream(tmp_path: Any) -> None:
    """The command itself: it says where it is, finishes the stream that runs, and ends with 0."""
    command = [sys.executable, "-m", "structgen.cli", "serve", "--port", "0", "--no-packed", "--rows", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[-1]
        assert url.startswith("http://127.0.0.1:"), line
        until = time.monotonic() + 60
        while httpx.get(f"{url}/health").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        body = {"model": "nano", "stream": True, "prompt": "x", "max_tokens": 200, "seed": 3,
                "structured_outputs": {"regex": "[a-z]{120}"}}  # fmt: skip
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        texts = [json.loads(line[6:])["choices"][0] for line in rest[:-1]]
        assert rest[-1] == "data: [DONE]" and texts[-1]["finish_reason"] == "stop"
        assert process.wait(20) == 0
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")
    finally:
        process.kill()
        process.communicate()


def test_threads_of_a_server_end_with_it(start: Any) -> None:
    before = {thread.name for thread in threading.enumerate()}
    running = start()
    running.chat(max_tokens=3)
    assert any(thread.name == "structgen-model" for thread in threading.enumerate())
    (worker,) = running.service.compiler._workers
    running.stop()
    assert not any(thread.name == "structgen-model" for thread in threading.enumerate() if thread.name not in before)
    assert worker._process is not None and worker._process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)
