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
from structgen.kernels.layout import FAR, Network

MAX_MEMBERS = 62  # bits of an item's register
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
        n, rules = len(a.chain), len(a.rule_start)
        for start, values in ((a.arc_start, a.arc_to), (a.call_start, a.call_to), (a.eps_start, a.eps_to)):
            if start[0] != 0 or start[-1] != len(values) or (np.diff(start) < 0).any() or len(start) != n + 1:
                raise InvariantError("I1", "CSR starts")
            if len(values) and (values.min() < 0 or values.max() >= n):
                raise InvariantError("I2", "edge target")
            if len(values) and (a.least[values] >= FAR).any():
                raise InvariantError("I3", f"edge to a dead node {values[a.least[values] >= FAR][0]}")
        if len(a.call_rule) and not (0 <= a.call_rule.min() and a.call_rule.max() < rules):
            raise InvariantError("I2", "called rule")
        if len(a.arc_set) and not (0 <= a.arc_set.min() and a.arc_set.max() < len(a.sets)):
            raise InvariantError("I2", "byte set")
        chained = np.flatnonzero(a.chain >= 0)
        if len(chained) and (chained[-1] + 1 >= n or np.isin(chained + 1, a.rule_start).any()):
            raise InvariantError("I4", "chain runs out of its rule")
        if (a.segment >= len(a.seg_kind)).any():
            raise InvariantError("I5", "segment")


@dataclass(slots=True)
class _Segment:
    kind: int
    minimum: int
    enter: int = -1
    body: int = -1
    leave: int = -1
    members: list[int] = field(default_factory=list)
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
            raise LimitExceeded("an expression nests too deeply", limit="expression_depth", allowed=MAX_EXPRESSION_DEPTH)
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
        for source, label, target in graph.edges:
            if isinstance(label, ByteSet):
                if label.mask:
                    self.arcs.append((first + source, self.set_id(label.mask), first + target))
            else:
                self.emit(label, first + source, first + target)
        for state in graph.accepts:
            self.jump(first + state, b)

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
        self.segments.append(_Segment(layout.COUNTED, low, enter=hub, body=start, leave=b))
        if _surely_solid(body) and not _needs_register(body):
            self.emit(body, start, end)
        else:
            rule = self.body_rule(body)
            self.calls.append((start, rule, end, 1))
            self.solid_bodies.append((segment, rule))
        self.here = outer
        self.jump(a, hub)
        self.jump(hub, start, layout.BELOW, FAR if high is None else high)
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
        entry, fan, hub = self.node(), self.node(), self.node()
        number = len(self.segments)
        inside = _Segment(layout.MEMBER, required, enter=entry, leave=b)
        between = _Segment(layout.SEPARATOR, required, leave=b)
        self.segments += [inside, between]
        self.here = number
        for k, (body, _) in enumerate(expr.members):
            inside.members.append(self.member(body, fan, hub, layout.ADD, k))
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
        self.jump(entry, b, layout.HAS, required)
        self.jump(hub, b, layout.HAS, required)
        self.jump(hub, start, layout.LACKS)
        self.jump(end, fan, layout.NEXT)

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
    if arrays.rule_least[0] >= FAR:
        raise Unsatisfiable("no finite text satisfies it")
    return RuleNetworks(_prune(builder, arrays), tuple(names))


def _csr(n: int, edges: list[tuple[int, ...]], width: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Edges sorted by source as (starts (n+1,), columns (edges, width - 1)); equal sources keep their order."""
    table = np.array(edges, np.int64).reshape(len(edges), width)
    table = table[np.argsort(table[:, 0], kind="stable")]
    starts = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(table[:, 0], minlength=n), out=starts[1:])
    return starts, table[:, 1:]


def _to_arrays(builder: _Builder) -> tuple[Network, tuple[NDArray[np.int32], ...]]:
    n, segments = len(builder.chain), builder.segments
    arc_start, arcs = _csr(n, builder.arcs, 3)  # type: ignore[arg-type]
    call_start, calls = _csr(n, builder.calls, 4)  # type: ignore[arg-type]
    eps_start, eps = _csr(n, builder.eps, 4)  # type: ignore[arg-type]
    words = b"".join(mask.to_bytes(32, "little") for mask in builder.sets or {0: 0})
    rule_start = np.array(builder.rule_first, np.int32)
    rule_of = np.zeros(n, np.int32)
    rule_of[rule_start[1:]] = 1
    chain = np.array(builder.chain, np.int16)
    kind = np.zeros(n, np.uint8)
    kind[builder.rule_end[1:]] = layout.ENDS
    kind[builder.rule_end[0]] = layout.FINAL
    members = [m for s in segments for m in s.members]
    arrays = Network(
        chain=chain,
        arc_start=arc_start,
        arc_set=arcs[:, 0].astype(np.int32),
        arc_to=arcs[:, 1].astype(np.int32),
        sets=np.frombuffer(words, np.uint64).reshape(-1, 4).copy(),
        call_start=call_start,
        call_rule=calls[:, 0].astype(np.int32),
        call_to=calls[:, 1].astype(np.int32),
        call_solid=calls[:, 2].astype(np.uint8),
        eps_start=eps_start,
        eps_to=eps[:, 0].astype(np.int32),
        eps_op=eps[:, 1].astype(np.uint8),
        eps_arg=eps[:, 2].copy(),
        kind=kind,
        rule_of=np.cumsum(rule_of, dtype=np.int32),
        rule_start=rule_start,
        rule_least=np.zeros(len(rule_start), np.int64),
        least=np.zeros(n, np.int64),
        segment=np.array(builder.segment, np.int32),
        seg_kind=np.array([s.kind for s in segments], np.uint8),
        seg_min=np.array([s.minimum for s in segments], np.int64),
        seg_body=np.zeros(len(segments), np.int64),
        seg_exit=np.zeros(len(segments), np.int64),
        seg_extra=np.full(len(segments), FAR, np.int64),
        member_start=np.cumsum([0, *(len(s.members) for s in segments)]).astype(np.int32),
        member_least=np.zeros(len(members), np.int64),
    )
    fields = [[getattr(s, name) for s in segments] for name in ("enter", "body", "leave")]
    fields += [members, [s.extra for s in segments], [s.separator for s in segments]]
    return arrays, tuple(np.array(values, np.int32) for values in fields)


def _settle_minimums(builder: _Builder, arrays: Network, extra: tuple[NDArray[np.int32], ...]) -> Network:
    """A counted body that may be empty needs no minimum; a separator must find a member that can be written."""
    again = False
    for segment, rule in builder.solid_bodies:
        if arrays.rule_least[rule] == 0 and arrays.seg_min[segment] > 0:
            arrays.seg_min[segment] = 0
            hub = extra[0][segment]
            edges = np.arange(arrays.eps_start[hub], arrays.eps_start[hub + 1])
            arrays.eps_arg[edges[arrays.eps_op[edges] == layout.ENOUGH]] = 0
            again = True
    if again:
        measure_network(arrays, *extra)
        return _settle_minimums(builder, arrays, extra)
    for g in np.flatnonzero(arrays.seg_kind == layout.MEMBER):
        least = arrays.member_least[arrays.member_start[g] : arrays.member_start[g + 1]]
        alive = sum(1 << k for k in np.flatnonzero(least < FAR).tolist())
        separator = (arrays.eps_to == extra[5][g]) & (arrays.eps_op == layout.LACKS)
        arrays.eps_arg[separator] = alive
        if arrays.seg_extra[g] < FAR:
            arrays.eps_op[separator] = layout.PLAIN
    return arrays


def _prune(builder: _Builder, arrays: Network) -> Network:
    """Drop every edge to a node, rule or byte set that cannot finish, then mark what kind of node each is."""
    n, dead = len(arrays.chain), arrays.least >= FAR
    chain = arrays.chain.copy()
    chain[:-1][dead[1:]] = -1

    def keep(start: NDArray[np.int32], good: NDArray[np.bool_]) -> NDArray[np.int32]:
        return np.concatenate(([0], np.cumsum(good)))[start].astype(np.int32)

    arcs = ~dead[arrays.arc_to]
    calls = ~dead[arrays.call_to] & (arrays.rule_least[arrays.call_rule] < FAR)
    eps = ~dead[arrays.eps_to]
    arrays = arrays._replace(
        chain=chain,
        arc_start=keep(arrays.arc_start, arcs),
        arc_set=arrays.arc_set[arcs],
        arc_to=arrays.arc_to[arcs],
        call_start=keep(arrays.call_start, calls),
        call_rule=arrays.call_rule[calls],
        call_to=arrays.call_to[calls],
        call_solid=arrays.call_solid[calls],
        eps_start=keep(arrays.eps_start, eps),
        eps_to=arrays.eps_to[eps],
        eps_op=arrays.eps_op[eps],
        eps_arg=arrays.eps_arg[eps],
    )
    stays = (chain >= 0) | (np.diff(arrays.arc_start) > 0) | (np.diff(arrays.call_start) > 0)
    silent = np.diff(arrays.eps_start) > 0
    arrays.kind[stays] |= layout.STAYS
    arrays.kind[(arrays.kind == layout.ENDS) & ~silent & (arrays.segment < 0)] |= layout.TAIL
    assert len(arrays.kind) == n
    return arrays
