"""From a configuration to its mask row, the cheapest of four ways: seen before, local, by difference, full walk.

A row is a read-only uint32 array of ceil(V / 32) words, bit t % 32 of word t // 32 set = token t allowed. Rows live
under a byte budget; when it is full the older half is dropped and recomputed on demand (arrays already handed out stay
valid, since nobody writes into them again).

An item set is a disjunction, so its mask is the union of the masks of its groups of one rule and one origin; each group
may have a local row (automata/local.py) plus its suffixes walked in the context. A local row is made when the
same group needs a long full walk for the second time: within a grammar, or, where the network is small and calls no
rule, within the process.

A key that may be any string but some has a state per prefix of the names, and all but a few bytes lead to the same loop
"any string from here". So the row of such a state is that loop's row, changed where a walk of the pair differs.

Cost: seen before, one dictionary look-up; local, a copy of the row and a walk over the suffixes; by difference, a copy
and the trie nodes where the two differ; full walk, one table look-up per trie node reached.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.local import Items, LocalRow, Met, build_local, head, shared_rows, signature
from structgen.automata.trie import TokenTrie
from structgen.errors import InvariantError
from structgen.kernels import masks
from structgen.kernels.layout import COUNTED, DEAD, EXTRA, FINAL, KIND, MINIMUM, RULE, SEGMENT, SORT

Row = NDArray[np.uint32]
Group = tuple[int, int, Items]  # rule, origin, its items

LONG_WALK = 4_000  # trie nodes of a full walk from which a local row pays: about 40 us against 20 us and its making
_NO_EXITS = np.zeros(0, np.int32)
_PROBES = np.frombuffer(b"aeinost_ 19", np.uint8)  # bytes that tell a loop over characters from anything else


class MaskTable:
    """Mask rows of one grammar over one vocabulary. Thread-safe through the configurations' lock.

    `check=True` recomputes every row by a full walk and raises InvariantError where the two differ.
    """

    def __init__(
        self,
        configurations: Configurations,
        trie: TokenTrie,
        stop_ids: tuple[int, ...],
        *,
        budget_bytes: int = 256 << 20,
        check: bool = False,
    ) -> None:
        self._configurations = configurations
        self._trie = trie
        self._check = check
        self._rows: dict[int, Row] = {}
        self._most = max(16, budget_bytes // (4 * trie.words))
        self._path = np.zeros(trie.longest + 2, np.int64)
        self._paths = np.zeros((2, trie.longest + 2), np.int64)
        self._shared = shared_rows(trie)
        self._local: dict[tuple[int, Items], LocalRow | None] = {}
        self._signatures: dict[tuple[int, Items], object] = {}
        self._met = Met()
        self._stops = np.zeros(trie.words, np.uint32)
        for token in stop_ids:
            self._stops[token >> 5] |= np.uint32(1 << (token & 31))

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        return self._compute(state) if row is None else row

    def _compute(self, state: int) -> Row:
        with self._configurations.lock:
            if state in self._rows:
                return self._rows[state]
            groups = self._groups(state)
            row = self._from_local(groups)
            if row is None:
                row = self._from_loop(state)
            if row is None:
                row, visited = self._walk(state)
                if visited > LONG_WALK:
                    self._learn(groups)
            elif self._check and not np.array_equal(row, self._walk(state)[0]):
                raise InvariantError("MASK", f"the row of configuration {state} differs from its full walk")
            if self._configurations.is_accepting(state):
                row |= self._stops
            row.flags.writeable = False
            if len(self._rows) >= self._most:
                for old in list(islice(self._rows, self._most // 2)):
                    del self._rows[old]
            self._rows[state] = row
        return row

    def _walk(self, state: int) -> tuple[Row, int]:
        """The row by a full walk, and how many trie nodes that took."""
        row = np.zeros(self._trie.words, np.uint32)
        visited = self._configurations.call(masks.fill_row, self._trie.arrays, state, row, _NO_EXITS, self._path)
        return row, visited

    def _groups(self, state: int) -> list[Group]:
        """The configuration's items by rule and origin; the end of everything allows no token and is left out."""
        nodes = self._configurations.networks.arrays.nodes
        found: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for node, origin, attr in self._configurations.kernel(state):
            if not nodes[node, KIND] & FINAL:
                items = found.setdefault((int(nodes[node, RULE]), origin), [])
                items.append((node, self._near(int(nodes[node, SEGMENT]), attr)))
        return [(rule, origin, tuple(items)) for (rule, origin), items in found.items()]

    def _near(self, segment: int, attr: int) -> int:
        """The count itself near a bound of its repetition, else the first count that one token cannot tell from it.

        A token holds at most `longest` repetitions, each at least a byte.
        """
        row = self._configurations.networks.arrays.segments[segment]
        reach = self._trie.longest + 2
        if segment < 0 or row[SORT] != COUNTED or row[EXTRA] - attr <= reach:
            return attr
        if attr >= row[MINIMUM] and row[EXTRA] - row[MINIMUM] > reach:
            return int(row[MINIMUM])
        return 0 if row[MINIMUM] - attr > reach else attr

    def _from_local(self, groups: list[Group]) -> Row | None:
        """The union of the groups' local rows and checked suffixes; None unless every group has a local row."""
        known = [self._known(rule, items) for rule, _, items in groups]
        if not known or not all(known):
            return None
        row = np.zeros(self._trie.words, np.uint32)
        for local, (rule, origin, _) in zip(known, groups, strict=True):
            assert local is not None
            row |= local.row
            if len(local.suffixes.token):
                after = self._configurations.resume(origin, rule)
                self._configurations.call(masks.fill_row, local.suffixes, after, row, _NO_EXITS, self._path)
        return row

    def _from_loop(self, state: int) -> Row | None:
        """The row by difference from the loop that most bytes lead to; None when they lead to none."""
        targets = np.zeros(len(_PROBES), np.int64)
        loop = self._configurations.call(masks.find_loop, state, _PROBES, targets)
        if loop == DEAD:
            return None
        row = self._rows.get(loop)
        row = (self._compute(loop) if row is None else row).copy()
        if self._configurations.is_accepting(loop):
            row &= ~self._stops
        arrays, paths = self._trie.arrays, self._paths
        self._configurations.call(masks.change_row, arrays, state, loop, row, paths)
        return row

    def _known(self, rule: int, items: Items) -> LocalRow | None:
        local = self._local.get((rule, items))
        if local is None and head(self._configurations.networks.arrays, items) in self._shared.heads:
            local = self._shared.rows.get(self._signature(rule, items))
        return local

    def _learn(self, groups: list[Group]) -> None:
        """After a long walk: make the local rows that are met for the second time."""
        for rule, _, items in groups:
            if (rule, items) in self._local:
                continue
            key = self._signature(rule, items)
            first = self._met.first_time((rule, items)) if key is None else self._shared.met.first_time(key)
            if first:
                continue
            local = self._local[rule, items] = build_local(self._configurations, self._trie, rule, items)
            if key is not None and local is not None:
                self._shared.keep(key, head(self._configurations.networks.arrays, items), local)

    def _signature(self, rule: int, items: Items) -> object:
        if (rule, items) not in self._signatures:
            self._signatures[rule, items] = signature(self._configurations.networks.arrays, items)
        return self._signatures[rule, items]
