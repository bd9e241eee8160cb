"""Masks of many sequences at once, one after the other: a row met before is a copy, a new one what the matcher's costs.

No threads: kernels hold no GIL, but most last some tens of microseconds, and two threads were faster at no number of
rows (docs/experiments.md). What a decode loop will need is made beside the model instead (structgen/ahead.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from structgen.errors import OptionError
from structgen.matcher import Matcher, write_row

__all__ = ["fill_masks"]

_ALL = 0xFFFFFFFF


def fill_masks(matchers: Sequence[Matcher | None], out: Any) -> None:
    """Fill row i of `out` with the mask of matcher i.

    out      numpy or torch (CPU), (B, words) or wider (cleared to its end), uint32 or int32

    A matcher that is None means no constraint: every bit of its row is set. Raises OptionError if the shapes disagree.
    """
    if len(out) != len(matchers):
        raise OptionError(f"{len(matchers)} matchers for {len(out)} rows", option="out")
    words = (out if isinstance(out, np.ndarray) else out.numpy()).view(np.uint32)
    for matcher, row in zip(matchers, words, strict=True):
        if matcher is None:
            row[:] = _ALL
        else:
            write_row(matcher.mask(), row)
