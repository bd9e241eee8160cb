"""Real servers on free ports, in a thread of the tests: one as it is, and a slow one with two rows."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import openai
import torch

from structgen.engines.transformers import TransformersEngine
from structgen.server.running import Serving
from structgen.server.service import Service
from structgen.server.settings import ServerSettings

torch.set_num_threads(1)  # nano is small: threads only get in each other's way

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


class SlowEngine(TransformersEngine):
    """nano, with a pause in every call of the model."""

    pause = 0.0
    fault: Exception | None = None

    def call(self, *arguments: Any, **options: Any) -> Any:
        """As it is, later; or an error, once."""
        time.sleep(self.pause)
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        return super().call(*arguments, **options)


class Running:
    """A server in a thread."""

    def __init__(self, settings: ServerSettings) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._run, args=(settings,), daemon=True)
        self._begun = threading.Event()
        self.thread.start()
        self._begun.wait()
        self.key = settings.api_key or "none"
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=60)
        self.wait_until(lambda: self.service.state == "ready", 60)
        assert self.service.failure is None

    def _run(self, settings: ServerSettings) -> None:
        async def main() -> None:
            self.service = Service(settings)
            self.serving = Serving(self.service)
            self.asyncio = asyncio.get_running_loop()
            self._begun.set()
            await self.serving.serve(sockets=[self.socket])

        asyncio.run(main())

    @staticmethod
    def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it does not come"
            time.sleep(0.01)

    def leave(self) -> None:
        self.asyncio.call_soon_threadsafe(self.serving.leave)

    def stop(self) -> None:
        if self.thread.is_alive():
            self.leave()
            self.thread.join(30)
        assert not self.thread.is_alive()
        self.client.close()
        self.socket.close()

    def post(self, path: str, **fields: Any) -> Any:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self.url}{path}", json={"model": "nano", **fields}, headers=headers, timeout=60)

    def chat(self, text: str = "Ada Lovelace, 36, lives in London", **fields: Any) -> Any:
        return self.post("/v1/chat/completions", messages=[{"role": "user", "content": text}], **fields)

    def events(self, path: str = "/v1/chat/completions", **fields: Any) -> list[Any]:
        """The data of a stream; names in front where it has them."""
        found: list[Any] = []
        body = {"model": "nano", "stream": True, **fields}
        headers = {"authorization": f"Bearer {self.key}"}
        with httpx.stream("POST", f"{self.url}{path}", json=body, headers=headers, timeout=60) as response:
            assert response.status_code == 200, response.read()
            for line in response.iter_lines():
                if line.startswith("data: "):
                    found.append("[DONE]" if line == "data: [DONE]" else json.loads(line[6:]))
        return found


def schema_format(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, **more}}
