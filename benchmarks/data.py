"""Where the real schemas and tokenizers are, and how results are written.

Set STRUCTGEN_SHARED to the folder that holds `data/` and `tokenizers/`; the default is `../shared` beside the checkout.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def shared() -> Path:
    """The folder of schemas and tokenizers; exits with a clear line when it is absent."""
    folder = Path(os.environ.get("STRUCTGEN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        sys.exit(f"no folder {folder}: set STRUCTGEN_SHARED to the one that holds data/ and tokenizers/")
    return folder


def maskbench(count: int | None = None, seed: int = 0, name: str = "maskbench-dev") -> list[dict[str, Any]]:
    """Rows {id, schema, tests: [{valid, data}]}; a seeded sample of `count` of them, in file order."""
    with gzip.open(shared() / "data" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    if count is None or count >= len(rows):
        return rows
    chosen = sorted(random.Random(seed).sample(range(len(rows)), count))
    return [rows[i] for i in chosen]


def group(row_id: str) -> str:
    """Source of a row: Github_easy, Kubernetes, Snowplow, ..."""
    return row_id.split("---")[0] if "---" in row_id else row_id.split("_")[0]


class Slow(Exception):
    """Something took longer than the limit of its measurement; it is counted, not hidden."""


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise Slow in the block after so many seconds of CPU time of this process (Unix only; elsewhere no limit)."""

    def stop(*_: object) -> None:
        raise Slow(f"over {seconds} s")

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, stop)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, Python and package versions."""
    packages = {}
    for name in ("structgen-engine", "numpy", "numba", "torch", "transformers", "llguidance", "xgrammar"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": packages,
    }


def write_results(name: str, records: Iterable[dict[str, Any]]) -> Path:
    """One JSON object a line, the machine first."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    lines = [json.dumps({"machine": machine()}), *(json.dumps(record) for record in records)]
    path.write_text("\n".join(lines) + "\n")
    return path


def resident_mb() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def summary(values: list[float]) -> dict[str, float]:
    """mean, p50, p90, p99, max of a list of figures."""
    if not values:
        return {}
    ordered = sorted(values)

    def at(q: float) -> float:
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    mean = sum(ordered) / len(ordered)
    return {"mean": mean, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": ordered[-1], "n": len(ordered)}
