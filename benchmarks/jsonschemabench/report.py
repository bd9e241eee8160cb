"""Journals -> benchmarks/results/jsonschemabench.jsonl -> docs/jsonschemabench.md with its pictures.

Runs over fewer schemas than the results that are there go to jsonschemabench-few.jsonl and a section of their own, for
engines that take too long for all. Whoever has no journals gets the page from the results as they are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import RESULTS, ROOT, summary, write_results
from benchmarks.jsonschemabench.run import FREE, GROUPS
from benchmarks.tables import figure, table

__all__ = ["coverage", "efficiency", "write_page"]

PAGE = ROOT / "docs" / "jsonschemabench.md"
PICTURES = ROOT / "docs" / "plots"
ALL, FEW = "jsonschemabench", "jsonschemabench-few"
LEVELS = np.linspace(0, 100, 201)  # percentiles that are drawn
Records = Sequence[Mapping[str, Any]]


def write_page(folder: Path) -> None:
    """Results from the journals, if there are any; page and pictures from the results."""
    journals = sorted(folder.glob("schemas-*.jsonl"))
    if journals:
        results = _results(journals, sorted(folder.glob("quality-*.jsonl")))
        whole = not (RESULTS / f"{ALL}.jsonl").exists() or _schemas(results) >= _schemas(_read(ALL)[1])
        write_results(ALL if whole else FEW, results)
    machine, records = _read(ALL)
    from benchmarks.jsonschemabench.pictures import draw

    page = _page(machine, records, draw(records, PICTURES))
    if (RESULTS / f"{FEW}.jsonl").exists():
        page += _few(*_read(FEW))
    PAGE.write_text(page)
    print(f"written to {PAGE.relative_to(ROOT)}")


def _read(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The machine of some results, and their records."""
    first, *records = [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]
    return first["machine"], records


def _schemas(records: Records) -> int:
    return next(int(r["schemas"]) for r in records if r["part"] == "settings")


def _results(schemas: Sequence[Path], quality: Sequence[Path]) -> list[dict[str, Any]]:
    settings, records = _merged(schemas)
    found: list[dict[str, Any]] = [{"part": "settings", **settings, "schemas": len(records)}]
    found += coverage(records)
    found += efficiency(records, settings["engines"])
    for path in quality:
        settings = json.loads(path.with_name(path.name + ".run").read_text())
        found += [{"part": "quality settings", **settings}, *_quality(_lines(path))]
    return found


def _merged(paths: Sequence[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Settings and records of runs over the same schemas, the longest first; of an engine that two runs have, the later
    one counts. Those of another model, budget or seed than the longest's are another comparison, and left out with a
    word."""
    runs = [(json.loads(path.with_name(path.name + ".run").read_text()), _lines(path)) for path in paths]
    runs.sort(key=lambda run: -len(run[1]))
    settings, records = runs[0]
    settings["runs"] = [settings["engines"]]
    by_id = {record["custom_id"]: record for record in records}
    for others, more in runs[1:]:
        if any(others[name] != settings[name] for name in ("model", "dtype", "budget", "seed")):
            print(f"left out, another model, budget or seed: {others}")
            continue
        settings["engines"] = list(dict.fromkeys([*settings["engines"], *others["engines"]]))
        settings["runs"].append(others["engines"])
        settings["versions"] |= others["versions"]
        for record in more:
            by_id[record["custom_id"]]["rows"] |= {k: v for k, v in record["rows"].items() if k != FREE}
    for name in settings["engines"]:
        completed = f"{name}, completed"
        if any(completed in record["rows"] for record in records):
            for record in records:  # what was refused, or fits no budget, is no better for being completed
                record["rows"].setdefault(completed, record["rows"][name])
    return settings, records


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines of a journal, of a run that may be going on."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def coverage(records: Records) -> list[dict[str, Any]]:
    """Per engine, for all groups and for each: schemas declared, valid, ended by the budget, invalid though ended,
    failed, refused; `judged` are those that `jsonschema` could judge."""
    found = []
    names = list(dict.fromkeys(name for record in records for name in record["rows"]))
    for name in names:
        for group in (None, *GROUPS):
            chosen = [r["rows"][name] for r in records if name in r["rows"] and group in (None, r["group"])]
            ends = [row["end"] for row in chosen]
            declared = [row for row in chosen if row["end"] in ("stop", "length", "completed")]
            whole = [row for row in declared if row["end"] != "length"]
            told = {
                "schemas": len(chosen),
                "declared": len(declared),
                "valid": sum(row["valid"] is True for row in declared),
                "by_budget": ends.count("length"),
                "invalid": sum(row["valid"] is False for row in whole),
                "not_judged": sum(row["valid"] is None for row in whole),
                "failed": ends.count("failed"),
                "refused": ends.count("refused"),
                "completed": ends.count("completed"),
                "tokens": sum(row["tokens"] for row in declared),
            }
            found.append({"part": "coverage", "engine": name, "group": group, **told})
    return found


def efficiency(records: Records, engines: Sequence[str]) -> list[dict[str, Any]]:
    """Per engine times over the schemas that all who were asked all of them declared, and over those it declared."""
    whole = {"stop", "length"}
    accepted = {
        name: {r["custom_id"] for r in records if name in r["rows"] and r["rows"][name]["end"] in whole}
        for name in engines
    }
    common = set.intersection(*(accepted[name] for name in engines if all(name in r["rows"] for r in records)))
    steps = [each for record in records for each in record["one_row_ms"]]
    prompts = [each for record in records for each in record["prompt_ms"]]
    found: list[dict[str, Any]] = [
        {"part": "model", "one_row_ms": summary(steps), "prompt_ms": summary(prompts), "common": len(common)}
    ]
    for name in engines:
        for which, ids in (("common", common), ("own", accepted[name])):
            rows = [r["rows"][name] for r in records if r["custom_id"] in ids & accepted[name]]
            tokens = [a + b for row in rows for a, b in zip(row["mask_us"], row["commit_us"], strict=True)]
            compiled = [row["compile_ms"] for row in rows]
            told = {
                "compile_ms": summary(compiled),
                "first_mask_us": summary([row["mask_us"][0] for row in rows]),
                "mask_us": summary([each for row in rows for each in row["mask_us"]]),
                "commit_us": summary([each for row in rows for each in row["commit_us"]]),
                "token_us": summary(tokens),
            }
            if which == "own":
                told |= {"token_levels": _levels(tokens), "compile_levels": _levels(compiled)}
            found.append({"part": "times", "engine": name, "of": which, "schemas": len(rows), **told})
    return found


def _levels(values: Sequence[float]) -> list[float]:
    return [float(f"{each:.4g}") for each in np.percentile(values, LEVELS)] if values else []


def _quality(records: Records) -> list[dict[str, Any]]:
    parts: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        parts[record["task"], record["method"]].append(record)
    return [
        {"part": "quality", "task": task, "method": method}
        | {name: sum(record[name] for record in own) for name in ("asked", "valid", "right", "seconds")}
        for (task, method), own in parts.items()
    ]


_HEAD = """# JSONSchemaBench with a model

Generated by `python -m benchmarks jsonschemabench report` from `benchmarks/results/jsonschemabench.jsonl`; do not edit.
The measures are those of the paper (Geng et al. 2025), the schemas real ones of its ten groups, prompts and quality
tasks our own.

- **Declared coverage**: schemas that an engine takes, and neither fails nor dies on while it writes.
- **Empirical coverage**: schemas whose output is valid: `jsonschema`, formats asserted. What the budget ended is not.
- **Compliance**: empirical of declared. **Right of ended**: valid among the outputs that the model ended itself.

All engines write under one loop with one model and one prompt per schema, greedily: the texts that differ are read
once, and every engine stands in a process of its own that is asked for masks and told tokens. Times are processor time
of that process around the engine's own call."""


def _ran(machine: Mapping[str, Any], records: Records, more: str = "") -> str:
    """Where and how the records were made."""
    settings = next(r for r in records if r["part"] == "settings")
    versions = ", ".join(f"{name} {number}" for name, number in settings["versions"].items())
    ran = (
        f"{machine['date']}, {machine['cpu']} ({machine['cores']} cores), Python {machine['python']}; {versions}. "
        f"{settings['model']} in {settings['dtype']}, {settings['schemas']} schemas, outputs of at most "
        f"{settings['budget']} tokens, stop token included.\n"
    )
    for engines in settings["runs"]:
        options = f"--engines {','.join(engines)} --budget {settings['budget']}{more}"
        ran += f"\n    python -m benchmarks jsonschemabench {options}"
    named = [name for engines in settings["runs"] for name in engines]
    return ran + ("\n\nOf an engine that two runs have, the later one counts." if len(set(named)) < len(named) else "")


def _few(machine: Mapping[str, Any], records: Records) -> str:
    """The section of a run over fewer schemas."""
    of = _schemas(records)
    sections = [
        f"## On {of} of the schemas",
        f"The first {of} of them, the groups in turn, for engines that take too long for all: a call of an engine may "
        "take 20 seconds of wall time, then it has failed.",
        _ran(machine, records, f" --first {of} --no-free --seconds 20"),
        _coverage_table(records),
        _times_text(records),
        _times_table(records),
    ]
    return "\n" + "\n\n".join(sections) + "\n"


def _page(machine: Mapping[str, Any], records: Records, pictures: Sequence[tuple[str, str]]) -> str:
    shown = [f"![{alt}](plots/{file})" for file, alt in pictures]
    sections = [
        _HEAD,
        _ran(machine, records),
        "## Coverage and compliance",
        _coverage_table(records),
        _notes(records),
        shown[0],
        "Declared / empirical, by group:",
        _groups_table(records),
        "## Efficiency",
        _times_text(records),
        _times_table(records),
        shown[1],
    ]
    if any(r["part"] == "quality" for r in records):
        sections += ["## Quality", _quality_text(records), _quality_table(records), *shown[2:]]
    return "\n\n".join(sections) + "\n"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _coverage_table(records: Records) -> str:
    rows = []
    for r in records:
        if r["part"] != "coverage" or r["group"] is not None:
            continue
        ended = r["declared"] - r["by_budget"] - r["not_judged"]
        is_free = r["engine"] == FREE
        rows.append(
            [r["engine"], str(r["schemas"])]
            + (["-"] if is_free else [_share(r["declared"], r["schemas"])])
            + [_share(r["valid"], r["schemas"]), _share(r["valid"], r["declared"]), _share(r["valid"], ended)]
            + [str(r[name]) for name in ("by_budget", "completed", "invalid", "failed", "refused")]
        )
    head = [
        "engine",
        "schemas",
        "declared",
        "empirical",
        "compliance",
        "right of ended",
        "ended by the budget",
        "completed",
    ]
    return table([*head, "ended, invalid", "failed", "refused"], rows)


def _notes(records: Records) -> str:
    text = (
        '"completed" is `on_truncate="complete"`: the same outputs, which the budget guard ends with the shortest '
        "completion from the last whole value where the model would not have ended in time."
    )
    if any(r["part"] == "coverage" and r["engine"] == "xgrammar" for r in records):
        text += (
            " By default xgrammar writes no properties that a schema does not name (`strict_mode`), where JSON Schema "
            "and the others allow them: its outputs are shorter, and more of them end in time."
        )
    unjudged = max(r["not_judged"] for r in records if r["part"] == "coverage")
    return f"{text} Of up to {unjudged} outputs of an engine `jsonschema` cannot say." if unjudged else text


def _groups_table(records: Records) -> str:
    found = {(r["engine"], r["group"]): r for r in records if r["part"] == "coverage"}
    names = list(dict.fromkeys(name for name, _ in found))
    rows = []
    for group in GROUPS:
        cells = [found.get((name, group)) for name in names]
        of = next(cell["schemas"] for cell in cells if cell)
        rows.append([group, str(of)] + [f"{c['declared']} / {c['valid']}" if c else "-" for c in cells])
    return table(["group", "schemas", *names], rows)


def _times_text(records: Records) -> str:
    model = next(r for r in records if r["part"] == "model")
    return (
        f"Over the {model['common']} schemas that all engines declared who were asked all of them. The model takes "
        f"{model['one_row_ms']['p50']:.0f} ms for one row's token and {model['prompt_ms']['p50']:.0f} ms for the part "
        f"of a prompt that is the schema's (medians); *per token* is that, mask and commit together, *to the first "
        f"token* the prompt, compiling and the first mask (means). Masks are as cold as a model leaves them: between "
        f"two of them it reads all of its weights."
    )


def _times_table(records: Records) -> str:
    model = next(r for r in records if r["part"] == "model")
    rows = []
    for r in records:
        if r["part"] == "times" and r["of"] == "common":
            c, t = r["compile_ms"], r["token_us"]
            first = model["prompt_ms"]["p50"] + c["mean"] + r["first_mask_us"]["mean"] / 1e3
            rows.append(
                [
                    r["engine"],
                    str(r["schemas"]),
                    *(figure(c[key]) for key in ("mean", "p50", "p99")),
                    figure(r["first_mask_us"]["mean"]),
                ]
                + [figure(t[key]) for key in ("mean", "p50", "p99")]
                + [figure(first), f"{model['one_row_ms']['p50'] + t['mean'] / 1e3:.2f}"]
            )
    head = [
        "engine",
        "schemas",
        "compile ms mean",
        "p50",
        "p99",
        "first mask us",
        "mask + commit us mean",
        "p50",
        "p99",
    ]
    return table([*head, "to the first token ms", "per token ms"], rows)


def _quality_text(records: Records) -> str:
    settings = next(r for r in records if r["part"] == "quality settings")
    asked = sorted({r["asked"] for r in records if r["part"] == "quality"})
    many = " to ".join(map(str, asked[:: max(len(asked) - 1, 1)]))
    return (
        f"`python -m benchmarks jsonschemabench quality --model {settings['model']}`: three tasks of {many} questions "
        f"with known answers, three or four examples in the prompt, {settings['budget']} tokens. *valid / right*, in "
        f"per cent: the whole text is valid under the schema; all judged fields are right (of free text those of the "
        f"first JSON object in it). The last four rows are drawn at temperature 1 ({settings['draws']} of each "
        f"question). In brackets processor seconds an answer."
    )


def _quality_table(records: Records) -> str:
    found = {(r["task"], r["method"]): r for r in records if r["part"] == "quality"}
    tasks = list(dict.fromkeys(task for task, _ in found))
    rows = []
    for method in dict.fromkeys(method for _, method in found):
        cells = [found.get((task, method)) for task in tasks]
        rows.append([method, *("-" if c is None else _cell(c) for c in cells)])
    return table(["", *tasks], rows)


def _cell(record: Mapping[str, Any]) -> str:
    asked = record["asked"]
    valid, right = 100 * record["valid"] / asked, 100 * record["right"] / asked
    return f"{valid:.0f} / {right:.0f} ({record['seconds'] / asked:.1f} s)"
