"""One sequence in the scheduler of another engine: masks into its rows, tokens it drew or drafted, and the way back.

What schedulers ask for beyond a `Matcher`:

    stops     a request's own stop ids beside the vocabulary's: each is allowed where the text is complete, or where it
              completes the text as a symbol of the grammar, and nowhere else
    the end   tokens that are taken behind it change nothing, and can be rolled back
    budget    a request has so many tokens: `steer` ends it with a complete text
    errors    an exception in a scheduler ends the engine, so none leaves `fill` and `take`: such a sequence may only
              stop, and its next token is refused, which ends that request with an error

A scheduler cannot take back what it has sent to a client, so a budget is not kept by going back to the last whole
value, as engines/steering.py does. Near the end only those tokens stay allowed behind which a completion still fits.
Where too many are allowed to look at each, those are looked at that may begin something long (with a quotation mark,
which may end a string, or an opening bracket), and the shortest completion is written as soon as it barely fits. What
a text needs is looked at in time, not at every token: a token behind which more is needed than is left by then makes
the sequence end for length, as it would without.

Cost: `fill` copies a row and `take` is a look-up of a step, a microsecond each. Near the end of a budget some
completions are spelled in tokens, each once a state of a constraint.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.bits import ids_of, row_of, with_bits
from structgen.engines.steering import leaves_room
from structgen.errors import VocabularyError
from structgen.matcher import Constraint, Matcher
from structgen.memory import Held, register
from structgen.vocabulary import Vocabulary

__all__ = ["Follower"]

_NEAR = 24  # tokens more than the bytes that are needed: from here on every step looks at what still fits
_FEW = 128  # allowed tokens that are looked at one by one
_MOST_ENDS = 512  # of those that may begin something long, where more than a few are allowed
_ROOM = 16  # tokens more than are needed from which on more than a few stay allowed without a look
_BARELY = 6  # tokens more than are needed when the rest is written without choice
_MOST_STATES = 20_000  # of which something is remembered, by constraint

Row = NDArray[np.uint32]
_log = logging.getLogger("structgen")


Ways = tuple[NDArray[np.int64], NDArray[np.int64]]  # tokens, and the bytes that are needed behind each


class _Known(NamedTuple):
    """Of the states of a constraint near the end of a budget: tokens of the shortest completion, and `_ways`."""

    distances: dict[int, int]
    ways: dict[int, Ways | None]


_known: weakref.WeakKeyDictionary[Constraint, _Known] = weakref.WeakKeyDictionary()
register("integrations.follower.known", lambda: Held(sum(len(each.ways) for each in _known.values())), _known.clear)


class Follower:
    """Follows one sequence. Not thread-safe, as matchers are not.

    `stops` are the request's stop ids; those of the vocabulary are stops anyway. `error` is what went wrong, if
    anything did; from then on the sequence may only stop.
    """

    __slots__ = ("_ahead", "_beyond", "_count", "_end", "_limit", "_look", "_stops", "error", "matcher")

    def __init__(self, matcher: Matcher, stops: Iterable[int] = ()) -> None:
        self.matcher = matcher
        vocabulary = matcher.constraint.vocabulary
        known = {stop for stop in stops if 0 <= stop < vocabulary.size}
        self._stops = frozenset(known - set(vocabulary.stop_ids))
        self._beyond = 0  # tokens taken that the matcher has not
        self._end: int | None = None  # how many were taken when the sequence ended
        self._limit: int | None = None  # tokens that may be written
        self._count: Callable[[], int] | None = None  # tokens that are written
        self._ahead, self._look = 0, 0  # tokens that were written before the first; from how many on to look again
        self.error: Exception | None = None

    def __len__(self) -> int:
        """Tokens that can be rolled back."""
        return len(self.matcher) + self._beyond

    @property
    def is_finished(self) -> bool:
        """A stop token was taken."""
        return self._end is not None

    def fork(self) -> Follower:
        """An independent one at the same place, for another sequence: without a budget."""
        other = Follower(self.matcher.fork(), self._stops)
        other._beyond, other._end, other.error = self._beyond, self._end, self.error
        return other

    def steer(self, limit: int, count: Callable[[], int] | None = None) -> None:
        """End with a complete text within `limit` tokens, the stop token among them.

        `count` says how many the engine has counted, where some are written before the first that comes here.
        """
        self._limit, self._count = limit, count

    # ------------------------------------------------------------------------------------------------------ the engine

    def fill(self, row: Row) -> None:
        """Write what may come next into u32 (words or more,), cleared to its end. Raises nothing."""
        mask = None
        if self._end is None and self.error is None:
            try:
                mask = self.matcher.mask()
                if self._stops:
                    mask = self._with_stops(mask)
                if self._limit is not None and len(self) >= self._look:
                    mask = self._steered(mask)
            except Exception as error:  # noqa: BLE001 - it ends this sequence, not the engine
                self._fail(error)
                mask = None
        if mask is None:
            mask = row_of(self._ends, self.matcher.constraint.vocabulary.size)
        row[: len(mask)] = mask
        if len(row) > len(mask):
            row[len(mask) :] = 0

    def take(self, token: int) -> bool:
        """Take one token; False, and nothing changed, where it is not allowed. Raises nothing."""
        if self._end is not None:
            self._beyond += 1
            return True
        if self.error is not None:
            return False
        try:
            if token in self._stops:
                return self._stop(token)
            if not self.matcher.accept(token):
                return False
            if self.matcher.is_finished():
                self._end = len(self)
        except Exception as error:  # noqa: BLE001 - it ends this sequence, not the engine
            self._fail(error)
            return False
        return True

    def take_all(self, tokens: Sequence[int]) -> bool:
        """Take all of several tokens, or none."""
        for place, token in enumerate(tokens):
            if not self.take(token):
                self.back(place)
                return False
        return True

    def allowed(self, tokens: Sequence[int]) -> int:
        """How many of several tokens could be taken one after the other, up to a stop; none is."""
        if self._end is not None or self.error is not None:
            return 0
        if not self._stops:
            try:
                return self.matcher.valid_prefix(tokens)
            except Exception as error:  # noqa: BLE001 - it ends this sequence, not the engine
                self._fail(error)
                return 0
        taken = 0
        while taken < len(tokens) and not self.is_finished and self.take(tokens[taken]):
            taken += 1
        self.back(taken)
        return taken

    def back(self, count: int) -> None:
        """Undo the last tokens. Raises ValueError when there are fewer."""
        beyond = min(count, self._beyond)
        self.matcher.rollback(count - beyond)
        self._beyond -= beyond
        if self._end is not None and len(self) < self._end:
            self._end = None
        self._look = min(self._look, len(self))

    # ----------------------------------------------------------------------------------------------------------- stops

    def _stop(self, token: int) -> bool:
        """Take one of the request's stops."""
        complete = self.matcher.is_accepting()
        if self.matcher.accept(token):  # it is text or a symbol besides
            if self.matcher.is_accepting() or self.matcher.is_finished():
                self._end = len(self)
                return True
            self.matcher.rollback()
        if not complete:
            return False
        self._beyond += 1
        self._end = len(self)
        return True

    def _with_stops(self, mask: Row) -> Row:
        """The mask with the request's stops set where they may come."""
        complete, steps = self.matcher.is_accepting(), self.matcher.constraint
        ends = [complete or steps.is_accepting(steps.step(self.matcher.state, token)) for token in self._stops]
        mask = with_bits(mask, [token for token, end in zip(self._stops, ends, strict=True) if end], True)
        mask = with_bits(mask, [token for token, end in zip(self._stops, ends, strict=True) if not end], False)
        if not mask.any():
            raise VocabularyError(f"the request ends at tokens {sorted(self._stops)}, without which nothing can come")
        return mask

    @property
    def _ends(self) -> list[int]:
        return [*self.matcher.constraint.vocabulary.stop_ids, *self._stops]

    def _fail(self, error: Exception) -> None:
        self.error = error
        _log.exception("a constraint failed; its sequence ends", exc_info=error)

    # ---------------------------------------------------------------------------------------------------------- budget

    def _steered(self, mask: Row) -> Row:
        """The mask without what leaves no room to the end; itself where there is room enough, or none at all."""
        assert self._limit is not None
        if self._count is not None:
            self._ahead = max(self._ahead, self._count() - len(self))  # less while drafts are tried: exact when none is
        left = self._limit - self._ahead - len(self)
        spare = left - self.matcher.bytes_to_accept() - _NEAR
        if spare > 0:
            self._look = len(self) + max(1, spare // 8)
            return mask
        size, known = self.matcher.constraint.vocabulary.size, self._known()
        if not leaves_room(self.matcher, left, known.distances):
            return mask
        ways, few = self._ways(mask, known), True
        if ways is None:
            if leaves_room(self.matcher, left - _ROOM, known.distances):
                return mask
            ways, few = (
                self._ways_of(ids_of(mask & _structural(self.matcher.constraint.vocabulary))[:_MOST_ENDS]),
                False,
            )
        tokens, needed = ways
        short = tokens[needed >= left - 1].tolist()
        out = [token for token in short if not self._fits(token, left - 1, known.distances)]
        if few or leaves_room(self.matcher, left - _BARELY, known.distances):
            return with_bits(mask, out, False) if out else mask
        return row_of(self.matcher.shortest_completion()[:1] or self._ends, size)

    def _ways(self, mask: Row, known: _Known) -> Ways | None:
        """All tokens that are allowed here; None where they are too many."""
        state = self.matcher.state
        if self._stops or state not in known.ways:
            tokens = ids_of(mask)
            found = self._ways_of(tokens) if len(tokens) <= _FEW else None
            if self._stops:  # another mask than the state's
                return found
            known.ways[state] = found
        return known.ways[state]

    def _ways_of(self, tokens: NDArray[np.int64]) -> Ways:
        needed = np.zeros(len(tokens), np.int64)
        for place, token in enumerate(tokens.tolist()):
            if self.matcher.accept(token):  # not: a stop of the request, behind which nothing is needed
                needed[place] = self.matcher.bytes_to_accept()
                self.matcher.rollback()
        return tokens, needed

    def _fits(self, token: int, left: int, distances: dict[int, int]) -> bool:
        """Whether an end of more than `left` bytes fits behind one of the allowed tokens: in so many tokens."""
        if not self.matcher.accept(token):
            return True
        fits = self.matcher.is_finished() or leaves_room(self.matcher, left, distances)
        self.matcher.rollback()
        return fits

    def _known(self) -> _Known:
        """What all sequences of the constraint know of its states."""
        constraint = self.matcher.constraint
        found = _known.get(constraint)
        if found is None or len(found.distances) + len(found.ways) > _MOST_STATES:
            found = _known[constraint] = _Known({}, {})  # another: threads may be reading the one that was
        return found


@lru_cache(maxsize=8)
def _structural(vocabulary: Vocabulary) -> Row:
    """The tokens that have a quotation mark or an opening bracket in them."""
    raw = np.frombuffer(vocabulary.data, np.uint8)
    at = np.searchsorted(vocabulary.offsets, np.flatnonzero(np.isin(raw, list(b'"[{'))), side="right") - 1
    return row_of(np.unique(at), vocabulary.size)
