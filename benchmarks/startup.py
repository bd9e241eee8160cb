"""How long a process takes: to `import structgen`, to compile the kernels on a new machine, to its first mask later.

Every figure is a fresh process; the first compile runs with an empty cache folder.

    python -m benchmarks startup
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.data import ROOT, summary, write_results
from benchmarks.tokenizers import load

IMPORT = "import structgen"
MASK = """
from structgen.compiler import compile_grammar
from structgen.grammars.json_schema import compile_schema
from structgen.vocabulary import Vocabulary
schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
vocabulary = Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256)), b'{"', b'":'], eos=[0])
matcher = compile_grammar(compile_schema(schema).grammar, vocabulary).matcher()
assert matcher.mask().any()
"""


def seconds(code: str, cache: str) -> float:
    """Wall seconds of a fresh interpreter running `code`, less those of one doing nothing."""

    def run(text: str) -> float:
        started = time.perf_counter()
        environment = {**os.environ, "STRUCTGEN_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", text], check=True, env=environment, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started

    return run(code) - run("pass")


def trie_seconds() -> list[float]:
    """Seconds to build the trie of a 128,256-token vocabulary, kernels compiled."""
    from structgen.automata.trie import build_trie

    vocabulary = load("llama3").vocabulary
    times = []
    for _ in range(6):
        started = time.perf_counter()
        build_trie(vocabulary.data, vocabulary.offsets, vocabulary.special_ids)
        times.append(time.perf_counter() - started)
    return times[1:]


def main() -> None:
    """Measure, print, write benchmarks/results/startup.jsonl."""

    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        first = seconds(MASK, cache)
        later = summary([seconds(MASK, cache) for _ in range(9)])
        imports = summary([seconds(IMPORT, cache) for _ in range(9)])
    records.append({"figure": "first process on a machine (kernels compile)", "seconds": {"p50": first, "max": first}})
    records.append({"figure": "later process to its first mask", "seconds": later})
    records.append({"figure": "warm import structgen", "seconds": imports})
    records.append({"figure": "trie of 128,256 tokens", "seconds": summary(trie_seconds())})
    for record in records:
        print(f"{record['figure']:48} p50 {record['seconds']['p50']:.2f} s, max {record['seconds']['max']:.2f} s")
    write_results("startup", records)


if __name__ == "__main__":
    main()
