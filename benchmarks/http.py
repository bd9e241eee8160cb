"""A client for servers in OpenAI's protocol that costs little: streams over HTTP/1.0, read as they come.

HTTP/1.0 has no chunks: what comes is the events, to the end of the connection.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "ask", "get"]


@dataclass(slots=True)
class Answer:
    """What came: the status, the text, its tokens (by the server's count, else its pieces), and seconds: to the first
    piece, between pieces."""

    status: int = 0
    text: str = ""
    tokens: int = 0
    first: float = 0.0
    gaps: list[float] = field(default_factory=list)
    error: Any = None
    is_whole: bool = False  # it ended with [DONE]
    finish: str | None = None


async def ask(
    port: int, path: str, body: dict[str, Any], *, leave_after: int | None = None, pause: float = 0.0
) -> Answer:
    """POST a request that streams. `leave_after`: go away after so many pieces; `pause`: between reads."""
    answer, sent = Answer(), json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.0\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    started, pieces = time.perf_counter(), 0
    try:
        writer.write(head.encode() + sent)
        answer.status = int((await reader.readline()).split()[1])
        while (await reader.readline()).strip():
            pass
        if answer.status != 200:
            answer.error = json.loads(await reader.read()).get("error")
            return answer
        last = None
        while line := await reader.readline():
            if line == b"data: [DONE]\n" or line == b"data: [DONE]\r\n":
                answer.is_whole = True
            elif line.startswith(b"data: "):
                pieces += _read(json.loads(line[6:]), answer)
                now = time.perf_counter()
                if pieces and last is None:
                    answer.first, last = now - started, now
                elif last is not None:
                    answer.gaps.append(now - last)
                    last = now
                if leave_after is not None and pieces >= leave_after:
                    return answer
            if pause:
                await asyncio.sleep(pause)
        answer.tokens = answer.tokens or pieces
        return answer
    finally:
        writer.close()


def _read(event: dict[str, Any], answer: Answer) -> int:
    """Note an event; 1 if it held something new."""
    if "error" in event:
        answer.error = event["error"]
        return 0
    if event.get("usage"):
        answer.tokens = event["usage"]["completion_tokens"]
    new = 0
    for choice in event["choices"]:
        text = choice["delta"].get("content") if "delta" in choice else choice.get("text")
        answer.finish = choice.get("finish_reason") or answer.finish
        if text or choice.get("delta", {}).get("tool_calls"):
            answer.text += text or ""
            new = 1
    return new


async def get(port: int, path: str) -> tuple[int, str]:
    """GET something small; its status and its text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nhost: x\r\n\r\n".encode())
    whole = await reader.read()
    writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()
