"""From a configuration to its mask row: seen before, put together from terminal rows, or walked.

A row is a read-only uint32 array of ceil(V / 32) words, bit t % 32 of word t // 32 set = token t allowed. Rows live
under one byte budget of the process (automata/budget.py).

An item set is a disjunction, so its mask is the union of the masks of its parts. Items inside a terminal are a
part whose row is known (automata/terminals/terminal.py), but for the suffixes of tokens that leave it: these are walked
in the context. States that promise to be like a terminal ("any key but these") take its row for the tokens that stay
inside, and walk only those that leave. What is left is walked as a whole. But where a blank, or another byte with
thousands of tokens, leads to what takes many bytes, the tokens behind it are a mask of their own, put together so. A
kernel does all this where every part's row is known (kernels/compose.py); `_together` does it by steps, and learns.

Cost: seen before, a dictionary look-up; put together, a copy of the row and a walk over some hundred suffixes; walked,
one table look-up per trie node reached.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.terminals.lookup import TerminalLookup
from structgen.automata.terminals.rows import TerminalRow
from structgen.automata.trie import NO_CUT, TokenTrie
from structgen.errors import InvariantError
from structgen.kernels import entries
from structgen.kernels.layout import SPAN_AFTER

Row = NDArray[np.uint32]

SHORT_WALK = (
    400  # cost, in trie nodes, up to which a terminal row, which takes 3 µs in its place, is not worth learning
)
LONG_WALK = 4_000  # cost from which it is learnt at once; between the two the second time it is wanted
REST = -1  # the part of a state's items that is walked


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
        self._trie = trie
        self._check = check
        self._rows: dict[int, Row] = {}
        self._budget = budget
        self._me = budget.owner(self)
        self._stop_ids = stop_ids
        sections = trie.sections if configurations.networks.by_hand else ()
        self._cut = np.array([(0, 0), *((trie.branch(node), 0) for node in sections)], np.int64)
        self._tops = {trie.branch(node): node for node in (0, *sections)}
        self._parts: dict[int, TerminalLookup] = {}  # by the branch of the trie below which tokens are looked for

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        return self._compute(state) if row is None else row

    def _compute(self, state: int) -> Row:
        with self._configurations.lock:
            if state in self._rows:
                return self._rows[state]
            row = self._composed(state)
            if self._check and not np.array_equal(row, self._walk(state)):
                raise InvariantError("MASK", f"the row of configuration {state} differs from its full walk")
            if self._configurations.is_accepting(state):
                for token in self._stop_ids:
                    row[token >> 5] |= np.uint32(1 << (token & 31))
            row.setflags(write=False)
            self._budget.added(self._me, row.nbytes)
            self._rows[state] = row
        return row

    def _composed(self, state: int) -> Row:
        """The row of a new state: by one kernel if the terminal rows of all its parts were met, else by steps."""
        row, parts = np.empty(self._trie.words, np.uint32), self._parts_below(0)
        found = self._configurations.attempt(
            entries.compose, self._trie.handle, parts.handle, self._trie.scratch()[1], self._cut, state, row
        )
        if found == entries.ASK:
            row[:] = 0
            self._together(state, 0, row)
        elif found < 0:
            raise InvariantError("LIVE", "a live transition led nowhere")
        return row

    def _parts_below(self, top: int) -> TerminalLookup:
        if top not in self._parts:
            self._parts[top] = TerminalLookup(self._configurations.networks, self._trie, self._tops[top])
        return self._parts[top]

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._rows = {}

    def prepare(self, state: int) -> None:
        """Make every terminal row that the mask of `state` could use."""
        with self._configurations.lock:
            parts = self._parts_below(0)
            items, part, groups = self._split(state, parts)
            for group, (span, _, _) in enumerate(groups):
                parts.find(span, items[part == group], learn=True)

    def _walk(self, state: int) -> Row:
        """The row by a walk without any short cut."""
        row, path = np.zeros(self._trie.words, np.uint32), np.zeros(self._trie.longest + 2, np.int64)
        self._configurations.call(entries.walk_plainly, self._trie.arrays, state, row, path)
        return row

    def _together(self, state: int, top: int, row: Row) -> None:
        """Add the union over the state's groups of items of one terminal, and the walk of all others.

        Of the tokens below branch `top` of the trie, `state` being what holds there.
        """
        parts, cut = self._parts_below(top), NO_CUT if top else self._cut
        items, part, groups = self._split(state, parts)
        for group, (span, origin, _) in enumerate(groups):
            found = parts.find(span, items[part == group], learn=False)
            if found is None:
                found = self._met_first(state, top, parts, span, items, part, group, row)
            elif not found:
                part[part == group] = REST
            for local in found:
                self._add(state, local, parts, span, origin, part, group, row, cut)
        if (part == REST).any():
            self._fill(self._trie.handle, state, part, REST, row, top, cut, entries.ENDLESS)

    def _met_first(
        self,
        state: int,
        top: int,
        parts: TerminalLookup,
        span: int,
        items: NDArray[np.int64],
        part: NDArray[np.int64],
        group: int,
        row: Row,
    ) -> list[TerminalRow]:
        """Walk a group without a terminal row, unless it is long: then its rows are learnt, and returned."""
        chosen, cut = items[part == group], NO_CUT if top else self._cut
        visited = self._fill(self._trie.handle, state, part, group, row, top, cut, LONG_WALK)
        if visited == entries.LONG_WALK:
            found = parts.find(span, chosen, learn=True)
            if found is not None:
                return found
            self._fill(self._trie.handle, state, part, group, row, top, cut, entries.ENDLESS)
            parts.leave(span, chosen)
        elif visited < SHORT_WALK:
            parts.leave(span, chosen)
        elif parts.wanted(span, chosen):
            parts.find(span, chosen, learn=True)
        return []

    def _fill(
        self,
        trie: NDArray[np.int64],
        state: int,
        part: NDArray[np.int64],
        group: int,
        row: Row,
        top: int,
        cut: NDArray[np.int64],
        limit: int,
    ) -> int:
        """Walk the items of a group, then the sections at which the walk stopped."""
        scratch = self._trie.scratch()[1]
        visited = self._configurations.attempt(
            entries.fill_part, trie, state, part, group, row, scratch, top, cut, limit
        )
        if visited < 0 and visited != entries.LONG_WALK:
            raise InvariantError("LIVE", "a live transition led nowhere")
        self._sections(row, cut)
        return visited

    def _sections(self, row: Row, cut: NDArray[np.int64]) -> None:
        """Add the tokens below the branches at which a kernel stopped."""
        if cut.item(1):
            found = cut[1:].tolist()
            cut[:, 1] = 0
            for top, state in found:
                if state:
                    self._together(state, top, row)

    def _split(self, state: int, parts: TerminalLookup) -> tuple[NDArray[np.int64], NDArray[np.int64], list[list[int]]]:
        """Scan items; the group of each, REST outside spans; and the groups: [span, origin, items]."""
        items = self._configurations.scan_items(state).copy()
        part = np.empty(len(items), np.int64)
        groups = self._trie.scratch()[0].groups
        count = self._configurations.call(entries.split, parts.shares.span, state, part, groups)
        return items, part, groups[:count].tolist()

    def _add(
        self,
        state: int,
        local: TerminalRow,
        parts: TerminalLookup,
        span: int,
        origin: int,
        part: NDArray[np.int64],
        group: int,
        row: Row,
        cut: NDArray[np.int64],
    ) -> None:
        """Add a group's terminal row, and walk in this context where tokens leave the expression."""
        np.bitwise_or(row, local.row, out=row)
        if local.leaving is not None:
            self._fill(local.leaving, state, part, group, row, 0, NO_CUT, entries.ENDLESS)
        elif local.exits is not None:
            after = self._configurations.arrive(int(parts.shares.spans[span, SPAN_AFTER]), origin)
            where = (*local.exits, local.most, local.least, after, row, self._trie.scratch()[1], cut)
            self._configurations.call(entries.fill_below, self._trie.handle, *where)
            self._sections(row, cut)
