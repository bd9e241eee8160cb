"""A long run: thousands of schemas, deep nests and long strings; memory stays flat and masks stay what they were.

One constraint lives through the whole run and is fed nests, strings and elements, by default ever larger ones. Beside
it, schema after schema is compiled, walked at random and forgotten. A few schemas return again and again: the masks
along a fixed walk must be those of the first time. A record per `--every` schemas; the run ends at the first
difference.

With `--steady` the load does not grow, and memory must not either: the texts are of one size, the schemas come in no
order (and begin anew behind the last), and between two records there is a day's traffic, compressed, of the share that
falls to it: requests for schemas of which a few are asked for often, many matchers open at once. All the while one
string under maxLength is written: 100,000 tokens in the end.

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
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from benchmarks.data import maskbench, resident_mb, write_results
from benchmarks.tokenizers import load
from structgen.api.compile import compile
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import StructgenError
from structgen.matcher import Constraint, Matcher
from structgen.memory import caches
from structgen.vocabulary import Vocabulary

JSON = {"$ref": "#/$defs/any", "$defs": {"any": {}}}  # any JSON value, nested to any depth
STEPS = 60  # tokens of a random walk
STEADY = 4  # the round whose texts are fed in every round
COUNTED = 100_000  # tokens of the one string of a steady run
REQUESTS = 17_280  # of a steady run: one every five seconds of a day
POOL, OPEN = 500, 16  # schemas that requests ask for, the k-th 1/k times as often as the first; requests at once
NAMED = 8  # caches of a record


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


def read(matcher: Matcher, tokens: list[int], step: int) -> str:
    """Feed a long text; a hash of every `step`-th mask."""
    digest = hashlib.sha256()
    for place, token in enumerate(tokens):
        if place % step == 0:
            digest.update(matcher.mask().tobytes())
        if not matcher.accept(token):
            raise ValueError(f"a valid text is refused at token {place} of {len(tokens)}")
    return digest.hexdigest()


def long_texts(round_: int) -> Iterator[str]:
    """Deep nests, a long string, many elements, many keys: larger every round."""
    size = 200 * (1 + round_)
    yield "[" * size + "]" * size
    yield '{"a":' * size + "1" + "}" * size
    yield json.dumps("x y " * 10 * size)
    yield json.dumps(list(range(5 * size)))
    yield json.dumps({f"key {n}": [n] for n in range(2 * size)})


class Soak:
    """What lives through a run, and what was done so far. Every part raises SystemExit at a mask that differs."""

    def __init__(self, vocabulary: Vocabulary, encode: Callable[[str], list[int]]) -> None:
        self.vocabulary, self.encode = vocabulary, encode
        self.old = compile(schema=JSON, vocabulary=vocabulary)
        self.probes: list[tuple[Any, str]] = []
        self.done: Counter[str] = Counter(schemas=0, tokens=0, requests=0, compared=0)
        counted = compile(schema={"type": "string", "maxLength": 10 * COUNTED}, vocabulary=vocabulary)
        self.counted = counted.matcher()
        self.letters = iter(encode('"' + "hello there world and all of it x " * (COUNTED // 6))[:COUNTED])

    def compiled(self, schema: Any) -> Constraint | None:
        """None where it is refused."""
        try:
            return compile(schema=schema, vocabulary=self.vocabulary)
        except StructgenError:
            return None

    def schema(self, schema: Any) -> None:
        """Compile, walk, forget."""
        self.done["schemas"] += 1
        constraint = self.compiled(schema)
        if constraint is None:
            return
        walk(constraint.matcher(), random.Random(self.done["schemas"]), STEPS)
        self.done["tokens"] += STEPS
        if self.done["schemas"] <= 10:
            self.probes.append((schema, walk(constraint.matcher(), random.Random(0), STEPS)))

    def probe(self) -> None:
        """The masks of the first schemas are what they were."""
        for schema, known in self.probes:
            self.done["compared"] += STEPS
            constraint = self.compiled(schema)
            assert constraint is not None
            self._same(walk(constraint.matcher(), random.Random(0), STEPS), known, json.dumps(schema))

    def texts(self, round_: int) -> None:
        """The masks along long texts are those of a constraint that has seen nothing else."""
        for text in long_texts(round_):
            ids = self.encode(text)
            fresh = compile_grammar(self.old.grammar, self.vocabulary)
            self.done["compared"] += len(ids) // 50
            self.done["tokens"] += 2 * len(ids)
            self._same(read(self.old.matcher(), ids, 50), read(fresh.matcher(), ids, 50), text)

    def count(self, tokens: int) -> None:
        """So many tokens more in the string that is counted; the last tenth is taken back and written again."""
        ids = list(islice(self.letters, tokens))
        again = ids[-max(1, len(ids) // 10) :]
        read(self.counted, ids[: -len(again)], 1)
        known = read(self.counted, again, 1)
        self.counted.rollback(len(again))
        self.done["compared"] += len(again)
        self.done["tokens"] += len(ids)
        self._same(read(self.counted, again, 1), known, "the counted string")

    def traffic(self, pool: list[Any], requests: int, rng: random.Random) -> None:
        """Requests for schemas of a pool, as a server has them: many at once, each a token at a time."""
        weights = [1 / (1 + rank) for rank in range(len(pool))]
        waiting = iter(rng.choices(pool, weights, k=requests))
        going: list[tuple[Matcher, int]] = []
        while True:
            for schema in islice(waiting, OPEN - len(going)):
                self.done["requests"] += 1
                constraint = self.compiled(schema)
                if constraint is not None:
                    going.append((constraint.matcher(), rng.randrange(1, 2 * STEPS)))
            if not going:
                return
            self.done["tokens"] += len(going)
            going = [(matcher, left - 1) for matcher, left in going if left and self._stepped(matcher, rng)]

    def _stepped(self, matcher: Matcher, rng: random.Random) -> bool:
        choices = ids_of(matcher.mask())
        return bool(len(choices)) and matcher.accept(int(rng.choice(choices)))

    def _same(self, found: str, known: str, what: str) -> None:
        if found != known:
            sys.exit(f"after {self.done['schemas']} schemas the masks of {what[:200]} differ")

    def record(self) -> dict[str, Any]:
        """What was done so far, and what the process takes."""
        gc.collect()
        held = {cache.name: (cache.held.nbytes or 0) / 2**20 for cache in caches()}
        largest = {name: round(mb, 1) for name, mb in islice(held.items(), NAMED)}
        sizes = {"mb": resident_mb(), "held_mb": sum(held.values()), "caches_mb": largest}
        return {**self.done, "cpu": time.process_time(), **sizes, "differences": 0}


def run(
    vocabulary: Vocabulary, encode: Callable[[str], list[int]], rows: Iterable[dict[str, Any]], every: int
) -> Iterator[dict[str, Any]]:
    """A record per `every` schemas. Raises SystemExit at the first mask that differs."""
    soak = Soak(vocabulary, encode)
    for number, row in enumerate(rows, 1):
        soak.schema(row["schema"])
        if number % every == 0:
            soak.probe()
            soak.texts(number // every)
            yield soak.record()


def run_steadily(
    vocabulary: Vocabulary,
    encode: Callable[[str], list[int]],
    rows: list[dict[str, Any]],
    schemas: int,
    every: int,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """As `run`, under a load that does not grow: each record stands for the same work."""
    soak, rng = Soak(vocabulary, encode), random.Random(seed)
    order = [row["schema"] for row in rng.sample(rows, len(rows))]
    pool, coming = order[:POOL], cycle(order)
    for _ in range(schemas // every):
        for schema in islice(coming, every):
            soak.schema(schema)
        soak.probe()
        soak.texts(STEADY)
        soak.count(COUNTED * every // schemas)
        soak.traffic(pool, REQUESTS * every // schemas, rng)
        yield soak.record()


def main() -> None:
    """Run, print, write benchmarks/results/soak.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak")
    parser.add_argument("--schemas", type=int, default=3000)
    parser.add_argument("--every", type=int, default=200, help="schemas between records")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steady", action="store_true", help="a load that does not grow")
    options = parser.parse_args()
    tokenizer, records = load("llama3"), []
    parts = tokenizer.vocabulary, tokenizer.encode
    if options.steady:
        found = run_steadily(*parts, maskbench(), options.schemas, options.every, options.seed)
    else:
        found = run(*parts, maskbench(options.schemas, options.seed), options.every)
    for record in found:
        records.append(record)
        shown = {key: value for key, value in record.items() if key != "caches_mb"}
        print(", ".join(f"{key} {value:,.0f}" for key, value in shown.items()), record["caches_mb"], flush=True)
    write_results("soak-steady" if options.steady else "soak", records)


if __name__ == "__main__":
    main()
