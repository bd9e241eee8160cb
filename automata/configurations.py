"""The lazy automaton: interned Earley configurations of one grammar, grown while texts are read.

A configuration is an int. `Memo` owns the slabs behind the ints (layout.Memo), doubles them when a kernel asks, and is
shared by every matcher of the grammar: all growth happens under its lock, kernels run without the GIL.

Cost: a known transition is one table look-up; a new configuration costs what kernels/earley.py says, and about 1.1 kB.
Slabs are reserved large and touched when needed, so that growing rarely copies. Most of a configuration is its row of
transitions, which can be worked out again: of a grammar with more than ROOM configurations the rows of the later ones
are forgotten after every MOST_WRITTEN that were written. Receipt: 100,000 tokens in one counted string took 461 MB.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.describe import expected_at
from structgen.automata.network import RuleNetworks
from structgen.automata.slabs import FORGETS, LARGE, ROOM, Slab, give_back, transitions
from structgen.errors import InvariantError, LimitExceeded
from structgen.kernels import entries
from structgen.kernels.codes import CROWDED, GROW
from structgen.kernels.handles import handle
from structgen.kernels.interning import empty_memo
from structgen.kernels.layout import (
    ACCEPTING,
    DEAD,
    DISTANCE,
    FINISHED,
    ITEMS,
    LOOPS,
    N_CONFIGS,
    N_MEASURED,
    N_SETS,
    N_WRITTEN,
    ORIGIN,
    RULE,
    SCANS,
    START,
    Memo,
    Work,
)
from structgen.kernels.likely import MOST_BYTES, MOST_WAYS

ROWS = 1024  # of the smaller slabs, which come from memory that was used before
FEW = 32  # of those of a grammar that has let go, which may not be asked again
MOST_WRITTEN = 4096  # rows of transitions, before they are forgotten: 0.3 ms
MAX_ITEMS = 1 << 20  # items of one configuration
IN_PAGES = ("trans", "items", "scans", "callers")  # grow without copying once they are large: read under the lock alone


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
        self._slabs = {"trans": transitions()}
        self._memo: Memo = empty_memo(self._slabs["trans"].rows(), ROWS, networks.arrays.wide.shape[1])
        self._work = _work(256, len(networks.arrays.rules))
        self._bind()
        start = self.call(entries.begin)
        if start != START:
            raise InvariantError("START", f"the first configuration got id {start}")

    def __del__(self, exiting: Callable[[], bool] = sys.is_finalizing) -> None:  # no name is sure to be there then
        memo = getattr(self, "_memo", None)  # absent if the constructor failed
        if memo is not None and not exiting():
            give_back(self._slabs["trans"], int(memo.counts[N_CONFIGS]))

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> int:
        """Run an entry of kernels/entries.py, doubling what it runs out of; its result, >= 0."""
        result = self.attempt(kernel, *arguments)
        if result < 0:
            raise InvariantError("LIVE", "a live transition led nowhere")
        return result

    def attempt(self, kernel: Callable[..., Any], *arguments: Any) -> int:
        """As `call`, for entries that may give up with a negative number of their own."""
        with self.lock:
            result: int = kernel(self._handle, *arguments)
            if result < 0:
                result = self._retried(result, kernel, arguments)
            if self._forgets and self._memo.counts[N_WRITTEN] > MOST_WRITTEN:
                self._slabs["trans"].forget(ROOM)
                self._memo.counts[N_WRITTEN] = 0
            return result

    def _retried(self, result: int, kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
        while result in (GROW, CROWDED):
            self._grow() if result == GROW else self._widen()
            result = kernel(self._handle, *arguments)
        return result

    def _bind(self) -> None:
        self._forgets = FORGETS and self._slabs["trans"].size > ROOM  # there are rows of transitions to forget
        self._handle = handle(self.networks.arrays, self._memo, self._work)
        self._look: Callable[[int, int], int] = self._memo.trans.item

    def advance(self, state: int, data: bytes) -> int:
        """The configuration after `data`, or DEAD. Raises LimitExceeded when memory runs out.

        Transitions that are known are looked up from here: 60 ns a byte and no kernel call.
        """
        look = self._look
        for byte in data:
            after = look(state, byte)
            if after == DEAD:  # or not noted
                after = self.call(entries.step, state, byte)
                look = self._look
            if after == DEAD:
                return DEAD
            state = after
        return state

    def reader(self, words: Any) -> Callable[[int, int], int]:
        """From a state and a token to the configuration after it, DEAD, or NOT_TEXT if it is no plain text; words: a
        handle of layout.Words, which has a row for it. It raises LimitExceeded when memory runs out."""
        attempt, kernel = self.attempt, entries.read
        return lambda state, token: attempt(kernel, words, state, token)

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return bool(self._memo.configs[state, ACCEPTING])

    def distance(self, state: int) -> int:
        """Fewest bytes from here to a complete text."""
        if state >= self._memo.counts[N_MEASURED]:
            return self.call(entries.measure, state)
        return int(self._memo.configs[state, DISTANCE])

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        return _members(self._memo.live[state, :LOOPS])

    def likely(self, state: int, last: int) -> list[tuple[float, bytes]]:
        """See structgen.likely.likely_ways: by one kernel."""
        classes, weights = np.empty((2, 256, 2), np.int64), np.empty((2, 256))
        bits, ends = np.empty(MOST_WAYS), np.empty(MOST_WAYS, np.int64)
        texts = np.empty((MOST_WAYS, MOST_BYTES), np.uint8)
        count = self.call(entries.likely, state, last, classes, weights, bits, texts, ends)
        return [(bits.item(way), texts[way, : ends[way]].tobytes()) for way in range(count)]

    def all_transitions(self, most_states: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Next state by byte, i32 (S, 256), and which of the S states accept, of all that can be reached. Raises
        LimitExceeded when there are more than `most_states`."""
        with self.lock:
            count: int = entries.explore(self._handle, most_states)  # nothing is forgotten before it is copied
            count = self._retried(count, entries.explore, (most_states,))
            if count > most_states:
                raise LimitExceeded("the constraint has many states", limit="most_states", allowed=most_states)
            return self._memo.trans[:count].copy(), self._memo.configs[:count, ACCEPTING] != 0

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A byte-shortest completion. Raises LimitExceeded beyond `limit` bytes."""
        length = self.distance(state)
        if length > limit:
            raise LimitExceeded(f"the shortest completion has {length} bytes", limit="completion_bytes", allowed=limit)
        out = np.zeros(max(length, 1), np.uint8)
        written = self.call(entries.shortest, state, out)
        return out[:written].tobytes()

    @property
    def has_specials(self) -> bool:
        """Whether some text holds a special token."""
        return self.networks.special

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words."""
        return expected_at(self.networks, self.items(state), self.is_accepting(state))

    def rules(self, state: int) -> tuple[str, ...]:
        """The names of the rules at work."""
        names, nodes = self.networks.names, self.networks.arrays.nodes
        return tuple(dict.fromkeys(names[nodes[node, RULE]] for node, *_ in self.kernel(state)))

    def sizes(self) -> dict[str, int]:
        """Rules and nodes of the networks."""
        return {"rules": len(self.networks.names), "nodes": len(self.networks.arrays.nodes) - 1}

    def validate(self) -> None:
        """Raise InvariantError where the networks break their contract."""
        self.networks.validate()

    def items(self, state: int) -> list[tuple[int, int, int]]:
        """Closure items with byte edges as (node, origin, attr): what may be read next."""
        return _tuples(self._rows("scans", state, SCANS))

    def kernel(self, state: int) -> list[tuple[int, int, int]]:
        """The items that identify the configuration, as (node, origin, attr), sorted."""
        return _tuples(self.kernel_items(state))

    def kernel_items(self, state: int) -> NDArray[np.int64]:
        """As `kernel`, i64 (k, 3)."""
        return self._rows("items", state, ITEMS)

    def _rows(self, name: str, state: int, column: int) -> NDArray[np.int64]:
        with self.lock:
            first, end = self._memo.configs[state : state + 2, column].tolist()
            found: NDArray[np.int64] = getattr(self._memo, name)[first:end].copy()
            return found

    def gather(self, items: list[tuple[int, int, int]]) -> int:
        """The configuration of exactly these closed items (node, origin, attr)."""
        return self.call(entries.gather, np.array(items, np.int64))

    def members(self, number: int) -> list[int]:
        """The written members in an interned set, which registers of broad segments number, ascending."""
        return _members(self._memo.sets[number])

    def number_of(self, members: Iterable[int]) -> int:
        """The number of the interned set of these members."""
        number = 0
        for member in members:
            number = self.call(entries.with_member, number, member)
        return number

    def arrive(self, node: int, origin: int) -> int:
        """The configuration right after `node` of a rule called in `origin` was reached."""
        return self.call(entries.arrive, node, origin)

    def compact(self, live: Iterable[int]) -> dict[int, int]:
        """Forget every configuration that none of `live` needs; old number -> new one, for all that is needed.

        A configuration is its items, and their origins were made before it: so they are interned anew in the old order.
        """
        with self.lock:
            items, starts = self._memo.items, self._memo.configs[:, ITEMS]
            needed, pending = {DEAD, FINISHED, START}, list(live)
            while pending:
                state = pending.pop()
                if state not in needed:
                    needed.add(state)
                    pending.extend(items[starts[state] : starts[state + 1], ORIGIN].tolist())
            old, self._slabs = self._memo, {"trans": transitions()}
            self._memo = empty_memo(self._slabs["trans"].rows(), FEW, self.networks.arrays.wide.shape[1])
            self._memo = self._memo._replace(sets=old.sets, set_table=old.set_table)
            self._memo.counts[N_SETS] = old.counts[N_SETS]
            self._bind()
            self.call(entries.begin)
            new = {DEAD: DEAD, FINISHED: FINISHED, START: START}
            for state in sorted(needed - new.keys()):
                kernel = items[starts[state] : starts[state + 1]].tolist()
                new[state] = self.gather([(node, new[origin], attr) for node, origin, attr in kernel])
            return new

    def scan_items(self, state: int) -> NDArray[np.int64]:
        """Closure items with byte edges, i64 (k, 3): a view that lasts until the next kernel call, under the lock."""
        configs = self._memo.configs
        return self._memo.scans[configs[state, SCANS] : configs[state + 1, SCANS]]

    def __len__(self) -> int:
        return int(self._memo.counts[N_CONFIGS])

    @property
    def nbytes(self) -> int:
        """Bytes of the slabs that are in use."""
        rows = min(self._memo.counts.item(N_CONFIGS), ROOM + MOST_WRITTEN if self._forgets else sys.maxsize)
        configs, items, scans, callers, sets = self._memo.counts[:N_MEASURED].tolist()
        fixed = self._memo.table.nbytes + self._memo.set_table.nbytes
        sets *= self._memo.sets.shape[1]
        return int(fixed + 1024 * rows + 80 * configs + 24 * (items + scans) + 40 * callers + 8 * sets)

    def _grow(self) -> None:
        """Double every slab that is nearly full; rebuild the hash tables that go with them."""
        if self.nbytes > self._limit_bytes:
            raise LimitExceeded(f"{len(self)} parser configurations", limit="memo_bytes", allowed=self._limit_bytes)
        configs, items, scans, callers, sets = self._memo.counts[:N_MEASURED].tolist()
        if 2 * configs + 4 >= len(self._memo.table):
            self._memo = self._memo._replace(table=np.zeros(4 * len(self._memo.table), np.int32))
            self._bind()
            entries.rehash(self._handle)
            return
        used = {"trans": configs, "live": configs, "configs": configs + 1, "items": items, "scans": scans}
        used |= {"callers": callers, "sets": sets}
        rooms = {name: len(getattr(self._memo, name)) for name in used}
        full = [name for name, room in rooms.items() if used[name] + (32 if name == "trans" else room >> 3) >= room]
        if not full:  # one configuration may need more rows than all before it
            full = ["items", "scans", "callers", "sets"]
        for name in full:
            self._double(name, used[name])
        if "sets" in full:
            self._memo = self._memo._replace(set_table=np.zeros(2 * len(self._memo.set_table), np.int32))
        self._bind()
        if "sets" in full:
            entries.rehash_sets(self._handle)

    def _double(self, name: str, used: int) -> None:
        """Twice the rows of one array of the memo, of which so many are used; by its pages if it is large.

        Meanwhile nobody holds a view of them: other threads look transitions up under the lock, as they do all else
        that grows so.
        """
        slab, array = self._slabs.get(name), getattr(self._memo, name)
        if slab is not None:
            if name == "trans":
                self._look = self._look_later
            self._memo = self._memo._replace(**{name: array[:0].copy()})
            del array
            try:
                self._slabs[name] = slab.doubled()
            finally:
                self._memo = self._memo._replace(**{name: self._slabs[name].rows()})
            return
        if 2 * array.nbytes >= LARGE and name in IN_PAGES:
            self._slabs[name] = slab = Slab(2 * len(array), array.shape[1], array.dtype)
        grown = slab.rows() if slab else np.empty((2 * len(array), *array.shape[1:]), array.dtype)
        grown[:used] = array[:used]
        self._memo = self._memo._replace(**{name: grown})

    def _look_later(self, state: int, byte: int) -> int:
        with self.lock:
            return int(self._memo.trans.item(state, byte))

    def _widen(self) -> None:
        items = 2 * len(self._work.agenda)
        if items > MAX_ITEMS:
            raise LimitExceeded("a configuration holds too many items", limit="items", allowed=MAX_ITEMS)
        self._work = _work(items, len(self._work.predicted))
        self._bind()


def _members(words: NDArray[np.uint64]) -> list[int]:
    """The places of the bits that are set, ascending."""
    return np.flatnonzero(np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")).tolist()


def _tuples(rows: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    return [(a, b, c) for a, b, c in rows.tolist()]
