"""From a configuration to its mask row: seen before, put together from shared rows, or walked.

A row is a read-only uint32 array of ceil(V / 32) words, bit t % 32 of word t // 32 set = token t allowed. Rows live
under one byte budget of the process (automata/budget.py).

An item set is a disjunction, so its mask is the union of the masks of its parts. Items inside a shared expression are a
part whose row is known (automata/local.py), but for the suffixes of tokens that leave it: these are walked in the
context. States that promise to be like a shared expression ("any key but these") take its row for the tokens that stay
inside, and walk only those that leave. What is left is walked as a whole. But where a blank, or another byte with
thousands of tokens, leads to what takes many bytes, the tokens behind it are a mask of their own, put together so.

Cost: seen before, a dictionary look-up; put together, a copy of the row and a walk over some hundred suffixes; walked,
one table look-up per trie node reached.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.local import LocalRow, Terminal, shared_rows
from structgen.automata.trie import LARGE, TokenTrie
from structgen.errors import InvariantError
from structgen.kernels import entries
from structgen.kernels.layout import ARCS, EXACT, LIKE, NODE, SET, SPAN_AFTER
from structgen.kernels.masks import WIDE

Row = NDArray[np.uint32]

LONG_WALK = 400  # trie nodes from which a shared row pays: it costs 10 µs in its place
CONFIGURATION = 40  # what making a configuration costs, in trie nodes
REST = -1  # the part of a state's items that is walked
MOST_GROUPS = 32
_NO_CUT = np.array([(1 << 40, 0)], np.int64)


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
        budget: RowBudget = ROWS,
        check: bool = False,
    ) -> None:
        self._configurations = configurations
        self._networks = configurations.networks
        self._trie = trie
        self._check = check
        self._rows: dict[int, Row] = {}
        self._budget = budget
        self._me = budget.owner(self)
        self._path = np.zeros(trie.longest + 2, np.int64)
        self._root = np.zeros(256, np.int32)
        self._groups = np.zeros((MOST_GROUPS, 3), np.int64)
        self._shared = shared_rows(trie)
        self._spans = self._networks.spans.tolist()
        sections = trie.sections if self._networks.by_hand else ()
        self._cut = np.array([(LARGE, 0), *((node, 0) for node in sections)], np.int64)
        self._terminals: dict[int, list[Terminal | None]] = {top: [None] * len(self._spans) for top in (0, *sections)}
        self._stop_ids = stop_ids

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        return self._compute(state) if row is None else row

    def _compute(self, state: int) -> Row:
        with self._configurations.lock:
            if state in self._rows:
                return self._rows[state]
            row = self._together(state)
            if self._check and not np.array_equal(row, self._walk(state)):
                raise InvariantError("MASK", f"the row of configuration {state} differs from its full walk")
            if self._configurations.is_accepting(state):
                for token in self._stop_ids:
                    row[token >> 5] |= np.uint32(1 << (token & 31))
            row.flags.writeable = False
            self._budget.added(self._me, row.nbytes)
            self._rows[state] = row
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._rows = {}

    def _walk(self, state: int) -> Row:
        """The row by a full walk."""
        row = np.zeros(self._trie.words, np.uint32)
        self._configurations.call(entries.fill_row, self._trie.handle, state, row, self._root, self._path, _NO_CUT)
        return row

    def _together(self, state: int, top: int = 0, row: Row | None = None) -> Row:
        """The union over the state's groups of items of one shared expression, and the walk of all others.

        Of the tokens below trie node `top`, `state` being what holds there; added to `row`.
        """
        configurations = self._configurations
        if not self._spans:
            return self._walk(state)
        items = configurations.scan_items(state)
        part, groups = self._split(items, state)
        rest = len(items)
        unknown = []
        for group, (span, origin, size) in enumerate(groups):
            chosen = items if size == len(items) else items[part == group]
            found = self._shared_rows(span, chosen, top, learn=False)
            if found is None and self._networks.by_hand and self._takes(chosen) >= WIDE:
                found = self._shared_rows(span, chosen, top, learn=True)  # of names and texts: asked for again
            if found is None:
                unknown.append((span, chosen.copy()))
                part[part == group] = REST
            else:
                rest -= size
                row = self._add(state, found, span, origin, part, group, row, top)
        if row is None:
            row = np.zeros(self._trie.words, np.uint32)
        if rest:
            before, cut = len(configurations), _NO_CUT if top else self._cut
            visited = configurations.call(
                entries.fill_part, self._trie.handle, state, part, REST, row, self._root, self._path, top, cut
            )
            if unknown and visited + CONFIGURATION * (len(configurations) - before) > LONG_WALK:
                for span, chosen in unknown:
                    if self._wanted_before(span, chosen, top):
                        self._shared_rows(span, chosen, top, learn=True)
            if cut.item(1):
                row = self._sections(row, cut)
        return row

    def _sections(self, row: Row, cut: NDArray[np.int64]) -> Row:
        """Add the tokens below the nodes at which a kernel stopped."""
        found = cut[1:].tolist()
        cut[:, 1] = 0
        for node, state in found:
            if state:
                row = self._together(state, node, row)
        return row

    def _takes(self, items: NDArray[np.int64]) -> int:
        """How many bytes the items take."""
        arrays = self._networks.arrays
        found = 0
        for node in items[:, NODE].tolist():
            for sets in arrays.arcs[arrays.nodes[node, ARCS] : arrays.nodes[node + 1, ARCS], SET].tolist():
                found |= int.from_bytes(arrays.sets[sets].tobytes(), "little")
        return found.bit_count()

    def _wanted_before(self, span: int, items: NDArray[np.int64], top: int) -> bool:
        """Whether a long walk would have been saved before by the shared rows of these items."""
        _, first, _, _, sort, _, _ = self._spans[span]
        terminal = self._terminals[top][span]
        assert terminal is not None
        return terminal.worth(tuple((node - first, attr if sort == EXACT else 0) for node, _, attr in items.tolist()))

    def prepare(self, state: int) -> None:
        """Make every shared row that the mask of `state` could use."""
        with self._configurations.lock:
            items = self._configurations.scan_items(state).copy()
            part, groups = self._split(items, state)
            for group, (span, _, _) in enumerate(groups):
                self._shared_rows(span, items[part == group], 0, learn=True)

    def _split(self, items: NDArray[np.int64], state: int) -> tuple[NDArray[np.int64], list[list[int]]]:
        """The group of each scan item of a state, REST outside spans; and the groups: [span, origin, items]."""
        part = np.empty(len(items), np.int64)
        count = self._configurations.call(entries.split, self._networks.span, state, part, self._groups)
        return part, self._groups[:count].tolist()

    def _add(
        self,
        state: int,
        found: list[LocalRow],
        span: int,
        origin: int,
        part: NDArray[np.int64],
        group: int,
        row: Row | None,
        top: int,
    ) -> Row:
        """Add a group's shared rows, and walk in this context where tokens leave the expression."""
        configurations, path, cut = self._configurations, self._path, _NO_CUT if top else self._cut
        for local in found:
            row = local.row.copy() if row is None else np.bitwise_or(row, local.row, out=row)
            if local.leaving is not None:
                configurations.call(
                    entries.fill_part, local.leaving, state, part, group, row, self._root, path, 0, _NO_CUT
                )
            elif local.exits is not None:
                after = configurations.arrive(self._spans[span][SPAN_AFTER], origin)
                where = (local.most, local.least, after, row, path, cut)
                configurations.call(entries.fill_below, self._trie.handle, *local.exits, *where)
                if cut.item(1):
                    row = self._sections(row, cut)
        assert row is not None
        return row

    def _shared_rows(self, span: int, items: NDArray[np.int64], top: int, *, learn: bool) -> list[LocalRow] | None:
        """Shared rows whose union is that of the items, all of one span and origin; None when one is not known.

        With `learn` rows that are not known are made.
        """
        key, first, _, _, sort, low, high = self._spans[span]
        terminal = self._terminals[top][span]
        if terminal is None:
            body = self._networks.shared[key]
            terminal = self._shared.terminal_below(body, top) if top else self._shared.terminal(body)
            self._terminals[top][span] = terminal
        if sort == LIKE:
            places = set(self._networks.like[items[:, NODE]].tolist()) - {-1}
            found = [terminal.after(place) for place in places]
            return None if not found or None in found else found  # type: ignore[return-value]
        pairs = tuple((node - first, attr) for node, _, attr in items.tolist())
        if sort == EXACT:
            local = terminal.exact(pairs, learn)
            return None if local is None else [local]
        found = [terminal.bounded(node, attr, low, high, learn) for node, attr in pairs]
        return None if None in found else found  # type: ignore[return-value]
