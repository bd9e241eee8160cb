"""Every string but finitely many, written as an automaton: what keys a schema does not name look like.

A trie of the excluded strings; leaving it leads to a state where anything may follow, and only the ends of excluded
strings do not accept. Linear in the length of the strings, without building or minimising an automaton over code
points. Nearly every object needs one, so unbranching stretches are laid out without a step per character in Python.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import repeat

from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Literal, Shared
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.lower import branches
from structgen.grammars.regular.spelling import PLAIN_BITS, RARE, Spell, characters, plain_set

__all__ = ["all_but"]

QUOTE = Literal(b'"')
FREE, RARELY, START, END, ROOT = range(5)  # anything may follow; a rare character leaves; the quotes; the trie


def all_but(texts: frozenset[str], spell: Spell, any_string: Shared) -> Graph:
    """The spellings, quotes included, of every text that is not one of `texts`; inside, like those of `any_string`."""
    one, others = characters(spell), _leaving(spell)
    edges: list[tuple[int, Expr, int]] = [(RARELY, _rare(spell), FREE), (FREE, spell(ANY), FREE), (START, QUOTE, ROOT)]
    ends, size = set(), ROOT + 1

    def leave(state: int, chars: str) -> None:
        expr = others[chars]
        if expr is not NOTHING:
            edges.append((state, expr, FREE))
        if _is_plain(chars):
            edges.append((state, EPSILON, RARELY))

    words = sorted(texts)
    pending = [(0, len(words), 0, ROOT)]
    for low, high, depth, state in pending:  # grows while it is read
        if len(words[low]) == depth:
            ends.add(state)
            low += 1
        heads = ""
        for begin, end, common in branches(words, low, high, depth):
            text = words[begin][depth:common]
            heads += text[0]
            first, last = size, size + len(text) - 1
            size = last + 1
            edges.append((state, one[text[0]], first))
            pending.append((begin, end, common, last))
            inner = text[1:]
            if not inner:
                continue
            chain = range(first, last)
            edges.extend(zip(chain, map(one.__getitem__, inner), range(first + 1, size), strict=True))
            if _is_plain(inner):
                edges.extend(zip(chain, map(others.__getitem__, inner), repeat(FREE)))
                edges.extend(zip(chain, repeat(EPSILON), repeat(RARELY)))
            else:
                for source, char in zip(chain, inner, strict=True):
                    leave(source, char)
        leave(state, heads)
    edges.extend([(state, QUOTE, END) for state in (FREE, *range(ROOT, size)) if state not in ends])
    return Graph.of(size, START, (END,), edges, (any_string, (b'"', b'"', b"", None, *repeat(b'"', size - ROOT))))


def _is_plain(chars: str) -> bool:
    return chars.isascii() and chars.isprintable() and '"' not in chars and "\\" not in chars


class _Leaving(dict[str, Expr]):
    """What is not one of some characters: of the plain ones where these are plain, else of all. Rare characters then
    leave through one state: written at every node they made the graphs of keys ten times as large."""

    def __init__(self, spell: Spell) -> None:
        self.spell = spell

    def __missing__(self, chars: str) -> Expr:
        if _is_plain(chars):
            expr = plain_set(PLAIN_BITS & ~sum(1 << ord(char) for char in chars), self.spell)
        else:
            expr = self.spell(ANY - CharSet.of(chars))
        if len(chars) < 2 and len(self) < 4096:
            self[chars] = expr
        return expr


@lru_cache(maxsize=64)
def _leaving(spell: Spell) -> _Leaving:
    return _Leaving(spell)


@lru_cache(maxsize=64)
def _rare(spell: Spell) -> Expr:
    return spell(RARE)
