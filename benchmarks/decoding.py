"""Decoding with a real model, by rows: free, under constraints that are met first, with masks made ahead, with drafts.

Every row has a schema of its own that nobody compiled or walked before its arm; arms take turns. A mask is timed where
the loop asks for it. On a CPU the times are processor times of the process, elsewhere wall times.

    python -m benchmarks decoding                         SmolLM2, 1 and 8 rows, on this CPU
    python -m benchmarks decoding --device cuda --rows 1,8,64 --tokens 128
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from typing import Any

import structgen as sg
from benchmarks.data import maskbench, summary, write_results
from structgen.api.models import engine_of
from structgen.compiler import compile_grammar
from structgen.engines.decode import Request, decode
from structgen.errors import StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.matcher import Matcher
from structgen.options import SamplingOptions

STYLES = {"default": sg.JsonStyle(), "any": sg.JsonStyle.any()}
ARMS: dict[str, dict[str, Any]] = {
    "free": {},
    "constrained": {"ahead": False},
    "masks ahead": {"ahead": True},
    "speculative": {"ahead": False, "speculation": "auto"},
    "both": {"ahead": True, "speculation": "auto"},
}


@contextmanager
def timed_masks(times: list[float]) -> Iterator[None]:
    """Note the microseconds of every mask that a matcher is asked for."""
    mask = Matcher.mask

    def timed(self: Matcher) -> Any:
        started = time.perf_counter_ns()
        row = mask(self)
        times.append((time.perf_counter_ns() - started) / 1e3)
        return row

    Matcher.mask = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        Matcher.mask = mask  # type: ignore[method-assign]


def constraints_of(schemas: list[Any], vocabulary: Any, style: sg.JsonStyle) -> list[sg.Constraint]:
    """New constraints, of which no state was met."""
    return [compile_grammar(compile_schema(each, style=style).grammar, vocabulary) for each in schemas]


def compiles(schema: Any, style: sg.JsonStyle) -> bool:
    """Whether a schema is one of those that this library takes."""
    try:
        compile_schema(schema, style=style)
    except StructgenError:
        return False
    return True


def run(engine: Any, arm: dict[str, Any], schemas: list[Any], options: argparse.Namespace) -> dict[str, Any]:
    """One batch of an arm: tokens, seconds and the times of its masks."""
    prompts = [f"Write an example in JSON of: {schema.get('title', 'a record')}" for schema in schemas]
    masks: list[float] = []
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    with ExitStack() as stack:
        constraints = constraints_of(schemas, engine.vocabulary, STYLES[options.style]) if arm else []
        stack.enter_context(timed_masks(masks))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        started, wall = clock(), time.perf_counter()
        if arm:
            given = {
                "max_tokens": options.tokens,
                "temperature": 0,
                "on_truncate": "return",
                "speculation": None,
                **arm,
            }
            results = sg.generate_result(engine, prompts, constraint=constraints, **given)
        else:
            requests = [Request(engine.tokens_of(prompt), max_tokens=options.tokens) for prompt in prompts]
            results = decode(engine, requests, SamplingOptions(temperature=0))
        seconds, wall = clock() - started, time.perf_counter() - wall
    return {"tokens": sum(len(each.token_ids) for each in results), "seconds": seconds, "wall": wall, "masks": masks}


def main() -> None:
    """Measure, print, write benchmarks/results/decoding-DEVICE.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks decoding", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", default="1,8")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batches", type=int, default=8, help="of each number of rows; the first is not counted")
    parser.add_argument("--style", choices=tuple(STYLES), default="any")
    parser.add_argument("--out", help="name of the results; default decoding-DEVICE")
    options = parser.parse_args()
    engine = engine_of(None if options.model == "nano" else options.model)
    engine.model.to(options.device)
    style = STYLES[options.style]
    schemas = [row["schema"] for row in maskbench(400, 5) if isinstance(row["schema"], dict)]
    fresh = cycle([schema for schema in schemas if compiles(schema, style)])
    records: list[dict[str, Any]] = []
    for rows in map(int, options.rows.split(",")):
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
        for _ in range(options.batches + 1):
            batch = list(islice(fresh, rows))
            for name, arm in ARMS.items():
                runs[name].append(run(engine, arm, batch, options))
        for name, found in runs.items():
            counted = found[1:]
            tokens, seconds, wall = (sum(each[key] for each in counted) for key in ("tokens", "seconds", "wall"))
            masks = [time for each in counted for time in each["masks"]]
            record = {"arm": name, "rows": rows, "tokens": tokens, "seconds": seconds, "wall": wall}
            records.append(record | {"mask_us": summary(masks) if masks else None})
            print(line_of(records[-1]))
    settings = {key: getattr(options, key) for key in ("model", "device", "tokens", "batches", "style")}
    write_results(options.out or f"decoding-{options.device}", [{"settings": settings}, *records])


def line_of(record: dict[str, Any]) -> str:
    """A record as a line of text."""
    line = f"{record['rows']:3} rows {record['arm']:11} {record['tokens'] / record['seconds']:8.1f} tokens a second"
    line += f" ({record['tokens'] / record['wall']:.1f} by the clock on the wall)"
    if record["mask_us"]:
        figures = record["mask_us"]
        line += "  mask us " + " ".join(f"{key} {figures[key]:.1f}" for key in ("mean", "p50", "p99", "max"))
    return line


if __name__ == "__main__":
    main()
