"""Masks on a CUDA device: rows uploaded at each step, resident rows, complete token tables; kernels beside torch.

Nothing is measured, and the exit status says so, where there is no device.

    python -m benchmarks cuda
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.data import summary, write_results
from benchmarks.tokenizers import load
from structgen.bits import words_for

BATCHES = (1, 8, 64, 256)
TABLES = {
    "date": "[0-9]{4}-[01][0-9]-[0-3][0-9]",
    "word": "[a-z]{1,63}",
    "choice of 100": "|".join(map(str, range(100))),
}


def timed(work: Callable[[], Any], repeats: int = 50) -> dict[str, float]:
    """Microseconds of `work` until the device is idle again."""
    import torch

    work()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        started = time.perf_counter_ns()
        work()
        torch.cuda.synchronize()
        times.append((time.perf_counter_ns() - started) / 1e3)
    return summary(times)


def ways_to_mask(logits: Any, rows: list[Any]) -> dict[str, Callable[[], Any]]:
    """Ways to mask a batch of logits; those called alone leave out what crosses to the device."""
    from structgen.engines.masking import apply_masks, apply_table, apply_with_torch
    from structgen.engines.resident import ResidentRows

    resident: Any = ResidentRows(len(rows[0]), "cuda")
    index = resident.index(rows)
    ways = {
        "upload rows, kernel": lambda: apply_masks(logits, rows, inplace=True),
        "upload row numbers, kernel": lambda: resident.apply(logits, resident.index(rows)),
        "kernel alone": lambda: apply_table(logits, resident.table, index),
        "torch alone": lambda: apply_with_torch(logits, resident.table, index),
    }
    if importlib.util.find_spec("xgrammar"):
        import xgrammar

        packed = resident.table[index.long()]
        ways["xgrammar's kernel alone"] = lambda: xgrammar.apply_token_bitmask_inplace(logits, packed)
    return ways


def apply_records(words: int) -> list[dict[str, Any]]:
    """Every way, batch size and float type."""
    import torch

    rng, records = np.random.default_rng(0), []
    pool = [rng.integers(0, 1 << 32, words, dtype=np.uint32) for _ in range(max(BATCHES))]
    for batch in BATCHES:
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            logits = torch.randn(batch, 32 * words + 64, device="cuda").to(dtype)
            for way, work in ways_to_mask(logits, pool[:batch]).items():
                record = {"way": way, "batch": batch, "dtype": str(dtype).removeprefix("torch."), "us": timed(work)}
                records.append(record)
                print(f"{way:28} batch {batch:4} {record['dtype']:9} p50 {record['us']['p50']:8.1f} us")
    return records


def table_records(vocabulary: Any) -> list[dict[str, Any]]:
    """Complete tables of regular constraints: how long they take to make, how long a step takes."""
    import torch

    import structgen as sg
    from structgen.engines.resident import TokenTable

    records = []
    for name, pattern in TABLES.items():
        constraint = sg.compile(regex=pattern, vocabulary=vocabulary)
        started = time.perf_counter()
        table = TokenTable(constraint, "cuda")
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        logits = torch.randn(64, vocabulary.size, device="cuda")
        states = table.start(64)

        def step(table: Any = table, logits: Any = logits, states: Any = states) -> None:
            table.apply(logits, states)
            table.advance(states, logits.argmax(1))

        records.append({"table": name, "states": len(table.next), "seconds": seconds, "step_us": timed(step)})
        print(f"table of {name}: {len(table.next)} states in {seconds:.2f} s, a step of 64 {records[-1]['step_us']}")
    return records


def main() -> None:
    """Measure, print, write benchmarks/results/cuda.jsonl."""
    import torch

    from structgen.engines.masking import cuda_kernels

    if not torch.cuda.is_available():
        sys.exit("no CUDA device here: nothing was measured")
    if not cuda_kernels():
        print("Numba finds no CUDA driver or toolkit: the figures called kernel are torch's")
    vocabulary = load("llama3").vocabulary
    records = apply_records(words_for(vocabulary.size)) + table_records(vocabulary)
    write_results("cuda", [{"device": torch.cuda.get_device_name(), "kernels": cuda_kernels()}, *records])


if __name__ == "__main__":
    main()
