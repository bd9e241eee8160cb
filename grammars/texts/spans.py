"""Spans of a passage: the texts that occur in it, as its suffix automaton.

The suffix automaton (Blumer et al. 1985) has at most two states and three edges per symbol and is built online in
linear time. `spans` takes characters as symbols. `word_spans` takes words and what stands between them, so a span
begins with a word and ends with one; the automaton is then smaller, and its edges are spelled out as tries.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import accumulate
from typing import TypeVar

from structgen.errors import LimitExceeded
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.terms import Network
from structgen.grammars.texts.network import NetworkBuilder

__all__ = ["spans", "word_spans"]

S = TypeVar("S", bound=Hashable)
_PIECES = re.compile(r"\w+|\W+")


def spans(passage: str, limit: int) -> Language:
    """The texts that occur in `passage`, at least one character long. Raises LimitExceeded."""
    if not passage:
        return Language.nothing()
    edges = suffix_automaton(passage)
    if len(edges) > limit:
        raise LimitExceeded("the passage is too long", limit="product_states", allowed=limit)
    numbers = {letter: number for number, letter in enumerate(dict.fromkeys(passage))}
    labels = [numbers[letter] for targets in edges for letter in targets]
    targets = [target for targets in edges for target in targets.values()]
    starts = list(accumulate(map(len, edges), initial=0))
    accepts = [False] + [True] * (len(edges) - 1)
    return Language.of_network(Network(tuple(map(CharSet.of, numbers)), starts, labels, targets, accepts))


def word_spans(passage: str, limit: int) -> Language:
    """The texts that occur in `passage` from the beginning of a word to the end of one; words are runs of `\\w`."""
    pieces = _PIECES.findall(passage)
    edges = suffix_automaton(pieces)
    is_word = [False] * len(edges)
    for targets in edges:
        for piece, target in targets.items():
            is_word[target] = _is_word(piece)
    edges[0] = {piece: target for piece, target in edges[0].items() if _is_word(piece)}
    builder = NetworkBuilder(limit)
    numbers, order = {0: 0}, [0]
    for state in order:  # grows while it is walked
        for target in edges[state].values():
            if target not in numbers and (is_word[target] or any(map(_is_word, edges[target]))):
                numbers[target] = builder.state(accepts=is_word[target])
                order.append(target)
        _spell(builder, numbers[state], {p: numbers[t] for p, t in edges[state].items() if t in numbers})
    return builder.language() if edges[0] else Language.nothing()


def _is_word(piece: str) -> bool:
    return piece[0].isalnum() or piece[0] == "_"


def _spell(builder: NetworkBuilder, source: int, targets: dict[str, int]) -> None:
    """Edges labelled with texts, as a trie."""
    below: dict[tuple[int, str], int] = {}
    for piece in sorted(targets):
        state = source
        for letter in piece[:-1]:
            if (state, letter) not in below:
                below[state, letter] = builder.state()
                builder.edge(state, letter, below[state, letter])
            state = below[state, letter]
        builder.edge(state, piece[-1], targets[piece])


def suffix_automaton(symbols: Sequence[S]) -> list[dict[S, int]]:
    """Per state symbol -> next state; state 0 is the start, a path from it spells a factor of the sequence."""
    edges: list[dict[S, int]] = [{}]
    link, longest = [-1], [0]
    last = 0
    for symbol in symbols:
        current = len(edges)
        edges.append({})
        longest.append(longest[last] + 1)
        link.append(0)
        state, here = last, edges[last]
        while symbol not in here:
            here[symbol] = current
            state = link[state]
            if state < 0:
                break
            here = edges[state]
        else:
            target = here[symbol]
            if longest[target] != longest[state] + 1:
                clone = len(edges)
                edges.append(dict(edges[target]))
                longest.append(longest[state] + 1)
                link.append(link[target])
                link[target] = clone
                while state >= 0 and edges[state].get(symbol) == target:
                    edges[state][symbol] = clone
                    state = link[state]
                target = clone
            link[current] = target
        last = current
    return edges
