"""From a constraint to what canvases read: a small automaton over bytes, and the vocabulary as classes.

What nests is cut into parts that call each other (`effects_of`), or unrolled to a depth, level by level (`tables_of`):
the automaton of each level is made minimal before the next one is built of it, so it is never more than a few times its
smallest size. Receipt: any JSON to nesting 4 has 1,603 states; explored at once it had 48,731 before equal ones were
joined. Counts that no canvas of so many slots can reach are dropped. Cost: docs/benchmarks.md, "Canvases"; remembered
by the constraint's content, large ones on disk.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.levels import made_levels
from structgen.automata.minimal import ByteTable, minimal_table
from structgen.automata.network import build_network
from structgen.automata.pushdown import Pushdown
from structgen.automata.token_classes import TokenClasses, token_classes
from structgen.automata.token_effects import TokenEffects, token_effects
from structgen.automata.two_runs import read_twice
from structgen.disk_cache import load_arrays, save_arrays
from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedCombination
from structgen.grammars.ir import NOTHING, ByteSet, Expr, Grammar, Graph, Rule
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.unroll import only_reached, parted, reachable_counts, unrolled
from structgen.kernels.layout import START
from structgen.kernels.nested_law import Levels
from structgen.matcher import Constraint
from structgen.memory import Bounded, register
from structgen.spelled import spelled_part
from structgen.vocabulary import TokenIds, Vocabulary, token_ids
from structgen.warmup import ensure_canvas_compiled, ensure_compiled

__all__ = ["MOST_STATES", "Tables", "effects_of", "levels_of", "tables_of"]

MOST_STATES = 200_000  # before equal ones are joined: some of a hundred real schemas need so many
_FEWEST_SLOTS = 64  # smaller canvases share the tables of one of this size
_VERSION = 2  # of the files on disk
_WORTH_KEEPING = 1 << 22  # states times tokens: what takes longer than to read a file
_MOST_KEPT = 256 << 20  # bytes on disk


class Tables(NamedTuple):
    """A constraint as canvases read it, and whether all its texts are there."""

    classes: Any  # TokenClasses, or TokenEffects where it is read with a stack
    exact: bool

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return int(self.classes.nbytes)


_tables: Bounded[tuple[object, ...], Any] = Bounded(64, most_bytes=512 << 20)
_lock = threading.Lock()
register("infilling.tables", _tables.held, _tables.clear)


def tables_of(constraint: Constraint, slots: int, depth: int, pad_ids: TokenIds, most_states: int) -> Tables:
    """The tables of a constraint for canvases of up to so many slots. Raises LimitExceeded, UnsupportedCombination."""
    found: Tables = _remembered(_flat, constraint, slots, pad_ids, most_states, depth)
    return found


def effects_of(constraint: Constraint, slots: int, pad_ids: TokenIds, most_states: int) -> TokenEffects | None:
    """What tokens do to the stack of a constraint that nests; None where it does not. Raises as `tables_of`."""
    found = _remembered(_nested, constraint, slots, pad_ids, most_states)
    return None if found is None else found.classes


def levels_of(effects: TokenEffects, slots: int) -> Levels:
    """The levels over which the law of so many slots is summed. Raises UnsupportedCombination."""
    key, looked = ("levels", id(effects)), ("read_twice", id(effects), slots)  # effects are held with what is found
    with _lock:
        if looked not in _tables:
            _tables.remember(looked, (effects, read_twice(effects, slots)))
        if (found := _tables[looked][1]) is not None:
            own = effects.tokens[effects.token_first[found] : effects.token_first[found + 1]]
            what = f"token {own[0]}" if len(own) else "the end of the text"
            reason = f"{what} might be read in two ways, and the law counts a text once; depth=4 has a table that does"
            raise UnsupportedCombination(f"no law without a depth: {reason}", operation="canvas")
        if key not in _tables:
            made = made_levels(effects)
            nbytes = sum(each.nbytes for each in made if isinstance(each, np.ndarray))
            _tables.remember(key, (effects, made), nbytes)
        levels: Levels = _tables[key][1]
    return levels


def _remembered(
    made: Callable[..., Any], constraint: Constraint, slots: int, pad_ids: TokenIds, most_states: int, *more: int
) -> Any:
    """What is made of a constraint, or the error that it is to be refused with."""
    pads = tuple(sorted(set(token_ids(pad_ids, "pad_ids"))))
    slots = max(_FEWEST_SLOTS, 1 << (slots - 1).bit_length())
    key = (made.__name__, constraint.fingerprint, slots, pads, most_states, *more)
    with _lock:
        if key not in _tables:
            ensure_compiled()
            ensure_canvas_compiled()
            try:
                found: Tables | Exception | None = _kept(key, lambda: made(constraint, slots, pads, most_states, *more))
            except (LimitExceeded, UnsupportedCombination) as error:
                found = error.with_traceback(None)
            _tables.remember(key, found, getattr(found, "nbytes", 0))
        found = _tables[key]
    if isinstance(found, Exception):
        raise found
    return found


def _kept(key: tuple[object, ...], make: Callable[[], Tables | None]) -> Tables | None:
    """What the disk has under a key, else what is made, which is left there where it is large."""
    name = hashlib.sha256(repr(key).encode()).hexdigest()
    found = load_arrays("canvases", name, _VERSION, _restored)
    if found is None:
        found = make()
        if found is not None and found.classes.states * len(found.classes.cls) >= _WORTH_KEEPING:
            arrays = found.classes.stored() | {"exact": np.array(found.exact)}
            save_arrays("canvases", name, _VERSION, arrays, _MOST_KEPT)
    return found


def _flat(constraint: Constraint, slots: int, pads: tuple[int, ...], most_states: int, depth: int) -> Tables:
    vocabulary = constraint.vocabulary
    flat = unrolled(_plain(constraint), depth)
    grammar = reachable_counts(flat.grammar, partial(_most_bytes, vocabulary, slots))
    spelled = spelled_part(grammar, vocabulary)
    assert isinstance(spelled, Grammar)
    same = len(spelled.rules) == len(grammar.rules)  # else it was met with the vocabulary, and has rules of its own
    try:
        heads = flat.heads if same else ()
        table = _level_by_level(spelled, heads, most_states, vocabulary.leading_blank)
    except LimitExceeded as error:
        fewer = "" if not flat.heads else f", a smaller depth than {depth}"
        raise _many_states(fewer, most_states) from error
    return Tables(token_classes(table, vocabulary, constraint.trie, pads), not flat.heads)


def _nested(constraint: Constraint, slots: int, pads: tuple[int, ...], most_states: int) -> Tables | None:
    vocabulary = constraint.vocabulary
    grammar = reachable_counts(_plain(constraint), partial(_most_bytes, vocabulary, slots))
    spelled = spelled_part(grammar, vocabulary)
    assert isinstance(spelled, Grammar)
    parts = parted(spelled)
    if not parts.marks:
        return None
    tables, blank = list[ByteTable](), vocabulary.leading_blank
    for part in parts.grammars:
        try:
            automaton = Configurations(build_network(part))
            tables.append(minimal_table(automaton, most_states=most_states, leading_blank=blank and not tables))
        except LimitExceeded as error:
            raise _many_states("", most_states) from error
    return Tables(token_effects(Pushdown(tables, parts.marks), vocabulary, pads), True)


def _restored(stored: dict[str, NDArray[Any]]) -> Tables:
    exact = bool(stored.pop("exact"))
    return Tables((TokenClasses if "pairs" in stored else TokenEffects).restored(stored), exact)


def _many_states(fewer: str, most_states: int) -> LimitExceeded:
    reason = f"the constraint has many states; fewer: style=JsonStyle('json_dumps', max_digits=None) for JSON{fewer}"
    return LimitExceeded(reason, limit="most_states", allowed=most_states)


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
