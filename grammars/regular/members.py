"""Random members of a language, for tests and examples: a walk over the minimal automaton."""

from __future__ import annotations

from random import Random

from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.dfa import Dfa, distances
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.syntax import Cat, Char, Choice, Loop, Node, assertions
from structgen.grammars.regular.terms import Regex

EDGES_OF_SETS = 0.3  # how often the first or last member of an interval is taken


def sample(language: Language, rng: Random, length_hint: int = 20) -> str:
    """A random member, of about `length_hint` code points where the language leaves a choice; not uniform.

    Expressions without assertions are sampled from the expression, everything else from the automaton. Raises
    ValueError for the empty language.
    """
    term = language.term
    if isinstance(term, Regex) and not assertions(term.node):
        return "".join(_from_node(term.node, rng, length_hint))
    dfa = language.automaton()
    if not dfa.rows:
        raise ValueError("the language is empty")
    return _from_automaton(dfa, rng, length_hint)


def _from_automaton(dfa: Dfa, rng: Random, length_hint: int) -> str:
    """Walk at random for about `length_hint` steps, then by the shortest way to acceptance."""
    left = distances(dfa.rows, dfa.accepts)
    text: list[str] = []
    state = 0
    while True:
        row = dfa.rows[state]
        enough = not row or len(text) > length_hint or rng.random() < 1 / (length_hint + 1)
        if dfa.accepts[state] and enough:
            return "".join(text)
        if len(text) > length_hint:
            row = tuple(edge for edge in row if left[edge[1]] < left[state]) or row
        mask, state = rng.choice(row)
        text.append(_member(dfa.charset(mask), rng))


def _from_node(node: Node, rng: Random, length_hint: int) -> list[str]:
    match node:
        case Char(charset):
            return [_member(charset, rng)]
        case Cat(parts):
            return [letter for part in parts for letter in _from_node(part, rng, length_hint)]
        case Choice(options):
            return _from_node(rng.choice(options), rng, length_hint)
        case Loop(body, minimum, maximum):
            most = minimum + max(length_hint, 1) if maximum is None else maximum
            count = rng.choice((minimum, min(most, minimum + 1), rng.randint(minimum, most)))
            return [letter for _ in range(count) for letter in _from_node(body, rng, length_hint // 4)]
        case _:
            raise TypeError("assertions are sampled through the automaton")


def _member(charset: CharSet, rng: Random) -> str:
    low, high = rng.choice(charset.ranges)
    return chr(rng.choice((low, high)) if rng.random() < EDGES_OF_SETS else rng.randint(low, high))
