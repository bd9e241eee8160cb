"""What compiling the kernels costs, function by function: processor seconds, in one process with an empty cache.

A function's seconds are its own: type inference, and writing LLVM's code; what it calls counts for itself. Linking a
unit is LLVM's work on all of it. `--tree` measures an older checkout (before units: LLVM's work is in every function).

    python -m benchmarks kernel_compile [--tree PATH --out NAME]
    python -m benchmarks kernel_compile --compare NAME      # a table of both in docs/benchmarks.md's form
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

from benchmarks.data import RESULTS, ROOT, write_results

RENAMED = {"loops": "self_loops", "masks": "survey", "networks": "build"}  # modules of older checkouts

MEASURE = """
import json, time
from numba.core import event
from structgen.kernels import _jit

running, found = [], {}

class Listener(event.Listener):
    def on_start(self, happened):
        running.append([time.process_time(), 0.0])

    def on_end(self, happened):
        if "unit" in happened.data:
            name = "link " + happened.data["unit"]
        else:
            function = happened.data["dispatcher"].py_func
            package, _, module = function.__module__.rpartition(".")
            name = f"{module}.{function.__qualname__}" if package.startswith("structgen") else "Numba's own"
        began, inside = running.pop()
        spent = time.process_time() - began
        row = found.setdefault(name, [0, 0.0])
        row[0] += 1
        row[1] += spent - inside
        if running:
            running[-1][1] += spent

for kind in ("numba:compile", "structgen:link"):
    event.register(kind, Listener())
if hasattr(_jit, "UNITS"):
    work = [unit.make for unit in _jit.UNITS if unit.entries]
else:
    from structgen.warmup import run_every_kernel
    work = [run_every_kernel]
began = time.process_time()
for step in work:
    step()
print(json.dumps({"seconds": time.process_time() - began, "functions": found}))
"""


def measure(tree: Path) -> dict[str, Any]:
    """Processor seconds of all and {function: (specialisations, own seconds)}; the kept files' sizes."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "STRUCTGEN_CACHE_DIR": cache, "PYTHONPATH": str(tree)}
        command = [sys.executable, "-c", MEASURE]
        done = subprocess.run(command, env=environment, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
        files = [path.stat().st_size for path in Path(cache).rglob("*") if path.is_file()]
    return {**json.loads(done.stdout.splitlines()[-1]), "files": len(files), "bytes": sum(files)}


def renamed(functions: dict[str, Any]) -> dict[str, Any]:
    """The same under today's names of modules."""
    found = {}
    for name, row in functions.items():
        module, dot, function = name.partition(".")
        found[RENAMED.get(module, module) + dot + function] = row
    return found


def table(before: dict[str, Any], after: dict[str, Any], most: int = 30) -> str:
    """Markdown: the functions that cost most, before and after, and the rest as one line."""

    def cells(measured: dict[str, Any], names: list[str]) -> str:
        rows = [measured["functions"][name] for name in names if name in measured["functions"]]
        return f"{sum(count for count, _ in rows)} | {sum(seconds for _, seconds in rows):.2f}" if rows else " | "

    before, after = ({**measured, "functions": renamed(measured["functions"])} for measured in (before, after))
    both: dict[str, float] = {}
    for measured in (before, after):
        for name, (_, seconds) in measured["functions"].items():
            both[name] = both.get(name, 0.0) + seconds
    names = sorted(both, key=both.__getitem__, reverse=True)
    lines = ["| function | times | before, s | times | after, s |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {name} | {cells(before, [name])} | {cells(after, [name])} |" for name in names[:most]]
    lines.append(f"| {len(names) - most} more | {cells(before, names[most:])} | {cells(after, names[most:])} |")
    lines.append(f"| all | {cells(before, names)} | {cells(after, names)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write benchmarks/results/NAME.jsonl; or compare two results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tree", type=Path, default=ROOT, help="another checkout")
    parser.add_argument("--out", default="kernel_compile", help="name of the results")
    parser.add_argument("--compare", metavar="NAME", help="print the table of NAME, measured before, and OUT")
    options = parser.parse_args()
    if options.compare:
        print(table(*(read(name) for name in (options.compare, options.out))))
        return
    measured = measure(options.tree)
    for name, (count, seconds) in sorted(measured["functions"].items(), key=lambda item: -item[1][1])[:25]:
        print(f"{name:34} {count:4} times  {seconds:6.2f} s")
    print(f"all {measured['seconds']:.1f} s; {measured['files']} files, {measured['bytes'] / 1e6:.1f} MB")
    write_results(options.out, [measured])


def read(name: str) -> dict[str, Any]:
    """The last record of a result."""
    record: dict[str, Any] = json.loads((RESULTS / f"{name}.jsonl").read_text().splitlines()[-1])
    return record


if __name__ == "__main__":
    main()
