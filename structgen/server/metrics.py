"""Counts and times of a server, as the text that Prometheus reads.

Counters only grow, gauges are asked when the text is written, histograms have fixed bounds. Adding is a few
instructions under a lock: once a step or a request, never once a token and row.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import ClassVar

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_SHORT = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1.0)


class Histogram:
    """How often values fell below each bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts = tuple(bounds), [0] * (len(bounds) + 1)
        self.total, self.number = 0.0, 0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.number += 1

    def lines(self, name: str) -> list[str]:
        """As Prometheus has them."""
        found, below = [], 0
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append(f'{name}_bucket{{le="{bound}"}} {below}')
        return [*found, f"{name}_sum {self.total!r}", f"{name}_count {self.number}"]


class Metrics:
    """All that is counted, by name; see `HELP`. Thread-safe."""

    HELP: ClassVar = {
        "requests_total": "requests by endpoint and HTTP status",
        "choices_total": "outputs by what ended them",
        "prompt_tokens_total": "tokens of prompts",
        "reused_tokens_total": "of these, tokens that were not read again",
        "output_tokens_total": "tokens written",
        "steps_total": "calls of the model for all running rows",
        "compiled_total": "constraints by where they came from",
        "compiler_restarts_total": "compiling processes that were ended and begun again",
    }
    SECONDS: ClassVar = {
        "first_token_seconds": ("from a request to its first token", _SECONDS),
        "token_seconds": ("a step of all running rows", _SECONDS),
        "compile_seconds": ("from a constraint that was not known to its compiled form", _SECONDS),
        "mask_seconds": ("masks of all rows of a step", _SHORT),
        "request_seconds": ("from a request to the end of its answer", _SECONDS),
    }

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[tuple[tuple[str, str], ...], float]] = {name: {} for name in self.HELP}
        self._times = {name: Histogram(bounds) for name, (_, bounds) in self.SECONDS.items()}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            found = self._counts[name]
            found[key] = found.get(key, 0) + amount

    def took(self, name: str, seconds: float) -> None:
        """Count a time."""
        with self._lock:
            self._times[name].add(seconds)

    def gauge(self, name: str, about: str, ask: Callable[[], float]) -> None:
        """Something that is asked whenever the text is written."""
        self._gauges[name] = about, ask

    def count(self, name: str, **labels: str) -> float:
        """What was counted so far, of all labels where none are given."""
        with self._lock:
            found = self._counts[name]
            return sum(found.values()) if not labels else found.get(tuple(sorted(labels.items())), 0)

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        lines = []
        for name, (about, ask) in self._gauges.items():
            lines += [*_head(name, about, "gauge"), f"structgen_{name} {ask():g}"]
        with self._lock:
            for name, about in self.HELP.items():
                lines += _head(name, about, "counter")
                lines += [f"structgen_{name}{_labels(key)} {value:g}" for key, value in self._counts[name].items()]
            for name, (about, _) in self.SECONDS.items():
                lines += _head(name, about, "histogram") + self._times[name].lines(f"structgen_{name}")
        return "\n".join(lines) + "\n"


def _head(name: str, about: str, kind: str) -> list[str]:
    return [f"# HELP structgen_{name} {about}", f"# TYPE structgen_{name} {kind}"]


def _labels(key: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in key) + "}" if key else ""
