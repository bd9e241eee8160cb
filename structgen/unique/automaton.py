"""Arrays whose elements must differ (uniqueItems), objects whose keys must: a check of what was written, as states.

What has been written is beyond a finite automaton, so a state here is a pair: a configuration of the grammar and a
trace of the JSON text (trace.py). Pairs are numbered, and `DistinctConfigurations` and `DistinctMasks` answer the
same questions about these numbers as `Configurations` and `MaskTable` do about theirs: to a matcher the state is one
integer still, and fork, rollback and batches need not know.

(Keys of objects need the check where they are counted, or one of them bears a condition: in other objects a
repeated key is harmless, as all its values are valid.)

A comma or bracket that ends an element equal to an earlier one is impossible, and so is everything from which only such
ends can be reached. (Where another array would do that may repeat elements, that one is left.) The latter can only be
where the present element may still become equal to an earlier one, or where values may run out (`Grammar.distinct`):
there a way on is looked for (ways.py). The mask is the grammar's, minus those of the tokens that may repeat an element,
or end one, that lead nowhere (masks.py).

Cost: as without, plus a microsecond per byte in such arrays, however much was written.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.interned import Interned
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.ir import NEVER, NOTHING, Grammar, Literal, Ref, Rule, alt, seq
from structgen.kernels import entries
from structgen.kernels.layout import DEAD, FINISHED, RULE, START
from structgen.memory import Bounded
from structgen.unique.trace import (
    CLOSE_LIST,
    CLOSE_MAP,
    COLON,
    EMPTY_TRACE,
    ENDS,
    NO_VALUE,
    OPEN_LIST,
    OUTSIDE,
    PLAIN,
    Frame,
    Trace,
    events,
    lex_after,
    without_blanks,
)
from structgen.unique.values import scalar_key
from structgen.unique.ways import MOST_REMEMBERED, Pair, Ways

__all__ = ["DistinctConfigurations", "unique_automaton"]

MOST_STATES = 1 << 20
BRACKETS = re.compile(rb"[\[{]")
MOST_DEPTH = 1_000  # of an element, whose values are hashed


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


@dataclass(slots=True)
class _Place:
    """A pair while it reads data: `at` is where in the data it stands, `read` what the configuration has read."""

    config: int
    lex: int
    stack: list[Frame]
    text: bytes
    done: Hashable
    at: int = 0
    read: int = 0

    def forget(self) -> None:
        """Nothing is watched here."""
        self.stack.clear()
        self.text, self.done = b"", NO_VALUE


class DistinctConfigurations:
    """Pairs of configuration and trace, by number; see the module. Thread-safe as the configurations below are.

    `watched` holds the rules of arrays whose elements must differ, and how many are safe (Grammar.distinct).
    """

    def __init__(self, plain: Configurations, grammar: Grammar) -> None:
        self.plain, self.networks, self.lock = plain, plain.networks, plain.lock
        fixed: tuple[Pair, Pair, Pair] = ((DEAD, EMPTY_TRACE), (FINISHED, EMPTY_TRACE), (START, EMPTY_TRACE))
        self.pairs = Interned(fixed, most=MOST_STATES, limit="distinct_states")
        self.watched = {1 + rule: safe for rule, safe in grammar.distinct}  # of networks, rule 0 is the start
        self._is_watched = np.zeros(len(self.networks.names), np.bool_)
        self._is_watched[[*self.watched]] = True
        self._ways = Ways(plain, self._read)
        self._forget()

    def _forget(self) -> None:
        """Memos, all by number of a pair or of a configuration."""
        self._viable: Bounded[int, bool] = Bounded(MOST_REMEMBERED)
        self._distance: Bounded[int, int] = Bounded(MOST_REMEMBERED)
        self._without_frame_memo: Bounded[tuple[int, int], int] = Bounded(MOST_REMEMBERED)
        self._safe_memo: Bounded[int, tuple[bool, int]] = Bounded(MOST_REMEMBERED)
        self._ways.forget()

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
        return config != DEAD and self._ways.find_completion((config, EMPTY_TRACE)) is not None

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
                viable = self._viable.remember(number, self._ways.is_viable(after, self.pairs[state][1].frames))
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
            return after is not None and self._ways.is_viable(after, self.pairs[state][1].frames)

    def opening(self, state: int, words: Any, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some tokens, all allowed by the grammar, that open what is watched, at a state outside. `words`:
        a handle of layout.Words."""
        opens = np.empty(len(tokens), np.bool_)
        self.plain.call(entries.opening, words, self.pairs[state][0], tokens, self._is_watched, opens)
        return tokens[opens]

    def way_on(self, state: int, data: bytes) -> bytes | None:
        """A completion behind `data`; None if there is none. Raises LimitExceeded when the search runs out."""
        with self.lock:
            after = self._read(self.pairs[state], data)
            return None if after is None else self._ways.find_completion(after)

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
            found = self._ways.find_completion(self.pairs[state], limit)
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
        config, (lex, frames, text, done) = pair
        place = _Place(config, lex, list(frames), text, done)
        while place.at < len(data):
            goes_on = self._watch(place, data) if place.stack else self._look_for_watched(place, data)
            if not goes_on:
                return None
        config = self.plain.advance(place.config, data[place.read :])
        if config == DEAD:
            return None
        if any(frame.shared for frame in place.stack):
            self._drop_dead(place, config)
        return config, Trace(place.lex, tuple(place.stack), place.text, place.done)

    def _look_for_watched(self, place: _Place, data: bytes) -> bool:
        """Go on to the next bracket that opens what is watched; False where the grammar does not allow it. What is here
        need not be JSON: the grammar says what a bracket opens."""
        found = BRACKETS.search(data, place.at)
        end = len(data) if found is None else found.start()
        place.lex, place.at = lex_after(place.lex, data[place.at : end]), end
        if found is None:
            return True
        before = self._step(place, data, end)
        place.at = end + 1
        if place.config == DEAD:
            return False
        frame = self._opened(data[end], before, place.config, None, 0)
        if frame.is_watched:
            place.lex = OUTSIDE
            place.stack.append(frame)
        return True

    def _watch(self, place: _Place, data: bytes) -> bool:
        """Go on inside what is watched, to its end or that of the data; False where an element may not end so."""
        stack, taken, inside = place.stack, place.at, place.lex
        for at, byte, now in events(place.lex, data, place.at):
            top, place.lex, place.at = stack[-1], now, at + 1
            if at > taken and top.scalars_matter:
                place.text += without_blanks(inside, data[taken:at])
            if at == len(data):
                break
            taken, inside = at + 1, OUTSIDE
            before = self._step(place, data, at)
            if place.config == DEAD:
                return False
            if byte in PLAIN:
                stack.append(self._opened(byte, before, place.config, top, len(stack)))
                place.text, place.done = b"", NO_VALUE
            elif not self._ended(place, byte, before, at):
                return False
            if not any(frame.is_watched for frame in stack):
                place.forget()
                break
        return True

    def _ended(self, place: _Place, byte: int, before: int, at: int) -> bool:
        """Follow a byte at `at` that ends a name, an element or a container; False where it may not."""
        stack, text, done = place.stack, place.text, place.done
        top = stack[-1]
        try:
            if _is_repeated(top, byte, text, done):
                place.config, place.read = self._without(before, top.before), at
                if place.config == DEAD:
                    return False
                top = Frame(top.is_list, is_valued=top.is_valued, parts=top.parts if top.is_valued else ())
            stack[-1] = top = _behind(top, byte, text, done)
        except ValueError:  # no JSON, so none of the containers is what is watched
            stack.clear()
            return True
        place.text, place.done = b"", NO_VALUE
        if byte in (CLOSE_LIST, CLOSE_MAP):
            stack.pop()
            place.done = top.key if top.is_valued else NO_VALUE
        return True

    def _step(self, place: _Place, data: bytes, at: int) -> int:
        """Read up to data[at] and that byte; the configuration ahead of it."""
        before = self.plain.advance(place.config, data[place.read : at])
        place.config, place.read = self.plain.advance(before, data[at : at + 1]), at + 1
        return before

    def _drop_dead(self, place: _Place, config: int) -> None:
        """Watch no longer the containers that the text turned out not to be."""
        place.stack[:] = [
            frame._replace(is_watched=False, shared=False)
            if frame.shared and self._without(config, frame.before) == config
            else frame
            for frame in place.stack
        ]
        if not any(frame.is_watched for frame in place.stack):
            place.forget()

    def _opened(self, byte: int, before: int, config: int, outer: Frame | None, depth: int) -> Frame:
        """The container whose bracket leads from `before` to `config`. Where another container begins alike, it is
        watched too, and what a repetition means is decided when there is one."""
        is_valued = outer is not None and outer.values_matter
        if is_valued and depth > MOST_DEPTH:
            reason = "an element nests too deeply to compare"
            raise LimitExceeded(reason, limit="element_depth", allowed=MOST_DEPTH)
        safe = self._safe_memo.get(config)
        if safe is None:
            found = [self.watched[rule] for rule in self._rules(config) if rule in self.watched]
            least = min((least for least in found if least != NEVER), default=NEVER)
            safe = self._safe_memo.remember(config, (bool(found), least))
        is_watched, least = safe
        if not is_watched:
            return Frame(byte == OPEN_LIST, is_valued=True) if is_valued else PLAIN[byte]
        shared = self._without(config, before) != DEAD
        return Frame(byte == OPEN_LIST, True, before, least, is_valued, shared=shared)

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


def _is_repeated(frame: Frame, byte: int, text: bytes, done: Hashable) -> bool:
    """Whether the element or name that a byte ends was written before where it must not be."""
    if not frame.is_watched or byte not in ENDS[frame.is_list] or not frame.scalars_matter:
        return False
    key = scalar_key(text) if text else done
    return key != NO_VALUE and key in frame.seen


def _behind(frame: Frame, byte: int, text: bytes, done: Hashable) -> Frame:
    """The frame after a byte that ends a name, or an element or member. Raises ValueError where the text is no JSON."""
    if not frame.is_watched and not frame.is_valued:
        return frame
    if byte == COLON:
        name = scalar_key(text)
        if not isinstance(name, str):
            raise ValueError("no name")
        return frame._replace(name=name)
    key = scalar_key(text) if text else done
    if frame.name is None if not frame.is_list else key == NO_VALUE:
        return frame  # it is empty
    return frame.with_part(key)
