"""A long run: thousands of schemas, deep nests and long strings; memory stays flat and masks stay what they were.

One constraint lives through the whole run and is fed nests, strings and elements, by default ever larger ones; with
`--steady` of one size, so that the load does not grow and memory must not either. Beside it,
schema after schema is compiled, walked at random and forgotten. A few schemas return again and again: the masks along a
fixed walk must be those of the first time. A record per hundred schemas; the run ends at the first difference.

    python -m benchmarks soak --schemas 5000
    python -m benchmarks soak --schemas 10000 --every 1000 --steady    memory at the end beside that after a tenth
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import random
import sys
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from benchmarks.data import maskbench, resident_mb, write_results
from benchmarks.tokenizers import load
from structgen.api.compile import compile
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import StructgenError
from structgen.matcher import Constraint, Matcher
from structgen.vocabulary import Vocabulary

JSON = {"$ref": "#/$defs/any", "$defs": {"any": {}}}  # any JSON value, nested to any depth
STEPS = 60  # tokens of a random walk
STEADY = 4  # the round whose texts are fed in every round


def walk(matcher: Matcher, rng: random.Random, steps: int) -> str:
    """Follow random allowed tokens; a hash of every mask on the way."""
    digest = hashlib.sha256()
    for _ in range(steps):
        mask = matcher.mask()
        digest.update(mask.tobytes())
        choices = ids_of(mask)
        if not len(choices):
            break
        matcher.accept(int(rng.choice(choices)))
    return digest.hexdigest()


def read(constraint: Constraint, text: str, tokens: list[int], step: int) -> str:
    """Feed a long text; a hash of every `step`-th mask."""
    matcher, digest = constraint.matcher(), hashlib.sha256()
    for place, token in enumerate(tokens):
        if place % step == 0:
            digest.update(matcher.mask().tobytes())
        if not matcher.accept(token):
            raise ValueError(f"a valid text is refused at token {place}: {text[:80]}")
    return digest.hexdigest()


def long_texts(round_: int) -> Iterator[str]:
    """Deep nests, a long string, many elements, many keys: larger every round."""
    size = 200 * (1 + round_)
    yield "[" * size + "]" * size
    yield '{"a":' * size + "1" + "}" * size
    yield json.dumps("x y " * 10 * size)
    yield json.dumps(list(range(5 * size)))
    yield json.dumps({f"key {n}": [n] for n in range(2 * size)})


def run(
    vocabulary: Vocabulary, encode: Any, rows: Iterable[dict[str, Any]], every: int, *, steady: bool = False
) -> Iterator[dict[str, Any]]:
    """A record per `every` schemas. Raises SystemExit at the first mask that differs."""
    old, probes, compared, tokens = compile(schema=JSON, vocabulary=vocabulary), {}, 0, 0
    for number, row in enumerate(rows, 1):
        try:
            constraint = compile(schema=row["schema"], vocabulary=vocabulary)
        except StructgenError:
            continue
        walk(constraint.matcher(), random.Random(number), STEPS)
        tokens += STEPS
        if number <= 10:
            probes[number] = (row["schema"], walk(constraint.matcher(), random.Random(0), STEPS))
        if number % every:
            continue
        for schema, known in probes.values():
            compared += STEPS
            if walk(compile(schema=schema, vocabulary=vocabulary).matcher(), random.Random(0), STEPS) != known:
                sys.exit(f"after {number} schemas the masks of {json.dumps(schema)[:200]} differ")
        for text in long_texts(STEADY if steady else number // every):
            ids = encode(text)
            fresh = compile_grammar(old.grammar, vocabulary)
            compared, tokens = compared + len(ids) // 50, tokens + 2 * len(ids)
            if read(old, text, ids, 50) != read(fresh, text, ids, 50):
                sys.exit(f"after {number} schemas the masks of {text[:80]} differ from a new constraint's")
        gc.collect()
        yield {"schemas": number, "tokens": tokens, "mb": resident_mb(), "compared": compared, "differences": 0}


def main() -> None:
    """Run, print, write benchmarks/results/soak.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak")
    parser.add_argument("--schemas", type=int, default=3000)
    parser.add_argument("--every", type=int, default=200, help="schemas between records")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steady", action="store_true", help="texts of one size; schemas begin anew behind the last")
    options = parser.parse_args()
    tokenizer, records = load("llama3"), []
    rows: Iterable[dict[str, Any]] = maskbench(options.schemas, options.seed)
    rows = islice(cycle(rows), options.schemas) if options.steady else rows
    for record in run(tokenizer.vocabulary, tokenizer.encode, rows, options.every, steady=options.steady):
        records.append(record)
        print(", ".join(f"{key} {value:,.0f}" for key, value in record.items()), flush=True)
    write_results("soak-steady" if options.steady else "soak", records)


if __name__ == "__main__":
    main()
