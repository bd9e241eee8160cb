"""The section of docs/benchmarks.md on samplers, from their records."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import figure, table

__all__ = ["chains", "prefixes", "rounds", "samplers"]


def samplers(records: list[dict[str, Any]]) -> str:
    """Distances, evidence and costs of each method."""
    small = [r for r in records if "fixture" in r and r["target"] == "distribution"]
    searches = [r for r in records if "fixture" in r and r["target"] == "argmax"]
    names = list(dict.fromkeys(r["fixture"] for r in small))
    cells: dict[str, dict[str, str]] = {}
    for r in small:
        label = _dial(r)
        kl = "exact" if r.get("exact") else f"{r['kl']:.3f}"
        cells.setdefault(label, {})[r["fixture"]] = f"{kl} / {figure(r['prefixes_scored'])}"
    head = ["method", *(f"{name}: KL / prefixes read" for name in names)]
    distances = table(head, [[label, *(row.get(name, "-") for name in names)] for label, row in cells.items()])
    runs = max(r.get("runs", 0) for r in small)
    seconds = max((r["seconds_limit"] for r in records if "grammar" in r), default=0)
    note = f"`python -m benchmarks samplers --runs {runs} --seconds {seconds:g}`\n\n"
    note += "KL of the law of one output to the enumerated target, nats; "
    note += "an exact method's is zero and its calls are those of a whole set of n. Below 0.001 it is noise."
    parts = [note, distances, *([_searches(searches, names)] if searches else [])]
    return "\n\n".join([*parts, _samplers_nano([r for r in records if "grammar" in r])])


def _dial(r: dict[str, Any]) -> str:
    dial = ", ".join(f"{k} {v}" for k, v in r.get("dial", {}).items() if k in ("cut", "steps", "draws", "width"))
    return f"{r['method']}, {dial or 'n ' + str(r['n'])}"


def _searches(records: list[dict[str, Any]], names: list[str]) -> str:
    cells: dict[str, dict[str, str]] = {}
    for r in records:
        verdict = "proven" if r["proven"] else "not proven"
        cells.setdefault(_dial(r), {})[r["fixture"]] = f"{r['kl']:.3f}, {verdict} / {figure(r['prefixes_scored'])}"
    head = ["search", *(f"{name}: -log pi / prefixes read" for name in names)]
    note = "Searches are no samplers: -log pi of the likeliest output found, and whether it is proven to be the mode."
    return f"{note}\n\n{table(head, [[k, *(row.get(name, '-') for name in names)] for k, row in cells.items()])}"


def _samplers_nano(records: list[dict[str, Any]]) -> str:
    head = ["grammar", "method", "outputs", "distinct", "log Z", "relative error", "certain bounds", "ESS"]
    head += ["prefixes read", "masks", "checks", "seconds", "status"]
    rows = []
    for r in records:
        bounds = [_decimals(b) for b in r["log_bounds"] or ()]
        figures = [str(r["outputs"]), str(r["distinct"]), _decimals(r["log_evidence"]), figure(r["evidence_error"])]
        figures += [f"{bounds[0]} to {bounds[1]}" if bounds else "-", f"{r['ess']:.1f}"]
        figures += [f"{r[name]:,}" for name in ("prefixes_scored", "masks", "checks")]
        rows.append([r["grammar"], r["method"], *figures, f"{r['seconds']:.2f}", r["status"]])
    note = (
        f"{records[0]['draws']} draws each, of the bundled model where none is named; genlm-control is its AWRS-SMC, "
    )
    note += "without a mask, with as many particles and no limit of time. Where masked draws miss what "
    note += "matters, their estimate of log Z is far too low and their own error does not know it; the bounds of the "
    note += "trie are certain."
    return f"{note}\n\n{table(head, rows)}"


def rounds(records: list[dict[str, Any]]) -> str:
    """What came of each round."""
    head = [
        "model",
        "problem",
        "round",
        "particles",
        "log Z",
        "mean of the runs",
        "furthest from it",
        "error of Z",
        "ESS",
    ]
    head += ["prefixes read so far", "at most"]
    rows = []
    for r in records:
        figures = [_decimals(r["log_z"]), _decimals(r["mean_log_z"]), figure(r["furthest"]), figure(r["variation"])]
        figures += [f"{r['ess']:.1f}", f"{r['prefixes']:,.0f}", f"{r['most_prefixes']:,}"]
        rows.append([r["model"], r["problem"], str(r["round"]), str(r["particles"]), *figures])
    note = "`python -m benchmarks rounds`\n\nThe first round is plain `smc`. "
    note += "The error is the root mean square of Z-hat / Z - 1 over the runs, log Z that of long ones."
    return f"{note}\n\n{table(head, rows)}"


def chains(records: list[dict[str, Any]]) -> str:
    """Rows a call and time an output."""
    head = ["problem", "cut", "chains", "steps", "rows a call", "calls an output", "rows an output", "ms an output"]
    names = ("rows_a_call", "calls_an_output", "rows_an_output", "cpu_ms_an_output")
    rows = [
        [r["problem"], r["cut"], str(r["chains"]), str(r["steps"]), *(figure(r[name]) for name in names)]
        for r in records
    ]
    note = f"`python -m benchmarks chains --chains {records[0]['chains']}`\n\nProcessor time, the model's among it."
    return f"{note}\n\n{table(head, rows)}"


def prefixes(records: list[dict[str, Any]]) -> str:
    """A step behind a long prompt."""
    head = ["model", "prompt", "rows", "ms a row", "batched", "ratio", "MiB more", "batched", "difference"]
    head += ["from float64: largest, mean variation", "batched"]
    rows = []
    for r in records:
        figures = [figure(r[name]) for name in ("row_ms", "batched_row_ms", "ratio", "mib", "batched_mib")]
        off = [f"{r[f'{name}_max']:.4f}, {r[f'{name}_variation']:.4f}" for name in ("off", "off_batched")]
        rows.append([r["model"], f"{r['prompt']:,}", str(r["rows"]), *figures, f"{r['difference']:.0e}", *off])
    note = "`python -m benchmarks prefixes`\n\nA step of all rows, one more token each, beside transformers' `forward` "
    note += "over one cache of the batch. Difference: the largest between probabilities of the two, which round unlike "
    note += "each other; how far either is from the same weights in float64, where the two differ by "
    note += f"{max(r['exact_difference'] for r in records):.0e} at most."
    return f"{note}\n\n{table(head, rows)}"


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
