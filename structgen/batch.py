"""Masks of many sequences at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from structgen.errors import OptionError
from structgen.matcher import Matcher

__all__ = ["fill_masks"]


def fill_masks(matchers: Sequence[Matcher | None], out: Any) -> None:
    """Fill row i of `out` (numpy or torch, (B, words), uint32 or int32) with the mask of matcher i.

    None means no constraint: every bit of that row is set. Raises OptionError when the shapes disagree.
    """
    if len(out) != len(matchers):
        raise OptionError(f"{len(matchers)} matchers for {len(out)} rows", option="out")
    for matcher, row in zip(matchers, out, strict=True):
        if matcher is None:
            row[:] = -1 if "u" not in str(row.dtype) else 0xFFFFFFFF
        else:
            matcher.fill_mask(row)
