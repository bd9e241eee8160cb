"""Pictures of docs/ from the records of benchmarks/results/; `python -m benchmarks report` calls these functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.maskbench import EDGES

COLOURS = {"structgen": "#1f5fbf", "llguidance": "#d9822b", "xgrammar": "#6b8e4e", "outlines": "#8e6bb0"}
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.edgecolor": "#888888",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 140,
}


def panels(count: int) -> tuple[Figure, list[Axes]]:
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, count, figsize=(1.2 + 5.4 * count, 4.1), squeeze=False, layout="constrained")
    return figure, list(axes[0])


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def plain(value: float, _: Any) -> str:
    """1,000 rather than 10^3."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def mask_times(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Share of tokens that took longer than so many microseconds; a panel per vocabulary, a line per engine."""
    figure, axes = panels(len(runs))
    for axis, (title, records) in zip(axes, runs.items(), strict=True):
        for record in records:
            if record.get("part") == "distributions":
                counts = np.array(record["mask_histogram"], float)
                slower = 1 - np.cumsum(counts) / counts.sum()
                seen = slower > 0
                axis.plot(EDGES[1:][seen], slower[seen], color=COLOURS[record["engine"]], label=record["engine"], lw=2)
        axis.set(xscale="log", yscale="log", xlim=(0.3, 2e5), ylim=(2e-6, 1.3), title=title)
        axis.set(xlabel="mask and commit of one token, µs", ylabel="share of tokens slower than that")
        axis.xaxis.set_major_formatter(plain)
        axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes[0].legend(loc="lower left")
    save(figure, path)


def compile_times(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Compile time against schema size: median and 99th percentile of each size class with ten schemas or more."""
    figure, axes = panels(len(runs))
    for axis, (title, records) in zip(axes, runs.items(), strict=True):
        for record in records:
            if record.get("part") == "distributions":
                classes = [c for c in record["compile_by_size"] if c["n"] >= 10]
                sizes, colour = [c["bytes"] for c in classes], COLOURS[record["engine"]]
                axis.plot(sizes, [c["p50"] for c in classes], color=colour, lw=2, label=f"{record['engine']}, median")
                label = f"{record['engine']}, 99th percentile"
                axis.plot(sizes, [c["p99"] for c in classes], color=colour, lw=1.2, ls=(0, (4, 2)), label=label)
        axis.set(xscale="log", yscale="log", title=title, xlabel="schema, bytes", ylabel="compile, ms")
        axis.xaxis.set_major_formatter(plain)
        axis.yaxis.set_major_formatter(plain)
    axes[0].legend(loc="upper left")
    save(figure, path)


def memory(records: list[dict[str, Any]], path: Path) -> None:
    """Resident megabytes against the number of schemas served."""
    figure, (axis,) = panels(1)
    for record in records:
        way = "all kept" if record["kept"] is None else f"the last {record['kept']} kept"
        xs, ys = [p["schemas"] for p in record["points"]], [p["mb"] for p in record["points"]]
        dashes = "-" if record["kept"] is None else (0, (4, 2))
        axis.plot(
            xs, ys, color=COLOURS[record["engine"]], ls=dashes, marker="o", ms=3, label=f"{record['engine']}, {way}"
        )
    top = 1.4 * axis.get_ylim()[1]  # the legend has room above the lines
    axis.set(xlabel="different schemas compiled and walked", ylabel="resident memory added, MB", ylim=(0, top))
    axis.xaxis.set_major_formatter(plain)
    axis.legend(loc="upper left")
    save(figure, path)


def batch(records: list[dict[str, Any]], path: Path) -> None:
    """Microseconds of a step against the batch: the mean and the slowest of a hundred."""
    figure, axes = panels(2)
    chosen = [r for r in records if r["grammars"] == "different grammars"]
    for axis, seen, title in zip(axes, (False, True), ("masks not seen before", "masks seen before"), strict=True):
        part = [r for r in chosen if r["seen_before"] == seen]
        sizes = [r["batch"] for r in part]
        axis.plot(sizes, [r["us"]["mean"] for r in part], color="#1f5fbf", lw=2, label="mean")
        axis.plot(sizes, [r["us"]["p99"] for r in part], color="#1f5fbf", ls=(0, (4, 2)), label="slowest")
        axis.set(xscale="log", yscale="log", title=title, xlabel="sequences, each with a grammar of its own")
        axis.set_xticks(sizes, [str(s) for s in sizes])
        axis.minorticks_off()
        axis.yaxis.set_major_formatter(plain)
    axes[0].set_ylabel("fill_masks of one step, µs")
    axes[0].legend(loc="upper left")
    save(figure, path)
