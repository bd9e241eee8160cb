"""Rows that were read before, for methods that come back to the same prefixes: a budget of bytes, oldest out first.

A chain regenerates from a prefix of where it stands, and masked draws of one batch begin as those of the last did, so
the rows they need first are rows that were read. Cost: 16 bytes per allowed event of a row that is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from structgen.options import check_least
from structgen.protocols import Tokens
from structgen.samplers.prefix import Prefix
from structgen.samplers.run import Run
from structgen.samplers.weights import Row

__all__ = ["RowMemory"]

_OVERHEAD = 300  # bytes of a row beside its arrays


class RowMemory:
    """`run.rows` that asks the model only for what it does not remember; at most `memory` bytes are kept."""

    def __init__(self, run: Run, memory: int) -> None:
        check_least(memory=(memory, 0))
        self.run, self.memory, self.bytes = run, memory, 0
        self._rows: OrderedDict[Tokens, Row] = OrderedDict()

    def rows(self, prefixes: Sequence[Prefix]) -> list[Row]:
        """The row after each prefix; those read before count as cache hits."""
        missing = [prefix for prefix in prefixes if prefix.tokens not in self._rows]
        self.run.stats.cache_hits += len(prefixes) - len(missing)
        read = dict(zip([p.tokens for p in missing], self.run.rows(missing) if missing else [], strict=True))
        out = []
        for prefix in prefixes:
            row = read.get(prefix.tokens) or self._rows[prefix.tokens]
            out.append(row)
            if prefix.tokens in self._rows:
                self._rows.move_to_end(prefix.tokens)
        for tokens, row in read.items():
            self._keep(tokens, row)
        return out

    def remembered(self, prefix: Prefix) -> Row | None:
        """The row after a prefix if it was read before, which counts as a cache hit."""
        row = self._rows.get(prefix.tokens)
        if row is not None:
            self._rows.move_to_end(prefix.tokens)
            self.run.stats.cache_hits += 1
        return row

    def _keep(self, tokens: Tokens, row: Row) -> None:
        size = _size(row)
        if size > self.memory:
            return
        self._rows[tokens] = row
        self.bytes += size
        while self.bytes > self.memory:
            self.bytes -= _size(self._rows.popitem(last=False)[1])


def _size(row: Row) -> int:
    return int(row.ids.nbytes + row.log_probs.nbytes) + _OVERHEAD
