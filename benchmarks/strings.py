"""Masks inside strings whose patterns count, first time each, beside llguidance: the same language, the same texts.

Per pattern or format: one compile, then a typical text is walked from its start, and every mask is timed: all are of
states never asked before, unless a text comes back to one. Processor time, one thread. Every round starts from
nothing: caches are cleared, the constraint compiled anew, llguidance given a fresh matcher; of `--rounds` the fastest
time of each place counts, so that what other processes take does not.

    python -m benchmarks strings
    python -m benchmarks strings --cases email,words --engines structgen
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import tokenizers
from benchmarks.data import summary, write_results
from benchmarks.engines import ENGINES, Engine
from structgen.memory import clear_caches

PROSE = "The quick brown fox jumps over the lazy dog and then returns home to rest before dawn breaks again "


@dataclass(frozen=True)
class Case:
    """A string schema, beside its type, and a text it accepts."""

    name: str
    schema: dict[str, Any]
    text: str


NAME = "introduction-to-constrained-decoding-part-2"
PATH = "/usr/local/share/documentation/packages/network-manager/readme.txt"
SENTENCES = "The report is ready. We will send it to you. Please wait. "
SETTINGS = "name=structured generation;language=Python;level=7;"
CASES = (
    Case("email", {"format": "email"}, "maria.fernandez-lopez42@research.department.example-university.edu"),
    Case("hostname", {"format": "hostname"}, "build-server-17.internal.europe-west.example-company.com"),
    Case("uri", {"format": "uri"}, "https://www.example.com:8080/articles/2024/review?lang=en&page=3#conclusion"),
    Case("words", {"pattern": r"^(\w{1,20}\s){0,50}$"}, PROSE),
    Case("ascii words", {"pattern": r"^([a-z]{1,20} ){0,50}$"}, PROSE.lower()),
    Case("few words", {"pattern": r"^(\w{2,20}\s){15,50}$"}, PROSE),
    Case("sentences", {"pattern": r"^([A-Z][a-z ]{2,60}\. ){1,9}$"}, SENTENCES),
    Case("paths", {"pattern": r"^(/[\w.-]{1,64}){1,12}$"}, PATH),
    Case("slug", {"pattern": r"^[a-z0-9]{1,40}(-[a-z0-9]{1,40}){0,10}$"}, NAME),
    Case("settings", {"pattern": r"^(\w{1,16}=[^;]{0,80};){1,20}$"}, SETTINGS),
    Case("length", {"minLength": 20, "maxLength": 200}, PROSE),
    Case("hex groups", {"pattern": r"^([0-9a-f]{4}:){7}[0-9a-f]{4}$"}, "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
)


def walk(engine: Engine, compiled: Any, tokens: list[int]) -> list[float]:
    """Microseconds of processor time of each mask of a text; ValueError if it is not accepted."""
    times = []
    engine.start(compiled)
    for token in tokens:
        started = time.thread_time_ns()
        engine.mask()
        times.append((time.thread_time_ns() - started) / 1e3)
        if not engine.allowed(token) or not engine.commit(token):
            raise ValueError("the text was not accepted")
    return times


def measure(engine: Engine, idle: Any, case: Case, tokens: list[int], rounds: int) -> dict[str, float]:
    """Figures of one case; {} if the engine refuses it. `idle`: what the engine holds while caches are cleared."""
    best = [float("inf")] * len(tokens)
    for _ in range(rounds):
        engine.start(idle)
        clear_caches()
        try:
            times = walk(engine, engine.compile({"type": "string", **case.schema}), tokens)
        except Exception as error:  # noqa: BLE001 - peers raise anything; a refusal is a result
            print(f"{case.name}: {engine.name} {type(error).__name__}: {str(error)[:150]}", file=sys.stderr)
            return {}
        best = list(map(min, best, times))
    return summary(best)


def main() -> None:
    """Parse options, run, print a table, write benchmarks/results/strings.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks strings", description=__doc__.split("\n")[0])
    parser.add_argument("--engines", default="structgen,llguidance")
    parser.add_argument("--cases", default=",".join(case.name for case in CASES))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tokenizer = tokenizers.load("llama3")
    engines = [ENGINES[name](tokenizer) for name in options.engines.split(",")]
    idle = [engine.compile({"type": "object", "properties": {"a": {"type": "string"}}}) for engine in engines]
    for engine, compiled in zip(engines, idle, strict=True):  # what a process pays once: loading kernels, libraries
        engine.start(compiled)
        engine.mask()
    records = []
    print(f"{'us per mask, first time':26}{'mean':>9}{'p50':>9}{'p99':>10}{'max':>10}")
    for case in CASES:
        if case.name not in options.cases.split(","):
            continue
        tokens = tokenizer.encode(json.dumps(case.text, ensure_ascii=False))
        for engine, compiled in zip(engines, idle, strict=True):
            t = measure(engine, compiled, case, tokens, options.rounds)
            if t:
                print(f"{case.name:14} {engine.name:11}{t['mean']:9.0f}{t['p50']:9.0f}{t['p99']:10.0f}{t['max']:10.0f}")
            records.append({"case": case.name, "schema": case.schema, "engine": engine.name, "mask_us": t})
        sys.stdout.flush()
    path = write_results("strings", records)
    print(f"written to {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
