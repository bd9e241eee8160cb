"""Expressions as values: a graph is its edges, however their labels are shared."""

from structgen.grammars.ir import ByteSet, Graph, Literal, Seq, Terminal


def test_a_graph_gives_its_edges_back() -> None:
    letter = ByteSet.of(b"ab")
    edges = ((0, letter, 1), (1, Literal(b"x"), 0), (1, letter, 2), (2, Seq((letter, Literal(b"y"))), 2))
    graph = Graph.of(3, 0, (2,), edges)
    assert graph.edges == edges and len(graph.labels) == 3
    assert Graph.of(1, 0, (0,), ()).edges == ()


def test_graphs_are_equal_whichever_labels_are_one_object() -> None:
    one = ByteSet.of(b"a")
    shared = Graph.of(2, 0, (1,), ((0, one, 1), (1, one, 0)))
    apart = Graph.of(2, 0, (1,), ((0, ByteSet.of(b"a"), 1), (1, ByteSet.of(b"a"), 0)))
    assert shared == apart and hash(shared) == hash(apart)
    assert shared != Graph.of(2, 0, (1,), ((0, one, 1),)) and shared != one
    promise = (Terminal(one), (b"", None))
    assert shared != Graph.of(2, 0, (1,), ((0, one, 1), (1, one, 0)), promise)
