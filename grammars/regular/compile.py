"""Terms to machines, and the questions that walking a machine answers: membership, emptiness, a shortest member."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

from structgen.errors import LimitExceeded
from structgen.grammars.regular import machine as machines
from structgen.grammars.regular.alphabet import Alphabet, alphabet_of
from structgen.grammars.regular.bounds import clipped
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.lookaround import Threads
from structgen.grammars.regular.machine import ALL, Budget, Machine, State
from structgen.grammars.regular.subsets import InTurn, Subsets
from structgen.grammars.regular.syntax import Cat, Char, Choice, Edge, Look, Loop, Node, assertions
from structgen.grammars.regular.terms import (
    Atom,
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
)  # fmt: skip


def machine_of(term: Term, budget: Budget) -> tuple[Machine, Alphabet]:
    """A machine for a term, over the coarsest alphabet that serves."""
    alphabet = alphabet_of(_sets(term))
    return _build(term, alphabet, budget), alphabet


def _sets(term: Term) -> Iterator[CharSet]:
    match term:
        case Strings(members):
            for character in set().union(*members):
                yield CharSet.of(character)
        case Regex(node):
            yield from _node_sets(node)
        case Automaton(dfa):
            yield from dfa.alphabet.classes
        case Network(sets):
            yield from sets
        case Complement(inner):
            yield from _sets(inner)
        case Meet(parts) | Union(parts) | Rounds(parts):
            for part in parts:
                yield from _sets(part)


def _node_sets(node: Node) -> Iterator[CharSet]:
    match node:
        case Char(charset):
            yield charset
        case Cat(parts) | Choice(parts):
            for part in parts:
                yield from _node_sets(part)
        case Loop(body) | Look(body):
            yield from _node_sets(body)
        case Edge():
            return


def _build(term: Term, alphabet: Alphabet, budget: Budget) -> Machine:
    match term:
        case Strings(members):
            return machines.Trie(members, alphabet)
        case Complement(inner):
            return machines.Not(_build(inner, alphabet, budget), alphabet.everything)
        case Meet(parts):
            return machines.All([_build(part, alphabet, budget) for part in parts], budget)
        case Union(parts):
            return machines.Any([_build(part, alphabet, budget) for part in parts], alphabet.everything, budget)
        case Automaton(dfa):
            return machines.Table(dfa.rows, dfa.accepts, dfa.alphabet.classes, alphabet)
        case Network():
            return Subsets(term, alphabet, budget)
        case Rounds(parts, least, most):
            return InTurn([_build(part, alphabet, budget) for part in parts], least, most, alphabet.everything, budget)
        case Regex(Loop(Char(charset), minimum, maximum)):
            return machines.Counter(alphabet.masks[charset], minimum, maximum, alphabet.everything)
        case Regex(node):
            return Threads(node, alphabet, budget) if assertions(node) else machines.Positions(node, alphabet, budget)


# ------------------------------------------------------------------------------------------------------- membership


def contains(term: Term, text: str) -> bool:
    """Whether a text is in the language."""
    match term:
        case Strings(members):
            return text in members
        case Complement(inner):
            return _is_scalar(text) and not contains(inner, text)
        case Meet(parts):
            return all(contains(part, text) for part in parts)
        case Union(parts):
            return any(contains(part, text) for part in parts)
        case Automaton(dfa):
            return dfa.contains(text)
        case Network() | Rounds():
            return _runner(term, text).accepts(text)
        case Regex():
            if len(text) < term.low or (term.high is not None and len(text) > term.high):
                return False
            return _runner(term, text).accepts(text)


def _is_scalar(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


class _Runner:
    """Runs one expression over texts; what it has stepped through once it remembers."""

    def __init__(self, term: Atom) -> None:
        self.budget = Budget()
        self.machine, self.alphabet = machine_of(term, self.budget)
        self.steps: dict[tuple[State, int], State | None] = {}

    def accepts(self, text: str) -> bool:
        self.budget.spent = 0
        state = self.machine.start
        for character in text:
            symbol = self.alphabet.classify(character)
            if state is None or not symbol:
                return False
            if state == ALL:
                continue
            if (state, symbol) not in self.steps:
                self._step(state)
            state = self.steps.get((state, symbol))
        return state is not None and (state == ALL or self.machine.accepts(state))

    def _step(self, state: State) -> None:
        if len(self.steps) > 200_000:
            self.steps.clear()
        for number in range(len(self.alphabet.classes)):
            self.steps[state, 1 << number] = None
        for mask, target in self.machine.edges(state):
            while mask:
                bit = mask & -mask
                self.steps[state, bit] = target
                mask ^= bit


@lru_cache(maxsize=4096)
def _runner_of(term: Atom) -> _Runner | None:
    try:
        return _Runner(term)
    except LimitExceeded:
        return None  # too large as a whole; what a text of some length can reach may not be


def _runner(term: Atom, text: str) -> _Runner:
    known = _runner_of(term)
    if known is None and isinstance(term, Regex):
        return _Runner(Regex(clipped(term.node, len(text))))
    return known or _Runner(term)  # raises again


# -------------------------------------------------------------------------------------------------------- emptiness


def shortest(term: Term, budget: Budget) -> str | None:
    """A shortest member, of the lowest code points on its way; None if there is none."""
    machine, alphabet = machine_of(term, budget)
    if machine.start is None:
        return None
    came: dict[State, tuple[State, int] | None] = {machine.start: None}
    queue = deque([machine.start])
    while queue:
        state = queue.popleft()
        if state == ALL or machine.accepts(state):
            return _spelled(state, came, alphabet)
        for mask, target in machine.edges(state):
            if target not in came:
                came[target] = (state, mask)
                queue.append(target)
                budget.check_states(len(came))
    return None


def _spelled(state: State, came: dict[State, tuple[State, int] | None], alphabet: Alphabet) -> str:
    letters: list[str] = []
    while (step := came[state]) is not None:
        state, mask = step
        letters.append(chr(alphabet.charset(mask).ranges[0][0]))
    return "".join(reversed(letters))


PROBES = ("", "0", "a", "key", "~\u2603~")


def is_empty(term: Term, budget: Budget) -> bool:
    """Whether the language has no members. Depth first: where there are members it rarely takes long to find one; for
    a combination a few texts are tried before anything is built."""
    match term:
        case Strings(members):
            return not members
        case Automaton() | Network():
            return False
        case Regex(node) if not assertions(node):
            return False
        case Rounds(parts, minimum) if minimum is None or minimum:
            return any(is_empty(part, budget) for part in parts)
        case Rounds() | Complement(Strings()):
            return False
        case Complement(Regex() as inner) if inner.high is not None:
            return False
        case Union(parts):
            return all(is_empty(part, budget) for part in parts)
        case Meet(parts):
            wanted = tuple(part for part in parts if isinstance(part, (Regex, Automaton)))
            probes = (*PROBES, *filter(None, map(_witness, wanted)))
            if any(contains(term, probe) for probe in probes):
                return False
            if len(parts) > 2 and any(_disjoint(*pair) for pair in combinations(wanted, 2)):
                return True
            if (known := _is_too_long(parts)) is not None:
                return known
    return _finds_none(term, budget)


def _is_too_long(parts: tuple[Term, ...]) -> bool | None:
    """Whether the shortest text of a meet has more characters than one part, a bound on the length, allows: found
    without counting. None where there is no such part, or no text is quickly found."""
    most = [bounds[1] for part in parts if (bounds := length_bounds(part)) is not None and bounds[1] is not None]
    if not most:
        return None
    rest = [part if length_bounds(part) is None else _without_end(part) for part in parts]
    try:
        found = shortest(Meet(tuple(rest)), Budget(states=20_000, work=500_000))
    except LimitExceeded:
        return None
    return found is None or len(found) > min(most)


def _without_end(part: Term) -> Term:
    least, _ = length_bounds(part) or (0, None)
    return Regex(Loop(Char(ANY), least, None))


@lru_cache(maxsize=4096)
def _witness(term: Regex | Automaton) -> str | None:
    """A shortest member, where that is quickly found."""
    try:
        return shortest(term, Budget(states=500, work=5_000))
    except LimitExceeded:
        return None


@lru_cache(maxsize=1 << 14)
def _disjoint(left: Regex | Automaton, right: Regex | Automaton) -> bool:
    """Whether two languages visibly share nothing."""
    try:
        return _finds_none(Meet((left, right)), Budget(states=2_000, work=20_000))
    except LimitExceeded:
        return False


def _finds_none(term: Term, budget: Budget) -> bool:
    machine, _ = machine_of(term, budget)
    if machine.start is None:
        return True
    seen = {machine.start}
    stack = [machine.start]
    while stack:
        state = stack.pop()
        if state == ALL or machine.accepts(state):
            return False
        for _, target in machine.edges(state):
            if target not in seen:
                seen.add(target)
                stack.append(target)
                budget.check_states(len(seen))
    return True
