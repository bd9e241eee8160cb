r"""From a configuration to its mask row: seen before, composed from terminal rows, or walked.

A row is a read-only uint32 array of ceil(V / 32) words, bit t % 32 of word t // 32 set = token t allowed. Rows live
under one byte budget of the process (automata/budget.py).

    row(state) --- seen before ------------------------------------------> a dictionary look-up
        \
         new --- terminal rows of all groups known --> one kernel -------> a copy, and a walk over some hundred exits
             \
              else `_compose_slowly`, group by group:   known --> its rows, and a walk from their exits
                                                        short --> a walk of the trie
                                                        long  --> rows are learnt (terminals/), then as known

An item set is a disjunction, so its mask is the union of the masks of its groups. A group is the items inside one
terminal called in one place; its row is known but for the suffixes of tokens that leave the terminal, and these are
walked in the context. States equivalent to a terminal's ("any key but these") take its row for the tokens that stay
inside, and walk only those that leave. Items outside terminals are walked together. Where a blank, or another byte with
thousands of tokens, leads to what takes many bytes, the tokens behind it are a mask of their own (a section), made in
the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.blur import Blurred, Callers
from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.likeness import similar
from structgen.automata.policy import WalkPolicy
from structgen.automata.terminals.lookup import TerminalLookup
from structgen.automata.terminals.rows import TerminalRow
from structgen.automata.trie import NO_CUT, TokenTrie
from structgen.bits import row_of
from structgen.errors import InvariantError
from structgen.gc_pause import collector_paused
from structgen.kernels import entries
from structgen.kernels.codes import NO_ROW, TOO_LONG
from structgen.kernels.layout import DEAD, SPAN_AFTER

Row = NDArray[np.uint32]

MOST_BASES = 8  # rows that a new one is compared with
MOST_STATES = 1 << 15  # whose rows are remembered: most are shared, and where each is takes 100 bytes
REST = -1  # the group of the items that are walked together


class _Group(NamedTuple):
    """Items of one terminal: `span` where it stands in the networks, `origin` where its rule was called, `number`."""

    span: int
    origin: int
    number: int


@dataclass(slots=True)
class _Fill:
    """One row being made, of the tokens below a branch of the trie (0: all).

    items     i64 (k, 3) scan items (node, origin, register) of `state`
    group_of  i64 (k,) the group of each item, or REST
    cut       i64 (m, 2) the branches at which a walk stops, and the states there: see kernels/walks.py
    """

    state: int
    row: Row
    below: int
    lookup: TerminalLookup
    items: NDArray[np.int64]
    group_of: NDArray[np.int64]
    cut: NDArray[np.int64]

    def chosen(self, group: _Group) -> NDArray[np.int64]:
        """The items of a group."""
        found: NDArray[np.int64] = self.items[self.group_of == group.number]
        return found


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
        policy: WalkPolicy | None = None,
        check: bool = False,
    ) -> None:
        self._configurations = configurations
        self._trie = trie
        self._check = check
        self.rows: dict[int, Row] = {}
        self._held: set[int] = set()  # id of each of these rows
        self._budget = budget
        self._me = budget.owner(self)
        self._stops = _stop_row(stop_ids, 32 * trie.words)
        self._policy = policy or WalkPolicy()
        sections = trie.sections(self._policy.section) if configurations.networks.by_hand else ()
        self._cut = np.array([(0, 0), *((trie.branch(node), 0) for node in sections)], np.int64)
        self._tops = {trie.branch(node): node for node in (0, *sections)}
        self._blurred: list[Blurred] | None = None  # once a row is made from it
        self._learnt = 0  # terminal rows, since walks were long
        self._lookups: dict[int, TerminalLookup] = {}  # by the branch of the trie below which tokens are looked for

    def row(self, state: int) -> Row:
        """The mask of a configuration; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        return self._compute(state) if row is None else row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._budget.forget(self._me)
        self.rows.clear()
        self._held = set()
        self._blurred = None

    def prepare(self, state: int) -> None:
        """Learn every terminal row that the mask of `state` could use."""
        with self._configurations.lock:
            fill, groups = self._begin(state, 0, np.zeros(0, np.uint32))
            for group in groups:
                fill.lookup.find(group.span, fill.chosen(group), learn=True)

    def ends(self, state: int) -> NDArray[np.int32]:
        """i32 (V,): the configuration behind each token, DEAD where it is not allowed. Cost: some 5 ns a node of the
        trie that is alive, 1.5 ms inside a string."""
        found, path = np.full(self._trie.size, DEAD, np.int32), np.zeros(self._trie.longest + 2, np.int64)
        self._configurations.call(entries.walk_plainly, self._trie.arrays, state, found, path)
        return found

    def _compute(self, state: int) -> Row:
        with self._configurations.lock:
            if (known := self.rows.get(state)) is not None:
                return known
            row = self._trie.rows.kept(self._compose(state))
            if self._check and not np.array_equal(row, self._walk_plainly(state)):
                raise InvariantError("MASK", f"the row of configuration {state} differs from its full walk")
            if len(self.rows) >= MOST_STATES:
                self.drop_rows()
            if id(row) not in self._held:
                self._held.add(id(row))
                self._budget.added(self._me, row.nbytes)
            self.rows[state] = row
            return row

    def _compose(self, state: int) -> Row:
        """The row of a new state: by one kernel if the terminal rows of all its groups are known, else by steps."""
        row = np.empty(self._trie.words, np.uint32)
        found = self._compose_within(self._policy.long, state, row)
        if found == 0:
            return row
        done = found == NO_ROW and self._compose_slowly(state, 0, row)
        if not done and found in (NO_ROW, TOO_LONG) and not self._compose_blurred(state, row):
            found = self._compose_within(entries.ENDLESS, state, row)
            if found == 0:
                return row
            if found == NO_ROW:
                self._compose_slowly(state, 0, row)
        if found not in (NO_ROW, TOO_LONG):
            raise InvariantError("LIVE", "a live transition led nowhere")
        if self._configurations.is_accepting(state):
            row |= self._stops
        return row

    def _compose_within(self, limit: int, state: int, row: Row) -> int:
        """Write the row, stop tokens included: 0, or NO_ROW, TOO_LONG or DEAD_END."""
        tables, scratch = self._lookup_below(0).handle, self._trie.scratch()[1]
        return self._configurations.attempt(
            entries.compose, self._trie.handle, tables, scratch, self._cut, state, row, limit, self._stops
        )

    def _blurs(self) -> list[Blurred]:
        """The grammar blurred, the furthest reach first; none where nothing would be."""
        if self._blurred is None:
            names = similar(self._configurations, self._policy.reaches, self._policy.counting)
            sharp, callers = self._configurations, Callers(self._configurations)
            pairs = [*zip(names, self._policy.reaches, strict=True)]
            blurred = [Blurred(sharp, same, reach, callers) for same, reach in reversed(pairs)]
            self._blurred = blurred if blurred[-1].blurs else []
        return self._blurred

    @collector_paused()
    def _compose_blurred(self, state: int, row: Row) -> bool:
        """Write the row from blurred ones; False if nothing in the grammar is blurred.

        That of each reach is made from that of the next shorter one, up to one that is known."""
        levels: list[tuple[Blurred, int]] = []
        for blurred in self._blurs():
            far, here = blurred.state(state)
            if here or blurred.reach == self._policy.reaches[0]:
                levels.append((blurred, far))
                if far in blurred.rows:
                    break
        if not levels:
            return False
        blurred, far = levels.pop()
        known = self._blurred_row(blurred, far)
        while levels:
            reach, (blurred, far) = blurred.reach, levels.pop()
            self._lengthen(blurred.automaton, far, known, reach, longer_row := np.empty_like(known))
            known = self._keep_blurred(blurred, far, longer_row)
        self._lengthen(self._configurations, state, known, blurred.reach, row)
        return True

    def _lengthen(self, automaton: Configurations, state: int, known: Row, reach: int, row: Row) -> None:
        """Write the row of a state, of which the tokens within reach are known."""
        short, longer = self._trie.longer(reach)
        np.bitwise_and(known, short, out=row)
        automaton.call(entries.fill_row, longer.handle, state, row, self._trie.scratch()[1], 0, entries.ENDLESS)

    def _blurred_row(self, blurred: Blurred, state: int) -> Row:
        """The row of a blurred state: that of another, where few first bytes lead elsewhere, or by a walk."""
        if state in blurred.rows:
            return blurred.rows[state]
        trie, scratch, automaton = self._trie.handle, self._trie.scratch()[1], blurred.automaton
        bases = list(blurred.rows)[-MOST_BASES:]
        near = automaton.attempt(entries.nearest, trie, state, np.array(bases, np.int64))
        if near >= 0:
            row = blurred.rows[bases[near]].copy()
            automaton.call(entries.fill_apart, trie, state, bases[near], row, scratch)
        else:
            row = np.zeros(self._trie.words, np.uint32)
            automaton.call(entries.fill_row, trie, state, row, scratch, 0, entries.ENDLESS)
        return self._keep_blurred(blurred, state, row)

    def _keep_blurred(self, blurred: Blurred, state: int, row: Row) -> Row:
        blurred.rows[state] = row
        self._budget.added(self._me, row.nbytes)
        return row

    def _walk_plainly(self, state: int) -> Row:
        """The row by a walk without any short cut."""
        row = row_of(self.ends(state) != DEAD, self._trie.size)
        return row | self._stops if self._configurations.is_accepting(state) else row

    # ------------------------------------------------------------------------------------------------ group by group

    def _lookup_below(self, top: int) -> TerminalLookup:
        if top not in self._lookups:
            self._lookups[top] = TerminalLookup(self._configurations.networks, self._trie, self._tops[top])
        return self._lookups[top]

    def _begin(self, state: int, below: int, row: Row) -> tuple[_Fill, list[_Group]]:
        """A row to be made, and the groups of the state's items."""
        lookup, items = self._lookup_below(below), self._configurations.scan_items(state).copy()
        group_of, groups = np.empty(len(items), np.int64), self._trie.scratch()[0].groups
        count = self._configurations.call(entries.split, lookup.tables.span, state, group_of, groups)
        fill = _Fill(state, row, below, lookup, items, group_of, NO_CUT if below else self._cut)
        return fill, [_Group(span, origin, number) for number, (span, origin, _) in enumerate(groups[:count].tolist())]

    def _compose_slowly(self, state: int, below: int, row: Row) -> bool:
        """Add to `row` the tokens below a branch of the trie, `state` being what holds there, and of the root make it
        those; False if the row is better made from blurred ones."""
        if not below:
            row[:] = 0
        fill, groups = self._begin(state, below, row)
        for group in groups:
            rows = fill.lookup.find(group.span, fill.chosen(group), learn=False)
            if rows is None:
                rows = self._walk_or_learn(fill, group)
                if rows is None:
                    return False
            elif not rows:
                fill.group_of[fill.group_of == group.number] = REST
            for terminal_row in rows:
                self._add(fill, group, terminal_row)
        if (fill.group_of == REST).any():
            self._walk(fill, REST)
        return True

    def _walk_or_learn(self, fill: _Fill, group: _Group) -> list[TerminalRow] | None:
        """Walk a group without terminal rows, unless that takes long: then they are learnt, and returned; None where
        learning goes on and on, and the grammar can be blurred."""
        chosen, lookup, policy = fill.chosen(group), fill.lookup, self._policy
        large = not fill.below and lookup.is_large(group.span)
        if large and self._blurred:
            return None
        cost = self._walk(fill, group.number, limit=policy.long)
        if cost == TOO_LONG:
            self._learnt += 1
            if (large or (self._learnt > policy.learnt and not fill.below)) and self._blurs():
                return None
            found = lookup.find(group.span, chosen, learn=True)
            if found is not None:
                return found
            self._walk(fill, group.number)
            lookup.mark_cheap(group.span, chosen)
        elif cost < policy.short:
            lookup.mark_cheap(group.span, chosen)
        elif lookup.times_wanted(group.span, chosen) > (policy.below if fill.below else policy.patience):
            lookup.find(group.span, chosen, learn=True)
        return []

    def _walk(self, fill: _Fill, number: int, limit: int = entries.ENDLESS) -> int:
        """Walk the items of a group, then the sections at which the walk stopped. Its cost, or LONG_WALK."""
        where = (fill.below, fill.cut, limit)
        cost = self._fill_part(self._trie.handle, fill, number, where)
        if cost < 0 and cost != TOO_LONG:
            raise InvariantError("LIVE", "a live transition led nowhere")
        self._add_sections(fill)
        return cost

    def _fill_part(
        self, trie: NDArray[np.int64], fill: _Fill, number: int, where: tuple[int, NDArray[np.int64], int]
    ) -> int:
        scratch = self._trie.scratch()[1]
        return self._configurations.attempt(
            entries.fill_part, trie, fill.state, fill.group_of, number, fill.row, scratch, *where
        )

    def _add(self, fill: _Fill, group: _Group, terminal_row: TerminalRow) -> None:
        """Add a terminal row of a group, and walk in this context where tokens leave the terminal."""
        np.bitwise_or(fill.row, terminal_row.row, out=fill.row)
        if terminal_row.leaving is not None:
            if self._fill_part(terminal_row.leaving, fill, group.number, (0, NO_CUT, entries.ENDLESS)) < 0:
                raise InvariantError("LIVE", "a live transition led nowhere")
        elif terminal_row.exits is not None:
            tables = fill.lookup.tables
            after = self._configurations.arrive(int(tables.spans[group.span, SPAN_AFTER]), group.origin)
            bounds = (terminal_row.most, terminal_row.least, after)
            where = (*terminal_row.exits, *bounds, fill.row, self._trie.scratch()[1], fill.cut)
            self._configurations.call(entries.fill_below, self._trie.handle, *where)
            self._add_sections(fill)

    def _add_sections(self, fill: _Fill) -> None:
        """Add the tokens below the branches at which a kernel stopped."""
        if fill.cut.item(1):
            found = fill.cut[1:].tolist()
            fill.cut[:, 1] = 0
            for top, state in found:
                if state:
                    self._compose_slowly(state, top, fill.row)


@lru_cache(maxsize=16)
def _stop_row(stop_ids: tuple[int, ...], size: int) -> Row:
    """The row of the stop tokens: of a vocabulary, so one serves all its constraints (27 of 280 µs of a compile)."""
    row = row_of(stop_ids, size)
    row.flags.writeable = False
    return row
