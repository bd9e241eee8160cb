"""Meet, union and complement of terms, with the simplifications that cost next to nothing.

Negation is kept at the leaves (de Morgan), so a term is a tree of meets and unions over finite sets, expressions and
complements of these. Finite sets are merged and filtered; character loops and length bounds merge; bounds are pushed
into expressions where that needs no counting (`bounds.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from structgen.grammars.regular.ambiguity import deterministic
from structgen.grammars.regular.bounds import bounded, clipped
from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.compile import contains
from structgen.grammars.regular.syntax import (
    VOID,
    Char,
    Loop,
    Node,
    assertions,
    cat,
    char,
    choice,
    loop,
    one_of,
)
from structgen.grammars.regular.terms import (
    EVERYTHING,
    NOTHING,
    Automaton,
    Complement,
    Meet,
    Network,
    Regex,
    Rounds,
    Strings,
    Term,
    Union,
    length_bounds,
    regex,
)  # fmt: skip

_EMPTY_TEXT = Strings(frozenset(("",)))
MANY = 256  # more strings than this are not filtered one by one when a union is built


def complement(term: Term) -> Term:
    """Every other text."""
    match term:
        case Complement(inner):
            return inner
        case Meet(parts):
            return union(complement(part) for part in parts)
        case Union(parts):
            return meet(complement(part) for part in parts)
        case Automaton() | Network() | Rounds():
            return Complement(term)
        case Strings() | Regex():
            return _beyond(term) or Complement(term)


def _beyond(term: Strings | Regex) -> Term | None:
    """The complement of a bound on one side, which is a bound on the other."""
    if term == NOTHING:
        return EVERYTHING
    minimum, maximum = (0, 0) if term == _EMPTY_TEXT else length_bounds(term) or (1, 1)
    if maximum is None:
        return regex(loop(Char(ANY), 0, minimum - 1)) if minimum else NOTHING
    return None if minimum else regex(loop(Char(ANY), maximum + 1, None))


def meet(terms: Iterable[Term]) -> Term:
    """What is in all of them."""
    parts = _flat(terms, Meet)
    parts.pop(EVERYTHING, None)
    if any(isinstance(part, Strings) for part in parts):
        return _filtered(parts)
    if any(isinstance(part, Complement) and part.inner in parts for part in parts):
        return NOTHING
    excluded = [inner.members for part in parts if (inner := _excluded(part)) is not None]
    if len(excluded) > 1:
        parts = {part: None for part in parts if _excluded(part) is None}
        parts[Complement(Strings(frozenset().union(*excluded)))] = None
    low, high = _length_range(parts)
    if high is not None and low > high:
        return NOTHING
    members = _merged_loops(list(parts), low, high)
    if NOTHING in members:
        return NOTHING
    if any(isinstance(part, Strings) for part in members):
        return _filtered(dict.fromkeys(members))
    return members[0] if len(members) == 1 else Meet(tuple(members)) if members else EVERYTHING


def _flat(terms: Iterable[Term], kind: type[Meet] | type[Union]) -> dict[Term, None]:
    flat: dict[Term, None] = {}
    for term in terms:
        flat.update(dict.fromkeys(term.parts if isinstance(term, kind) else (term,)))
    return flat


def _filtered(parts: dict[Term, None]) -> Term:
    """A meet with a finite set is finite."""
    finite = [part.members for part in parts if isinstance(part, Strings)]
    others = [part for part in parts if not isinstance(part, Strings)]
    members = frozenset.intersection(*finite)
    return Strings(frozenset(text for text in members if all(contains(part, text) for part in others)))


def length_range(term: Term) -> tuple[int, int | None]:
    """Bounds on the length of members, never too tight."""
    match term:
        case Strings(members):
            sizes = [len(member) for member in members]
            return min(sizes, default=0), max(sizes, default=0)
        case Regex() | Automaton():
            return term.low, term.high
        case Complement() | Network():
            return 0, None
        case Rounds(parts, minimum, maximum):
            return _total_range(parts, minimum, maximum)
        case Meet(parts):
            return _length_range(parts)
        case Union(parts):
            ranges = [length_range(part) for part in parts]
            highs = [high for _, high in ranges if high is not None]
            return min(low for low, _ in ranges), max(highs) if len(highs) == len(ranges) else None


def _total_range(parts: tuple[Term, ...], minimum: int | None, maximum: int | None) -> tuple[int, int | None]:
    ranges = [length_range(part) for part in parts]
    if minimum is not None:
        (low, high) = ranges[0]
        return low * minimum, None if high is None or maximum is None else high * maximum
    highs = [high for _, high in ranges if high is not None]
    return sum(low for low, _ in ranges), sum(highs) if len(highs) == len(ranges) else None


def _length_range(parts: Iterable[Term]) -> tuple[int, int | None]:
    ranges = [length_range(part) for part in parts]
    highs = [high for _, high in ranges if high is not None]
    return max((low for low, _ in ranges), default=0), min(highs, default=None)


def _merged_loops(parts: list[Term], low: int, high: int | None) -> list[Term]:
    """Merge the loops over single characters, then push the length bounds into one expression that can take them."""
    loops = [part for part in parts if _loop(part) is not None]
    others = [_clipped(part, high) for part in parts if _loop(part) is None]
    charset, minimum, maximum = ANY, 0, None
    for part in loops:
        single, least, most = _loop(part) or (ANY, 0, None)
        charset, minimum = charset & single, max(minimum, least)
        maximum = most if maximum is None else maximum if most is None else min(maximum, most)
    merged = [regex(loop(char(charset), max(minimum, low), maximum if maximum is not None else high))] if loops else []
    if not merged or length_bounds(merged[0]) is None:
        return merged + others
    if others:
        least, most = _length_range(others)
        bounds = length_bounds(merged[0]) or (0, None)
        fewest = 0 if bounds[0] <= least else bounds[0]
        largest = None if bounds[1] is None or (most is not None and most <= bounds[1]) else bounds[1]
        if (fewest, largest) == (0, None):
            return others  # which no member can fail
        merged = [regex(loop(char(ANY), fewest, largest))]
    for at, part in enumerate(others):
        if isinstance(part, Regex) and not assertions(part.node):
            inside = bounded(part.node, max(minimum, low), high)
            if inside is not None and (
                high is None or deterministic(inside, NONE) or isinstance(regex(inside), Strings)
            ):
                return [*others[:at], regex(inside), *others[at + 1 :]]  # others are counted beside their automaton
    return merged + others


def longest_apart(term: Term) -> tuple[Term, int] | None:
    """A meet as what it says of the texts, and the most characters they may have; None where it bounds no length."""
    if not isinstance(term, Meet):
        return None
    bounds = [(part, length_bounds(part)) for part in term.parts]
    most = min((most for _, found in bounds if found is not None and (most := found[1]) is not None), default=None)
    if most is None:
        return None
    rest = [part if found is None else regex(loop(char(ANY), found[0], None)) for part, found in bounds]
    return meet(rest), most


def _clipped(term: Term, high: int | None) -> Term:
    """An expression without the counts that the others' lengths make pointless."""
    if not isinstance(term, Regex) or high is None or assertions(term.node):
        return term
    most = term.high
    return term if most is None or most <= high else Regex(clipped(term.node, high))


def _loop(term: Term) -> tuple[CharSet, int, int | None] | None:
    """(set, m, n) if the term is a loop over one character set."""
    match term:
        case Regex(Loop(Char(charset), minimum, maximum)):
            return charset, minimum, maximum
        case Regex(Char(charset)):
            return charset, 1, 1
    return None


def union(terms: Iterable[Term]) -> Term:
    """What is in any of them."""
    parts = _flat(terms, Union)
    parts.pop(NOTHING, None)
    if EVERYTHING in parts or any(isinstance(part, Complement) and part.inner in parts for part in parts):
        return EVERYTHING
    finite = frozenset().union(*(part.members for part in parts if isinstance(part, Strings)))
    excluded = [inner.members for part in parts if (inner := _excluded(part)) is not None]
    plain = [part.node for part in parts if isinstance(part, Regex) and not assertions(part.node)]
    others = [part for part in parts if not _is_merged(part)]
    if excluded:
        missing = frozenset.intersection(*excluded) - finite
        nodes = [Regex(node) for node in plain]
        rest = frozenset(text for text in missing if not any(contains(part, text) for part in (*nodes, *others)))
        return complement(Strings(rest))
    if plain:
        others = [regex(_joined(plain)), *others]
    if others and len(finite) <= MANY:
        finite = frozenset(text for text in finite if not any(contains(part, text) for part in others))
    if finite:
        others = [Strings(finite), *others]
    return others[0] if len(others) == 1 else Union(tuple(others)) if others else NOTHING


def chain(terms: Iterable[Term]) -> Term:
    """One after the other. Neighbours that are plain expressions become one."""
    parts: list[Term] = []
    nodes: list[Node] = []  # a run of plain expressions
    for term in terms:
        for part in term.parts if isinstance(term, Rounds) and term.minimum is None else (term,):
            if part == NOTHING:
                return NOTHING
            node = _plain(part)
            if node is not None:
                nodes.append(node)
                continue
            parts += [regex(cat(*nodes))] if nodes else []
            parts.append(part)
            nodes = []
    parts += [regex(cat(*nodes))] if nodes or not parts else []
    parts = [part for part in parts if part != _EMPTY_TEXT] or [_EMPTY_TEXT]
    return parts[0] if len(parts) == 1 else Rounds(tuple(parts))


def repeated(term: Term, minimum: int, maximum: int | None) -> Term:
    """`minimum` to `maximum` times."""
    node = _plain(term)
    if node is not None or maximum == 0:
        return regex(loop(node or VOID, minimum, maximum))
    return term if (minimum, maximum) == (1, 1) else Rounds((term,), minimum, maximum)


def _plain(term: Term) -> Node | None:
    """The expression of a term that is one and looks at nothing around it."""
    match term:
        case Regex(node) if not assertions(node):
            return node
        case Strings(members) if len(members) <= MANY:
            return one_of([CharSet.of(letter) for letter in text] for text in sorted(members))
    return None


def _excluded(term: Term) -> Strings | None:
    """The finite set that a term is the complement of."""
    return term.inner if isinstance(term, Complement) and isinstance(term.inner, Strings) else None


def exceptions(term: Term) -> frozenset[str]:
    """The texts that are not in a language that visibly holds all others; else none."""
    parts = term.parts if isinstance(term, Meet) else (term,)
    missing = [complement(part) for part in parts if not isinstance(part, Union)]
    finite = [part.members for part in missing if isinstance(part, Strings)]
    return frozenset().union(*finite) if len(finite) == len(parts) else frozenset()


def _is_merged(term: Term) -> bool:
    """Whether `union` gathers terms of this kind into one."""
    if isinstance(term, Complement):
        return _excluded(term) is not None
    return isinstance(term, Strings) or (isinstance(term, Regex) and not assertions(term.node))


def _joined(nodes: list[Node]) -> Node:
    """One expression for several; loops over the same characters whose counts touch become one loop."""
    if len(nodes) == 1:
        return nodes[0]
    merged: list[Node] = []
    for node in nodes:
        last = merged[-1] if merged else None
        if isinstance(last, Loop) and isinstance(node, Loop) and last.body == node.body and isinstance(last.body, Char):
            low, high = (last, node) if last.minimum <= node.minimum else (node, last)
            if low.maximum is None or low.maximum + 1 >= high.minimum:
                bounded_above = low.maximum is not None and high.maximum is not None
                most = max(low.maximum or 0, high.maximum or 0) if bounded_above else None
                merged[-1] = loop(last.body, low.minimum, most)
                continue
        merged.append(node)
    return choice(*merged)
