"""What `generate_result` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Result"]

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """One output with everything known about it.

    field          meaning
    value          the typed value; None when the output was returned unfinished (`on_truncate="return"`)
    text           its text
    token_ids      its tokens, stop token included
    log_prob       log probability under the model alone, without the constraint
    log_q          log probability of having been generated: under the constraint, temperature and filters
    log_weight     log importance weight towards the model conditioned on the constraint
    finish_reason  "stop", or "length" when the budget ended it
    stats          counts and times
    report         by JSON pointer, what is enforced and which keywords are annotations; None where there is no schema
    """

    value: T
    text: str
    token_ids: tuple[int, ...]
    log_prob: float
    log_q: float
    log_weight: float
    finish_reason: str
    stats: Any = None
    report: Any = field(default=None, repr=False)
