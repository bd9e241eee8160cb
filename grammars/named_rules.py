"""Rules by name, as users write them, to grammar IR: with the mistakes that only the whole grammar shows.

A rule is used before or after it is defined. `build` names what is undefined, defined twice, or without a finite text,
each at its place in the user's own source, and reports what is defined and never used. Cost: linear in the grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from structgen.errors import GrammarError, suggest
from structgen.grammars.combine.join import mapped, references
from structgen.grammars.ir import (
    Alt,
    Expr,
    Grammar,
    GrammarBuilder,
    Graph,
    Ref,
    Repeat,
    Seq,
    Terminal,
    Unordered,
    children,
    rebuilt,
    refuse_more,
)

__all__ = ["GrammarReport", "Imports", "NamedRules", "error_at", "import_rules", "productive"]


@dataclass(frozen=True, slots=True)
class GrammarReport:
    """What is worth knowing of a grammar that compiles: rules that can be reached from nowhere, by name."""

    unused: tuple[str, ...] = ()


def error_at(source: str, position: int, reason: str) -> GrammarError:
    """The error for a character offset of the source: its line, column and the line itself."""
    position = min(position, len(source))
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    line = source[start : len(source) if end < 0 else end].expandtabs(1)
    return GrammarError(
        reason, line=source.count("\n", 0, position) + 1, column=position - start + 1, excerpt=line.rstrip("\r")
    )


@dataclass(slots=True)
class NamedRules:
    """Collects the rules of one source. Positions are character offsets into it."""

    source: str
    builder: GrammarBuilder = field(default_factory=GrammarBuilder)
    refs: dict[str, Ref] = field(default_factory=dict)
    defined: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)

    def use(self, name: str, position: int) -> Ref:
        """A reference to a rule, which may be defined later."""
        self.used.setdefault(name, position)
        return self._ref(name)

    def define(self, name: str, position: int, body: Expr) -> None:
        """Give a rule its body. Raises GrammarError the second time."""
        if name in self.defined:
            raise error_at(self.source, position, f"the rule {name!r} is defined twice")
        self.defined[name] = position
        self.builder.define(self._ref(name), body)

    def build(self, start: str) -> tuple[Grammar, GrammarReport]:
        """The grammar of the rules that `start` reaches. Raises GrammarError for what it cannot mean."""
        for name, position in self.used.items():
            if name not in self.defined:
                raise error_at(self.source, position, f"the rule {name!r} is not defined{suggest(name, self.defined)}")
        if start not in self.defined:
            have = f"{suggest(start, self.defined) or ': the grammar starts there'}"
            raise error_at(self.source, len(self.source), f"there is no rule {start!r}{have}")
        grammar = self.builder.build(self.refs[start])
        reached = _reached(grammar)
        good = productive(grammar)
        for name, position in self.defined.items():
            number = self.refs[name].rule
            if number in reached and number not in good:
                raise error_at(
                    self.source, position, f"the rule {name!r} has no finite text: {self._why(grammar, number)}"
                )
        return grammar, GrammarReport(tuple(n for n in self.defined if self.refs[n].rule not in reached))

    def _ref(self, name: str) -> Ref:
        if name not in self.refs:
            self.refs[name] = self.builder.declare(name)
        return self.refs[name]

    def _why(self, grammar: Grammar, number: int) -> str:
        if number in _reached(grammar, references(grammar.rules[number].body)):
            return "each of its alternatives leads back to it"
        return "it needs a rule that has none"


def _reached(grammar: Grammar, start: Iterable[int] | None = None) -> set[int]:
    """Rules that can be reached, the starting ones included."""
    queue = list(dict.fromkeys([grammar.start] if start is None else start))
    found = set(queue)
    while queue:
        for rule in references(grammar.rules[queue.pop()].body):
            if rule not in found:
                found.add(rule)
                queue.append(rule)
    return found


def productive(grammar: Grammar) -> set[int]:
    """Rules with a finite text. Rounds to a fixpoint; a round is linear, and most grammars need two or three."""
    good: set[int] = set()
    while True:
        new = {n for n, rule in enumerate(grammar.rules) if n not in good and _finite(rule.body, good)}
        if not new:
            return good
        good |= new


def _finite(expr: Expr, good: set[int]) -> bool:
    match expr:
        case Ref(rule):
            return rule in good
        case Terminal(body):
            return _finite(body, good)
        case Seq(parts):
            return all(_finite(part, good) for part in parts)
        case Alt(options):
            return any(_finite(option, good) for option in options)
        case Repeat(body, minimum, _):
            return minimum == 0 or _finite(body, good)
        case Graph(_, start, accepts, edges=edges):
            alive = {start}
            steps = [(a, b) for a, label, b in edges if _finite(label, good)]
            for _ in edges:
                alive |= {b for a, b in steps if a in alive}
            return not alive.isdisjoint(accepts)
        case Unordered(members, _, _):
            return all(_finite(body, good) for body, needed in members if needed)
        case _:
            return getattr(expr, "mask", 1) != 0


def import_rules(builder: GrammarBuilder, grammar: Grammar) -> Ref:
    """Copy the rules of a grammar into another that is being built; the reference to its start there."""
    refuse_more(grammar)
    base = len(builder.names)
    for rule in grammar.rules:
        builder.rule(rule.name, mapped(rule.body, lambda ref: Ref(ref.rule + base)))
    return Ref(grammar.start + base)


class Imports:
    """Copies grammars into one that is being built: each once, and the common rules of one front end once.

    Residual checks (`Grammar.distinct`) come along: whoever imports so says by that that a region of the text is all
    the check will see, from the bracket that opens what it is about (structgen/unique/automaton.py).
    """

    def __init__(self, builder: GrammarBuilder) -> None:
        self._builder = builder
        self._known: dict[int, tuple[Grammar, Ref]] = {}  # held: ids are used again
        self._common: dict[tuple[int, ...], int] = {}  # identities of common rules -> where they begin
        self._still: set[int] = set()  # of expressions that refer to no rule, which the builder holds

    def add(self, grammar: Grammar) -> Ref:
        """The reference to a grammar's start."""
        known = self._known.get(id(grammar))
        if known is None:
            known = self._known[id(grammar)] = (grammar, self._copied(grammar))
        return known[1]

    def _copied(self, grammar: Grammar) -> Ref:
        common = grammar.rules[: grammar.common]
        key = tuple(map(id, common))
        fresh = key not in self._common
        first = self._common.setdefault(key, len(self._builder.names))
        base = len(self._builder.names) + (len(common) if fresh else 0) - len(common)

        def moved(ref: Ref) -> Ref:
            return Ref(ref.rule + (first if ref.rule < len(common) else base))

        for rule in grammar.rules[0 if fresh else len(common) :]:
            self._builder.rule(rule.name, self._mapped(rule.body, moved))
        for rule_number, safe in grammar.distinct:
            if fresh or rule_number >= len(common):
                self._builder.distinct.append((moved(Ref(rule_number)).rule, safe))
        for rule_number, lexed in grammar.embedded:
            self._builder.embedded.append((moved(Ref(rule_number)).rule, lexed))
        return moved(Ref(grammar.start))

    def _mapped(self, expr: Expr, change: Callable[[Ref], Expr]) -> Expr:
        """The expression with every reference replaced; what holds none, which many grammars share, is entered once."""
        if isinstance(expr, Ref):
            return change(expr)
        if isinstance(expr, Terminal) or id(expr) in self._still:
            return expr
        found = rebuilt(expr, [self._mapped(part, change) for part in children(expr)])
        if found is expr:
            self._still.add(id(expr))
        return found
