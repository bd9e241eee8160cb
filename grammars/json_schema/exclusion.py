"""Every string but finitely many, written as an automaton: what keys a schema does not name look like.

A trie of the excluded strings; leaving it leads to a state where anything may follow, and only the ends of excluded
strings do not accept. Linear in the length of the strings, without building or minimising an automaton over code
points.
"""

from __future__ import annotations

from functools import lru_cache

from structgen.grammars.ir import NOTHING, Expr, Graph, Repeat
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
    free = len(children)
    anything = Repeat(spell(ANY))
    edges: list[tuple[int, Expr, int]] = []
    for node, branches in enumerate(children):
        edges.extend((node, spell(CharSet.of(char)), target) for char, target in branches.items())
        others = _others("".join(sorted(branches)), spell)
        if others != NOTHING:
            edges.append((node, others, free))
    edges.append((free, anything, free + 1))
    accepts = (*(node for node in range(free) if node not in ends), free + 1)
    return Graph(free + 2, 0, accepts, tuple(edges))


@lru_cache(maxsize=4096)
def _others(chars: str, spell: Spell) -> Expr:
    return spell(ANY - CharSet.of(chars)) if chars else spell(ANY)
