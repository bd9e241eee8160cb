"""Section of docs/benchmarks.md on vLLM's backends, from their records."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import figure, table

__all__ = ["inside_vllm"]

_ENGINES = ("structgen", "xgrammar", "guidance")


def inside_vllm(records: list[dict[str, Any]]) -> str:
    """Masks, compile times, throughput and validity, each beside its target."""
    versions = ", ".join(f"{name} {found}" for name, found in _of(records, "kept").get("versions", {}).items())
    note = (
        "`VLLM_PYTHON=PYTHON python -m benchmarks vllm`\n\n"
        f"PYTHON is that of an environment of vLLM with this package ({versions}); SmolLM2's vocabulary of 49k tokens. "
        "Masks in one process without a model, the backends by turns, schemas and instances that all three accept; the "
        "first round is cold, the last warm. Lowering is in a process beside the front end (structgen), checking a "
        "request is in the front end (the others); compiling is in the engine, in a thread of its own. Throughput in "
        "an engine for each, one after the other."
    )
    parts = [note, _masks(records), _steps(records), _compiling(records), _load(records), _targets(records)]
    return "\n\n".join(part for part in parts if part)


def _of(records: list[dict[str, Any]], part: str, **fields: Any) -> dict[str, Any]:
    for each in records:
        if each.get("part") == part and all(each.get(name) == value for name, value in fields.items()):
            return each
    return {}


def _masks(records: list[dict[str, Any]]) -> str:
    rows = []
    for engine in _ENGINES:
        cold, warm = (_of(records, "token", engine=engine, round=number).get("us", {}) for number in (0, 3))
        rows.append([engine, *(figure(each.get(key)) for each in (cold, warm) for key in ("mean", "p50", "p99"))])
    kept = _of(records, "kept")
    head = ["backend", "first mean", "p50", "p99", "again mean", "p50", "p99"]
    what = f"Mask and accept of a token, microseconds ({kept.get('schemas')} schemas, {kept.get('tokens'):,} tokens):"
    return f"{what}\n\n{table(head, rows)}"


def _steps(records: list[dict[str, Any]]) -> str:
    rows = [
        [engine, str(count), *(figure(_step(records, engine, count, number)) for number in range(4))]
        for count in (14, 140)
        for engine in _ENGINES
    ]
    head = ["backend", "rows", "first round", "second", "third", "fourth"]
    return "Masks of a whole step, vLLM's own loop included, milliseconds:\n\n" + table(head, rows)


def _step(records: list[dict[str, Any]], engine: str, rows: int, number: int) -> float | None:
    found: float | None = _of(records, "step", engine=engine, rows=rows, round=number).get("ms", {}).get("mean")
    return found


def _compiling(records: list[dict[str, Any]]) -> str:
    rows = []
    for engine in _ENGINES:
        each = _of(records, "compile", engine=engine)
        values = [each.get(name, {}) for name in ("front_ms", "engine_ms", "again_ms")]
        parts = (value.get(key) for value in values for key in ("mean", "p50", "p99"))
        rows.append([engine, str(each.get("refused")), *map(figure, parts)])
    head = ["backend", "refused", "before it mean", "p50", "p99", "in the engine mean", "p50", "p99", "again mean",
            "p50", "p99"]  # fmt: skip
    return "Compiling a schema, milliseconds:\n\n" + table(head, rows)


def _load(records: list[dict[str, Any]]) -> str:
    rows = []
    for engine in _ENGINES:
        free, held = (_of(records, "load", engine=engine, what=what) for what in ("free", "schemas"))
        judged = _of(records, "validity", engine=engine)
        if not (free and held and judged):
            return ""
        rates = (figure(each["tokens"] / each["cpu"]) for each in (free, held))
        counts = (judged[key] for key in ("accepted", "ended", "valid", "errors"))
        rows.append([engine, *rates, *map(str, counts), str(len(judged["ended_invalid"]))])
    asked = _of(records, "validity", engine="structgen")
    head = ["backend", "free", "constrained", "schemas accepted", "ended", "valid", "errors", "ended and not valid"]
    what = f"{asked['asked']} real schemas, {asked['max_tokens']} tokens each, greedy; tokens per CPU-second:"
    return f"{what}\n\n{table(head, rows)}"


def _targets(records: list[dict[str, Any]]) -> str:
    def ratio(number: int) -> str:
        ours, theirs = (_of(records, "token", engine=name, round=number)["us"]["mean"] for name in _ENGINES[:2])
        return f"{ours / theirs:.2f}"

    def step(rows: int, number: int) -> str:
        ours, theirs = (_step(records, name, rows, number) for name in _ENGINES[:2])
        return "-" if ours is None or theirs is None else f"{ours / theirs:.2f}"

    rows = [
        ["mask and accept, warm, of xgrammar's", "<= 0.5", ratio(3)],
        ["the same, cold", "<= 1.0", ratio(0)],
        ["masks of a step of 14 rows, warm", "<= 1.0", step(14, 3)],
        ["the same, cold", "<= 1.3", step(14, 0)],
        ["masks of a step of 140 rows, warm", "", step(140, 3)],
        ["the same, cold", "", step(140, 0)],
    ]
    judged = _of(records, "validity", engine="structgen")
    if judged:
        rows.append(["requests that failed on schemas that structgen accepts", "0", str(judged["errors"])])
        rows.append(["texts that ended and are not valid", "0", str(len(judged["ended_invalid"]))])
    return "Targets:\n\n" + table(["", "target", "reached"], rows)
