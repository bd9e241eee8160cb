"""Union, concatenation and repetition of grammars: their rule tables side by side and one new rule. Linear."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from structgen.grammars.ir import (
    Expr,
    Grammar,
    Literal,
    Ref,
    Repeat,
    Rule,
    Terminal,
    alt,
    children,
    rebuilt,
    refuse_more,
    seq,
    walk,
)

__all__ = ["alternatives", "import_rules", "in_turn", "mapped", "references", "repeated"]


def alternatives(grammars: Iterable[Grammar]) -> Grammar:
    """The texts of any of them."""
    return _joined("alternatives", grammars, lambda parts: alt(*parts))


def in_turn(grammars: Iterable[Grammar]) -> Grammar:
    """A text of each, one after the other."""
    return _joined("parts", grammars, lambda parts: seq(*parts))


def repeated(grammar: Grammar, minimum: int, maximum: int | None) -> Grammar:
    """`minimum` to `maximum` texts, one after the other."""
    return _joined("repetition", [grammar], lambda parts: Repeat(parts[0], minimum, maximum))


def _joined(name: str, grammars: Iterable[Grammar], body: Callable[[list[Ref]], Expr]) -> Grammar:
    rules: list[Rule] = [Rule(name, Literal(b""))]
    starts = [import_rules(grammar, rules) for grammar in grammars]
    rules[0] = Rule(name, body(starts))
    return Grammar(tuple(rules))


def import_rules(grammar: Grammar, into: list[Rule]) -> Ref:
    """Append the rules of a grammar to a table; the reference to its start there."""
    refuse_more(grammar)
    base = len(into)
    into.extend(Rule(rule.name, mapped(rule.body, lambda ref: Ref(ref.rule + base))) for rule in grammar.rules)
    return Ref(grammar.start + base)


def mapped(expr: Expr, change: Callable[[Ref], Expr]) -> Expr:
    """The expression with every reference replaced."""
    if isinstance(expr, Ref):
        return change(expr)
    if isinstance(expr, Terminal):
        return expr
    return rebuilt(expr, [mapped(part, change) for part in children(expr)])


def references(expr: Expr) -> set[int]:
    """The rules an expression refers to."""
    return {part.rule for part in walk(expr) if isinstance(part, Ref)}
