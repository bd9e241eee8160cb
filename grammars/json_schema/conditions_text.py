"""How an object with conditions is written in declared order: the automaton of `conditions`, with commas and braces.

Two states for each of the automaton's, as for other objects (object_text.py): a property must follow; one has just been
written. States from which no text ends are left out, so a comma is possible only where a property can follow.
"""

from __future__ import annotations

from array import array

from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph
from structgen.grammars.json_schema.conditions import reaching
from structgen.grammars.json_schema.protocols import Writer
from structgen.grammars.json_schema.shapes import Conditional, ObjectShape
from structgen.grammars.json_schema.terms import Term

__all__ = ["lower_conditional"]

OPEN, CLOSE, END, FIRST = range(4)
NONE, COMMA, OPENING, AFTER_ALL, AFTER_NONE, OTHER = range(6)  # labels; then the members


def lower_conditional(shape: ObjectShape, automaton: Conditional, other: Expr, writer: Writer) -> Expr:
    """The object behind its first brace. `other`: a property of a name the shape does not know."""
    gaps = writer.gaps
    labels = [EPSILON, gaps.comma, gaps.opening, gaps.after_all, gaps.after_none, other]
    places: dict[tuple[int, Term], int] = {}
    absent, edges = {}, [(CLOSE, AFTER_ALL, END), (OPEN, OPENING, FIRST)]
    for source, place, value, target in automaton.edges:
        if value is None:
            absent[source] = target
            edges.append((FIRST + 2 * source, NONE, FIRST + 2 * target))
            continue
        label = places.get((place, value))
        if label is None:
            label = places[place, value] = len(labels)
            labels.append(writer.member(shape.known[place][0], value))
        if labels[label] != NOTHING:
            edges.append((FIRST + 2 * source, label, FIRST + 2 * target + 1))
    last = automaton.n_states - 1
    closes = {last}
    for source, target in sorted(absent.items(), reverse=True):  # edges lead to higher numbers
        if target in closes:
            closes.add(source)
    for state in range(automaton.n_states):
        edges.append((FIRST + 2 * state + 1, COMMA, FIRST + 2 * state))
        if state in closes:
            edges.append((FIRST + 2 * state + 1, NONE, CLOSE))
    if 0 in closes:
        edges.append((OPEN, AFTER_NONE, END))
    if other != NOTHING:
        edges.append((FIRST + 2 * last, OTHER, FIRST + 2 * last + 1))
    alive = reaching([(source, target) for source, _, target in edges], END)
    if OPEN not in alive:
        return NOTHING
    packed = array("q", [number for edge in edges if edge[0] in alive and edge[2] in alive for number in edge])
    return Graph(FIRST + 2 * automaton.n_states, OPEN, (END,), tuple(labels), packed.tobytes())
