"""The coarsest partition of an automaton's states that respects a first guess and the edges.

States with finitely many texts are told apart from their ends backwards, each looked at once (Revuz 1992). The others:
partition refinement with "all but the largest": when a block splits, its largest part keeps the number, so a state is
renumbered at most log n times, and only states with an edge into a renumbered one are looked at again
(Hopcroft 1971, in the form of Valmari and Lehtinen 2008). O(e log n) for e edges. With distance to acceptance as the
first guess there is usually next to nothing left to split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = tuple[tuple[int, int], ...]


def blocks(rows: Sequence[Row], guess: Mapping[int, int]) -> dict[int, int]:
    """Block number of each state in `guess`, which holds every target of its states' rows; those of a row differ."""
    sources: dict[int, list[int]] = {state: [] for state in guess}
    for state in guess:
        for _, target in rows[state]:
            sources[target].append(state)
    block = _finite(rows, guess, sources)
    fresh = len(block)
    members: dict[int, set[int]] = {}
    for state, number in guess.items():
        if state not in block:
            members.setdefault(fresh + number, set()).add(state)
    block.update((state, number) for number, states in members.items() for state in states)
    if len(block) == fresh + len(members):
        return block
    stale = {number: set(states) for number, states in members.items()}
    fresh = max(members) + 1
    while stale:
        number, states = stale.popitem()
        leaving = _parts(rows, block, members[number], states)
        for part in leaving:
            block.update(dict.fromkeys(part, fresh))
            members[number] -= part
            members[fresh] = part
            fresh += 1
        for source in {source for part in leaving for state in part for source in sources[state]}:
            if len(members[block[source]]) > 1:
                stale.setdefault(block[source], set()).add(source)
    return block


def _finite(rows: Sequence[Row], guess: Mapping[int, int], sources: dict[int, list[int]]) -> dict[int, int]:
    """Block number of each state with finitely many texts: each after those its edges lead to."""
    block: dict[int, int] = {}
    known: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
    missing = {state: len(rows[state]) for state in guess}
    ready = [state for state, count in missing.items() if not count]
    for state in ready:  # grows while it is read
        block[state] = known.setdefault((guess[state], _signature(rows[state], block)), len(known))
        for source in sources[state]:
            missing[source] -= 1
            if not missing[source]:
                ready.append(source)
    return block


def _parts(rows: Sequence[Row], block: dict[int, int], members: set[int], stale: set[int]) -> list[set[int]]:
    """What has to leave a block whose `stale` members may differ from the others, which are alike."""
    groups: dict[frozenset[tuple[int, int]], set[int]] = {}
    for state in stale & members:
        groups.setdefault(_signature(rows[state], block), set()).add(state)
    others = len(members) - len(stale & members)
    if others:
        steady = next(state for state in members if state not in stale)
        alike = _signature(rows[steady], block)
        same = groups.pop(alike, set())
        largest = max(groups.values(), key=len, default=set())
        if len(largest) > others + len(same):
            leaving = (members - stale) | same
            return [leaving, *(group for group in groups.values() if group is not largest)]
        return list(groups.values())
    largest = max(groups.values(), key=len)
    return [group for group in groups.values() if group is not largest]


def _signature(row: Row, block: dict[int, int]) -> frozenset[tuple[int, int]]:
    reached: dict[int, int] = {}
    for mask, target in row:
        number = block[target]
        reached[number] = reached.get(number, 0) | mask
    return frozenset(reached.items())
