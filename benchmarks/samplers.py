"""Every registered sampler: exact divergence against prefixes read, and two models under four constraints.

python -m benchmarks samplers [--runs 400] [--seconds 60] [--methods smc mcmc]

The bundled model under a schema and two grammars, SmolLM2 under the schema of `person`. Where genlm-control is
installed its AWRS-SMC draws as many particles of the same problems, without a limit of time.

On the fixtures the law of one output of a method is the mean, over many runs, of the weights its set puts on each
output (what `draw()` would pick), so its KL to the enumerated target has little noise; of asap the proposal's exact KL
is given too. A method that is new in `METHODS` is measured without a change here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.data import RESULTS, write_results
from benchmarks.person import person_problem
from structgen.api.models import engine_of
from structgen.engines.prefixes import PrefixModel
from structgen.nano.prompts import prompt_text
from structgen.samplers.exact import Exact, enumerate_outputs, kl_divergence
from structgen.samplers.fixtures import FIXTURES
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet
from structgen.samplers.run import METHODS, Budget, sample
from structgen.samplers.trie import Trie

SIZES = (1, 4, 16, 64, 256)
# where a method's dial is an option of its own; everything else is measured by its number of draws
DIALS: dict[str, list[tuple[int, dict[str, Any]]]] = {
    "masked": [(16, {})],
    "asap": [(n, {"concurrency": 1}) for n in SIZES],
    "importance": [(draws, {"draws": draws, "resampling": None}) for draws in SIZES],
    "mcmc": [(1, {"cut": cut, "steps": k}) for cut in ("restart", "uniform", "priority") for k in (1, 3, 10, 30, 100)],
    "beam": [(1, {}), (1, {"width": 64})],
    "best_first": [(1, {})],
    "rejection": [(1, {"batch": 1}), (16, {})],
    "cars": [(1, {"concurrency": 1}), (16, {}), (256, {})],
    "enumeration": [(1, {})],
}

DYCK = 'root ::= word+\nword ::= "(" word* ")" | "[" word* "]"\n'
SQL = """root ::= "SELECT " columns " FROM " table where? ";"
columns ::= "*" | column ("," column)?
column ::= "name" | "age" | "city" | "count(*)"
table ::= "people" | "cities" | "orders"
where ::= " WHERE " column (" = " | " > " | " < ") value
value ::= [0-9] [0-9]? [0-9]? | "'" ("Lima" | "Oslo" | "Rome") "'"
"""
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "city": {"enum": ["Lima", "Oslo", "Rome"]},
    },
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
SENTENCE = "Maria Sanchez is 34 years old."


def main() -> None:
    """Measure, print, write benchmarks/results/samplers.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks samplers")
    parser.add_argument("--runs", type=int, default=400, help="runs per point on the fixtures")
    parser.add_argument("--seconds", type=float, default=60, help="most time per method and grammar with a model")
    parser.add_argument("--draws", type=int, default=100, help="outputs per method with a model")
    parser.add_argument(
        "--methods", nargs="+", choices=list(METHODS), help="these alone; the others keep their figures"
    )
    options = parser.parse_args()
    methods = options.methods or [name for name, home in METHODS.items() if home.startswith("structgen.samplers")]
    records = [*fixtures(options.runs, methods), *with_models(options.draws, options.seconds, methods)]
    write_results("samplers", [*_kept(methods), *records] if options.methods else records)


def _kept(methods: Sequence[str]) -> list[dict[str, Any]]:
    """Records of the last run that are not of these methods."""
    path = RESULTS / "samplers.jsonl"
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    return [r for r in map(json.loads, lines) if r["method"].split()[0] not in methods]


def fixtures(runs: int, methods: Sequence[str]) -> list[dict[str, Any]]:
    """KL of the methods on every fixture, at several costs."""
    records = []
    for name, build in FIXTURES.items():
        problem, exact = build(), enumerate_outputs(build())
        for method in methods:
            for n, dial in DIALS.get(method, [(n, {}) for n in SIZES]):
                record = {"fixture": name, "method": method, "n": n, "dial": dial, "runs": runs}
                record |= _law(problem, exact, method, n, dial, runs)
                records.append(record)
                print({k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()})
        records += _proposals(name, problem, exact) if "asap" in methods else []
    return records


def _law(problem: Problem, exact: Exact, method: str, n: int, dial: dict[str, Any], runs: int) -> dict[str, Any]:
    """KL(law of one output || target), less the bias of as many independent draws, and the mean costs."""
    total, calls, squares, dead = np.zeros(len(exact.paths)), 0, np.zeros(len(exact.paths)), 0
    evidence, started, target, exact_draws, proven = [], time.perf_counter(), "distribution", False, 0
    for seed in range(runs):
        result = sample(problem, n, method, seed=seed, **dial)
        target, exact_draws, proven = result.target, result.exact, result.proven
        calls += result.stats.prefixes_scored
        if result.log_evidence is not None:
            evidence.append(float(np.exp(result.log_evidence)))
        if not any(s.log_weight > -np.inf for s in result.samples):
            dead += 1
            continue
        weights = exact.frequencies(_as_drawn(result) if method == "masked" else result)
        total += weights
        squares += weights**2
    law = total / total.sum()
    seen = law > 0
    variance = np.maximum(squares / max(runs - dead, 1) - law**2, 0) / max(runs - dead, 1)
    bias = float((variance[seen] / law[seen]).sum() / 2)  # second order of the plug-in estimate
    return {
        "target": target,
        "proven": proven,
        "exact": exact_draws,
        "kl": max(kl_divergence(law, exact.target) - bias, 0.0),
        "noise": bias,
        "prefixes_scored": calls / runs,
        "evidence": float(np.mean(evidence)) if evidence else None,
        "evidence_sd": float(np.std(evidence)) if evidence else None,
        "z": float(np.exp(exact.log_evidence)),
        "seconds": (time.perf_counter() - started) / runs,
    }


def _as_drawn(result: SampleSet) -> SampleSet:
    """What plain decoding would return: the draws, their weights ignored."""
    return replace(result, samples=tuple(replace(s, log_weight=0.0) for s in result.samples if s.finish == "stop"))


def _proposals(name: str, problem: Problem, exact: Exact, seeds: int = 100) -> list[dict[str, Any]]:
    """The exact KL of what asap's next draw would be, after n draws, without any sampling noise."""
    kl, calls = np.zeros((seeds, 4)), np.zeros((seeds, 4))
    for seed in range(seeds):
        trie, read = Trie(problem), 0
        for column, more in enumerate((1, 9, 90, 900)):
            read += sample(
                problem, more, "asap", seed=1000 * seed + column, trie=trie, concurrency=1
            ).stats.prefixes_scored
            log_w = [trie.log_weight(path.prefix.tokens, tuple(path.step_log_mass)) for path in exact.paths]
            kl[seed, column] = kl_divergence(np.exp(exact.log_prob - np.array(log_w)), exact.target)
            calls[seed, column] = read
    return [
        {
            "fixture": name,
            "method": "asap proposal",
            "n": n,
            "target": "distribution",
            "kl": float(kl[:, column].mean()),
            "kl_sd": float(kl[:, column].std()),
            "prefixes_scored": float(calls[:, column].mean()),
        }
        for column, n in enumerate((1, 10, 100, 1000))
    ]


def nano_problems() -> dict[str, Problem]:
    """The bundled model under a schema, a bracket grammar and a small SQL grammar."""
    import structgen as sg

    engine = engine_of(None)
    vocabulary = engine.vocabulary
    cases = {
        "JSON schema": (sg.compile(schema=PERSON, vocabulary=vocabulary), prompt_text(PERSON, SENTENCE), 48),
        "Dyck": (sg.compile(gbnf=DYCK, vocabulary=vocabulary), prompt_text(None, SENTENCE), 16),
        "SQL": (sg.compile(gbnf=SQL, vocabulary=vocabulary), prompt_text(None, SENTENCE), 64),
    }
    model = PrefixModel(engine)
    return {
        name: Problem(model, constraint, limit, prompt=engine.encode(prompt))
        for name, (constraint, prompt, limit) in cases.items()
    }


def with_models(draws: int, seconds: float, methods: Sequence[str]) -> list[dict[str, Any]]:
    """The methods on both models: evidence, effective size, costs, and masked decoding's divergence."""
    records = []
    from benchmarks import genlm

    for name, problem in {**nano_problems(), "person, SmolLM2": person_problem()}.items():
        model = problem.model
        assert isinstance(model, PrefixModel)
        for method in methods:
            if method == "enumeration":
                continue  # these languages are not enumerable
            model.clear()
            result = sample(problem, draws, method, seed=1, budget=Budget(seconds=seconds))
            record = {"grammar": name, "method": method, "draws": draws, "seconds_limit": seconds} | _described(result)
            records.append(record)
            print({k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}, flush=True)
        model.clear()
        if (found := genlm.described(problem, draws)) is not None:
            records.append({"grammar": name, "method": "genlm-control", "draws": draws, "seconds_limit": 0} | found)
            print(records[-1], flush=True)
    return records


def _described(result: SampleSet) -> dict[str, Any]:
    stats, masses = result.stats, [s.log_mass for s in result.samples if s.finish == "stop"]
    finite = [mass for mass in masses if mass == mass]
    return {
        "status": result.status,
        "exact": result.exact,
        "target": result.target,
        "proven": result.proven,
        "outputs": len([s for s in result.samples if s.log_weight > -np.inf]),
        "distinct": len({s.data for s in result.samples if s.log_weight > -np.inf}),
        "log_evidence": _finite(result.log_evidence),
        "evidence_error": result.evidence_error,
        "log_bounds": None if result.evidence_bounds is None else [_finite(b) for b in result.evidence_bounds],
        "ess": result.ess,
        "mean_log_mass": float(np.mean(finite)) if finite else None,
        "kl_masked": result.distortion.kl,
        "prefixes_scored": stats.prefixes_scored,
        "tokens_forwarded": stats.tokens_forwarded,
        "masks": stats.masks_filled,
        "checks": stats.constraint_checks,
        "attempts": stats.attempts,
        "seconds": stats.seconds,
        "example": next((s.text for s in result.samples if s.log_weight > -np.inf), None),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


if __name__ == "__main__":
    main()
