"""The tokens a state allows as ids, where they are few: then a law is made of these alone.

Cost: a look-up; at the first visit of a state a count of its mask's bits and, where they are few, a pass over them.
"""

from __future__ import annotations

import weakref

import numpy as np
import torch

from structgen.bits import ids_of
from structgen.matcher import Constraint

__all__ = ["FEW", "allowed_ids"]

FEW = 2048  # tokens
_MOST_STATES = 20_000  # of a constraint, before all are forgotten

_memos: weakref.WeakKeyDictionary[Constraint, dict[int, torch.Tensor | None]] = weakref.WeakKeyDictionary()


def allowed_ids(constraint: Constraint, state: int) -> torch.Tensor | None:
    """The ids allowed at a state, ascending i64 on the CPU, where they are at most FEW; else None."""
    memo = _memos.setdefault(constraint, {})
    if state not in memo:
        if len(memo) >= _MOST_STATES:
            memo.clear()
        row = constraint.row(state)
        few = int(np.bitwise_count(row).sum()) <= FEW
        memo[state] = torch.from_numpy(ids_of(row)) if few else None
    return memo[state]
