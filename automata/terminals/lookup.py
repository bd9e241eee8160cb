"""The terminal rows of one grammar: which rows of its vocabulary (automata/terminals/terminal.py) its items have, found
or learnt.

Cost: some microseconds per grammar and per part whose row is new; a survey of about 3 ms where one is learnt.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.network import RuleNetworks
from structgen.automata.terminals.registry import registry_of
from structgen.automata.terminals.rows import WALKED, TerminalRow
from structgen.automata.terminals.terminal import SurveyedTerminal
from structgen.automata.trie import TokenTrie
from structgen.kernels.handles import handle
from structgen.kernels.layout import EQUIVALENT, EXACT, NODE, SPAN_FIRST, SPAN_HIGH, SPAN_KEY, SPAN_SORT, TerminalTables

LARGE = 1 << 13  # words of a terminal's program

Items = NDArray[np.int64]  # scan items (node, origin, register) of one span and origin


class TerminalLookup:
    """Terminal rows by span and items. Not thread-safe: used under the lock of the grammar's configurations.

    `top`: of the tokens below this node of the trie.
    """

    def __init__(self, networks: RuleNetworks, trie: TokenTrie, top: int = 0) -> None:
        self._all, self._top, self._bodies = registry_of(trie), top, networks.terminals
        self._equivalent, self._spans = networks.equivalent, networks.spans
        self._terminals: dict[int, SurveyedTerminal] = {}  # of terminal bodies by number, once they are asked for
        sorts = (2 * networks.spans[:, SPAN_KEY] + (networks.spans[:, SPAN_SORT] == EQUIVALENT)).tolist()
        numbers = {sort: number for number, sort in enumerate(dict.fromkeys(sorts))}
        self.tables = TerminalTables(
            span=networks.span,
            spans=networks.spans,
            equivalent=networks.equivalent,
            table=np.array([numbers[sort] for sort in sorts], np.int64),
            tables=np.array([self._known(s >> 1, bool(s & 1)) for s in numbers], np.int64).reshape(-1, 4),
        )

    def _known(self, number: int, equivalent: bool) -> tuple[int, int, int, int]:
        """The table of a terminal if there is one: most of a large grammar's are never asked for."""
        terminal = None if self._top else self._all.known(self._bodies[number])
        if terminal is None:
            return 0, 0, 0, 0
        self._terminals[number] = terminal
        return _table(terminal, equivalent)

    def _terminal(self, span: int) -> SurveyedTerminal:
        number = self._spans.item(span, SPAN_KEY)
        found = self._terminals.get(number)
        if found is None:
            body = self._bodies[number]
            found = self._all.terminal_below(body, self._top) if self._top else self._all.terminal(body)
            self._terminals[number] = found
        return found

    def is_large(self, span: int) -> bool:
        """Whether a terminal has so many states that its rows are hardly ever asked for twice."""
        return self._bodies[self._spans.item(span, SPAN_KEY)].size > LARGE

    @cached_property
    def handle(self) -> Any:
        """Of the arrays."""
        return handle(self.tables)

    def find(self, span: int, items: Items, *, learn: bool) -> list[TerminalRow] | None:
        """Terminal rows whose union is that of the items, all of one span and origin; [] when they are to be walked.

        None when one is not known, or with `learn`, which makes them, when they have none.
        """
        sort, low, high = self._spans[span, SPAN_SORT : SPAN_HIGH + 1].tolist()
        terminal = self._terminal(span)
        found: list[TerminalRow | None]
        if sort == EQUIVALENT:
            places = self._equivalent[items[:, NODE]].tolist()  # nodes without one lie within a state that has
            found = [terminal.after(place) for place in dict.fromkeys(places) if place >= 0]
        elif sort == EXACT:
            found = [terminal.exact(self._key(span, items), learn)]
        else:
            found = [terminal.bounded(node, attr, low, high, learn) for node, attr in self._key(span, items)]
        rows = {id(local): local for local in found if local is not None}
        self.tables.tables[self.tables.table[span]] = _table(terminal, sort == EQUIVALENT)
        if not rows or any(local is None for local in found):
            return None
        return [] if id(WALKED) in rows else list(rows.values())

    def mark_cheap(self, span: int, items: Items) -> None:
        """Their walk is short: the next time it is done without asking. Counted items are asked about each time, since
        it depends on the count."""
        if self._spans.item(span, SPAN_SORT) == EXACT:
            self._terminal(span).mark_cheap(self._key(span, items))

    def times_wanted(self, span: int, items: Items) -> int:
        """How often the rows of these items would have been used, this time counted."""
        key = self._key(span, items)
        return self._terminal(span).times_wanted(
            key if self._spans.item(span, SPAN_SORT) == EXACT else tuple((n, 0) for n, _ in key)
        )

    def _key(self, span: int, items: Items) -> tuple[tuple[int, int], ...]:
        """The items as (node, register), nodes counted from the span's first."""
        first = self._spans.item(span, SPAN_FIRST)
        return tuple((node - first, attr) for node, _, attr in items.tolist())


def _table(terminal: SurveyedTerminal, equivalent: bool) -> tuple[int, int, int, int]:
    return (terminal.by_place if equivalent else terminal.by_node).table
