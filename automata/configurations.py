"""The lazy automaton: interned Earley configurations of one grammar, grown while texts are read.

A configuration is an int. `Memo` owns the slabs behind the ints (layout.Memo), doubles them when a kernel asks, and is
shared by every matcher of the grammar: all growth happens under its lock, kernels run without the GIL.

Cost: a known transition is one table look-up; a new configuration costs what kernels/earley.py says, and about 1.1 kB.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.network import RuleNetworks
from structgen.errors import InvariantError, LimitExceeded
from structgen.kernels import earley, interning, registers
from structgen.kernels.layout import (
    ACCEPTING,
    CROWDED,
    DEAD,
    DISTANCE,
    GROW,
    ITEMS,
    N_CONFIGS,
    N_SETS,
    SCANS,
    START,
    Memo,
    Work,
)

MAX_ITEMS = 1 << 20  # items of one configuration


def _empty_memo(configs: int, set_words: int) -> Memo:
    rows = 4 * configs
    memo = Memo(
        counts=np.zeros(5, np.int64),
        trans=np.zeros((configs, 256), np.int32),
        configs=np.zeros((configs + 1, 5), np.int64),
        items=np.zeros((rows, 3), np.int64),
        scans=np.zeros((rows, 3), np.int64),
        callers=np.zeros((rows, 5), np.int64),
        table=np.zeros(rows, np.int32),
        sets=np.zeros((16, set_words), np.uint64),
        set_table=np.zeros(32, np.int32),
    )
    memo.counts[N_SETS] = 1  # number 0 is the empty set
    memo.counts[N_CONFIGS] = START  # DEAD and FINISHED: no items, no way on
    return memo


def _work(items: int, rules: int) -> Work:
    return Work(
        agenda=np.zeros((items, 3), np.int64),
        seen=np.zeros((4 * items, 2), np.int64),
        predicted=np.zeros(rules, np.int64),
        clock=np.zeros(1, np.int64),
    )


class Configurations:
    """The configurations of one grammar met so far.

    Thread-safe. `limit_bytes` bounds the memory of the slabs: beyond it LimitExceeded is raised and nothing changes.
    """

    def __init__(self, networks: RuleNetworks, *, limit_bytes: int = 1 << 30) -> None:
        self.networks = networks
        self.lock = threading.RLock()
        self._limit_bytes = limit_bytes
        self._memo = _empty_memo(64, networks.arrays.wide.shape[1])
        self._work = _work(256, len(networks.arrays.rules))
        start = self.call(earley.begin)
        if start != START:
            raise InvariantError("START", f"the first configuration got id {start}")

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> int:
        """Run kernel(network, memo, work, *arguments), doubling what it runs out of; its result, >= 0."""
        with self.lock:
            while True:
                result = int(kernel(self.networks.arrays, self._memo, self._work, *arguments))
                if result >= 0:
                    return result
                if result == GROW:
                    self._grow()
                elif result == CROWDED:
                    self._widen()
                else:
                    raise InvariantError("LIVE", "a live transition led nowhere")

    def advance(self, state: int, data: bytes) -> int:
        """The configuration after `data`, or DEAD. Raises LimitExceeded when memory runs out."""
        if not data or state == DEAD:
            return state
        return self.call(earley.advance, state, np.frombuffer(data, np.uint8))

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return bool(self._memo.configs[state, ACCEPTING])

    def distance(self, state: int) -> int:
        """Fewest bytes from here to a complete text."""
        return int(self._memo.configs[state, DISTANCE])

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        return np.flatnonzero(self._memo.trans[state]).tolist()

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A byte-shortest completion. Raises LimitExceeded beyond `limit` bytes."""
        length = self.distance(state)
        if length > limit:
            raise LimitExceeded(f"the shortest completion has {length} bytes", limit="completion_bytes", allowed=limit)
        out = np.zeros(max(length, 1), np.uint8)
        written = self.call(earley.shortest, state, out)
        return out[:written].tobytes()

    def items(self, state: int) -> list[tuple[int, int, int]]:
        """Closure items with byte edges as (node, origin, attr): what may be read next."""
        return self._rows(self._memo.scans, state, SCANS)

    def kernel(self, state: int) -> list[tuple[int, int, int]]:
        """The items that identify the configuration, as (node, origin, attr), sorted."""
        return self._rows(self._memo.items, state, ITEMS)

    def _rows(self, table: NDArray[np.int64], state: int, column: int) -> list[tuple[int, int, int]]:
        configs = self._memo.configs
        return [(a, b, c) for a, b, c in table[configs[state, column] : configs[state + 1, column]].tolist()]

    def island(self, rule: int) -> int:
        """An origin that runs `rule` apart from any context (kernels/earley.py); always a new one."""
        return self.call(earley.island, rule)

    def gather(self, items: list[tuple[int, int, int]]) -> int:
        """The configuration of exactly these closed items (node, origin, attr)."""
        return self.call(earley.gather, np.array(items, np.int64))

    def resume(self, origin: int, rule: int) -> int:
        """The configuration right after `rule`, called in `origin`, is complete."""
        return self.call(earley.resume, origin, rule)

    def __len__(self) -> int:
        return int(self._memo.counts[N_CONFIGS])

    @property
    def nbytes(self) -> int:
        """Bytes held by the slabs."""
        return sum(array.nbytes for array in self._memo)

    def _grow(self) -> None:
        """Double every slab that is at least half full; rebuild the hash tables that go with them."""
        if 2 * self.nbytes > self._limit_bytes:
            raise LimitExceeded(f"{len(self)} parser configurations", limit="memo_bytes", allowed=self._limit_bytes)
        configs, items, scans, callers, sets = self._memo.counts.tolist()
        used = {"trans": configs, "items": items, "scans": scans, "callers": callers, "sets": sets}
        full = [name for name, count in used.items() if 2 * count >= len(getattr(self._memo, name))]
        if not full:  # one configuration may need more rows than all before it
            full = ["items", "scans", "callers", "sets"]
        if "trans" in full:
            full.append("configs")
        grown = {}
        for name in full:
            array = getattr(self._memo, name)
            grown[name] = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
            grown[name][: len(array)] = array
        if "trans" in full:
            grown["table"] = np.zeros(2 * len(self._memo.table), np.int32)
        if "sets" in grown:
            grown["set_table"] = np.zeros(2 * len(self._memo.set_table), np.int32)
        self._memo = self._memo._replace(**grown)
        if "table" in grown:
            interning.rehash(self._memo)
        if "set_table" in grown:
            registers.rehash_sets(self._memo)

    def _widen(self) -> None:
        items = 2 * len(self._work.agenda)
        if items > MAX_ITEMS:
            raise LimitExceeded("a configuration holds too many items", limit="items", allowed=MAX_ITEMS)
        self._work = _work(items, len(self._work.predicted))
