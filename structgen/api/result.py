"""What `generate_result` returns."""

from __future__ import annotations

import dataclasses
import enum
import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Result", "Stats"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts and times of the call an output came from.

    `compile_seconds` are of the whole call. `decode_seconds` go from the start of its batch to the end of the output; a
    sampler's outputs have the seconds of its run divided by their number.
    `speculation`: what it did (speculation.read_ahead.Figures, of the output's batch), or the reason why the model
    cannot; None where it was not asked for.
    """

    prompt_tokens: int
    output_tokens: int
    compile_seconds: float
    decode_seconds: float
    speculation: Any = None

    @property
    def tokens_per_second(self) -> float:
        """Of this output alone."""
        return self.output_tokens / self.decode_seconds if self.decode_seconds else 0.0


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """One output with everything known about it.

    What was completed is no draw of the model: its log_prob, log_q and log_weight are NaN.

    field          meaning
    value          the typed value; None when finish_reason is "length"
    text           its text
    token_ids      the tokens of the text
    log_prob       log probability of the text and its end under the model, temperature and filters, unmasked
    log_q          the same under the constraint, as it was sampled; None where the sampler has no closed form of it
    log_weight     log_prob - log_q: the importance weight of this sample; of a sampler's output the weight it had
                   among its draws, 0 if it is exact
    finish_reason  "stop": the model ended it, or a stop string; "completed": the budget ran short and it was ended
                   without the model; "length": the budget ended it where it stood, as on_truncate="return" asks
    stats          counts and times
    completed_at   JSON pointers of the places the model did not choose; () unless finish_reason is "completed"
    monitors       what each monitor did on rows of this constraint, by its name (`structgen.monitors.Report`)
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
    completed_at: tuple[str, ...] = ()
    report: Any = field(default=None, repr=False)
    samples: Any = field(default=None, repr=False)
    monitors: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but reports and samples, as `json.dumps` takes it: the value as JSON has it, NaN as None."""
        shown = ("text", "token_ids", "log_prob", "log_q", "log_weight", "finish_reason", "completed_at")
        record = {name: _plain(getattr(self, name)) for name in shown}
        return {"value": _json_value(self.value), **record, "stats": dataclasses.asdict(self.stats)}

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        record = self.to_dict()
        value = json.dumps(record.pop("value"), indent=2, ensure_ascii=False)
        rows = {"value": value, **{name: record[name] for name in ("finish_reason", "log_prob", "log_weight")}}
        if self.completed_at:
            rows["completed_at"] = ", ".join(place or "(the whole)" for place in self.completed_at)
        rows["tokens"] = f"{self.stats.output_tokens} ({self.stats.tokens_per_second:.0f} per second)"
        cells = (f"<tr><th>{name}</th><td><pre>{html.escape(str(cell))}</pre></td></tr>" for name, cell in rows.items())
        return f"<table>{''.join(cells)}</table>"


def _plain(value: Any) -> Any:
    """A field as JSON has it: tuples are lists, what is no finite number is None."""
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json_value(value: Any) -> Any:
    """A value of any type as JSON has it."""
    if value is None or isinstance(value, (str, bool, int)):
        return value.value if isinstance(value, enum.Enum) else value
    from pydantic_core import to_jsonable_python  # loaded when a type comes

    from structgen.tools.reply import Reply

    if isinstance(value, Reply):
        return value.to_dict()
    return to_jsonable_python(value, inf_nan_mode="null")
