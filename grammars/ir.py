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

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from operator import is_
from typing import TypeAlias

from structgen.errors import UnsupportedCombination, UnsupportedSchema
from structgen.grammars.ir_lr import LexedGrammar

Expr: TypeAlias = "Literal | ByteSet | Seq | Alt | Repeat | Ref | Graph | Unordered | Terminal"


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


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Finite automaton, maybe nondeterministic: states 0..n_states-1, `edges` (source, label, target), `accepts`.

    The edges are kept as `packed`, i64 (source, place in `labels`, target) for each: thousands of them are one object,
    and what is asked of all labels is asked once. Receipt: after 2,500 schemas 1.5 -> 0.6 million objects.

    `equivalent` is a promise that speeds up masks: from state i the graph takes the same bytes as the Terminal
    expression does after it read `prefixes[i]`, up to where either may end (None: nothing is promised of that state).

    With a `maximum`, the edges of a path weigh at most so much together: `weights` is i64, one for each edge, not
    negative. That is how a length is bounded beside an automaton: see `regular.lower`. From every state an accepting
    one can be reached without weight, and no way to one takes fewer bytes.
    """

    n_states: int
    start: int
    accepts: tuple[int, ...]
    labels: tuple[Expr, ...]
    packed: bytes
    equivalent: tuple[Terminal, tuple[bytes | None, ...]] | None = None
    weights: bytes = b""
    maximum: int | None = None

    @staticmethod
    def of(
        n_states: int,
        start: int,
        accepts: tuple[int, ...],
        edges: Sequence[tuple[int, Expr, int]],
        equivalent: tuple[Terminal, tuple[bytes | None, ...]] | None = None,
        weights: bytes = b"",
        maximum: int | None = None,
    ) -> Graph:
        """The graph of edges (source, label, target); labels that are the same object are kept once."""
        sources, labels, targets = zip(*edges, strict=True) if edges else ((), (), ())
        graph = Graph.of_columns(n_states, start, accepts, sources, labels, targets, equivalent)
        return graph if maximum is None else replace(graph, weights=weights, maximum=maximum)

    @staticmethod
    def of_columns(
        n_states: int,
        start: int,
        accepts: tuple[int, ...],
        sources: Sequence[int],
        labels: Sequence[Expr],
        targets: Sequence[int],
        equivalent: tuple[Terminal, tuple[bytes | None, ...]] | None = None,
    ) -> Graph:
        """As `of`, of the sources, labels and targets of the edges."""
        ids = list(map(id, labels))
        known = dict(zip(ids, labels, strict=True))
        places = dict(zip(known, range(len(known)), strict=True))
        packed = array("q", bytes(24 * len(ids)))
        packed[::3], packed[1::3] = array("q", sources), array("q", map(places.__getitem__, ids))
        packed[2::3] = array("q", targets)
        return Graph(n_states, start, accepts, tuple(known.values()), packed.tobytes(), equivalent)

    @property
    def steps(self) -> memoryview:
        """i64 (source, place of the label, target) of one edge after the other."""
        return memoryview(self.packed).cast("q")

    @property
    def edges(self) -> tuple[tuple[int, Expr, int], ...]:
        """(source, label, target) of every edge."""
        steps = self.steps.tolist()
        return tuple(zip(steps[::3], map(self.labels.__getitem__, steps[1::3]), steps[2::3], strict=True))

    def unweighed(self) -> Graph:
        """The same without weights: a state for each state and weight. Small maxima only."""
        if self.maximum is None:
            return self
        weights, width = memoryview(self.weights).cast("q"), self.maximum + 1
        edges = [
            (source * width + so_far, label, target * width + so_far + weight)
            for (source, label, target), weight in zip(self.edges, weights, strict=True)
            for so_far in range(width - weight)
        ]
        accepts = tuple(state * width + weight for state in self.accepts for weight in range(width))
        return Graph.of(self.n_states * width, self.start * width, accepts, edges)

    def __eq__(self, other: object) -> bool:
        """Equal edges, whichever of their labels are one object."""
        return type(other) is Graph and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        return self.n_states, self.start, self.accepts, self.edges, self.equivalent, self.weights, self.maximum


@dataclass(frozen=True, slots=True)
class Terminal:
    """`body`, which calls no rule and stands in many grammars: its masks are worked out once per vocabulary."""

    body: Expr


@dataclass(frozen=True, slots=True)
class Unordered:
    """Members in any order, joined by `separator`.

    Each of `members` (body, required) appears at most once, required ones exactly once, `extra` any number
    of times. The empty string is included when no member is required.
    """

    members: tuple[tuple[Expr, bool], ...]
    separator: Expr
    extra: Expr | None = None


NEVER = -1
EPSILON = Literal(b"")
SPECIAL, SPECIAL_END = 0xFF, 0xFE  # bytes around the name of a special token
NOTHING = Alt(())


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule. `name` is what messages call it ("string", "integer", "property 'age'")."""

    name: str
    body: Expr


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by number and the number of the rule to start from.

    The first `common` rules are the same objects in every grammar of one front end and style (the free-form JSON value,
    say) and refer only to each other, so what is made of them once can be kept. Any other expression may be the same
    object in many grammars as well: a format, a set of numbers, an enum.

    `distinct` names rules of JSON arrays, which begin with '[', whose elements must differ as JSON values, and of JSON
    objects, which begin with '{', whose keys must: what an automaton cannot remember is checked beside it
    (structgen/unique/automaton.py). With each stands how many there are at least before values may run out, NEVER where
    they cannot.

    `embedded` names rules that stand for the texts of a grammar with a lexer, which this IR cannot write; their bodies
    count for nothing (structgen/embedded/automaton.py).
    """

    rules: tuple[Rule, ...]
    start: int = 0
    common: int = 0
    distinct: tuple[tuple[int, int], ...] = ()
    embedded: tuple[tuple[int, LexedGrammar], ...] = ()


def refuse_more(grammar: Grammar) -> None:
    """For what builds grammars from grammars. Raises UnsupportedSchema if this one has a residual check, which follows
    one JSON text from its beginning, UnsupportedCombination if it embeds a grammar with a lexer."""
    if grammar.distinct:
        name = grammar.rules[grammar.distinct[0][0]].name
        reason = f"the elements or keys of {name} are compared, which is not done inside a combination"
        raise UnsupportedSchema(reason, keyword="uniqueItems")
    if grammar.embedded:
        reason = "a part is read with a lexer, which is not done inside a combination; lexer='dynamic' does without"
        raise UnsupportedCombination(reason, operation="combination")


def embed(name: str, grammar: LexedGrammar) -> Grammar:
    """The texts of a grammar with a lexer, as a grammar that others may import."""
    return Grammar((Rule(name, NOTHING),), embedded=((0, grammar),))


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions an expression is made of."""
    match expr:
        case Seq(parts) | Alt(parts):
            return parts
        case Repeat(body) | Terminal(body):
            return (body,)
        case Graph(labels=labels):
            return labels
        case Unordered(members, separator, extra):
            return (*(body for body, _ in members), separator, *(() if extra is None else (extra,)))
        case _:
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all it is made of, each object once; rules it calls are not entered."""
    pending, met = [expr], {id(expr)}
    while pending:
        yield (found := pending.pop())
        for part in reversed(children(found)):
            if id(part) not in met:
                met.add(id(part))
                pending.append(part)


def fewest_bytes(expr: Expr) -> int:
    """Bytes of the shortest text of an expression that calls no rule. Cost: linear, but for graphs, which take edges
    times states."""
    match expr:
        case Literal(value):
            return len(value)
        case ByteSet():
            return 1
        case Seq(parts):
            return sum(map(fewest_bytes, parts))
        case Alt(options):
            return min(map(fewest_bytes, options))
        case Repeat(body, minimum):
            return minimum * fewest_bytes(body)
        case Terminal(body):
            return fewest_bytes(body)
        case Graph(n_states, start, accepts, edges=edges):
            steps = [(source, fewest_bytes(label), target) for source, label, target in edges]
            far = [inf] * n_states
            far[start] = 0
            for _ in range(n_states):
                for source, size, target in steps:
                    far[target] = min(far[target], far[source] + size)
            return int(min(far[state] for state in accepts))
    raise TypeError(expr)


def rebuilt(expr: Expr, parts: Sequence[Expr]) -> Expr:
    """The expression with other `children`, in their order; the same object if they are the same objects."""
    if all(map(is_, children(expr), parts)):
        return expr  # and every expression without children
    match expr:
        case Seq():
            return Seq(tuple(parts))
        case Alt():
            return Alt(tuple(parts))
        case Repeat(_, minimum, maximum):
            return Repeat(parts[0], minimum, maximum)
        case Terminal():
            return Terminal(parts[0])
        case Graph():
            return replace(expr, labels=tuple(parts))
        case Unordered(members):
            bodies, (separator, *last) = parts[: len(members)], parts[len(members) :]
            needed = [required for _, required in members]
            return Unordered(tuple(zip(bodies, needed, strict=True)), separator, last[0] if last else None)
    raise TypeError(expr)


class GrammarBuilder:
    """Collects rules, after the `common` ones. A rule is declared first and defined later, so rules may be
    recursive."""

    def __init__(self, common: tuple[Rule, ...] = ()) -> None:
        self.common = common
        self.names: list[str] = [rule.name for rule in common]
        self.bodies: list[Expr | None] = [rule.body for rule in common]
        self.distinct: list[tuple[int, int]] = []
        self.embedded: list[tuple[int, LexedGrammar]] = []

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
        self.names.append(name)
        self.bodies.append(body)
        return Ref(len(self.names) - 1)

    def build(self, start: Ref) -> Grammar:
        """The finished grammar."""
        rules = list(self.common)
        for name, body in zip(self.names[len(rules) :], self.bodies[len(rules) :], strict=True):
            if body is None:
                raise ValueError(f"rule {name!r} is declared and never defined")
            rules.append(Rule(name, body))
        distinct, embedded = tuple(self.distinct), tuple(self.embedded)
        return Grammar(tuple(rules), start.rule, len(self.common), distinct, embedded)


def seq(*parts: Expr) -> Expr:
    """Concatenation with the obvious simplifications: flat, literals joined, NOTHING absorbs."""
    flat: list[Expr] = []
    for part in parts:
        for item in part.parts if type(part) is Seq else (part,):
            if type(item) is Literal:
                if not item.value:
                    continue
                last = flat[-1] if flat else None
                if type(last) is Literal:
                    flat[-1] = Literal(last.value + item.value)
                    continue
            elif type(item) is Alt and not item.options:
                return NOTHING
            flat.append(item)
    if len(flat) < 2:
        return flat[0] if flat else EPSILON
    return Seq(tuple(flat))


def alt(*options: Expr) -> Expr:
    """Union: flat; leaves that are equal and parts that are the same object are kept once."""
    flat: dict[object, Expr] = {}
    for option in options:
        for item in option.options if type(option) is Alt else (option,):
            flat.setdefault(item if type(item) in _LEAVES else id(item), item)
    if len(flat) < 2:
        return next(iter(flat.values()), NOTHING)
    return Alt(tuple(flat.values()))


_LEAVES = frozenset((Literal, ByteSet, Ref))


def special(name: str) -> Literal:
    """The special token of this name, as one symbol.

    It is spelled with the bytes FF and FE, which UTF-8 never contains: the vocabulary's trie spells special tokens in
    the same way, so no text can be taken for one, and nothing below the trie knows the difference.
    """
    return Literal(bytes([SPECIAL]) + name.encode() + bytes([SPECIAL_END]))


def special_symbols(grammar: Grammar) -> set[bytes]:
    """The special tokens a grammar uses, as spelled."""
    found: set[bytes] = set()
    for rule in grammar.rules:
        for expr in walk(rule.body):
            if isinstance(expr, Literal):
                found |= {b"\xff" + part.split(b"\xfe")[0] + b"\xfe" for part in expr.value.split(b"\xff")[1:]}
    return found


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
