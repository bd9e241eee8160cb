"""Sums of numbers that are given as logarithms, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from structgen.protocols import Floats

__all__ = ["effective_size", "log_sum"]


def log_sum(values: Any) -> float:
    """log of the sum of exp(values), -inf for none."""
    array = np.asarray(values, np.float64)
    highest = float(array.max(initial=-np.inf))
    return highest if not np.isfinite(highest) else highest + float(np.log(np.exp(array - highest).sum()))


def effective_size(log_weights: Sequence[float] | Floats) -> float:
    """(sum W)^2 / sum W^2: how many equal weights these are worth; 0 when all are zero."""
    total = log_sum(log_weights)
    return 0.0 if total == -np.inf else float(np.exp(2 * total - log_sum(2 * np.asarray(log_weights, np.float64))))
