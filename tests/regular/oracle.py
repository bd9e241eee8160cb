"""An independent recogniser for grammar IR over bytes: sets of end positions, nothing shared with the automata."""

from __future__ import annotations

from structgen.grammars.ir import Alt, ByteSet, Expr, Graph, Literal, Repeat, Seq


def accepts(expr: Expr, data: bytes) -> bool:
    return len(data) in ends(expr, data, frozenset((0,)))


def ends(expr: Expr, data: bytes, starts: frozenset[int]) -> frozenset[int]:
    """Where a match of `expr` can end that begins at one of `starts`."""
    match expr:
        case Literal(value):
            return frozenset(at + len(value) for at in starts if data.startswith(value, at))
        case ByteSet(mask):
            return frozenset(at + 1 for at in starts if at < len(data) and mask >> data[at] & 1)
        case Seq(parts):
            for part in parts:
                starts = ends(part, data, starts)
            return starts
        case Alt(options):
            return frozenset().union(*(ends(option, data, starts) for option in options))
        case Repeat(body, minimum, maximum):
            for _ in range(min(minimum, len(data) + 1)):
                starts = ends(body, data, starts)
            found, count = starts, minimum
            while starts and (maximum is None or count < maximum):
                starts = ends(body, data, starts) - found
                found, count = found | starts, count + 1
            return found
        case Graph():
            return _graph(expr, data, starts)
        case _:
            raise AssertionError(expr)


def _graph(graph: Graph, data: bytes, starts: frozenset[int]) -> frozenset[int]:
    reached = {(graph.start, at) for at in starts}
    stack = list(reached)
    while stack:
        state, at = stack.pop()
        for source, label, target in graph.edges:
            if source == state:
                for end in ends(label, data, frozenset((at,))):
                    if (target, end) not in reached:
                        reached.add((target, end))
                        stack.append((target, end))
    return frozenset(at for state, at in reached if state in graph.accepts)
