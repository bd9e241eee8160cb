"""Expressions with lookarounds and anchors as a deterministic machine.

Every assertion becomes a *guard* on the way from one position of the expression to the next. What lies behind is known
when a position is reached, so lookbehinds are deterministic automata run alongside from the start of the text, and
their guards are decided at once. What lies ahead is not: the thread takes the guard along as an *obligation*, a state
of the lookahead's own automaton, until that has succeeded or failed. So

    thread       a set of positions (an integer, see `machine.Positions`) with the obligations they share
    layer state  the threads of one expression: the main one, or a lookahead's. It is a disjunction of conjunctions
    state        (states of the lookbehinds, layer state of the main expression)

A thread whose obligations include another's is dropped for the positions they share. Without nesting of lookaheads in
loops the states stay few; the budget bounds the rest.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TypeAlias

from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.anchors import whole_text
from structgen.grammars.regular.machine import ACCEPT, ALL, Budget, Edges, Machine, Positions, State, check_positions
from structgen.grammars.regular.syntax import (
    ANYTHING,
    Cat,
    Char,
    Choice,
    Edge,
    Look,
    Loop,
    Node,
    assertions,
    cat,
)  # fmt: skip

Guarded: TypeAlias = dict[int, int]  # set of guards (bits) -> the positions reached under them
Context: TypeAlias = tuple[State | None, ...]
Obligations: TypeAlias = frozenset[tuple[int, State]]
Moves: TypeAlias = list[tuple[Obligations, list[tuple[int, int, list[int]]]]]

START, END = 1, 2  # the guards that every expression has
FIRST_GUARD = 2
REMEMBERED = 10_000  # states whose moves are kept


class Threads:
    """The machine for an expression with assertions, over the whole text."""

    def __init__(self, node: Node, alphabet: Alphabet, budget: Budget) -> None:
        self.alphabet, self.budget = alphabet, budget
        self.guards: list[Look] = []
        self.layers: dict[int, _Layer] = {}  # by guard, for lookaheads
        self.behind: dict[int, int] = {}  # guard -> index into `machines`
        self.machines: list[Machine] = []
        self.main = _Layer(self, node)
        context: Context = tuple(machine.start for machine in self.machines)
        self.start: State | None = self._state(context, self.main.start(context, at_start=True))

    def guard(self, look: Look) -> int:
        """The bit of a lookaround; equal ones share it."""
        if look not in self.guards:
            self.guards.append(look)
            number = len(self.guards) - 1
            twin = Look(look.body, look.ahead, not look.negative)  # asks the same and negates the answer
            other = self.guards.index(twin) if twin in self.guards else None
            if look.ahead:
                layer = _Layer(self, cat(look.body, ANYTHING)) if other is None else self.layers[other]
                self.layers[number] = layer
            else:
                self.behind[number] = len(self.machines) if other is None else self.behind[other]
                if other is None:
                    body = whole_text(cat(ANYTHING, look.body), search=False)
                    build = Threads if assertions(body) else Positions
                    self.machines.append(build(body, self.alphabet, self.budget))
        return 1 << (self.guards.index(look) + FIRST_GUARD)

    def holds_behind(self, number: int, context: Context) -> bool:
        """Whether a lookbehind's guard is satisfied."""
        index = self.behind[number]
        state = context[index]
        matched = state is not None and (state == ALL or self.machines[index].accepts(state))
        return matched != self.guards[number].negative

    @staticmethod
    def _state(context: Context, layer: State | None) -> State | None:
        return layer if layer is None or layer == ALL else (context, layer)

    def accepts(self, state: State) -> bool:
        """See Machine."""
        assert isinstance(state, tuple)
        return self.main.accepts(state[1])

    def edges(self, state: State) -> Edges:
        """See Machine."""
        assert isinstance(state, tuple)
        context, layer = state
        found: list[tuple[int, State]] = []
        for block in self._partition(set(self.main.symbols(layer))):
            for mask, following in self._contexts(context, block):
                target = self._state(following, self.main.step(layer, mask & -mask, following))
                if target is not None:
                    found.append((mask, target))
        return found

    def _partition(self, symbols: Iterable[int]) -> list[int]:
        """The classes that none of the symbols in play tells apart, and that some symbol contains."""
        blocks: list[int] = []
        for symbol in symbols:
            rest, split = symbol, []
            for block in blocks:
                split += [part for part in (block & symbol, block & ~symbol) if part]
                rest &= ~block
            blocks = [*split, rest] if rest else split
        self.budget.spend(1 + len(blocks))
        return blocks

    def _contexts(self, context: Context, mask: int) -> list[tuple[int, Context]]:
        """Advance the lookbehinds over the classes of `mask`."""
        blocks: list[tuple[int, Context]] = [(mask, ())]
        for machine, state in zip(self.machines, context, strict=True):
            edges = () if state is None else ((mask, ALL),) if state == ALL else machine.edges(state)
            split: list[tuple[int, Context]] = []
            for block, reached in blocks:
                rest = block
                for symbol, target in edges:
                    if block & symbol:
                        split.append((block & symbol, (*reached, target)))
                        rest &= ~symbol
                if rest:
                    split.append((rest, (*reached, None)))
            blocks = split
        self.budget.spend(len(blocks))
        return blocks


class _Layer:
    """One expression, laid out as positions with guarded ways between them."""

    def __init__(self, owner: Threads, node: Node) -> None:
        self.owner: Threads = weakref.proxy(owner)  # which holds this one: no garbage that only a collection finds
        self.follow: list[Guarded] = [{}]
        self.symbol: list[int] = [0]
        self.first = self._enter(node, {0: ACCEPT})
        everything = owner.alphabet.everything
        self.moves: dict[State, Moves] = {}
        self.free = [follow.get(0, 0) for follow in self.follow]
        self.bound = [{guards: mask for guards, mask in follow.items() if guards} for follow in self.follow]
        self.by_symbol: dict[int, int] = {}
        self.endless = 0
        for position, (symbol, follow) in enumerate(zip(self.symbol, self.follow, strict=True)):
            free = follow.get(0, 0)
            if symbol:
                self.by_symbol[symbol] = self.by_symbol.get(symbol, 0) | 1 << position
            if symbol == everything and free >> position & 1 and free & ACCEPT:
                self.endless |= 1 << position

    # ------------------------------------------------------------------------------------------------- building

    def _enter(self, node: Node, after: Guarded) -> Guarded:
        """See `Positions._enter`."""
        match node:
            case Char(charset):
                return {0: self._position(self.owner.alphabet.masks[charset], after)}
            case Cat(parts):
                for part in reversed(parts):
                    after = self._enter(part, after)
                return after
            case Choice(options):
                return _union(self._enter(option, after) for option in options)
            case Edge(at_end):
                return _require(after, END if at_end else START)
            case Look():
                return _require(after, self.owner.guard(node))
            case Loop(body, minimum, maximum):
                return self._enter_loop(body, minimum, maximum, after)

    def _position(self, symbol: int, after: Guarded) -> int:
        self.owner.budget.spend(1 + len(after))
        check_positions(len(self.follow))
        self.follow.append(after)
        self.symbol.append(symbol)
        return 1 << (len(self.follow) - 1)

    def _enter_loop(self, body: Node, minimum: int, maximum: int | None, after: Guarded) -> Guarded:
        entry = after
        if maximum is None:
            marker = self._position(0, {})
            begin = len(self.follow)
            inner = self._enter(body, _union((after, {0: marker})))
            inner = {guards: mask & ~marker for guards, mask in inner.items() if mask & ~marker}
            for position in range(begin, len(self.follow)):
                self.follow[position] = _substitute(self.follow[position], marker, inner)
            entry = _union((inner, after)) if minimum == 0 else inner
            minimum = max(minimum - 1, 0)
        else:
            for _ in range(maximum - minimum):
                entry = _union((after, self._enter(body, entry)))
        for _ in range(minimum):
            entry = self._enter(body, entry)
        return entry

    # -------------------------------------------------------------------------------------------------- running

    def start(self, context: Context, *, at_start: bool = False) -> State | None:
        """The layer's state where it begins."""
        return self._settled(self._resolve(self.first, frozenset(), context, at_start=at_start))

    def symbols(self, state: State) -> Iterable[int]:
        """The symbols that the positions of a state, and of its obligations, can tell apart."""
        for obligations, moves in self._moves(state):
            for symbol, _, _ in moves:
                yield symbol
            for number, inner in obligations:
                yield from self.owner.layers[number].symbols(inner)

    def _moves(self, state: State) -> Moves:
        """Per thread and symbol: the positions reached freely, and those from which guarded ways lead on."""
        known = self.moves.get(state)
        if known is not None:
            return known
        assert isinstance(state, frozenset)
        found: Moves = []
        for obligations, positions in state:
            moves = []
            for symbol, members in self.by_symbol.items():
                free, bound = 0, []
                for position in _bits(positions & members):
                    free |= self.free[position]
                    if self.bound[position]:
                        bound.append(position)
                    self.owner.budget.spend(1)
                if free or bound:
                    moves.append((symbol, free, bound))
            found.append((obligations, moves))
        if len(self.moves) >= REMEMBERED:
            self.moves.clear()
        self.moves[state] = found
        return found

    def step(self, state: State, symbol: int, context: Context) -> State | None:
        """The state after one class, `context` being that of the lookbehinds after it."""
        reached: dict[Obligations, int] = {}
        for obligations, moves in self._moves(state):
            live = [(free, bound) for symbols, free, bound in moves if symbols & symbol]
            kept = self._advanced(obligations, symbol, context) if live else None
            if kept is None:
                continue
            for free, bound in live:
                if free:
                    reached[kept] = reached.get(kept, 0) | free
                for position in bound:
                    for key, mask in self._resolve(self.bound[position], kept, context).items():
                        reached[key] = reached.get(key, 0) | mask
        self.owner.budget.spend(1 + len(reached))
        return self._settled(reached)

    def _advanced(self, obligations: Obligations, symbol: int, context: Context) -> Obligations | None:
        """What is left of the obligations after one class; None if one has failed."""
        kept = []
        for number, inner in obligations:
            following = self.owner.layers[number].step(inner, symbol, context)
            if following is None or following == ALL:
                if (following is None) != self.owner.guards[number].negative:
                    return None
                continue
            kept.append((number, following))
        return frozenset(kept)

    def _resolve(
        self, ways: Guarded, obligations: Obligations, context: Context, *, at_start: bool = False
    ) -> dict[Obligations, int]:
        """Decide the guards that can be decided now; the others become obligations."""
        found: dict[Obligations, int] = {}
        for guards, mask in ways.items():
            key, positions = obligations, mask & ACCEPT if guards & END else mask
            if (guards & START and not at_start) or not positions:
                continue
            for number in _bits(guards >> FIRST_GUARD):
                added = self._begun(number, context, at_start=at_start)
                if added is None:
                    break
                key |= added
            else:
                found[key] = found.get(key, 0) | positions
        self.owner.budget.spend(1 + len(found))
        return found

    def _begun(self, number: int, context: Context, *, at_start: bool) -> Obligations | None:
        """What a guard obliges to from here on; None if it fails at once."""
        look = self.owner.guards[number]
        if not look.ahead:
            return frozenset() if self.owner.holds_behind(number, context) else None
        inner = self.owner.layers[number].start(context, at_start=at_start)
        if inner is None or inner == ALL:
            return None if (inner is None) != look.negative else frozenset()
        return frozenset(((number, inner),))

    def _settled(self, reached: dict[Obligations, int]) -> State | None:
        """Drop what is subsumed; ALL if everything is accepted from here, None if nothing is."""
        threads = []
        for obligations, mask in reached.items():
            for weaker, other in reached.items():
                if weaker < obligations:
                    mask &= ~other
            if mask:
                threads.append((obligations, mask))
            if not obligations and mask & ACCEPT and mask & self.endless:
                return ALL
        self.owner.budget.spend(len(reached) ** 2)
        return frozenset(threads) or None

    def accepts(self, state: State) -> bool:
        """Whether the text may end here: a thread may, and its obligations are met."""
        assert isinstance(state, frozenset)
        return any(positions & ACCEPT and all(self._met(*item) for item in items) for items, positions in state)

    def _met(self, number: int, inner: State) -> bool:
        return self.owner.layers[number].accepts(inner) != self.owner.guards[number].negative


def _bits(mask: int) -> Iterable[int]:
    while mask:
        bit = mask & -mask
        yield bit.bit_length() - 1
        mask ^= bit


def _union(ways: Iterable[Guarded]) -> Guarded:
    found: Guarded = {}
    for guarded in ways:
        for guards, mask in guarded.items():
            found[guards] = found.get(guards, 0) | mask
    return found


def _require(ways: Guarded, guard: int) -> Guarded:
    return _union({guards | guard: mask} for guards, mask in ways.items())


def _substitute(ways: Guarded, marker: int, inner: Guarded) -> Guarded:
    """Replace the marker of a loop by the ways into it."""
    if not any(mask & marker for mask in ways.values()):
        return ways
    found = _union({guards: mask & ~marker} for guards, mask in ways.items() if mask & ~marker)
    for guards, mask in ways.items():
        if mask & marker:
            found = _union((found, *({guards | other: reached} for other, reached in inner.items())))
    return found
