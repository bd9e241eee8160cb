"""Every string but finitely many, written as an automaton: what keys a schema does not name look like.

A trie of the excluded strings; leaving it leads to a state where anything may follow, and only the ends of excluded
strings do not accept. Linear in the length of the strings, without building or minimising an automaton over code
points.
"""

from __future__ import annotations

from functools import lru_cache

from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Repeat
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.lower import Spell

__all__ = ["all_but"]


@lru_cache(maxsize=1024)
def all_but(texts: frozenset[str], spell: Spell) -> Expr:
    """The spellings of every text that is not one of `texts`."""
    children: list[dict[str, int]] = [{}]
    ends = set()
    for text in sorted(texts):
        node = 0
        for char in text:
            following = children[node].get(char)
            if following is None:
                following = children[node][char] = len(children)
                children.append({})
            node = following
        ends.add(node)
    free, rare = len(children), len(children) + 1
    edges: list[tuple[int, Expr, int]] = []
    for node, branches in enumerate(children):
        edges.extend((node, spell(CharSet.of(char)), target) for char, target in branches.items())
        plain = all(ord(char) in _PLAIN for char in branches)
        others = _others("".join(sorted(branches)), plain, spell)
        if others != NOTHING:
            edges.append((node, others, free))
        if plain:
            edges.append((node, EPSILON, rare))
    edges.append((rare, spell(ANY - _PLAIN), free))
    edges.append((free, Repeat(spell(ANY)), free + 2))
    accepts = (*(node for node in range(free) if node not in ends), free + 2)
    return Graph(free + 3, 0, accepts, tuple(edges))


# Characters whose spelling is one byte. All others leave a node through the one state `rare`, written once per graph:
# spelling them at every node made the graphs of keys ten times as large.
_PLAIN = CharSet.of("".join(map(chr, range(0x20, 0x7F)))) - CharSet.of('"\\')


@lru_cache(maxsize=4096)
def _others(chars: str, plain: bool, spell: Spell) -> Expr:
    every = _PLAIN if plain else ANY
    return spell(every - CharSet.of(chars)) if chars else spell(every)
