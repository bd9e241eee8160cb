"""Which of some tokens lead nowhere where elements must differ: groups of them stand or fall together, one is tried.

    same place  tokens after which nothing differs but the configuration and whether a string is open: those without
                structure where nothing is compared, and blanks; or that end such a string and say the same behind it
    new names   see names.py
    the others  are tried each by itself

Cost: the configurations behind all tokens (2 ms where there are many), and 50 to 500 µs a group. Receipts: names that
may run out, 123,000 tokens that begin one: a mask 5.8 -> 0.2 s when one way served all after a configuration, then
190 -> 12 ms as groups (`python -m benchmarks slowest`); a string beside such names 100 -> 5 ms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from structgen.unique.automaton import DistinctConfigurations
from structgen.unique.names import BRACKETS, FEW, NewNames, begins_name, one_of_each
from structgen.unique.tokens import CLOSING, NOT_QUIET, TokenClasses
from structgen.unique.trace import ESCAPED, INSIDE, Trace

__all__ = ["Verdicts"]

ZERO_TIMES = re.compile(rb"-?0(\.0*)?[eE][-+]?[0-9]*")  # with any digits behind it is 0

Ints = NDArray[np.int64]


class Verdicts:
    """See the module. `ends`: i32 (V,), the configuration behind each token."""

    def __init__(
        self, configurations: DistinctConfigurations, classes: TokenClasses, ends: Callable[[int], NDArray[np.int32]]
    ) -> None:
        self._configurations, self._classes, self._all_ends = configurations, classes, ends

    def dead(self, state: int, tokens: Ints) -> Iterator[int]:
        """Those of some tokens, all of which the grammar allows, after which no way leads on."""
        config, trace = self._configurations.pairs[state]
        ends, alike = self._ends(config, tokens), self._alike(trace, tokens)
        placed = alike != NOT_QUIET
        yield from self._by_place(state, tokens[placed], 4 * ends[placed] + alike[placed])
        others, behind = tokens[~placed], ends[~placed]
        if begins_name(trace):
            left = NewNames(self._configurations, self._classes, state).unsettled(others, behind)
        elif _ends_unseen(trace):
            left, dead = self._by_tail(state, others, behind)
            yield from dead
        else:
            left = others.tolist()
        yield from (token for token in left if not self._goes_on(state, token))

    def _goes_on(self, state: int, token: int) -> bool:
        return self._configurations.continues(state, self._classes.texts[token])

    def _ends(self, config: int, tokens: Ints) -> Ints:
        """The configuration behind each of some tokens."""
        if len(tokens) > FEW:
            return self._all_ends(config)[tokens].astype(np.int64)
        advance, texts = self._configurations.plain.advance, self._classes.texts
        return np.array([advance(config, texts[token]) for token in tokens.tolist()], np.int64)

    # ------------------------------------------------------------------------------------------------- the same place

    def _alike(self, trace: Trace, tokens: Ints) -> NDArray[np.int8]:
        """Where a string is behind each token, of those that lead to places which differ in no more than that."""
        classes = self._classes
        if trace.frames and not trace.frames[-1].scalars_matter and trace.lex != ESCAPED:
            quiet: NDArray[np.int8] = classes.quiet[trace.lex][tokens]
            return quiet
        alike = classes.blank | classes.digits if ZERO_TIMES.fullmatch(trace.text) else classes.blank
        is_alike = alike[tokens >> 5] >> (tokens & 31).astype(np.uint32) & 1
        return np.where(is_alike, np.int8(trace.lex), np.int8(NOT_QUIET))

    def _by_place(self, state: int, tokens: Ints, places: Ints) -> list[int]:
        """The dead ones of tokens, those with one number leading to one place."""
        one = one_of_each(places)
        dead = [place for place, at in one.items() if not self._goes_on(state, int(tokens[at]))]
        return [token for place in dead for token in tokens[places == place].tolist()]

    def _by_tail(self, state: int, tokens: Ints, ends: Ints) -> tuple[list[int], list[int]]:
        """(those of some tokens that have to be tried, the dead ones of the others), where a string is open that
        nothing is compared with: what they say before it ends does not matter."""
        left, dead, alive = list[int](), list[int](), dict[tuple[int, bytes], bool]()
        for token, end in zip(tokens.tolist(), ends.tolist(), strict=True):
            closing = CLOSING.match(text := self._classes.texts[token])
            if closing is None or BRACKETS.search(tail := text[closing.end() :]):
                left.append(token)
                continue
            if (end, tail) not in alive:
                alive[end, tail] = self._goes_on(state, token)
            if not alive[end, tail]:
                dead.append(token)
        return left, dead


def _ends_unseen(trace: Trace) -> bool:
    """Whether a string is open that nothing is compared with, where nothing but the grammar says what ends it."""
    if not trace.frames or trace.lex != INSIDE:
        return False
    return not trace.frames[-1].scalars_matter and not any(frame.shared for frame in trace.frames)
