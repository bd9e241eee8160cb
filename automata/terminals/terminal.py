"""Mask rows of one terminal over a vocabulary: tokens that stay inside, and where others leave it, by survey.

Items inside a terminal (the IR's `Terminal`: a string, a number, a gap) behave the same in every grammar, up to
where the expression ends. So a state that needs long walks is surveyed once per vocabulary, in a grammar of its own:
the tokens that stay inside make a row for every context, and the trie nodes at which the expression may end are where
a walk has to go on in the context. For a JSON string over 128,256 tokens these are some hundred nodes of 270,000. A
name may end after each of its letters, so what follows these nodes is kept by its byte, without what is inside as a
whole: the walk looks at the bytes that the context takes.

What may come after a blank is half of a vocabulary. So states have rows for the tokens below such a node as well
(TokenTrie.sections).

A counted expression, `unit{low, high}`, is surveyed without its bounds; the survey says of each token how many units it
begins, so the row of any count under any bounds is a comparison away.

Cost: a survey walks the trie, about 3 ms over 128,256 tokens where nearly all are possible.
"""

from __future__ import annotations

import weakref
from collections import Counter, deque

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.automata.terminals.body import TerminalBody, prefix_at
from structgen.automata.terminals.index import TerminalIndex
from structgen.automata.terminals.rows import WALKED, Exits, Inside, Items, Row, Stored, Survey, TerminalRow, packed
from structgen.automata.trie import TokenTrie
from structgen.grammars.ir import Grammar, Rule, Terminal
from structgen.kernels import entries
from structgen.kernels.handles import handle
from structgen.kernels.layout import BRANCH, PATH, SPAN_FIRST, START, Trie
from structgen.kernels.survey import find_exits
from structgen.kernels.trie import mark_leaving
from structgen.memory import Held, register

__all__ = ["SurveyedTerminal"]

MOST_STATES = 4_000  # configurations of one expression
MOST_WORDS = 1 << 16  # of its program: a grammar of its own takes 0.2 µs each to build, in the middle of a mask
SURVEYED = 3  # bytes a token takes in a survey
AWAKE = 8  # automata of terminals: each holds some megabytes, and is made again in a tenth of the time of a survey
MANY_EXITS = 1 << 11

_awake: deque[Configurations] = deque(maxlen=AWAKE)
register(
    "automata.terminals.automata", lambda: Held(len(_awake), sum(a.nbytes for a in list(_awake)), AWAKE), _awake.clear
)


class SurveyedTerminal:
    """A terminal over one vocabulary: its grammar, and the rows of its states that were asked for.

    `top`: rows are of the tokens below this node of the trie, the states being what holds there.
    """

    def __init__(
        self, body: TerminalBody, trie: TokenTrie, stored: Stored | None = None, keep: bool = False, top: int = 0
    ) -> None:
        self._body, self._trie, self._keep, self._top = body, trie, keep, top
        self._surveys: dict[Items, Survey | None] = {}  # of counted expressions
        self._kept: dict[Items, Inside] = {}  # of others, from disk or to be stored there
        self._rows: dict[object, TerminalRow | None] = {}
        self._row_bytes = 0
        self._below: dict[int, SurveyedTerminal] = {}
        self.by_node, self.by_place = TerminalIndex(), TerminalIndex()
        for key, arrays in (stored or {}).items():
            if key[0] == "after":
                *own, row = arrays
                left = TokenTrie(Trie(*own), trie.longest, trie.size)
                self._keep_row(key, TerminalRow(row, None, leaving=left.handle, trie=left))
            elif len(arrays) == len(Inside._fields):
                self._kept[key] = Inside(*arrays)
            else:
                need, counts, exits, units, due, most = arrays
                self._surveys[key] = Survey(need, counts, exits, units, due, int(most))
        self._wanted: Counter[Items] = Counter()
        self._placed: set[int] = set()
        self._automaton: weakref.ref[Configurations] | None = None
        self._first = 0

    @property
    def nbytes(self) -> int:
        """Bytes of rows and surveys, here and below nodes."""
        surveyed = sum(survey is not None for survey in self._surveys.values())
        below = sum(part.nbytes for part in self._below.values())
        return self._row_bytes + SURVEYED * self._trie.size * surveyed + below

    def below(self, top: int) -> SurveyedTerminal:
        """The terminal for the tokens below a node of the trie."""
        if top not in self._below:
            self._below[top] = SurveyedTerminal(self._body, self._trie, top=top)
        return self._below[top]

    def _keep_row(self, key: object, local: TerminalRow) -> TerminalRow:
        self._rows[key] = local
        self._row_bytes += local.nbytes
        return local

    def times_wanted(self, items: Items) -> int:
        """How often the row of these items would have been used, this time counted."""
        self._wanted[items] += 1
        return self._wanted[items]

    def mark_cheap(self, items: Items) -> None:
        """Note that these items are cheap to walk: `exact` is WALKED."""
        if items not in self._rows:
            self._rows[items] = WALKED
            self.by_node.add(items[0][0], WALKED, items)

    def exact(self, items: Items, learn: bool) -> TerminalRow | None:
        """The row of some items of an expression that stands as it is; None if unknown or impossible."""
        if items not in self._rows and (items in self._kept or (learn and self._body.size <= MOST_WORDS)):
            inside = self._kept.get(items) or self._inside(items)
            self._rows[items] = None
            if inside is not None:
                row, ends = inside
                row.flags.writeable = False
                same, first = np.zeros(len(ends), np.int16), np.zeros(len(ends), np.bool_)
                local = self._keep_row(items, TerminalRow(row, self._exits(ends, same, first, row)))
                self.by_node.add(items[0][0], local, items)
                if self._keep:
                    self._kept[items] = inside
        return self._rows.get(items)

    def _inside(self, items: Items) -> Inside | None:
        """The tokens that stay inside, and the inner trie nodes where the expression may end; None if there are too
        many configurations on the way."""
        trie = self._trie
        row, ends = np.zeros(trie.words, np.uint32), np.empty(len(trie.arrays.byte) + 1, np.int64)
        limit = len(ends) + MOST_STATES * entries.CONFIGURATION
        scratch = handle(trie.scratch()[0]._replace(noted=ends))
        automaton = self.automaton
        where = (trie.handle, self._state(automaton, items), row, scratch, trie.branch(self._top), limit)
        cost = automaton.attempt(entries.fill_row, *where)
        return None if cost < 0 else Inside(row, ends[1 : 1 + ends[0]].copy())

    def _state(self, automaton: Configurations, items: Items) -> int:
        return automaton.gather([(self._first + node, START, attr) for node, attr in items])

    def bounded(self, node: int, count: int, low: int, high: int, learn: bool) -> TerminalRow | None:
        """The row of one item under bounds; `high` < 0 means none."""
        survey = self._survey(((node, 0),), learn)
        if survey is None:
            return None
        left = survey.most if high < 0 else min(high - count, survey.most)
        due = min(max(low - count, 0), survey.most + 1)
        key = (node, left, due)
        if key not in self._rows:
            fits = (survey.need >= 0) & (survey.need <= left) & (~survey.counts | (survey.need >= due))
            if survey.below is None:
                survey.below = self._exits(survey.exits, survey.units, survey.due)  # a count may cut off any token
            row = packed(fits, self._trie.words)
            self.by_node.add(node, self._keep_row(key, TerminalRow(row, survey.below, left, due, survey.most)))
        return self._rows[key]

    def _exits(
        self, ends: NDArray[np.int64], units: NDArray[np.int16], due: NDArray[np.bool_], inside: Row | None = None
    ) -> Exits | None:
        """What follows the nodes where the expression may end, but for subtrees all of whose tokens are `inside`, which
        are looked for where there are many nodes: that costs a pass over the vocabulary."""
        if not len(ends):
            return None
        trie, first, outside = self._trie.arrays, np.zeros(257, np.int64), self._trie.counted
        if inside is not None and len(ends) > MANY_EXITS:
            outside = np.zeros(len(trie.token) + 1, np.int32)
            allowed = np.unpackbits(inside.view(np.uint8), bitorder="little")
            np.cumsum(allowed[trie.token] == 0, out=outside[1:])
        where = (trie, self._trie.radix.nodes[:, BRANCH], ends, units, due, outside, first)
        found = find_exits(*where, nodes := np.empty((1 << 10, 4), np.int32))
        if found > len(nodes):
            find_exits(*where, nodes := np.empty((found, 4), np.int32))
        return Exits(first, nodes[:found].copy())

    def after(self, place: int) -> TerminalRow | None:
        """Of the state after a promised prefix: the tokens that stay inside, and a trie of all others as a whole."""
        key = ("after", prefix_at(place))
        if self._top:
            return None
        if key not in self._rows:
            automaton = self.automaton
            state = automaton.advance(START, prefix_at(place))
            whole = self._whole(automaton, state) if state else None
            self._rows[key] = None if whole is None else self._keep_row(key, whole)
        local = self._rows[key]
        if local is not None and place not in self._placed:
            self._placed.add(place)
            self.by_place.add(place, local)
        return local

    def stored(self) -> Stored:
        """What was surveyed, to be kept on disk."""
        found: Stored = dict(self._kept)
        for items, s in self._surveys.items():
            if s is not None:
                found[items] = (s.need, s.counts, s.exits, s.units, s.due, np.array(s.most))
        for key, local in self._rows.items():
            if isinstance(key, tuple) and key[0] == "after" and local is not None and local.trie is not None:
                found[key] = (*local.trie.arrays, local.row)
        return found

    @property
    def automaton(self) -> Configurations:
        """The configurations of the expression alone: those asked for last stay, to be asked about more states."""
        known = None if self._automaton is None else self._automaton()
        if known is None:
            networks = build_network(Grammar((Rule("terminal", Terminal(self._body.body)),)))
            self._first = int(networks.spans[0, SPAN_FIRST])
            known = Configurations(networks)
            self._automaton = weakref.ref(known)  # last: grammars on other threads share this terminal
        _awake.append(known)
        return known

    def _survey(self, items: Items, learn: bool) -> Survey | None:
        """None when it is not known and not to be learnt, or when a counted part can be counted in two ways."""
        if items not in self._surveys and learn and self._body.size <= MOST_WORDS:
            automaton = self.automaton
            self._surveys[items] = self._walk(automaton, self._state(automaton, items))[0]
        return self._surveys.get(items)

    def _walk(self, automaton: Configurations, state: int) -> tuple[Survey | None, NDArray[np.uint8]]:
        """The survey of a state, and 1 for each trie node where the expression may end."""
        n, size = len(self._trie.arrays.byte), self._trie.size
        need, counts = np.full(size, -1, np.int16), np.zeros(size, np.bool_)
        exits, leaves = np.empty((n, 3), np.int64), np.zeros(n, np.uint8)
        known, path = np.zeros((MOST_STATES, 2), np.int16), np.zeros((self._trie.longest + 2, PATH), np.uint64)
        out = (need, counts, exits, leaves, known, path)
        found = automaton.attempt(entries.survey, self._trie.handle, state, self._trie.branch(self._top), *out)
        if found < 0:
            return None, leaves
        exits = exits[:found]
        nodes, units, due = exits[:, 0].copy(), exits[:, 1].astype(np.int16), exits[:, 2] != 0
        most = max(int(need.max(initial=0)), int(units.max(initial=0)))
        return Survey(need, counts, nodes, units, due, most), leaves

    def _whole(self, automaton: Configurations, state: int) -> TerminalRow | None:
        survey, leaves = self._walk(automaton, state)
        if survey is None:
            return None
        trie, n = self._trie.arrays, len(self._trie.arrays.byte)
        on_path, beyond_ = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        mark_leaving(trie.depth, trie.skip, leaves, on_path, beyond_, np.zeros(self._trie.longest + 2, np.int64))
        beyond, nodes = beyond_ != 0, self._trie.nodes
        kept = beyond | (on_path != 0)
        kept[0] = True
        tokens = trie.token[beyond[nodes]]
        fits = survey.need >= 0
        fits[tokens] = False
        before = np.concatenate(([0], np.cumsum(kept))).astype(np.int32)
        counts = np.where(beyond, np.diff(trie.token_start), 0)[kept]
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        arrays = Trie(trie.byte[kept], trie.depth[kept], before[trie.skip[kept]], starts, tokens)
        left = TokenTrie(arrays, self._trie.longest, self._trie.size)
        return TerminalRow(packed(fits, self._trie.words), None, leaving=left.handle, trie=left)
