"""The lexing automaton: where a token may end, what it then is, and what must not follow.

Lark's lexer tries the terminals of a context in order and takes the preferred match of the first that matches. Read one
character at a time, that is an ordered list of threads (most preferred first). A token ends where a thread matches, and
the choice stands only if no thread before it in the list ever matches: these threads live on beside the next token as a
*guard*. So a state is

    threads    (terminal, instruction, conditions), most preferred first
    keywords   threads of strings that a match of their terminal would turn into (`if` within NAME)
    guard      conditions on what follows, left by earlier tokens
    history    the last characters, where a lookbehind may ask for them

and a *condition* is (sign, set of threads): some of them matches what follows, or (sign False) none ever does. A
lookahead is a condition, too, so nothing else is needed to be exact. Conditions nest as lookaheads do, and every
component is drawn from a finite set: the states are finitely many.

Cost: a state is made once; its ways on are computed per group of classes that its threads tell apart. Reference: `re`
itself, in tests/lark/test_lexer.py.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from structgen.errors import LimitExceeded
from structgen.grammars.lark.program import BEHIND, CHAR, JUMP, LOOK, MATCH, SPLIT, Program

Thread: TypeAlias = "tuple[int, Conditions]"  # (instruction, conditions); instruction MATCHED = it matched before
Conditions: TypeAlias = "frozenset[tuple[bool, frozenset[Thread]]]"
Item: TypeAlias = "tuple[int, int, Conditions]"  # (terminal, instruction, conditions)

MATCHED = -1
MAX_STATES = 50_000
_FREE: Conditions = frozenset()


class LooksBehind(Exception):
    """A terminal asks for what stands before its own start."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the terminal {name} looks behind its own start, where this lexer cannot see")
        self.name = name


@dataclass(frozen=True, slots=True)
class Context:
    """What may be lexed in one place: `order` of terminals, most preferred first, and the strings each may turn
    into.
    """

    order: tuple[int, ...]
    keywords: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class State:
    """See the head of the module; `fresh`: no character of the token is read yet."""

    fresh: bool
    threads: tuple[Item, ...]
    keywords: tuple[tuple[int, int, int], ...]
    guard: Conditions
    history: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """What a token leaves behind for what follows."""

    conditions: Conditions = _FREE
    history: tuple[int, ...] = ()


@dataclass(slots=True)
class Threads:
    """Steps threads and conditions of a program."""

    program: Program
    names: tuple[str, ...]
    _known: dict[tuple[Conditions, int, tuple[int, ...]], Conditions | None] = field(default_factory=dict)

    def closure(self, pc: int, conditions: Conditions, history: tuple[int, ...], seen: set[Thread]) -> Iterator[Thread]:
        """The CHAR and MATCH instructions reached without a character, most preferred first."""
        program, stack = self.program, [(pc, conditions)]
        while stack:
            thread = stack.pop()
            if thread in seen:
                continue
            seen.add(thread)
            pc, conditions = thread
            op = program.op[pc]
            if op in (CHAR, MATCH):
                yield thread
            elif op == JUMP:
                stack.append((program.left[pc], conditions))
            elif op == SPLIT:
                stack += [(program.right[pc], conditions), (program.left[pc], conditions)]
            elif op == BEHIND:
                if self.behind(pc, history) == bool(program.right[pc]):
                    stack.append((pc + 1, conditions))
            else:
                after = self.look(pc, history)
                if after is not None:
                    stack.append((pc + 1, join(conditions, after)))

    def look(self, pc: int, history: tuple[int, ...]) -> Conditions | None:
        """What a LOOK asks of the text that follows; None when it fails here."""
        assert self.program.op[pc] == LOOK
        sign = bool(self.program.right[pc])
        found = self.settled(self.closure(self.program.left[pc], _FREE, history, set()))
        if found is None or not found:
            return _FREE if sign == (found is None) else None
        return frozenset([(sign, found)])

    def settled(self, threads: Iterable[Thread]) -> frozenset[Thread] | None:
        """A set of threads, those that match under a condition as MATCHED; None when one matches without."""
        found = set()
        for pc, conditions in threads:
            if pc == MATCHED or self.program.op[pc] == MATCH:
                if not conditions:
                    return None
                pc = MATCHED
            found.add((pc, conditions))
        return frozenset(found)

    def behind(self, pc: int, history: tuple[int, ...]) -> bool:
        """Whether the text before ends with one of a BEHIND's sequences. Raises LooksBehind when that is not known."""
        unknown = False
        for word in self.program.behind[self.program.left[pc]]:
            have = min(len(word), len(history))
            if all(word[-k] >> history[-k] & 1 for k in range(1, have + 1)):
                if have == len(word):
                    return True
                unknown = True
        if unknown:
            name = self.names[self.program.owner[pc]]
            raise LooksBehind(name)
        return False

    def after(self, conditions: Conditions, symbol: int, history: tuple[int, ...]) -> Conditions | None:
        """What is left to ask for after one more character (the last of `history`, if any); None when it failed."""
        if not conditions:
            return conditions
        key = (conditions, symbol, history)
        if key not in self._known:
            self._known[key] = self._after(conditions, symbol, history)
        return self._known[key]

    def _after(self, conditions: Conditions, symbol: int, history: tuple[int, ...]) -> Conditions | None:
        left: Conditions = _FREE
        for sign, threads in conditions:
            found = self.settled(self._stepped(threads, symbol, history))
            if found is None or not found:
                if sign != (found is None):
                    return None
            else:
                left = join(left, frozenset([(sign, found)]))
        return left

    def _stepped(self, threads: frozenset[Thread], symbol: int, history: tuple[int, ...]) -> Iterator[Thread]:
        seen: set[Thread] = set()
        for pc, conditions in threads:
            if pc != MATCHED and not self.program.mask[pc] >> symbol & 1:
                continue
            after = self.after(conditions, symbol, history)
            if after is None:
                continue
            if pc == MATCHED:
                yield MATCHED, after
            else:
                yield from self.closure(pc + 1, after, history, seen)


def join(one: Conditions, two: Conditions) -> Conditions:
    """Both; that none of these and none of those matches is one condition."""
    if not one or not two:
        return one or two
    both = one | two
    never = [threads for sign, threads in both if not sign]
    if len(never) < 2:
        return both
    return frozenset([*(c for c in both if c[0]), (False, frozenset().union(*never))])


def hold_at_end(conditions: Conditions) -> bool:
    """Whether conditions hold where the text ends: a thread that waits behind conditions which hold has matched."""
    return all(sign == any(pc == MATCHED and hold_at_end(more) for pc, more in threads) for sign, threads in conditions)


class Lexer:
    """States of the lexing automaton by number, made on demand: `start`, `successors`, `ends`."""

    def __init__(self, program: Program, symbols: int, names: tuple[str, ...]) -> None:
        self.program, self.symbols = program, symbols
        self.threads = Threads(program, names)
        self.states: list[State | None] = [None]  # number 0 is dead
        self.guards: list[Guard] = [Guard()]
        self._opened: dict[int, list[Thread]] = {}
        self._state_number: dict[State, int] = {}
        self._guard_number: dict[Guard, int] = {self.guards[0]: 0}

    def start(self, context: Context, guard: int) -> int:
        """The state before a token, `guard` being what the token before left."""
        left = self.guards[guard]
        threads: list[Item] = []
        for terminal in context.order:
            for pc, conditions in self.opened(terminal):
                threads.append((terminal, pc, conditions))
        keywords = [
            (terminal, word, pc)
            for terminal, words in context.keywords
            for word in words
            for pc, _ in self.opened(word)
        ]
        return self.number(True, threads, keywords, left.conditions, left.history)

    def opened(self, terminal: int) -> list[Thread]:
        """The threads of a terminal before its first character."""
        found = self._opened.get(terminal)
        if found is None:
            found = list(self.threads.closure(self.program.starts[terminal], _FREE, (), set()))
            self._opened[terminal] = found
        return found

    def successors(self, number: int) -> list[tuple[int, int]]:
        """(mask of classes, next state) for every way on."""
        state = self.states[number]
        assert state is not None
        parts = self._parts(list(dict.fromkeys(self.asked(state))))
        if self.width(state):  # what may be asked of the past tells characters apart, too
            parts = [mask & -mask for part in parts for mask in _suffixes(part)]
        found: dict[int, int] = {}
        for mask in parts:
            after = self.step(state, (mask & -mask).bit_length() - 1)
            if after:
                found[after] = found.get(after, 0) | mask
        return [(mask, after) for after, mask in found.items()]

    @staticmethod
    def _parts(masks: list[int]) -> list[int]:
        """The classes that some mask has, by which of the masks have them."""
        parts = [union] if (union := functools.reduce(operator.or_, masks, 0)) else []
        for mask in masks:
            parts = [piece for part in parts for piece in (part & mask, part & ~mask) if piece]
        return parts

    def asked(self, state: State) -> Iterator[int]:
        """The class masks that decide what a character does here."""
        mask = self.program.mask
        for _, pc, conditions in state.threads:
            if pc != MATCHED:
                yield mask[pc]
            yield from self.asked_by(conditions)
        for _, _, pc in state.keywords:
            yield mask[pc]
        yield from self.asked_by(state.guard)

    def asked_by(self, conditions: Conditions) -> Iterator[int]:
        """The same for conditions."""
        for _, threads in conditions:
            for pc, more in threads:
                if pc != MATCHED:
                    yield self.program.mask[pc]
                yield from self.asked_by(more)

    def width(self, state: State) -> int:
        """How many of the last characters some thread may still ask for."""
        found = {terminal for terminal, _, _ in state.threads} | set(self.owners(state.guard))
        return max((self.program.widths[terminal] for terminal in found), default=0)

    def owners(self, conditions: Conditions) -> Iterator[int]:
        """The terminals whose threads are in conditions."""
        for _, threads in conditions:
            for pc, more in threads:
                if pc != MATCHED:
                    yield self.program.owner[pc]
                yield from self.owners(more)

    def step(self, state: State, symbol: int) -> int:
        """The state after one character, 0 when there is none."""
        program, follow = self.program, self.threads
        width = self.width(state)
        history = (*state.history, symbol)[-width:] if width else ()
        guard = follow.after(state.guard, symbol, history)
        if guard is None:
            return 0
        threads: list[Item] = []
        seen: set[Thread] = set()
        for terminal, pc, conditions in state.threads:
            if pc == MATCHED or program.op[pc] == MATCH:
                after = follow.after(conditions, symbol, history) if conditions else None
                if after is None:
                    continue  # an end of the token that was passed by, or whose condition failed
                if not after:
                    break  # its condition holds: that match stands, and nothing less preferred can
                threads.append((terminal, MATCHED, after))
            elif program.mask[pc] >> symbol & 1:
                after = follow.after(conditions, symbol, history)
                if after is not None:
                    found = [(terminal, *t) for t in follow.closure(pc + 1, after, history, seen)]
                    ends = next((k for k, (_, p, c) in enumerate(found) if program.op[p] == MATCH and not c), None)
                    threads += found if ends is None else found[: ends + 1]
                    if ends is not None:
                        break
        keywords = [
            (terminal, word, after)
            for terminal, word, pc in state.keywords
            if program.mask[pc] >> symbol & 1
            for after, _ in follow.closure(pc + 1, _FREE, history, set())
        ]
        return self.number(False, threads, keywords, guard, history) if threads else 0

    def number(
        self,
        fresh: bool,
        threads: list[Item],
        keywords: list[tuple[int, int, int]],
        guard: Conditions,
        history: tuple[int, ...],
    ) -> int:
        """The number of a state, made if new."""
        alive = {terminal for terminal, _, _ in threads}
        words = tuple(entry for entry in keywords if entry[0] in alive)
        state = State(fresh, tuple(dict.fromkeys(threads)), words, guard, history)
        width = self.width(state)
        if len(state.history) > width:
            state = State(fresh, state.threads, words, guard, history[-width:] if width else ())
        number = self._state_number.get(state)
        if number is None:
            if len(self.states) >= MAX_STATES:
                raise LimitExceeded("the lexer has too many states", limit="lexer_states", allowed=MAX_STATES)
            number = self._state_number[state] = len(self.states)
            self.states.append(state)
        return number

    def ends(self, number: int) -> list[tuple[int, int]]:
        """(type, guard) of every token that may end here."""
        state = self.states[number]
        assert state is not None
        found = []
        before: list[Thread] = []
        for terminal, pc, conditions in state.threads:
            if pc != MATCHED and self.program.op[pc] == MATCH and not state.fresh:
                guard = join(state.guard, conditions)
                if before:
                    threads = self.threads.settled(before)
                    assert threads is not None, "what is less preferred than a certain match was dropped"
                    guard = join(guard, frozenset([(False, threads)]))
                found.append((self.kind(state, terminal), self.guard(guard, state.history)))
            before.append((pc, conditions))
        return list(dict.fromkeys(found))

    def kind(self, state: State, terminal: int) -> int:
        """What a match of a terminal is called: the first string that is the whole text, else the terminal."""
        for owner, word, pc in state.keywords:
            if owner == terminal and self.program.op[pc] == MATCH:
                return word
        return terminal

    def guard(self, conditions: Conditions, history: tuple[int, ...]) -> int:
        """The number of a guard."""
        guard = Guard(conditions, history if conditions else ())
        number = self._guard_number.get(guard)
        if number is None:
            number = self._guard_number[guard] = len(self.guards)
            self.guards.append(guard)
        return number

    def may_end(self, number: int) -> bool:
        """Whether the text may end before this token: what the tokens before ask for holds where nothing follows."""
        state = self.states[number]
        assert state is not None
        return state.fresh and hold_at_end(state.guard)


def _suffixes(mask: int) -> Iterator[int]:
    """The mask without its lowest bits, one fewer at a time."""
    while mask:
        yield mask
        mask &= mask - 1


def check_lookbehinds(program: Program, symbols: int, names: tuple[str, ...]) -> None:
    """Raise LooksBehind for a pattern that asks for what stands before its own start, wherever in it that is."""
    for pattern, width in enumerate(program.widths):
        if width:
            lexer = Lexer(program, symbols, names)
            lexer.start(Context((pattern,), ()), 0)
            number = 1
            while number < len(lexer.states):  # successors make more
                lexer.successors(number)
                number += 1
