"""A slow recogniser and a random sampler over the grammar IR, written for nothing but being obviously right.

`accepts(grammar, text)` computes, for every expression and position, the set of positions where a match may end.
Rules are iterated to a fixpoint per position, so recursion and empty matches are fine. `sample(grammar, rng)`
derives a random text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from structgen.grammars.ir import Alt, ByteSet, Expr, Grammar, Graph, Literal, Ref, Repeat, Seq, Terminal, Unordered
from structgen.kernels.layout import START
from structgen.kinds import automaton_of


def weights_of(graph: Graph) -> list[int]:
    """How much each edge weighs against the graph's maximum; nothing where it has none."""
    return [0] * len(graph.edges) if graph.maximum is None else memoryview(graph.weights).cast("q").tolist()


class Recogniser:
    """Matches one text against one grammar."""

    def __init__(self, grammar: Grammar, text: bytes) -> None:
        self.grammar, self.text = grammar, text
        self.memo: dict[tuple[int, int], frozenset[int]] = {}
        self.out_edges: dict[int, tuple[Graph, dict[int, list[tuple[Expr, int]]]]] = {}

    def accepts(self) -> bool:
        """Whether the whole text is in the language."""
        return len(self.text) in self.ends(Ref(self.grammar.start), 0)

    def ends(self, expr: Expr, at: int) -> Iterable[int]:
        """Where a match of `expr` starting at `at` may end."""
        match expr:
            case Literal(value):
                return (at + len(value),) if self.text.startswith(value, at) else ()
            case ByteSet(mask):
                return (at + 1,) if at < len(self.text) and mask >> self.text[at] & 1 else ()
            case Seq(parts):
                reached: set[int] = {at}
                for part in parts:
                    reached = {end for start in reached for end in self.ends(part, start)}
                return reached
            case Alt(options):
                return {end for option in options for end in self.ends(option, at)}
            case Repeat(body, minimum, maximum):
                return self._repeat(body, minimum, maximum, at)
            case Ref(rule):
                return self._rule(rule, at)
            case Graph():
                return self._graph(expr, at)
            case Terminal(body):
                return self.ends(body, at)
            case Unordered(members, separator, extra):
                return self._unordered(members, separator, extra, at)
        raise TypeError(expr)

    def _rule(self, rule: int, at: int) -> frozenset[int]:
        found = self.memo.get((rule, at))
        if found is None:
            self.memo[rule, at] = frozenset()  # no grammar here is left recursive without consuming, so this is enough
            found = self.memo[rule, at] = frozenset(self.ends(self.grammar.rules[rule].body, at))
        return found

    def _search(self, first: object, moves: Callable[[object], Iterable[object]]) -> set[object]:
        seen, pending = {first}, [first]
        while pending:
            for state in moves(pending.pop()):
                if state not in seen:
                    seen.add(state)
                    pending.append(state)
        return seen

    def _repeat(self, body: Expr, minimum: int, maximum: int | None, at: int) -> set[int]:
        cap = minimum if maximum is None else maximum

        def moves(state: tuple[int, int]) -> Iterable[tuple[int, int]]:
            position, count = state
            if maximum is None or count < maximum:
                for end in self.ends(body, position):
                    yield end, min(count + 1, cap)

        return {position for position, count in self._search((at, 0), moves) if count >= minimum}

    def _graph(self, graph: Graph, at: int) -> set[int]:
        edges = self.out_edges.get(id(graph))
        if edges is None:
            table: dict[int, list[tuple[Expr, int, int]]] = {}
            for (source, label, target), weight in zip(graph.edges, weights_of(graph), strict=True):
                table.setdefault(source, []).append((label, target, weight))
            edges = self.out_edges[id(graph)] = (graph, table)
        most = graph.maximum or 0

        def moves(state: tuple[int, int, int]) -> Iterable[tuple[int, int, int]]:
            node, position, so_far = state
            for label, target, weight in edges[1].get(node, ()):
                if so_far + weight <= most:
                    for end in self.ends(label, position):
                        yield target, end, so_far + weight

        return {position for node, position, _ in self._search((graph.start, at, 0), moves) if node in graph.accepts}

    def _unordered(
        self, members: tuple[tuple[Expr, bool], ...], separator: Expr, extra: Expr | None, at: int
    ) -> set[int]:
        needed = {index for index, (_, required) in enumerate(members) if required}

        def moves(state: tuple[int, frozenset[int], bool]) -> Iterable[tuple[int, frozenset[int], bool]]:
            position, seen, first = state
            for start in (position,) if first else self.ends(separator, position):
                for index, (body, _) in enumerate(members):
                    if index not in seen:
                        for end in self.ends(body, start):
                            yield end, seen | {index}, False
                if extra is not None:
                    for end in self.ends(extra, start):
                        yield end, seen, False

        return {end for end, seen, _ in self._search((at, frozenset(), True), moves) if needed <= seen}


def accepts(grammar: Grammar, text: str | bytes) -> bool:
    """Whether `text` is in the language of the grammar, and no array of distinct elements repeats one."""
    data = text.encode() if isinstance(text, str) else text
    if not Recogniser(grammar, data).accepts():
        return False
    if not grammar.distinct:
        return True
    automaton = automaton_of(grammar)
    return automaton.is_accepting(automaton.advance(START, data))


INFINITE = 1 << 30


class Sampler:
    """Random derivations; near the depth bound it takes the shortest way out."""

    def __init__(self, grammar: Grammar, rng: random.Random, depth: int = 6) -> None:
        self.grammar, self.rng, self.depth = grammar, rng, depth
        self.costs = [INFINITE] * len(grammar.rules)
        changed = True
        while changed:
            changed = False
            for index, rule in enumerate(grammar.rules):
                cost = self.cost(rule.body)
                if cost < self.costs[index]:
                    self.costs[index], changed = cost, True

    def cost(self, expr: Expr) -> int:
        """An upper bound, finite for whatever is productive, of the derivation depth of `expr`."""
        match expr:
            case Literal() | ByteSet():
                return 0
            case Seq(parts):
                return max(map(self.cost, parts), default=0)
            case Alt(options):
                return min(map(self.cost, options), default=INFINITE)
            case Repeat(body, minimum, _):
                return self.cost(body) if minimum else 0
            case Ref(rule):
                return min(INFINITE, self.costs[rule] + 1)
            case Graph():
                return self.graph_costs(expr)[expr.start]
            case Terminal(body):
                return self.cost(body)
            case Unordered(members, _, _):
                return max((self.cost(body) for body, required in members if required), default=0)
        raise TypeError(expr)

    def graph_costs(self, graph: Graph) -> list[int]:
        """Per state, the depth of the cheapest way to accept."""
        costs = [INFINITE] * graph.n_states
        for state in graph.accepts:
            costs[state] = 0
        labels = [(source, self.cost(label), target) for source, label, target in graph.edges]
        changed = True
        while changed:
            changed = False
            for source, cost, target in labels:
                through = max(cost, costs[target])
                if through < costs[source]:
                    costs[source], changed = through, True
        return costs

    def text(self) -> bytes | None:
        """One text, or None when the language is empty."""
        if self.costs[self.grammar.start] >= INFINITE:
            return None
        return self.derive(Ref(self.grammar.start), self.depth)

    def derive(self, expr: Expr, depth: int) -> bytes:
        """A random text of `expr`; `depth` rule levels are free, below that the cheapest choices are taken."""
        rng = self.rng
        match expr:
            case Literal(value):
                return value
            case ByteSet(mask):
                return bytes((rng.choice([byte for byte in range(256) if mask >> byte & 1]),))
            case Seq(parts):
                return b"".join(self.derive(part, depth) for part in parts)
            case Alt(options):
                return self.derive(rng.choice(self._allowed(options, depth)), depth)
            case Repeat(body, minimum, maximum):
                more = rng.choice((0, 0, 1, 2, 3)) if self.cost(body) <= max(depth, 0) else 0
                count = minimum + more if maximum is None else min(maximum, minimum + more)
                return b"".join(self.derive(body, depth) for _ in range(count))
            case Ref(rule):
                return self.derive(self.grammar.rules[rule].body, depth - 1)
            case Graph():
                return self._walk(expr, depth)
            case Terminal(body):
                return self.derive(body, depth)
            case Unordered(members, separator, extra):
                return self._shuffled(members, separator, extra, depth)
        raise TypeError(expr)

    def _allowed(self, options: tuple[Expr, ...], depth: int) -> list[Expr]:
        costs = [self.cost(option) for option in options]
        bound = max(min(costs), depth)
        return [option for option, cost in zip(options, costs, strict=True) if cost <= bound and cost < INFINITE]

    def _walk(self, graph: Graph, depth: int) -> bytes:
        ends, weights, left = self.graph_costs(graph), weights_of(graph), graph.maximum or 0
        state, out, steps = graph.start, [], 0
        while True:
            edges = []
            for (source, label, target), weight in zip(graph.edges, weights, strict=True):
                if source == state and weight <= left:
                    cost = max(self.cost(label), ends[target])
                    if cost <= max(ends[state], depth) and cost < INFINITE:
                        edges.append((label, target, weight))
            if state in graph.accepts and (not edges or self.rng.random() < 0.3 or steps > 60):
                return b"".join(out)
            if steps > 60:
                path = self._way_out(graph, state, ends)
                return b"".join([*out, *(self.derive(label, depth) for label in path)])
            label, state, weight = self.rng.choice(edges)
            left -= weight
            out.append(self.derive(label, depth))
            steps += 1

    def _way_out(self, graph: Graph, state: int, ends: list[int]) -> list[Expr]:
        back: dict[int, tuple[int, Expr] | None] = {state: None}
        queue = [state]
        for node in queue:
            if node in graph.accepts:
                path = []
                while (step := back[node]) is not None:
                    node = step[0]
                    path.append(step[1])
                return path[::-1]
            for (source, label, target), weight in zip(graph.edges, weights_of(graph), strict=True):
                if source != node or weight:  # without weight a state that accepts is always reached
                    continue
                if target not in back and self.cost(label) < INFINITE and ends[target] < INFINITE:
                    back[target] = (node, label)
                    queue.append(target)
        raise AssertionError("a state without a way out was entered")

    def _shuffled(
        self, members: tuple[tuple[Expr, bool], ...], separator: Expr, extra: Expr | None, depth: int
    ) -> bytes:
        usable = [body for body, required in members if required]
        for body, required in members:
            if not required and self.cost(body) <= max(depth, 0) and self.rng.random() < 0.5:
                usable.append(body)
        if extra is not None and self.cost(extra) <= max(depth, 0) and self.rng.random() < 0.3:
            usable.append(extra)
        self.rng.shuffle(usable)
        out = []
        for index, body in enumerate(usable):
            if index:
                out.append(self.derive(separator, depth))
            out.append(self.derive(body, depth))
        return b"".join(out)
