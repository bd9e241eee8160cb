"""Some schemas through all engines: one prompt each, one model, one loop; a row per engine, and one
without any.

The prompt shows two examples of ours, then the schema (its first `SHOWN` characters: a model of 135 million parameters
has no use for more), and every row takes the likeliest token that its mask allows until a stop token or the budget.
Who is asked first takes turns. Every mask and commit is timed in the engine's own process.

Each schema is a line of a journal, the one of `structgen batch`: the same command goes on where it was cut off.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.data import Slow, at_most, group, maskbench
from benchmarks.jsonschemabench.model import SharedTexts
from benchmarks.jsonschemabench.worker import EngineFailed, EngineProcess

__all__ = ["FREE", "GROUPS", "Row", "messages_of", "run_schemas", "sample"]

GROUPS = (
    "Github_trivial", "Github_easy", "Github_medium", "Github_hard", "Github_ultra", "Glaiveai2K", "Kubernetes",
    "JsonSchemaStore", "Snowplow", "WashingtonPost",
)  # fmt: skip
FREE = "no constraint"
SHOWN = 1500
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?```\s*", re.DOTALL)

_SYSTEM = "You write JSON. Answer with one JSON value that is valid under the schema, and nothing else."
_EXAMPLES = (
    (
        {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "pages": {"type": "integer", "minimum": 1},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["title", "pages"],
        },
        {"title": "The Wide Sea", "pages": 212, "tags": ["novel", "travel"]},
    ),
    (
        {
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
                "position": {
                    "type": "object",
                    "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}},
                    "required": ["lat", "lon"],
                },
                "status": {"enum": ["open", "closed"]},
            },
            "required": ["id", "status"],
            "additionalProperties": False,
        },
        {"id": "QX4021", "position": {"lat": 48.2, "lon": 16.4}, "status": "open"},
    ),
)


def sample(per_group: int, seed: int) -> list[dict[str, Any]]:
    """So many schemas of each of the ten groups, the groups in turn."""
    rows = maskbench()
    numbers, chosen = random.Random(seed), []
    for name in GROUPS:
        own = [row for row in rows if group(row["id"]) == name]
        chosen.append(numbers.sample(own, min(per_group, len(own))))
    return [own[at] for at in range(per_group) for own in chosen if at < len(own)]


def messages_of(schema: Any) -> list[dict[str, str]]:
    """The chat that asks for a value of a schema."""
    found = [{"role": "system", "content": _SYSTEM}]
    for asked, answer in _EXAMPLES:
        found.append({"role": "user", "content": f"JSON Schema:\n{json.dumps(asked)}"})
        found.append({"role": "assistant", "content": json.dumps(answer)})
    text = json.dumps(schema)
    shown = text if len(text) <= SHOWN else text[:SHOWN] + " ..."
    return [*found, {"role": "user", "content": f"JSON Schema:\n{shown}"}]


@dataclass
class Row:
    """An engine's output of one schema.

    slot      which of an engine's sequences it is
    end       "stop", "length", "refused" (by compile), "failed" (died, ran on, or left no token)
    place     row of the last logits
    mask_us, commit_us  per token, the last, unfinished one included
    """

    name: str
    slot: int
    end: str | None = None
    note: str | None = None
    compile_ms: float | None = None
    tokens: list[int] = field(default_factory=list)
    mask_us: list[float] = field(default_factory=list)
    commit_us: list[float] = field(default_factory=list)
    place: int = 0


def run_schemas(
    schemas: Sequence[Mapping[str, Any]],
    model: SharedTexts,
    engines: Sequence[EngineProcess],
    turn: int,
    budget: int,
    *,
    free: bool = True,
) -> list[dict[str, Any]]:
    """The records of some schemas: what each engine wrote, whether it is valid, and what it cost; `free`: and what the
    model writes without any."""
    engine = model.engine
    prompts = [engine.encode(messages_of(each["schema"])) for each in schemas]
    order = [*engines[turn % len(engines) :], *engines[: turn % len(engines)]]
    rows = [_compiled(process, slot, each["schema"]) for process in order for slot, each in enumerate(schemas)]
    rows += [Row(FREE, slot) for slot in range(len(schemas)) if free]
    for row in rows:
        row.place = row.slot
    processes = {process.name: process for process in engines}
    logits = model.open(prompts)
    while running := [row for row in rows if row.end is None]:
        for row in running:
            _take(row, processes.get(row.name), logits[row.place], engine.vocabulary, budget)
        texts: dict[tuple[int, int], int] = {}
        for row in running:
            if row.end is None:
                row.place = texts.setdefault((row.place, row.tokens[-1]), len(texts))
        if texts:
            logits = model.step([place for place, _ in texts], [token for _, token in texts])
    found = []
    for slot, (each, prompt) in enumerate(zip(schemas, prompts, strict=True)):
        judged, told = _Judge(each["schema"]), dict[str, Any]()
        own = [row for row in rows if row.slot == slot]
        for row in own:
            told[row.name] = _told(row, judged, engine.vocabulary)
        for row in own:
            if row.end in ("stop", "length") and row.name in processes:
                told |= _completed(processes[row.name], row, budget, judged, engine.vocabulary)
        size = len(json.dumps(each["schema"]))
        found.append({"group": group(each["id"]), "bytes": size, "prompt": len(prompt), "rows": told})
    return found


def _compiled(process: EngineProcess, slot: int, schema: Any) -> Row:
    row = Row(process.name, slot)
    try:
        row.note, row.compile_ms = process.compile(slot, schema)
    except EngineFailed as error:
        row.end, row.note = "failed", f"compile: {error}"
        return row
    row.end = None if row.note is None else "refused"
    return row


def _take(row: Row, process: EngineProcess | None, logits: Any, vocabulary: Any, budget: int) -> None:
    """The row's next token, or its end."""
    try:
        if process is None:
            token = int(logits[: vocabulary.size].argmax())
        else:
            row.mask_us.append(process.mask(row.slot))
            allowed = np.unpackbits(process.words.view(np.uint8), bitorder="little")[: vocabulary.size].astype(bool)
            if not allowed.any():
                row.end, row.note = "failed", "no token is allowed"
                return
            token = int(np.where(allowed, logits[: vocabulary.size], -np.inf).argmax())
            taken, microseconds = process.commit(row.slot, token)
            row.commit_us.append(microseconds)
            if not taken:
                row.end, row.note = "failed", f"a token that the mask allows is not taken: {token}"
                return
    except EngineFailed as error:
        row.end, row.note = "failed", str(error)
        return
    if token in vocabulary.stop_ids:
        row.end = "stop"
        return
    row.tokens.append(token)
    if len(row.tokens) >= budget - 1:  # the stop token counts
        row.end = "length"


class _Judge:
    """Whether a text is valid under a schema, formats asserted: the `jsonschema` package."""

    def __init__(self, schema: Any) -> None:
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.validators import validator_for

        kind = validator_for(schema, default=Draft202012Validator)
        self._validator = kind(schema, format_checker=kind.FORMAT_CHECKER or FormatChecker())

    def __call__(self, text: str) -> bool:
        try:
            with at_most(20):
                return bool(self._validator.is_valid(json.loads(text)))
        except (ValueError, RecursionError, Slow):
            return False
        except Exception as error:
            raise ValueError(f"jsonschema cannot judge this schema: {error}") from error


def _told(row: Row, judged: _Judge, vocabulary: Any) -> dict[str, Any]:
    text = vocabulary.decode(row.tokens).decode("utf-8", errors="replace")
    found: dict[str, Any] = {"end": row.end, "note": row.note, "compile_ms": row.compile_ms, "tokens": len(row.tokens)}
    found |= {"mask_us": row.mask_us, "commit_us": row.commit_us}
    if row.end in ("stop", "length"):
        fenced = _FENCED.fullmatch(text) if row.name == FREE else None
        shown = fenced.group(1) if fenced else text
        found |= {"text": text, "valid": row.end == "stop" and _valid(judged, shown)}
    return found


def _valid(judged: _Judge, text: str) -> bool | None:
    """None where the judge cannot say."""
    try:
        return judged(text)
    except ValueError:
        return None


def _completed(process: EngineProcess, row: Row, budget: int, judged: _Judge, vocabulary: Any) -> dict[str, Any]:
    """The same output with `on_truncate="complete"`, where the engine has that."""
    try:
        tokens = process.completed(row.slot, row.tokens, budget)
    except EngineFailed as error:
        return {f"{row.name}, completed": {"end": "failed", "note": str(error), "tokens": 0}}
    if tokens is None:
        return {}
    text = vocabulary.decode(tokens).decode("utf-8")
    end = "stop" if row.end == "stop" and tokens == row.tokens else "completed"
    told = {"end": end, "note": None, "compile_ms": row.compile_ms, "tokens": len(tokens), "text": text}
    return {f"{row.name}, completed": {**told, "valid": _valid(judged, text)}}
