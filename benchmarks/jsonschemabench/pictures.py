"""The pictures of docs/jsonschemabench.md: what became of the schemas, times, answers of the quality tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jsonschemabench.report import LEVELS
from benchmarks.plots import COLOURS, panels, plain, save

__all__ = ["draw"]

Records = Sequence[Mapping[str, Any]]
ENDS = (
    ("valid", "valid", "#1f5fbf"),
    ("by_budget", "ended by the budget", "#c9d6ea"),
    ("invalid", "ended, invalid", "#c0392b"),
    ("not_judged", "not judged", "#dddddd"),
    ("failed", "failed", "#8e6bb0"),
    ("refused", "refused", "#888888"),
)
TASKS = {"extraction": "#1f5fbf", "classification": "#d9822b", "arithmetic": "#6b8e4e"}


def draw(records: Records, folder: Path) -> list[tuple[str, str]]:
    """(file, what it shows) of each."""
    found = [("jsonschemabench-coverage.png", "What became of the schemas, by engine")]
    _coverage(records, folder / found[0][0])
    found.append(("jsonschemabench-times.png", "Times per token and to compile, by engine: share of them below a time"))
    _times(records, folder / found[1][0])
    if any(r["part"] == "quality" for r in records):
        found.append(("jsonschemabench-quality.png", "Right answers by task and method"))
        _quality(records, folder / found[2][0])
    return found


def _coverage(records: Records, path: Path) -> None:
    figure, (axis,) = panels(1)
    figure.set_size_inches(8.4, 3.4)
    rows = [r for r in records if r["part"] == "coverage" and r["group"] is None][::-1]
    left = np.zeros(len(rows))
    for key, label, colour in ENDS:
        values = np.array([100 * r[key] / r["schemas"] for r in rows])
        if values.any():
            axis.barh([r["engine"] for r in rows], values, left=left, color=colour, label=label, height=0.7)
        left += values
    axis.set(xlim=(0, 100), xlabel="% of the schemas")
    axis.set_axisbelow(True)
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=len(ENDS), fontsize=8, handlelength=1.2, columnspacing=1.2)
    save(figure, path)


def _times(records: Records, path: Path) -> None:
    figure, axes = panels(2)
    kinds = (("token_levels", "mask and commit of one token, µs"), ("compile_levels", "compile, ms"))
    for axis, (key, label) in zip(axes, kinds, strict=True):
        for r in records:
            if r["part"] == "times" and r["of"] == "own":
                colour = COLOURS.get(r["engine"].partition(":")[0], "#8e6bb0")
                axis.plot(r[key], LEVELS, color=colour, lw=2, label=r["engine"])
        axis.set(xscale="log", xlabel=label, ylabel="% that took no longer", ylim=(0, 101))
        axis.xaxis.set_major_formatter(plain)
    axes[0].legend(loc="lower right")
    save(figure, path)


def _quality(records: Records, path: Path) -> None:
    figure, (axis,) = panels(1)
    rows = [r for r in records if r["part"] == "quality"]
    methods = list(dict.fromkeys(r["method"] for r in rows))
    for number, (task, colour) in enumerate(TASKS.items()):
        own = {r["method"]: 100 * r["right"] / r["asked"] for r in rows if r["task"] == task}
        places = np.arange(len(methods)) + 0.27 * (number - 1)
        axis.bar(places, [own.get(method, 0) for method in methods], width=0.25, color=colour, label=task)
    axis.set_xticks(range(len(methods)), [method.replace(", ", ",\n") for method in methods])
    axis.set_axisbelow(True)
    axis.set(ylabel="right answers, %", ylim=(0, 105))
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper right", fontsize=8)
    save(figure, path)
