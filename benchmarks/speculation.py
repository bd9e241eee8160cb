"""Speculation beside plain masked decoding on a real model: tokens per call, and processor time as a ratio per prompt.

    python -m benchmarks speculation --model smollm2 [--prompts 12] [--dtype bfloat16] [--temperature 0.7]

A prompt holds a schema of maskbench-dev and a text that states the facts of one of its valid instances; the model
writes the JSON. Arms run in turns in one process, one thread, each prompt in each arm `--repeats` times; the ratio of a
prompt is that of the least processor times. In bfloat16 a text can differ from plain decoding where two logits nearly
tie: such prompts are counted, and their ratio is per token.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.data import maskbench, write_results

LEAST, MOST = 60, 700  # characters of an instance
ARMS = ("plain", "ahead")


def facts(value: Any, name: str = "it") -> Iterator[str]:
    """What an instance says, as lines of text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from facts(item, f"{name} {key}" if name != "it" else key)
    elif isinstance(value, list):
        for item in value:
            yield from facts(item, name)
    else:
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def cases(count: int, seed: int) -> list[tuple[str, Any, str]]:
    """(id, schema, prompt) of so many schemas, drawn at random."""
    rows = [row for row in maskbench() if any(test["valid"] for test in row["tests"])]
    random.Random(seed).shuffle(rows)
    found = []
    for row in rows:
        for test in row["tests"]:
            text = json.dumps(test["data"])
            if test["valid"] and isinstance(test["data"], dict) and LEAST <= len(text) <= MOST:
                schema = json.dumps(row["schema"])
                lines = "\n".join(facts(test["data"]))
                if len(schema) < 3000:
                    found.append(
                        (row["id"], row["schema"], f"Write the facts as JSON.\nSchema: {schema}\nFacts:\n{lines}")
                    )
                    break
        if len(found) == count:
            break
    return found


def main() -> None:
    """Run the arms and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks speculation", description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import torch

    from structgen.api.models import engine_of

    torch.set_num_threads(1)
    engine = engine_of(options.model)
    engine.model.to(getattr(torch, options.dtype))
    records = [_case(engine, case, options) for case in cases(options.prompts, options.seed)]
    records = [record for record in records if record is not None]
    ratios = [record["speed"] for record in records]
    low, high = _interval(ratios)
    summary = {
        "prompts": len(records),
        "speed": statistics.geometric_mean(ratios),
        "interval": [low, high],
        "slowest": min(ratios),
        "tokens_per_call": sum(r["tokens"] for r in records) / sum(r["calls"] for r in records),
        "other_texts": sum(not r["same"] for r in records),
        "nodes": {k: sum(r["nodes"].get(k, 0) for r in records) for k in ("forced", "lookup", "recycled")},
        "taken": {k: sum(r["taken"].get(k, 0) for r in records) for k in ("forced", "lookup", "recycled")},
    }
    print(json.dumps(summary, indent=1))
    name = f"speculation-{options.model.replace('/', '-')}-{options.dtype}-{options.temperature:g}"
    write_results(name, {"options": vars(options), "summary": summary, "prompts": records})


def _case(engine: Any, case: tuple[str, Any, str], options: argparse.Namespace) -> dict[str, Any] | None:
    """Figures of one prompt, None where the schema is refused or the prompt too long."""
    from structgen.api.compile import compile_source
    from structgen.api.sources import source_of
    from structgen.engines.decode import Request, decode
    from structgen.errors import StructgenError
    from structgen.options import SamplingOptions
    from structgen.speculation.options import Speculation
    from structgen.speculation.read_ahead import read_ahead

    identity, schema, text = case
    prompt = engine.encode([{"role": "user", "content": text}])
    try:
        constraint, _ = compile_source(source_of(schema=schema), engine.vocabulary)
        requests = [Request(prompt, constraint, options.max_tokens, steer=False)]
        sampling = SamplingOptions(temperature=options.temperature, seed=options.seed)
        times: dict[str, list[float]] = {arm: [] for arm in ARMS}
        outputs: dict[str, Any] = {}
        for _ in range(options.repeats):
            for arm in ARMS:
                ahead, why_not = read_ahead(engine, [constraint], Speculation())
                if ahead is None:
                    raise SystemExit(f"this model reads no trees: {why_not}")
                started = time.process_time()
                (outputs[arm],) = decode(engine if arm == "plain" else ahead, requests, sampling)
                times[arm].append(time.process_time() - started)
    except StructgenError as error:
        print(f"{identity}: {type(error).__name__}")
        return None
    counts = {arm: len(output.token_ids) + 1 for arm, output in outputs.items()}
    per_token = {arm: min(times[arm]) / counts[arm] for arm in ARMS}
    figures = ahead.figures
    record = {
        "id": identity,
        "tokens": counts["ahead"],
        "calls": figures.calls + 1,
        "speed": per_token["plain"] / per_token["ahead"],
        "same": outputs["plain"].token_ids == outputs["ahead"].token_ids,
        "nodes": figures.nodes,
        "taken": figures.taken,
        "prompt_tokens": len(prompt),
    }
    print(f"{identity}: {record['tokens'] / record['calls']:.2f} tokens a call, {record['speed']:.2f} x", flush=True)
    return record


def _interval(values: list[float], draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the geometric mean."""
    rng = random.Random(0)
    means = sorted(statistics.geometric_mean(rng.choices(values, k=len(values))) for _ in range(draws))
    return means[draws // 40], means[-draws // 40]
