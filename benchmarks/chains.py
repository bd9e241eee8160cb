"""Chains of `mcmc`: rows a model call, and processor time an output, with few chains and with many.

    python -m benchmarks chains [--chains 10] [--steps 10] [--outputs 40] [--models nano smollm2]

The bundled model under the schema and the grammars of `samplers`, SmolLM2 (a quarter of the outputs) under the schema
of `person`; cuts "uniform" and "priority", whose proposals depend on where a chain stands. Of the JSON Schema nearly
all rows are remembered, so there is little to read at all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.data import write_results
from benchmarks.person import person_problem
from benchmarks.samplers import nano_problems
from structgen.engines.prefixes import PrefixModel
from structgen.protocols import Tokens
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample


def main() -> None:
    """Measure, print, write benchmarks/results/chains.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chains")
    parser.add_argument("--chains", type=int, default=10)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--outputs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=("nano", "smollm2"), default=["nano", "smollm2"])
    options = parser.parse_args()
    cases = [(name, problem, options.outputs) for name, problem in nano_problems().items() if "nano" in options.models]
    if "smollm2" in options.models:
        cases.append(("person, SmolLM2", person_problem(), max(options.chains, options.outputs // 4)))
    records = []
    for name, problem, outputs in cases:
        for cut in ("uniform", "priority"):
            record = {"problem": name, "cut": cut, "chains": options.chains, "steps": options.steps}
            records.append(record | measured(problem, cut, outputs, options))
            print({key: round(value, 2) if isinstance(value, float) else value for key, value in records[-1].items()})
    write_results("chains", records)


class Counted:
    """A model that notes how many prefixes each of its calls has."""

    def __init__(self, model: PrefixModel) -> None:
        self.model, self.calls = model, list[int]()
        self.vocabulary, self.fingerprint = model.vocabulary, model.fingerprint

    @property
    def tokens_forwarded(self) -> int:
        return self.model.tokens_forwarded

    def logits(self, prefixes: Sequence[Tokens]) -> Any:
        self.calls.append(len(prefixes))
        return self.model.logits(prefixes)


def measured(problem: Problem, cut: str, outputs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Means over the seeds."""
    model = problem.model
    assert isinstance(model, PrefixModel)
    counted, seconds, drawn = Counted(model), 0.0, 0
    problem.model = counted
    for seed in range(options.seeds):
        model.clear()
        started = time.process_time()
        result = sample(problem, outputs, "mcmc", chains=options.chains, cut=cut, steps=options.steps, seed=seed)
        seconds += time.process_time() - started
        drawn += len(result)
    problem.model = model
    rows, calls = sum(counted.calls), len(counted.calls)
    return {
        "outputs": drawn,
        "rows_a_call": rows / calls,
        "calls_an_output": calls / drawn,
        "rows_an_output": rows / drawn,
        "cpu_ms_an_output": 1000 * seconds / drawn,
    }


if __name__ == "__main__":
    main()
