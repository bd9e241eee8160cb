"""The table of a constraint that goes to a device, beside its matchers."""

from __future__ import annotations

import numpy as np

from structgen.bits import ids_of
from structgen.engines.resident import TokenTable
from structgen.kernels.layout import FINISHED
from structgen.matcher import Constraint


def check_table(constraint: Constraint, walks: int) -> None:
    """Along random walks the rows of the table are the matcher's masks, and both end together."""
    table, rng = TokenTable(constraint), np.random.default_rng(0)
    for _ in range(walks):
        matcher, state = constraint.matcher(), table.start(1)
        while not matcher.is_finished():
            allowed = ids_of(matcher.mask())
            assert ids_of(table.rows[int(state)].numpy().view(np.uint32)).tolist() == allowed.tolist()
            token = int(rng.choice(allowed))
            assert matcher.accept(token)
            state = table.advance(state, state.new_tensor([token]))
        assert int(state) == FINISHED
