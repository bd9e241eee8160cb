"""AWRS against checking every allowed token, where the check is slow.

python -m benchmarks predicates [--particles 8] [--runs 2]

The bundled model under two constraints of `samplers`, and on top of the mask a predicate that costs a stated time: a
name without the letters a, e, o; no table but `people` and no column but its own. The proposals of `smc` differ in how
they ask it: "awrs" tries tokens until one passes, "full" asks about every token the constraint allows, "mask" asks
after the token is taken and lets the particle die. Equal texts are asked once; each run has a predicate of its own.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.data import write_results
from benchmarks.samplers import nano_problems
from structgen.engines.prefixes import PrefixModel
from structgen.samplers.logspace import log_sum
from structgen.samplers.predicates import Predicate
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample

ALLOWED = ("*", "name", "age", "city")


def main() -> None:
    """Measure, print, write benchmarks/results/predicates.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks predicates")
    parser.add_argument("--particles", type=int, default=8)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    records = []
    for base, grammar in ((nano_problems()[name], name) for name in ("JSON schema", "SQL")):
        for micros in (0, 200):
            for proposal in ("awrs", "full", "mask"):
                record = {"grammar": grammar, "check_us": micros, "proposal": proposal} | measured(
                    base, grammar, micros, proposal, options.particles, options.runs
                )
                records.append(record)
                print({k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()})
    write_results("predicates", records)


def measured(base: Problem, grammar: str, micros: int, proposal: str, particles: int, runs: int) -> dict[str, Any]:
    """Means over runs, the seed of a run the same for every proposal."""
    totals: dict[str, list[float]] = {}
    for seed in range(runs):
        assert isinstance(base.model, PrefixModel)
        base.model.clear()
        guarded: Any = base.constraint & predicate(grammar, micros)
        problem = Problem(base.model, guarded, base.max_tokens, prompt=base.prompt)
        result = sample(problem, particles, "smc", seed=seed, proposal=proposal)
        alive = [s for s in result.samples if s.log_weight > -np.inf]
        figures = {
            "alive": len(alive),
            "ess": result.ess,
            "log_evidence": result.log_evidence if result.log_evidence is not None else -np.inf,
            "prefixes_scored": result.stats.prefixes_scored,
            "checks": result.stats.constraint_checks,
            "function_calls": result.stats.function_calls,
            "seconds": result.stats.seconds,
        }
        for name, value in figures.items():
            totals.setdefault(name, []).append(float(value))
    evidence = totals.pop("log_evidence")
    means = {name: float(np.mean(values)) for name, values in totals.items()}
    mean = log_sum(evidence) - float(np.log(runs))
    return {"particles": particles, "runs": runs, "log_evidence": mean if mean > -np.inf else None} | means


def predicate(grammar: str, micros: int) -> Predicate:
    """A check of every prefix that takes at least `micros`."""
    passes = _known_columns if grammar == "SQL" else _short_name

    def slow(text: str, complete: bool) -> bool:
        until = time.perf_counter() + micros * 1e-6
        while time.perf_counter() < until:
            pass
        return passes(text)

    return Predicate(slow, "slow")


def _known_columns(text: str) -> bool:
    """Every column and table begins, or is, an allowed one."""
    if not text.startswith("SELECT "):
        return True
    columns, _, rest = text[len("SELECT ") :].rstrip(";").partition(" ")
    *finished, last = columns.split(",")
    known = all(column in ALLOWED for column in finished) and any(name.startswith(last) for name in ALLOWED)
    return known and (not rest.startswith("FROM ") or "people".startswith(rest[len("FROM ") :].split(" ")[0]))


def _short_name(text: str) -> bool:
    """The name has no letter a, e or o."""
    _, _, rest = text.partition('"name":')
    name = rest.strip().strip('"').split('"')[0]
    return not set(name) & set("aeo")


if __name__ == "__main__":
    main()
