"""Terminals that no front end marked: a grammar to the same language with its loops below the calls as `Terminal`.

Who writes a grammar by hand has names, strings, numbers and blanks as rules like any other. Parts that call no rule and
repeat something are marked here, so that their masks are worked out once (automata/terminals/terminal.py). Some calls
are replaced by what they call, where that is small. Called, each character of a run would be the origin of another
item, and states would grow with the run:

- in a loop over rules that lead to no recursion: `([^<&] | reference)*` is a terminal as a whole;
- of a rule that may be empty, such as blanks, two of which meet in `"{" ws member? ws "}"`;
- of what a loop repeats as a whole: with `content ::= element | text`, `content*` may cut a text into texts anywhere.
  It becomes `(text)* (element (text)*)*`, with one terminal.

Grammars with common rules (Grammar.common) come from a front end that marks, and are left as they are. Cost: linear.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from structgen.automata.expressions import is_never_empty
from structgen.grammars.ir import (
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
    alt,
    children,
    seq,
)

__all__ = ["with_terminals"]

MOST_NODES = 300  # of what takes the place of a call
SHORT = 8  # a count up to this is no loop


def with_terminals(grammar: Grammar) -> Grammar:
    """The same language; rules keep their numbers."""
    if grammar.common:
        return grammar
    finder = _Finder(tuple(rule.body for rule in grammar.rules))
    finder.find_flat()
    rules = tuple(Rule(rule.name, finder.marked(finder.inlined(rule.body))) for rule in grammar.rules)
    return dataclasses.replace(grammar, rules=rules)


class _Facts(NamedTuple):
    """Of an expression: how many it is made of, the rules it calls, whether it repeats something, and whether it is
    plain: no call, nothing that is marked or counts members, what can be marked as a whole."""

    expr: Expr  # kept alive, so that its id stays its own
    size: int
    calls: frozenset[int]
    loops: bool
    plain: bool


_NO_CALLS: frozenset[int] = frozenset()
_LEAVES = (Literal, ByteSet)
_NOT_PLAIN = (Ref, Terminal, Unordered)


@dataclass(frozen=True, slots=True)
class _Finder:
    """`bodies` of all rules; of the small ones that lead to no recursion those without a call (`flat`), and which of
    these may be `empty`."""

    bodies: tuple[Expr, ...]
    flat: dict[int, Expr] = field(default_factory=dict)
    empty: set[int] = field(default_factory=set)
    known: dict[int, _Facts] = field(default_factory=dict)

    def find_flat(self) -> None:
        """Rules that call nothing first, then those that call only them."""
        callers: dict[int, list[int]] = {}
        missing = []
        for number, body in enumerate(self.bodies):
            calls = self.facts(body).calls
            missing.append(len(calls))
            for other in calls:
                callers.setdefault(other, []).append(number)
        ready = [number for number, count in enumerate(missing) if not count]
        while ready:
            number = ready.pop()
            body = self.put_in(self.bodies[number])
            facts = self.facts(body)
            if facts.size > MOST_NODES or not facts.plain:
                continue
            self.flat[number] = body
            if not is_never_empty(body):
                self.empty.add(number)
            for caller in callers.get(number, ()):
                missing[caller] -= 1
                if not missing[caller]:
                    ready.append(caller)

    def inlined(self, expr: Expr) -> Expr:
        """With the calls replaced that the module names."""
        if isinstance(expr, Ref):
            return self.flat[expr.rule] if expr.rule in self.empty else expr
        calls = self.facts(expr).calls
        if not calls:
            return expr
        match expr:
            case Repeat(body, minimum, maximum):
                if calls <= self.flat.keys() and self.facts(whole := self.put_in(body)).size <= MOST_NODES:
                    return Repeat(whole, minimum, maximum)
                if minimum == 0 and maximum is None:
                    return self._loop(body)
                return Repeat(self.inlined(body), minimum, maximum)
            case Seq(parts):
                return seq(*map(self.inlined, parts))
            case Alt(options):
                return alt(*map(self.inlined, options))
            case _:
                return expr

    def _loop(self, body: Expr) -> Expr:
        """(a | b)* as b* (a b*)*, b being what calls nothing, if it loops."""
        calling: list[Expr] = []
        plain: list[Expr] = []
        for option in self._units(body):
            (plain if self.facts(option).plain else calling).append(option)
        run = Repeat(alt(*plain))
        if not calling or not self.facts(run.body).loops or self.facts(run).size > MOST_NODES:
            return Repeat(self.inlined(body))
        return seq(run, Repeat(seq(alt(*map(self.inlined, calling)), run)))

    def _units(self, body: Expr) -> list[Expr]:
        """The alternatives of a loop's body, those of rules that consist of rules and plain parts in their place."""
        found: list[Expr] = []
        seen: set[int] = set()
        pending = [body]
        while pending:
            expr = pending.pop()
            if isinstance(expr, Alt):
                pending.extend(reversed(expr.options))
            elif isinstance(expr, Ref) and expr.rule in self.flat:
                found.append(self.flat[expr.rule])
            elif isinstance(expr, Ref) and self._is_choice(self.bodies[expr.rule]):
                if expr.rule not in seen:
                    seen.add(expr.rule)
                    pending.append(self.bodies[expr.rule])
            else:
                found.append(expr)
        return found

    def _is_choice(self, expr: Expr) -> bool:
        return isinstance(expr, Alt) and all(isinstance(o, Ref) or self.facts(o).plain for o in expr.options)

    def put_in(self, expr: Expr) -> Expr:
        """With every call replaced; all must be `flat`."""
        if isinstance(expr, Ref):
            return self.flat[expr.rule]
        if not self.facts(expr).calls:
            return expr
        match expr:
            case Repeat(body, minimum, maximum):
                return Repeat(self.put_in(body), minimum, maximum)
            case Seq(parts):
                return seq(*map(self.put_in, parts))
            case Alt(options):
                return alt(*map(self.put_in, options))
            case _:
                return expr

    def marked(self, expr: Expr) -> Expr:
        """With the largest parts that call nothing and repeat something as Terminal."""
        facts = self.facts(expr)
        if facts.plain:
            return Terminal(expr) if facts.loops else expr
        match expr:
            case Seq(parts):
                return Seq(tuple(self._runs(parts)))
            case Alt(options):
                loops = [option for option in options if self.facts(option).plain and self.facts(option).loops]
                others = [self.marked(option) for option in options if not any(option is loop for loop in loops)]
                return Alt((*others, *([Terminal(alt(*loops))] if loops else [])))
            case Repeat(body, minimum, maximum):
                return Repeat(self.marked(body), minimum, maximum)
            case _:
                return expr

    def _runs(self, parts: Iterable[Expr]) -> Iterator[Expr]:
        """The parts of a sequence, neighbours that call nothing put together where one of them loops."""
        run: list[Expr] = []
        for part in (*parts, None):
            if part is not None and self.facts(part).plain:
                run.append(part)
                continue
            whole = seq(*run)
            if run:
                yield Terminal(whole) if any(self.facts(part).loops for part in run) else whole
            run = []
            if part is not None:
                yield self.marked(part)

    def facts(self, expr: Expr) -> _Facts:
        """What is known of an expression; linear in it the first time."""
        found = self.known.get(id(expr))
        if found is None:
            kind = type(expr)
            calls, plain = _NO_CALLS, kind not in _NOT_PLAIN
            size = 1 + len(expr.packed) // 24 if kind is Graph else 1  # type: ignore[union-attr]
            loops = kind is Graph or (kind is Repeat and _is_long(expr))
            if kind is Ref:
                calls = frozenset((expr.rule,))  # type: ignore[union-attr]
            elif kind is Graph and expr.equivalent is not None:  # type: ignore[union-attr]
                plain = False
            for part in children(expr):
                if type(part) in _LEAVES:
                    size += 1
                    continue
                inner = self.facts(part)
                size, calls = size + inner.size, calls | inner.calls if inner.calls else calls
                loops, plain = loops or inner.loops, plain and inner.plain
            found = self.known[id(expr)] = _Facts(expr, size, calls, loops, plain)
        return found


def _is_long(expr: Expr) -> bool:
    maximum = getattr(expr, "maximum", 0)
    return maximum is None or maximum > SHORT
