"""One sequence under a constraint: its state is one integer, so fork, rollback and snapshot copy ints.

`Constraint` is compiled and shared (every matcher of it profits from what the others explored); `Matcher` is running
and owned by one sequence. Costs: `accept` and `mask` of a state met before are a dictionary look-up; new ones cost what
automata/configurations.py and automata/masks.py say.

States have numbers of two kinds. The automaton's own are indices of its arrays; `compact` renumbers them, and matchers
with them. The numbers a constraint gives out (`Matcher.state`, `step`, `steps`) are never given twice: after `compact`
an older one still means its state if somebody pinned it, and raises StaleState if nobody did.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from structgen.ahead import Ahead, Prepared, prepare
from structgen.automata.budget import MEMOS
from structgen.automata.configurations import Configurations
from structgen.automata.trie import TokenTrie
from structgen.automata.words import words_of
from structgen.bits import row_of
from structgen.errors import LimitExceeded, OptionError, StaleState, TokenRejected, Unsatisfiable, VocabularyError
from structgen.grammars.ir import SPECIAL, Grammar, special_symbols
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.storage import write_grammar
from structgen.kernels.codes import NOT_TEXT
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.kernels.survey import fewest_tokens
from structgen.kinds import AnyGrammar, automaton_of, kind_of
from structgen.likely import likely_ways
from structgen.python_types.target import Target
from structgen.spelled import spelled_part, unspelled

if TYPE_CHECKING:
    from structgen.protocols import Encoder, LazyAutomaton, MaskSource
    from structgen.vocabulary import Vocabulary

__all__ = ["BEGUN", "Constraint", "Lease", "Matcher", "write_row"]

BEGUN = -1  # START once a token was read that is nothing but the leading blank (Vocabulary.leading_blank)
_FORCED_LIMIT = 1 << 16
_MOST_STEPS = 1 << 15  # transitions by token that are remembered: 5 MB
Row = NDArray[np.uint32]
T = TypeVar("T", default=Any)  # what a finished text is read as


class Constraint(Generic[T]):
    """A grammar compiled for a vocabulary: immutable in what it accepts, shared by threads, picklable.

    Attributes: `vocabulary`, `grammar`, `trie`, `fingerprint` (hash of grammar and vocabulary), `target` (what reads a
    finished text, None where the value is the text), `stop_symbols` (names of the stop tokens that the grammar asks
    for; where one completes the text it ends the output). States are ints: START
    begins (BEGUN is START behind a leading blank), DEAD is after what is not allowed, FINISHED after a stop token
    (kernels/layout.py); equal ints behave alike.
    Whoever holds an int beyond the life of a matcher holds a lease (`pin`).
    Raises Unsatisfiable when the grammar has no finite text, LimitExceeded when it is too large.
    """

    asks = False  # whether a state may have to be asked for, so that nobody steps in vain

    def __init__(
        self, grammar: AnyGrammar, vocabulary: Vocabulary, trie: TokenTrie, target: Target | None = None
    ) -> None:
        self._spelled = spelled_part(grammar, vocabulary)
        self.target = target
        self.grammar, self.vocabulary, self.trie = grammar, vocabulary, trie
        self.automaton, self.masks = self.parts()
        self._stops = frozenset(vocabulary.stop_ids)
        self._symbols = vocabulary.symbols
        self.stop_symbols = self._check_symbols()
        self._words = words_of(vocabulary)
        self._read: Callable[[int, int], int] | None = self.automaton.reader(self._words[0])
        self._size = vocabulary.size
        self._next: dict[int, int] = {}  # by state * size of the vocabulary + token: an int is nothing to collect
        self._first_row: Row | None = None
        self._matchers: weakref.WeakSet[Matcher] = weakref.WeakSet()
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._base = 0  # what is added to the automaton's numbers, so that none is given out twice
        self._pinned: dict[int, int] = {}  # numbers given out before the last compact -> the automaton's

    def parts(self) -> tuple[LazyAutomaton, MaskSource]:
        """A new automaton of the grammar, as far as tokens spell it, and its masks. A constraint that narrows another
        wraps what the other's gives."""
        automaton = self._automaton_of_spelled()
        return automaton, kind_of(self.grammar).masks(automaton, self.trie, self.vocabulary)

    def __repr__(self) -> str:
        what = "text" if self.target is None else self.target.name
        return f"Constraint({what}, {self.vocabulary.size} tokens)"

    @property
    def fingerprint(self) -> str:
        """Content hash: equal for equal grammars over equal vocabularies."""
        text = self.grammar.source if isinstance(self.grammar, LexedGrammar) else write_grammar(self.grammar)
        return hashlib.sha256(f"{self.vocabulary.fingerprint}|{text}".encode()).hexdigest()

    def matcher(self, state: int = START, *, ahead: Ahead | None = None) -> Matcher:
        """A new matcher before the first byte, or at a state. `ahead`: who is told where it comes to, and makes masks
        there before they are asked for. Raises StaleState."""
        MEMOS.used(self)
        return Matcher(self, (START if state == START else self._own(state),), ahead)

    def accepts(self, text: str | bytes) -> bool:
        """Whether `text` as a whole satisfies the constraint (no tokens involved)."""
        data = text.encode() if isinstance(text, str) else text
        return self._whole.is_accepting(self._whole.advance(START, data))

    @cached_property
    def _whole(self) -> LazyAutomaton:
        """The automaton of the grammar, what no tokens spell included."""
        return self.automaton if self._spelled is self.grammar else automaton_of(self.grammar)

    def _automaton_of_spelled(self) -> LazyAutomaton:
        try:
            return automaton_of(self._spelled)
        except Unsatisfiable:
            if self._spelled is self.grammar:
                raise
            whole = self._whole.shortest(START).decode("utf-8", "replace")
            missing = unspelled(whole, self.vocabulary)
            named = f", as it has no token for {missing[0]!r}" if missing else ""
            raise VocabularyError(f"the vocabulary spells no text of this constraint{named}") from None

    def sizes(self) -> dict[str, int]:
        """How large the compiled grammar is, by what it is made of."""
        return self.automaton.sizes()

    # ------------------------------------------------------------------------------------------------- states as ints

    def row(self, state: int) -> Row:
        """The mask of a state: read-only u32 (ceil(V / 32),), see Matcher.mask. Raises StaleState, as all of these."""
        with self.automaton.lock:
            return self._row(self._own(state))

    def loose_row(self, state: int) -> Row:
        """As `row`, but where tokens would have to be asked for (`asks`) it may have too many: see `tightened`."""
        return self.row(state)

    def tightened(self, state: int, row: Row, token: int) -> Row:
        """A loose row of a state, now exact for a token of it and for those that stand or fall with it."""
        return row

    def room(self, state: int) -> int:
        """Bytes that surely hold an end: `distance`, unless that would have to be asked for."""
        return self.distance(state)

    def fill_rows(self, states: Sequence[int], out: Any) -> None:
        """Write the masks of `states` into the rows of `out`: numpy or torch on the CPU, 32-bit integers, (n, words or
        more), cleared to its end. Raises OptionError if the shapes disagree."""
        if len(out) != len(states):
            raise OptionError(f"{len(states)} states for {len(out)} rows", option="out")
        for target, state in zip(_words_of(out), states, strict=True):
            write_row(self.row(state), target)

    def step(self, state: int, token: int) -> int:
        """The state after `token`, DEAD if it is not allowed."""
        with self.automaton.lock:
            return self._given(self._step(self._own(state), token))

    def steps(self, state: int, tokens: Iterable[int]) -> list[int]:
        """The states after each of `tokens`, up to the first that is not allowed."""
        with self.automaton.lock:
            return [self._given(own) for own in self._steps(self._own(state), tokens)]

    def is_accepting(self, state: int) -> bool:
        """Whether the text at a state is complete."""
        with self.automaton.lock:
            return self.automaton.is_accepting(_read_alike(self._own(state)))

    def distance(self, state: int) -> int:
        """Fewest bytes from a state to a complete text; 0 once finished."""
        with self.automaton.lock:
            return self.automaton.distance(_read_alike(self._own(state)))

    def shortest(self, state: int = START) -> bytes:
        """A byte-shortest completion. Raises LimitExceeded beyond a million bytes."""
        with self.automaton.lock:
            return self.automaton.shortest(_read_alike(self._own(state)))

    def expected(self, state: int = START) -> tuple[str, ...]:
        """What may come next at a state, in words, for messages."""
        with self.automaton.lock:
            return self.automaton.expected(_read_alike(self._own(state)))

    def read(self, state: int, data: bytes) -> int:
        """The state after bytes, however they split into tokens; DEAD if they are not allowed."""
        with self.automaton.lock:
            return self._given(self._read_bytes(self._own(state), data))

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        with self.automaton.lock:
            return self.automaton.live_bytes(_read_alike(self._own(state)))

    def forced(self, state: int) -> bytes:
        """The bytes that must come next whatever the model says: as long as one byte alone is possible and the text may
        not end. At most 65,536 of them."""
        with self.automaton.lock:
            return self._forced(self._own(state))

    def likely(self, state: int, last: int = 0) -> list[tuple[float, bytes]]:
        """The ways on that a text is likely to take behind byte `last` (0: none): what choosing each costs in bits, and
        its bytes (structgen/likely.py)."""
        automaton = self.automaton
        with automaton.lock:
            own = _read_alike(self._own(state))
            if isinstance(automaton, Configurations):
                return automaton.likely(own, last)
            return likely_ways(automaton, own, last)

    def prepare(self, seconds: float = 0.02, state: int = START) -> Prepared:
        """Spend so many seconds on mask rows that a text is likely to need behind a state (structgen/ahead.py): for
        times when nobody waits. What masks say does not change. Of a constraint that asks (monitors) nothing is made
        ahead."""
        return Prepared(0, 0.0, whole=False) if self.asks else prepare(self, seconds, state)

    def pin(self, states: Iterable[int]) -> Lease:
        """Hold states: their numbers mean the same until the lease is released, whatever is compacted."""
        MEMOS.used(self)
        return Lease(self, states)

    def _own(self, state: int) -> int:
        """The automaton's number of a state."""
        if 0 <= state <= START or (state == BEGUN and self.vocabulary.leading_blank):
            return state
        own = state - self._base
        if START < own < len(self.automaton):
            return own
        if state not in self._pinned:
            raise StaleState(state)
        return self._pinned[state]

    def _given(self, own: int) -> int:
        """The number that is given out for one of the automaton's."""
        return own + self._base if own > START else own

    # ------------------------------------------------------------------------------------------------------- memory

    @property
    def memo_bytes(self) -> int:
        """Bytes of the states met so far."""
        return self.automaton.nbytes

    def compact(self) -> bool:
        """Forget every state that no matcher can come back to and no lease holds.

        False where the kind of grammar does not allow it. Neither the matchers nor this constraint may be in use by
        another thread meanwhile. Masks stay what they are.
        """
        with self.automaton.lock:
            matchers = list(self._matchers)
            held = {state: self._own(state) for lease in self._leases for state in lease.states}
            size = len(self.automaton)
            states = {*held.values(), *(own for each in matchers for own in each._states)}
            new = self.automaton.compact(states - {BEGUN})
            if new is None:
                return False
            new = {**new, BEGUN: BEGUN}
            for matcher in matchers:
                matcher._states = [new[own] for own in matcher._states]
            self._base += size
            self._pinned = {state: new[own] for state, own in held.items() if state > START}
            self._next.clear()
            self._first_row = None
            self.masks.drop_rows()
        return True

    def release(self) -> bool:
        """compact(), if there is no matcher and no lease."""
        with self.automaton.lock:
            return not self._matchers and not self._leases and self.compact()

    # ----------------------------------------------------------------------------------- with the automaton's numbers

    def _step(self, own: int, token: int) -> int:
        """`step` between the automaton's own numbers. Remembers what it computed."""
        if not 0 <= token < self._size:
            return DEAD
        key = own * self._size + token
        known = self._next.get(key)
        if known is None:
            known = self._read_token(own, token)
            if len(self._next) > _MOST_STEPS:
                self._next.clear()
            self._next[key] = known
        return known

    def _steps(self, own: int, tokens: Iterable[int]) -> list[int]:
        """`steps` between the automaton's own numbers."""
        found: list[int] = []
        for token in tokens:
            own = self._step(own, int(token))
            if own == DEAD:
                break
            found.append(own)
        return found

    def _read_bytes(self, own: int, data: bytes) -> int:
        """The state after bytes, which are the text itself: no leading blank stands before them any more."""
        after = self.automaton.advance(_read_alike(own), data)
        return BEGUN if after == START and data and self.vocabulary.leading_blank else after

    def _read_token(self, own: int, token: int) -> int:
        if not self.vocabulary.leading_blank:
            return self._read_whole(own, token)
        text = self.vocabulary.token_bytes(token)
        if own != START or not text.startswith(b" ") or token in self._symbols:
            after = self._read_whole(_read_alike(own), token)
        elif len(text) == 1:
            return BEGUN
        else:
            after = DEAD if _odd(text) else self.automaton.advance(START, text[1:])
        return BEGUN if after == START else after

    def _read_whole(self, own: int, token: int) -> int:
        """The state after all of a token."""
        if self._read is not None:
            after = self._read(own, token)
            if after != NOT_TEXT:
                return after
        if token in self._symbols:
            after = self.automaton.advance(own, self._symbols[token])
            if token in self._stops and self.automaton.is_accepting(after):
                return FINISHED  # the grammar asks for this stop token, and nothing is missing behind it
            if after != DEAD:
                return after
        if token in self._stops:
            return FINISHED if self.automaton.is_accepting(own) else DEAD
        text = self.vocabulary.token_bytes(token)
        if not text or _odd(text):
            return DEAD
        return self.automaton.advance(own, text)

    def _row(self, own: int) -> Row:
        """The mask of a state; where the vocabulary has a leading blank, tokens at the start are read without it."""
        if own != START or not self.vocabulary.leading_blank:
            return self.masks.row(_read_alike(own))
        if self._first_row is None:
            blank, behind = np.array(self.vocabulary.blank_tokens, np.int64), self.vocabulary.behind_blanks
            near = blank[(behind < 0) | np.isin(behind, self.automaton.live_bytes(START))]
            size = self.vocabulary.size
            row = (self.masks.row(START) & ~row_of(blank, size)) | row_of(self.may_begin(near.tolist()), size)
            row.flags.writeable = False
            self._first_row = row
        return self._first_row

    def may_begin(self, tokens: Sequence[int]) -> list[int]:
        """Those of some tokens with which a text may begin."""
        return [token for token in tokens if self._step(START, token) != DEAD]

    def _forced(self, own: int) -> bytes:
        out, own = bytearray(), _read_alike(own)
        while len(out) < _FORCED_LIMIT and not self.automaton.is_accepting(own):
            live = self.automaton.live_bytes(own)
            if len(live) != 1:
                break
            out.append(live[0])
            own = self.automaton.advance(own, bytes(live))
        return bytes(out)

    def _check_symbols(self) -> tuple[str, ...]:
        """The stop tokens that the grammar uses as symbols. Raises VocabularyError when it uses a special token that
        the vocabulary does not have.
        """
        if not isinstance(self.grammar, Grammar) or not self.automaton.has_specials:
            return ()
        tokens = {text: token for token, text in self._symbols.items()}
        used = [(text, text[1:-1].decode()) for text in special_symbols(self.grammar)]
        for text, name in used:
            if text not in tokens:
                raise VocabularyError(
                    f"the grammar uses the special token {name!r}, which is not one token of this vocabulary"
                )
        return tuple(name for text, name in used if tokens[text] in self._stops)

    def spelled(self, text: bytes, *, begins: bool = False) -> list[int]:
        """Fewest tokens that spell `text`, whatever it is; `begins`: at the start of an output, where a vocabulary may
        have a leading blank that is no text. Raises LimitExceeded when none do."""
        if begins and self.vocabulary.leading_blank and text.startswith(b" "):
            text = b" " + text
        return [token for token, _ in self.split(text)]

    def split(self, text: bytes) -> list[tuple[int, int]]:
        """Fewest tokens that spell `text`, and where in it each ends. Raises LimitExceeded when none do."""
        data = np.frombuffer(text, np.uint8)
        best, choice = np.zeros(len(data) + 1, np.int64), np.zeros(len(data), np.int32)
        if not fewest_tokens(self.trie.arrays, data, best, choice):
            raise LimitExceeded("the vocabulary cannot spell the shortest completion", limit="vocabulary", allowed=0)
        found, at = list[tuple[int, int]](), 0
        while at < len(data):
            token = int(choice[at])
            at += len(self.spelling(token, symbol=data[at] == SPECIAL))
            found.append((token, at))
        return found

    def spelling(self, token: int, *, symbol: bool) -> bytes:
        """The bytes a token stands for in the automaton, as a symbol or as text."""
        return self._symbols[token] if symbol else self.vocabulary.token_bytes(token)


def _read_alike(own: int) -> int:
    """The automaton's number of a state: behind a leading blank it is what it was before."""
    return START if own == BEGUN else own


def _words_of(rows: Any) -> Row:
    """Rows of masks that a caller owns, numpy or torch on the CPU, as 32-bit words."""
    return (rows if isinstance(rows, np.ndarray) else rows.numpy()).view(np.uint32)


def write_row(row: Row, target: Row) -> None:
    """Write a mask into as many words or more; those behind it are cleared."""
    target[: len(row)] = row
    if len(target) > len(row):
        target[len(row) :] = 0


def _odd(text: bytes) -> bool:
    """Whether a text has the bytes that spell special tokens."""
    return b"\xff" in text or b"\xfe" in text


class Lease:
    """States of a constraint that somebody holds as ints: `states`, by the numbers they were pinned under.

    Holding ten thousand costs a set of ints. A lease ends with `release`, with its `with` block, or with itself.
    """

    __slots__ = ("__weakref__", "constraint", "states")

    def __init__(self, constraint: Constraint, states: Iterable[int]) -> None:
        self.constraint, self.states = constraint, set[int]()
        constraint._leases.add(self)
        self.add(states)

    def add(self, states: Iterable[int]) -> None:
        """Hold these as well. Raises StaleState."""
        with self.constraint.automaton.lock:
            for state in states:
                self.constraint._own(state)
                self.states.add(state)

    def release(self) -> None:
        """Hold nothing any more."""
        self.states.clear()
        self.constraint._leases.discard(self)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Matcher:
    """Follows one sequence. Not thread-safe; fork() for another sequence.

    Law: bit t of mask() is set if and only if accept(t) would succeed.
    """

    __slots__ = ("__weakref__", "_ahead", "_rows", "_states", "constraint")

    def __init__(self, constraint: Constraint, states: Sequence[int] = (START,), ahead: Ahead | None = None) -> None:
        self.constraint, self._ahead = constraint, ahead
        self._states, self._rows = list(states), constraint.masks.rows
        constraint._matchers.add(self)
        if ahead is not None:
            ahead.at(constraint, self.state)

    @property
    def state(self) -> int:
        """The whole state of the constraint, as one int: a number that `Constraint.row`, `step` and the others take."""
        return self.constraint._given(self._states[-1])

    def __repr__(self) -> str:
        end = "finished" if self.is_finished() else "complete" if self.is_accepting() else "unfinished"
        return f"Matcher({self.constraint!r}, {len(self)} taken, {end})"

    def __len__(self) -> int:
        """How many accepts can be rolled back."""
        return len(self._states) - 1

    def mask(self) -> NDArray[np.uint32]:
        """Read-only u32 (ceil(V / 32),): bit t % 32 of word t // 32 set = token t may come next.

        Stop tokens are set exactly when the text is complete, and where the grammar asks for one by name. All zero once
        finished.
        """
        own = self._states[-1]
        if own <= START:
            return self.constraint._row(own)
        row = self._rows.get(own)  # no call where masks are hot
        return self.constraint.masks.row(own) if row is None else row

    def fill_mask(self, row: Any) -> None:
        """Write the mask into a caller's row: numpy or torch, uint32 or int32, ceil(V / 32) words or more (cleared)."""
        write_row(self.mask(), _words_of(row))

    def accept(self, token: int) -> bool:
        """Take one token. False, and nothing changed, when it is not allowed."""
        token, states, constraint = int(token), self._states, self.constraint
        after = constraint._next.get(states[-1] * constraint._size + token) if 0 <= token < constraint._size else DEAD
        if after is None:
            after = constraint._step(states[-1], token)
        if after == DEAD:
            return False
        states.append(after)
        if self._ahead is not None:
            self._ahead.at(self.constraint, self.state)
        return True

    def accept_or_raise(self, token: int) -> None:
        """Take one token. Raises TokenRejected, and nothing changed, when it is not allowed."""
        if not self.accept(token):
            known = 0 <= token < self.constraint.vocabulary.size
            text = self.constraint.vocabulary.token_bytes(token) if known else b""
            raise TokenRejected(token, text=text, expected=self.expected())

    def accept_all(self, tokens: Iterable[int]) -> int:
        """Take tokens up to the first that is not allowed; how many were taken, each one step of rollback."""
        before = len(self)
        for token in tokens:
            if not self.accept(token):
                break
        return len(self) - before

    def valid_prefix(self, tokens: Iterable[int]) -> int:
        """How many of `tokens` could be taken one after the other; nothing is."""
        return len(self.constraint._steps(self._states[-1], tokens))

    def allows(self, tokens: Iterable[int]) -> NDArray[np.bool_]:
        """Which of `tokens` could come next, without computing a mask."""
        state = self._states[-1]
        return np.array([self.constraint._step(state, int(token)) != DEAD for token in tokens], np.bool_)

    def accept_bytes(self, data: bytes) -> bool:
        """Take bytes, however they split into tokens; one step of rollback. False, nothing changed, if impossible."""
        after = self.constraint._read_bytes(self._states[-1], data)
        if after == DEAD:
            return False
        self._states.append(after)
        return True

    def rollback(self, n: int = 1) -> None:
        """Undo the last n accepts. Raises ValueError when there are fewer."""
        if not 0 <= n < len(self._states):
            raise ValueError(f"cannot roll back {n} of {len(self)} steps")
        if n:
            del self._states[-n:]

    def fork(self) -> Matcher:
        """An independent matcher at the same place, with the same history."""
        return Matcher(self.constraint, self._states, self._ahead)

    def detached(self) -> Matcher:
        """An independent matcher at the same place without history: one int, however long the text is."""
        return Matcher(self.constraint, self._states[-1:], self._ahead)

    def is_accepting(self) -> bool:
        """The text so far is complete: a stop token is allowed."""
        return self.constraint.automaton.is_accepting(_read_alike(self._states[-1]))

    def is_finished(self) -> bool:
        """A stop token was accepted: nothing may follow."""
        return self._states[-1] == FINISHED

    def ends_here(self) -> bool:
        """The text is complete and nothing but its end can follow: the stop token need not be asked for."""
        return self.is_accepting() and not self.live_bytes()

    def forced_bytes(self) -> bytes:
        """The bytes that must come next whatever the model says: as long as one byte alone is possible and the text may
        not end. At most 65,536 of them."""
        return self.constraint._forced(self._states[-1])

    def forced_tokens(self, encoder: Encoder) -> list[int]:
        """How the tokenizer would begin the bytes that are forced, as far as the constraint takes it.

        A draft, not a law: the bytes are forced, their tokens are not. The last token stays out where the text goes on
        behind it, since the tokenizer might have joined it with what comes.
        """
        data = self.forced_bytes()
        text = data.decode("utf-8", "ignore")
        own = self.constraint.automaton.advance(_read_alike(self._states[-1]), data)
        tokens = encoder.tokens_of(text)
        ends = len(text.encode()) == len(data) and self.constraint.automaton.live_bytes(own) == []
        drafted = tokens if ends else tokens[:-1]
        return list(drafted[: self.valid_prefix(drafted)])

    def live_bytes(self) -> list[int]:
        """The bytes that may come next, ascending."""
        return self.constraint.automaton.live_bytes(_read_alike(self._states[-1]))

    def shortest_bytes(self) -> bytes:
        """A byte-shortest completion; empty when already complete. Raises LimitExceeded beyond a million bytes."""
        return b"" if self.is_finished() else self.constraint.automaton.shortest(_read_alike(self._states[-1]))

    def shortest_completion(self) -> list[int]:
        """Fewest tokens that spell a byte-shortest completion (no stop token); [] when already complete.

        Raises LimitExceeded when that completion has more than a million bytes or no tokens spell it.
        """
        return self.constraint.spelled(self.shortest_bytes(), begins=self._states[-1] == START)

    def bytes_to_accept(self) -> int:
        """Fewest bytes to a complete text: known of every state, so this is a look-up. 0 once finished."""
        return self.constraint.automaton.distance(_read_alike(self._states[-1]))

    def tokens_to_accept(self) -> int:
        """How many tokens shortest_completion() takes: a number that can always be reached (stop token not counted)."""
        return len(self.shortest_completion())

    def expected(self) -> tuple[str, ...]:
        """What may come next, in words, for messages."""
        return self.constraint.automaton.expected(_read_alike(self._states[-1]))
