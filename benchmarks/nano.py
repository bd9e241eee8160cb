"""What the bundled model gets right on held-out exercises, with and without the constraint.

python -m benchmarks nano --count 100
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.data import write_results
from benchmarks.nano_score import evaluate
from structgen.nano import path


def main() -> None:
    """Measure both ways, print, write benchmarks/results/nano.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks nano")
    parser.add_argument("--count", type=int, default=100, help="exercises of each sort")
    parser.add_argument("--seed", default="report")
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    for constrained in (False, True):
        result = evaluate(path(), options.count, options.seed, constrained, 0)
        for sort, figures in result["sorts"].items():
            records.append({"sort": sort, "constrained": constrained, "count": options.count, **figures})
            shares = f"valid {figures['valid']:.1%}, fields right {figures['fields_right']:.1%}"
            print(f"{sort:12} {'constrained' if constrained else 'free':12} {shares}")
    write_results("nano", records)


if __name__ == "__main__":
    main()
