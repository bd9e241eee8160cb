"""What a monitor adds to the time of decoding: SmolLM2 goes on behind the beginning of every Python site, alone, under
a constraint, and under the same with the monitor, with a language server.

All write the same text: what the model writes under the monitor, greedy; the others have the token that comes next put
first. The same prompt, model and thread; every round in another order, answers of earlier rounds forgotten, one round
before to warm up. Steps are timed behind the first logits, so that reading the prompt dilutes nothing. `ratio`: seconds
of all steps, of the median round of each text, beside those alone and beside those under the constraint alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

import structgen as sg
from benchmarks.monitors.projects import Site, sites_of
from benchmarks.monitors.sites import monitor_of, opened
from structgen.api.models import engine_of
from structgen.engines.decode import Request, decode_steps
from structgen.monitors import Report
from structgen.options import SamplingOptions

WAYS = ("alone", "constraint", "monitor")
MOST_TOKENS = 32
GREEDY = SamplingOptions(temperature=0.0)
LINES = r"(?:[^\n]*\n){0,40}[^\n]*\n?"  # as `complete` writes them


class Led:
    """A model whose likeliest tokens are these; behind them, its own."""

    def __init__(self, engine: Any, tokens: Sequence[int]) -> None:
        self._engine, self._coming, self.vocabulary = engine, iter(tokens), engine.vocabulary

    def _led(self, logits: torch.Tensor) -> torch.Tensor:
        logits, token = logits.clone(), next(self._coming, None)
        if token is not None:
            logits[0, token] = 1e4
        return logits

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, Any]:
        """As the model's."""
        logits, context = self._engine.prefill(prompts, reserve)
        return self._led(logits), context

    def extend(self, tokens: Sequence[int], context: Any) -> torch.Tensor:
        """As the model's."""
        return self._led(self._engine.extend(tokens, context))


def timed(engine: Any, prompt: list[int], constraint: Any, led: Sequence[int]) -> tuple[list[int], float]:
    """The tokens of a decode, and seconds of its steps behind the first logits."""
    request, tokens, started = Request(prompt, constraint, max_tokens=MOST_TOKENS, steer=False), list[int](), 0.0
    for step in decode_steps(Led(engine, led), [request], GREEDY, weigh=False):
        started = started or time.perf_counter()
        tokens += step.tokens.values()
    return tokens, time.perf_counter() - started


def measured(engine: Any, base: Any, analysis: Any, site: Site, rounds: int) -> dict[str, Any]:
    """Of one text: its tokens, the median seconds of each way, what the monitor did."""
    prompt, led, report = engine.encode(site.before), list[int](), Report()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way in WAYS if number % 2 else WAYS[::-1]:
            analysis.forget()
            constraint = {"alone": None, "constraint": base}.get(way, base & monitor_of(analysis, site))
            tokens, took = timed(engine, prompt, constraint, led if way != "monitor" else ())
            if way == "monitor":
                led, report = tokens, constraint.report
            if number:
                seconds[way].append(took)
    found: dict[str, Any] = {way: statistics.median(times) for way, times in seconds.items()}
    return found | {"tokens": len(led), "questions": report.questions, "waited": report.seconds}


def measure(name: str, model: str, rounds: int) -> dict[str, Any]:
    """Sums over all texts, and ratios."""
    torch.set_num_threads(1)
    engine = engine_of(model, None)
    base = sg.compile(regex=LINES, vocabulary=engine.vocabulary)
    with opened(name) as analysis:
        texts = [measured(engine, base, analysis, site, rounds) for site in sites_of("python")]
        version = analysis.version
    sums = {key: sum(text[key] for text in texts) for key in texts[0]}
    ratios = {f"ratio_to_{way}": sums["monitor"] / sums[way] for way in WAYS[:2]}
    return {"server": name, "version": version, "model": model, "texts": len(texts), "rounds": rounds, **sums, **ratios}
