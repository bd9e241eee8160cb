"""A step of many rows behind one long prompt: what samplers ask of a model, beside transformers' batched decoding.

    python -m benchmarks prefixes [--model smollm2] [--prompt 1000] [--rows 32] [--steps 6]

Every row goes on by another token at each step. "batched" is a plain loop: `forward` of the model over a cache of all
rows, the prompt in each of them, and nothing else. Steps of the two alternate; medians, one thread, and how much memory
either takes above what the process had before (the prompt's own forward not counted).

Both round, in the model's float type, and not alike. How far either is from the same weights in float64, read both ways
too, tells rounding from a mistake.
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
            print({key: round(value, 4) if isinstance(value, float) else value for key, value in records[-1].items()})
    laws = [record.pop("laws") for record in records]
    engine.model.double()
    for record, both in zip(records, laws, strict=True):
        record |= rounding(engine, record["prompt"], record["rows"], options.steps, *both)
        print({key: value for key, value in record.items() if key.startswith(("off", "exact"))})
    write_results("prefixes", records)


def measured(engine: Any, length: int, rows: int, steps: int) -> dict[str, Any]:
    """Milliseconds a row of each, the largest difference of their probabilities, and all of these."""
    prompt, tokens = _texts(length, rows, steps)
    peak = _peak()
    ours, own_ms = _shared(engine, prompt, tokens)
    own_mib, peak = _peak() - peak, _peak()
    theirs, batched_ms = _batched(engine, prompt, tokens)
    own, batched = median(own_ms[2:]) / rows, median(batched_ms[2:]) / rows
    return {
        "row_ms": own,
        "batched_row_ms": batched,
        "ratio": own / batched,
        "mib": own_mib,
        "batched_mib": _peak() - peak,
        "difference": float((ours - theirs).abs().max()),
        "laws": (ours, theirs),
    }


def rounding(engine: Any, length: int, rows: int, steps: int, *laws: torch.Tensor) -> dict[str, float]:
    """Largest and mean total variation between the probabilities of each of the two and those in float64."""
    prompt, tokens = _texts(length, rows, steps)
    exact, exact_too = _shared(engine, prompt, tokens)[0], _batched(engine, prompt, tokens)[0]
    out = {"exact_difference": float((exact - exact_too).abs().max())}
    for name, law in zip(("off", "off_batched"), laws, strict=True):
        out[f"{name}_max"] = float((law - exact).abs().max())
        out[f"{name}_variation"] = float((law - exact).abs().sum(-1).mean() / 2)
    return out


def _texts(length: int, rows: int, steps: int) -> tuple[tuple[int, ...], list[list[int]]]:
    """A prompt, and a token for each row at each step."""
    prompt = tuple(100 + (37 * place) % 1000 for place in range(length))
    return prompt, [[100 + (61 * row + 17 * step) % 1000 for row in range(rows)] for step in range(steps + 2)]


def _shared(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> tuple[torch.Tensor, list[float]]:
    """(steps, rows, V) probabilities as samplers get them, and milliseconds of each step."""
    model = PrefixModel(engine)
    model.logits([prompt])
    prefixes, laws, spent = [prompt] * len(tokens[0]), list[torch.Tensor](), list[float]()
    for step in tokens:
        prefixes = [(*prefix, token) for prefix, token in zip(prefixes, step, strict=True)]
        started = time.perf_counter()
        laws.append(torch.from_numpy(model.logits(prefixes)))
        spent.append(1000 * (time.perf_counter() - started))
    return torch.stack(laws).double().softmax(-1), spent


def _batched(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> tuple[torch.Tensor, list[float]]:
    """The same by transformers."""
    rows, length, laws, spent = len(tokens[0]), len(prompt), list[torch.Tensor](), list[float]()
    cache = DynamicCache()
    engine.call(torch.tensor([prompt]), torch.arange(length)[None], torch.ones(1, length).long(), cache, last=True)
    cache.batch_repeat_interleave(rows)
    for at, step in enumerate(tokens):
        ids, seen = torch.tensor(step)[:, None], length + at + 1
        started = time.perf_counter()
        laws.append(
            engine.call(ids, torch.full_like(ids, seen - 1), torch.ones(rows, seen).long(), cache, last=True)[:, -1]
        )
        spent.append(1000 * (time.perf_counter() - started))
    return torch.stack(laws).double().softmax(-1), spent


def _peak() -> float:
    """Most MiB this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
