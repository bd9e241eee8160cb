"""The grammar IR: what every front end produces and the only thing `automata` reads.

A grammar is a table of rules over bytes; a rule's body is an immutable expression tree. Trees are shallow (nesting
lives in rules), so passes may recurse over an expression but never over the rule graph.

    Literal(b"abc")        exactly these bytes; Literal(b"") is the empty string
    ByteSet(mask)          one byte; bit b of the 256-bit integer `mask` set = byte b allowed
    Seq((a, b))            one after the other
    Alt((a, b))            either; Alt(()) is the empty language
    Repeat(a, m, n)        m to n times, n None = no bound; counted at run time, so its size does not grow with m, n
    Ref(rule)              a rule by its number
    Graph(...)             a finite automaton whose edges carry expressions (how regular languages arrive)
    Unordered(...)         distinct members in any order, each at most once (objects in any property order)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Expr: TypeAlias = "Literal | ByteSet | Seq | Alt | Repeat | Ref | Graph | Unordered"


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly these bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class ByteSet:
    """One byte of a set, given as the bits of a 256-bit integer."""

    mask: int

    @staticmethod
    def of(members: bytes) -> ByteSet:
        """The set of the bytes in `members`."""
        mask = 0
        for byte in members:
            mask |= 1 << byte
        return ByteSet(mask)

    @staticmethod
    def span(low: int, high: int) -> ByteSet:
        """Bytes low..high, both included."""
        return ByteSet((1 << (high + 1)) - (1 << low))


def byte_runs(mask: int) -> list[tuple[int, int]]:
    """A byte set as ascending runs (first, last)."""
    runs: list[tuple[int, int]] = []
    for byte in range(256):
        if mask >> byte & 1:
            joins = runs and byte == runs[-1][1] + 1
            runs[-1:] = [(runs[-1][0], byte)] if joins else [*runs[-1:], (byte, byte)]
    return runs


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other; no parts = the empty string."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """Any of; no options = the empty language."""

    options: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`minimum` to `maximum` times, None = no bound."""

    body: Expr
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A rule, by its number in Grammar.rules."""

    rule: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Finite automaton, maybe nondeterministic: states 0..n_states-1, `edges` (source, label, target), `accepts`."""

    n_states: int
    start: int
    accepts: tuple[int, ...]
    edges: tuple[tuple[int, Expr, int], ...]


@dataclass(frozen=True, slots=True)
class Unordered:
    """Members in any order, joined by `separator`.

    Each of `members` (body, required) appears at most once, required ones exactly once, `extra` any number
    of times. The empty string is included when no member is required.
    """

    members: tuple[tuple[Expr, bool], ...]
    separator: Expr
    extra: Expr | None = None


EPSILON = Literal(b"")
NOTHING = Alt(())


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule. `name` is what messages call it ("string", "integer", "property 'age'")."""

    name: str
    body: Expr


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by number and the number of the rule to start from."""

    rules: tuple[Rule, ...]
    start: int = 0


@dataclass(slots=True)
class GrammarBuilder:
    """Collects rules. A rule is declared first and defined later, so rules may be recursive."""

    names: list[str] = field(default_factory=list)
    bodies: list[Expr | None] = field(default_factory=list)

    def declare(self, name: str) -> Ref:
        """Reserve a rule; define it before `build`."""
        self.names.append(name)
        self.bodies.append(None)
        return Ref(len(self.names) - 1)

    def define(self, ref: Ref, body: Expr) -> Ref:
        """Give a declared rule its body, once."""
        if self.bodies[ref.rule] is not None:
            raise ValueError(f"rule {self.names[ref.rule]!r} is defined twice")
        self.bodies[ref.rule] = body
        return ref

    def rule(self, name: str, body: Expr) -> Ref:
        """Declare and define at once."""
        return self.define(self.declare(name), body)

    def build(self, start: Ref) -> Grammar:
        """The finished grammar."""
        rules = []
        for name, body in zip(self.names, self.bodies, strict=True):
            if body is None:
                raise ValueError(f"rule {name!r} is declared and never defined")
            rules.append(Rule(name, body))
        return Grammar(tuple(rules), start.rule)


def seq(*parts: Expr) -> Expr:
    """Concatenation with the obvious simplifications: flat, literals joined, NOTHING absorbs."""
    flat: list[Expr] = []
    for part in parts:
        for item in part.parts if isinstance(part, Seq) else (part,):
            if item == NOTHING:
                return NOTHING
            if isinstance(item, Literal) and flat and isinstance(flat[-1], Literal):
                flat[-1] = Literal(flat[-1].value + item.value)
            elif item != EPSILON:
                flat.append(item)
    if not flat:
        return EPSILON
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def alt(*options: Expr) -> Expr:
    """Union: flat, duplicates dropped."""
    flat: dict[Expr, None] = {}
    for option in options:
        flat.update(dict.fromkeys(option.options if isinstance(option, Alt) else (option,)))
    return next(iter(flat)) if len(flat) == 1 else Alt(tuple(flat))


def optional(body: Expr) -> Expr:
    """Zero or one."""
    return alt(body, EPSILON)


def joined(item: Expr, separator: Expr, minimum: int = 0, maximum: int | None = None) -> Expr:
    """`item (separator item)*` with `minimum` to `maximum` items."""
    if maximum is not None and (maximum < minimum or maximum < 0):
        return NOTHING
    if maximum == 0:
        return EPSILON
    rest = None if maximum is None else maximum - 1
    some = seq(item, Repeat(seq(separator, item), max(minimum - 1, 0), rest))
    return some if minimum > 0 else optional(some)
