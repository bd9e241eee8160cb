"""Expressions as values: a graph is its edges, however their labels are shared."""

from structgen.grammars.ir import (
    Alt,
    ByteSet,
    Expr,
    Graph,
    Literal,
    Ref,
    Repeat,
    Seq,
    Terminal,
    Unordered,
    children,
    rebuilt,
    walk,
)


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


def an_expression() -> tuple[Expr, list[Expr]]:
    """One of every kind that is made of others, and what it is made of in the order of reading."""
    a, b, c = Literal(b"a"), ByteSet.of(b"bc"), Ref(3)
    repeat, terminal = Repeat(b, 0, 5), Terminal(a)
    graph = Graph.of(2, 0, (1,), ((0, terminal, 1), (1, repeat, 1)))
    unordered = Unordered(((c, True), (graph, False)), a, repeat)
    whole = Alt((Seq((unordered, b)), c))
    return whole, [whole, whole.options[0], unordered, c, graph, terminal, a, repeat, b]


def test_walk_meets_every_object_once_and_parents_first() -> None:
    whole, parts = an_expression()
    met = list(walk(whole))
    assert {id(part) for part in met} == {id(part) for part in parts} and len(met) == len(parts)
    place = {id(part): number for number, part in enumerate(met)}
    assert met[0] is whole
    for part in parts[1:]:
        assert any(part in children(other) and place[id(other)] < place[id(part)] for other in met)


def test_rebuilt_of_its_own_children_is_the_same_object() -> None:
    for part in an_expression()[1]:
        assert rebuilt(part, children(part)) is part


def test_rebuilt_changes_the_children_and_nothing_else() -> None:
    for part in an_expression()[1]:
        others = [Literal(b"%d" % number) for number in range(len(children(part)))]
        if others:
            changed = rebuilt(part, others)
            assert type(changed) is type(part) and children(changed) == tuple(others)
            assert rebuilt(changed, children(part)) == part
