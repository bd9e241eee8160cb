"""Fixed texts with holes between them -> an automaton that reads whole texts and writes what is in the first hole.

The product of a grammar with it (product.py) has the contents h of the first hole for which

    before h after_1 ... after_n,  with anything in the holes between the `after`,

is a text of the grammar: the quotient of a context-free language by regular ones on both sides (Ginsburg and Spanier
1963). What is read outside the hole is erased, so rules that lie outside vanish, and what remains is the grammar of
what may still be written: the rest of a string, further members, closing brackets that the fixed text does not have.
"""

from __future__ import annotations

from collections.abc import Sequence

from structgen.grammars.ir import EPSILON, Expr, Graph

__all__ = ["Cut", "without_silent"]

ANY_BYTE = (1 << 256) - 1


class Cut:
    """A nondeterministic automaton: `before` byte by byte, the hole, and each of `after` byte by byte, with a state for
    anything between two of them. All of `after` but the last are not empty."""

    def __init__(self, before: bytes, after: Sequence[bytes]) -> None:
        self.hole = len(before)
        self._rows: list[list[tuple[int, int]]] = [[(1 << byte, at + 1)] for at, byte in enumerate(before)]
        self._last = 0
        for part in after:
            loop = len(self._rows)
            self._last = loop + len(part)
            if not part:
                self._rows.append([(ANY_BYTE, loop)])
                continue
            first = 1 << part[0]
            self._rows.append([(ANY_BYTE & ~first, loop), (first, loop), (first, loop + 1)])
            self._rows += [[(1 << byte, loop + 2 + at)] for at, byte in enumerate(part[1:])]
        if after[-1]:
            self._rows.append([])

    def accepts(self, state: int) -> bool:
        """Whether the whole text may end here."""
        return state == self._last

    def row(self, state: int) -> Sequence[tuple[int, int]]:
        """The edges out of a state: (byte set, next state)."""
        return self._rows[state]

    def staying(self, state: int) -> int:
        """The bytes that lead from the hole to itself alone; none elsewhere: rules that are read there are erased."""
        return self._rows[state][0][0] if state == self.hole else 0

    def erases(self, state: int, following: int) -> bool:
        """Whether a byte read from one state to the next is outside the hole."""
        return state != self.hole or following != self.hole

    def outside(self, state: int, end: int) -> bool:
        """Whether nothing that is read from one state to a later one is in the hole."""
        return state > self.hole or end < self.hole


def without_silent(graph: Graph) -> Expr:
    """The graph without edges that read nothing; EPSILON where it has no others."""
    if not any(label is EPSILON for label in graph.labels):
        return graph
    silent: dict[int, list[int]] = {}
    loud: dict[int, list[tuple[Expr, int]]] = {}
    for source, label, target in graph.edges:
        if label is EPSILON:
            silent.setdefault(source, []).append(target)
        else:
            loud.setdefault(source, []).append((label, target))
    number, order = {graph.start: 0}, [graph.start]
    ends, accepts, edges = frozenset(graph.accepts), list[int](), list[tuple[int, Expr, int]]()
    for state in order:  # grows meanwhile
        closure, stack = {state: None}, [state]
        while stack:
            for target in silent.get(stack.pop(), ()):
                if target not in closure:
                    closure[target] = None
                    stack.append(target)
        if not ends.isdisjoint(closure):
            accepts.append(number[state])
        for member in closure:
            for label, target in loud.get(member, ()):
                if target not in number:
                    number[target] = len(order)
                    order.append(target)
                edges.append((number[state], label, number[target]))
    return Graph.of(len(order), 0, tuple(accepts), edges) if edges else EPSILON
