"""What a constraint does to the answers: tasks with known answers, without constraint, under masks, and by samplers.

Greedy rows are compared with greedy ones, and draws at temperature 1 with draws: `cars` draws exactly from the model
conditioned on the schema, `smc` nearly so, masks from something else (docs/sampling.md). Every draw has a seed of its
own, and each question has `DRAWS` of them.

An answer is right where all judged fields are; of free text the first JSON object in it is read. A line of the journal
is a part of a task by one method.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.jsonschemabench.tasks import TASKS, Item, Task

__all__ = ["METHODS", "run_quality", "score", "written"]

METHODS = ("free, greedy", "masks, greedy", "free", "masks", "cars", "smc")
DRAWS = 1  # of each question at temperature 1
BUDGET = 64  # tokens
PART = 8  # questions of a line of the journal
_OPTIONS = {"cars": {}, "smc": {"draws": 8}}


def run_quality(folder: Path, options: argparse.Namespace) -> None:
    """All tasks by all methods."""
    import torch

    from benchmarks.jsonschemabench import journal_path
    from structgen.api.models import engine_of
    from structgen.batches.journal import open_journal

    engine = engine_of(options.model)
    engine.model.to(getattr(torch, options.dtype))
    identity = {"model": options.model, "dtype": options.dtype, "seed": options.seed, "draws": DRAWS, "budget": BUDGET}
    with open_journal(journal_path("quality", options.model), identity) as journal:
        for task, method, draw, first in _parts():
            name = f"{task.name}/{method}/{draw}/{first}"
            if name in journal.answered:
                continue
            items, started = task.items[first : first + PART], time.thread_time()
            texts = written(engine, task, items, method, options.seed + 1000 * draw + first)
            seconds = time.thread_time() - started
            told = [score(task, item, text) for item, text in zip(items, texts, strict=True)]
            valid, right = (sum(column) for column in zip(*told, strict=True))
            record = {"task": task.name, "method": method, "asked": len(told), "valid": valid, "right": right}
            journal.write({"custom_id": name, "request": "", **record, "seconds": seconds, "texts": texts})
            print(f"{name}: {right} of {len(told)} right, {seconds:.0f} s", file=sys.stderr, flush=True)


def _parts() -> Iterator[tuple[Task, str, int, int]]:
    """(task, method, draw, first question) of every line, so that a run that is cut off has as much of each."""
    for first in range(0, max(len(task.items) for task in TASKS), PART):
        for draw in range(DRAWS):
            for task in TASKS:
                for method in METHODS if draw == 0 else METHODS[2:]:
                    yield task, method, draw, first


def written(engine: Any, task: Task, items: Sequence[Item], method: str, seed: int) -> list[str | None]:
    """What is written for each question; None where it does not end, or a sampler gives up."""
    chats = [_messages(task, item) for item in items]
    if method in _OPTIONS:
        return [_drawn(engine, task, chat, method, seed + place) for place, chat in enumerate(chats)]
    from structgen.api.compile import compile as compile_constraint
    from structgen.engines.decode import Request, decode
    from structgen.options import SamplingOptions

    constraint = (
        compile_constraint(schema=task.schema, vocabulary=engine.vocabulary) if method.startswith("masks") else None
    )
    requests = [Request(engine.encode(chat), constraint, BUDGET, stream=n, steer=False) for n, chat in enumerate(chats)]
    options = SamplingOptions(temperature=0.0 if "greedy" in method else 1.0, seed=seed)
    outputs = decode(engine, requests, options, weigh=False)
    return [output.text if output.finish_reason == "stop" else None for output in outputs]


def _drawn(engine: Any, task: Task, chat: list[dict[str, str]], method: str, seed: int) -> str | None:
    from structgen.api.generate import generate_result
    from structgen.errors import SamplingIncomplete
    from structgen.samplers.run import Budget

    try:
        result = generate_result(
            engine,
            chat,
            schema=task.schema,
            method=method,  # type: ignore[arg-type]
            method_options=_OPTIONS[method],
            max_tokens=BUDGET,
            seed=seed,
            budget=Budget(prefixes_scored=4000),
        )
    except SamplingIncomplete:
        return None
    return str(result.text)


def _messages(task: Task, item: Item) -> list[dict[str, str]]:
    found = [{"role": "system", "content": task.asked}]
    for each in task.shown:
        found.append({"role": "user", "content": each.text})
        found.append({"role": "assistant", "content": json.dumps(each.answer)})
    return [*found, {"role": "user", "content": item.text}]


def score(task: Task, item: Item, text: str | None) -> tuple[bool, bool]:
    """Whether a text is valid under the schema, as a whole; whether all judged fields of its first object are right."""
    if text is None:
        return False, False
    from structgen.python_types.types import target_of

    found = _first_object(text)
    right = found is not None and all(found.get(name) == item.answer[name] for name in task.judged)
    try:
        target_of(task.schema).read(text)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not valid
        return False, right
    return True, right


def _first_object(text: str) -> Mapping[str, Any] | None:
    """The first JSON object that begins anywhere in a text."""
    place = text.find("{")
    while place >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, place)
        except ValueError:
            place = text.find("{", place + 1)
            continue
        return found if isinstance(found, dict) else None
    return None
