"""Two bounds on memory: one for all mask rows of a process, one for all configurations.

The least recently used tables lose their rows: a dropped row is computed again when asked for, and arrays already
handed out stay valid, since nobody writes into them. The least recently used grammars lose their configurations, if no
matcher follows a text under them and no lease holds a state. Cost: a dictionary move per new row, and per new matcher.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any, Protocol

from structgen.memory import Held, register

__all__ = ["MEMOS", "ROWS", "MemoBudget", "RowBudget"]


class RowOwner(Protocol):
    """Holds rows and can let them go, by itself as well; then it says so (`forget`)."""

    def drop_rows(self) -> None: ...


class RowBudget:
    """At most `limit` bytes of rows among all owners that report here. Thread-safe.

    Owners are held weakly; the bytes of one that is collected are given back.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._lock = threading.RLock()  # collecting an owner may interrupt its own holder
        self._owners: OrderedDict[weakref.ref[Any], int] = OrderedDict()  # least recently used first

    def owner(self, held: RowOwner) -> weakref.ref[Any]:
        """Register an object that holds rows; the key (a weak reference) under which it reports them."""
        reference = weakref.ref(held, self.forget)
        hash(reference)  # remembered by the reference: once its object is gone it could not be computed
        return reference

    def added(self, owner: weakref.ref[Any], size: int) -> None:
        """`owner` made a row of so many bytes. Others, and in the end itself, lose their rows if that is too much."""
        with self._lock:
            self._owners[owner] = self._owners.get(owner, 0) + size
            self._owners.move_to_end(owner)
            self.used += size
            while self.used > self.limit and self._owners:
                oldest = next(iter(self._owners))
                self.forget(oldest)
                held: RowOwner | None = oldest()
                if held is not None:
                    held.drop_rows()

    def forget(self, owner: weakref.ref[Any]) -> None:
        """The owner holds no rows any more."""
        with self._lock:
            self.used -= self._owners.pop(owner, 0)

    def held(self) -> Held:
        """For memory.register."""
        return Held(len(self._owners), self.used, most_bytes=self.limit)

    def clear(self) -> None:
        """All owners lose their rows."""
        with self._lock:
            for reference in list(self._owners):
                self.forget(reference)
                held: RowOwner | None = reference()
                if held is not None:
                    held.drop_rows()


ROWS = RowBudget(128 << 20)
register("automata.budget.mask_rows", ROWS.held, ROWS.clear)


class MemoOwner(Protocol):
    """Holds the configurations of a grammar."""

    @property
    def memo_bytes(self) -> int: ...

    def release(self) -> bool:
        """Forget all configurations, unless somebody still follows a text by them."""


class MemoBudget:
    """At most `limit` bytes of configurations, as far as they are not in use. Thread-safe; owners are held weakly.

    Checked at every `EVERY`th `matcher()` call, as adding up a thousand owners takes a millisecond. Over the limit, the
    least recently used idle owners are compacted, if they grew since they last were, until `SLACK` of the limit is left
    or `MOST` of them are done, as each takes 0.2 ms. Receipt: with 1,400 constraints kept, 61,000 times letting go
    became 1,100, and the time of all looks 3.6 s -> 0.6 (maskbench).
    """

    EVERY, MOST = 32, 32
    SLACK = 0.75

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.RLock()
        self._owners: OrderedDict[weakref.ref[Any], int] = OrderedDict()  # least recently used first; what they kept
        self._calls = 0

    def used(self, owner: MemoOwner) -> None:
        """`owner` is about to be used; others that were not for long may have to let go."""
        with self._lock:
            reference = weakref.ref(owner)
            self._owners.setdefault(reference, 0)
            self._owners.move_to_end(reference)
            self._calls += 1
            if self._calls % self.EVERY == 0:
                self._settle(owner)

    def _settle(self, newest: MemoOwner) -> None:
        held: dict[weakref.ref[Any], int] = {}
        for reference in list(self._owners):
            owner: MemoOwner | None = reference()
            if owner is None:
                del self._owners[reference]
            else:
                held[reference] = owner.memo_bytes
        total, released = sum(held.values()), 0
        if total <= self.limit:
            return
        for reference, size in held.items():
            owner = reference()
            if total <= self.SLACK * self.limit or released == self.MOST:
                break
            if owner is not None and owner is not newest and size > self._owners[reference] and owner.release():
                self._owners[reference] = owner.memo_bytes
                total -= size - self._owners[reference]
                released += 1

    def held(self) -> Held:
        """For memory.register."""
        with self._lock:
            alive = [owner for reference in list(self._owners) if (owner := reference()) is not None]
        return Held(len(alive), sum(owner.memo_bytes for owner in alive), most_bytes=self.limit)

    def clear(self) -> None:
        """All owners that nobody uses forget their states."""
        with self._lock:
            alive = [owner for reference in list(self._owners) if (owner := reference()) is not None]
        for owner in alive:
            owner.release()


MEMOS = MemoBudget(96 << 20)
register("automata.budget.states", MEMOS.held, MEMOS.clear)
