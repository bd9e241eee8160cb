"""Compile time of named hard cases, beside llguidance and xgrammar; `maskbench` has all sizes.

Compiling may be lazy, so the time to the first mask of a compiled schema is given as well. Every engine compiles a case
several times; the median counts, and the first one too, in which an engine may fill caches of its own. A case over the
limit is counted as such. Times are CPU times of the one thread.

    python -m benchmarks compile
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from benchmarks.data import Slow, at_most, group, maskbench, write_results
from benchmarks.engines import ENGINES, Engine
from benchmarks.tokenizers import load


def thousand_properties() -> dict[str, Any]:
    """An object of a thousand declared properties of five kinds, half of them required."""
    kinds = [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a", "b"]}, {"type": "null"}]
    properties = {f"property_{n:03}": kinds[n % len(kinds)] for n in range(1000)}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties)[::2],
        "additionalProperties": False,
    }


def cases() -> list[tuple[str, Any]]:
    """(name, schema)."""
    rows, closed = sorted(maskbench(), key=lambda row: len(json.dumps(row["schema"]))), thousand_properties()
    named: list[tuple[str, Any]] = [("a string", {"type": "string"}), ("1,000 properties", closed)]
    named.append(("1,000 properties, others allowed", {**closed, "additionalProperties": True}))
    for source in ("Kubernetes", "Github_ultra", "JsonSchemaStore"):
        of_group = [row for row in rows if group(row["id"]) == source]
        named += [(f"{source}, largest", of_group[-1]["schema"]), (f"{source}, second", of_group[-2]["schema"])]
    return named


def measure(engine: Engine, schema: Any, repeats: int, seconds: int) -> dict[str, Any]:
    """Milliseconds of the first and the median compile, and of the latter's first mask; or why there are none."""
    compiles, masks = [], []
    try:
        with at_most(seconds):
            for _ in range(repeats):
                started = time.thread_time()
                compiled = engine.compile(schema)
                compiles.append((time.thread_time() - started) * 1e3)
                engine.start(compiled)
                engine.mask()
                masks.append((time.thread_time() - started) * 1e3)
    except Slow:
        return {"over_limit": seconds}
    except Exception as error:  # noqa: BLE001 - peers raise anything; a refusal is a result
        return {"refused": f"{type(error).__name__}: {error}"[:160]}
    return {
        "first_ms": compiles[0],
        "compile_ms": statistics.median(compiles),
        "to_mask_ms": statistics.median(masks),
    }


def main() -> None:
    """Measure, print, write benchmarks/results/compile.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compile")
    parser.add_argument("--engines", default="structgen,llguidance,xgrammar")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="limit per case and engine")
    options = parser.parse_args()
    tokenizer, names = load("llama3"), options.engines.split(",")
    engines, records = [ENGINES[name](tokenizer) for name in names], []
    for engine in engines:
        measure(engine, {"type": "string"}, 1, options.seconds)
    for case, schema in cases():
        record: dict[str, Any] = {"case": case, "bytes": len(json.dumps(schema))}
        for engine in engines:
            record[engine.name] = measure(engine, schema, options.repeats, options.seconds)
        records.append(record)
        shown = [f"{name} {record[name].get('compile_ms', float('nan')):10.2f} ms" for name in names]
        print(f"{case[:46]:46} {record['bytes']:8} bytes: {', '.join(shown)}", flush=True)
    write_results("compile", records)


if __name__ == "__main__":
    main()
