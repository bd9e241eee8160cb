"""Regular grammars as deterministic automata over bytes, computed while they are walked.

Of a code point language its minimal automaton is spelled in UTF-8; of a grammar whose rules do not call each other in a
circle the rules are put in place of their calls. The subset construction is lazy: only sets that are reached are made.
"""

from __future__ import annotations

from collections.abc import Sequence

from structgen.grammars.combine.join import references
from structgen.grammars.combine.nets import Net, Nets
from structgen.grammars.ir import ByteSet, Expr, Grammar, Graph, Repeat, Rule
from structgen.grammars.regular.charset import ANY, utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.machine import refine

__all__ = ["ByteAutomaton", "complement", "of_grammar", "of_language", "recursive_rule"]

UTF8_BYTES = sum(1 << byte for byte in range(0xF5) if byte not in (0xC0, 0xC1))
Row = Sequence[tuple[int, int]]


class ByteAutomaton:
    """A deterministic automaton: state 0 is the start, `row(state)` lists (byte set, next state), disjoint."""

    def __init__(self, net: Net, nets: Nets) -> None:
        self.net, self.nets = net, nets
        self.sets: list[frozenset[int]] = [frozenset((0,))]
        self.numbers: dict[frozenset[int], int] = {self.sets[0]: 0}
        self.rows: dict[int, Row] = {}

    def accepts(self, state: int) -> bool:
        """Whether a text may end here."""
        return not self.net.accepts.isdisjoint(self.sets[state])

    def row(self, state: int) -> Row:
        """The edges out of a state."""
        if state not in self.rows:
            by_mask: dict[int, set[int]] = {}
            for member in self.sets[state]:
                for mask, target in self.net.scans[member]:
                    by_mask.setdefault(mask, set()).add(target)
            disjoint = refine((mask, frozenset(targets)) for mask, targets in by_mask.items())
            self.rows[state] = [(mask, self._number(members)) for members, mask in disjoint.items()]
        return self.rows[state]

    def staying(self, state: int) -> int:
        """The bytes that lead from a state to itself alone, as a 256-bit integer."""
        return next((mask for mask, target in self.row(state) if target == state), 0)

    def erases(self, state: int, following: int) -> bool:
        """Whether a byte that is read here is left out of the product; never, see quotient.Cut."""
        return False

    outside = erases

    def _number(self, members: frozenset[int]) -> int:
        known = self.numbers.get(members)
        if known is None:
            self.nets.spend(1)
            known = self.numbers[members] = len(self.sets)
            self.sets.append(members)
        return known


def of_language(language: Language, limit: int) -> ByteAutomaton:
    """The automaton of a code point language. Raises LimitExceeded."""
    dfa = language.automaton()
    labels: dict[int, Expr] = {}
    edges: list[tuple[int, Expr, int]] = []
    for source, row in enumerate(dfa.rows):
        if row == ((dfa.alphabet.everything, source),) and dfa.accepts[source]:
            edges.append((source, ByteSet(UTF8_BYTES), source))  # what follows does not matter: grammars write UTF-8
            continue
        for mask, target in row:
            if mask not in labels:
                labels[mask] = utf8(dfa.charset(mask))
            edges.append((source, labels[mask], target))
    accepts = tuple(state for state, accepting in enumerate(dfa.accepts) if accepting)
    graph = Graph.of(max(len(dfa), 1), 0, accepts, edges)
    return of_grammar(Grammar((Rule("language", graph),)), limit)


def recursive_rule(grammar: Grammar) -> str | None:
    """The name of a rule that calls itself, directly or through others; None if there is none."""
    calls = [sorted(references(rule.body)) for rule in grammar.rules]
    state = [0] * len(calls)  # 0 not seen, 1 on the way, 2 done
    stack = [grammar.start]
    while stack:
        rule = stack[-1]
        if state[rule] == 0:
            state[rule] = 1
            for called in calls[rule]:
                if state[called] == 1:
                    return grammar.rules[called].name
                if state[called] == 0:
                    stack.append(called)
        else:
            state[rule] = 2
            stack.pop()
    return None


def of_grammar(grammar: Grammar, limit: int) -> ByteAutomaton:
    """The automaton of a grammar without recursion (see `recursive_rule`). Raises LimitExceeded."""
    nets = Nets(grammar, limit, inline=True)
    return ByteAutomaton(nets.net(grammar.start), nets)


def complement(automaton: ByteAutomaton) -> Grammar:
    """Every other text: pairs of a state of the automaton (None: it failed) and of "any text". Raises LimitExceeded."""
    every = of_grammar(Grammar((Rule("text", Repeat(utf8(ANY))),)), automaton.nets.limit)
    pairs: dict[tuple[int | None, int], int] = {(0, 0): 0}
    edges: list[tuple[int, Expr, int]] = []
    accepts = []
    order = list(pairs)
    for number, (state, place) in enumerate(order):  # grows while it is walked
        if every.accepts(place) and (state is None or not automaton.accepts(state)):
            accepts.append(number)
        for mask, following in every.row(place):
            steps: list[tuple[int, int | None]] = [] if state is None else list(automaton.row(state))
            rest = mask
            for other, _ in steps:
                rest &= ~other
            for other, target in [*steps, (rest, None)]:
                if not mask & other:
                    continue
                pair = (target, following)
                if pair not in pairs:
                    automaton.nets.spend(1)
                    pairs[pair] = len(order)
                    order.append(pair)
                edges.append((number, ByteSet(mask & other), pairs[pair]))
    return Grammar((Rule("other text", Graph.of(len(pairs), 0, tuple(accepts), edges)),))
