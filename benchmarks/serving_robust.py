"""Requests of every kind in random order against one server: none may harm another, and nothing may grow.

    python -m benchmarks serving --robustness 10000 [--model nano]

Kinds: good ones (schemas, patterns, tools, free text, several outputs, streams and not), probes with a known answer,
bad schemas, unknown fields, hostile schemas, budgets that are too small, bodies that are no JSON or too large, clients
that go away before or in the middle of an answer, readers that are slow, and requests cut off in their own text.
Judged: every answer has the status its kind must have, valid outputs where there are some, every probe the same answer
as alone, no row and no request left at the end, resident memory in the last third against the second. At the end
SIGTERM while requests run: every one that was taken is answered whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import signal
from collections import Counter
from typing import Any

from benchmarks.data import write_results
from benchmarks.http import Answer, ask, get
from benchmarks.serving import HOSTILE, Server, servers
from structgen.python_types.exact import ExactValidator

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "set_age", "parameters": PERSON}}
CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
CLIENTS = 24


def chat(model: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 40, "stream": True, **fields}


def schema_of(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}


class Judge:
    """What became of the requests: counts by kind, and everything that was wrong."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server, self.random = server, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.changed = 0  # probes that were answered otherwise than alone
        self.probes: dict[int, str] = {}
        self.person = ExactValidator(PERSON)

    def expect(self, kind: str, answer: Answer, *statuses: int) -> bool:
        """Note an answer; whether it has one of these statuses and is whole."""
        code = answer.error.get("code") if isinstance(answer.error, dict) else None
        self.counts[f"{kind} {answer.status}{f' {code}' if code else ''}"] += 1
        good = answer.status in (*statuses, 429) and (answer.status != 200 or answer.is_whole)
        if not good:
            self.wrong.append(f"{kind}: {answer.status} {answer.error} {answer.text[:60]!r}")
        return good and answer.status == 200 and answer.error is None

    async def one(self, number: int) -> None:
        """A request of a random kind."""
        kind = self.random.choice(KINDS)
        try:
            await getattr(self, f"do_{kind}")(number)
        except (ConnectionError, asyncio.IncompleteReadError, IndexError, ValueError) as error:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}")

    async def ask(self, path: str, body: dict[str, Any], **options: Any) -> Answer:
        return await ask(self.server.port, path, body, **options)

    # ------------------------------------------------------------------------------------------------------- good ones

    async def do_schema(self, number: int) -> None:
        schema = {**PERSON, "title": str(number % 50)}
        answer = await self.ask(CHAT, chat(self.server.model, f"Ada, {number}", response_format=schema_of(schema)))
        if self.expect("schema", answer, 200) and self.person.fault(answer.text) is not None:
            self.wrong.append(f"schema: invalid {answer.text!r}")

    async def do_pattern(self, number: int) -> None:
        asked = {"model": self.server.model, "prompt": "it", "max_tokens": 20, "stream": True,
                 "structured_outputs": {"regex": "[a-f]{2,9}[0-9]"}, "temperature": 1.5}  # fmt: skip
        answer = await self.ask(COMPLETION, asked)
        if self.expect("pattern", answer, 200) and not re.fullmatch("[a-f]{2,9}[0-9]", answer.text):
            self.wrong.append(f"pattern: invalid {answer.text!r}")

    async def do_tool(self, number: int) -> None:
        asked = chat(self.server.model, "Set it", tools=[TOOL], tool_choice="required", max_tokens=120)
        answer = await self.ask(CHAT, asked)
        if self.expect("tool", answer, 200) and answer.finish != "tool_calls":
            self.wrong.append(f"tool: ended with {answer.finish}")

    async def do_free(self, number: int) -> None:
        words = " ".join(self.random.choice(("river", "stone", "letter")) for _ in range(self.random.randrange(1, 80)))
        answer = await self.ask(CHAT, chat(self.server.model, words, n=self.random.randrange(1, 4), temperature=1.2))
        self.expect("free", answer, 200)

    async def do_probe(self, number: int) -> None:
        """One of eight requests whose answer is known from when nothing else ran."""
        which = number % 8
        answer = await self.ask(CHAT, probe(self.server.model, which))
        if self.expect("probe", answer, 200) and answer.text != self.probes.setdefault(which, answer.text):
            self.changed += 1
            self.wrong.append(f"probe {which}: {answer.text!r} instead of {self.probes[which]!r}")

    # -------------------------------------------------------------------------------------------------------- bad ones

    async def do_bad(self, number: int) -> None:
        bad: list[dict[str, Any]] = [
            {"response_format": schema_of({"type": "strin"})},
            {"guided_json": PERSON},
            {"structured_outputs": {"regex": "(a"}},
            {"max_tokens": 3, "response_format": schema_of(PERSON)},
            {"temperature": -1},
            {"messages": [{"role": "user", "content": 5}]},
            {"response_format": schema_of({"type": "integer", "minimum": 3, "maximum": 2})},
            {"tools": [{"type": "function", "function": {"name": "bad name!"}}]},
            {"max_tokens": 100_000},
        ]
        answer = await self.ask(CHAT, {**chat(self.server.model, "x"), **self.random.choice(bad)})
        self.expect("bad", answer, 400)

    async def do_hostile(self, number: int) -> None:
        if self.random.random() < 0.8:  # one in thirty of all is enough to keep a compiler busy
            return await self.do_bad(number)
        schema = {**self.random.choice(HOSTILE), "title": str(number)}
        answer = await self.ask(CHAT, chat(self.server.model, "x", response_format=schema_of(schema)))
        self.expect("hostile", answer, 200, 400)

    async def do_oversized(self, number: int) -> None:
        body = chat(self.server.model, "x" * (5 << 20 if self.random.random() < 0.1 else 40_000))
        try:
            self.expect("oversized", await self.ask(CHAT, body), 400, 413)
        except (ConnectionError, asyncio.IncompleteReadError):  # answered and closed while the body still came
            self.counts["oversized closed"] += 1

    async def do_garbage(self, number: int) -> None:
        """No JSON, or a request that ends before its end."""
        cut = self.random.random() < 0.5
        sent = b'{"model": "' + bytes(self.random.randrange(256) for _ in range(60))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(f"POST {CHAT} HTTP/1.0\r\ncontent-length: {len(sent) + 500 * cut}\r\n\r\n".encode() + sent)
        if not cut:
            line = await reader.readline()
            self.counts[f"garbage {line.split()[1].decode()}"] += 1
            if line.split()[1] != b"400":
                self.wrong.append(f"garbage: {line!r}")
        writer.close()

    async def do_leaver(self, number: int) -> None:
        """Somebody who goes away after a piece or two."""
        asked = chat(self.server.model, "Tell me all", max_tokens=200, temperature=1.5)
        await self.ask(CHAT, asked, leave_after=self.random.randrange(1, 5))
        self.counts["leaver"] += 1

    async def do_silent_leaver(self, number: int) -> None:
        """Somebody who goes away before the answer, which is no stream."""
        body = json.dumps({**chat(self.server.model, "Tell me all", max_tokens=200), "stream": False}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(f"POST {CHAT} HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await asyncio.sleep(self.random.random() * 0.2)
        writer.close()
        self.counts["silent leaver"] += 1

    async def do_slow_reader(self, number: int) -> None:
        asked = chat(self.server.model, "Slowly", response_format=schema_of(PERSON))
        self.expect("slow reader", await self.ask(CHAT, asked, pause=0.02), 200)


KINDS = [name.removeprefix("do_") for name in vars(Judge) if name.startswith("do_")]


def probe(model: str, which: int) -> dict[str, Any]:
    """A request whose answer is known."""
    asked = chat(model, f"Ada Lovelace, {30 + which}", seed=which, response_format=schema_of(PERSON))
    return {**asked, "temperature": 0.0 if which % 2 else 1.0}


async def _run(judge: Judge, count: int) -> list[float]:
    """All requests, CLIENTS at a time; resident megabytes along the way."""
    numbers, memory = iter(range(count)), list[float]()

    async def client() -> None:
        for number in numbers:
            await judge.one(number)
            if number % max(count // 60, 1) == 0:
                memory.append(judge.server.megabytes())
                print(f"{number} requests, {memory[-1]:.0f} MB, {len(judge.wrong)} wrong", flush=True)

    for which in range(8):
        judge.probes[which] = (await ask(judge.server.port, CHAT, probe(judge.server.model, which))).text
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return memory


async def _left(port: int) -> dict[str, float]:
    """Rows and outputs that are still there when nobody asks any more."""
    for _ in range(100):
        _, text = await get(port, "/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        found = {name: float(values[f"structgen_{name}"]) for name in ("running_rows", "waiting_outputs")}
        if not any(found.values()):
            break
        await asyncio.sleep(0.1)
    return found


async def _ended(server: Server) -> tuple[int, int]:
    """SIGTERM while requests run: how many were answered whole, of how many that were taken."""
    asked = [chat(server.model, f"Ada, {n}", response_format=schema_of(PERSON), max_tokens=60) for n in range(12)]
    tasks = [asyncio.create_task(ask(server.port, CHAT, body)) for body in asked]
    await asyncio.sleep(0.15)
    server.process.send_signal(signal.SIGTERM)
    answers: list[Answer] = []
    for task in tasks:
        with contextlib.suppress(ConnectionError):
            answers.append(await task)
    taken = [answer for answer in answers if answer.status == 200]
    return sum(answer.is_whole and answer.error is None for answer in taken), len(taken)


def robustness(model: str, count: int, seed: int) -> None:
    """Run and judge; exits with 1 where anything was wrong."""
    options = ["--rows", "8", "--queue", "64", "--compile-seconds", "2", "--no-packed"]
    with servers(["structgen"], model, options) as found:
        server = found["structgen"]
        judge = Judge(server, seed)
        memory = asyncio.run(_run(judge, count))
        left = asyncio.run(_left(server.port))
        whole, taken = asyncio.run(_ended(server))
        code = server.process.wait(60)
    for kind, number in sorted(judge.counts.items()):
        print(f"{number:6} {kind}")
    third = len(memory) // 3
    second, last = sum(memory[third : 2 * third]) / third, sum(memory[2 * third :]) / (len(memory) - 2 * third)
    growth = last / second - 1
    print(f"memory: {second:.0f} MB in the second third, {last:.0f} in the last ({growth:+.1%})")
    print(f"left at the end: {left}; at SIGTERM {whole} of {taken} answers whole; exit code {code}")
    print(f"{len(judge.wrong)} wrong", *judge.wrong[:20], sep="\n  ")
    record = {
        "model": model, "requests": count, "clients": CLIENTS, "counts": dict(judge.counts), "wrong": judge.wrong,
        "probes": judge.counts["probe 200"], "changed": judge.changed, "left": sum(left.values()),
        "memory_mb": [second, last], "whole": whole, "taken": taken,
    }  # fmt: skip
    write_results("serving-robust", [record])
    if judge.wrong or growth > 0.05 or any(left.values()) or whole != taken or code != 0:
        raise SystemExit(1)
