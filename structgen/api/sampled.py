"""`generate` by a sampler: a prompt and its constraint -> n outputs of the model conditioned on the constraint.

Exact methods, chains and searches give their n outputs as they are. Of methods whose draws have weights more are drawn
(`draws`, 32 or 4 n if not given) and n of them picked by weight. What falls short raises SamplingIncomplete;
where that is because `max_tokens` holds no output, BudgetTooSmall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from structgen.engines.steering import tokens_to_end
from structgen.errors import BudgetTooSmall, OptionError, SamplingIncomplete
from structgen.matcher import Constraint, Matcher
from structgen.options import SamplingOptions
from structgen.protocols import SequenceConstraint, TokenModel
from structgen.samplers.problem import Problem
from structgen.samplers.result import Sample, SampleSet
from structgen.samplers.run import WEIGHTED, Budget, Progress, sample

__all__ = ["draw_outputs", "prefix_model_of"]


@lru_cache(maxsize=2)
def prefix_model_of(engine: Any) -> Any:
    """What samplers ask of an engine, kept with what it has read, for the last two engines."""
    from structgen.engines.prefixes import prefix_model

    return prefix_model(engine)


def _ahead(model: Any, constraint: SequenceConstraint, prompt: Sequence[int]) -> Any:
    """The model, reading ahead where it shares prefixes and the constraint is known state by state."""
    from structgen.engines.prefixes import PrefixModel
    from structgen.speculation.prefixes import AheadModel

    if not isinstance(model, PrefixModel) or not isinstance(constraint, Constraint) or constraint.asks:
        return model
    return AheadModel(model, constraint, prompt)


def draw_outputs(
    engine: Any,
    prompt: Sequence[int],
    constraint: SequenceConstraint,
    max_tokens: int,
    sampling: SamplingOptions,
    n: int,
    method: str,
    stream: int,
    *,
    budget: Budget | None = None,
    options: Mapping[str, Any] | None = None,
    ahead: bool = False,
    model: TokenModel | None = None,
    progress: Progress | None = None,
) -> tuple[list[Sample], SampleSet]:
    """n samples and the set they come from. `stream` numbers the prompt's own random numbers under the one seed.

    `ahead`: likely continuations are read with what is asked for (speculation/prefixes.py). `model`: what is asked for
    logits, where that is not the engine itself. Raises BudgetTooSmall, SamplingIncomplete, SamplingInterrupted.
    """
    given, wanted, asked = dict(options or {}), n, model or prefix_model_of(engine)
    problem = Problem(
        _ahead(asked, constraint, prompt) if ahead else asked,
        constraint,
        max_tokens,
        prompt=prompt,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        canonical=given.pop("canonical", False),
    )
    if method in WEIGHTED:
        wanted = given.pop("draws", max(32, 4 * n))
        if not isinstance(wanted, int) or wanted < n:
            raise OptionError(f"draws must be at least n = {n}, not {wanted!r}", option="draws")
    seed = int(np.random.SeedSequence([sampling.seed, stream]).generate_state(1)[0])
    result = sample(problem, wanted, method, budget=budget, seed=seed, progress=progress, **given)
    alive = [s for s in result.samples if s.log_weight > -np.inf]
    weighted = result.method in WEIGHTED
    found = len(alive) if not weighted else n if alive and result.status == "complete" else 0
    if found < n or result.status != "complete":
        note = _check_room(problem, result)
        raise SamplingIncomplete(status=result.status, found=found, wanted=n, result=result, note=note)
    return (result.resample(n, seed) if weighted else alive[:n]), result


def _check_room(problem: Problem, result: SampleSet) -> str:
    """The note of a set that falls short: its own, or that a shortest output does not fit.

    Raises BudgetTooSmall where that is the whole reason: it is proven that nothing fits, and neither a filter of the
    law nor a user's function may have been what forbade shorter outputs.
    """
    matcher = problem.root().unguarded.matcher
    if result.status not in ("empty", "degenerate") or not isinstance(matcher, Matcher):
        return result.note
    needed = tokens_to_end(matcher)
    if needed <= problem.max_tokens:
        return result.note
    filtered = result.law.top_k is not None or result.law.top_p is not None
    if result.status == "empty" and not filtered and not problem.has_predicates and not result.law.potentials:
        raise BudgetTooSmall(needed=needed, budget=problem.max_tokens)
    room = f"the shortest text takes {needed} tokens, with its stop token, and max_tokens is {problem.max_tokens}"
    return f"{result.note}; {room}" if result.note else room
