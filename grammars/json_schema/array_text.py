"""How an array shape is written: a chain of states over the prefix and a counted loop; or, where elements must differ
and there are few values for them, every value at most once.

Other arrays whose elements must differ are written without regard to it, and checked beside the automaton
(structgen/unique/automaton.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from math import comb, prod
from operator import add, ge

from structgen.errors import UnsupportedSchema
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Repeat, Unordered, alt, joined, optional, seq
from structgen.grammars.json_schema.array import normal
from structgen.grammars.json_schema.finite import values_of
from structgen.grammars.json_schema.protocols import Writer
from structgen.grammars.json_schema.shapes import ArrayShape

__all__ = ["by_values", "lower", "uncovered"]

MOST_VALUES = 64  # of the elements of an array, each of which may come first
MOST_CHOICES = 50  # sets of elements spelled out where their number is bounded


def lower(shape: ArrayShape, writer: Writer) -> Expr:
    """The texts of the arrays of a shape."""
    fitting = normal(shape, writer.algebra)
    if fitting is None:
        return NOTHING
    shape = fitting
    if shape.repeats:
        reason = "arrays with repeated items are not regular"
        raise UnsupportedSchema(reason, pointer=shape.where, keyword="uniqueItems")
    comma = writer.gaps.comma
    if shape.some:
        body = _containing(shape, writer)
    elif not shape.prefix:
        body = joined(writer.element(shape.rest), comma, max(shape.minimum, 1), shape.maximum)
    else:
        body = _positions(shape, writer)
    return _bracketed(body, shape.minimum == 0, writer)


def _bracketed(body: Expr, may_be_empty: bool, writer: Writer) -> Expr:
    """A body of one element or more in brackets; or nothing between them."""
    gaps = writer.gaps
    if not may_be_empty:
        return seq(gaps.bracket, gaps.opening, body, gaps.closing, gaps.bracket_end)
    inside = gaps.empty if body == NOTHING else seq(gaps.opening, body, gaps.closing)
    if body == NOTHING or gaps.empty == EPSILON:
        return seq(gaps.bracket, optional(inside), gaps.bracket_end)
    return seq(gaps.bracket, gaps.opening, optional(seq(body, gaps.closing)), gaps.bracket_end)


def by_values(shape: ArrayShape, writer: Writer) -> Expr | None:
    """The texts of arrays of distinct elements where values are few: the IR's `Unordered`, each value once. None where
    there are many values, or too many ways to count them.

    The first element stands apart, as there has to be one and it has no comma.
    """
    fitting = normal(shape, writer.algebra)
    if fitting is None:
        return NOTHING
    if fitting.prefix or fitting.some:
        return None
    values = values_of(fitting.rest, MOST_VALUES, writer.algebra)
    if values is None:
        return None
    terms, comma = writer.algebra.terms, writer.gaps.comma
    texts = [writer.element(terms.meet(fitting.rest, terms.values((value,)))) for value in values.values()]
    texts = [text for text in texts if text != NOTHING]  # of a format, only what is written of it
    size, least = len(texts), max(fitting.minimum, 1)
    most = size if fitting.maximum is None else min(size, fitting.maximum)
    if least > most:
        return None if fitting.minimum else _bracketed(NOTHING, True, writer)
    if comb(size, most) > MOST_CHOICES or 1 < least < most:
        return None
    if least == most:
        every = [Unordered(tuple((text, True) for text in chosen), comma) for chosen in combinations(texts, most)]
        return _bracketed(alt(*every), fitting.minimum == 0, writer)
    bodies: list[Expr] = []
    for chosen in combinations([(text, seq(comma, text)) for text in texts], most):
        for index, (first, _) in enumerate(chosen):
            others = tuple((text, False) for _, text in (*chosen[:index], *chosen[index + 1 :]))
            bodies.append(seq(first, Unordered(others, EPSILON)))
    return _bracketed(alt(*bodies), fitting.minimum == 0, writer)


def uncovered(shapes: tuple[ArrayShape, ...]) -> tuple[ArrayShape, ...]:
    """The shapes of one value, without those about repeated elements that another covers; of two that differ in whether
    elements are repeated, what they have in common."""
    joined = {replace(shape, unique=False, repeats=False) for shape in shapes if shape.repeats} & {
        replace(shape, unique=False) for shape in shapes if shape.unique
    }
    plain = (*joined, *(shape for shape in shapes if not (shape.unique or shape.repeats)))
    rest = (shape for shape in shapes if shape.unique or shape.repeats)
    return (*plain, *(shape for shape in rest if not any(other.covers(shape) for other in plain)))


def _positions(shape: ArrayShape, writer: Writer) -> Expr:
    """One element or more: a chain of states over the prefix, then a counted loop."""
    comma, size = writer.gaps.comma, len(shape.prefix)
    edges: list[tuple[int, Expr, int]] = []
    for index, term in enumerate(shape.prefix):
        value = writer.element(term)
        edges.append((index, seq(comma, value) if index else value, index + 1))
    accepts = [index for index in range(1, size + 1) if index >= shape.minimum]
    more = None if shape.maximum is None else shape.maximum - size
    if more is None or more > 0:
        least = max(shape.minimum - size, 1)
        edges.append((size, Repeat(seq(comma, writer.element(shape.rest)), least, more), size + 1))
        accepts.append(size + 1)
    return Graph.of(size + 2, 0, tuple(accepts), edges)


def _containing(shape: ArrayShape, writer: Writer) -> Expr:
    """One element or more, as many after the prefix as each entry of `some` says satisfying its term.

    States: (elements so far, how many of them each entry counts), neither further than it matters.
    """
    size, maximum, comma, terms = len(shape.prefix), shape.maximum, writer.gaps.comma, writer.algebra.terms
    last = max(shape.minimum, size + 1) if maximum is None else maximum
    caps = [least if most is None else most for _, least, most in shape.some]
    if (last + 1) * prod(cap + 1 for cap in caps) > writer.algebra.limits.counted_items:
        reason = f"an array of up to {last} items of which some are counted"
        raise UnsupportedSchema(reason, pointer=writer.place, keyword="contains")
    start = (0, (0,) * len(caps))
    numbers, edges = {start: 0}, []
    for count, counted in numbers_of(numbers):
        if count == maximum:
            continue
        for chosen in product((0, 1), repeat=len(caps)) if count >= size else ((0,) * len(caps),):
            reached = tuple(map(add, counted, chosen))
            if any(n > cap for n, cap in zip(reached, caps, strict=True)):
                continue
            asked = [shape.at(count)]
            for (term, _, most), taken in zip(shape.some, chosen, strict=True):
                if count >= size and (taken or most is not None):
                    asked.append(term if taken else terms.negate(term))
            value = writer.element(terms.meet(*asked))
            if value != NOTHING:
                target = numbers.setdefault((min(count + 1, last), reached), len(numbers))
                edges.append((numbers[count, counted], seq(comma, value) if count else value, target))
    wanted = [least for _, least, _ in shape.some]
    accepts = tuple(
        number
        for (count, counted), number in numbers.items()
        if count >= max(shape.minimum, 1) and all(map(ge, counted, wanted))
    )
    return Graph.of(len(numbers), 0, accepts, edges) if accepts else NOTHING


def numbers_of(numbers: dict[tuple[int, tuple[int, ...]], int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The keys of a dictionary that grows meanwhile, each once."""
    at = 0
    while at < len(numbers):
        yield from (found := list(numbers)[at:])
        at += len(found)
