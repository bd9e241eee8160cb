"""Arrays whose elements must differ (uniqueItems), objects whose keys must: a check of what was written, as states.

What has been written is beyond a finite automaton, so a state here is a pair: a configuration of the grammar and a
trace of the JSON text (trace.py). Pairs are numbered, and `DistinctConfigurations` and `DistinctMasks` answer the
same questions about these numbers as `Configurations` and `MaskTable` do about theirs: to a matcher the state is one
integer still, and fork, rollback and batches need not know.

(Keys of objects need the check where they are counted, or one of them bears a condition: in other objects a
repeated key is harmless, as all its values are valid.)

A comma or bracket that ends an element equal to an earlier one is impossible, and so is everything from which only such
ends can be reached. (Where another array would do that may repeat elements, that one is left.) The latter can only be
where the present element may still become equal to an earlier one, or where values may run out (`Grammar.distinct`).
There, a way on is looked for: strings that go on in more ways than there are earlier strings have one; else the
shortest completion is tried, then others, best first. The mask is the grammar's, minus those of the tokens that may
repeat an element, or end one, that lead nowhere (masks.py).

Cost: as without, plus a microsecond per byte in such arrays, and ten for a state in which an element may be repeated.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from structgen.automata.configurations import Configurations
from structgen.automata.interned import Interned
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.ir import NEVER, NOTHING, Grammar, Literal, Ref, Rule, alt, seq
from structgen.kernels.layout import DEAD, FINISHED, RULE, START
from structgen.memory import Bounded
from structgen.unique.trace import (
    BACKSLASH,
    CLOSE_LIST,
    CLOSE_MAP,
    COLON,
    COMMA,
    EMPTY_TRACE,
    INSIDE,
    OPEN_LIST,
    OUTSIDE,
    PLAIN,
    QUOTE,
    Frame,
    Trace,
    element_key,
    events,
    freshened,
    lex_after,
    may_repeat,
    numbers_of,
    strings_of,
    without_blanks,
)

__all__ = ["ENDS", "DistinctConfigurations", "unique_automaton"]

ENDS = {True: (COMMA, CLOSE_LIST), False: (COLON,)}  # what ends an element of an array, a key of an object
MOST_STATES = 1 << 20
MOST_SEARCHED = 5_000  # states looked at to find one way on
LETTERS = tuple(byte for byte in range(0x20, 0x7F) if byte not in (QUOTE, BACKSLASH))
UNBOUNDED = 1 << 30
MOST_REMEMBERED = 1 << 14
BRACKETS = re.compile(rb"[\[{]")

Pair = tuple[int, Trace]


def unique_automaton(grammar: Grammar) -> DistinctConfigurations:
    """The automaton of a grammar some of whose arrays have distinct elements (`Grammar.distinct`).

    Raises Unsatisfiable or LimitExceeded.
    """
    empty = _without_texts(grammar)
    if empty:
        rules = [Rule(rule.name, NOTHING) if at in empty else rule for at, rule in enumerate(grammar.rules)]
        grammar = replace(grammar, rules=tuple(rules))
    return _checked(grammar)


def _checked(grammar: Grammar) -> DistinctConfigurations:
    return DistinctConfigurations(Configurations(build_network(grammar)), grammar)


def _without_texts(grammar: Grammar) -> set[int]:
    """The rules of arrays in which values may run out at once, and do. Raises LimitExceeded when the search for a text
    of one runs out."""
    scarce = [rule for rule, safe in grammar.distinct if safe == 0]
    if not scarce:
        return set()
    marked = [seq(Literal(b"%d:" % rule), Ref(rule)) for rule in scarce]
    probe = replace(grammar, rules=(*grammar.rules, Rule("", alt(*marked, Literal(b":")))), start=len(grammar.rules))
    automaton = _checked(probe)
    return {rule for rule in scarce if not automaton.has_text(b"%d:" % rule)}


class DistinctConfigurations:
    """Pairs of configuration and trace, by number; see the module. Thread-safe as the configurations below are.

    `watched` holds the rules of arrays whose elements must differ, and how many are safe (Grammar.distinct).
    """

    def __init__(self, plain: Configurations, grammar: Grammar) -> None:
        self.plain, self.networks, self.lock = plain, plain.networks, plain.lock
        fixed: tuple[Pair, Pair, Pair] = ((DEAD, EMPTY_TRACE), (FINISHED, EMPTY_TRACE), (START, EMPTY_TRACE))
        self.pairs = Interned(fixed, most=MOST_STATES, limit="distinct_states")
        self.watched = {1 + rule: safe for rule, safe in grammar.distinct}  # of networks, rule 0 is the start
        self._forget()

    def _forget(self) -> None:
        """Memos, all by number of a pair or of a configuration."""
        self._viable: Bounded[int, bool] = Bounded(MOST_REMEMBERED)
        self._distance: Bounded[int, int] = Bounded(MOST_REMEMBERED)
        self._without_frame_memo: Bounded[tuple[int, int], int] = Bounded(MOST_REMEMBERED)
        self._letter_counts: Bounded[int, int] = Bounded(MOST_REMEMBERED)
        self._shortest: Bounded[int, bytes] = Bounded(MOST_REMEMBERED)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def nbytes(self) -> int:
        """Bytes held, about: the configurations, and half a kilobyte a state."""
        return self.plain.nbytes + 512 * len(self.pairs)

    @property
    def may_run_out_at_once(self) -> bool:
        """Whether values may run out before an array has an element."""
        return 0 in self.watched.values()

    def has_text(self, prefix: bytes) -> bool:
        """Whether some text begins like this, which nothing watched is open in."""
        config = self.plain.advance(START, prefix)
        return config != DEAD and self._find_completion((config, EMPTY_TRACE)) is not None

    def advance(self, state: int, data: bytes) -> int:
        """The state after `data`, or DEAD. Raises LimitExceeded when memory or the search for a way on runs out."""
        if not data or state == DEAD:
            return state
        with self.lock:
            after = self._read(self.pairs[state], data)
            if after is None:
                return DEAD
            number = self.pairs.number(after)
            viable = self._viable.get(number)
            if viable is None:
                viable = self._viable.remember(number, self._is_viable(after))
            return number if viable else DEAD

    def reader(self, words: Any) -> None:
        """Tokens are read by their bytes."""
        return None

    @property
    def has_specials(self) -> bool:
        """Whether some text holds a special token."""
        return self.plain.has_specials

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words."""
        return self.plain.expected(self.pairs[state][0])

    def rules(self, state: int) -> tuple[str, ...]:
        """The names of the rules at work."""
        return self.plain.rules(self.pairs[state][0])

    def sizes(self) -> dict[str, int]:
        """How large the automaton is before it runs, by what it is made of."""
        return {**self.plain.sizes(), "distinct": len(self.watched)}

    def validate(self) -> None:
        """Raise InvariantError where the networks break their contract."""
        self.plain.validate()

    def compact(self, live: Iterable[int]) -> dict[int, int]:
        """Forget every pair but `live`, and every configuration that none of these needs."""
        with self.lock:
            kept = list(live)
            pairs = [self.pairs[state] for state in kept]
            needed = {config for config, _ in pairs}
            needed |= {frame.before for _, trace in pairs for frame in trace.frames}
            new = self.plain.compact(needed)

            def renamed(pair: Pair) -> Pair:
                config, trace = pair
                frames = tuple(frame._replace(before=new[frame.before]) for frame in trace.frames)
                return new[config], trace._replace(frames=frames)

            self._forget()
            return self.pairs.keep(kept, renamed)

    def continues(self, state: int, data: bytes) -> bool:
        """Whether `advance` would not be DEAD; no state is kept, since a mask asks for tens of thousands of tokens."""
        with self.lock:
            after = self._read(self.pairs[state], data)
            return after is not None and self._is_viable(after)

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return self.plain.is_accepting(self.pairs[state][0])

    def distance(self, state: int) -> int:
        """Length of `shortest`."""
        known = self._distance.get(state)
        if known is None:
            known = self._distance.remember(state, len(self.shortest(state)))
        return known

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A completion; a byte-shortest one wherever that repeats no element."""
        with self.lock:
            found = self._find_completion(self.pairs[state], limit)
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
        reader, lex, at = _Reader(self.plain, pair, data), pair[1].lex, 0
        frames = reader.frames
        while at < len(data):
            if not frames:  # what is here need not be JSON: the grammar says whether a bracket opens what is watched
                found = BRACKETS.search(data, at)
                end = len(data) if found is None else found.start()
                lex, at = lex_after(lex, data[at:end]), end
                if found is not None:
                    lex = OUTSIDE if self._open(reader, at, data[at]) else lex
                    at += 1
                continue
            for place, byte, now in events(lex, data, at):
                at, lex = place, now
                if not self._structure(reader, at, byte):
                    return None
                if not _is_watching(frames):
                    frames.clear()
                    break
            at += 1
        config = reader.read_to(len(data))
        if config == DEAD:
            return None
        text = reader.text_to(len(data)) if frames else b""
        if any(frame.shared for frame in frames):
            frames = self._alive(frames, config)
        return (config, Trace(lex, tuple(frames), text)) if frames else (config, Trace(lex))

    def _structure(self, reader: _Reader, at: int, byte: int) -> bool:
        """Follow a byte that gives structure, inside what is watched; False where an element may not end so."""
        frames = reader.frames
        if frames[-1].is_watched and byte in ENDS[frames[-1].is_list] and not self._end(reader, at):
            return False
        if byte in PLAIN:
            if not self._open(reader, at, byte):
                frames.append(PLAIN[byte])
        elif byte in (CLOSE_LIST, CLOSE_MAP):
            frames.pop()
        elif byte == COMMA and frames[-1].is_watched:
            reader.begin_element(at)
        return True

    def _alive(self, frames: list[Frame], config: int) -> list[Frame]:
        """The frames without those whose container the text turned out not to be; none if none is watched then."""
        left = [
            Frame(frame.is_list) if frame.shared and self._without(config, frame.before) == config else frame
            for frame in frames
        ]
        return left if _is_watching(left) else []

    def _end(self, reader: _Reader, at: int) -> bool:
        """End the element before data[at]; False where none may end, or it repeats another."""
        text, config = reader.text_to(at), reader.read_to(at)
        if self.plain.advance(config, reader.data[at : at + 1]) == DEAD:
            return False
        reader.frames[-1], reader.config = self._ended(reader.frames[-1], text, config)
        return reader.config != DEAD

    def _open(self, reader: _Reader, at: int, byte: int) -> bool:
        """Watch the container whose bracket is data[at], if it is to be watched. Where something else begins alike, it
        is watched too, and what a repetition means is decided when there is one."""
        before = reader.read_to(at)
        config = reader.read_to(at + 1)
        rules = () if config == DEAD else self._rules(config)
        safe = [self.watched[rule] for rule in rules if rule in self.watched]
        if not safe:
            return False
        text = reader.text_to(at + 1) if reader.frames else reader.forget_to(at + 1)
        least = min((least for least in safe if least != NEVER), default=NEVER)
        shared = self._without(config, before) != DEAD
        reader.frames.append(Frame(byte == OPEN_LIST, True, before, least, start=len(text), shared=shared))
        return True

    def _ended(self, frame: Frame, text: bytes, config: int) -> tuple[Frame, int]:
        """The frame after the element or key that ends here, and the configuration: without the arrays that may not
        repeat an element, if it repeats one; what is left need not be watched."""
        element = text[frame.start :]
        if frame.start == NEVER or not element:
            return frame, config
        try:
            key = element_key(element)
        except ValueError:  # no JSON: of the container nothing is left, of what began alike something may be
            return Frame(frame.is_list), self._without(config, frame.before)
        if key in frame.seen:
            return Frame(frame.is_list), self._without(config, frame.before)
        return frame._replace(seen=(*frame.seen, key), start=NEVER), config

    def _rules(self, config: int) -> set[int]:
        nodes = self.networks.arrays.nodes
        return {int(nodes[node, RULE]) for node, _, _ in self.plain.kernel(config)}

    def _without(self, config: int, before: int) -> int:
        """The configuration without the watched rules called at `before` and all that is read for them; or DEAD."""
        known = self._without_frame_memo.get((config, before))
        if known is None:
            nodes, kept = self.networks.arrays.nodes, []
            kernel = self.plain.kernel(config)
            for node, origin, attr in kernel:
                if origin > before:  # an origin is older than what it is the origin of
                    origin = self._without(origin, before)
                elif origin == before and int(nodes[node, RULE]) in self.watched:
                    continue
                if origin != DEAD:
                    kept.append((node, origin, attr))
            known = config if kept == kernel else self.plain.gather(kept) if kept else DEAD
            self._without_frame_memo.remember((config, before), known)
        return known

    # -------------------------------------------------------------------------------------------------- viability

    def _is_viable(self, pair: Pair) -> bool:
        config, trace = pair
        lex, _, text = trace
        watched = trace.watched
        if not any(frame.may_run_out for frame in watched):
            if not any(may_repeat(frame, lex, text) for frame in watched):
                return True
            if self._has_free_letters(config, lex, watched) or self._may_close_here(config, trace):
                return True
        return self._find_completion(pair) is not None

    def _has_free_letters(self, config: int, lex: int, watched: tuple[Frame, ...]) -> bool:
        """Whether the string that is open has more letters to go on with than there are strings to be avoided: ways
        that differ in a letter end in different values, and each string of an earlier element lies on one of them."""
        return lex == INSIDE and self._n_letters(config) > sum(
            len(strings_of(key)) for frame in watched for key in frame.seen
        )

    def _n_letters(self, config: int) -> int:
        """How many letters may come next in a string; without bound where one of them may be repeated for ever."""
        known = self._letter_counts.get(config)
        if known is None:
            after = [self.plain.advance(config, bytes((byte,))) for byte in LETTERS]
            known = UNBOUNDED if config in after else len(LETTERS) - after.count(DEAD)
            self._letter_counts.remember(config, known)
        return known

    def _may_close_here(self, config: int, trace: Trace) -> bool:
        """Whether the element may end right here, and is a new one, in the only watched container."""
        frame = trace.frames[-1]
        if trace.lex != OUTSIDE or len(trace.watched) > 1 or not frame.is_watched or frame.start == NEVER:
            return False
        if all(self.plain.advance(config, bytes((byte,))) == DEAD for byte in ENDS[frame.is_list]):
            return False
        return element_key(trace.text[frame.start :]) not in frame.seen

    def _find_completion(self, pair: Pair, limit: int = 1 << 20) -> bytes | None:
        """The shortest completion if it repeats no element, else one that was found; None if there is none.

        First the shortest one is tried with other strings and numbers in it (trace.freshened).
        A completion that repeats an element is left for another byte, late rather than early, and completed from there;
        first those that got past the most elements, of them those that were left the fewest times.
        """
        rest = self._plain_shortest(pair[0], limit)
        if not rest or self._read(pair, rest) is not None:
            return rest
        taken = {number for frame in pair[1].watched for key in frame.seen for number in numbers_of(key)}
        for fresh in freshened(pair[1].lex, rest, taken):
            after = self._read(pair, fresh)
            if after is not None and self.plain.is_accepting(after[0]):
                return fresh
        order, visited = count(), {pair}
        queue: list[tuple[int, int, int, Iterator[tuple[Pair, bytes]]]] = []

        def leave(here: Pair, path: bytes, rest: bytes, left: int) -> None:
            """Queue the ways to leave `rest`, which repeats an element somewhere."""
            for written, reached in self._read_along(here, rest).items():
                heapq.heappush(queue, (-written, left, next(order), self._alternatives(reached, path, rest)))

        leave(pair, b"", rest, 0)
        while queue:
            _, left, _, alternatives = queue[0]
            here, path = next(alternatives, (None, b""))
            if here is None:
                heapq.heappop(queue)
            elif here not in visited:
                visited.add(here)
                if len(visited) > MOST_SEARCHED:
                    reason = "no text found in which the elements of an array differ"
                    raise LimitExceeded(reason, limit="distinct_searched", allowed=MOST_SEARCHED)
                rest = self._plain_shortest(here[0], limit)
                if not rest or self._read(here, rest) is not None:
                    return path + rest
                leave(here, path, rest, left + 1)
        return None

    def _read_along(self, pair: Pair, rest: bytes) -> dict[int, list[tuple[int, Pair]]]:
        """How far `rest` can be read: pairs and their places, by the number of elements that were written there."""
        found: dict[int, list[tuple[int, Pair]]] = {}
        here: Pair | None = pair
        for at in range(len(rest)):
            assert here is not None
            found.setdefault(sum(len(frame.seen) for frame in here[1].watched), []).append((at, here))
            here = self._read(here, rest[at : at + 1])
            if here is None:
                break
        return found

    def _alternatives(self, reached: list[tuple[int, Pair]], path: bytes, rest: bytes) -> Iterator[tuple[Pair, bytes]]:
        """Where else `rest` could have gone at these places, the last one first."""
        for at, pair in reversed(reached):
            for byte in self.plain.live_bytes(pair[0]):
                after = self._read(pair, bytes((byte,))) if byte != rest[at] else None
                if after is not None:
                    yield after, path + rest[:at] + bytes((byte,))

    def _plain_shortest(self, config: int, limit: int) -> bytes:
        """The shortest completion of a configuration, whatever was written."""
        known = self._shortest.get(config)
        if known is None:
            known = self._shortest.remember(config, self.plain.shortest(config, limit))
        return known


class _Reader:
    """Bytes read on from a pair: `config` and `frames` so far, and the trace's text."""

    __slots__ = ("_lex", "_plain", "_read", "_taken", "_text", "config", "data", "frames")

    def __init__(self, plain: Configurations, pair: Pair, data: bytes) -> None:
        self.config, (self._lex, frames, self._text) = pair
        self._plain, self.data, self.frames = plain, data, list(frames)
        self._read = self._taken = 0  # of `data`: read by the grammar, taken into the text

    def read_to(self, at: int) -> int:
        """The configuration after data[:at]."""
        self.config, self._read = self._plain.advance(self.config, self.data[self._read : at]), at
        return self.config

    def text_to(self, at: int) -> bytes:
        """The trace's text after data[:at]: what comes now stands outside strings."""
        self._text += without_blanks(self._lex, self.data[self._taken : at])
        self._taken, self._lex = at, OUTSIDE
        return self._text

    def forget_to(self, at: int) -> bytes:
        """As text_to where nothing before data[at] matters any more."""
        self._text, self._taken, self._lex = b"", at, OUTSIDE
        return self._text

    def begin_element(self, at: int) -> None:
        """The next element of the innermost container begins behind the comma data[at]."""
        text = self.text_to(at) + b"," if _is_watching(self.frames[:-1]) else self.forget_to(at + 1)
        self.frames[-1] = self.frames[-1]._replace(start=len(text))


def _is_watching(frames: list[Frame]) -> bool:
    return any(frame.is_watched for frame in frames)
