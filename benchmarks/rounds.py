"""Rounds of `smc`: how near log Z each round comes, and what it reads, over many seeds (half as many of SmolLM2).

    python -m benchmarks rounds [--seeds 10] [--particles 256] [--scouts 64] [--rounds 3] [--models nano]

The bundled model under the grammars of `samplers`, SmolLM2 under the schema of a person, of one with an age, and of a
list of colours. The truth is the mean of two
estimates by 512 particles (`--long`) after rounds of 128; for the SQL grammar the trie of `cars` proves that it lies
between -129.2 and -126.9. The error of a run is Z-hat / Z - 1.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.data import RESULTS, write_results
from benchmarks.person import ASKED, SCHEMA, person_problem
from benchmarks.samplers import nano_problems
from structgen.engines.prefixes import PrefixModel
from structgen.samplers.logspace import log_sum
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample

WITH_AGE = SCHEMA | {
    "properties": {**SCHEMA["properties"], "age": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["name", "city", "age"],
}
COLOURS = {"type": "array", "items": {"enum": ["red", "green", "blue", "yellow"]}, "minItems": 1, "maxItems": 4}
LIGHTS = "List the colours of a traffic light as a JSON array."


def main() -> None:
    """Measure, print, write benchmarks/results/rounds.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rounds")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--particles", type=int, default=256, help="of the last round")
    parser.add_argument("--scouts", type=int, default=64, help="of the rounds before it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=512, help="particles of the runs that say what is true")
    parser.add_argument("--models", nargs="+", choices=("nano", "smollm2"), default=["nano", "smollm2"])
    options = parser.parse_args()
    problems: dict[tuple[str, str], Problem] = {}
    if "nano" in options.models:
        problems |= {("nano", name): problem for name, problem in nano_problems().items()}
    if "smollm2" in options.models:
        problems |= {("smollm2", name): problem for name, problem in smollm2_problems().items()}
    path = RESULTS / "rounds.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.exists() else []
    records = [record for record in known if record["model"] not in options.models]
    for (model, name), problem in problems.items():
        seeds = options.seeds if model == "nano" else max(2, options.seeds // 2)
        truth = long_run(problem, options.long)
        found = measured(problem, truth, options.particles, options.scouts, options.rounds, seeds)
        records += [{"model": model, "problem": name, **record} for record in found]
        for record in records[-options.rounds :]:
            print({key: round(value, 3) if isinstance(value, float) else value for key, value in record.items()})
        write_results("rounds", records)


def smollm2_problems() -> dict[str, Problem]:
    """Three schemas on one model: free strings, a number between them, and a list of few words."""
    import structgen as sg

    person = person_problem()
    model = person.model
    assert isinstance(model, PrefixModel)

    def asked(schema: dict[str, Any], text: str) -> Problem:
        constraint = sg.compile(schema=schema, vocabulary=model.vocabulary)
        return Problem(model, constraint, 48, prompt=model.engine.encode([{"role": "user", "content": text}]))

    return {"person": person, "person with age": asked(WITH_AGE, ASKED), "colours": asked(COLOURS, LIGHTS)}


def long_run(problem: Problem, particles: int) -> float:
    """log of the mean of two estimates."""
    runs = (sample(problem, particles, "smc", rounds=4, scouts=128, seed=1000 + seed) for seed in range(2))
    found = [run.log_evidence for run in runs]
    return log_sum(found) - float(np.log(len(found)))


def measured(
    problem: Problem, truth: float, particles: int, scouts: int, rounds: int, seeds: int
) -> list[dict[str, Any]]:
    """A record per round."""
    runs = []
    for seed in range(seeds):
        runs.append(sample(problem, particles, "smc", rounds=rounds, scouts=scouts, seed=seed).rounds)
    log_z = np.array([[each.log_evidence for each in run] for run in runs])
    calls = np.array([[each.prefixes_scored for each in run] for run in runs]).cumsum(axis=1)
    errors = np.exp(log_z - truth) - 1
    return [
        {
            "round": at + 1,
            "particles": scouts if at + 1 < rounds else particles,
            "log_z": truth,
            "mean_log_z": float(log_z[:, at].mean()),
            "furthest": float(np.abs(log_z[:, at] - truth).max()),
            "variation": float(np.sqrt((errors[:, at] ** 2).mean())),
            "ess": float(np.mean([run[at].ess for run in runs])),
            "prefixes": float(calls[:, at].mean()),
            "most_prefixes": int(calls[:, at].max()),
        }
        for at in range(rounds)
    ]


if __name__ == "__main__":
    main()
