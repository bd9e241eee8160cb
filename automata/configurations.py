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
from structgen.kernels import earley
from structgen.kernels.layout import CROWDED, DEAD, GROW, N_CONFIGS, START, Memo, Work

MAX_ITEMS = 1 << 20  # items of one configuration


def _empty_memo(configs: int) -> Memo:
    def i32(n: int) -> NDArray[np.int32]:
        return np.zeros(n, np.int32)

    def i64(n: int) -> NDArray[np.int64]:
        return np.zeros(n, np.int64)

    memo = Memo(
        counts=i64(4),
        trans=np.zeros((configs, 256), np.int32),
        accepting=np.zeros(configs, np.uint8),
        distance=i64(configs),
        item_start=i32(configs + 1),
        item_node=i32(4 * configs),
        item_origin=i32(4 * configs),
        item_attr=i64(4 * configs),
        scan_start=i32(configs + 1),
        scan_node=i32(4 * configs),
        scan_origin=i32(4 * configs),
        scan_attr=i64(4 * configs),
        caller_start=i32(configs + 1),
        caller_rule=i32(4 * configs),
        caller_to=i32(4 * configs),
        caller_origin=i32(4 * configs),
        caller_attr=i64(4 * configs),
        caller_far=i64(4 * configs),
        table=i32(4 * configs),
    )
    memo.counts[N_CONFIGS] = START  # DEAD and FINISHED: no items, no way on
    return memo


def _work(items: int, rules: int) -> Work:
    return Work(
        node=np.zeros(items, np.int32),
        origin=np.zeros(items, np.int32),
        attr=np.zeros(items, np.int64),
        slot=np.zeros(4 * items, np.int32),
        stamp=np.zeros(4 * items, np.int64),
        rule_stamp=np.zeros(rules, np.int64),
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
        self._memo = _empty_memo(64)
        self._work = _work(256, len(networks.arrays.rule_start))
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
        return bool(self._memo.accepting[state])

    def distance(self, state: int) -> int:
        """Fewest bytes from here to a complete text."""
        return int(self._memo.distance[state])

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
        memo = self._memo
        span = slice(memo.scan_start[state], memo.scan_start[state + 1])
        columns = (memo.scan_node[span], memo.scan_origin[span], memo.scan_attr[span])
        return [(int(a), int(b), int(c)) for a, b, c in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return int(self._memo.counts[N_CONFIGS])

    @property
    def nbytes(self) -> int:
        """Bytes held by the slabs."""
        return sum(array.nbytes for array in self._memo)

    def _grow(self) -> None:
        """Double every slab that is at least half full; rebuild the hash table with the configurations'."""
        if 2 * self.nbytes > self._limit_bytes:
            raise LimitExceeded(
                f"{len(self)} parser configurations", limit="memo_bytes", allowed=self._limit_bytes
            )
        configs, items, scans, callers = self._memo.counts.tolist()
        used = {"item": items, "scan": scans, "caller": callers}
        grown = {}
        for name, array in self._memo._asdict().items():
            prefix = name.split("_")[0]
            full = used[prefix] if prefix in used and not name.endswith("_start") else configs
            if name in ("counts", "table") or 2 * full < len(array):
                continue
            wider = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
            wider[: len(array)] = array
            grown[name] = wider
        if "trans" in grown:
            grown["table"] = np.zeros(2 * len(self._memo.table), np.int32)
        self._memo = self._memo._replace(**grown)
        if "table" in grown:
            earley.rehash(self._memo)

    def _widen(self) -> None:
        items = 2 * len(self._work.node)
        if items > MAX_ITEMS:
            raise LimitExceeded("a configuration holds too many items", limit="items", allowed=MAX_ITEMS)
        self._work = _work(items, len(self._work.rule_stamp))
