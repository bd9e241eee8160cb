"""A step of many rows behind one long prompt: what samplers ask of a model, beside transformers' batched decoding.

    python -m benchmarks prefixes [--model smollm2] [--prompt 1000] [--rows 32] [--steps 6]

Every row goes on by another token at each step. "batched" is a plain loop: `forward` of the model over a cache of all
rows, the prompt in each of them, and nothing else. Steps of the two alternate; medians, one thread, and how much memory
either takes above what the process had before (the prompt's own forward not counted).
"""

from __future__ import annotations

import argparse
import resource
import time
from statistics import median
from typing import Any

import torch
from transformers import DynamicCache

from benchmarks.data import write_results
from structgen.engines.prefixes import PrefixModel


def main() -> None:
    """Measure, print, write benchmarks/results/prefixes.jsonl."""
    from structgen.api.models import engine_of

    parser = argparse.ArgumentParser(prog="python -m benchmarks prefixes")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompt", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = engine_of(None if options.model == "nano" else options.model)
    records = []
    for length in options.prompt:
        for rows in options.rows:
            record = {"model": options.model, "prompt": length, "rows": rows}
            records.append(record | measured(engine, length, rows, options.steps))
            print({key: round(value, 2) if isinstance(value, float) else value for key, value in records[-1].items()})
    write_results("prefixes", records)


def measured(engine: Any, length: int, rows: int, steps: int) -> dict[str, Any]:
    """Milliseconds a row of each, and the largest difference of their logits."""
    prompt = tuple(100 + (37 * place) % 1000 for place in range(length))
    tokens = [[100 + (61 * row + 17 * step) % 1000 for row in range(rows)] for step in range(steps + 2)]
    model = PrefixModel(engine)
    model.logits([prompt])
    peak = _peak()
    prefixes: list[tuple[int, ...]] = [prompt] * rows
    own_ms, ours = list[float](), list[torch.Tensor]()
    for step in tokens:
        prefixes = [(*prefix, token) for prefix, token in zip(prefixes, step, strict=True)]
        started = time.perf_counter()
        ours.append(torch.from_numpy(model.logits(prefixes)))
        own_ms.append(1000 * (time.perf_counter() - started))
    own_mib, peak = _peak() - peak, _peak()
    batched_ms, worst = list[float](), 0.0
    cache = DynamicCache()
    engine.call(torch.tensor([prompt]), torch.arange(length)[None], torch.ones(1, length).long(), cache, last=True)
    cache.batch_repeat_interleave(rows)
    for at, step in enumerate(tokens):
        ids, seen = torch.tensor(step)[:, None], length + at + 1
        started = time.perf_counter()
        logits = engine.call(ids, torch.full_like(ids, seen - 1), torch.ones(rows, seen).long(), cache, last=True)
        batched_ms.append(1000 * (time.perf_counter() - started))
        worst = max(worst, float((logits[:, -1].softmax(-1) - ours[at].softmax(-1)).abs().max()))
    own, batched = median(own_ms[2:]) / rows, median(batched_ms[2:]) / rows
    return {
        "row_ms": own,
        "batched_row_ms": batched,
        "ratio": own / batched,
        "mib": own_mib,
        "batched_mib": _peak() - peak,
        "difference": worst,
    }


def _peak() -> float:
    """Most MiB this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
