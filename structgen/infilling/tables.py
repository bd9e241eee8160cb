"""From a constraint to what canvases read: a small automaton over bytes, and the vocabulary as classes.

What nests is unrolled to a depth, level by level: the automaton of each level is made minimal before the next one is
built of it, so it is never more than a few times its smallest size. Receipt: any JSON to nesting 4 has 1,603 states;
explored at once it had 48,731 before equal ones were joined. Counts that no canvas of so many slots can reach are
dropped. Cost: docs/benchmarks.md, "Canvases"; remembered by the constraint's content.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import NamedTuple

import numpy as np

from structgen.automata.configurations import Configurations
from structgen.automata.minimal import ByteTable, minimal_table
from structgen.automata.network import build_network
from structgen.automata.token_classes import TokenClasses, token_classes
from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedCombination
from structgen.grammars.ir import NOTHING, ByteSet, Expr, Grammar, Graph, Rule
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.unroll import only_reached, reachable_counts, unrolled
from structgen.kernels.layout import START
from structgen.matcher import Constraint
from structgen.memory import Bounded, register
from structgen.spelled import spelled_part
from structgen.vocabulary import TokenIds, Vocabulary, token_ids
from structgen.warmup import ensure_canvas_compiled, ensure_compiled

__all__ = ["MOST_STATES", "Tables", "tables_of"]

MOST_STATES = 200_000  # before equal ones are joined: some of a hundred real schemas need so many
_FEWEST_SLOTS = 64  # smaller canvases share the tables of one of this size


class Tables(NamedTuple):
    """A constraint as canvases read it, and whether all its texts are there."""

    classes: TokenClasses
    exact: bool


_tables: Bounded[tuple[object, ...], Tables] = Bounded(64, most_bytes=512 << 20)
_lock = threading.Lock()
register("infilling.tables", _tables.held, _tables.clear)


def tables_of(constraint: Constraint, slots: int, depth: int, pad_ids: TokenIds, most_states: int) -> Tables:
    """The tables of a constraint for canvases of up to so many slots. Raises LimitExceeded, UnsupportedCombination."""
    pads = tuple(sorted(set(token_ids(pad_ids, "pad_ids"))))
    slots = max(_FEWEST_SLOTS, 1 << (slots - 1).bit_length())
    key = (constraint.fingerprint, slots, depth, pads, most_states)
    with _lock:
        if key not in _tables:
            made = _made(constraint, slots, depth, pads, most_states)
            _tables.remember(key, made, made.classes.nbytes)
        return _tables[key]


def _made(constraint: Constraint, slots: int, depth: int, pads: tuple[int, ...], most_states: int) -> Tables:
    vocabulary = constraint.vocabulary
    flat = unrolled(_plain(constraint), depth)
    grammar = reachable_counts(flat.grammar, partial(_most_bytes, vocabulary, slots))
    spelled = spelled_part(grammar, vocabulary)
    assert isinstance(spelled, Grammar)
    ensure_compiled()
    ensure_canvas_compiled()
    same = len(spelled.rules) == len(grammar.rules)  # else it was met with the vocabulary, and has rules of its own
    try:
        heads = flat.heads if same else ()
        table = _level_by_level(spelled, heads, most_states, vocabulary.leading_blank)
    except LimitExceeded as error:
        fewer = "" if not flat.heads else f", a smaller depth than {depth}"
        reason = (
            f"the constraint has many states; fewer: style=JsonStyle('json_dumps', max_digits=None) for JSON{fewer}"
        )
        raise LimitExceeded(reason, limit="most_states", allowed=most_states) from error
    return Tables(token_classes(table, vocabulary, constraint.trie, pads), not flat.heads)


def _plain(constraint: Constraint) -> Grammar:
    """The grammar of a constraint whose states are those of its grammar. Raises UnsupportedCombination."""
    grammar = constraint.grammar
    if constraint.asks:
        reason = "a monitor answers for texts from their beginning"
    elif isinstance(grammar, LexedGrammar) or grammar.embedded:
        reason = "a grammar with a lexer has no table of states; lexer='dynamic' does without"
    elif grammar.distinct:
        reason = "elements that must differ (uniqueItems, distinct_keys) are a condition on the whole text"
    else:
        return grammar
    raise UnsupportedCombination(f"no canvas for this constraint: {reason}", operation="canvas")


def _most_bytes(vocabulary: Vocabulary, slots: int, mask: int) -> int:
    """The most bytes of a set that stand one behind the other in a text of so many tokens."""
    inside = np.array([mask >> byte & 1 for byte in range(256)], np.bool_)[np.frombuffer(vocabulary.data, np.uint8)]
    breaks = np.zeros(len(inside) + 1, np.bool_)
    breaks[vocabulary.offsets] = True  # a run of bytes ends with its token
    places = np.arange(len(inside))
    begins = np.maximum.accumulate(np.where(breaks[:-1], places, 0))
    last_out = np.maximum.accumulate(np.where(~inside, places + 1, 0))
    runs = np.where(inside, places + 1 - np.maximum(begins, last_out), 0)
    return slots * int(runs.max(initial=0))


def _level_by_level(grammar: Grammar, heads: tuple[int, ...], most_states: int, leading_blank: bool) -> ByteTable:
    """The smallest table of a grammar without recursion; rules `heads`, each behind those it calls, on the way."""
    rules = list(grammar.rules)
    for head in heads:
        part = only_reached(Grammar(tuple(rules), head))
        try:
            body = _graph(minimal_table(Configurations(build_network(part)), most_states=most_states))
        except Unsatisfiable:
            body = NOTHING
        rules[head] = Rule(rules[head].name, body)
    whole = Configurations(build_network(only_reached(Grammar(tuple(rules), grammar.start))))
    return minimal_table(whole, most_states=most_states, leading_blank=leading_blank)


def _graph(table: ByteTable) -> Expr:
    """A table as an expression."""
    sets: list[int] = [0] * table.trans.shape[1]
    for byte, label in enumerate(table.labels.tolist()):
        if label >= 0:
            sets[label] |= 1 << byte
    masks: dict[int, ByteSet] = {}
    edges: list[tuple[int, Expr, int]] = []
    for source, row in enumerate(table.trans[START:].tolist()):
        by_target: dict[int, int] = {}
        for label, target in enumerate(row):
            if target:
                by_target[target] = by_target.get(target, 0) | sets[label]
        edges += [(source, masks.setdefault(m, ByteSet(m)), t - START) for t, m in by_target.items()]
    accepts = tuple(np.flatnonzero(table.accepting[START:]).tolist())
    return Graph.of(len(table.trans) - START, 0, accepts, edges)
