"""The section of docs/benchmarks.md on canvases, from its records."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.tables import figure, table

WAYS = ("plain", "constrained")

__all__ = ["canvases", "fills"]


def canvases(records: list[dict[str, Any]]) -> str:
    """Bits, times, what fits, valid texts, overhead."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        parts.setdefault(record["part"], []).append(record)
    settings, bits = parts["settings"][0], parts["bits"][0]
    flags = " ".join(f"--{key} {settings[key]}" for key in ("canvases", "schemas", "tokenizer", "runs"))
    note = (
        f"`python -m benchmarks canvas {flags}`. One thread.\n\n"
        f"Masks of {bits['canvases']:,} random canvases of {bits['languages']} languages against every fill: "
        f"{bits['wrong']} wrong bits."
    )
    sections = [note, _costs(parts["costs"]), _nested(parts["nested"]), _law(parts["law"]), _fits(parts["fits"])]
    sections += [_valid(parts["valid"]), _adapters(parts["adapters"]), _overhead(parts["overhead"][0])]
    return "\n\n".join(sections)


def _costs(records: list[dict[str, Any]]) -> str:
    head = ["constraint", "states, classes", "tables, s", "slots", "all open, ms", "rows, ms", "half fixed, ms"]
    head += ["one more token, ms: p50, p99", "reading scores, ms", "likeliest fill and marginals, ms"]
    rows = []
    for r in records:
        if "refused" in r:
            rows.append([r["constraint"], f"refused: {r['refused']}", *["-"] * (len(head) - 2)])
            continue
        name = r["constraint"] + ("" if r["exact"] else f", depth {r['depth']}")
        commits = r.get("commit_ms", {})
        times = [figure(r.get(key)) for key in ("first_ms", "rows_ms", "half_ms")]
        one = ", ".join(figure(commits.get(key)) for key in ("p50", "p99"))
        law = [figure(r.get(key)) for key in ("reading_ms", "best_and_marginals_ms")]
        sizes = f"{r['states']:,}, {r['classes']}"
        rows.append([name, sizes, figure(r["tables_s"]), str(r["slots"]), *times, one, *law])
    return "Masks of all slots at once, and the law under random scores:\n\n" + table(head, rows)


def _nested(records: list[dict[str, Any]]) -> str:
    head = ["constraint", "states, classes, kinds of frames", "tables, s; from disk, ms", "slots", "all open, ms"]
    head += ["one more token while half is open, ms: p50, p99", "behind that, ms: p50, p99"]
    rows = []
    for r in records:
        if "refused" in r:
            slots = str(r.get("slots", "-"))
            rows.append([r["constraint"], f"refused: {r['refused']}", "-", slots, *["-"] * (len(head) - 4)])
            continue
        sizes = f"{r['states']:,}, {r['classes']}, {r['kinds']}"
        two = [", ".join(figure(r[key][q]) for q in ("p50", "p99")) for key in ("early_ms", "commit_ms")]
        made = f"{figure(r['tables_s'])}; {figure(r['read_ms'])}"
        rows.append([r["constraint"], sizes, made, str(r["slots"]), figure(r["first_ms"]), *two])
    note = "Masks of all slots where nesting has no bound, random tokens of the masks put in random slots:"
    return f"{note}\n\n" + table(head, rows)


def _law(records: list[dict[str, Any]]) -> str:
    keys = ("reading_ms", "log_z_ms", "best_ms", "marginals_ms", "draw_ms", "denoise_ms")
    head = [
        "constraint",
        "slots",
        "reading scores, ms",
        "log Z, ms",
        "likeliest fill, ms",
        "marginals, ms",
        "a draw, ms",
    ]
    rows = []
    for r in records:
        told = [figure(r.get(key)) for key in keys] if "refused" not in r else [f"refused: {r['refused']}", *"-----"]
        rows.append([r["constraint"], str(r["slots"]), *told])
    note = "The law where nesting has no bound, all slots open, random scores; `denoise` in 16 steps, the surest first:"
    return f"{note}\n\n" + table([*head, "denoise, ms"], rows)


def fills(records: list[dict[str, Any]]) -> str:
    """What the diffusion model and models that fill holes write."""
    settings = next(r for r in records if r["part"] == "settings")
    flags = f"--count {settings['count']} --holes {settings['holes']}"
    rows = []
    for r in (r for r in records if r["part"] == "diffusion"):
        shares = [f"{r[f'{way}_{what}']}/{r['texts']}" for what in ("valid", "right") for way in WAYS]
        rows.append([r["sort"], str(r["steps"]), *shares])
    head = ["texts", "steps", "valid, plain", "valid, constrained", "right, plain", "right, constrained"]
    drawn = table(head, rows)
    rows = []
    for r in (r for r in records if r["part"] == "holes"):
        shares = [f"{r[f'{way}_valid']}/{r['files']}" for way in WAYS]
        rows.append([r["model"], r["kind"], *shares, *(figure(r[f"{way}_s"]) for way in WAYS)])
    head = ["model", "files", "valid, plain", "valid, constrained", "s a hole, plain", "s a hole, constrained"]
    return (
        f"`python -m benchmarks fills {flags} --models smollm2,DIR`, DIR by `python -m structgen.nano.train_fim`.\n\n"
        "The bundled diffusion model on held-out facts, in a canvas of 40 slots. plain: each step keeps the surest "
        "tokens. constrained: those of the likeliest valid fill.\n\n" + drawn + "\n\nA hole of 8 to 40 characters in "
        "files that a script writes, 24 tokens at most. plain: the same rules end a hole. A model without tokens to "
        "fill in the middle sees what stands before the hole alone. Every constrained file is a text of its grammar; "
        "ast refuses some, since that grammar of Python does not pair else with if.\n\n" + table(head, rows)
    )


def _fits(records: list[dict[str, Any]]) -> str:
    compiled = [r for r in records if "not_compiled" not in r]
    fitting = [r for r in compiled if r["refused"] is None]
    deep = [r for r in fitting if r["exact"] or r["depth"] >= 3]
    whole = sum(r["exact"] for r in fitting)
    stacks = sum(r["stack"] for r in fitting)
    depths = Counter(r["depth"] for r in fitting if not r["exact"])
    told = ", ".join(f"{count} to nesting {depth}" for depth, count in sorted(depths.items(), reverse=True))
    others = [f"{r['id']} ({r['refused'] or 'to nesting ' + str(r['depth'])})" for r in compiled if r not in deep]
    states, seconds = sorted(r["states"] for r in fitting), sorted(r["tables_s"] for r in fitting)
    return (
        f"Of {len(compiled)} real schemas (a sample of maskbench-dev that compiles) {len(deep)} fit 256 slots as they "
        f"are or to nesting 3 and more ({len(deep) / len(compiled):.0%}): {whole} as they are ({stacks} of them with a "
        f"stack), {told}. "
        f"All others, with the limit they meet: {', '.join(others) or 'none'}. "
        f"States: median {states[len(states) // 2]:,}, most {states[-1]:,}; tables take "
        f"{figure(seconds[len(seconds) // 2])} s in the median, {figure(seconds[int(0.9 * len(seconds))])} s in the "
        "slowest tenth."
    )


def _valid(records: list[dict[str, Any]]) -> str:
    found = {(r["denoiser"], r["method"], r["steps"]): r for r in records}
    names = list(dict.fromkeys((r["denoiser"], r["method"]) for r in records))
    rows = []
    for denoiser, method in names:
        own = [r for (name, way, _), r in found.items() if (name, way) == (denoiser, method)]
        steps = [f"{r['valid']}/{r['texts']}" + (f" ({r['given_up']} given up)" if r["given_up"] else "") for r in own]
        rows.append([denoiser, method, *steps])
    note = (
        "Valid texts, in as many steps as slots, in 8 and in 1. plain: what the denoiser says. rejected: each token is "
        "checked against holes of any length, 100 tries a token, as published. slots: the mask of each slot, what is "
        "committed together drawn by itself. joint: exact draws of whole fills."
    )
    return f"{note}\n\n" + table(["denoiser", "method", "n steps", "8 steps", "1 step"], rows)


def _adapters(records: list[dict[str, Any]]) -> str:
    told = [
        f"{r['adapter']} {r['valid']:,} of {r['texts']:,} (without the adapter {r['plain_valid']:,} of {r['plain']:,})"
        for r in records
    ]
    return f"Valid texts of the libraries' own classes with random weights, in 1 to 4 steps: {', '.join(told)}."


def _overhead(record: dict[str, Any]) -> str:
    log_z = ", ".join(f"{value:.1f}" for value in record["log_z"][:4])
    return (
        f"Beside a call of a network of 2.6 million weights ({figure(record['model_ms'])} ms) everything else in a "
        f"step takes {figure(record['rest_ms'])} ms. The log-probability that independent draws of all open slots are "
        f"valid, in the first of 16 steps: {log_z}."
    )
