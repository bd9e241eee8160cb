"""JSONSchemaBench (Geng et al. 2025) with a model: coverage, compliance, efficiency and quality, beside peers.

    python -m benchmarks jsonschemabench --model smollm2 --engines structgen,llguidance,xgrammar,outlines
    python -m benchmarks jsonschemabench quality --model smollm2
    python -m benchmarks jsonschemabench report

The first two go on where they were cut off (their journals are in build/jsonschemabench); the last writes the page.
Runs of several sets of engines on the same schemas stand beside each other there.

    declared coverage   schemas that an engine takes, and neither fails nor dies on while it writes
    empirical coverage  schemas whose output is valid (`jsonschema`, formats asserted); ended by the budget is not
    compliance          empirical of declared
    times               to compile, to the first mask besides, of mask and commit per token
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.data import ROOT

__all__ = ["main"]

FOLDER = ROOT / "build" / "jsonschemabench"
PACKAGES = {"structgen": "structgen-engine", "outlines": "outlines_core"}


def main() -> None:
    """Run one of the parts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks jsonschemabench", description=__doc__.split("\n")[0])
    parser.add_argument("part", nargs="?", default="schemas", choices=["schemas", "quality", "report"])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--engines", default="structgen,llguidance,xgrammar,outlines")
    parser.add_argument("--per-group", type=int, default=30, help="schemas of each of the ten groups")
    parser.add_argument("--first", type=int, help="only so many of these, the groups in turn")
    parser.add_argument("--no-free", action="store_true", help="without the row that has no constraint")
    parser.add_argument("--budget", type=int, default=128, help="tokens of an output, stop token included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=8, help="schemas in one batch of the model")
    parser.add_argument("--seconds", type=float, default=30, help="of wall time, for any one call of an engine")
    parser.add_argument("--threads", type=int, default=1, help="of the model")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    if options.part == "report":
        from benchmarks.jsonschemabench.report import write_page

        write_page(FOLDER)
        return
    import torch

    torch.set_num_threads(options.threads)
    if options.part == "quality":
        from benchmarks.jsonschemabench.quality import run_quality

        run_quality(FOLDER, options)
    else:
        _run_schemas(options)


def journal_path(part: str, model: str, *others: str) -> Path:
    """Where the lines of a part are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FOLDER / f"{'-'.join([part, Path(model).name, *others]).replace(':', '_')}.jsonl"


def _run_schemas(options: argparse.Namespace) -> None:
    import torch

    from benchmarks.jsonschemabench.model import SharedTexts
    from benchmarks.jsonschemabench.run import messages_of, run_schemas, sample
    from benchmarks.jsonschemabench.worker import EngineProcess
    from structgen.api.models import engine_of
    from structgen.batches.journal import open_journal

    names = options.engines.split(",")
    engine = engine_of(options.model)
    engine.model.to(getattr(torch, options.dtype))
    width = -(-engine.vocabulary.size // 32)
    identity: dict[str, Any] = {
        "model": options.model,
        "engines": names,
        "budget": options.budget,
        "dtype": options.dtype,
    }
    identity |= {"seed": options.seed, "versions": versions(names)}
    with open_journal(journal_path("schemas", options.model, str(options.budget), *names), identity) as journal:
        chosen = sample(options.per_group, options.seed)[: options.first]
        schemas = [row for row in chosen if row["id"] not in journal.answered]
        processes = [EngineProcess(name, options.model, width, seconds=options.seconds) for name in names]
        texts = SharedTexts(engine)
        texts.keep(engine.encode(messages_of(True))[:-10])
        started, size = time.perf_counter(), options.together
        for first in range(0, len(schemas), size):
            some = schemas[first : first + size]
            turn = len(journal.answered)
            records = run_schemas(some, texts, processes, turn, options.budget, free=not options.no_free)
            records[0] |= {"one_row_ms": texts.one_row_ms}
            for row, record, milliseconds in zip(some, records, texts.prompt_ms, strict=True):
                record = {"one_row_ms": [], "prompt_ms": [milliseconds], **record}
                journal.write({"custom_id": row["id"], "request": "", **record})
            texts.one_row_ms, texts.prompt_ms = [], []
            done = first + len(some)
            left = (time.perf_counter() - started) / done * (len(schemas) - done) / 60
            print(f"{done} of {len(schemas)}, {left:.0f} min left", file=sys.stderr, flush=True)
        for process in processes:
            process.close()


def versions(names: list[str]) -> dict[str, str]:
    """Of the engines' packages."""
    kinds = dict.fromkeys(name.partition(":")[0] for name in names)
    return {kind: version(PACKAGES.get(kind, kind)) for kind in kinds}
