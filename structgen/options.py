"""Options shared by the whole library: bounds against hostile input.

Each bound is generous for real inputs and small enough that hitting it takes seconds, not minutes. Exceeding one raises
`LimitExceeded` with the field's name.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against hostile input.

    field            bounds
    schema_depth     nesting of subschemas inside one document
    schema_nodes     subschemas read from all documents
    inline_depth     schemas applied to one and the same value through each other ($ref, allOf, not, ...)
    shapes           alternatives one value may have after the algebra
    algebra_steps    shape meets in one compilation
    number_digits    digits of a number written in a schema
    number_states    states of the automaton of one set of numbers
    object_states    states of the automaton of one object shape (properties x counts)
    """

    schema_depth: int = 1000
    schema_nodes: int = 1_000_000
    inline_depth: int = 80
    shapes: int = 2_000
    algebra_steps: int = 400_000
    number_digits: int = 2_000
    number_states: int = 20_000
    object_states: int = 200_000
