"""Terminals that no front end marked: a grammar to the same language with its loops below the calls as `Shared`.

Who writes a grammar by hand has names, strings, numbers and blanks as rules like any other. Parts that call no rule and
repeat something are marked here, so that their masks are worked out once (automata/local.py). Some calls are replaced
by what they call, where that is small. Called, each character of a run would be the origin of another item, and states
would grow with the run:

- in a loop over rules that lead to no recursion: `([^<&] | reference)*` is a terminal as a whole;
- of a rule that may be empty, such as blanks, two of which meet in `"{" ws member? ws "}"`;
- of what a loop repeats as a whole: with `content ::= element | text`, `content*` may cut a text into texts anywhere.
  It becomes `(text)* (element (text)*)*`, with one terminal.

Grammars with shared rules (Grammar.shared) come from a front end that marks, and are left as they are. Cost: linear.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from structgen.grammars.ir import (
    Alt,
    Expr,
    Grammar,
    Graph,
    Literal,
    Ref,
    Repeat,
    Rule,
    Seq,
    Shared,
    Unordered,
    alt,
    seq,
)

__all__ = ["with_terminals"]

MOST_NODES = 300  # of what takes the place of a call
SHORT = 8  # a count up to this is no loop


def with_terminals(grammar: Grammar) -> Grammar:
    """The same language; rules keep their numbers."""
    if grammar.shared:
        return grammar
    flat = _flat(grammar.rules)
    empty = {number for number, body in flat.items() if _nullable(body)}
    inliner = _Inliner(tuple(rule.body for rule in grammar.rules), flat, empty)
    rules = tuple(Rule(rule.name, _marked(inliner.inlined(rule.body))) for rule in grammar.rules)
    return dataclasses.replace(grammar, rules=rules)


def _flat(rules: tuple[Rule, ...]) -> dict[int, Expr]:
    """The bodies, without a call, of the rules that lead to no recursion, by number; small ones only."""
    called = [set(_calls(rule.body)) for rule in rules]
    callers: dict[int, list[int]] = {}
    for number, found in enumerate(called):
        for other in found:
            callers.setdefault(other, []).append(number)
    missing = [len(found) for found in called]
    ready = [number for number, count in enumerate(missing) if not count]
    flat: dict[int, Expr] = {}
    while ready:
        number = ready.pop()
        body = _put_in(rules[number].body, flat)
        if _size(body) > MOST_NODES or not _plain(body):
            continue
        flat[number] = body
        for caller in callers.get(number, ()):
            missing[caller] -= 1
            if not missing[caller]:
                ready.append(caller)
    return flat


@dataclass(frozen=True, slots=True)
class _Inliner:
    """`bodies` of all rules, those without a call of the `flat` ones, which of them may be `empty`."""

    bodies: tuple[Expr, ...]
    flat: dict[int, Expr]
    empty: set[int]

    def inlined(self, expr: Expr) -> Expr:
        """With the calls replaced that the module names."""
        match expr:
            case Ref(rule):
                return self.flat[rule] if rule in self.empty else expr
            case Repeat(body, minimum, maximum):
                calls = set(_calls(body))
                if not calls:
                    return expr
                if calls <= self.flat.keys() and _size(whole := _put_in(body, self.flat)) <= MOST_NODES:
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
            (plain if _plain(option) else calling).append(option)
        run = Repeat(alt(*plain))
        if not calling or not _loops(alt(*plain)) or _size(run) > MOST_NODES:
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
            elif isinstance(expr, Ref) and _is_choice(self.bodies[expr.rule]):
                if expr.rule not in seen:
                    seen.add(expr.rule)
                    pending.append(self.bodies[expr.rule])
            else:
                found.append(expr)
        return found


def _is_choice(expr: Expr) -> bool:
    return isinstance(expr, Alt) and all(isinstance(option, Ref) or _plain(option) for option in expr.options)


def _put_in(expr: Expr, flat: dict[int, Expr]) -> Expr:
    """With every call replaced; all must be in `flat`."""
    match expr:
        case Ref(rule):
            return flat[rule]
        case Repeat(body, minimum, maximum):
            return Repeat(_put_in(body, flat), minimum, maximum)
        case Seq(parts):
            return seq(*(_put_in(part, flat) for part in parts))
        case Alt(options):
            return alt(*(_put_in(option, flat) for option in options))
        case _:
            return expr


def _marked(expr: Expr) -> Expr:
    """With the largest parts that call nothing and repeat something as Shared."""
    if _plain(expr):
        return Shared(expr) if _loops(expr) else expr
    match expr:
        case Seq(parts):
            return Seq(tuple(_runs(parts)))
        case Alt(options):
            loops = [option for option in options if _plain(option) and _loops(option)]
            others = [_marked(option) for option in options if not (_plain(option) and _loops(option))]
            return Alt((*others, *([Shared(alt(*loops))] if loops else [])))
        case Repeat(body, minimum, maximum):
            return Repeat(_marked(body), minimum, maximum)
        case _:
            return expr


def _runs(parts: Iterable[Expr]) -> Iterator[Expr]:
    """The parts of a sequence, neighbours that call nothing put together where one of them loops."""
    run: list[Expr] = []
    for part in (*parts, None):
        if part is not None and _plain(part):
            run.append(part)
            continue
        whole = seq(*run)
        if run:
            yield Shared(whole) if _loops(whole) else whole
        run = []
        if part is not None:
            yield _marked(part)


def _parts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Seq(parts) | Alt(parts):
            return parts
        case Repeat(body) | Shared(body):
            return (body,)
        case Graph(_, _, _, edges):
            return tuple(label for _, label, _ in edges)
        case Unordered(members, separator, extra):
            return (*(body for body, _ in members), separator, *(() if extra is None else (extra,)))
        case _:
            return ()


def _calls(expr: Expr) -> Iterator[int]:
    if isinstance(expr, Ref):
        yield expr.rule
    for part in _parts(expr):
        yield from _calls(part)


def _size(expr: Expr) -> int:
    return 1 + sum(map(_size, _parts(expr)))


def _plain(expr: Expr) -> bool:
    """No call, nothing that is marked or counts members: what can be marked as a whole."""
    if isinstance(expr, (Ref, Shared, Unordered)) or (isinstance(expr, Graph) and expr.like is not None):
        return False
    return all(map(_plain, _parts(expr)))


def _loops(expr: Expr) -> bool:
    if isinstance(expr, Repeat) and (expr.maximum is None or expr.maximum > SHORT):
        return True
    return isinstance(expr, Graph) or any(map(_loops, _parts(expr)))


def _nullable(expr: Expr) -> bool:
    match expr:
        case Literal(value):
            return not value
        case Seq(parts):
            return all(map(_nullable, parts))
        case Alt(options):
            return any(map(_nullable, options))
        case Repeat(body, minimum, _):
            return minimum == 0 or _nullable(body)
        case Graph(_, start, accepts, _):
            return start in accepts
        case _:
            return False
