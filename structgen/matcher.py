"""One sequence under a constraint: its state is one integer, so fork, rollback and snapshot copy ints.

`Constraint` is compiled and shared (every matcher of it profits from what the others explored); `Matcher` is running
and owned by one sequence. Costs: `accept` and `mask` of a state met before are a dictionary look-up; new ones cost what
automata/configurations.py and automata/masks.py say.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.budget import MEMOS
from structgen.automata.build import AnyGrammar
from structgen.automata.configurations import Configurations
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.automata.trie import TokenTrie
from structgen.errors import LimitExceeded, VocabularyError
from structgen.grammars.ir import SPECIAL, special_symbols
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.storage import write_grammar
from structgen.kernels.entries import ODD
from structgen.kernels.handles import handle
from structgen.kernels.layout import DEAD, FINISHED, START, Words
from structgen.kernels.survey import fewest_tokens
from structgen.unique.automaton import Automaton, automaton_of, expected
from structgen.unique.masks import masks_of

if TYPE_CHECKING:
    from structgen.vocabulary import Vocabulary

__all__ = ["Constraint", "Matcher"]

_FORCED_LIMIT = 1 << 16


class Constraint:
    """A grammar compiled for a vocabulary: immutable in what it accepts, shared by threads, picklable.

    Attributes: `vocabulary`, `grammar`, `fingerprint` (hash of both), `configurations` (the lazy automaton).
    Raises Unsatisfiable when the grammar has no finite text, LimitExceeded when it is too large.
    """

    def __init__(self, grammar: AnyGrammar, vocabulary: Vocabulary, trie: TokenTrie) -> None:
        self.grammar, self.vocabulary, self.trie = grammar, vocabulary, trie
        self.configurations = automaton_of(grammar)
        self.masks = masks_of(self.configurations, trie, vocabulary)
        self._stops = frozenset(vocabulary.stop_ids)
        self._symbols = vocabulary.symbols
        self._check_symbols()
        self._texts = _words(vocabulary) if isinstance(self.configurations, Configurations) else None
        self._words: Any = None if self._texts is None else self._texts[0]
        self._next: dict[int, int] = {}  # by state * size of the vocabulary + token: an int is nothing to collect
        self._matchers: weakref.WeakSet[Matcher] = weakref.WeakSet()

    @property
    def fingerprint(self) -> str:
        """Content hash: equal for equal grammars over equal vocabularies."""
        text = self.grammar.source if isinstance(self.grammar, LexedGrammar) else write_grammar(self.grammar)
        return hashlib.sha256(f"{self.vocabulary.fingerprint}|{text}".encode()).hexdigest()

    def matcher(self) -> Matcher:
        """A new matcher before the first byte."""
        MEMOS.used(self)
        return Matcher(self)

    @property
    def memo_bytes(self) -> int:
        """Bytes of the configurations met so far."""
        return self.configurations.nbytes

    def compact(self) -> bool:
        """Forget every state that no matcher can come back to; False where the kind of grammar does not allow it.

        The states of all matchers are renumbered, so none of them may be in use by another thread, and numbers read
        from `Matcher.state` before mean nothing afterwards. Masks stay what they are.
        """
        if not isinstance(self.configurations, Configurations):
            return False
        with self.configurations.lock:
            matchers = list(self._matchers)
            new = self.configurations.compact({state for matcher in matchers for state in matcher._states})
            for matcher in matchers:
                matcher._states = [new[state] for state in matcher._states]
            self._next = {}
            self.masks.drop_rows()  # type: ignore[union-attr]
        return True

    def release(self) -> bool:
        """compact(), if there is no matcher."""
        with self.configurations.lock:
            return not self._matchers and self.compact()

    def next_state(self, state: int, token: int) -> int:
        """The state after `token`, DEAD if it is not allowed. Remembers what it computed."""
        size = self.vocabulary.size
        if not 0 <= token < size:
            return DEAD
        key = state * size + token
        known = self._next.get(key)
        if known is None:
            known = self._next_state(state, token)
            if len(self._next) > 200_000:
                self._next.clear()
            self._next[key] = known
        return known

    def _next_state(self, state: int, token: int) -> int:
        if self._words is not None:
            after: int = self.configurations.read(state, self._words, token)  # type: ignore[union-attr]
            if after != ODD:
                return after
        if token in self._stops:
            return FINISHED if self.configurations.is_accepting(state) else DEAD
        if token in self._symbols:
            after = self.configurations.advance(state, self._symbols[token])
            if after != DEAD:
                return after
        text = self.vocabulary.token_bytes(token)
        if not text or b"\xff" in text or b"\xfe" in text:  # the bytes that spell special tokens
            return DEAD
        return self.configurations.advance(state, text)

    def _check_symbols(self) -> None:
        """Raise VocabularyError when the grammar uses a special token that the vocabulary does not have."""
        grammar = self.grammar
        if isinstance(grammar, LexedGrammar) or not _uses_symbols(self.configurations):
            return
        have = set(self._symbols.values())
        for text in special_symbols(grammar):
            if text not in have:
                name = text[1:-1].decode()
                why = "ends a text" if name in self.vocabulary.names else "is not one token of this vocabulary"
                raise VocabularyError(f"the grammar uses the special token {name!r}, which {why}")

    def spelling(self, token: int, *, symbol: bool) -> bytes:
        """The bytes a token stands for in the automaton, as a symbol or as text."""
        return self._symbols[token] if symbol else self.vocabulary.token_bytes(token)

    def accepts(self, text: str | bytes) -> bool:
        """Whether `text` as a whole satisfies the constraint (no tokens involved)."""
        data = text.encode() if isinstance(text, str) else text
        return self.configurations.is_accepting(self.configurations.advance(START, data))


@lru_cache(maxsize=16)
def _words(vocabulary: Vocabulary) -> tuple[Any, Words]:
    """The texts of a vocabulary as kernels read them: a handle, and the arrays, which whoever uses it keeps alive: the
    vocabulary that they belong to may be another one with the same tokens."""
    words = Words(np.frombuffer(vocabulary.data or b"\0", np.uint8), vocabulary.spans)
    return handle(words), words


def _uses_symbols(automaton: Automaton) -> bool:
    return not isinstance(automaton, LexedConfigurations) and automaton.networks.special


class Matcher:
    """Follows one sequence. Not thread-safe; fork() for another sequence.

    Law: bit t of mask() is set if and only if accept(t) would succeed.
    """

    __slots__ = ("__weakref__", "_states", "constraint")

    def __init__(self, constraint: Constraint, states: Sequence[int] = (START,)) -> None:
        self.constraint = constraint
        self._states = list(states)
        constraint._matchers.add(self)

    @property
    def state(self) -> int:
        """The whole state of the constraint, as one int."""
        return self._states[-1]

    def __len__(self) -> int:
        """How many accepts can be rolled back."""
        return len(self._states) - 1

    def mask(self) -> NDArray[np.uint32]:
        """Read-only u32 (ceil(V / 32),): bit t % 32 of word t // 32 set = token t may come next.

        Stop tokens are set exactly when the text is complete. All zero once finished.
        """
        return self.constraint.masks.row(self._states[-1])

    def fill_mask(self, row: Any) -> None:
        """Write the mask into a caller's row: numpy or torch, uint32 or int32, ceil(V / 32) words or more (cleared)."""
        target = row if isinstance(row, np.ndarray) else row.numpy()
        words, mask = target.view(np.uint32), self.mask()
        words[: len(mask)] = mask
        words[len(mask) :] = 0

    def accept(self, token: int) -> bool:
        """Take one token. False, and nothing changed, when it is not allowed."""
        after = self.constraint.next_state(self._states[-1], int(token))
        if after == DEAD:
            return False
        self._states.append(after)
        return True

    def allows(self, tokens: Iterable[int]) -> NDArray[np.bool_]:
        """Which of `tokens` could come next, without computing a mask."""
        state = self._states[-1]
        return np.array([self.constraint.next_state(state, int(token)) != DEAD for token in tokens], np.bool_)

    def accept_bytes(self, data: bytes) -> bool:
        """Take bytes, however they split into tokens; one step of rollback. False, nothing changed, if impossible."""
        after = self.constraint.configurations.advance(self._states[-1], data)
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
        return Matcher(self.constraint, self._states)

    def is_accepting(self) -> bool:
        """The text so far is complete: a stop token is allowed."""
        return self.constraint.configurations.is_accepting(self._states[-1])

    def is_finished(self) -> bool:
        """A stop token was accepted: nothing may follow."""
        return self._states[-1] == FINISHED

    def forced_bytes(self) -> bytes:
        """The bytes that must come next whatever the model says: as long as one byte alone is possible and the text may
        not end. At most 65,536 of them."""
        configurations, state, out = self.constraint.configurations, self._states[-1], bytearray()
        while len(out) < _FORCED_LIMIT and not configurations.is_accepting(state):
            live = configurations.live_bytes(state)
            if len(live) != 1:
                break
            out.append(live[0])
            state = configurations.advance(state, bytes(live))
        return bytes(out)

    def shortest_completion(self) -> list[int]:
        """Fewest tokens that spell a byte-shortest completion (no stop token); [] when already complete.

        Raises LimitExceeded when that completion has more than a million bytes or no tokens spell it.
        """
        if self.is_finished():
            return []
        data = np.frombuffer(self.constraint.configurations.shortest(self._states[-1]), np.uint8)
        best, choice = np.zeros(len(data) + 1, np.int64), np.zeros(len(data), np.int32)
        if not fewest_tokens(self.constraint.trie.arrays, data, best, choice):
            raise LimitExceeded("the vocabulary cannot spell the shortest completion", limit="vocabulary", allowed=0)
        tokens, at = [], 0
        while at < len(data):
            tokens.append(int(choice[at]))
            at += len(self.constraint.spelling(tokens[-1], symbol=data[at] == SPECIAL))
        return tokens

    def bytes_to_accept(self) -> int:
        """Fewest bytes to a complete text: known of every state, so this is a look-up. 0 once finished."""
        return self.constraint.configurations.distance(self._states[-1])

    def tokens_to_accept(self) -> int:
        """How many tokens shortest_completion() takes: a number that can always be reached (stop token not counted)."""
        return len(self.shortest_completion())

    def expected(self) -> tuple[str, ...]:
        """What may come next, in words, for messages."""
        return expected(self.constraint.configurations, self._states[-1])
