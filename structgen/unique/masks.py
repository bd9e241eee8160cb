"""Mask rows where elements of arrays must differ: the grammar's row, minus tokens after which no way leads on.

Only tokens are tried that may make the present element equal to an earlier one, or end it: those with structure, and of
strings and numbers those that begin like one that was written. Where values may run out, every token is.

Cost: 20 µs a token that is tried, tens to hundreds of them in such arrays (verdicts.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import ROWS, RowBudget
from structgen.automata.masks import MaskTable
from structgen.automata.words import words_of
from structgen.bits import ids_of, row_of
from structgen.gc_pause import collector_paused
from structgen.unique.automaton import DistinctConfigurations
from structgen.unique.repeats import may_repeat
from structgen.unique.tokens import TokenClasses, token_classes
from structgen.unique.trace import INSIDE, NO_VALUE, OUTSIDE, Trace
from structgen.unique.values import (
    Number,
    digits_ahead,
    kind_of,
    numbers_of,
    open_string,
    pending_bytes,
    spellings,
    strings_of,
)
from structgen.unique.verdicts import Verdicts
from structgen.vocabulary import Vocabulary

__all__ = ["DistinctMasks"]

Row = NDArray[np.uint32]
NUMERIC = tuple(bytes((byte,)) for byte in b"-0123456789")
NO_TOKENS = np.zeros(0, np.int64)


class DistinctMasks:
    """Mask rows of pairs; see the module."""

    def __init__(
        self,
        configurations: DistinctConfigurations,
        masks: MaskTable,
        vocabulary: Vocabulary,
        *,
        budget: RowBudget = ROWS,
    ) -> None:
        self._configurations, self._masks, self._classes = configurations, masks, token_classes(vocabulary)
        self._words = words_of(vocabulary)
        self._verdicts = Verdicts(configurations, self._classes, masks.ends)
        self._budget, self._me = budget, budget.owner(self)
        self.rows: dict[int, Row] = {}

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self.rows.get(state)
        if row is None:
            with self._configurations.lock:
                row = self.rows[state] = self._compute(state)
        return row

    def drop_rows(self) -> None:
        """Forget all rows; whoever asks for one has it computed again."""
        self._budget.forget(self._me)
        self._masks.drop_rows()
        self.rows.clear()

    def _compute(self, state: int) -> Row:
        config, trace = self._configurations.pairs[state]
        base, classes = self._masks.row(config), self._classes
        doubtful = base & self._doubtful(trace, classes) & classes.nonempty
        if not trace.watched:  # receipt: 168 tokens that hold a bracket, in a string: a mask 1,100 -> 50 us
            opening = self._configurations.opening(state, self._words[0], ids_of(doubtful))
            doubtful = row_of(opening, len(classes.texts)) if len(opening) else classes.none
        return self._without(state, base, doubtful) if doubtful.any() else base

    @collector_paused()
    def _without(self, state: int, base: Row, doubtful: Row) -> Row:
        """A row without those doubtful tokens after which no way leads on."""
        row = base & ~row_of(self._verdicts.dead(state, ids_of(doubtful)), len(self._classes.texts))
        row.flags.writeable = False
        self._budget.added(self._me, row.nbytes)
        return row

    def _doubtful(self, trace: Trace, classes: TokenClasses) -> Row:
        """The tokens that might repeat an element, or leave none to write."""
        if not trace.watched:  # only what opens a container, and ends an element of it
            if self._configurations.may_run_out_at_once:
                return classes.openers
            return classes.two_elements & classes.openers
        if any(frame.may_run_out for frame in trace.frames):
            return classes.nonempty
        found = classes.two_elements
        if self._configurations.may_run_out_at_once:
            found = found | classes.openers
        if trace.lex != OUTSIDE:
            found = classes.beyond if trace.lex == INSIDE else found & classes.with_quote
        if any(frame.may_run_out_next for frame in trace.frames):  # what ends an element asks for another
            found = found | (classes.separators if trace.lex == OUTSIDE else classes.separators & classes.with_quote)
        comparing = trace.comparing
        if not comparing:
            return found
        is_begun = len(trace.frames) - 1 > comparing[-1] or bool(trace.text) or trace.done != NO_VALUE
        if not is_begun or may_repeat(trace):
            keys = set(trace.compared)
            found = found | (
                self._outside(trace.text, keys) if trace.lex == OUTSIDE else self._inside(trace.text, keys)
            )
            if trace.text and trace.lex == OUTSIDE:
                found = found | classes.blank  # which end a number
        return found | self._names_again(trace)

    def _names_again(self, trace: Trace) -> Row:
        """Tokens that begin or go on with the name of a member that was written: it may be written again."""
        frame, classes = trace.frames[-1], self._classes
        if frame.is_list or not frame.is_valued or frame.name is not None or not frame.parts:
            return classes.none
        if trace.lex == OUTSIDE:
            return self._openings({str(name) for name in frame.seen})
        return self._inside(trace.text, set(frame.seen))

    def _openings(self, strings: Iterable[str]) -> Row:
        """Tokens that begin a string like one of these."""
        classes = self._classes
        heads = {each[:size] for each in strings for size in range(min(len(each), classes.longest_opening) + 1)}
        members = (token for head in heads for token in classes.openings.get(head, ()))
        return row_of(members, len(classes.texts))

    def _outside(self, text: bytes, keys: set[Hashable]) -> Row:
        """Tokens that end an element, and that begin a string, number or literal like one of an earlier element."""
        classes = self._classes
        found = classes.separators | classes.openers | classes.closing
        if any(kind_of(key) != "string" for key in keys):
            found = found | classes.literal
        known = frozenset[Number]().union(*map(numbers_of, keys))
        if known:
            repeated = self._repeated_numbers(text, known)
            found = found | classes.marks | row_of(repeated, len(classes.texts))
        return found | self._openings(frozenset[str]().union(*map(strings_of, keys)))

    def _inside(self, text: bytes, keys: set[Hashable]) -> Row:
        """Tokens that go on like a string of an earlier element, or end the one that is open alike. One that no earlier
        element holds makes the element new: tokens that end it so are as safe as those behind it, `two_elements` apart.
        """
        classes = self._classes
        begun, is_whole = open_string(text)
        rests = {each[len(begun) :] for key in keys for each in strings_of(key) if each.startswith(begun)}
        if not is_whole:
            resuming = self._resuming(text, rests)
            return (classes.two_elements & classes.with_quote) | row_of(resuming, len(classes.texts))
        heads = {rest[:size] for rest in rests for size in range(min(len(rest), classes.longest_escape) + 1)}
        members = [token for token, start in classes.escapes.items() if start in heads]
        for rest in rests:
            members += classes.spelled(rest.encode("utf-8", "surrogatepass"))
        members += (token for rest in rests for token in classes.closings.get(rest, ()))
        return classes.opaque | classes.beyond | row_of(members, len(classes.texts))

    def _resuming(self, text: bytes, rests: set[str]) -> set[int]:
        """Tokens that complete a character, of which the text has some bytes, to the first of a rest, or lead to it,
        and go on like the rest if they go on."""
        classes, pending, members = self._classes, pending_bytes(text).lower(), set[int]()
        further: dict[str, list[bytes]] = {}  # by the character that is completed
        for rest in filter(None, rests):
            further.setdefault(rest[0], []).append(rest[1:].encode("utf-8", "surrogatepass")[: classes.longest_token])
        for character, behind in further.items():
            for spelled in map(bytes.lower, spellings(character)):
                way = spelled[len(pending) :]
                if not way or not spelled.startswith(pending):
                    continue
                is_hex = spelled.startswith(b"\\u")
                for first in {*way[:1], *way[:1].upper()}:
                    for token in classes.marked.get(first, NO_TOKENS).tolist():
                        if way.startswith(classes.texts[token][: len(way)].lower()):
                            members.add(token)
                ways = map(bytes, product(*({byte, *bytes((byte,)).upper()} for byte in way))) if is_hex else (way,)
                for begins, after in product(ways, behind):
                    members.update(classes.spelled(begins + after))
        return members

    def _repeated_numbers(self, text: bytes, known: frozenset[Number]) -> list[int]:
        """Tokens of digits after which the number that is begun may be a known one. After any other it never is."""
        classes, found = self._classes, list[int]()
        begun = text.decode() if text[:1] in NUMERIC else ""
        for number in known:
            ahead = digits_ahead(begun, number, classes.longest)
            if ahead is not None:
                if ahead.any_digits:
                    return list(chain.from_iterable(classes.numbers.values()))
                found += self._prefixes(ahead.digits, after_zeros=ahead.after_zeros)
        return found

    def _prefixes(self, digits: str, *, after_zeros: bool) -> Iterator[int]:
        """The tokens of digits that these begin with; `after_zeros`: or zeros and such digits."""
        classes = self._classes
        table = classes.headless if after_zeros else classes.numbers
        for size in range(0 if after_zeros else 1, min(len(digits), classes.longest) + 1):
            yield from table.get(digits[:size], ())
