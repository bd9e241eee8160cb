"""Deterministic automata that are computed while they are walked.

A `Machine` has a start state, says whether a state accepts, and lists the edges out of a state as (mask of alphabet
classes, next state): disjoint, non-empty, and leaving out what leads nowhere for certain. States are hashable values
without meaning to others, except `ALL`, from which every string is accepted. Nothing is explored that nobody asks
for, so products of large automata cost what is reachable.

`Positions` runs an expression without assertions (the subset construction over the positions of Glushkov 1961, a
set of positions being one integer); `Counter` runs x{m,n} for a single character; `Trie` a finite set; `Table` an
automaton that is known; the Boolean machines combine. Assertions are in `lookaround.py`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import Final, Protocol, TypeAlias, TypeVar

from structgen.errors import LimitExceeded
from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.minimise import Row
from structgen.grammars.regular.syntax import Cat, Char, Choice, Loop, Node
from structgen.grammars.time_limit import check_time
from structgen.options import Limits

State: TypeAlias = Hashable
Edges: TypeAlias = Sequence[tuple[int, State]]

ALL: Final = "all"
_USUAL = Limits()
LIMITS: ContextVar[Limits] = ContextVar("LIMITS", default=_USUAL)  # of the compilation that is under way
ACCEPT: Final = 1  # the bit of a position set that says: may end here


@dataclass(slots=True)
class Budget:
    """What one construction may cost: `states` of the automaton, `work` in elementary steps (about 1 us each)."""

    states: int = field(default_factory=lambda: LIMITS.get().regex_states)
    work: int = field(default_factory=lambda: LIMITS.get().regex_work)
    spent: int = 0

    def spend(self, steps: int) -> None:
        """Account for work; raises LimitExceeded when it is used up."""
        check_time()
        self.spent += steps
        if self.spent > self.work:
            raise LimitExceeded("the regular language is too complex", limit="regex_work", allowed=self.work)

    def check_states(self, n_states: int) -> None:
        """Raise LimitExceeded if an automaton has become too large."""
        if n_states > self.states:
            raise LimitExceeded("the automaton is too large", limit="regex_states", allowed=self.states)


def check_positions(n_positions: int) -> None:
    """Raise LimitExceeded if an expression with its counts written out is too long: a set of positions is an integer of
    as many bits, and each position has one."""
    allowed = LIMITS.get().regex_positions
    if n_positions > allowed:
        raise LimitExceeded("the counts are too large for an automaton", limit="regex_positions", allowed=allowed)


class Machine(Protocol):
    """See the module."""

    start: State | None  # None: the language is empty

    def accepts(self, state: State) -> bool:
        """Whether the text may end in `state` (never asked about ALL)."""

    def edges(self, state: State) -> Edges:
        """Where to go from `state` (never asked about ALL)."""


M = TypeVar("M", int, frozenset[Anything])  # a set of positions or states


def refine(parts: Iterable[tuple[int, M]]) -> dict[M, int]:
    """Overlapping (classes, members) to disjoint ones: set of members -> the classes that lead to exactly them."""
    blocks: list[tuple[int, M]] = []
    for mask, target in parts:
        rest: list[tuple[int, M]] = []
        for other, reached in blocks:
            common = other & mask
            if common:
                rest.append((common, reached | target))
                mask ^= common
                other ^= common
            if other:
                rest.append((other, reached))
        if mask:
            rest.append((mask, target))
        blocks = rest
    merged: dict[M, int] = {}
    for mask, target in blocks:
        merged[target] = merged.get(target, 0) | mask
    return merged


class Positions:
    """An expression without assertions. A state is the set of positions that may be matched next, plus ACCEPT."""

    def __init__(self, node: Node, alphabet: Alphabet, budget: Budget) -> None:
        self.alphabet, self.budget = alphabet, budget
        self.follow: list[int] = [0]
        self.symbol: list[int] = [0]
        first = self._enter(node, ACCEPT)
        self.by_symbol: dict[int, int] = {}
        endless = 0
        everything = alphabet.everything
        for position in range(1, len(self.follow)):
            symbol, bit = self.symbol[position], 1 << position
            if symbol:
                self.by_symbol[symbol] = self.by_symbol.get(symbol, 0) | bit
                if symbol == everything and self.follow[position] & bit and self.follow[position] & ACCEPT:
                    endless |= bit
        self.endless = endless
        self.start: State | None = self._settle(first) if first else None

    def _enter(self, node: Node, after: int) -> int:
        """Lay out `node` so that `after` comes next; returns the positions it can begin with (or `after` itself)."""
        match node:
            case Char(charset):
                return self._position(self.alphabet.masks[charset], after)
            case Cat(parts):
                for part in reversed(parts):
                    after = self._enter(part, after)
                return after
            case Choice(options):
                entries = 0
                for option in options:
                    entries |= self._enter(option, after)
                return entries
            case Loop(body, minimum, maximum):
                return self._enter_loop(body, minimum, maximum, after)
            case _:
                raise TypeError(f"{type(node).__name__} is not for this machine")

    def _position(self, symbol: int, after: int) -> int:
        self.budget.spend(1 + (after.bit_length() >> 12))
        check_positions(len(self.follow))
        self.follow.append(after)
        self.symbol.append(symbol)
        return 1 << (len(self.follow) - 1)

    def _enter_loop(self, body: Node, minimum: int, maximum: int | None, after: int) -> int:
        entry = after
        copies = minimum
        if maximum is None:
            marker = self._position(0, 0)  # stands for the loop's own entry until that is known
            begin = len(self.follow)
            inner = self._enter(body, after | marker)
            inner &= ~marker
            for position in range(begin, len(self.follow)):
                if self.follow[position] & marker:
                    self.follow[position] = self.follow[position] ^ marker | inner
            entry = inner | after if minimum == 0 else inner
            copies = max(minimum - 1, 0)
        else:
            for _ in range(maximum - minimum):
                entry = after | self._enter(body, entry)
        for _ in range(copies):
            entry = self._enter(body, entry)
        return entry

    def _settle(self, positions: int) -> State:
        return ALL if positions & ACCEPT and positions & self.endless else positions

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, int)
        return bool(state & ACCEPT)

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, int)
        local: list[tuple[int, int]] = []
        work = 1
        follow = self.follow
        for symbol, members in self.by_symbol.items():
            live = state & members
            if live:
                target = 0
                while live:
                    bit = live & -live
                    target |= follow[bit.bit_length() - 1]
                    live ^= bit
                    work += 1
                local.append((symbol, target))
        self.budget.spend(work + (work * state.bit_length() >> 12))
        if len(local) == 1:
            symbol, target = local[0]
            return ((symbol, self._settle(target)),) if target else ()
        return [(mask, self._settle(target)) for target, mask in refine(local).items() if target]


class Counter:
    """x{m,n} for one character set x. A state is how many there have been, no further than it matters."""

    def __init__(self, symbol: int, minimum: int, maximum: int | None, everything: int) -> None:
        self.symbol, self.minimum, self.maximum = symbol, minimum, maximum
        self.endless = maximum is None and symbol == everything
        self.start: State | None = ALL if self.endless and not minimum else 0

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, int)
        return state >= self.minimum

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, int)
        if state == self.maximum:
            return ()
        count = state + 1
        if self.maximum is None and count >= self.minimum:
            return ((self.symbol, ALL if self.endless else self.minimum),)
        return ((self.symbol, count),)


class Trie:
    """A finite set of strings. A state is a node of their trie."""

    def __init__(self, strings: Iterable[str], alphabet: Alphabet) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.ends: set[int] = set()
        for string in strings:
            node = 0
            for character in string:
                below = self.children[node]
                symbol = alphabet.classify(character)
                if symbol not in below:
                    below[symbol] = len(self.children)
                    self.children.append({})
                node = below[symbol]
            self.ends.add(node)
        self.start: State | None = 0 if self.ends else None

    def accepts(self, state: State) -> bool:
        """See Machine."""
        return state in self.ends

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, int)
        return list(self.children[state].items())


class Table:
    """A known automaton (rows as in `dfa.Dfa`) over a finer alphabet. A state is its number, or ALL."""

    def __init__(
        self, rows: Sequence[Row], accept: Sequence[bool], classes: Sequence[CharSet], alphabet: Alphabet
    ) -> None:
        self.rows, self.accept = rows, accept
        self.masks = [alphabet.masks[members] for members in classes]
        self.known: dict[int, int] = {}  # masks met so far, in the finer alphabet
        whole = (1 << len(classes)) - 1
        self.endless = {s for s, row in enumerate(rows) if accept[s] and len(row) == 1 and row[0] == (whole, s)}
        self.start: State | None = self._state(0)

    def _state(self, number: int) -> State:
        return ALL if number in self.endless else number

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, int)
        return self.accept[state]

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, int)
        return [(self._mask(mask), self._state(target)) for mask, target in self.rows[state]]

    def _mask(self, mask: int) -> int:
        found = self.known.get(mask)
        if found is None:
            found = 0
            for number, members in enumerate(self.masks):
                if mask >> number & 1:
                    found |= members
            self.known[mask] = found
        return found


class Not:
    """What a machine does not accept."""

    def __init__(self, machine: Machine, everything: int) -> None:
        self.machine, self.everything = machine, everything
        self.start: State | None = ALL if machine.start is None else None if machine.start == ALL else machine.start

    def accepts(self, state: State) -> bool:
        """See Machine."""
        return not self.machine.accepts(state)

    def edges(self, state: State) -> Edges:
        """See Machine."""
        rest, found = self.everything, list[tuple[int, State]]()
        for mask, target in self.machine.edges(state):
            rest ^= mask
            if target != ALL:
                found.append((mask, target))
        if rest:
            found.append((rest, ALL))
        return found


class All:
    """What every one of several machines accepts. A state is the tuple of theirs."""

    def __init__(self, machines: Sequence[Machine], budget: Budget) -> None:
        self.machines, self.budget = machines, budget
        self.known: list[dict[State, Edges]] = [{ALL: ((-1, ALL),)} for _ in machines]
        self.everywhere = (ALL,) * len(machines)
        starts = [machine.start for machine in machines]
        self.start: State | None = None if None in starts else self._settle(tuple(starts))

    def _settle(self, state: tuple[State, ...]) -> State:
        return ALL if state == self.everywhere else state

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, tuple)
        for machine, part in zip(self.machines, state, strict=True):
            if part != ALL and not machine.accepts(part):
                return False
        return True

    def edges(self, state: State) -> Edges:
        """See Machine. The edges of a part are asked for once: with a bound on the length, as many states as it says
        have the same part. Receipt: with the linear `open_states`, 15,000 states of such products 520 -> 255 ms."""
        assert isinstance(state, tuple)
        blocks: list[tuple[int, tuple[State, ...]]] = [(-1, ())]
        for machine, known, part in zip(self.machines, self.known, state, strict=True):
            edges = known.get(part)
            if edges is None:
                edges = known[part] = machine.edges(part)
            self.budget.spend(len(blocks) * len(edges))
            blocks = [
                (mask & other, (*reached, target))
                for mask, reached in blocks
                for other, target in edges
                if mask & other
            ]
        return [(mask, self._settle(reached)) for mask, reached in blocks]


class Any:
    """What at least one of several machines accepts. A state is the tuple of theirs, None where one has failed."""

    def __init__(self, machines: Sequence[Machine], everything: int, budget: Budget) -> None:
        self.machines, self.everything, self.budget = machines, everything, budget
        self.known: list[dict[State | None, Edges]] = [{None: ()} for _ in machines]
        self.start: State | None = _either(tuple(machine.start for machine in machines))

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, tuple)
        pairs = zip(self.machines, state, strict=True)
        return any(part is not None and machine.accepts(part) for machine, part in pairs)

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, tuple)
        blocks: list[tuple[int, tuple[State | None, ...]]] = [(self.everything, ())]
        for machine, known, part in zip(self.machines, self.known, state, strict=True):
            edges = known.get(part)
            if edges is None:
                edges = known[part] = machine.edges(part)
            self.budget.spend(len(blocks) * (len(edges) + 1))
            split: list[tuple[int, tuple[State | None, ...]]] = []
            for mask, reached in blocks:
                rest = mask
                for other, target in edges:
                    common = mask & other
                    if common:
                        split.append((common, (*reached, target)))
                        rest ^= common
                if rest:
                    split.append((rest, (*reached, None)))
            blocks = split
        settled = ((mask, _either(reached)) for mask, reached in blocks)
        return [(mask, state) for mask, state in settled if state is not None]


def _either(state: tuple[State | None, ...]) -> State | None:
    if ALL in state:
        return ALL
    return None if all(part is None for part in state) else state
