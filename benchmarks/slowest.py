"""The slowest masks of real schemas: processor time of mask and commit together, every one a first visit.

Every schema is compiled and its instances are walked from their start, as `python -m benchmarks maskbench` does. A walk
with a mask that took long is repeated behind a new compilation, and of each mask the smallest time counts: what loading
a page, or another process, costs once is no mask. Collections of garbage fall between schemas.

    python -m benchmarks slowest                                  all schemas, all styles: ten minutes
    python -m benchmarks slowest --styles default --schemas 300
    python -m benchmarks slowest --styles any --only SCHEMA       one schema, each mask beyond a tenth of the limit
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks import tokenizers
from benchmarks.data import Slow, at_most, maskbench, write_results
from benchmarks.engines import Structgen, styles
from benchmarks.tables import figure, table
from benchmarks.tokenizers import Tokenizer
from structgen.errors import StructgenError

EDGES = (1, 2, 5, 10, 20, 50, 100)  # milliseconds that are counted beyond
KEPT = 20  # slowest schemas that a record names
SUSPECT = 0.5  # share of the limit from which a walk is repeated


class Mask(NamedTuple):
    """A mask of a walk: what it took, and ahead of which token of which instance."""

    ms: float
    test: int
    token: int


def first_walks(engine: Structgen, schema: Any, instances: Sequence[Sequence[int]]) -> list[Mask]:
    """Compile a schema and walk its instances, each as far as it is allowed. Raises what the engine raises."""
    masks: list[Mask] = []
    compiled = engine.compile(schema)
    for test, tokens in enumerate(instances):
        engine.start(compiled)
        for at, token in enumerate(tokens):
            started = time.thread_time_ns()
            engine.mask()
            good = engine.allowed(token) and engine.commit(token)
            masks.append(Mask((time.thread_time_ns() - started) / 1e6, test, at))
            if not good:
                break
    return masks


def measured(
    engine: Structgen, schema: Any, instances: Sequence[Sequence[int]], limit: float, repeats: int
) -> list[Mask]:
    """The masks of a schema; of each the smallest time of the walks that were made. Raises AssertionError where these
    do not end alike: then a mask is wrong."""
    masks = first_walks(engine, schema, instances)
    for _ in range(repeats):
        if max((mask.ms for mask in masks), default=0) <= SUSPECT * limit:
            break
        again = first_walks(engine, schema, instances)
        if len(again) != len(masks):
            raise AssertionError(f"masks differ from one walk to the next: {json.dumps(schema)[:200]}")
        masks = [min(pair) for pair in zip(masks, again, strict=True)]
    return masks


def record_of(style: str, rows: list[dict[str, Any]], tokenizer: Tokenizer, options: argparse.Namespace) -> Any:
    """What a style's masks took."""
    engine, refused, given_up, total = Structgen(tokenizer, style), 0, [], 0
    worst: list[dict[str, Any]] = []
    beyond = dict.fromkeys(map(str, EDGES), 0)
    first_walks(engine, {"type": "array", "uniqueItems": True}, [tokenizer.encode('[1, "a", {"b": null}]')])
    gc.collect()
    gc.freeze()
    gc.disable()
    for number, row in enumerate(rows):
        if number % 50 == 49:
            gc.collect()
        instances = [tokenizer.encode(json.dumps(test["data"], ensure_ascii=False)) for test in row["tests"]]
        try:
            with at_most(options.seconds):
                masks = measured(engine, row["schema"], instances, options.limit, options.repeats)
        except (StructgenError, Slow) as error:
            refused += isinstance(error, StructgenError)
            given_up += [row["id"]] if isinstance(error, Slow) else []
            continue
        total += len(masks)
        for edge in EDGES:
            beyond[str(edge)] += sum(mask.ms > edge for mask in masks)
        shown = [mask for mask in masks if mask.ms > options.limit / 10] if options.only else sorted(masks)[-1:]
        for mask in shown:
            tokens = instances[mask.test]
            behind = tokenizer.vocabulary.decode(tokens[max(0, mask.token - 12) : mask.token])
            worst.append({"id": row["id"], **mask._asdict(), "after": behind.decode("utf-8", "replace")})
    gc.enable()
    worst.sort(key=lambda found: -found["ms"])
    slow = sum(found["ms"] > options.limit for found in worst)
    return {
        "style": style,
        "schemas": len(rows),
        "refused": refused,
        "given_up": given_up,
        "masks": total,
        "beyond_ms": beyond,
        "schemas_beyond_limit": slow,
        "slowest": worst if options.only else worst[: max(KEPT, slow)],
    }


def main() -> None:
    """Measure, print, write benchmarks/results/slowest.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks slowest", description=__doc__.split("\n")[0])
    parser.add_argument("--styles", default=",".join(styles()), help="names of engines.styles(), by commas")
    parser.add_argument("--schemas", type=int, help="how many of the schemas, a seeded sample; default all")
    parser.add_argument("--only", help="the one schema with this id; nothing is written")
    parser.add_argument("--limit", type=float, default=5.0, help="milliseconds of processor time a mask should take")
    parser.add_argument("--repeats", type=int, default=2, help="walks more of a schema with a slow mask")
    parser.add_argument("--seconds", type=int, default=60, help="limit per schema")
    parser.add_argument("--out", default="slowest", help="name of the results")
    options = parser.parse_args()
    tokenizer, rows = tokenizers.load("llama3"), maskbench(options.schemas)
    rows = [row for row in rows if options.only in (None, row["id"])]
    settings = {key: getattr(options, key) for key in ("limit", "repeats", "seconds")}
    records: list[dict[str, Any]] = [{"settings": {**settings, "schemas": len(rows)}}]
    for style in options.styles.split(","):
        records.append(record := record_of(style, rows, tokenizer, options))
        print(
            f"{style}: {record['masks']:,} masks of {len(rows) - record['refused']:,} schemas; beyond "
            + ", ".join(f"{edge} ms {count:,}" for edge, count in record["beyond_ms"].items())
            + f"; schemas with one beyond {options.limit:g} ms: {record['schemas_beyond_limit']}",
            flush=True,
        )
        for found in record["slowest"]:
            print(f"  {found['ms']:8.2f} ms  {found['id']} {found['test']} {found['token']}  {found['after'][-40:]!r}")
        if not options.only:
            write_results(options.out, records)


def section(records: list[dict[str, Any]]) -> str:
    """The section of docs/benchmarks.md."""
    settings, rest = records[0]["settings"], records[1:]
    rows = []
    for r in rest:
        most = r["slowest"][0] if r["slowest"] else {"ms": 0.0, "id": ""}
        counts = [f"{r['beyond_ms'][str(edge)]:,}" for edge in EDGES[:5]]
        rows.append([r["style"], f"{r['schemas'] - r['refused']:,}", f"{r['masks']:,}", *counts])
        rows[-1] += [str(r["schemas_beyond_limit"]), f"{figure(most['ms'])} ({most['id']})"]
    head = ["style", "schemas", "masks", *(f"beyond {edge} ms" for edge in EDGES[:5])]
    head += [f"schemas with one beyond {settings['limit']:g} ms", "slowest, ms"]
    measured_styles = ",".join(r["style"] for r in rest)
    note = (
        f"`python -m benchmarks slowest --styles {measured_styles}`. Processor time of mask and commit, every one\n"
        f"a first visit, over all {settings['schemas']:,} schemas and their instances; a walk with a slow mask is "
        "repeated behind a new compilation\nand the smaller time counts."
    )
    return note + "\n\n" + table(head, rows)


if __name__ == "__main__":
    main()
