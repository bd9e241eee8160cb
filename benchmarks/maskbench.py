"""Mask, commit and compile times on real schemas, beside llguidance and xgrammar: the MaskBench protocol.

Per schema: one compile, then every instance walked from its start, mask and commit timed together per token, then all
instances once more. All engines run in one process, one schema after the other and taking turns in who goes first, so
that drift of the machine hits them alike. One thread; a mask's time is the smaller of wall time and the thread's CPU
time, so what other processes take from a shared machine (4 ms at a time) does not count as the tail of an engine.
Compiling is wall time: some engines do it in several threads, whose clock the system adds up late. A schema that
takes an engine longer than the limit, both walks included, is stopped there and counted; its times up to then stay in
the figures.

    python -m benchmarks maskbench                                    300 schemas, three engines, Llama-3
    python -m benchmarks maskbench --engines structgen@llguidance,llguidance   equal languages (spellings.py)
    python -m benchmarks maskbench --schemas 6711 --engines structgen,llguidance --tokenizer mistral-v3
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import tokenizers
from benchmarks.data import Slow, at_most, group, maskbench, summary, write_results
from benchmarks.engines import Engine, engine_of, styles
from benchmarks.tokenizers import Tokenizer
from structgen.errors import LimitExceeded

EDGES = np.logspace(-1, 6, 141)  # of the histogram of mask times: microseconds, twenty bins a decade
SIZES = np.logspace(1, 6, 21)  # of schema sizes: bytes, four bins a decade


@dataclass
class Run:
    """One schema through one engine. Times per token in microseconds; `refused` is the engine's message."""

    id: str
    schema_bytes: int
    compile_ms: float = 0.0
    refused: str | None = None
    over_limit: bool = False
    token_us: list[float] = field(default_factory=list)
    again_us: list[float] = field(default_factory=list)
    valid_rejected: int = 0
    invalid_accepted: int = 0


def walk(engine: Engine, compiled: Any, tokens: list[int], times: list[float]) -> bool:
    """Walk one instance; append microseconds per token; whether the whole instance was accepted."""
    engine.start(compiled)
    for token in tokens:
        cpu, started = time.thread_time_ns(), time.perf_counter_ns()
        engine.mask()
        good = engine.allowed(token) and engine.commit(token)
        wall, cpu = time.perf_counter_ns() - started, time.thread_time_ns() - cpu
        times.append(min(wall, cpu) / 1e3)
        if not good:
            return False
    return engine.complete()


def run_schema(engine: Engine, row: dict[str, Any], instances: list[list[int]], seconds: int) -> Run:
    """Compile one schema, walk its instances twice, judge the verdicts of the first walk."""
    run = Run(row["id"], len(json.dumps(row["schema"])))
    started = time.perf_counter()
    try:
        with at_most(seconds):
            try:
                compiled = engine.compile(row["schema"])
            except Slow:
                raise
            except Exception as error:  # noqa: BLE001 - peers raise anything; a refusal is a result
                run.refused = f"{type(error).__name__}: {error}"[:200]
                return run
            finally:
                run.compile_ms = (time.perf_counter() - started) * 1e3
            for tokens, test in zip(instances, row["tests"], strict=True):
                accepted = walk(engine, compiled, tokens, run.token_us)
                run.valid_rejected += test["valid"] and not accepted
                run.invalid_accepted += accepted and not test["valid"]
            for tokens in instances:
                walk(engine, compiled, tokens, run.again_us)
    except Slow:
        run.over_limit = True
    except LimitExceeded as error:  # while walking: what was measured until then stays, the schema counts as refused
        run.refused = f"while walking: {error}"[:200]
    return run


def run_all(engines: list[Engine], rows: list[dict[str, Any]], tokenizer: Tokenizer, seconds: int) -> list[list[Run]]:
    """The runs of every engine, schema by schema in turns."""
    runs: list[list[Run]] = [[] for _ in engines]
    started = time.time()
    for number, row in enumerate(rows):
        instances = [tokenizer.encode(json.dumps(test["data"], ensure_ascii=False)) for test in row["tests"]]
        for place in range(len(engines)):
            turn = (number + place) % len(engines)
            runs[turn].append(run_schema(engines[turn], row, instances, seconds))
        if sys.stderr.isatty() or number % 200 == 199:
            end = "\r" if sys.stderr.isatty() else "\n"
            print(f"{number + 1}/{len(rows)} schemas, {time.time() - started:.0f} s", end=end, file=sys.stderr)
    return runs


def figures(runs: list[Run]) -> dict[str, Any]:
    """Token and compile figures of the runs that compiled."""
    good = [run for run in runs if run.refused is None]
    return {
        "token_us": summary([t for run in good for t in run.token_us]),
        "again_us": summary([t for run in good for t in run.again_us]),
        "compile_ms": summary([run.compile_ms for run in good]),
        "compiled": len(good),
    }


def verdicts(runs: list[Run]) -> dict[str, Any]:
    """What was refused, stopped or judged otherwise than its label."""
    return {
        "refused": sum(run.refused is not None for run in runs),
        "over_limit": [run.id for run in runs if run.over_limit],
        "valid_rejected": sum(run.valid_rejected > 0 for run in runs),
        "invalid_accepted": sum(run.invalid_accepted > 0 for run in runs),
        "slowest_mask": max(((max(run.token_us), run.id) for run in runs if run.token_us), default=None),
        "slowest_compile": max(((run.compile_ms, run.id) for run in runs), default=None),
    }


def distributions(runs: list[Run]) -> dict[str, Any]:
    """Histogram of mask times over EDGES (the first and last bin take what lies outside); compile times over SIZES."""
    good = [run for run in runs if run.refused is None]
    times = np.clip([t for run in good for t in run.token_us], EDGES[0], EDGES[-1] * 0.999)
    counts = np.histogram(times, EDGES)[0].tolist()
    places = np.digitize([run.schema_bytes for run in good], SIZES)
    by_size = []
    for place in sorted(set(places.tolist())):
        chosen = [run for run, at in zip(good, places, strict=True) if at == place]
        size = float(np.exp(np.mean(np.log([run.schema_bytes for run in chosen]))))
        by_size.append({"bytes": size, **summary([run.compile_ms for run in chosen])})
    return {"mask_histogram": counts, "compile_by_size": by_size}


def records_of(names: list[str], runs: list[list[Run]]) -> list[dict[str, Any]]:
    """Per engine: everything, only what all engines compiled, each group of schemas, distributions."""
    common = {row[0].id for row in zip(*runs, strict=True) if all(run.refused is None for run in row)}
    records: list[dict[str, Any]] = []
    for name, own in zip(names, runs, strict=True):
        records.append({"engine": name, "schemas": len(own), **figures(own), **verdicts(own)})
        records.append({"engine": name, "part": "common", **figures([run for run in own if run.id in common])})
        records.append({"engine": name, "part": "distributions", **distributions(own)})
        for source in sorted({group(run.id) for run in own}):
            records.append({"engine": name, "group": source, **figures([r for r in own if group(r.id) == source])})
    return records


def main() -> None:
    """Parse options, run, print a table, write benchmarks/results/maskbench*.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks maskbench", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--engines", default="structgen,llguidance,xgrammar", help="structgen@NAME: spelling as NAME does"
    )
    parser.add_argument("--schemas", type=int, default=300, help="how many of the schemas, a seeded sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", default="default", choices=[*styles()], help="JsonStyle of structgen")
    parser.add_argument("--tokenizer", default="llama3", choices=tokenizers.NAMES)
    parser.add_argument("--seconds", type=int, default=30, help="limit per schema and engine")
    parser.add_argument("--out", help="name of the results; default maskbench, or maskbench-TOKENIZER")
    options = parser.parse_args()
    tokenizer = tokenizers.load(options.tokenizer)
    rows = maskbench(options.schemas, options.seed)
    names = options.engines.split(",")
    engines = [engine_of(name, tokenizer, options.style) for name in names]
    for engine in engines:  # what a process pays once: loading kernels, opening libraries
        engine.start(engine.compile({"type": "object", "properties": {"a": {"type": "string"}}}))
        engine.mask()
    records = records_of(names, run_all(engines, rows, tokenizer, options.seconds))
    settings = {key: getattr(options, key) for key in ("seed", "style", "tokenizer", "seconds")}
    name = options.out or ("maskbench" if options.tokenizer == "llama3" else f"maskbench-{options.tokenizer}")
    path = write_results(name, [{"settings": {**settings, "schemas": len(rows), "engines": names}}, *records])
    print_table(records)
    print(f"written to {path.relative_to(path.parents[2])}")


def print_table(records: list[dict[str, Any]]) -> None:
    """The comparison, as text: all schemas each engine compiled, then those that every engine compiled."""
    print(f"{'':35} {'token us':>38} {'compile ms':>32} {'again':>8}")
    print(f"{'engine':35} {'mean':>8}{'p50':>8}{'p99':>10}{'max':>12} {'mean':>10}{'p50':>10}{'p99':>12} {'mean':>8}")
    for r in records:
        if "group" in r or r.get("part") == "distributions" or not r["token_us"]:
            continue
        t, c, a = r["token_us"], r["compile_ms"], r["again_us"]
        line = f"{r['engine']:28}{r.get('part', ''):7} {t['mean']:8.1f}{t['p50']:8.1f}{t['p99']:10.1f}{t['max']:12.0f} "
        line += f"{c['mean']:10.2f}{c['p50']:10.2f}{c['p99']:12.2f} {a.get('mean', 0):8.2f}"
        if "refused" in r:
            line += f"  refused {r['refused']}, over the limit {len(r['over_limit'])}"
            line += f", wrong {r['valid_rejected']}+{r['invalid_accepted']}"
        print(line)


if __name__ == "__main__":
    main()
