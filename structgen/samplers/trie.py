"""The trie behind asap and cars: every visited prefix with an upper bound on its expected future.

Per prefix u, theta(u) >= c(u), the probability that the model goes on from u into L; 1 where nothing is known. A step
is drawn in proportion to p(t|u) theta(ut) over A(u). Reading a prefix's row tells theta(u) = m(u); what is learned
below is passed up:

    theta(u) = sum over t in A(u) of p(t|u) theta(ut),   theta of bottom = 1
    M(u)     = p(bottom|u) + sum over visited children of p(t|u) M(ut): mass that is known to lie in L

so M <= Z <= U = theta(root) at all times, U never rises, M never falls, and TV(proposal, pi) <= 1 - M / U.

Storage: flat arrays and one dictionary, some 150 bytes a node; and for nodes used lately a row: the `kept` likeliest
allowed events, the rest summed into one tail. Rows beyond the memory budget are dropped, least recently used first, and
read again from the model when needed; a draw from the tail costs such a reading too. Bounds are logarithms in float64
and recomputed from their terms, never by subtraction. Nothing recurses over depth.

Sources: Park et al. 2024 (grammar-aligned decoding, ASAp), Parys et al. 2025 (CARS); the lower bound M, the
certificate and the tail are this library's.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from pathlib import Path as File
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from structgen.errors import OptionError
from structgen.options import check_least
from structgen.protocols import Chooser
from structgen.samplers.logspace import log_sum
from structgen.samplers.problem import Problem
from structgen.samplers.trie_rows import NodeRow, packed, read_archive, unpacked
from structgen.samplers.weights import Row

__all__ = ["TAIL", "Trie"]

TAIL = -1  # the place of everything that has none of its own
FORMAT = 1
_NEVER = float("nan")  # the mass of a prefix whose row was never read
_COLUMNS = {  # type and value of a new node
    "parent": ("i", -1),
    "token": ("i", -1),
    "child": ("i", -1),
    "sibling": ("i", -1),
    "edge": ("d", 0.0),
    "theta": ("d", 0.0),
    "found": ("d", -np.inf),
    "passed": ("d", -np.inf),
    "mass": ("d", _NEVER),
}


class Trie:
    """Bounds of one problem, shared by all attempts on it. Node 0 is the empty prefix.

    `memory` bounds the bytes of rows, `kept` the events of one row.

    column   meaning, per node
    parent   its parent node, -1 for the root
    token    the token that leads to it
    child    its newest child, -1 for none
    sibling  the next older child of its parent, -1 for none
    edge     log p(token | parent)
    theta    log theta(u): 0 until its row was read
    found    log M(u)
    passed   the part of `found` that its parent has counted
    mass     log m(u), NaN until its row was read
    """

    parent: array[int]
    token: array[int]
    child: array[int]
    sibling: array[int]
    edge: array[float]
    theta: array[float]
    found: array[float]
    passed: array[float]
    mass: array[float]

    def __init__(self, problem: Problem, *, memory: int = 256 << 20, kept: int = 512) -> None:
        check_least(memory=(memory, 1), kept=(kept, 1))
        self.fingerprint, self.stop = problem.fingerprint, problem.stop
        self.memory, self.kept = memory, kept
        for name, (kind, _) in _COLUMNS.items():
            setattr(self, name, array(kind))
        self._node_at: dict[int, int] = {}  # parent and token in one number -> node
        self.rows: dict[int, NodeRow] = {}
        self.recent: deque[bool] = deque(maxlen=200)
        self._clock, self._bytes = 0, 0
        self._add({})

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def log_upper(self) -> float:
        """log U: Z is at most U."""
        return self.theta[0]

    @property
    def log_lower(self) -> float:
        """log M: Z is at least M."""
        return min(self.found[0], self.theta[0])

    @property
    def tv_bound(self) -> float:
        """1 - M / U: bounds the total variation between the proposal and pi, and the chance that a draw is new."""
        return 0.0 if self.log_upper == self.log_lower else float(-np.expm1(self.log_lower - self.log_upper))

    @property
    def new_rate(self) -> float:
        """Share of the last 200 draws that read a new prefix: an estimate (Good-Turing) where `tv_bound` is loose."""
        return sum(self.recent) / len(self.recent) if self.recent else 1.0

    def visited(self, node: int) -> bool:
        """Its row was read at least once."""
        return self.mass[node] == self.mass[node]

    def ready(self, node: int) -> bool:
        """It can be drawn from at once: its row is here, or it is known to be dead."""
        return node in self.rows or self.theta[node] == -np.inf

    def children(self, node: int) -> Iterator[tuple[int, int]]:
        """(token, node) of every child there is."""
        child = self.child[node]
        while child >= 0:
            yield self.token[child], child
            child = self.sibling[child]

    def after(self, node: int, token: int) -> int | None:
        """The node one token further, None where nobody went yet."""
        return self._node_at.get(node << 32 | token)

    def extend(self, node: int, token: int, log_prob: float) -> int:
        """The node one token further, made if it is new."""
        found = self.after(node, token)
        if found is not None:
            return found
        new = self._add({"parent": node, "token": token, "sibling": self.child[node], "edge": log_prob})
        self.child[node] = self._node_at[node << 32 | token] = new
        return new

    def store(self, node: int, row: Row) -> None:
        """Keep a node's row. A second reading may differ by float noise; the bound then stays where it was."""
        if row.dead:
            self.theta[node] = self.mass[node] = -np.inf
            return
        children = {token: self.theta[child] for token, child in self.children(node)}
        self._clock += 1
        kept = NodeRow.of(row, self.kept, self.stop, children, self._clock)
        if not self.visited(node):
            self.mass[node], self.theta[node] = row.log_mass, min(kept.log_total, 0.0)
            ends = np.flatnonzero(kept.ids == self.stop)
            self.found[node] = float(kept.log_probs[ends[0]]) if ends.size else -np.inf
        else:
            excess = kept.log_total - self.theta[node]
            if excess > 0:
                kept.log_probs -= excess
                kept.log_tail -= excess
            else:
                self.theta[node] += excess
        self._bytes += kept.bytes - (self.rows[node].bytes if node in self.rows else 0)
        self.rows[node] = kept

    def draw(self, node: int, chooser: Chooser) -> int:
        """A place in the node's row, or TAIL, in proportion to p theta."""
        row = self.rows[node]
        self._clock += 1
        row.used = self._clock
        has_tail = row.log_tail > -np.inf
        place = chooser.choice(np.append(row.scores, row.log_tail) if has_tail else row.scores)
        return TAIL if place == row.ids.size else place

    def give_place(self, node: int, event: int, log_prob: float, row: Row) -> int:
        """The place of an event drawn from the tail; `row` is the node's whole law, read again."""
        kept = self.rows[node]
        known = np.flatnonzero(kept.ids == event)
        if known.size:
            return int(known[0])
        kept.ids = np.append(kept.ids, event)
        kept.log_probs = np.append(kept.log_probs, log_prob)
        kept.bounds = np.append(kept.bounds, 0.0)
        kept.log_tail = log_sum(row.log_probs[~np.isin(row.ids, kept.ids)])
        self._bytes += 24
        return int(kept.ids.size) - 1

    def settle(self, node: int) -> None:
        """Pass what is known of a node up to the root, once per draw: theta and M of every prefix of it."""
        while (parent := self.parent[node]) >= 0:
            if self.found[node] > self.passed[node]:
                gain = self.found[node] + float(np.log(-np.expm1(self.passed[node] - self.found[node])))
                self.found[parent] = float(np.logaddexp(self.found[parent], self.edge[node] + gain))
                self.passed[node] = self.found[node]
            row = self.rows.get(parent)
            if row is not None:
                place = np.flatnonzero(row.ids == self.token[node])[0]
                if row.bounds[place] != self.theta[node]:
                    row.bounds[place] = self.theta[node]
                    self.theta[parent] = min(self.theta[parent], row.log_total)
            node = parent

    def forget_rows(self) -> None:
        """Drop rows beyond the memory budget, least recently used first; bounds stay."""
        if self._bytes <= self.memory:
            return
        for node in sorted(self.rows, key=lambda n: self.rows[n].used):
            self._bytes -= self.rows.pop(node).bytes
            if self._bytes <= 0.75 * self.memory:
                return

    def log_weight(self, tokens: tuple[int, ...], step_log_mass: tuple[float, ...]) -> float:
        """log p(w bottom) / q(w) of an output under the proposal as it stands: U times the masses not yet read."""
        node: int | None = 0
        total = self.log_upper
        for depth, log_mass in enumerate(step_log_mass):
            if depth:
                node = None if node is None else self.after(node, tokens[depth - 1])
            if node is None or not self.visited(node):
                total += log_mass
            elif self.theta[node] == -np.inf:
                return np.inf
        return total

    def save(self, file: str | File) -> None:
        """Write everything, rows included, as an npz archive of plain arrays."""
        data: dict[str, Any] = {name: np.array(getattr(self, name)) for name in _COLUMNS}
        data |= {"format": np.array(FORMAT), "fingerprint": np.array(self.fingerprint)} | packed(self.rows)
        with File(file).open("wb") as out:
            np.savez(out, **data)

    def keep(self, folder: str | File) -> File:
        """Save it where `warm` finds it; readers see the old file or the new one. Returns the file."""
        file = File(folder) / f"{self.fingerprint}.trie"
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as temporary:
            pass
        self.save(temporary.name)
        File(temporary.name).replace(file)
        return file

    @classmethod
    def warm(cls, folder: str | File, problem: Problem, *, memory: int = 256 << 20, kept: int = 512) -> Trie:
        """What a folder has of this very problem (model, weights, prompt, law, constraint), or a new trie."""
        file = File(folder) / f"{problem.fingerprint}.trie"
        if file.exists():
            return cls.load(file, problem, memory=memory, kept=kept)
        return cls(problem, memory=memory, kept=kept)

    @classmethod
    def load(cls, file: str | File, problem: Problem, *, memory: int = 256 << 20, kept: int = 512) -> Trie:
        """Read what `save` wrote. OptionError when it is no trie, or one of another problem: bounds belong to one."""
        with File(file).open("rb") as source:
            data = read_archive(source)
        if int(data.get("format", np.array(0))) != FORMAT:
            raise OptionError(f"not a trie of format {FORMAT}, which this version reads", option="trie")
        trie = cls(problem, memory=memory, kept=kept)
        if str(data["fingerprint"]) != trie.fingerprint:
            raise OptionError("the trie was learned on another model, prompt, law or constraint", option="trie")
        for name, (kind, _) in _COLUMNS.items():
            setattr(trie, name, array(kind, data[name].tolist()))
        trie._node_at = {trie.parent[node] << 32 | trie.token[node]: node for node in range(1, len(trie))}
        trie.rows = unpacked(data)
        trie._bytes = sum(row.bytes for row in trie.rows.values())
        trie._clock = int(data["row_used"].max(initial=0))
        return trie

    def _add(self, known: dict[str, float]) -> int:
        for name, (_, initial) in _COLUMNS.items():
            getattr(self, name).append(known.get(name, initial))
        return len(self.parent) - 1
