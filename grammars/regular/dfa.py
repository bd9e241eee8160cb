"""Finite automata as data: explore a `Machine` to the end, drop what is useless, merge what is equal.

Exploring costs one `edges` call per state, trimming is linear, minimising (`minimise.py`) starts from the distance to
acceptance, in which most states that differ do differ.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from structgen.errors import InvariantError
from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.machine import ALL, Budget, Machine, State
from structgen.grammars.regular.minimise import Row, blocks


@dataclass(frozen=True, slots=True, eq=False)
class Dfa:
    """A deterministic automaton over the classes of an alphabet.

    field     type               meaning
    alphabet  Alphabet           the classes
    rows      tuple[Row, ...]    rows[s] = ((mask of classes, next state), ...); a class in no mask is rejected
    accepts   tuple[bool, ...]   may the text end in state s

    The start state is 0. The empty language has no states.
    Invariants (validate() checks them):
        I1  masks of a row are non-zero, disjoint and within the alphabet; its targets exist and differ
        I2  every state can be reached from state 0
        I3  every state reaches an accepting state
        I4  rows are sorted by lowest class, states numbered breadth first: equal languages over equal alphabets
            have equal rows once minimised
    """

    alphabet: Alphabet
    rows: tuple[Row, ...]
    accepts: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def charset(self, mask: int) -> CharSet:
        """The code points of an edge."""
        return self.alphabet.charset(mask)

    def contains(self, text: str) -> bool:
        """Whether the automaton accepts a text."""
        if not self.rows:
            return False
        state = 0
        for character in text:
            symbol = self.alphabet.classify(character)
            following = next((target for mask, target in self.rows[state] if mask & symbol), None)
            if following is None:
                return False
            state = following
        return self.accepts[state]

    def validate(self) -> None:
        """Raise InvariantError if an invariant does not hold."""
        everything = self.alphabet.everything
        for number, row in enumerate(self.rows):
            seen = 0
            for mask, target in row:
                if not mask or mask & seen or mask & ~everything or not 0 <= target < len(self.rows):
                    raise InvariantError("I1", f"state {number}")
                seen |= mask
            if len({target for _, target in row}) != len(row):
                raise InvariantError("I1", f"state {number}")
        forward = {0: 0} if self.rows else {}
        for source in (queue := list(forward)):
            for _, target in self.rows[source]:
                if target not in forward:
                    forward[target] = len(forward)
                    queue.append(target)
        if list(forward.values()) != list(forward):
            raise InvariantError("I4", "numbering")
        if len(forward) != len(self.rows):
            raise InvariantError("I2", "unreachable states")
        if len(distances(self.rows, self.accepts)) != len(self.rows):
            raise InvariantError("I3", "dead states")


def explore(machine: Machine, alphabet: Alphabet, budget: Budget) -> Dfa:
    """The minimal automaton of a machine's language."""
    rows, accepts = _walk(machine, alphabet, budget)
    live = distances(rows, accepts)
    if 0 not in live:
        return Dfa(alphabet, (), ())
    rows = [tuple((mask, target) for mask, target in row if target in live) for row in rows]
    return Dfa(alphabet, *_quotient(rows, accepts, blocks(rows, live)))


def _walk(machine: Machine, alphabet: Alphabet, budget: Budget) -> tuple[list[Row], list[bool]]:
    if machine.start is None:
        return [], []
    numbers: dict[State, int] = {machine.start: 0}
    order: list[State] = [machine.start]
    rows: list[Row] = []
    accepts: list[bool] = []
    for state in order:  # grows while it is walked
        if state == ALL:
            rows.append(((alphabet.everything, numbers[ALL]),))
            accepts.append(True)
            continue
        row: dict[int, int] = {}
        for mask, target in machine.edges(state):
            number = numbers.get(target)
            if number is None:
                number = numbers[target] = len(order)
                order.append(target)
                budget.check_states(number)
            row[number] = row.get(number, 0) | mask
        budget.spend(1 + len(row))
        rows.append(tuple((mask, number) for number, mask in row.items()))
        accepts.append(machine.accepts(state))
    return rows, accepts


def distances(rows: list[Row] | tuple[Row, ...], accepts: list[bool] | tuple[bool, ...]) -> dict[int, int]:
    """For each state that can reach acceptance: in how many steps."""
    sources: list[list[int]] = [[] for _ in rows]
    for source, row in enumerate(rows):
        for _, target in row:
            sources[target].append(source)
    found = {state: 0 for state, accepting in enumerate(accepts) if accepting}
    queue = deque(found)
    while queue:
        state = queue.popleft()
        for source in sources[state]:
            if source not in found:
                found[source] = found[state] + 1
                queue.append(source)
    return found


def _quotient(rows: list[Row], accepts: list[bool], block: dict[int, int]) -> tuple[tuple[Row, ...], tuple[bool, ...]]:
    """One state per block, numbered breadth first."""
    numbers = {block[0]: 0}
    order = [0]
    merged: list[Row] = []
    for state in order:  # grows while it is walked
        reached: dict[int, tuple[int, int]] = {}
        for mask, target in rows[state]:
            number = block[target]
            reached[number] = (reached[number][0] | mask if number in reached else mask, target)
        ordered = sorted(reached.items(), key=lambda item: item[1][0] & -item[1][0])
        row = []
        for number, (mask, target) in ordered:
            if number not in numbers:
                numbers[number] = len(order)
                order.append(target)
            row.append((mask, numbers[number]))
        merged.append(tuple(row))
    return tuple(merged), tuple(accepts[state] for state in order)


def members(dfa: Dfa, limit: int) -> set[str] | None:
    """All strings of an automaton if there are at most `limit`."""
    found: set[str] = set()
    stack: list[tuple[int, str]] = [(0, "")] if dfa.rows else []
    while stack:
        state, text = stack.pop()
        if dfa.accepts[state]:
            found.add(text)
        if len(text) > len(dfa) or len(found) > limit:  # longer than the automaton: there is a cycle
            return None
        for mask, target in dfa.rows[state]:
            points = dfa.charset(mask)
            if len(points) > limit:  # each leads to another string, as every state reaches acceptance
                return None
            stack.extend((target, text + chr(point)) for point in points)
    return found if len(found) <= limit else None


def longest(dfa: Dfa) -> int | None:
    """Length of the longest text of a non-empty automaton, None without a bound."""
    state, seen, lengths = 0, [0] * len(dfa.rows), [0] * len(dfa.rows)  # seen: 1 on the path, 2 done
    stack = [(0, iter(dfa.rows[0]))]
    seen[0] = 1
    while stack:
        state, row = stack[-1]
        for _, target in row:
            if seen[target] == 1:
                return None
            if not seen[target]:
                seen[target] = 1
                stack.append((target, iter(dfa.rows[target])))
                break
            lengths[state] = max(lengths[state], lengths[target] + 1)
        else:
            seen[state] = 2
            stack.pop()
            if stack:
                parent = stack[-1][0]
                lengths[parent] = max(lengths[parent], lengths[state] + 1)
    return lengths[0]
