"""A context-free grammar met with a regular one: the texts of both, exactly (Bar-Hillel, Perles and Shamir 1961).

For a rule R and states p, q of the automaton the rule (R, p, q) has the texts of R that lead from p to q. Only pairs
(R, p) in which R can begin are visited, and q are those in which it is found to end (summaries, as in recursive state
machines: Alur et al. 2005), so every rule made is reached and has a text. Where no byte of R changes the state, the
rule is kept as it is. Cost: states of the rules times states of the automaton that meet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from structgen.grammars.combine.automaton import ByteAutomaton
from structgen.grammars.combine.join import mapped
from structgen.grammars.combine.nets import Nets
from structgen.grammars.combine.quotient import Cut, without_silent
from structgen.grammars.ir import EPSILON, NOTHING, ByteSet, Expr, Grammar, GrammarBuilder, Graph, Ref, alt

__all__ = ["between", "meet"]

Point = tuple[int, int]  # (state of a rule, state of the automaton)
Entry = tuple[int, int]  # (rule, state of the automaton where it begins)


@dataclass(slots=True)
class _Summary:
    """One rule begun in one state of the automaton.

    field    meaning
    scans    (from, byte set, to)
    calls    (from, entry called, state where that ended, to)
    ends     states of the automaton in which the rule ends -> the points where it does
    waiting  who called it: (caller's entry, from, state of the caller's rule after the call)
    """

    seen: dict[Point, None] = field(default_factory=dict)
    scans: list[tuple[Point, int, Point]] = field(default_factory=list)
    calls: list[tuple[Point, Entry, int, Point]] = field(default_factory=list)
    ends: dict[int, list[Point]] = field(default_factory=dict)
    waiting: list[tuple[Entry, Point, int]] = field(default_factory=list)
    kept: bool = False


def meet(grammar: Grammar, automaton: ByteAutomaton, limit: int) -> Grammar:
    """The texts of `grammar` that `automaton` accepts. Raises LimitExceeded beyond `limit` states."""
    product = _Product(Nets(grammar, limit), automaton)
    product.explore((grammar.start, 0))
    return _Writer(product).written((grammar.start, 0))


def between(grammar: Grammar, cut: Cut, limit: int) -> Grammar:
    """What the texts of `grammar` have in the first hole of a cut. Raises LimitExceeded beyond `limit` states."""
    product = _Product(Nets(grammar, limit), cut)
    product.explore((grammar.start, 0))
    return _Writer(product).written((grammar.start, 0))


class _Product:
    """Explores to a fixpoint."""

    def __init__(self, nets: Nets, automaton: ByteAutomaton | Cut) -> None:
        self.nets, self.automaton = nets, automaton
        self.summaries: dict[Entry, _Summary] = {}
        self.agenda: list[tuple[Entry, Point]] = []
        self._stays: dict[int, int] = {}

    def explore(self, start: Entry) -> None:
        """Visit everything that can be reached from an entry."""
        self._enter(start)
        while self.agenda:
            entry, point = self.agenda.pop()
            self._visit(entry, point)

    def _enter(self, entry: Entry) -> _Summary:
        if entry not in self.summaries:
            summary = self.summaries[entry] = _Summary()
            rule, state = entry
            if not self.nets.alphabet(rule) & ~self._staying(state):
                summary.kept = True
                summary.ends[state] = []
            else:
                self._reach(entry, (0, state))
        return self.summaries[entry]

    def _staying(self, state: int) -> int:
        """The bytes that lead from a state to itself."""
        if state not in self._stays:
            self._stays[state] = self.automaton.staying(state)
        return self._stays[state]

    def _reach(self, entry: Entry, point: Point) -> None:
        summary = self.summaries[entry]
        if point not in summary.seen:
            self.nets.spend(1)
            summary.seen[point] = None
            self.agenda.append((entry, point))

    def _visit(self, entry: Entry, point: Point) -> None:
        summary, net = self.summaries[entry], self.nets.net(entry[0])
        place, state = point
        for mask, target in net.scans[place]:
            for other, following in self.automaton.row(state):
                if mask & other:
                    self._reach(entry, (target, following))
                    summary.scans.append((point, mask & other, (target, following)))
        for rule, target in net.calls[place]:
            called = self._enter((rule, state))
            called.waiting.append((entry, point, target))
            for following in list(called.ends):
                self._return(entry, point, (rule, state), following, target)
        if place in net.accepts:
            self._end(entry, point)

    def _end(self, entry: Entry, point: Point) -> None:
        summary, state = self.summaries[entry], point[1]
        if state in summary.ends:
            summary.ends[state].append(point)
            return
        summary.ends[state] = [point]
        for caller, origin, target in list(summary.waiting):
            self._return(caller, origin, entry, state, target)

    def _return(self, caller: Entry, origin: Point, called: Entry, state: int, target: int) -> None:
        self._reach(caller, (target, state))
        self.summaries[caller].calls.append((origin, called, state, (target, state)))


class _Writer:
    """The rules (R, p, q) that the start needs."""

    def __init__(self, product: _Product) -> None:
        self.product = product
        self.builder = GrammarBuilder()
        self.made: dict[tuple[Entry, int], Ref] = {}
        self.kept: dict[int, Ref] = {}
        self.todo: list[tuple[Entry, int]] = []

    def written(self, start: Entry) -> Grammar:
        """The grammar."""
        accepts = self.product.automaton.accepts
        ends = [state for state in self.product.summaries[start].ends if accepts(state)]
        root = self.builder.declare("both")
        self.builder.define(root, alt(*(self._rule(start, end) for end in ends)) if ends else NOTHING)
        while self.todo:
            entry, end = self.todo.pop()
            self.builder.define(self.made[entry, end], self._body(entry, end))
        return self.builder.build(root)

    def _rule(self, entry: Entry, end: int) -> Expr:
        if self.product.summaries[entry].kept:  # outside a hole those without bytes, which may have no text
            return self._original(entry[0])
        if self.product.automaton.outside(entry[1], end):
            return EPSILON
        if (entry, end) not in self.made:
            self.made[entry, end] = self.builder.declare(self.product.nets.rules[entry[0]].name)
            self.todo.append((entry, end))
        return self.made[entry, end]

    def _original(self, rule: int) -> Ref:
        """A rule that is kept, and those it calls."""
        stack = [rule]
        if rule not in self.kept:
            self.kept[rule] = self.builder.declare(self.product.nets.rules[rule].name)
        while stack:
            number = stack.pop()
            if self.builder.bodies[self.kept[number].rule] is not None:
                continue

            def change(ref: Ref) -> Expr:
                if ref.rule not in self.kept:
                    self.kept[ref.rule] = self.builder.declare(self.product.nets.rules[ref.rule].name)
                    stack.append(ref.rule)
                return self.kept[ref.rule]

            self.builder.define(self.kept[number], mapped(self.product.nets.rules[number].body, change))
        return self.kept[rule]

    def _body(self, entry: Entry, end: int) -> Expr:
        """The part of the explored points from which the rule can end in `end`, as a graph."""
        summary = self.product.summaries[entry]
        back: dict[Point, list[Point]] = {}
        for source, _, target in summary.scans:
            back.setdefault(target, []).append(source)
        for source, _, _, target in summary.calls:
            back.setdefault(target, []).append(source)
        live = dict.fromkeys(summary.ends[end])
        stack = list(live)
        while stack:
            for source in back.get(stack.pop(), ()):
                if source not in live:
                    live[source] = None
                    stack.append(source)
        numbers = {point: number for number, point in enumerate(point for point in summary.seen if point in live)}
        sets = {mask: ByteSet(mask) for _, mask, _ in summary.scans}
        edges: list[tuple[int, Expr, int]] = [
            (numbers[a], EPSILON if self.product.automaton.erases(a[1], b[1]) else sets[mask], numbers[b])
            for a, mask, b in summary.scans
            if a in live and b in live
        ]
        edges += [
            (numbers[a], self._rule(called, state), numbers[b])
            for a, called, state, b in summary.calls
            if a in live and b in live
        ]
        accepts = tuple(numbers[point] for point in summary.ends[end])
        return without_silent(Graph.of(len(numbers), numbers[0, entry[1]], accepts, edges))
