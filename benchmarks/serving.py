"""Servers under load: structgen serve beside transformers serve, tokens per second of processor time.

    python -m benchmarks serving --model smollm2 --clients 1,4,16,64
    python -m benchmarks serving --robustness 10000         # requests of every kind; see serving_robust.py

A closed loop: so many clients, each of which asks again when it was answered; prompts that are all different, and ones
that share a long beginning; free text and a JSON Schema (which transformers serve does not enforce: it is not asked).
Engines take turns in every cell, all of them up, one thread of torch each. Processor seconds are those of a server's
whole process tree. Then structgen alone: with hostile schemas arriving, and what a schema that was never seen adds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil

from benchmarks.data import maskbench, summary, write_results
from benchmarks.http import Answer, ask, get
from structgen.python_types.exact import ExactValidator

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "maxLength": 200}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
WORDS = (
    *("river", "stone", "window", "garden", "letter", "market", "winter", "candle", "bridge", "paper", "silver"),
    *("morning", "village", "thunder", "basket", "copper", "harbour", "lantern", "meadow", "orchard", "pepper"),
)
TOKENS = 24


def _kinds(count: int) -> Iterator[dict[str, Any]]:
    """Objects that are told apart by a constant."""
    for i in range(count):
        yield {"type": "object", "properties": {f"p{i}": {"const": i}}, "required": [f"p{i}"]}


HOSTILE: tuple[dict[str, Any], ...] = (
    {"type": "string", "pattern": "^(a?){60}(a|b|aa){40}[a-z]{0,90}$"},
    {"allOf": [{"type": "string", "pattern": f"^.*{letter}.{{{n}}}$"} for n, letter in enumerate("abcdefghij", 6)]},
    {"type": "array", "items": {"anyOf": list(_kinds(400))}},
    {"properties": {f"k{i}": {"type": "string", "pattern": f"^[a-f]{{{i},400}}$"} for i in range(60)}},
    {"oneOf": [{"properties": {"a": {"multipleOf": i}, "b": {"minLength": i}}} for i in range(3, 40)]},
)


ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "VLLM_CPU_OMP_THREADS_BIND": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1",
}  # fmt: skip
ENFORCING = ("structgen", "vllm")  # those that are asked for the schema


class Server:
    """A server's process."""

    def __init__(self, name: str, command: Sequence[str], port: int, model: str) -> None:
        self.name, self.port, self.model = name, port, model
        environment = os.environ | ENVIRONMENT
        if name == "vllm":
            environment.pop("PYTHONPATH", None)  # it has packages of its own
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._tree = psutil.Process(self.process.pid)

    def cpu(self) -> float:
        """Processor seconds of the tree so far."""
        each = [self._tree, *self._tree.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in each)

    def megabytes(self) -> float:
        """Resident memory of the server without its workers."""
        return float(self._tree.memory_info().rss / 2**20)

    async def ready(self, seconds: float = 300) -> None:
        """Wait until it answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError, IndexError):
                if (await get(self.port, "/health"))[0] == 200:
                    return
            await asyncio.sleep(0.2)
        raise TimeoutError(f"{self.name} does not answer")

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def servers(names: Sequence[str], model: str, options: Sequence[str] = ()) -> Iterator[dict[str, Server]]:
    """The servers of these names, up."""
    found: dict[str, Server] = {}
    try:
        for name in names:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            found[name] = _started(name, model, port, options)
        asyncio.run(_all_ready(found.values()))
        yield found
    finally:
        for server in found.values():
            server.stop()


async def _all_ready(found: Any) -> None:
    for server in found:
        await server.ready()


def _started(name: str, model: str, port: int, options: Sequence[str]) -> Server:
    if name == "structgen":
        command = [
            sys.executable,
            "-m",
            "structgen.cli",
            "serve",
            model,
            "--port",
            str(port),
            "--threads",
            "1",
            *options,
        ]
        return Server(name, command, port, model)
    folder = model_folder(model)
    if name == "vllm":
        python = os.environ.get("VLLM_PYTHON", sys.executable)  # of an environment with vllm-cpu
        command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", folder, "--port", str(port)]
        return Server(name, [*command, "--max-model-len", "2048", "--max-num-seqs", "64"], port, folder)
    program = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", folder, "--port", str(port), "--device", "cpu"]
    if name == "transformers-cb":
        command.append("--continuous-batching")
    return Server(name, command, port, folder)


def model_folder(model: str) -> str:
    """Where a model lies, so that others can load it as well."""
    from structgen.api.models import engine_of

    return str(engine_of(model).model.config.name_or_path)


def prompt(kind: str, number: int) -> list[dict[str, str]]:
    """A chat: of its own words, or behind a beginning that all share."""
    random_ = random.Random(number)
    words = " ".join(random_.choice(WORDS) for _ in range(40))
    system = " ".join(random.Random(7).choice(WORDS) for _ in range(400)) if kind == "shared" else "Answer briefly."
    return [{"role": "system", "content": system}, {"role": "user", "content": f"Tell a story of {words}."}]


def _format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}


async def cell(server: Server, clients: int, requests: int, kind: str, constrained: bool, first: int) -> dict[str, Any]:
    """One closed loop; its figures."""
    numbers = iter(range(first, first + requests))
    answers: list[Answer] = []

    async def client() -> None:
        for number in numbers:
            body: dict[str, Any] = {
                "model": server.model, "messages": prompt(kind, number), "max_tokens": TOKENS, "temperature": 0,
                "stream": True, "stream_options": {"include_usage": True},
            }  # fmt: skip
            if constrained:
                body["response_format"] = _format(SCHEMA)
            answers.append(await ask(server.port, "/v1/chat/completions", body))

    cpu, wall = server.cpu(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    cpu, wall = server.cpu() - cpu, time.perf_counter() - wall
    good = [answer for answer in answers if answer.status == 200 and answer.error is None]
    judge = ExactValidator(SCHEMA)
    tokens = sum(answer.tokens for answer in good)
    return {
        "engine": server.name, "clients": clients, "prompts": kind, "constrained": constrained,
        "requests": len(answers), "failed": len(answers) - len(good), "tokens": tokens, "cpu": cpu, "wall": wall,
        "invalid": sum(judge.fault(answer.text) is not None for answer in good) if constrained else 0,
        "first_ms": summary([1000 * answer.first for answer in good]),
        "gap_ms": summary([1000 * gap for answer in good for gap in answer.gaps]),
    }  # fmt: skip


def load(found: dict[str, Server], clients: Sequence[int], rounds: int) -> Iterator[dict[str, Any]]:
    """All cells, the engines in turn."""
    first = 0
    for count in clients:
        for kind in ("unique", "shared"):
            for turn in range(rounds):
                names = list(found) if turn % 2 == 0 else list(reversed(found))
                for name in names:
                    slow = name == "transformers"  # one request at a time, whoever waits
                    requests = min(count, 4) if slow else max(min(2 * count, 64), 6)
                    for constrained in (False, True) if name in ENFORCING else (False,):
                        first += requests
                        yield asyncio.run(cell(found[name], count, requests, kind, constrained, first))


async def _hostile(port: int, model: str, until: asyncio.Event) -> int:
    """Schemas that take long to compile, one after the other, none twice."""
    number = 0
    while not until.is_set():
        schema = {**HOSTILE[number % len(HOSTILE)], "title": f"{number}"}
        asked = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1, "response_format": _format(schema)}
        body = {"model": model, "stream": True, **asked}
        await ask(port, "/v1/chat/completions", body)
        number += 1
    return number


async def hostile(server: Server, clients: int, rounds: int) -> list[dict[str, Any]]:
    """The same load with and without hostile schemas arriving, in turn."""
    found, first = [], 900_000
    for _ in range(rounds):
        for arriving in (False, True):
            until = asyncio.Event()
            task = asyncio.create_task(_hostile(server.port, server.model, until)) if arriving else None
            record = await cell(server, clients, 3 * clients, "unique", True, first)
            until.set()
            first += 1000
            number = 0 if task is None else await task
            found.append({**record, "part": "hostile", "arriving": arriving, "schemas": number})
    return found


async def unseen(server: Server, schemas: Sequence[Any]) -> dict[str, Any]:
    """What a schema that was never seen adds to the first piece: against the same request again."""
    added, refused = [], 0
    for number, schema in enumerate(schemas):
        asked = {"messages": [{"role": "user", "content": f"Example {number}"}], "response_format": _format(schema)}
        body = {"model": server.model, "stream": True, "max_tokens": 1000, "temperature": 0, **asked}
        times = [await ask(server.port, "/v1/chat/completions", body, leave_after=1) for _ in range(3)]
        if any(each.status != 200 for each in times):
            refused += 1
            continue
        added.append(1000 * (times[0].first - min(times[1].first, times[2].first)))
    return {"part": "unseen", "schemas": len(added), "refused": refused, "added_ms": summary(added)}


def real_schemas(count: int) -> list[Any]:
    """Schemas of the development set."""
    return [row["schema"] for row in maskbench(count)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks serving", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--clients", default="1,4,16,64")
    parser.add_argument("--engines", default="structgen,transformers,transformers-cb")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--parts", default="load,hostile,unseen")
    parser.add_argument("--robustness", type=int, metavar="N", help="requests of every kind instead")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.robustness is not None:
        from benchmarks.serving_robust import robustness

        robustness(arguments.model, arguments.robustness, arguments.seed)
        return
    settings = {"settings": {key: value for key, value in vars(arguments).items() if value is not None}}
    records: list[dict[str, Any]] = [settings]
    name = "serving-vllm" if "vllm" in arguments.engines.split(",") else "serving"
    parts, counts = arguments.parts.split(","), [int(each) for each in arguments.clients.split(",")]
    with servers(arguments.engines.split(","), arguments.model) as found:
        for server in found.values():
            asyncio.run(cell(server, 1, 1, "unique", False, 10_000_000))  # whatever is slow the first time
        if "load" in parts:
            for record in load(found, counts, arguments.rounds):
                records.append({"part": "load", **record})
                _say(record)
                write_results(name, records)  # what there is, should the rest take too long
        ours = found.get("structgen")
        if ours is not None and "hostile" in parts:
            for record in asyncio.run(hostile(ours, 4, 2)):
                records.append(record)
                _say(record)
        if ours is not None and "unseen" in parts:
            records.append(asyncio.run(unseen(ours, real_schemas(100))))
            print(records[-1], flush=True)
    print(f"written to {write_results(name, records)}")


def _say(record: dict[str, Any]) -> None:
    gap = record["gap_ms"]
    parts = [
        f"{record['engine']:16} c={record['clients']:<3} {record['prompts']:7}",
        "schema" if record["constrained"] else "free  ",
        f"{record['tokens'] / record['cpu']:6.1f} tokens/CPU-s  {record['requests'] / record['wall']:5.2f} requests/s",
        f"first {record['first_ms'].get('p50', 0):6.0f} ms  gap {gap.get('p50', 0):5.0f} / {gap.get('p99', 0):5.0f} ms",
        f"failed {record['failed']}  invalid {record['invalid']}",
        f"hostile {record['schemas']}" if record.get("arriving") else "",
    ]
    print(*parts, sep="  ", flush=True)


if __name__ == "__main__":
    main()
