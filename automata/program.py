"""From grammar IR to a program of integers that kernels/emission.py turns into networks.

A program is i64 words: an operation, its arguments, its parts one after another (the operations are listed in
kernels/layout.py). Written once per expression object that calls no rule and remembered for the process: the string
body, numbers, formats and gaps of a schema are the same objects in the next one.

Cost: about a microsecond per new expression node, a dictionary look-up for a known one.
"""

from __future__ import annotations

import hashlib
import itertools
import weakref
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from structgen.automata.expressions import EXPAND, is_counter, is_never_empty, needs_register
from structgen.automata.terminals.body import MANY, TerminalBody, place
from structgen.errors import InvariantError, LimitExceeded
from structgen.grammars.ir import Alt, ByteSet, Expr, Grammar, Graph, Literal, Ref, Repeat, Seq, Terminal, Unordered
from structgen.kernels.layout import (
    BOUNDED,
    DO_ALT,
    DO_CALL,
    DO_COUNTED,
    DO_COUNTED_RULE,
    DO_GRAPH,
    DO_LITERAL,
    DO_OPTIONAL,
    DO_SEQ,
    DO_SET,
    DO_STAR,
    DO_TERMINAL,
    DO_UNORDERED,
    EXACT,
)
from structgen.memory import Bounded, register

__all__ = ["MAX_MEMBERS", "Program", "write_program"]

MAX_MEMBERS = 4096
MAX_EXPRESSION_DEPTH = 400
MOST_REMEMBERED = 20_000  # expressions
MOST_BYTES = 32 << 20  # of their programs
MOST_RULES = 500
NARROW = 62  # members of an unordered part whose set fits into an item's register
NO_BOUND = -1
MOST_COUNTED = 1 << 50  # no text holds more


class _Known(NamedTuple):
    expr: Expr  # keeps the object alive, so that its id stays its own
    words: bytes
    extra: int
    terminals: tuple[TerminalBody, ...]


class _KnownRule(NamedTuple):
    body: Expr
    words: bytes
    extra: int
    called: tuple[int, ...]
    terminals: tuple[TerminalBody, ...]


class _Label(NamedTuple):
    expr: Expr
    parts: tuple[bytes, ...]  # of each part its first byte, and what follows it or nothing
    size: int  # words that an edge takes
    terminals: tuple[TerminalBody, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """`words` i64; `size`: at least how many they would be with each label of a graph written at each of its edges;
    `starts`: where each rule begins; `names` of the rules; `terminals`: TerminalBody by number."""

    words: bytes
    size: int
    starts: tuple[int, ...]
    names: tuple[str, ...]
    terminals: dict[int, TerminalBody]


_numbers = itertools.count()
_by_program: weakref.WeakValueDictionary[str, TerminalBody] = weakref.WeakValueDictionary()
_known: Bounded[tuple[int, bool], _Known] = Bounded(MOST_REMEMBERED, most_bytes=MOST_BYTES)
_known_rules: Bounded[int, _KnownRule] = Bounded(MOST_RULES)
_known_labels: Bounded[tuple[int, bool], _Label] = Bounded(MOST_REMEMBERED)
for _name, _memo in (("expressions", _known), ("rules", _known_rules), ("labels", _known_labels)):
    register(f"automata.program.{_name}", _memo.held, _memo.clear)


def write_program(grammar: Grammar) -> Program:
    """The program of a whole grammar; rule 0 calls the start rule. Raises LimitExceeded for too deep expressions."""
    writer = _Writer(len(grammar.rules) + 1)
    parts = [writer.write(Ref(grammar.start), False)]
    bodies = [rule.body for rule in grammar.rules]
    written: dict[int, bytes] = {}
    while writer.called:
        number = writer.called.pop()
        if number not in written:
            written[number] = b""  # a rule may call itself
            written[number] = writer.rule(bodies[number], common=number < grammar.common)
    parts.extend(written.get(number, _NOTHING) for number in range(len(bodies)))  # nobody calls the others
    parts.extend(writer.write(body, False) for body in writer.bodies)
    names = ["start", *(rule.name for rule in grammar.rules), *["repetition"] * len(writer.bodies)]
    sizes = [len(part) // 8 for part in parts]
    *starts, size = itertools.accumulate(sizes, initial=0)
    return Program(b"".join(parts), size + writer.extra, tuple(starts), tuple(names), writer.terminals)


def _remember(key: tuple[int, bool], known: _Known) -> None:
    if len(known.words) <= MOST_BYTES >> 3:
        _known.remember(key, known, len(known.words))


@lru_cache(maxsize=65_536)
def _words(*values: int) -> bytes:
    return array("q", values).tobytes()


@lru_cache(maxsize=16_384)
def _literal(value: bytes) -> bytes:
    return array("q", (DO_LITERAL, len(value), *value)).tobytes()


@lru_cache(maxsize=16_384)
def _set(mask: int) -> bytes:
    return array("q", (DO_SET,)).tobytes() + mask.to_bytes(32, "little")


def _digest(program: bytes, counted: bool) -> str:
    return hashlib.blake2b(program, digest_size=16, salt=bytes([counted])).hexdigest()


_flat = itertools.chain.from_iterable
_NOTHING = _words(DO_ALT, 0)
_EMPTY = _literal(b"")


@dataclass(slots=True)
class _Writer:
    """Writes the expressions of one grammar. `inside` a counted or unordered part the register is taken."""

    rule_count: int
    bodies: list[Expr] = field(default_factory=list)
    body_rules: dict[bytes | int, int] = field(default_factory=dict)  # by program, and by id of what `bodies` holds
    terminals: dict[int, TerminalBody] = field(default_factory=dict)
    calls: int = 0  # how many calls were written: an expression without any is remembered for the process
    called: list[int] = field(default_factory=list)  # the grammar's rules that were called
    depth: int = 0
    extra: int = 0  # words that the labels of graphs would take at each of their edges

    def rule(self, body: Expr, common: bool) -> bytes:
        """A rule's body; those that all grammars of a front end begin with are remembered with their calls."""
        known = _known_rules.get(id(body)) if common else None
        if known is None:
            called, bodies, outer, extra = self.called, len(self.bodies), self.terminals, self.extra
            self.called, self.terminals, self.extra = [], {}, 0
            words = self.write(body, False)
            known = _KnownRule(body, words, self.extra, tuple(self.called), tuple(self.terminals.values()))
            self.called, self.terminals, self.extra = called, outer, extra
            if common and len(self.bodies) == bodies:
                _known_rules.remember(id(body), known)
        self.called.extend(known.called)
        self.extra += known.extra
        self.terminals.update((entry.number, entry) for entry in known.terminals)
        return known.words

    def write(self, expr: Expr, inside: bool) -> bytes:
        kind = type(expr)
        if kind is Literal:
            return _literal(expr.value)  # type: ignore[union-attr]
        if kind is ByteSet:
            return _set(expr.mask) if expr.mask else _NOTHING  # type: ignore[union-attr]
        if kind is Ref:
            self.calls += 1
            self.called.append(expr.rule)  # type: ignore[union-attr]
            return _words(DO_CALL, expr.rule + 1, 0)  # type: ignore[union-attr]
        key = (id(expr), inside)
        known = _known.get(key)
        if known is None:
            known = self._write(expr, inside, key)
        self.extra += known.extra
        for body in known.terminals:
            self.terminals[body.number] = body
        return known.words

    def _write(self, expr: Expr, inside: bool, key: tuple[int, bool]) -> _Known:
        self.depth += 1
        if self.depth > MAX_EXPRESSION_DEPTH:
            reason = "an expression nests too deeply"
            raise LimitExceeded(reason, limit="expression_depth", allowed=MAX_EXPRESSION_DEPTH)
        calls, outer, extra = self.calls, self.terminals, self.extra
        self.terminals, self.extra = {}, 0
        words = self._composed(expr, inside)
        known = _Known(expr, words, self.extra, tuple(self.terminals.values()))
        self.terminals, self.extra = outer, extra
        self.depth -= 1
        if self.calls == calls and type(expr) is not Seq:
            _remember(key, known)
        return known

    def _composed(self, expr: Expr, inside: bool) -> bytes:
        match expr:
            case Seq(parts):
                if len(parts) == 1:
                    return self.write(parts[0], inside)
                return self._joined(DO_SEQ, parts, inside) if parts else _EMPTY
            case Alt(options):
                return self._joined(DO_ALT, options, inside)
            case Graph():
                return self._body_call(expr) if inside and needs_register(expr) else self._graph(expr, inside)
            case Repeat():
                return self._repeat(expr, inside)
            case Unordered():
                return self._body_call(expr) if inside else self._unordered(expr)
            case Terminal(body):
                return self.write(body, inside) if inside else self._shared(body)
        raise TypeError(expr)

    def _joined(self, operation: int, parts: Iterable[Expr], inside: bool) -> bytes:
        written = [self.write(part, inside) for part in parts]
        return b"".join((_words(operation, len(written)), *written))

    def _shared(self, body: Expr) -> bytes:
        """The program of a TerminalBody: by content, so that equal expressions meet."""
        general, sort, low, high = body, EXACT, 0, NO_BOUND
        free: Expr
        parts = body.parts if isinstance(body, Seq) else (body,)
        counts = [at for at, part in enumerate(parts) if needs_register(part)]
        if len(counts) == 1 and is_counter(repeat := parts[counts[0]]):
            at = counts[0]
            sort, high = BOUNDED, NO_BOUND if repeat.maximum is None else min(repeat.maximum, MOST_COUNTED)
            if isinstance(repeat, Repeat):
                low, free = min(repeat.minimum, MOST_COUNTED), Repeat(repeat.body, 0, MANY)
            else:
                free = replace(repeat, maximum=MANY)
            general = Seq((*parts[:at], free, *parts[at + 1 :]))
        calls, before = self.calls, self.extra
        words = self.write(body, False)
        extra = self.extra - before
        key = words if sort == EXACT else self.write(general, False)
        self.extra = before + extra
        if self.calls != calls:
            return words  # counts inside counts are rules of this grammar
        digest = _digest(key, sort == BOUNDED)
        entry = _by_program.get(digest)
        if entry is None:
            size = len(key) // 8 + extra
            entry = _by_program[digest] = TerminalBody(next(_numbers), general, digest, sort == BOUNDED, size)
        self.terminals[entry.number] = entry
        return _words(DO_TERMINAL, entry.number, sort, low, high) + words

    def _graph(self, graph: Graph, inside: bool) -> bytes:
        """Each label once, and the edges as they are: kernels/emission.py puts them together. Receipt: with labels
        written at every edge this was a sixth of compiling maskbench."""
        known = [_known_labels.get((id(label), inside)) or self._label(label, inside) for label in graph.labels]
        parts, sizes = [label.parts for label in known], [label.size for label in known]
        starts = list(itertools.accumulate([len(part) >> 1 for part in parts], initial=0))
        written = list(_flat(parts))
        blocks = dict.fromkeys(written)
        *places, end = itertools.accumulate([len(block) >> 3 for block in blocks], initial=0)
        at = dict(zip(blocks, places, strict=True))
        at[b""] = -1
        self.terminals.update([(body.number, body) for body in _flat([label.terminals for label in known])])
        self.extra += graph.n_states + sum(map(sizes.__getitem__, graph.steps[1::3].tolist()))
        equivalent, promised = -1, b""
        if graph.equivalent is not None and not inside:
            equivalent, promised = self._equivalent(*graph.equivalent, graph.n_states)
        n_accepts, n_edges = len(graph.accepts), len(graph.packed) // 24
        weights = b"" if graph.maximum is None else graph.weights
        self.extra += len(weights) // 4
        size = 10 + n_accepts + len(promised) // 8 + len(starts) + len(written) + 3 * n_edges + len(weights) // 8 + end
        most = NO_BOUND if graph.maximum is None else min(graph.maximum, MOST_COUNTED)
        first = (
            DO_GRAPH,
            graph.n_states,
            graph.start,
            equivalent,
            n_accepts,
            len(sizes),
            starts[-1],
            n_edges,
            size,
            most,
        )
        accepts = array("q", first + graph.accepts).tobytes()
        columns = array("q", starts + [at[block] for block in written]).tobytes()
        return b"".join((accepts, promised, columns, graph.packed, weights, *blocks))

    def _equivalent(self, terminal: Terminal, promises: tuple[bytes | None, ...], n_states: int) -> tuple[int, bytes]:
        """The number of the TerminalBody that a graph is like, or -1, and the numbers of the prefixes."""
        if len(promises) != n_states:
            raise InvariantError("EQUIVALENT", "a promise for each state")
        before = self.extra
        operation, number = memoryview(self.write(terminal, False)).cast("q")[:2]
        self.extra = before
        if operation != DO_TERMINAL:
            return -1, b""
        numbers = {text: place(text) for text in dict.fromkeys(promises)}
        return number, array("q", map(numbers.__getitem__, promises)).tobytes()

    def _label(self, label: Expr, inside: bool) -> _Label:
        """Receipt: remembered also where they hold terminal bodies, as every brace and comma does, and with what a
        graph
        is like written once, 40 µs less for a median schema (write_program 297 -> 260)."""
        calls, extra, outer = self.calls, self.extra, self.terminals
        parts: tuple[bytes, ...]
        terminals: tuple[TerminalBody, ...] = ()
        if type(label) is Seq and Ref in map(type, label.parts):  # most properties of most objects: never met twice
            parts = self._joined(DO_SEQ, label.parts, inside), b""
        else:
            self.terminals = {}
            parts = tuple(self._parts(label, inside))
            terminals, self.terminals = tuple(self.terminals.values()), outer
        size = self.extra - extra + 2 * len(parts) + sum(map(len, parts)) // 8
        known, self.extra = _Label(label, parts, size, terminals), extra
        if self.calls == calls:
            _known_labels.remember((id(label), inside), known)
        return known

    def _parts(self, label: Expr, inside: bool) -> Iterable[bytes]:
        """An edge's label as the program of its first byte, then that of what follows it or nothing; of each option."""
        for option in label.options if isinstance(label, Alt) else (label,):
            if isinstance(option, Seq) and option.parts:
                first, others = option.parts[0], option.parts[1:]
                if Ref in map(type, option.parts):  # never met twice
                    yield from (self._joined(DO_SEQ, option.parts, inside), b"")
                    continue
            else:
                first, others = option, ()
            calls = self.calls
            if isinstance(first, Literal) and len(first.value) > 1:
                tail = Literal(first.value[1:])
                rest = self.write(Seq((tail, *others)), inside) if others else _literal(tail.value)
                head = _literal(first.value[:1])
            elif others and (isinstance(first, ByteSet) or (isinstance(first, Literal) and first.value)):
                rest = self.write(others[0] if len(others) == 1 else Seq(others), inside)
                head = self.write(first, inside)
            else:
                yield from (self.write(option, inside), b"")
                continue
            yield from (head, rest) if self.calls == calls else (_words(DO_SEQ, 2) + head + rest, b"")

    def _repeat(self, expr: Repeat, inside: bool) -> bytes:
        body, low, high = expr.body, min(expr.minimum, MOST_COUNTED), expr.maximum
        if high is not None:
            high = min(high, MOST_COUNTED)
        if high is not None and (high < low or high == 0):
            return _EMPTY if low == 0 else _NOTHING
        if low == 0 and high == 1:
            return _words(DO_OPTIONAL) + self.write(body, inside)
        if low == 1 == high:
            return self.write(body, inside)
        if high is None and low <= 1:
            return _words(DO_STAR, low) + self.write(body, inside)
        if high is not None and high <= EXPAND and isinstance(body, ByteSet):
            return self._expanded(self.write(body, inside), low, high)
        if inside:  # one register per item: an inner count needs a rule of its own
            return self._body_call(expr)
        bound = NO_BOUND if high is None else high
        if is_never_empty(body) and not needs_register(body):
            return _words(DO_COUNTED, low, bound) + self.write(body, True)
        return _words(DO_COUNTED_RULE, low, bound, self._body_rule(body))

    @staticmethod
    def _expanded(unit: bytes, low: int, high: int) -> bytes:
        rest = b""
        for _ in range(high - low):
            rest = _words(DO_OPTIONAL) + (_words(DO_SEQ, 2) + unit + rest if rest else unit)
        parts = [unit] * low + ([rest] if rest else [])
        return parts[0] if len(parts) == 1 else _words(DO_SEQ, len(parts)) + b"".join(parts)

    def _body_call(self, expr: Expr) -> bytes:
        return _words(DO_CALL, self._body_rule(expr), 0)

    def _body_rule(self, body: Expr) -> int:
        """Number of the anonymous rule for a repeated expression; equal expressions share one."""
        self.calls += 1
        number = self.body_rules.get(id(body))
        if number is None:
            key = self.write(body, False)
            number = self.body_rules.get(key)
            if number is None:
                number = self.body_rules[key] = self.body_rules[id(body)] = self.rule_count
                self.bodies.append(body)
                self.rule_count += 1
        return number

    def _unordered(self, expr: Unordered) -> bytes:
        count = len(expr.members)
        if count > MAX_MEMBERS:
            raise LimitExceeded(f"{count} members in any order", limit="unordered_members", allowed=MAX_MEMBERS)
        parts = [_words(DO_UNORDERED, count, int(expr.extra is not None), int(count > NARROW))]
        parts.append(array("q", [int(required) for _, required in expr.members]).tobytes())
        bodies = [body for body, _ in expr.members] + ([] if expr.extra is None else [expr.extra])
        parts.extend(self._body_call(body) if needs_register(body) else self.write(body, True) for body in bodies)
        return b"".join((*parts, self.write(expr.separator, True)))
