"""`python -m benchmarks NAME [options]` runs one measurement; without a name it lists them."""

from __future__ import annotations

import importlib
import sys

NAMES = {
    "maskbench": "mask, commit and compile times beside llguidance and xgrammar on real schemas",
    "language": "how many real schemas compile, and whether every instance is judged right",
    "check": "every mask of real instances recomputed by a full walk",
    "startup": "import, first kernel compile, time until a later process can mask",
    "nano": "what the bundled model gets right, with and without the constraint",
    "report": "tables in docs/ from benchmarks/results/",
}


def main() -> None:
    """Dispatch to benchmarks.NAME.main()."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        width = max(map(len, NAMES))
        print(
            "\n".join(
                ["usage: python -m benchmarks NAME [options]", *(f"  {n:{width}}  {t}" for n, t in NAMES.items())]
            )
        )
        sys.exit(0 if len(sys.argv) < 2 else 2)
    name = sys.argv.pop(1)
    importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
