"""Every string but finitely many, written as an automaton: what keys a schema does not name look like.

A trie of the excluded strings; leaving it leads to a state where anything may follow, and only the ends of excluded
strings do not accept. Linear in the length of the strings, without building or minimising an automaton over code
points. Nearly every object needs one, so unbranching stretches are laid out without a step per character in Python.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from itertools import chain, count, repeat

from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Literal, Terminal
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.lower import branches
from structgen.grammars.regular.spelling import PLAIN_BITS, RARE, Spell, characters, plain_set

__all__ = ["all_but"]

QUOTE = Literal(b'"')
FREE, RARELY, AWAY, START, END, ROOT = range(6)  # anything may follow; a rare character leaves; so does the end; quotes
IS_RARE, IS_ANY, IS_QUOTE, IS_EMPTY = range(4)  # places of labels
flat = chain.from_iterable


def all_but(texts: frozenset[str], spell: Spell, any_string: Terminal) -> Graph:
    """The spellings, quotes included, of every text that is not one of `texts`; inside, like those of `any_string`."""
    words, size, leaving = sorted(texts), ROOT + 1, _leaving(spell)
    letters = list(dict.fromkeys(flat(words)))
    labels = [_rare(spell), spell(ANY), QUOTE, EPSILON]
    one = dict(zip(letters, count(len(labels))))
    labels += map(characters(spell).__getitem__, letters)
    others = dict(zip(letters, count(len(labels))))
    labels += map(leaving.__getitem__, letters)
    edges = array("q", (RARELY, IS_RARE, FREE, AWAY, IS_RARE, FREE, AWAY, IS_QUOTE, END))
    edges.extend((FREE, IS_ANY, FREE, FREE, IS_QUOTE, END, START, IS_QUOTE, ROOT))

    def leave(state: int, chars: str, is_excluded: bool) -> None:
        place = others.get(chars)
        if place is None:
            place = others[chars] = len(labels)
            labels.append(leaving[chars])
        if labels[place] is not NOTHING:
            edges.extend((state, place, FREE))
        if _is_plain(chars):
            edges.extend((state, IS_EMPTY, RARELY if is_excluded else AWAY))
        elif not is_excluded:
            edges.extend((state, IS_QUOTE, END))

    stretches: list[tuple[str, range]] = []  # plain characters without a branch, and the states before them
    pending = [(0, len(words), 0, ROOT)]
    for low, high, depth, state in pending:  # grows while it is read
        is_excluded = len(words[low]) == depth
        heads = ""
        for begin, end, common in branches(words, low + is_excluded, high, depth):
            text = words[begin][depth:common]
            heads += text[0]
            first, last = size, size + len(text) - 1
            size = last + 1
            edges.extend((state, one[text[0]], first))
            pending.append((begin, end, common, last))
            inner, run = text[1:], range(first, last)
            if _is_plain(inner):
                stretches.append((inner, run))
            else:
                for source, char in zip(run, inner, strict=True):
                    edges.extend((source, one[char], source + 1))
                    leave(source, char, False)
        leave(state, heads, is_excluded)
    edges += _along(stretches, one, others)
    promise = (b'"', b'"', b'"', b"", None, *repeat(b'"', size - ROOT))
    return Graph(size, START, (END,), tuple(labels), edges.tobytes(), (any_string, promise))


def _along(stretches: list[tuple[str, range]], one: dict[str, int], others: dict[str, int]) -> array[int]:
    """Three edges for each character of the stretches: it goes on, or any other leaves, or a rare one or the end."""
    chars = "".join([inner for inner, _ in stretches])
    edges, sources = array("q", bytes(72 * len(chars))), array("q", flat([run for _, run in stretches]))
    edges[::9] = edges[3::9] = edges[6::9] = sources
    edges[1::9] = array("q", map(one.__getitem__, chars))
    edges[2::9] = array("q", flat([range(run.start + 1, run.stop + 1) for _, run in stretches]))
    edges[4::9] = array("q", map(others.__getitem__, chars))
    edges[5::9], edges[7::9], edges[8::9] = (array("q", (to,)) * len(chars) for to in (FREE, IS_EMPTY, AWAY))
    return edges


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
