"""From a recursive grammar to some without recursion: one that is exact up to a depth of nesting, or parts that call
each other.

In every set of rules that call each other in circles some are *heads*: those to which a depth-first search comes back,
so that each circle passes one. A call of a head from inside its set goes one level deeper, below level 0 it is the
empty language; a call from outside begins at the top. Or each head is a part of its own, and a call of it is written
as one byte that no text has. Rules whose recursion is all at their ends (`list = item list`)
stay as they are: an automaton with finitely many states reads them.
Cost: a copy of each recursive rule per level; expressions that call none of them stay the same objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from structgen.errors import LimitExceeded
from structgen.grammars.ir import (
    NOTHING,
    SPECIAL,
    SPECIAL_END,
    Alt,
    ByteSet,
    Expr,
    Grammar,
    Literal,
    Ref,
    Repeat,
    Rule,
    Seq,
    Unordered,
    children,
    fewest_bytes,
    rebuilt,
    walk,
)

__all__ = ["Parts", "Unrolled", "only_reached", "parted", "reachable_counts", "unrolled"]

_SMALL = 16  # repetitions that are not worth the asking


class Unrolled(NamedTuple):
    """A grammar without recursion. `heads`: the rules that were heads, each behind those it calls; without any the
    grammar is the one that was given."""

    grammar: Grammar
    heads: tuple[int, ...]


class Parts(NamedTuple):
    """A recursive grammar, cut at its heads: what it starts with, then each head. marks[i] is the byte that stands for
    a text of grammars[i + 1]."""

    grammars: tuple[Grammar, ...]
    marks: bytes


def _nesting(grammar: Grammar) -> tuple[dict[int, int], set[int], set[int]]:
    """The set of each rule that is reached, the heads, and the sets that no finite automaton reads."""
    group, heads = _groups(list(map(_calls, grammar.rules)), grammar.start)
    nesting = {group[rule] for rule in group if rule in heads}
    nesting -= {each for each in nesting if _ends_only(grammar, {r for r in group if group[r] == each})}
    return group, {rule for rule in heads if group[rule] in nesting}, nesting


def parted(grammar: Grammar) -> Parts:
    """The parts of a grammar; a single one, without marks, where it does not nest. Raises LimitExceeded where it has
    more heads than there are bytes that it does not use."""
    _, heads, _ = _nesting(grammar)
    reached = only_reached(grammar).rules if heads else ()
    used = 1 << SPECIAL | 1 << SPECIAL_END
    for part in (part for rule in reached for part in walk(rule.body)):
        used |= part.mask if isinstance(part, ByteSet) else 0
        used |= ByteSet.of(part.value).mask if isinstance(part, Literal) else 0
    free = bytes(byte for byte in range(255, -1, -1) if not used >> byte & 1)
    if len(heads) > len(free):
        raise LimitExceeded("many rules of the grammar are recursive", limit="recursive_rules", allowed=len(free))
    mark = {head: Literal(free[i : i + 1]) for i, head in enumerate(sorted(heads))}
    bodies = [_with_calls(rule.body, lambda called: mark.get(called) or Ref(called)) for rule in grammar.rules]
    rules = tuple(Rule(rule.name, body) for rule, body in zip(grammar.rules, bodies, strict=True))
    first = Grammar((Rule("start", mark[grammar.start]),)) if grammar.start in mark else Grammar(rules, grammar.start)
    parts = (first, *(Grammar(rules, head) for head in mark))
    return Parts(tuple(map(only_reached, parts)), free[: len(mark)])


def unrolled(grammar: Grammar, depth: int) -> Unrolled:
    """The texts of a grammar in which no head stands inside itself more than `depth` times."""
    group, heads, nesting = _nesting(grammar)
    if not nesting:
        return Unrolled(grammar, ())
    rules: list[Rule] = []
    number: dict[tuple[int, int], int] = {}
    waiting: list[tuple[int, int]] = []

    def called(inside: int | None, level: int, rule: int) -> Expr:
        own = group[rule] if group[rule] in nesting else None
        if own is None:
            at = 0
        elif own != inside:
            at = depth
        else:
            at = level - (rule in heads)
        if at < 0:
            return NOTHING
        if (rule, at) not in number:
            number[rule, at] = len(number)
            waiting.append((rule, at))
        return Ref(number[rule, at])

    called(None, 0, grammar.start)  # number 0
    for rule, level in waiting:  # grows meanwhile
        old = grammar.rules[rule]
        rules.append(Rule(old.name, _with_calls(old.body, partial(called, group[rule], level))))
    made = [n for (rule, _), n in number.items() if rule in heads]
    return Unrolled(Grammar(tuple(rules)), tuple(_callees_first(rules, made)))


def _callees_first(rules: list[Rule], wanted: list[int]) -> list[int]:
    """Some of the rules of a grammar, each behind those it calls; what still calls itself, at its end, is none."""
    done: list[int] = []
    seen: set[int] = set()
    for first in wanted:
        stack = [(first, iter(_calls(rules[first])))] if first not in seen else []
        seen.add(first)
        while stack:
            rule, rest = stack[-1]
            other = next((called for called in rest if called not in seen), None)
            if other is None:
                done.append(rule)
                stack.pop()
            else:
                seen.add(other)
                stack.append((other, iter(_calls(rules[other]))))
    asked = set(wanted)
    return [rule for rule in done if rule in asked]


def _calls(rule: Rule) -> list[int]:
    """The rules that a rule calls, each once."""
    return list(dict.fromkeys(part.rule for part in walk(rule.body) if isinstance(part, Ref)))


def _with_calls(expr: Expr, called: Callable[[int], Expr]) -> Expr:
    """The expression with other calls."""
    if isinstance(expr, Ref):
        return called(expr.rule)
    return rebuilt(expr, [_with_calls(part, called) for part in children(expr)])


def _groups(calls: list[list[int]], start: int) -> tuple[dict[int, int], set[int]]:
    """The strongly connected set of every rule that is reached (Tarjan 1972), and the heads."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    group: dict[int, int] = {}
    open_rules: list[int] = []
    on_path: set[int] = set()
    heads: set[int] = set()
    stack = [(start, iter(calls[start]))]
    order[start] = low[start] = 0
    open_rules.append(start)
    on_path.add(start)
    while stack:
        rule, rest = stack[-1]
        for other in rest:
            if other not in order:
                order[other] = low[other] = len(order)
                open_rules.append(other)
                on_path.add(other)
                stack.append((other, iter(calls[other])))
                break
            if other in on_path:
                heads.add(other)
            if other not in group:
                low[rule] = min(low[rule], order[other])
        else:
            stack.pop()
            on_path.discard(rule)
            if stack:
                above = stack[-1][0]
                low[above] = min(low[above], low[rule])
            if low[rule] == order[rule]:
                at = open_rules.index(rule)
                group.update(dict.fromkeys(open_rules[at:], rule))
                del open_rules[at:]
    return group, heads


def _ends_only(grammar: Grammar, members: set[int]) -> bool:
    """Whether the rules of a set call each other at their ends alone."""

    def inner(expr: Expr, at_end: bool) -> bool:
        if isinstance(expr, Ref):
            return at_end or expr.rule not in members
        if isinstance(expr, Alt):
            return all(inner(option, at_end) for option in expr.options)
        if isinstance(expr, Seq):
            last = len(expr.parts) - 1
            return all(inner(part, at_end and i == last) for i, part in enumerate(expr.parts))
        return all(inner(part, False) for part in children(expr))

    return all(inner(grammar.rules[rule].body, True) for rule in members)


def reachable_counts(grammar: Grammar, most_bytes: Callable[[int], int]) -> Grammar:
    """The grammar without bounds that no text reaches: one whose runs of the bytes of a set, given as the bits of an
    integer, have at most `most_bytes` of them."""
    known: dict[int, int] = {}

    def lifted(expr: Expr) -> Expr:
        expr = rebuilt(expr, [lifted(part) for part in children(expr)])
        if not isinstance(expr, Repeat) or expr.maximum is None or expr.maximum <= _SMALL:
            return expr
        inside = list(walk(expr.body))
        if any(isinstance(part, Ref | Unordered) for part in inside):
            return expr
        mask = 0
        for part in inside:
            mask |= part.mask if isinstance(part, ByteSet) else 0
            mask |= ByteSet.of(part.value).mask if isinstance(part, Literal) else 0
        if mask not in known:
            known[mask] = most_bytes(mask)
        if expr.maximum * fewest_bytes(expr.body) <= known[mask]:
            return expr
        return Repeat(expr.body, expr.minimum) if expr.minimum <= expr.maximum else NOTHING

    rules = tuple(Rule(rule.name, lifted(rule.body)) for rule in grammar.rules)
    return replace(grammar, rules=rules, common=0)


def only_reached(grammar: Grammar) -> Grammar:
    """The grammar without rules that its start does not reach."""
    number, waiting = {grammar.start: 0}, [grammar.start]
    for rule in waiting:  # grows meanwhile
        for called in _calls(grammar.rules[rule]):
            if called not in number:
                number[called] = len(number)
                waiting.append(called)
    rules = [grammar.rules[rule] for rule in waiting]
    return Grammar(tuple(Rule(rule.name, _with_calls(rule.body, lambda r: Ref(number[r]))) for rule in rules))
