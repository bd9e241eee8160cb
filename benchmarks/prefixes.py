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
from collections.abc import Iterator
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
    cases = [(length, rows) for length in options.prompt for rows in options.rows]
    records = []
    for length, rows in cases:
        record = {"model": options.model, "prompt": length, "rows": rows}
        records.append(record | measured(engine, *_texts(length, rows, options.steps)))
        print({key: round(value, 4) if isinstance(value, float) else value for key, value in records[-1].items()})
    laws = [_both(engine, *_texts(length, rows, options.steps)) for length, rows in cases]
    engine.model.double()
    for (length, rows), record, rounded in zip(cases, records, laws, strict=True):
        record |= rounding(rounded, _both(engine, *_texts(length, rows, options.steps)))
        print({key: value for key, value in record.items() if "difference" in key or key.startswith("off")})
    write_results("prefixes", records)


def measured(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> dict[str, Any]:
    """Milliseconds a row of each, and the memory they take."""
    PrefixModel(engine).logits([prompt])  # the prompt's own forward is not counted
    peak = _peak()
    own_ms = [spent for spent, _ in _shared(engine, prompt, tokens)]
    own_mib, peak = _peak() - peak, _peak()
    batched_ms = [spent for spent, _ in _batched(engine, prompt, tokens)]
    own, batched = (median(each[2:]) / len(tokens[0]) for each in (own_ms, batched_ms))
    return {
        "row_ms": own,
        "batched_row_ms": batched,
        "ratio": own / batched,
        "mib": own_mib,
        "batched_mib": _peak() - peak,
    }


def rounding(laws: tuple[torch.Tensor, torch.Tensor], exact: tuple[torch.Tensor, torch.Tensor]) -> dict[str, float]:
    """How far the two are from each other, and each from float64: the largest, and the mean total variation."""
    out = {"difference": float((laws[0] - laws[1]).abs().max())}
    out["exact_difference"] = float((exact[0] - exact[1]).abs().max())
    for name, law, true in zip(("off", "off_batched"), laws, exact, strict=True):
        out[f"{name}_max"] = float((law - true).abs().max())
        out[f"{name}_variation"] = float((law - true).abs().sum(-1).mean() / 2)
    return out


def _both(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(steps, rows, V) probabilities of either, in float64."""
    every = (torch.stack([logits for _, logits in way(engine, prompt, tokens)]) for way in (_shared, _batched))
    ours, theirs = (logits.double().softmax(-1) for logits in every)
    return ours, theirs


def _texts(length: int, rows: int, steps: int) -> tuple[tuple[int, ...], list[list[int]]]:
    """A prompt, and a token for each row at each step."""
    prompt = tuple(100 + (37 * place) % 1000 for place in range(length))
    return prompt, [[100 + (61 * row + 17 * step) % 1000 for row in range(rows)] for step in range(steps + 2)]


def _shared(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> Iterator[tuple[float, torch.Tensor]]:
    """Milliseconds and logits of each step, as samplers get them."""
    model = PrefixModel(engine)
    model.logits([prompt])
    prefixes = [prompt] * len(tokens[0])
    for step in tokens:
        prefixes = [(*prefix, token) for prefix, token in zip(prefixes, step, strict=True)]
        started = time.perf_counter()
        logits = torch.from_numpy(model.logits(prefixes))
        yield 1000 * (time.perf_counter() - started), logits


def _batched(engine: Any, prompt: tuple[int, ...], tokens: list[list[int]]) -> Iterator[tuple[float, torch.Tensor]]:
    """The same by transformers."""
    rows, length, cache = len(tokens[0]), len(prompt), DynamicCache()
    engine.call(torch.tensor([prompt]), torch.arange(length)[None], torch.ones(1, length).long(), cache, last=True)
    cache.batch_repeat_interleave(rows)
    for at, step in enumerate(tokens):
        ids, seen = torch.tensor(step)[:, None], length + at + 1
        started = time.perf_counter()
        logits = engine.call(ids, torch.full_like(ids, seen - 1), torch.ones(rows, seen).long(), cache, last=True)
        yield 1000 * (time.perf_counter() - started), logits[:, -1]


def _peak() -> float:
    """Most MiB this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
