"""vLLM's server with structgen inside, asked by the openai client: run by test_vllm_real.py in vLLM's environment.

STRUCTGEN_VLLM=1 python tests/integrations/vllm_client.py MODEL ANSWERS.json
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import Any

import openai
from pydantic import BaseModel, ConfigDict, Field

from tests.integrations.vllm_engine import PERSON


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=30)
    age: int = Field(ge=0, le=150)


TOOLS: Any = [
    {"type": "function", "function": {"name": "set_age", "description": "Set somebody's age", "parameters": PERSON}},
    {"type": "function", "function": {"name": "forget", "parameters": {"type": "object", "properties": {}}}},
]
ASKED: Any = [{"role": "user", "content": "Ada is 36 years old. Set her age."}]


class Client:
    """The server and its client."""

    def __init__(self, model: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [
            sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port),
            "--max-model-len", "1024", "--max-num-seqs", "16", "--dtype", "float32", "--enforce-eager",
            "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--tool-strict-level", "parameter",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=sys.stderr)
        self.client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=240)
        self.model = model
        for _ in range(600):
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}")
            try:
                self.client.models.list()
                return
            except openai.APIConnectionError:
                time.sleep(1)
        raise SystemExit("the server does not start")

    def ask(self, **options: Any) -> Any:
        options = {"messages": ASKED, "max_tokens": 120, "temperature": 0.7, "seed": 1, **options}
        return self.client.chat.completions.create(model=self.model, **options)

    def status(self, **options: Any) -> int:
        """How a request is answered."""
        try:
            self.ask(**options)
        except openai.APIStatusError as error:
            return error.status_code
        return 200


def schema(content: Any) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": content}}


def answers(client: Client) -> list[dict[str, Any]]:
    parsed = client.client.chat.completions.parse(
        model=client.model, messages=ASKED, response_format=Person, max_tokens=60, temperature=0.7, seed=3
    )
    value = parsed.choices[0].message.parsed
    found: list[dict[str, Any]] = [{"name": "parse", "value": value.model_dump() if value else None}]
    stream = client.ask(response_format=schema(PERSON), stream=True)
    text = "".join(each.choices[0].delta.content or "" for each in stream if each.choices)
    found.append({"name": "stream", "text": text})
    several = client.ask(response_format=schema(PERSON), n=3)
    found.append({"name": "several", "texts": [each.message.content for each in several.choices]})
    twice = [client.ask(response_format=schema(PERSON), seed=7).choices[0].message.content for _ in range(2)]
    found.append({"name": "seed", "texts": twice})
    named = {"type": "function", "function": {"name": "set_age"}}
    for name, choice in (("required", "required"), ("named", named), ("auto", "auto")):
        calls = client.ask(tools=TOOLS, tool_choice=choice).choices[0].message.tool_calls or []
        told = [{"name": each.function.name, "arguments": each.function.arguments} for each in calls]
        found.append({"name": name, "calls": told})
    bad: list[dict[str, Any]] = [
        {"response_format": schema({"type": "strin"})},
        {"response_format": schema({"type": "integer", "minimum": 3, "maximum": 2})},
        {"extra_body": {"structured_outputs": {"regex": "(a"}}},
        {"extra_body": {"structured_outputs": {"grammar": "root ::= ("}}},
        {"extra_body": {"structured_outputs": {"json": {}, "whitespace_pattern": " "}}},
    ]
    found.append({"name": "errors", "statuses": [client.status(**each) for each in bad]})
    alive = client.ask(extra_body={"structured_outputs": {"choice": ["yes", "no"]}})
    return [*found, {"name": "alive", "text": alive.choices[0].message.content}]


def main() -> None:
    model, target = sys.argv[1:]
    client = Client(model)
    try:
        found = answers(client)
    finally:
        client.process.terminate()
        client.process.wait(60)
    with open(target, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
