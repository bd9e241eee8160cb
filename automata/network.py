"""From grammar IR to rule networks: per rule a small automaton of byte, call and epsilon edges, all in flat arrays.

Layout and meaning of the arrays: kernels/layout.py, `Network`. Node 0 is the entry of rule 0, which calls the grammar's
start rule and returns to node 1, the end of everything. The nodes of a rule are contiguous.

The grammar is written as a program of integers (automata/program.py), which a kernel runs (kernels/build.py):
emission.py adds nodes and edges, assembly.py sorts, measures and prunes them. Cost: about a microsecond per new
expression node, tens of nanoseconds per node of the network; literals are copied whole, counted repetition does not
copy its body.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.automata.program import write_program
from structgen.automata.terminals.body import TerminalBody
from structgen.automata.terminals.mark import with_terminals
from structgen.errors import InvariantError, LimitExceeded, Unsatisfiable
from structgen.grammars.ir import SPECIAL, Grammar
from structgen.kernels.build import build
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    CALL_TO,
    CALLED,
    CALLS,
    CHAIN,
    FAR,
    FIRST,
    LEAST,
    RULE_LEAST,
    SEGMENT,
    SET,
    SILENT,
    SILENT_TO,
    SPAN_AFTER,
    SPAN_END,
    SPAN_FIRST,
    SPAN_KEY,
    Network,
)  # fmt: skip

MAX_WORDS = 1 << 24  # Program.size; a network has fewer nodes


@dataclass(frozen=True, slots=True, eq=False)
class RuleNetworks:
    """Compiled grammar: `arrays` (see layout.Network), rule names by number, and where terminals lie.

    spans i64 (k, 7) see layout.SPAN_KEY, without nesting; span i32 (n,) the span of each node or -1; equivalent i64
    (n,) the number of the promised prefix (automata/terminals/body.py) of nodes in EQUIVALENT spans, else -1;
    terminals: the TerminalBody of each number in spans; by_hand: they were found (automata/terminals/mark.py), nobody
    marked them; special: an edge has the byte that begins special tokens (ir.special).

    Invariants (validate() checks them; kernels rely on them without bounds checks):
        I1  every CSR start array ascends from 0 to the number of its edges
        I2  every target node, called rule, byte set and segment exists
        I3  no edge leads to a node that cannot finish (least = FAR)
        I4  a chain edge never ends in the first node of a rule
        I5  nodes inside counted or unordered parts have a segment; loops through them consume bytes
        I6  a span is a range of nodes of one rule, outside segments but for those it contains, and is of a known body
    """

    arrays: Network
    names: tuple[str, ...]
    spans: NDArray[np.int64]
    span: NDArray[np.int32]
    equivalent: NDArray[np.int64]
    terminals: dict[int, TerminalBody] = field(default_factory=dict)
    by_hand: bool = False
    special: bool = False

    def validate(self) -> None:
        """Raise InvariantError if the arrays break their contract."""
        a = self.arrays
        n, nodes = len(a.nodes) - 1, a.nodes
        for column, edges, to in ((ARCS, a.arcs, ARC_TO), (CALLS, a.calls, CALL_TO), (SILENT, a.silent, SILENT_TO)):
            start = nodes[:, column]
            if start[0] != 0 or start[-1] != len(edges) or (np.diff(start) < 0).any():
                raise InvariantError("I1", f"starts of column {column}")
            if len(edges) and (edges[:, to].min() < 0 or edges[:, to].max() >= n):
                raise InvariantError("I2", "edge target")
            if (nodes[edges[:, to], LEAST] >= FAR).any():
                raise InvariantError("I3", "an edge to a dead node")
        for values, bound, what in ((a.calls[:, CALLED], len(a.rules), "rule"), (a.arcs[:, SET], len(a.sets), "set")):
            if len(values) and not (values.min() >= 0 and values.max() < bound):
                raise InvariantError("I2", f"{what} called")
        chained = np.flatnonzero(nodes[:n, CHAIN] >= 0)
        if len(chained) and (chained[-1] + 1 >= n or np.isin(chained + 1, a.rules[:, FIRST]).any()):
            raise InvariantError("I4", "chain runs out of its rule")
        if (nodes[:n, SEGMENT] >= len(a.segments) - 1).any():
            raise InvariantError("I5", "segment")
        ends = np.concatenate(([0], self.spans[:, SPAN_END]))
        if (
            (self.spans[:, SPAN_FIRST] < ends[:-1]).any()
            or ends[-1] > n
            or len(self.span) != n
            or len(self.equivalent) != n
        ):
            raise InvariantError("I6", "spans overlap")
        if not set(self.spans[:, SPAN_KEY].tolist()) <= set(self.terminals) or (self.spans[:, SPAN_AFTER] >= n).any():
            raise InvariantError("I6", "span of an unknown body")


def build_network(grammar: Grammar) -> RuleNetworks:
    """Compile a grammar to arrays, remove what cannot finish. Raises Unsatisfiable for an empty language."""
    program = write_program(with_terminals(grammar))  # a front end with common rules marks its terminals itself
    if program.size > MAX_WORDS:
        raise LimitExceeded("the grammar has too many states", limit="program_words", allowed=MAX_WORDS)
    words, starts = np.frombuffer(program.words, np.int64), np.array(program.starts, np.int64)
    arrays, span, spans, equivalent, special = build(words, starts, program.size, SPECIAL)
    if arrays.rules[0, RULE_LEAST] >= FAR:
        raise Unsatisfiable("no finite text satisfies it")
    return RuleNetworks(arrays, program.names, spans, span, equivalent, program.terminals, not grammar.common, special)
