"""How long a compile holds the interpreter: what other threads of a server wait for while a schema compiles.

Kernels run without the interpreter's lock, and Python code gives it up when asked, by default every 5 ms. What is left
are calls of C code that keep it: sorting, regular expressions, a collection of garbage. A thread that sleeps 50 us at a
time notes how late it wakes; the interpreter is asked for the lock at once (sys.setswitchinterval), so that lateness is
what was held without a chance to interrupt. `idle` is the same beside a thread that computes nothing: the system's own.

    python -m benchmarks holds
    python -m benchmarks holds --schemas 1000 --style any
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks import tokenizers
from benchmarks.data import maskbench, summary, write_results
from benchmarks.engines import engine_of, styles
from benchmarks.tables import figure, table

NAP = 50e-6  # seconds
ASKED = 1e-5  # seconds after which the interpreter is asked for its lock


class Watch:
    """The longest time that its thread came late, in milliseconds, since it was asked last."""

    def __init__(self) -> None:
        self._longest, self._ends = 0.0, False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()

    def longest(self) -> float:
        """Since the last call."""
        found, self._longest = self._longest, 0.0
        return found

    def _run(self) -> None:
        while not self._ends:
            started = time.perf_counter()
            time.sleep(NAP)
            self._longest = max(self._longest, (time.perf_counter() - started - NAP) * 1e3)


def longest_holds(work: list[Callable[[], object]]) -> list[float]:
    """The longest hold of each piece of work, in milliseconds."""
    found, before = [], sys.getswitchinterval()
    sys.setswitchinterval(ASKED)
    try:
        with Watch() as watch:
            for piece in work:
                watch.longest()
                piece()
                time.sleep(4 * NAP)  # it has woken up, and noted
                found.append(watch.longest())
    finally:
        sys.setswitchinterval(before)
    return found


def main() -> None:
    """Parse options, compile, print the table, write benchmarks/results/holds.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks holds", description=__doc__.split("\n")[0])
    parser.add_argument("--schemas", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", default="default", choices=[*styles()], help="JsonStyle")
    parser.add_argument("--tokenizer", default="llama3", choices=tokenizers.NAMES)
    options = parser.parse_args()
    engine = engine_of("structgen", tokenizers.load(options.tokenizer), options.style)
    rows = maskbench(options.schemas, options.seed)

    def compiled(schema: Any) -> Callable[[], object]:
        def compile_it() -> None:
            with contextlib.suppress(Exception):  # a refusal took its time too
                engine.compile(schema)

        return compile_it

    compiled(True)()
    gc.collect()
    idle = longest_holds([lambda: time.sleep(0.005)] * 200)
    holds = longest_holds([compiled(row["schema"]) for row in rows])
    slowest = rows[max(range(len(rows)), key=holds.__getitem__)]["id"]
    settings = {key: getattr(options, key) for key in ("schemas", "seed", "style", "tokenizer")}
    records = [
        {"settings": settings},
        {"what": "idle", "ms": summary(idle)},
        {"what": "compiling", "ms": summary(holds), "over_5_ms": sum(hold > 5 for hold in holds), "slowest": slowest},
    ]
    path = write_results("holds", records)
    print(holds_table(records))
    print(f"written to {path.relative_to(path.parents[2])}")


def holds_table(records: list[dict[str, Any]]) -> str:
    """The page's section."""
    settings, *rest = records
    flags = " ".join(f"--{key} {value}" for key, value in settings["settings"].items())
    keys = ("mean", "p50", "p99", "max")
    lines = [[r["what"], *(figure(r["ms"][key]) for key in keys)] for r in rest]
    note = f"The longest hold of each of {rest[1]['ms']['n']:,} compiles; {rest[1]['over_5_ms']} beyond 5 ms"
    worst = f", the longest in {rest[1]['slowest']}."
    return f"`python -m benchmarks holds {flags}`\n\n{table(['ms', *keys], lines)}\n\n{note}{worst}"
