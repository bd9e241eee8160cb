"""Arrays whose elements must differ (uniqueItems), objects whose keys must: the residual check beside the automaton.

What has been written is beyond a finite automaton, so a state here is a pair: a configuration of the grammar and a
trace of the JSON text (json_trace.py). Pairs are numbered, and `DistinctConfigurations` and `DistinctMasks` answer the
same questions about these numbers as `Configurations` and `MaskTable` do about theirs: to a matcher the state is one
integer still, and fork, rollback and batches need not know.

(Keys of objects need the check where they are counted, or one of them bears a condition: in other objects a
repeated key is harmless, as all its values are valid.)

A comma or bracket that ends an element equal to an earlier one is impossible, and so is everything from which only such
ends can be reached. To find the latter, each earlier element has a *follower*, the automaton of its spellings: while
none agrees with what is being written, and values cannot run out (`Grammar.distinct`), nothing needs to be searched.
Else the shortest completion is tried, then others, best first. The mask is the grammar's, minus those of its tokens
that a follower agrees with, or that end an element, and that lead nowhere.

Cost: as without, plus a microsecond per byte in such grammars, and per mask one check for each token that could
complete a repetition: few inside strings, all of them where values are running out.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from functools import lru_cache
from itertools import count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from structgen.automata import build
from structgen.automata.build import AnyGrammar
from structgen.automata.configurations import Configurations
from structgen.automata.lexed_masks import LexedMasks
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import TokenTrie
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.ir import NEVER, ByteSet, Grammar, Ref, Repeat, Rule, seq
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.json_trace import (
    CLOSE_LIST,
    CLOSE_MAP,
    COLON,
    COMMA,
    EMPTY_TRACE,
    OPEN_LIST,
    OPEN_MAP,
    OUTSIDE,
    PLAIN,
    QUOTE,
    Frame,
    Trace,
    element_key,
    events,
    squeezed,
)
from structgen.kernels.layout import DEAD, FINISHED, RULE, START
from structgen.vocabulary import Vocabulary

__all__ = ["Automaton", "DistinctConfigurations", "DistinctMasks", "automaton_of", "expected", "masks_of", "sizes"]

ENDS = {True: (COMMA, CLOSE_LIST), False: (COLON,)}  # what ends an element of an array, a key of an object
MOST_STATES = 1 << 20
MOST_SEARCHED = 5_000  # states looked at to find one way on
MOST_ROWS = 256

Pair = tuple[int, Trace]
Row = NDArray[np.uint32]
Automaton: TypeAlias = "build.Automaton | DistinctConfigurations"


def automaton_of(grammar: AnyGrammar) -> Automaton:
    """The automaton of a grammar, with its residual check if it has one. Raises Unsatisfiable or LimitExceeded."""
    plain = build.automaton_of(grammar)
    if isinstance(plain, Configurations) and isinstance(grammar, Grammar) and grammar.distinct:
        return DistinctConfigurations(plain, grammar)
    return plain


def masks_of(automaton: Automaton, trie: TokenTrie, vocabulary: Vocabulary) -> MaskTable | LexedMasks | DistinctMasks:
    """The mask rows of an automaton over a vocabulary."""
    if isinstance(automaton, DistinctConfigurations):
        plain = MaskTable(automaton.plain, trie, vocabulary.stop_ids)
        return DistinctMasks(automaton, plain, trie, vocabulary)
    return build.masks_of(automaton, trie, vocabulary.stop_ids)


def expected(automaton: Automaton, state: int) -> tuple[str, ...]:
    """What may come next, in words."""
    if isinstance(automaton, DistinctConfigurations):
        return build.expected(automaton.plain, automaton.pairs[state][0])
    return build.expected(automaton, state)


def sizes(automaton: Automaton) -> dict[str, int]:
    """How large the automaton is before it runs, by what it is made of."""
    if isinstance(automaton, DistinctConfigurations):
        return {**build.sizes(automaton.plain), "distinct": len(automaton.watched)}
    return build.sizes(automaton)


class DistinctConfigurations:
    """Pairs of configuration and trace, by number; see the module. Thread-safe as the configurations below are.

    `watched` holds the rules of arrays whose elements must differ, with how many are safe (Grammar.distinct);
    `followers` the automaton of the spellings of each element met, by key.
    """

    def __init__(self, plain: Configurations, grammar: Grammar) -> None:
        self.plain, self.networks, self.lock = plain, plain.networks, plain.lock
        self.pairs: list[Pair] = [(number, EMPTY_TRACE) for number in (DEAD, FINISHED, START)]
        self.followers: dict[Hashable, Configurations] = {}
        self.watched = {1 + rule: safe for rule, safe in grammar.distinct}  # of networks, rule 0 is the start
        self._numbers: dict[Pair, int] = {pair: number for number, pair in enumerate(self.pairs)}
        self._viable: dict[int, bool] = {}
        self._distance: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def nbytes(self) -> int:
        """Bytes held, about: the configurations, and half a kilobyte a state."""
        return self.plain.nbytes + 512 * len(self.pairs)

    @property
    def is_scarce_at_once(self) -> bool:
        """Whether values may run out before an array has an element."""
        return 0 in self.watched.values()

    def advance(self, state: int, data: bytes) -> int:
        """The state after `data`, or DEAD. Raises LimitExceeded when memory or the search for a way on runs out."""
        if not data or state == DEAD:
            return state
        with self.lock:
            after = self._read(self.pairs[state], data)
            if after is None:
                return DEAD
            number = self._numbers.get(after)
            if number is None:
                if len(self.pairs) >= MOST_STATES:
                    reason = "arrays of distinct elements have been met in too many states"
                    raise LimitExceeded(reason, limit="distinct_states", allowed=MOST_STATES)
                number = self._numbers[after] = len(self.pairs)
                self.pairs.append(after)
            return number if self._is_viable(number) else DEAD

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return self.plain.is_accepting(self.pairs[state][0])

    def distance(self, state: int) -> int:
        """Length of `shortest`."""
        known = self._distance.get(state)
        if known is None:
            known = self._distance[state] = len(self.shortest(state))
        return known

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A completion; a byte-shortest one wherever that repeats no element."""
        with self.lock:
            found = self._completion(self.pairs[state], limit)
        if found is None:
            raise Unsatisfiable("every way on repeats an element")
        return found

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        live = self.plain.live_bytes(self.pairs[state][0])
        return [byte for byte in live if self.advance(state, bytes((byte,))) != DEAD]

    # --------------------------------------------------------------------------------------------------- reading

    def _read(self, pair: Pair, data: bytes) -> Pair | None:
        """The pair after `data`; None when the grammar does not allow it, or an element repeats another."""
        config, (lex, opened, text) = pair
        frames = list(opened)
        read = kept = 0  # of `data`: read by the grammar, kept in `text`
        first = lex  # where `kept` stands: later on always outside strings
        for at, byte, now in events(lex, data):
            lex = now
            frame = frames[-1] if frames else None
            if frame is not None and frame.is_watched and byte in ENDS[frame.is_list]:
                text, kept, first = text + squeezed(first, data[kept:at]), at, OUTSIDE
                config, read = self.plain.advance(config, data[read:at]), at
                ended = self._ended(frame, text, config) if config != DEAD else None
                if ended is None:
                    return None
                frame = frames[-1] = ended
            if byte in PLAIN:
                before = self.plain.advance(config, data[read:at])
                config, read = self.plain.advance(before, data[at : at + 1]), at + 1
                frame = PLAIN[byte] if config == DEAD else self._opened(byte, config, before)
                if frame.is_watched:
                    text = text + squeezed(first, data[kept : at + 1]) if _is_watching(frames) else b""
                    kept, first, frame = at + 1, OUTSIDE, frame._replace(start=len(text), read=len(text))
                frames.append(frame)
            elif byte in (CLOSE_LIST, CLOSE_MAP) and frames:
                frames.pop()
            elif byte == COMMA and frame is not None and frame.is_watched:
                text, kept, first = text + squeezed(first, data[kept:at]), at, OUTSIDE
                if not _is_watching(frames[:-1]):
                    text, kept = b"", at + 1
                start = len(text) + at + 1 - kept
                live = tuple((each, START) for each in frame.seen)
                frames[-1] = frame._replace(start=start, read=start, live=live)
        config = self.plain.advance(config, data[read:])
        if config == DEAD:
            return None
        if not _is_watching(frames):
            return config, Trace(lex, tuple(frames))
        text += squeezed(first, data[kept:])
        return config, Trace(lex, tuple(self._followed(frame, text) for frame in frames), text)

    def _opened(self, byte: int, config: int, before: int) -> Frame:
        """The frame of the container whose bracket led from `before` to `config`. Where another container begins alike,
        it is watched too, and what a repetition means is decided when there is one."""
        safe = [self.watched[rule] for rule in self._rules(config) if rule in self.watched]
        if not safe:
            return PLAIN[byte]
        least = min((least for least in safe if least != NEVER), default=NEVER)
        return Frame(byte == OPEN_LIST, True, before, least)

    def _ended(self, frame: Frame, text: bytes, config: int) -> Frame | None:
        """The frame after the element or key that ends here; None where that may not be, as it repeats another."""
        element = text[frame.start :]
        if not element:
            return frame
        key = element_key(element)
        if key in frame.seen:
            distinct = self._rules_inside(config, frame.before) & self.watched.keys()
            return None if distinct else Frame(frame.is_list)
        if key not in self.followers:
            self.followers[key] = _follower(element)
        return frame._replace(seen=(*frame.seen, key), live=())

    def _followed(self, frame: Frame, text: bytes) -> Frame:
        """The frame with its followers moved to the end of the text."""
        more = text[frame.read :]
        if not frame.is_watched or not more:
            return frame
        moved = ((key, self.followers[key].advance(state, more)) for key, state in frame.live)
        return frame._replace(read=len(text), live=tuple(pair for pair in moved if pair[1] != DEAD))

    def _rules(self, config: int) -> set[int]:
        nodes = self.networks.arrays.nodes
        return {int(nodes[node, RULE]) for node, _, _ in self.plain.kernel(config)}

    def _rules_inside(self, config: int, before: int) -> set[int]:
        """The rules called at `before` that are still being read at `config`."""
        nodes = self.networks.arrays.nodes
        found: set[int] = set()
        visited, pending = {config}, [config]
        for state in pending:  # grows while it is read
            for node, origin, _ in self.plain.kernel(state):
                if origin == before:
                    found.add(int(nodes[node, RULE]))
                elif origin not in visited:
                    visited.add(origin)
                    pending.append(origin)
        return found

    # -------------------------------------------------------------------------------------------------- viability

    def _is_doubtful(self, trace: Trace) -> bool:
        """Whether a way on has to be looked for: an element may repeat another, or values may run out."""
        return any(frame.live or frame.is_scarce for frame in trace.watched)

    def _is_viable(self, number: int) -> bool:
        pair = self.pairs[number]
        if not self._is_doubtful(pair[1]):
            return True
        known = self._viable.get(number)
        if known is None:
            known = self._viable[number] = self._completion(pair) is not None
        return known

    def _completion(self, pair: Pair, limit: int = 1 << 20) -> bytes | None:
        """The shortest completion if it repeats no element, else one found best first; None if there is none."""
        shortest = self.plain.shortest(pair[0], limit)
        if not shortest or self._read(pair, shortest) is not None:
            return shortest
        order = count()
        queue, visited = [(0, next(order), pair, b"")], {pair}
        while queue:
            _, _, here, path = heapq.heappop(queue)
            for byte in self.plain.live_bytes(here[0]):
                step = path + bytes((byte,))
                after = self._read(here, step[-1:])
                if after is None or after in visited:
                    continue
                rest = self.plain.shortest(after[0], limit)
                if not rest or self._read(after, rest) is not None:
                    return step + rest
                visited.add(after)
                if len(visited) > MOST_SEARCHED:
                    reason = "no text found in which the elements of an array differ"
                    raise LimitExceeded(reason, limit="distinct_searched", allowed=MOST_SEARCHED)
                heapq.heappush(queue, (len(step) + len(rest), next(order), after, step))
        return None


def _is_watching(frames: list[Frame]) -> bool:
    return any(frame.is_watched for frame in frames)


@lru_cache(maxsize=4096)
def _follower(element: bytes) -> Configurations:
    """The automaton of the spellings of one value, and anything after it."""
    grammar = compile_schema(b'{"const":' + element + b"}", style=JsonStyle.any()).grammar
    anything = Repeat(ByteSet((1 << 0xFE) - 1))
    last = len(grammar.rules)
    return Configurations(build_network(Grammar((*grammar.rules, Rule("", seq(Ref(grammar.start), anything))), last)))


# ------------------------------------------------------------------------------------------------------------ masks


class DistinctMasks:
    """Mask rows of pairs; see the module."""

    def __init__(
        self, configurations: DistinctConfigurations, masks: MaskTable, trie: TokenTrie, vocabulary: Vocabulary
    ) -> None:
        self._configurations, self._masks, self._trie, self._vocabulary = configurations, masks, trie, vocabulary
        texts = [vocabulary.token_bytes(token) for token in range(vocabulary.size)]
        self._ends = self._with(texts, (COMMA, COLON, CLOSE_LIST))
        self._opens = self._with(texts, (OPEN_LIST, OPEN_MAP))  # the first element alone may decide too much
        if not configurations.is_scarce_at_once:
            self._opens &= self._ends
        self._quotes = self._with(texts, (QUOTE,))
        self._any = self._with(texts, range(256))
        self._followers: dict[Hashable, MaskTable] = {}
        self._rows: dict[int, Row] = {}

    def _with(self, texts: list[bytes], members: tuple[int, ...] | range) -> Row:
        """The tokens that contain one of the bytes."""
        wanted = frozenset(members)
        bits = np.array([not wanted.isdisjoint(text) for text in texts], bool)
        packed = np.zeros(4 * self._trie.words, np.uint8)
        packed[: (len(bits) + 7) // 8] = np.packbits(bits, bitorder="little")
        return packed.view(np.uint32)

    def row(self, state: int) -> Row:
        """The mask of a state; stop tokens' bits are set exactly when it is accepting."""
        row = self._rows.get(state)
        if row is None:
            with self._configurations.lock:
                row = self._compute(state)
                if len(self._rows) >= MOST_ROWS:
                    self._rows.clear()
                self._rows[state] = row
        return row

    def _compute(self, state: int) -> Row:
        config, trace = self._configurations.pairs[state]
        base = self._masks.row(config)
        doubtful = base & self._doubtful(trace) & self._any
        if not doubtful.any():
            return base
        row = base.copy()
        bits = np.unpackbits(doubtful.view(np.uint8), bitorder="little")
        for token in np.flatnonzero(bits).tolist():
            if self._configurations.advance(state, self._vocabulary.token_bytes(token)) == DEAD:
                row[token >> 5] &= ~np.uint32(1 << (token & 31))
        row.flags.writeable = False
        return row

    def _doubtful(self, trace: Trace) -> Row:
        """The tokens that might repeat an element, or leave none to write."""
        watched = trace.watched
        if any(frame.is_scarce for frame in watched):
            return self._any
        found = self._ends | self._opens if watched else self._opens
        if trace.lex != OUTSIDE:
            found = found & self._quotes
        for frame in watched:
            for key, at in frame.live:
                found = found | self._follower(key).row(at)
        return found

    def _follower(self, key: Hashable) -> MaskTable:
        if key not in self._followers:
            self._followers[key] = MaskTable(self._configurations.followers[key], self._trie, ())
        return self._followers[key]
