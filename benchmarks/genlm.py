"""AWRS-SMC beside genlm-control: the same model calls, checks, particles and resampling; evidence and time per step.

python -m benchmarks genlm [--runs 40] [--particles 10] [--large 10]      needs `pip install genlm-control`

Both sides ask one and the same model object for logits (batched) and one and the same `Problem` for whether an event is
allowed, so what differs is the sampler: the estimator of one step, the bookkeeping of particles, resampling. Neither
uses a mask. Runs of both alternate in one process. On the fixtures Z is known by enumeration; on the bundled model it
is what many runs of both say. A particle step is one event of one particle; the time is that of a whole run without
what the model took, and with it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.data import write_results
from benchmarks.person import person_problem
from benchmarks.samplers import nano_problems
from structgen.engines.prefixes import PrefixModel
from structgen.protocols import Tokens
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import FIXTURES
from structgen.samplers.models import TableModel
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample

WIDE = 32_000  # tokens of the synthetic large vocabulary


def main() -> None:
    """Measure, print, write benchmarks/results/genlm.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks genlm")
    parser.add_argument("--runs", type=int, default=40, help="runs of each side per problem")
    parser.add_argument("--particles", type=int, default=10)
    parser.add_argument("--large", type=int, default=10, help="runs of each side with SmolLM2")
    options = parser.parse_args()
    try:
        import genlm.control  # noqa: F401
    except ImportError as error:
        raise SystemExit(f"this comparison needs genlm-control (pip install genlm-control): {error}") from error
    print("genlm-control", version("genlm-control"))
    records = []
    for name, problem in problems().items():
        record = {"problem": name, "vocabulary": problem.vocabulary.size, "genlm_control": version("genlm-control")}
        runs = options.large if name.startswith("SmolLM2") else options.runs
        record |= compared(problem, runs, options.particles)
        records.append(record)
        print({k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()})
    write_results("genlm", records)


def problems() -> dict[str, Problem]:
    """Two fixtures, one of them also in a vocabulary of real size, and both models under a JSON schema."""
    fixtures = {name: FIXTURES[name]() for name in ("T2 dyck", "T3 tokenised")}
    models = {"nano, JSON schema": nano_problems()["JSON schema"], "SmolLM2, person": person_problem()}
    return fixtures | {f"T3 among {WIDE:,} tokens": wide()} | models


def wide() -> Problem:
    """T3 with a vocabulary filled up by tokens that no text has; the model gives them a third of every step."""
    import structgen as sg

    small = FIXTURES["T3 tokenised"]()
    base = [small.vocabulary.token_bytes(token) for token in range(5)]
    others = [f"z{i}".encode() for i in range(WIDE - 6)]
    vocabulary = sg.Vocabulary.from_bytes([*base, *others, b""], eos=[WIDE - 1])
    sine = TableModel.sine(small.vocabulary, 2.0)
    filling = -1.5 * np.log(1 + np.arange(WIDE - 6)) - 1.0

    def law(u: Tokens) -> np.ndarray:
        known = sine.logits([u])[0]
        return np.concatenate([known[:5], filling, known[5:]])

    constraint = sg.compile(regex="(ab|ba){0,2}a", vocabulary=vocabulary)
    return Problem(TableModel(vocabulary, law, "wide"), constraint, 7)


class Timed:
    """A model that says how long it took."""

    def __init__(self, model: Any) -> None:
        self.model, self.seconds = model, 0.0
        self.vocabulary, self.fingerprint = model.vocabulary, model.fingerprint

    @property
    def tokens_forwarded(self) -> int:
        return int(self.model.tokens_forwarded)

    def logits(self, prefixes: Sequence[Tokens]) -> Any:
        started = time.perf_counter()
        out = self.model.logits(prefixes)
        self.seconds += time.perf_counter() - started
        return out


def compared(problem: Problem, runs: int, particles: int) -> dict[str, Any]:
    """Evidence and time of both sides, run by turns."""
    timed = Timed(problem.model)
    problem.model = timed
    genlm = genlm_runner(problem, particles)
    sides: dict[str, Callable[[int], tuple[float, int]]] = {
        "structgen": lambda seed: ours(problem, particles, seed),
        "genlm": lambda seed: theirs(genlm(seed)[0]),
    }
    logs: dict[str, list[float]] = {side: [] for side in sides}
    seconds, model, steps = (dict.fromkeys(sides, 0.0) for _ in range(3))
    for seed in range(-2, runs):
        for side, once in sides.items():
            if isinstance(timed.model, PrefixModel):
                timed.model.clear()
            timed.seconds, started = 0.0, time.perf_counter()
            log_evidence, count = once(seed + 2)
            if seed < 0:  # both sides have then met the problem once
                continue
            seconds[side] += time.perf_counter() - started
            model[side] += timed.seconds
            steps[side] += count
            logs[side].append(log_evidence)
    problem.model = timed.model
    record: dict[str, Any] = {"runs": runs, "particles": particles, "log_z": _known(problem)}
    for side, values in logs.items():
        evidence = np.exp(values)
        own = seconds[side] - model[side]
        record |= {
            f"{side}_log_evidence": float(np.log(evidence.mean())),
            f"{side}_relative_error": float(evidence.std(ddof=1) / evidence.mean() / np.sqrt(runs)),
            f"{side}_steps": int(steps[side]),
            f"{side}_us_per_step": 1e6 * seconds[side] / steps[side],
            f"{side}_us_per_step_without_model": 1e6 * own / steps[side],
        }
    record["ratio"] = record["structgen_us_per_step"] / record["genlm_us_per_step"]
    record["ratio_without_model"] = (
        record["structgen_us_per_step_without_model"] / record["genlm_us_per_step_without_model"]
    )
    both = np.hypot(record["structgen_relative_error"], record["genlm_relative_error"])
    gap = np.exp(record["structgen_log_evidence"] - record["genlm_log_evidence"]) - 1
    record["gap_in_errors"] = float(abs(gap) / both)
    return record


def _known(problem: Problem) -> float | None:
    return enumerate_outputs(problem).log_evidence if isinstance(problem.model, TableModel) else None


def ours(problem: Problem, particles: int, seed: int) -> tuple[float, int]:
    """(log Z-hat, particle steps) of one run."""
    result = sample(problem, particles, "smc", seed=seed, proposal="awrs", resampling="multinomial", ess_threshold=0.5)
    assert result.log_evidence is not None
    return result.log_evidence, sum(len(s.step_log_mass) for s in result.samples)


def theirs(sequences: Any) -> tuple[float, int]:
    """(log Z-hat, particle steps) of one run of genlm-control."""
    return float(sequences.log_ml), sum(len(context) for context in sequences.contexts)


def described(problem: Problem, particles: int) -> dict[str, Any] | None:
    """One run of genlm-control in the words of the benchmark of samplers; None where it is not installed."""
    if importlib.util.find_spec("genlm") is None:
        return None
    started = time.perf_counter()
    sequences, costs = genlm_runner(problem, particles)(1)
    alive = [c for c, weight in zip(sequences.contexts, sequences.log_weights, strict=True) if weight > -np.inf]
    texts = {problem.vocabulary.decode([t for t in context if isinstance(t, int)]) for context in alive}
    known = {"status": "complete" if alive else "degenerate", "outputs": len(alive), "distinct": len(texts)}
    return known | {
        "log_evidence": float(sequences.log_ml) if alive else None,
        "evidence_error": None,
        "log_bounds": None,
        "ess": float(sequences.ess),
        "prefixes_scored": costs["rows"],
        "masks": 0,
        "checks": costs["checks"],
        "seconds": time.perf_counter() - started,
    }


def genlm_runner(problem: Problem, particles: int) -> Callable[[int], tuple[Any, dict[str, int]]]:
    """One run of genlm-control's AWRS-SMC on the same problem, as a function of the seed: its sequences, its costs."""
    import torch
    from genlm.control import AWRS, Potential

    costs = {"rows": 0, "checks": 0}

    ids = [t for t in range(problem.vocabulary.size) if t not in problem.vocabulary.special_ids]

    class Model(Potential):
        """p(t|u) as a potential over token ids, its rows from the problem's own model, several at a time."""

        async def prefix(self, context: list[int]) -> float:
            return 0.0

        async def complete(self, context: list[int]) -> float:
            return 0.0

        async def logw_next(self, context: list[int]) -> Any:
            return self.make_lazy_weights(self._rows([context])[0])

        async def batch_logw_next(self, contexts: list[list[int]]) -> Any:
            return self.make_lazy_weights(self._rows(contexts))

        def _rows(self, contexts: list[list[int]]) -> Any:
            distinct = list(dict.fromkeys(map(tuple, contexts)))
            costs["rows"] += len(distinct)
            laws = problem.laws([Prefix(tokens, None, problem.stop) for tokens in distinct])  # type: ignore[arg-type]
            rows = dict(zip(distinct, laws[:, [*ids, problem.stop]], strict=True))
            return np.stack([rows[tuple(context)] for context in contexts])

    class Check(Potential):
        """Whether the constraint allows a prefix, by the check our own AWRS uses, one event after a known prefix."""

        known: dict[Tokens, Prefix]

        async def prefix(self, context: list[int]) -> float:
            if not context:
                return 0.0
            costs["checks"] += 1
            before = self._at(tuple(context[:-1]))
            return 0.0 if problem.permits(before, context[-1]) else -np.inf

        async def complete(self, context: list[int]) -> float:
            return 0.0 if problem.is_complete(self._at(tuple(context))) else -np.inf

        async def logw_eos(self, context: list[int]) -> float:
            return await self.complete(context)

        def _at(self, tokens: Tokens) -> Prefix:
            if tokens not in self.known:
                self.known[tokens] = self._at(tokens[:-1]).extend(tokens[-1]) if tokens else problem.root()
            return self.known[tokens]

    potential, check = Model(ids), Check(ids)

    def once(seed: int) -> tuple[Any, dict[str, int]]:
        np.random.seed(seed)  # genlm-control resamples from the global stream
        torch.manual_seed(seed)
        check.known = {}
        costs.update(rows=0, checks=0)
        sequences = asyncio.run(
            AWRS(potential, check, seed=seed).smc(
                n_particles=particles, ess_threshold=0.5, max_tokens=problem.max_tokens, resampling_method="multinomial"
            )
        )
        return sequences, dict(costs)

    return once


if __name__ == "__main__":
    main()
