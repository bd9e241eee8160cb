"""From grammar IR to rule networks: per rule a small automaton of byte, call and epsilon edges, all in flat arrays.

Layout and meaning of the arrays: kernels/layout.py, `Network`. Node 0 is the entry of rule 0, which calls the grammar's
start rule and returns to node 1, the end of everything. The nodes of a rule are contiguous.

Cost: linear in the expressions; literals are copied whole, counted repetition does not copy its body.
A call of a rule by itself at its very end becomes a jump to its beginning, so right recursion needs no stack.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.errors import InvariantError, LimitExceeded, Unsatisfiable
from structgen.grammars.ir import Alt, ByteSet, Expr, Grammar, Graph, Literal, Ref, Repeat, Seq, Unordered
from structgen.kernels import layout
from structgen.kernels.analysis import measure_network
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ARG,
    BROAD,
    CALL_TO,
    CALLED,
    CALLS,
    CHAIN,
    EXTRA,
    FAR,
    FIRST,
    KIND,
    LEAST,
    MEMBERS,
    MINIMUM,
    OP,
    RULE,
    RULE_LEAST,
    SEGMENT,
    SET,
    SILENT,
    SILENT_TO,
    SORT,
    Network,
)  # fmt: skip

NARROW = 62  # members whose set fits into an item's register
MAX_MEMBERS = 4096
MAX_EXPRESSION_DEPTH = 400
MAX_NODES = 1 << 24
_EXPAND = 8  # a repetition of a single byte set up to this often is written out: no counter needed


@dataclass(frozen=True, slots=True, eq=False)
class RuleNetworks:
    """Compiled grammar: `arrays` (see layout.Network), rule names by number, and how many rules the grammar had.

    Invariants (validate() checks them; kernels rely on them without bounds checks):
        I1  every CSR start array ascends from 0 to the number of its edges
        I2  every target node, called rule, byte set and segment exists
        I3  no edge leads to a node that cannot finish (least = FAR)
        I4  a chain edge never ends in the first node of a rule
        I5  nodes inside counted or unordered parts have a segment; loops through them consume bytes
    """

    arrays: Network
    names: tuple[str, ...]

    def validate(self) -> None:
        """Raise InvariantError if the arrays break their contract."""
        a = self.arrays
        n, nodes = len(a.nodes) - 1, a.nodes
        for column, edges, to in ((ARCS, a.arcs, ARC_TO), (CALLS, a.calls, CALL_TO), (SILENT, a.silent, SILENT_TO)):
            start = nodes[:, column]
            if start[0] != 0 or start[-1] != len(edges) or (np.diff(start) < 0).any():
                raise InvariantError("I1", f"starts of column {column}")
            if len(edges) and (edges[:, to].min() < 0 or edges[:, to].max() >= n):
                raise InvariantError("I2", "edge target")
            if (nodes[edges[:, to], LEAST] >= FAR).any():
                raise InvariantError("I3", "an edge to a dead node")
        for values, bound, what in ((a.calls[:, CALLED], len(a.rules), "rule"), (a.arcs[:, SET], len(a.sets), "set")):
            if len(values) and not (values.min() >= 0 and values.max() < bound):
                raise InvariantError("I2", f"{what} called")
        chained = np.flatnonzero(nodes[:n, CHAIN] >= 0)
        if len(chained) and (chained[-1] + 1 >= n or np.isin(chained + 1, a.rules[:, FIRST]).any()):
            raise InvariantError("I4", "chain runs out of its rule")
        if (nodes[:n, SEGMENT] >= len(a.segments) - 1).any():
            raise InvariantError("I5", "segment")


@dataclass(slots=True)
class _Segment:
    kind: int
    minimum: int
    enter: int = -1
    body: int = -1
    leave: int = -1
    maximum: int = FAR
    members: list[int] = field(default_factory=list)
    broad: int = 0
    extra: int = -1
    separator: int = -1


@dataclass(slots=True)
class _Builder:
    """Grows edge lists while walking expressions; `emit(expr, a, b)` adds every way from node a to node b."""

    rule_count: int
    chain: list[int] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    arcs: list[tuple[int, int, int]] = field(default_factory=list)
    calls: list[tuple[int, int, int, int]] = field(default_factory=list)
    eps: list[tuple[int, int, int, int]] = field(default_factory=list)
    sets: dict[int, int] = field(default_factory=dict)
    segments: list[_Segment] = field(default_factory=list)
    rule_first: list[int] = field(default_factory=list)
    rule_end: list[int] = field(default_factory=list)
    bodies: deque[tuple[int, Expr]] = field(default_factory=deque)  # anonymous rules still to be written
    body_rules: dict[Expr, int] = field(default_factory=dict)
    solid_bodies: list[tuple[int, int]] = field(default_factory=list)  # (segment, rule): minimum is moot if nullable
    wide: list[int] = field(default_factory=list)
    here: int = -1  # segment of new nodes
    depth: int = 0

    def node(self) -> int:
        self.chain.append(-1)
        self.segment.append(self.here)
        return len(self.chain) - 1

    def jump(self, a: int, b: int, op: int = layout.PLAIN, arg: int = 0) -> None:
        self.eps.append((a, b, op, arg))

    def set_id(self, mask: int) -> int:
        return self.sets.setdefault(mask, len(self.sets))

    def rule(self, body: Expr) -> None:
        """Write one rule: its first node, its end node and everything between."""
        if len(self.chain) > MAX_NODES:
            raise LimitExceeded("the grammar has too many states", limit="nodes", allowed=MAX_NODES)
        self.here = -1
        first, end = self.node(), self.node()
        self.rule_first.append(first)
        self.rule_end.append(end)
        self.emit(body, first, end)

    def emit(self, expr: Expr, a: int, b: int) -> None:
        self.depth += 1
        if self.depth > MAX_EXPRESSION_DEPTH:
            raise LimitExceeded(
                "an expression nests too deeply", limit="expression_depth", allowed=MAX_EXPRESSION_DEPTH
            )
        match expr:
            case Literal(value):
                self.literal(value, a, b)
            case ByteSet(mask):
                if mask:
                    self.arcs.append((a, self.set_id(mask), b))
            case Ref(rule):
                self.call(rule, a, b)
            case Seq(parts):
                for part in parts[:-1]:
                    middle = self.node()
                    self.emit(part, a, middle)
                    a = middle
                if parts:
                    self.emit(parts[-1], a, b)
                else:
                    self.jump(a, b)
            case Alt(options):
                for option in options:
                    self.emit(option, a, b)
            case Graph():
                self.graph(expr, a, b)
            case Repeat():
                self.repeat(expr, a, b)
            case Unordered():
                self.unordered(expr, a, b)
        self.depth -= 1

    def literal(self, value: bytes, a: int, b: int) -> None:
        """First and last byte as arcs, what lies between as a chain: node i -byte-> node i + 1."""
        if not value:
            self.jump(a, b)
            return
        if len(value) == 1:
            self.arcs.append((a, self.set_id(1 << value[0]), b))
            return
        first = len(self.chain)
        self.arcs.append((a, self.set_id(1 << value[0]), first))
        self.chain.extend(value[1:-1])
        self.chain.append(-1)
        self.segment.extend([self.here] * (len(value) - 1))
        self.arcs.append((len(self.chain) - 1, self.set_id(1 << value[-1]), b))

    def call(self, rule: int, a: int, b: int) -> None:
        current = len(self.rule_first) - 1
        if rule + 1 == current and b == self.rule_end[current] and self.here < 0:
            self.jump(a, self.rule_first[current])
        else:
            self.calls.append((a, rule + 1, b, 0))

    def graph(self, graph: Graph, a: int, b: int) -> None:
        first = len(self.chain)
        self.chain.extend([-1] * graph.n_states)
        self.segment.extend([self.here] * graph.n_states)
        self.jump(a, first + graph.start)
        shared: dict[tuple[Expr, int], int] = {}
        for source, label, target in graph.edges:
            for option in label.options if isinstance(label, Alt) else (label,):
                self.edge(option, first + source, first + target, shared)
        for state in graph.accepts:
            self.jump(first + state, b)

    def edge(self, label: Expr, a: int, b: int, shared: dict[tuple[Expr, int], int]) -> None:
        """One edge of a graph. What follows its first byte is written once per target: the many states of "any
        character but ..." then differ in arcs only (8 arcs a state instead of 35 nodes)."""
        parts = label.parts if isinstance(label, Seq) else (label,)
        head = parts[0] if parts else label
        if isinstance(head, Literal) and len(head.value) > 1:
            parts = (Literal(head.value[1:]), *parts[1:])
            mask = 1 << head.value[0]
        elif isinstance(head, Literal) and head.value:
            parts, mask = parts[1:], 1 << head.value[0]
        elif isinstance(head, ByteSet):
            parts, mask = parts[1:], head.mask
        else:
            self.emit(label, a, b)
            return
        rest = Seq(parts)
        if parts and (rest, b) not in shared:
            shared[rest, b] = self.node()
            self.emit(rest, shared[rest, b], b)
        if mask:
            self.arcs.append((a, self.set_id(mask), shared[rest, b] if parts else b))

    def repeat(self, expr: Repeat, a: int, b: int) -> None:
        body, low, high = expr.body, expr.minimum, expr.maximum
        if high is not None and (high < low or high == 0):
            if low == 0:
                self.jump(a, b)
            return
        if low == 0 and high == 1:
            self.jump(a, b)
            self.emit(body, a, b)
        elif high is None and low <= 1:
            self.star(body, low, a, b)
        elif high is not None and high <= _EXPAND and isinstance(body, ByteSet):
            for count in range(high):
                if count >= low:
                    self.jump(a, b)
                after = b if count == high - 1 else self.node()
                self.emit(body, a, after)
                a = after
        else:
            self.counted(body, low, high, a, b)

    def star(self, body: Expr, low: int, a: int, b: int) -> None:
        start, end = self.node(), self.node()
        self.jump(a, start)
        self.emit(body, start, end)
        self.jump(end, start)
        self.jump(end, b)
        if low == 0:
            self.jump(a, b)

    def counted(self, body: Expr, low: int, high: int | None, a: int, b: int) -> None:
        """hub -BELOW-> body -UPTO-> hub -ENOUGH-> b, with the count in the item's register."""
        outer = self.here
        if outer >= 0:  # one register per item: an inner count needs a rule of its own
            self.calls.append((a, self.body_rule(Repeat(body, low, high)), b, 0))
            return
        segment = len(self.segments)
        hub = self.node()
        self.here = segment
        start, end = self.node(), self.node()
        most = FAR if high is None else high
        self.segments.append(_Segment(layout.COUNTED, low, enter=hub, body=start, leave=b, maximum=most))
        if _surely_solid(body) and not _needs_register(body):
            self.emit(body, start, end)
        else:
            rule = self.body_rule(body)
            self.calls.append((start, rule, end, 1))
            self.solid_bodies.append((segment, rule))
        self.here = outer
        self.jump(a, hub)
        self.jump(hub, start, layout.BELOW, most)
        self.jump(end, hub, layout.UPTO, max(low, 1) if high is None else high)
        self.jump(hub, b, layout.ENOUGH, low)

    def body_rule(self, body: Expr) -> int:
        """Number of the anonymous rule for a repeated expression; equal expressions share one."""
        if body not in self.body_rules:
            self.body_rules[body] = self.rule_count
            self.bodies.append((self.rule_count, body))
            self.rule_count += 1
        return self.body_rules[body]

    def unordered(self, expr: Unordered, a: int, b: int) -> None:
        """entry -> fan -ADD k-> member k -DONE-> hub -LACKS-> separator -NEXT-> fan, and out by HAS."""
        if len(expr.members) > MAX_MEMBERS:
            raise LimitExceeded(
                f"{len(expr.members)} members in any order", limit="unordered_members", allowed=MAX_MEMBERS
            )
        if self.here >= 0:
            self.calls.append((a, self.body_rule(expr), b, 0))
            return
        required = sum(1 << k for k, (_, needed) in enumerate(expr.members) if needed)
        broad = len(expr.members) > NARROW
        wide = layout.WIDE if broad else 0
        if broad:
            required = self.wide_set(required)
        entry, fan, hub = self.node(), self.node(), self.node()
        number = len(self.segments)
        inside = _Segment(layout.MEMBER, required, enter=entry, leave=b, broad=int(broad))
        between = _Segment(layout.SEPARATOR, required, leave=b, broad=int(broad))
        self.segments += [inside, between]
        self.here = number
        for k, (body, _) in enumerate(expr.members):
            inside.members.append(self.member(body, fan, hub, wide + layout.ADD, k))
        if expr.extra is not None:
            inside.extra = self.member(expr.extra, fan, hub, layout.PLAIN, 0)
        self.here = number + 1
        start, end = self.node(), self.node()
        self.emit(expr.separator, start, end)
        self.here = -1
        inside.separator = between.separator = start
        between.members, between.extra = inside.members, inside.extra
        self.jump(a, entry)
        self.jump(entry, fan)
        self.jump(entry, b, wide + layout.HAS, required)
        self.jump(hub, b, wide + layout.HAS, required)
        self.jump(hub, start, wide + layout.LACKS, self.wide_set(0) if broad else 0)
        self.jump(end, fan, layout.NEXT)

    def wide_set(self, members: int) -> int:
        """A new row of bit sets for a segment with more members than a register has bits."""
        self.wide.append(members)
        return len(self.wide) - 1

    def member(self, body: Expr, fan: int, hub: int, op: int, bit: int) -> int:
        start, end = self.node(), self.node()
        self.jump(fan, start, op, bit)
        if _needs_register(body):
            self.calls.append((start, self.body_rule(body), end, 0))
        else:
            self.emit(body, start, end)
        self.jump(end, hub, layout.DONE)
        return start


def _surely_solid(expr: Expr) -> bool:
    """The expression visibly never matches the empty string."""
    match expr:
        case Literal(value):
            return bool(value)
        case ByteSet():
            return True
        case Seq(parts):
            return any(map(_surely_solid, parts))
        case Alt(options):
            return all(map(_surely_solid, options))
        case Repeat(body, minimum, _):
            return minimum > 0 and _surely_solid(body)
        case Graph(_, start, accepts, edges):
            return start not in accepts and all(_surely_solid(label) for _, label, _ in edges)
        case _:
            return False


def _needs_register(expr: Expr) -> bool:
    """Whether writing the expression in place would need the item's register."""
    match expr:
        case Seq(parts) | Alt(parts):
            return any(map(_needs_register, parts))
        case Repeat(body, minimum, maximum):
            plain = (maximum is None and minimum <= 1) or (minimum == 0 and maximum == 1)
            return not plain or _needs_register(body)
        case Graph(_, _, _, edges):
            return any(_needs_register(label) for _, label, _ in edges)
        case Unordered():
            return True
        case _:
            return False


def build_network(grammar: Grammar) -> RuleNetworks:
    """Compile a grammar to arrays, remove what cannot finish. Raises Unsatisfiable for an empty language."""
    builder = _Builder(rule_count=len(grammar.rules) + 1)
    builder.rule(Ref(grammar.start))
    for rule in grammar.rules:
        builder.rule(rule.body)
    names = ["start", *(rule.name for rule in grammar.rules)]
    while builder.bodies:
        _, body = builder.bodies.popleft()
        builder.rule(body)
        names.append("repetition")
    arrays, extra = _to_arrays(builder)
    measure_network(arrays, *extra)
    arrays = _settle_minimums(builder, arrays, extra)
    if arrays.rules[0, RULE_LEAST] >= FAR:
        raise Unsatisfiable("no finite text satisfies it")
    return RuleNetworks(_prune(arrays), tuple(names))


def _by_source(n: int, edges: list[tuple[int, ...]], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges sorted by source as (starts (n+1,), columns (edges, width - 1)); equal sources keep their order."""
    table = np.array(edges, np.int64).reshape(len(edges), width)
    table = table[np.argsort(table[:, 0], kind="stable")]
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(table[:, 0], minlength=n), out=starts[1:])
    return starts, table[:, 1:].copy()


def _to_arrays(builder: _Builder) -> tuple[Network, tuple[NDArray[np.int64], ...]]:
    n, segments = len(builder.chain), builder.segments
    nodes = np.full((n + 1, 8), -1, np.int64)
    nodes[:n, CHAIN], nodes[:n, SEGMENT], nodes[:, KIND] = builder.chain, builder.segment, 0
    nodes[:, ARCS], arcs = _by_source(n, builder.arcs, 3)  # type: ignore[arg-type]
    nodes[:, CALLS], calls = _by_source(n, builder.calls, 4)  # type: ignore[arg-type]
    nodes[:, SILENT], silent = _by_source(n, builder.eps, 4)  # type: ignore[arg-type]
    first = np.array(builder.rule_first, np.int64)
    nodes[first, RULE] = np.arange(len(first))
    nodes[:n, RULE] = np.maximum.accumulate(nodes[:n, RULE])
    nodes[builder.rule_end[1:], KIND] = layout.ENDS
    nodes[builder.rule_end[0], KIND] = layout.FINAL
    words = b"".join(mask.to_bytes(32, "little") for mask in builder.sets or {0: 0})
    table = np.zeros((len(segments) + 1, 7), np.int64)
    table[:, EXTRA] = FAR
    for row, segment in zip(table, segments, strict=False):
        row[SORT], row[MINIMUM], row[BROAD] = segment.kind, segment.minimum, segment.broad
        row[EXTRA] = segment.maximum
    table[1:, MEMBERS] = np.cumsum([len(s.members) for s in segments])
    members = [m for s in segments for m in s.members]
    rules = np.stack([first, np.full(len(first), FAR)], axis=1)
    sets = np.frombuffer(words, np.uint64).reshape(-1, 4).copy()
    width = max([1, *((len(s.members) + 63) // 64 for s in segments if s.broad)])
    wide = np.zeros((len(builder.wide), width), np.uint64)
    for number, value in enumerate(builder.wide):
        wide[number] = np.frombuffer(value.to_bytes(8 * width, "little"), np.uint64)
    arrays = Network(nodes, arcs, sets, calls, silent, rules, table, np.zeros(len(members), np.int64), wide)
    places = [[getattr(s, name) for s in segments] for name in ("enter", "body", "leave")]
    places += [members, [s.extra for s in segments], [s.separator for s in segments]]
    return arrays, tuple(np.array(values, np.int64) for values in places)


def _settle_minimums(builder: _Builder, arrays: Network, places: tuple[NDArray[np.int64], ...]) -> Network:
    """A counted body that may be empty needs no minimum; a separator must find a member that can be written."""
    enter, separator, silent, again = places[0], places[5], arrays.silent, False
    for segment, rule in builder.solid_bodies:
        if arrays.rules[rule, RULE_LEAST] == 0 and arrays.segments[segment, MINIMUM] > 0:
            arrays.segments[segment, MINIMUM] = 0
            edges = silent[arrays.nodes[enter[segment], SILENT] : arrays.nodes[enter[segment] + 1, SILENT]]
            edges[edges[:, OP] == layout.ENOUGH, ARG] = 0
            again = True
    if again:
        measure_network(arrays, *places)
        return _settle_minimums(builder, arrays, places)
    for g in np.flatnonzero(arrays.segments[:-1, SORT] == layout.MEMBER):
        least = arrays.members[arrays.segments[g, MEMBERS] : arrays.segments[g + 1, MEMBERS]]
        broad = arrays.segments[g, BROAD]
        rows = (silent[:, SILENT_TO] == separator[g]) & (silent[:, OP] == layout.LACKS + broad * layout.WIDE)
        alive = sum(1 << k for k in np.flatnonzero(least < FAR).tolist())
        if broad:
            words = np.frombuffer(alive.to_bytes(8 * arrays.wide.shape[1], "little"), np.uint64)
            arrays.wide[silent[rows, ARG]] = words
        else:
            silent[rows, ARG] = alive
        if arrays.segments[g, EXTRA] < FAR:
            silent[rows, OP] = layout.PLAIN
    return arrays


def _prune(arrays: Network) -> Network:
    """Drop every edge to a node, rule or byte set that cannot finish, then mark what kind of node each is."""
    nodes, n = arrays.nodes, len(arrays.nodes) - 1
    dead = nodes[:, LEAST] >= FAR
    nodes[:n, CHAIN][dead[1:]] = -1

    def keep(column: int, edges: NDArray[np.int64], good: NDArray[np.bool_]) -> NDArray[np.int64]:
        nodes[:, column] = np.concatenate(([0], np.cumsum(good)))[nodes[:, column]]
        return edges[good]

    callable_ = arrays.rules[arrays.calls[:, CALLED], RULE_LEAST] < FAR
    pruned = arrays._replace(
        arcs=keep(ARCS, arrays.arcs, ~dead[arrays.arcs[:, ARC_TO]]),
        calls=keep(CALLS, arrays.calls, ~dead[arrays.calls[:, CALL_TO]] & callable_),
        silent=keep(SILENT, arrays.silent, ~dead[arrays.silent[:, SILENT_TO]]),
    )
    edges = np.diff(nodes[:, ARCS]) + np.diff(nodes[:, CALLS]) > 0
    kind, inner = nodes[:n, KIND], nodes[:n, SEGMENT] >= 0
    kind[edges | (nodes[:n, CHAIN] >= 0)] |= layout.STAYS
    kind[(kind == layout.ENDS) & (np.diff(nodes[:, SILENT]) == 0) & ~inner] |= layout.TAIL
    return pruned
