"""Sections of docs/benchmarks.md on predicates and on genlm-control, from their records."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import table

__all__ = ["genlm", "predicates"]


def predicates(records: list[dict[str, Any]]) -> str:
    """How often a slow check is asked, and what that does to the time."""
    head = ["constraint", "check takes", "proposal", "particles alive", "ESS", "prefixes read", "checks", "texts asked"]
    head += ["seconds"]
    rows = [
        [
            r["grammar"],
            f"{r['check_us']:,} µs",
            r["proposal"],
            f"{r['alive']:.1f} of {r['particles']}",
            f"{r['ess']:.1f}",
            *(f"{r[name]:,.0f}" for name in ("prefixes_scored", "checks", "function_calls")),
            f"{r['seconds']:.2f}",
        ]
        for r in records
    ]
    first = records[0]
    note = (
        f"`python -m benchmarks predicates --particles {first['particles']} --runs {first['runs']}`\n\n"
        "A predicate on top of a mask, under `smc`: awrs tries tokens of the mask until one passes, full asks of all "
        "tokens, mask lets the particle die afterwards. Means over runs. The gain belongs to checks without a mask; "
        "against compiled masks, which take microseconds, trial and error gains nothing."
    )
    return f"{note}\n\n{table(head, rows)}"


def genlm(records: list[dict[str, Any]]) -> str:
    """Evidence and time beside genlm-control."""
    head = ["problem", "tokens", "runs", "log Z", "structgen: log Z, relative error"]
    head += ["genlm-control: log Z, relative error", "apart, in errors", "µs a step", "genlm-control", "ratio"]
    head += ["ratio without the model"]
    rows = [
        [
            r["problem"],
            f"{r['vocabulary']:,}",
            str(r["runs"]),
            "-" if r["log_z"] is None else f"{r['log_z']:.3f}",
            *(f"{r[f'{side}_log_evidence']:.3f}, {r[f'{side}_relative_error']:.3f}" for side in ("structgen", "genlm")),
            f"{r['gap_in_errors']:.1f}",
            *(f"{r[f'{side}_us_per_step']:,.0f}" for side in ("structgen", "genlm")),
            f"{r['ratio']:.2f}",
            f"{r['ratio_without_model']:.2f}",
        ]
        for r in records
    ]
    first = records[0]
    note = (
        f"`python -m benchmarks genlm --runs {first['runs']} --particles {first['particles']}`, genlm-control "
        f"{first['genlm_control']}\n\nAWRS-SMC on the same problem, runs by turns in one process: one model object for "
        "both, asked for the same batches, one check for both, multinomial resampling below an ESS of one half. What "
        "the model takes is the same on both sides and shown in and out of the ratio."
    )
    return f"{note}\n\n{table(head, rows)}"
