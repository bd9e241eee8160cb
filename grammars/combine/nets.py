"""Rule bodies as finite automata over byte sets and rule numbers: the form in which grammars are multiplied.

Silent edges are removed. Counted and unordered parts become rules of their own, laid out only when they are entered, so
a count that a product never has to follow costs nothing. Cost: the size of the expression, counts written out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from structgen.errors import LimitExceeded
from structgen.grammars.combine.join import references
from structgen.grammars.ir import (
    EPSILON,
    Alt,
    ByteSet,
    Expr,
    Grammar,
    Graph,
    Literal,
    Ref,
    Repeat,
    Rule,
    Seq,
    Terminal,
    Unordered,
    refuse_more,
    seq,
    walk,
)  # fmt: skip

__all__ = ["Net", "Nets"]

MAX_UNORDERED = 10  # members in any order: a state per set of members


@dataclass(slots=True)
class Net:
    """A finite automaton without silent edges; 0 is the start.

    field     meaning
    scans     per state: (byte set as 256-bit integer, next state)
    calls     per state: (rule, next state)
    accepts   states in which the rule may end
    """

    scans: list[list[tuple[int, int]]] = field(default_factory=list)
    calls: list[list[tuple[int, int]]] = field(default_factory=list)
    accepts: set[int] = field(default_factory=set)


class Nets:
    """The rules of a grammar, with those made for counted and unordered parts, as automata made when asked for.

    `inline`: there are no calls, every rule and part is written out in its place (rules must not be recursive).
    """

    def __init__(self, grammar: Grammar, limit: int, *, inline: bool = False) -> None:
        refuse_more(grammar)
        self.limit, self.inline, self.size = limit, inline, 0
        self.rules: list[Rule] = list(grammar.rules)
        self._parts: dict[Expr, int] = {}
        self._nets: dict[int, Net] = {}
        self._bytes = _alphabets(self.rules)

    def net(self, rule: int) -> Net:
        """The automaton of a rule."""
        if rule not in self._nets:
            self._nets[rule] = _Layout(self).laid_out(self.rules[rule].body)
        return self._nets[rule]

    def spend(self, states: int) -> None:
        """Account for states. Raises LimitExceeded."""
        self.size += states
        if self.size > self.limit:
            raise LimitExceeded("the combination of grammars is too large", limit="product_states", allowed=self.limit)

    def part(self, expr: Expr, owner: str) -> int:
        """A rule for a part of another."""
        if expr not in self._parts:
            self._parts[expr] = len(self.rules)
            self.rules.append(Rule(owner, expr))
            self._bytes.append(reduce(or_, (self._bytes[called] for called in references(expr)), _own_bytes(expr)))
        return self._parts[expr]

    def alphabet(self, rule: int) -> int:
        """The bytes that can occur in texts of a rule, as a 256-bit integer (a superset where rules are empty)."""
        return self._bytes[rule]


def _alphabets(rules: list[Rule]) -> list[int]:
    """Per rule the bytes that it, or a rule it calls, has: a fixpoint."""
    found = [_own_bytes(rule.body) for rule in rules]
    callers: dict[int, list[int]] = {}
    for number, rule in enumerate(rules):
        for called in references(rule.body):
            callers.setdefault(called, []).append(number)
    stack = list(range(len(rules)))
    while stack:
        called = stack.pop()
        for caller in callers.get(called, ()):
            if found[called] & ~found[caller]:
                found[caller] |= found[called]
                stack.append(caller)
    return found


def _own_bytes(expr: Expr) -> int:
    masks = (ByteSet.of(e.value).mask if isinstance(e, Literal) else getattr(e, "mask", 0) for e in walk(expr))
    return reduce(or_, masks, 0)


class _Layout:
    """Lays an expression out with silent edges, then removes them."""

    def __init__(self, owner: Nets) -> None:
        self.owner = owner
        self.raw = Net()
        self.silent: list[list[int]] = []

    def laid_out(self, expr: Expr) -> Net:
        """The automaton of a rule's body. A part that is a whole body is written out here."""
        start, end = self._state(), self._state()
        self._written(expr, start, end)
        return self._without_silent(start, end)

    def _state(self) -> int:
        self.owner.spend(1)
        self.raw.scans.append([])
        self.raw.calls.append([])
        self.silent.append([])
        return len(self.silent) - 1

    def _between(self, expr: Expr, a: int, b: int) -> None:
        match expr:
            case Literal(value):
                for byte in value[:-1]:
                    following = self._state()
                    self.raw.scans[a].append((1 << byte, following))
                    a = following
                if value:
                    self.raw.scans[a].append((1 << value[-1], b))
                else:
                    self.silent[a].append(b)
            case ByteSet(mask):
                self.raw.scans[a].append((mask, b))
            case Terminal(body):
                self._between(body, a, b)
            case Ref(rule) if self.owner.inline:
                self._between(self.owner.rules[rule].body, a, b)
            case Ref(rule):
                self.raw.calls[a].append((rule, b))
            case Seq(parts):
                for part in parts[:-1]:
                    following = self._state()
                    self._between(part, a, following)
                    a = following
                self._between(parts[-1] if parts else EPSILON, a, b)
            case Alt(options):
                for option in options:
                    self._between(option, a, b)
            case Repeat(body, 0, 1):
                self.silent[a].append(b)
                self._between(body, a, b)
            case Repeat(_, 0 | 1, None):
                self._repeat(expr, a, b)
            case Graph(n_states, maximum=int(most)):
                self.owner.spend(n_states * most)
                self._between(expr.unweighed(), a, b)
            case Graph(n_states, start, accepts, edges=edges):
                states = [self._state() for _ in range(n_states)]
                self.silent[a].append(states[start])
                for source, label, target in edges:
                    self._between(label, states[source], states[target])
                for state in accepts:
                    self.silent[states[state]].append(b)
            case Repeat() | Unordered() if self.owner.inline:
                self._written(expr, a, b)
            case Repeat() | Unordered():
                self.raw.calls[a].append((self.owner.part(expr, "part"), b))

    def _written(self, expr: Expr, a: int, b: int) -> None:
        if isinstance(expr, Repeat):
            self._repeat(expr, a, b)
        elif isinstance(expr, Unordered):
            self._unordered(expr, a, b)
        else:
            self._between(expr, a, b)

    def _repeat(self, expr: Repeat, a: int, b: int) -> None:
        if expr.maximum is not None and expr.maximum < expr.minimum:
            return  # nothing
        for _ in range(expr.minimum if expr.maximum is not None else max(expr.minimum - 1, 0)):
            following = self._state()
            self._between(expr.body, a, following)
            a = following
        if expr.maximum is None:
            loop, again = self._state(), self._state()
            self.silent[a].append(loop)
            self._between(expr.body, loop, again)
            self.silent[again] += [loop, b]
            if expr.minimum == 0:
                self.silent[a].append(b)
            return
        for _ in range(expr.maximum - expr.minimum):
            following = self._state()
            self.silent[a].append(b)
            self._between(expr.body, a, following)
            a = following
        self.silent[a].append(b)

    def _unordered(self, expr: Unordered, a: int, b: int) -> None:
        """A state per set of members written, twice: with something before it or not."""
        if len(expr.members) > MAX_UNORDERED:
            raise LimitExceeded("too many members in any order", limit="unordered_members", allowed=MAX_UNORDERED)
        required = sum(1 << i for i, (_, needed) in enumerate(expr.members) if needed)
        states = [self._state() for _ in range(1 << len(expr.members))]
        for written, state in enumerate(states):
            if written & required == required:
                self.silent[state].append(b)
            bodies = [(body, written | 1 << i) for i, (body, _) in enumerate(expr.members) if not written >> i & 1]
            bodies += [] if expr.extra is None else [(expr.extra, written)]
            for body, after in bodies:
                self._between(seq(expr.separator, body), state, states[after])
                if not written:
                    self._between(body, a, states[after])
        if not required:
            self.silent[a].append(b)

    def _without_silent(self, start: int, end: int) -> Net:
        net = Net()
        numbers = {start: 0}
        order = [start]
        for state in order:  # grows while it is walked
            closure = self._closure(state)
            if end in closure:
                net.accepts.add(len(net.scans))
            scans: list[tuple[int, int]] = []
            calls: list[tuple[int, int]] = []
            for member in closure:
                for edges, into in ((self.raw.scans[member], scans), (self.raw.calls[member], calls)):
                    for label, target in edges:
                        if target not in numbers:
                            numbers[target] = len(order)
                            order.append(target)
                        into.append((label, numbers[target]))
            self.owner.spend(len(closure))
            net.scans.append(scans)
            net.calls.append(calls)
        return net

    def _closure(self, state: int) -> list[int]:
        found = {state: None}
        stack = [state]
        while stack:
            for target in self.silent[stack.pop()]:
                if target not in found:
                    found[target] = None
                    stack.append(target)
        return list(found)
