"""What `generate_result` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Result", "Stats"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts and times of the call an output came from; the times are shared by everything generated with it."""

    prompt_tokens: int
    output_tokens: int
    compile_seconds: float
    decode_seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of this output alone."""
        return self.output_tokens / self.decode_seconds if self.decode_seconds else 0.0


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """One output with everything known about it.

    field          meaning
    value          the typed value; None when finish_reason is "length"
    text           its text
    token_ids      the tokens of the text
    log_prob       log probability of the text and its end under the model, temperature and filters, unmasked
    log_q          the same under the constraint, as it was sampled; None where the sampler has no closed form of it
    log_weight     log_prob - log_q: the importance weight of this sample, unless the guard chose some of its tokens;
                   of a sampler's output the weight it had among its draws, 0 if it is exact
    finish_reason  "stop": the model ended it; "completed": the budget ran short and it was steered to its end;
                   "length": the budget ended it where it stood, as on_truncate="return" asks
    stats          counts and times
    samples        all that a sampler returned (`structgen.samplers.result.SampleSet`); None for masked decoding
    report         of a schema what is enforced, by JSON pointer; of a grammar what nothing uses; else None
    """

    value: T
    text: str
    token_ids: tuple[int, ...]
    log_prob: float
    log_q: float | None
    log_weight: float
    finish_reason: str
    stats: Stats
    report: Any = field(default=None, repr=False)
    samples: Any = field(default=None, repr=False)
