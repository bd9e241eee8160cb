"""Random and exhaustive small grammars, shared by the tests of every layer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

from structgen.grammars.ir import (
    Alt,
    ByteSet,
    Expr,
    Grammar,
    Graph,
    Literal,
    Ref,
    Repeat,
    Rule,
    Seq,
    Terminal,
    Unordered,
)

ALPHABET = b"ab"
VOCABULARY = [
    b"",
    b"a",
    b"b",
    b"aa",
    b"ab",
    b"ba",
    b"abb",
    b"bab",
    b"a",
    b"bb",
    b"aab",
]  # ids 1 and 8 share their bytes
EOS = 0


def all_texts(longest: int) -> list[bytes]:
    """Every text over the alphabet up to a length, shortest first."""
    return [bytes(t) for n in range(longest + 1) for t in itertools.product(ALPHABET, repeat=n)]


@contextmanager
def mostly() -> Iterator[list[bool]]:
    """Filled with a verdict for each draw; more than half must be true, or the test has looked at next to nothing."""
    seen: list[bool] = []
    yield seen
    assert sum(seen) > len(seen) / 2, f"{sum(seen)} of {len(seen)} draws"


def leaves(rules: int) -> list[Expr]:
    return [Literal(b""), Literal(b"a"), Literal(b"ba"), ByteSet.of(b"ab"), *(Ref(r) for r in range(rules))]


def small_bodies(rules: int) -> list[Expr]:
    """Every expression with at most one operator over the leaves."""
    base = leaves(rules)
    out = list(base)
    for x, y in itertools.product(base, repeat=2):
        out += [Seq((x, y)), Alt((x, y))]
    for x in base:
        out += [Repeat(x, low, high) for low, high in ((0, 1), (0, None), (1, None), (2, None), (2, 3), (0, 3))]
    return out


def small_grammars() -> Iterator[Grammar]:
    """One rule: all bodies of depth two over a few heads; these include left, right and hidden recursion."""
    bodies = small_bodies(1)
    for body in bodies:
        yield Grammar((Rule("s", body),))
    for head, body in itertools.product((Literal(b"a"), Ref(0), Repeat(Literal(b"b"), 0, 1)), bodies):
        yield Grammar((Rule("s", Alt((Literal(b"a"), Seq((head, body))))),))
        yield Grammar((Rule("s", Alt((Literal(b""), Seq((body, head))))),))


def expressions(rules: int) -> st.SearchStrategy[Expr]:
    """Random expressions of every kind; those that call no rule may stand as Terminal ones."""
    free = st.one_of(st.builds(Terminal, _combined(0)), counted())
    return _combined(rules, free)


def counted() -> st.SearchStrategy[Expr]:
    """What is shared whatever its bounds: a unit up to four times between two literals."""
    unit = st.sampled_from([ByteSet.of(b"ab"), Literal(b"ab"), Alt((Literal(b"a"), Literal(b"bb"))), Literal(b"b")])
    edge = st.sampled_from([Literal(b""), Literal(b"a"), Literal(b"b"), Literal(b"ab")])
    high = st.one_of(st.none(), st.integers(0, 12))
    made = st.builds(
        lambda a, body, low, high, b: Seq((a, Repeat(body, low, high), b)), edge, unit, st.integers(0, 4), high, edge
    )
    return made.map(Terminal)


def _combined(rules: int, *others: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        few = st.lists(inner, max_size=3).map(tuple)
        bounds = st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 4)))
        return st.one_of(
            few.map(Seq),
            few.map(Alt),
            st.builds(lambda body, b: Repeat(body, *b), inner, bounds),
            graphs(inner),
            unordered(inner),
        )

    return st.recursive(st.one_of(st.sampled_from(leaves(rules)), *others), extend, max_leaves=6)


def graphs(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    edge = st.tuples(st.integers(0, 2), inner, st.integers(0, 2))
    return st.builds(
        lambda start, accepts, edges: Graph.of(3, start, tuple(sorted(accepts)), tuple(edges)),
        st.integers(0, 2),
        st.sets(st.integers(0, 2), max_size=2),
        st.lists(edge, max_size=4),
    )


def unordered(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    members = st.lists(st.tuples(inner, st.booleans()), max_size=3).map(tuple)
    separators = st.sampled_from([Literal(b"b"), Literal(b"ab"), Literal(b"")])
    return st.builds(Unordered, members, separators, st.one_of(st.none(), inner))


def grammars() -> st.SearchStrategy[Grammar]:
    """Random grammars of up to three mutually recursive rules."""
    return st.integers(1, 3).flatmap(
        lambda n: st.lists(expressions(n), min_size=n, max_size=n).map(
            lambda bodies: Grammar(tuple(Rule(f"r{i}", b) for i, b in enumerate(bodies)))
        )
    )
