"""What one mask costs in named places of a document, and what one row of logits costs to mask.

Per place: the first mask of a newly compiled constraint in a process that has served others, the same mask asked for
again, and llguidance's in the same place. Median of many, one thread, Llama-3 vocabulary.

    python -m benchmarks micro
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.data import write_results
from benchmarks.engines import Llguidance, Structgen
from benchmarks.tokenizers import Tokenizer, load
from structgen.bits import words_for

WORDS = [f"{a}-{b}" for a in ("red", "green", "blue", "yellow", "black") for b in range(100)]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "code": {"type": "string", "maxLength": 30},
        "colour": {"enum": WORDS},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "count", "price", "code", "colour", "tags"],
    "additionalProperties": True,
}
FIELDS = ['{"name":"Ada Lovelace"', '"count":12', '"price":3.5', '"code":"ab-12"', '"colour":"blue-42"', '"tags":["a"']
PLACES = {  # the text before the mask
    "at the start": "",
    "in a declared key": '{"na',
    "after a colon": '{"name":',
    "in a string": FIELDS[0][:-3],
    "in an integer": ",".join(FIELDS[:1]) + ',"count":1',
    "in a number": ",".join(FIELDS[:2]) + ',"price":3.',
    "in a bounded string": ",".join(FIELDS[:3]) + ',"code":"ab',
    "near the bound of a string": ",".join(FIELDS[:3]) + f',"code":"{"x" * 27}',
    "in an enum of 500": ",".join(FIELDS[:4]) + ',"colour":"',
    "deep in an enum of 500": ",".join(FIELDS[:4]) + ',"colour":"green-4',
    "between array elements": ",".join(FIELDS),
    "in a key of any name": ",".join(FIELDS) + '],"nam',
}


def median_us(work: Callable[[], Any], repeats: int) -> float:
    """Median microseconds of `work`."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - started) / 1e3)
    return statistics.median(times)


def masks(tokenizer: Tokenizer, repeats: int) -> list[dict[str, Any]]:
    """One record per place."""
    ours, theirs, records = Structgen(tokenizer), Llguidance(tokenizer), []
    reference = theirs.compile(SCHEMA)
    for place, text in PLACES.items():
        first, again, peer = [], [], []
        for _ in range(repeats):
            matcher = ours.compile(SCHEMA).matcher()
            if not matcher.accept_bytes(text.encode()):
                raise ValueError(f"{place}: {text} is no prefix")
            first.append(median_us(matcher.mask, 1))
            again.append(median_us(matcher.mask, 20))
            theirs.start(reference)
            for token in tokenizer.encode(text):
                theirs.commit(token)
            peer.append(median_us(theirs.mask, 1))
        figures = {"first_us": first[1:], "again_us": again, "llguidance_us": peer[1:]}
        record = {"place": place, **{key: statistics.median(values) for key, values in figures.items()}}
        records.append({**record, "allowed": int(np.bitwise_count(matcher.mask()).sum())})
        line = f"first {record['first_us']:8.1f} us, again {record['again_us']:6.2f} us"
        print(f"{place:28} {line}, llguidance {record['llguidance_us']:8.1f} us, {records[-1]['allowed']:7} allowed")
    return records


def logits(words: int, repeats: int) -> list[dict[str, Any]]:
    """Masking rows of logits on the CPU: our kernel in place, torch's own operations in place."""
    import torch

    from structgen.engines.masking import apply_masks, apply_with_torch, pack

    rows, records = [np.random.default_rng(0).integers(0, 1 << 32, words, dtype=np.uint32)] * 8, []
    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.bfloat16):
        for batch in (1, 8):
            scores = torch.randn(batch, 32 * words).to(dtype)
            table, index = torch.from_numpy(pack(rows[:batch]).view(np.int32)), torch.arange(batch, dtype=torch.int32)
            kernel = median_us(lambda s=scores, r=rows[:batch]: apply_masks(s, r, inplace=True), repeats)
            by_torch = median_us(lambda s=scores, t=table, i=index: apply_with_torch(s, t, i), repeats)
            name = str(dtype).removeprefix("torch.")
            records.append({"logits": name, "batch": batch, "kernel_us": kernel, "torch_us": by_torch})
            print(f"logits {name}, batch {batch}: kernel {kernel:.1f} us, torch {by_torch:.1f} us")
    return records


def main() -> None:
    """Measure, print, write benchmarks/results/micro.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks micro")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    tokenizer = load("llama3")
    words = words_for(tokenizer.vocabulary.size)
    write_results("micro", masks(tokenizer, options.repeats) + logits(words, 4 * options.repeats))


if __name__ == "__main__":
    main()
