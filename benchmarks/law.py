"""What a row costs a sampler beside the model: logits to the law, the allowed part of it, one draw.

Logits of a peaked and of a flat law over 128,256 tokens, one row at a time and 16 together. Medians, one thread.

    python -m benchmarks law
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data import write_results
from benchmarks.micro import median_us
from structgen.samplers.choosers import RandomChooser
from structgen.samplers.law import TargetLaw, log_law
from structgen.samplers.weights import Row

TOKENS, TOGETHER = 128_256, 16
SPREADS = {"peaked": 5.0, "flat": 0.5}  # standard deviation of the logits
LAWS = {
    "whole": TargetLaw(),
    "temperature 0.7": TargetLaw(temperature=0.7),
    "top_k 50": TargetLaw(top_k=50),
    "top_p 0.9": TargetLaw(top_p=0.9),
    "top_p 0.99": TargetLaw(top_p=0.99),
}
ALLOWED = (50, 100_000)


def main() -> None:
    """Measure, print, write benchmarks/results/law.jsonl."""
    rng = np.random.default_rng(0)
    records: list[dict[str, Any]] = []
    for name, spread in SPREADS.items():
        logits = (rng.normal(size=(TOGETHER, TOKENS)) * spread).astype(np.float32)
        for law_name, law in LAWS.items():
            one = median_us(lambda law=law, logits=logits: log_law(logits[:1], law, [2]), 40)  # type: ignore[misc]
            many = median_us(lambda law=law, logits=logits: log_law(logits, law, [2]), 10)  # type: ignore[misc]
            records.append({"logits": name, "law": law_name, "one_us": one, "of_16_us": many / TOGETHER})
    log_probs, chooser = log_law(logits[:1], TargetLaw(), [2])[0], RandomChooser(0)
    for allowed in ALLOWED:
        ids = np.sort(rng.choice(TOKENS, allowed, replace=False))
        row = Row.of(ids, log_probs[ids])
        part = median_us(lambda ids=ids: Row.of(ids, log_probs[ids]), 100)  # type: ignore[misc]
        draw = median_us(lambda row=row: chooser.choice(row.log_probs), 100)  # type: ignore[misc]
        records.append({"allowed": allowed, "part_us": part, "draw_us": draw})
    for record in records:
        print({key: round(value) if isinstance(value, float) else value for key, value in record.items()})
    write_results("law", records)
