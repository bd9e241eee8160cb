"""Resident memory after 10, 30, ... 3,000 different schemas, each compiled and walked, beside llguidance.

Two ways to serve: every compiled schema is kept, as a server with as many users does, or only the last hundred are.
A fresh process for each; the figure is what was added since the vocabulary was loaded.

    python -m benchmarks memory
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import deque
from typing import Any

from benchmarks.data import at_most, maskbench, resident_mb, write_results
from benchmarks.engines import ENGINES
from benchmarks.maskbench import walk
from benchmarks.tokenizers import load

POINTS = (10, 30, 100, 200, 300, 500, 700, 1000, 1400, 2000, 3000)


def serve(name: str, keep: int | None, count: int, seed: int) -> None:
    """Print a line {"schemas", "mb"} at every point."""
    tokenizer = load("llama3")
    engine = ENGINES[name](tokenizer)
    engine.start(engine.compile({"type": "string"}))
    engine.mask()
    rows, kept = maskbench(count, seed), deque[Any](maxlen=keep)
    before, refused = resident_mb(), 0
    for number, row in enumerate(rows, 1):
        instances = [tokenizer.encode(json.dumps(test["data"], ensure_ascii=False)) for test in row["tests"]]
        try:
            with at_most(30):
                compiled = engine.compile(row["schema"])
                kept.append(compiled)
                for tokens in instances:
                    walk(engine, compiled, tokens, [])
        except Exception:  # noqa: BLE001 - peers raise anything; what is refused or too slow is counted
            refused += 1
        if number in POINTS:
            print(json.dumps({"schemas": number, "mb": resident_mb() - before, "refused": refused}), flush=True)


def main() -> None:
    """Start a process per engine and way, print, write benchmarks/results/memory.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory")
    parser.add_argument("--engines", default="structgen,llguidance")
    parser.add_argument("--schemas", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.keep, options.schemas, options.seed)
        return
    records = []
    for name in options.engines.split(","):
        for keep in (None, 100):
            command = [sys.executable, "-m", "benchmarks", "memory", "--serve", name, "--seed", str(options.seed)]
            command += ["--schemas", str(options.schemas), *(["--keep", str(keep)] if keep else [])]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            points = [json.loads(line) for line in done.stdout.splitlines()]
            records.append({"engine": name, "kept": keep, "seed": options.seed, "points": points})
            way = "all kept" if keep is None else f"the last {keep} kept"
            print(f"{name:12} {way:20}", ", ".join(f"{p['schemas']}: {p['mb']:.0f} MB" for p in points), flush=True)
    write_results("memory", records)


if __name__ == "__main__":
    main()
