"""A real vLLM engine under one backend: run by benchmarks/vllm.py in vLLM's environment.

    python -m benchmarks.vllm_load MODEL structgen|xgrammar|guidance REQUESTS.json RECORDS.json

All prompts at once, first free and then each under its schema. Processor time is that of the whole process tree.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil


def cpu() -> float:
    """Seconds of this process and of those it started."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (own, *own.children(recursive=True)))


def main() -> None:
    model, backend, requests, target = sys.argv[1:]
    from vllm import LLM, SamplingParams
    from vllm.exceptions import VLLMValidationError
    from vllm.sampling_params import StructuredOutputsParams

    options: dict[str, Any] = {} if backend == "structgen" else {"structured_outputs_config": {"backend": backend}}
    llm = LLM(model=model, dtype="float32", max_model_len=1024, enforce_eager=True, max_num_seqs=64, seed=0, **options)
    asked = json.loads(Path(requests).read_text())
    records = list[dict[str, Any]]()

    def run(name: str, prompts: list[str], params: Any) -> list[Any]:
        begun, wall = cpu(), time.perf_counter()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        tokens = sum(len(each.outputs[0].token_ids) for each in outputs)
        record = {"part": "load", "engine": backend, "what": name, "requests": len(prompts), "tokens": tokens}
        records.append({**record, "cpu": cpu() - begun, "wall": time.perf_counter() - wall})
        return list(outputs)

    most = asked["max_tokens"]
    run("warm up", asked["free"][:4], SamplingParams(temperature=0, max_tokens=8))
    run("free", asked["free"], SamplingParams(temperature=0, max_tokens=most, ignore_eos=True))
    accepted, refused = list[tuple[int, Any]](), list[tuple[int, str]]()
    for number, row in enumerate(asked["schemas"]):
        params = SamplingParams(
            temperature=0, max_tokens=most, structured_outputs=StructuredOutputsParams(json=row["schema"])
        )
        try:
            params.verify(
                llm.llm_engine.model_config, None, llm.llm_engine.vllm_config.structured_outputs_config,
                llm.get_tokenizer(),
            )  # fmt: skip
            accepted.append((number, params))
        except (VLLMValidationError, ValueError) as error:
            refused.append((number, str(error)[:200]))
    prompts = [asked["schemas"][number]["prompt"] for number, _ in accepted]
    for (number, _), output in zip(accepted, run("schemas", prompts, [each for _, each in accepted]), strict=True):
        found = output.outputs[0]
        records.append({"part": "output", "engine": backend, "schema": number, "text": found.text,
                        "reason": found.finish_reason, "tokens": len(found.token_ids)})  # fmt: skip
    records += [{"part": "refused", "engine": backend, "schema": number, "why": why} for number, why in refused]
    Path(target).write_text(json.dumps(records))


if __name__ == "__main__":
    main()
