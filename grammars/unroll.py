"""From a recursive grammar to one without recursion, exact up to a depth of nesting.

In every set of rules that call each other in circles some are *heads*: those to which a depth-first search comes back,
so that each circle passes one. A call of a head from inside its set goes one level deeper, below level 0 it is the
empty language; a call from outside begins at the top. Rules whose recursion is all at their ends (`list = item list`)
stay as they are: an automaton with finitely many states reads them.
Cost: a copy of each recursive rule per level; expressions that call none of them stay the same objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from structgen.grammars.ir import NOTHING, Alt, Expr, Grammar, Ref, Rule, Seq, children, rebuilt, walk

__all__ = ["Unrolled", "unrolled"]


class Unrolled(NamedTuple):
    """A grammar without recursion; `exact`: it has all texts, because there was none that nests."""

    grammar: Grammar
    exact: bool


def unrolled(grammar: Grammar, depth: int) -> Unrolled:
    """The texts of a grammar in which no head stands inside itself more than `depth` times."""
    calls = [list(dict.fromkeys(e.rule for e in walk(rule.body) if isinstance(e, Ref))) for rule in grammar.rules]
    group, heads = _groups(calls, grammar.start)
    nesting = {group[rule] for rule in group if rule in heads}
    nesting -= {each for each in nesting if _ends_only(grammar, {r for r in group if group[r] == each})}
    if not nesting:
        return Unrolled(grammar, True)
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
    return Unrolled(Grammar(tuple(rules)), False)


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
