"""`fill_masks` for 1 to 64 sequences: one grammar and different ones, first time and again.

A step fills the masks of all sequences and then takes each one's next token; only filling is timed. Sequences that end
start over with a new matcher. The first time means newly compiled constraints in a process that has served others. The
best of five walks counts, since a busy machine only ever slows down.

    python -m benchmarks batch
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from benchmarks.data import maskbench, summary, write_results
from benchmarks.tokenizers import load
from structgen.batch import fill_masks
from structgen.bits import words_for
from structgen.compiler import compile_grammar
from structgen.errors import StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.vocabulary import Vocabulary

BATCHES = (1, 2, 4, 8, 16, 32, 64)
STEPS = 48
REPEATS = 5


def cases(tokenizer: Any, count: int, seed: int) -> list[tuple[Any, list[int]]]:
    """(grammar, tokens of a valid instance) of `count` real schemas with instances of some length."""
    found: list[tuple[Any, list[int]]] = []
    for row in maskbench(8 * count, seed):
        texts = [json.dumps(test["data"], ensure_ascii=False) for test in row["tests"] if test["valid"]]
        tokens = [tokenizer.encode(text) for text in texts]
        long = [t for t in tokens if len(t) >= STEPS]
        try:
            if long and len(found) < count:
                found.append((compile_schema(row["schema"]).grammar, long[0]))
        except StructgenError:
            continue
    return found


def run(vocabulary: Vocabulary, chosen: list[tuple[Any, list[int]]], warm: bool) -> list[float]:
    """Microseconds of each step's fill_masks, the first walk or the second."""
    constraints = {id(grammar): compile_grammar(grammar, vocabulary) for grammar, _ in chosen}
    out = np.zeros((len(chosen), words_for(vocabulary.size)), np.uint32)
    times: list[float] = []
    for _ in range(2 if warm else 1):
        matchers, times = [constraints[id(grammar)].matcher() for grammar, _ in chosen], []
        for step in range(STEPS):
            started = time.perf_counter_ns()
            fill_masks(matchers, out)
            times.append((time.perf_counter_ns() - started) / 1e3)
            for i, (_, tokens) in enumerate(chosen):
                place = step + i % 4  # sequences of one grammar are not all in the same place
                if not matchers[i].accept(tokens[place % len(tokens)]):
                    matchers[i] = matchers[i].constraint.matcher()
    return times


def main() -> None:
    """Measure, print, write benchmarks/results/batch.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks batch")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tokenizer = load("llama3")
    vocabulary = tokenizer.vocabulary
    pool = cases(tokenizer, max(BATCHES), options.seed)
    run(vocabulary, pool, warm=False)
    records: list[dict[str, Any]] = []
    for grammars in ("different grammars", "one grammar"):
        for batch in BATCHES:
            chosen = (pool if grammars == "different grammars" else [pool[0]] * batch)[:batch]
            for warm in (False, True):
                walks = [summary(run(vocabulary, chosen, warm)) for _ in range(REPEATS)]
                record = {"grammars": grammars, "batch": batch, "seen_before": warm, "seed": options.seed}
                records.append({**record, "steps": STEPS, "us": min(walks, key=lambda walk: walk["mean"])})
                show(records[-1])
    write_results("batch", records)


def show(r: dict[str, Any]) -> None:
    """One line."""
    kind = f"{r['grammars']}, {'again' if r['seen_before'] else 'first time'}"
    mean, p99 = r["us"]["mean"], r["us"]["p99"]
    print(f"{kind:30} batch {r['batch']:3}: us mean {mean:8.1f}, p99 {p99:8.1f}, a row {mean / r['batch']:6.2f}")


if __name__ == "__main__":
    main()
