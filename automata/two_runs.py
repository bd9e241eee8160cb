"""Whether some tokens may be read in two ways by a pushdown automaton over tokens: sums would count their text twice.

Parts are minimal deterministic automata, so two runs part only where a call and a letter beside it, or the letters
behind the end of a part and inside it, begin alike, and stay so for a whole token. Both runs are followed then, over
the stack that they share, of which nothing is known but what they take off; a text is read twice if and only if they
come to be in one state over one stack, as they do at the end of every text. That is looked for in all pairs of states
that they could be in. So what is certain is certain; doubted are ambiguous grammars, and some that nest in both runs
before it is decided which of them was right. Cost: none where every token does one thing, as in JSON.
Source: conservative detection of ambiguity, Schmitz, 2007.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from typing import TypeAlias

from structgen.automata.token_effects import TokenEffects
from structgen.kernels.layout import FINISHED

__all__ = ["read_twice"]

MOST_LOOKS = 300_000  # at what two runs do with a token: a second; beyond it every text is in doubt
_BOTTOM = -1  # what the end of a text takes off at last

Effect: TypeAlias = "tuple[tuple[int, ...], tuple[int, ...], int]"  # as in automata/pushdown.py
Run: TypeAlias = "tuple[int, tuple[int, ...]]"  # a state, and the return states above what is shared, the top last


def read_twice(effects: TokenEffects, slots: int) -> int | None:
    """A class of tokens with which a text of so many may have been read in two ways, None where there is none."""
    by_state, looks = _effects_by_state(effects), 0
    found = dict[tuple[Run, Run], None]()
    for state, by_class in by_state.items():
        for g, own in by_class.items():
            looks += len(own) * (len(own) - 1) // 2
            if looks > MOST_LOOKS:
                return g
            for pair in _together((state, ()), (state, ()), combinations(own, 2)):
                if pair[0] == pair[1]:
                    return g
                found[pair] = None
    most = max(
        (len(off) for by_class in by_state.values() for own in by_class.values() for off, _, _ in own), default=0
    )
    latest = list(found)
    for left in range(slots - 1, 0, -1):  # tokens that are still to come
        grown = list[tuple[Run, Run]]()
        for one, other in latest:
            if max(len(one[1]), len(other[1])) > left * most:
                continue  # what it has on its stack stays there
            first, second = by_state[one[0]], by_state[other[0]]
            for g in first.keys() & second.keys():
                looks += len(first[g]) * len(second[g])
                if looks > MOST_LOOKS:
                    return g
                for pair in _together(one, other, product(first[g], second[g])):
                    if pair[0] == pair[1]:
                        return g
                    if pair not in found:
                        found[pair] = None
                        grown.append(pair)
        latest = grown
    return None


def _together(one: Run, other: Run, read: Iterator[tuple[Effect, Effect]]) -> Iterator[tuple[Run, Run]]:
    """Where two runs are after one token, for each two things that it does; none where their stacks cannot be."""
    for first, second in read:
        a, b = _after(one, first), _after(other, second)
        if a is None or b is None:
            continue
        (off, above, state), (taken, below, place) = a, b
        shared = min(len(off), len(taken))
        if off[:shared] != taken[:shared]:
            continue  # one stack cannot have held both
        above, below = (*reversed(taken[shared:]), *above), (*reversed(off[shared:]), *below)
        same = 0
        while same < min(len(above), len(below)) and above[same] == below[same]:
            same += 1
        pair = (state, above[same:]), (place, below[same:])
        yield min(pair), max(pair)


def _after(run: Run, effect: Effect) -> Effect | None:
    """What a run takes off the shared stack, has above it, and its state."""
    off, on, state = effect
    above, own = run[1], min(len(run[1]), len(off))
    if above[len(above) - own :] != off[:own][::-1]:
        return None
    return off[own:], above[: len(above) - own] + on, state


def _effects_by_state(effects: TokenEffects) -> dict[int, dict[int, list[Effect]]]:
    """What each class of tokens does in each state, the end of a text taking the bottom off besides."""
    rests: dict[int, Effect] = {}
    returns = effects.returns.tolist()
    for q, (off, behind, after, landing) in reversed(list(enumerate(effects.rests.tolist()))):
        if off >= 0:
            taken, on, after = rests[behind]
            rests[q] = (off, *taken), on, after
        else:
            kinds = effects.kinds_of[effects.landing[landing] : effects.landing[landing + 1]].tolist()
            rests[q] = (_BOTTOM,) * (after == FINISHED), tuple(returns[kind] for kind in kinds), after
    done = list[tuple[int, Effect]]()
    for state, gate, rest in effects.transitions.tolist():
        off, on, after = rests[rest]
        done.append((state, ((int(effects.gates[gate, 1]), *off) if gate >= 0 else off, on, after)))
    found: dict[int, dict[int, list[Effect]]] = defaultdict(lambda: defaultdict(list))
    for g in range(1, effects.classes):
        for t in effects.of_class[effects.first[g] : effects.first[g + 1]].tolist():
            state, effect = done[t]
            found[state][g].append(effect)
    return found
