"""What a process costs until it can work: processor seconds of fresh interpreters, and the modules they load.

Every figure is the processor time of a whole process, the interpreter's own start included: wall time says more about
what else the machine does. Byte code and kernels are cached; what a first process costs: `kernel_compile`.

    python -m benchmarks startup                    this checkout
    python -m benchmarks startup --beside FOLDER    another one too, by turns
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.data import ROOT, summary, write_results
from benchmarks.tokenizers import load

RUNS = 7
SCHEMA = '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}'
MASK = """
import structgen as sg
vocabulary = sg.Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256)), b'{"', b'":'], eos=[0])
assert sg.compile(vocabulary=vocabulary, SOURCE).matcher().mask().any()
"""
COMMAND = """
import contextlib, io
from structgen.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(ARGUMENTS)
"""
LARK = 'start: "a"+'
FIGURES = {
    "the interpreter": "",
    "import numpy": "import numpy",
    "import numba": "import numba",
    "import structgen": "import structgen",
    "first mask of a JSON Schema": MASK.replace("SOURCE", f"schema={json.loads(SCHEMA)!r}"),
    "first mask of a Python type": MASK.replace("SOURCE", "schema=list[int]"),
    "first mask of a regex": MASK.replace("SOURCE", "regex='[a-z]+'"),
    "first mask of a Lark grammar": MASK.replace("SOURCE", f"lark={LARK!r}"),
    "structgen --help": COMMAND.replace("ARGUMENTS", "['--help']"),
    "structgen check": COMMAND.replace("ARGUMENTS", repr(["check", SCHEMA])),
    "structgen explain": COMMAND.replace("ARGUMENTS", repr(["explain", "--schema", SCHEMA, "--text", "{"])),
    "structgen compile": COMMAND.replace("ARGUMENTS", repr(["compile", "--schema", SCHEMA])),
}
ENDING = "\nimport sys, time\nprint(time.process_time(), len(sys.modules), file=sys.stderr)"


def cost(code: str, checkout: Path, byte_code: str) -> tuple[float, int]:
    """Processor seconds of a fresh interpreter that runs `code`, and how many modules it has loaded."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONPYCACHEPREFIX": byte_code}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code + ENDING]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True, cwd=checkout)
    seconds, modules = done.stderr.splitlines()[-1].split()
    return float(seconds), int(modules)


def later_processes(checkouts: dict[str, Path]) -> list[dict[str, Any]]:
    """A record for each figure; checkouts take turns, and a first run of each is thrown away: it writes byte code
    and compiles kernels."""
    records = []
    with tempfile.TemporaryDirectory() as byte_code:
        for figure, code in FIGURES.items():
            found: dict[str, list[tuple[float, int]]] = {name: [] for name in checkouts}
            for _ in range(RUNS + 1):
                for name, checkout in checkouts.items():
                    found[name].append(cost(code, checkout, byte_code))
            record: dict[str, Any] = {"figure": figure}
            for name, runs in found.items():
                record[name] = summary([seconds for seconds, _ in runs[1:]])
                record[f"{name}_min"] = min(seconds for seconds, _ in runs[1:])
                record[f"{name}_modules"] = runs[-1][1]
            records.append(record)
            print(figure, {name: f"{record[f'{name}_min']:.2f} s" for name in checkouts})
    return records


def trie_seconds() -> list[float]:
    """Processor seconds to build the trie of a 128,256-token vocabulary, kernels compiled."""
    from structgen.automata.trie import build_trie

    vocabulary = load("llama3").vocabulary
    times = []
    for _ in range(6):
        started = time.process_time()
        build_trie(vocabulary.data, vocabulary.offsets, vocabulary.special_ids)
        times.append(time.process_time() - started)
    return times[1:]


def main() -> None:
    """Measure, print, write benchmarks/results/startup.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout, measured by turns")
    other: Path | None = parser.parse_args().beside
    checkouts = {"ours": ROOT} | ({} if other is None else {"beside": other.resolve()})
    trie = {"figure": "trie of 128,256 tokens, processor time", "seconds": summary(trie_seconds())}
    write_results("startup", [trie, *later_processes(checkouts)])


if __name__ == "__main__":
    main()
