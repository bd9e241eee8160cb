"""The picture of `samplers` in docs/plots/: what masking distorts and what each method repairs.

Above, the likeliest outputs of three small problems under the target and under what the methods draw; below, the
divergence of one output's law from the target against the prefixes read it took.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter

from structgen.samplers.exact import Exact, enumerate_outputs
from structgen.samplers.fixtures import FIXTURES
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample

SHOWN = ("T1 trap", "T2 dyck", "T3 tokenised")
COLOURS = {
    "masked": "#d62728",
    "importance": "#ff9f40",
    "smc": "#e0b000",
    "mcmc": "#9467bd",
    "asap": "#17a2b8",
    "asap proposal": "#17a2b8",
    "cars": "#1f77b4",
    "rejection": "#2ca02c",
    "enumeration": "#555555",
}
LABELS = {
    "asap": "asap, n weighted draws",
    "asap proposal": "asap after n draws, no weights",
    "smc": "smc, n particles",
    "mcmc": "mcmc, n steps",
    "importance": "importance, n draws",
}
FLOOR = 1e-3


def samplers(records: list[dict[str, Any]], path: Path) -> None:
    """Outputs of three fixtures under target and methods; KL against prefixes read."""
    figure, axes = plt.subplots(2, 3, figsize=(15, 9), constrained_layout=True)
    for column, name in enumerate(SHOWN):
        problem = FIXTURES[name]()
        exact = enumerate_outputs(problem)
        _outputs(axes[0, column], name, problem, exact)
        _curves(axes[1, column], [r for r in records if r.get("fixture") == name])
    axes[0, 0].legend(loc="center right", fontsize=9)
    handles = {label: handle for ax in axes[1] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncol=-(-len(handles) // 2), fontsize=9)
    figure.suptitle("Masking keeps every output valid but not as likely as the model has it; these methods repair that")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _outputs(axis: Any, name: str, problem: Problem, exact: Exact, top: int = 7) -> None:
    """Bars of the outputs that target or masking likes best, and of all the others together."""
    best = list(np.argsort(-np.maximum(exact.target, exact.masked))[:top])
    laws = {
        "target (model given the constraint)": ("#222222", exact.target),
        "masked decoding": (COLOURS["masked"], exact.masked),
        "asap, 500 weighted draws": (COLOURS["asap"], exact.frequencies(sample(problem, 500, "asap", seed=1))),
        "cars, 500 exact draws": (COLOURS["cars"], exact.frequencies(sample(problem, 500, "cars", seed=1))),
    }
    height = 0.8 / len(laws)
    for i, (label, (colour, law)) in enumerate(laws.items()):
        values = [*law[best], 1 - law[best].sum()]
        axis.barh(np.arange(len(values)) + (i - 1.5) * height, values, height, color=colour, label=label)
    spelled = [_spelled(problem, exact.outputs[i]) for i in best] + ["all others"]
    axis.set_yticks(range(len(spelled)), spelled, family="monospace")
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("probability")
    axis.set_title(f"{name}: Z = {np.exp(exact.log_evidence):.4f}, {len(exact.paths)} outputs")


def _spelled(problem: Problem, tokens: tuple[int, ...]) -> str:
    """The tokens of an output; split visibly where one is longer than a byte."""
    pieces = [problem.vocabulary.token_bytes(token).decode() for token in tokens]
    return ("·" if any(len(piece) > 1 for piece in pieces) else "").join(pieces)


def _curves(axis: Any, records: list[dict[str, Any]]) -> None:
    """KL of one output's law against prefixes read; exact methods stand on the floor."""
    axis.axhspan(FLOOR / 2, FLOOR * 1.15, color="#eeeeee")
    for method in dict.fromkeys(r["method"] for r in records):
        rows = [r for r in records if r["method"] == method and r["target"] == "distribution"]
        rows = [r for r in rows if r.get("dial", {}).get("cut", "restart") == "restart"]  # one line a method
        if not rows or method == "enumeration":
            continue
        colour = COLOURS.get(method, "#888888")
        if method == "masked":
            axis.axhline(rows[0]["kl"], color=colour, linestyle="--", label="masked, however many draws")
            continue
        if rows[0].get("exact"):
            first = rows[0]
            axis.plot(
                [first["prefixes_scored"]],
                [FLOOR],
                "D",
                ms=9,
                color=colour,
                label=f"{method}, one output (exact: KL = 0)",
            )
            continue
        points = sorted((r["prefixes_scored"], max(r["kl"], FLOOR)) for r in rows)
        axis.plot(
            *zip(*points, strict=True),
            "o:" if method == "asap proposal" else "o-",
            color=colour,
            label=LABELS.get(method, method),
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_ylim(FLOOR * 0.85, 10)
    axis.set_xlabel("prefixes read")
    axis.set_ylabel("KL(output law || target), nats")
    axis.grid(alpha=0.3)
