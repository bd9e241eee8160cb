"""The section of docs/benchmarks.md on searches, from their records."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import table

__all__ = ["search"]


def search(records: list[dict[str, Any]]) -> str:
    """Questions answered rightly, and what they cost, by model, task and method."""
    head = ["model", "task", "method", "right", "given tests passed", "prefixes scored", "texts scored", "seconds"]
    rows = [
        [
            r["model"],
            r["task"],
            r["method"],
            f"{r['right']} of {r['questions']}",
            f"{r['given_passed']:.0%}",
            f"{r['prefixes']:.0f}",
            f"{r['texts']:.0f}" if r["texts"] else "-",
            f"{r['seconds']:.1f}",
        ]
        for r in records
    ]
    command = f"`python -m benchmarks search --every {records[0]['every']} --budget {records[0]['budget']}`"
    note = (
        "Means per question. Right: all hidden tests are passed. Best of: masked draws for the same budget, of which "
    )
    note += "the one is kept that passes most of the given tests."
    return f"{command}\n\n{note}\n\n{table(head, rows)}"
