"""Mask, commit and compile times on real schemas, beside llguidance and xgrammar: the MaskBench protocol.

Per schema: one compile, then every instance walked from its start, mask and commit timed together per token. All
engines run in one process, one schema after the other, so that drift of the machine hits them alike; memory is measured
afterwards in one fresh process per engine. One thread.

    python -m benchmarks maskbench --schemas 300
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.data import group, maskbench, shared, summary, write_results
from benchmarks.engines import ENGINES, Engine


def walk(engine: Engine, compiled: Any, tokens: list[int], times: list[float]) -> bool:
    """Walk one instance; append microseconds per token; whether the whole instance was accepted."""
    engine.start(compiled)
    for token in tokens:
        started = time.perf_counter_ns()
        engine.mask()
        good = engine.allowed(token) and engine.commit(token)
        times.append((time.perf_counter_ns() - started) / 1e3)
        if not good:
            return False
    return engine.complete()


def run_schema(engine: Engine, row: dict[str, Any], instances: list[list[int]]) -> dict[str, Any]:
    """One schema through one engine: compile time, token times, verdicts, token times of a second walk."""
    started = time.perf_counter()
    try:
        compiled = engine.compile(row["schema"])
    except Exception as error:  # noqa: BLE001 - peers raise anything; a refusal is a result
        return {
            "refused": f"{type(error).__name__}: {error}"[:200],
            "compile_ms": (time.perf_counter() - started) * 1e3,
        }
    compile_ms = (time.perf_counter() - started) * 1e3
    first: list[float] = []
    second: list[float] = []
    verdicts = [walk(engine, compiled, tokens, first) for tokens in instances]
    for tokens in instances:
        walk(engine, compiled, tokens, second)
    wrong = [v != t["valid"] for v, t in zip(verdicts, row["tests"], strict=True)]
    return {
        "compile_ms": compile_ms,
        "token_us": first,
        "again_us": second,
        "valid_rejected": sum(w and t["valid"] for w, t in zip(wrong, row["tests"], strict=True)),
        "invalid_accepted": sum(w and not t["valid"] for w, t in zip(wrong, row["tests"], strict=True)),
    }


def memory_mb(name: str, options: argparse.Namespace) -> float | None:
    """Resident memory of a fresh process after it compiled and walked the same schemas with one engine."""
    command = [sys.executable, "-m", "benchmarks", "maskbench", "--engines", name, "--only-memory"]
    command += ["--schemas", str(options.schemas), "--seed", str(options.seed), "--style", options.style]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def resident_mb() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Parse options, run, print a table, write benchmarks/results/maskbench.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks maskbench", description=__doc__.split("\n")[0])
    parser.add_argument("--engines", default="structgen,llguidance,xgrammar")
    parser.add_argument("--schemas", type=int, default=300, help="how many of the schemas, a seeded sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", default="default", choices=("default", "any"), help="JsonStyle of structgen")
    parser.add_argument("--out", default="maskbench")
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(shared() / "tokenizers" / "llama3"))
    rows = maskbench(options.schemas, options.seed)
    names = options.engines.split(",")
    engines = [ENGINES[n](tokenizer, options.style) if n == "structgen" else ENGINES[n](tokenizer) for n in names]
    before = resident_mb()
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    started = time.time()
    for number, row in enumerate(rows):
        texts = [json.dumps(test["data"], ensure_ascii=False) for test in row["tests"]]
        instances = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        turn = number % len(engines)
        for engine in engines[turn:] + engines[:turn]:
            results[engine.name].append({"id": row["id"], **run_schema(engine, row, instances)})
        if sys.stderr.isatty() and not options.only_memory:
            sys.stderr.write(f"\r{number + 1}/{len(rows)} schemas, {time.time() - started:.0f} s ")
    if options.only_memory:
        print(resident_mb() - before)
        return
    records = [report(name, results[name], memory_mb(name, options)) for name in names]
    for record in records:
        record |= {"schemas": len(rows), "seed": options.seed, "style": options.style}
    path = write_results(options.out, records + per_group(results))
    print_table(records)
    print(f"written to {path.relative_to(path.parents[2])}")


def report(name: str, runs: list[dict[str, Any]], memory: float | None) -> dict[str, Any]:
    """The figures of one engine over all schemas."""
    good = [r for r in runs if "refused" not in r]
    return {
        "engine": name,
        "token_us": summary([t for r in good for t in r["token_us"]]),
        "again_us": summary([t for r in good for t in r["again_us"]]),
        "compile_ms": summary([r["compile_ms"] for r in good]),
        "memory_mb": memory,
        "compiled": len(good),
        "refused": len(runs) - len(good),
        "valid_rejected": sum(bool(r["valid_rejected"]) for r in good),
        "invalid_accepted": sum(bool(r["invalid_accepted"]) for r in good),
    }


def per_group(results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Token and compile figures by source of the schema."""
    out = []
    for name, runs in results.items():
        for source in sorted({group(r["id"]) for r in runs}):
            part = [r for r in runs if group(r["id"]) == source and "refused" not in r]
            tokens, compiles = [t for r in part for t in r["token_us"]], [r["compile_ms"] for r in part]
            record = {"group": source, "engine": name, "token_us": summary(tokens), "compile_ms": summary(compiles)}
            out.append(record)
    return out


def print_table(records: list[dict[str, Any]]) -> None:
    """The comparison, as text."""
    print(f"{'':12} {'token us':>40} {'compile ms':>32} {'again':>8} {'MB':>7}")
    print(f"{'engine':12} {'mean':>8}{'p50':>8}{'p99':>10}{'max':>12} {'mean':>10}{'p50':>10}{'p99':>12} {'mean':>8}")
    for r in records:
        t, c, a = r["token_us"], r["compile_ms"], r["again_us"]
        row = f"{r['engine']:12} {t['mean']:8.1f}{t['p50']:8.1f}{t['p99']:10.1f}{t['max']:12.0f} "
        row += f"{c['mean']:10.2f}{c['p50']:10.2f}{c['p99']:12.2f} {a['mean']:8.2f} {r['memory_mb'] or 0:7.0f}"
        print(row + f"  refused {r['refused']}, wrong {r['valid_rejected']}+{r['invalid_accepted']}")


if __name__ == "__main__":
    main()
