"""A language to grammar IR over bytes, given how a set of code points is written.

    finite set              a trie whose unbranching stretches are literals
    expression              as it stands where one code point of look-ahead decides (counts stay counts); else as its
                            minimal automaton if that is small; else as it stands, for the parser to sort out
    everything else         its minimal automaton, a Graph of which every state reaches an accepting one

The result is memoised on the language per spelling.
"""

from __future__ import annotations

from collections.abc import Callable

from structgen.errors import LimitExceeded
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Literal, Repeat, alt, optional, seq
from structgen.grammars.regular.ambiguity import deterministic
from structgen.grammars.regular.charset import NONE, CharSet
from structgen.grammars.regular.dfa import Dfa
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.machine import Budget
from structgen.grammars.regular.syntax import Cat, Char, Choice, Edge, Look, Loop, Node, assertions, positions
from structgen.grammars.regular.terms import Regex, Strings, Union

Spell = Callable[[CharSet], Expr]

SMALL_POSITIONS = 1000  # an expression that spreads out further is hardly ever a small automaton
SMALL_STATES = 500
SMALL_WORK = 40_000


def lower(language: Language, spell: Spell) -> Expr:
    """The byte strings that write the texts of a language; NOTHING if it is found to be empty."""
    known = language.lowered.get(spell)
    if known is None:
        known = language.lowered[spell] = _lower(language, spell)
    return known


def _lower(language: Language, spell: Spell) -> Expr:
    match language.term:
        case Strings(members):
            return _trie(members, spell)
        case Regex(node) if not assertions(node):
            if deterministic(node, NONE) or positions(node) > SMALL_POSITIONS:
                return _direct(node, spell)
            try:
                return _graph(language.automaton(Budget(SMALL_STATES, SMALL_WORK)), spell)
            except LimitExceeded:
                return _direct(node, spell)
        case Union(parts):
            try:
                return _graph(language.automaton(Budget(SMALL_STATES, SMALL_WORK)), spell)
            except LimitExceeded:
                return alt(*(lower(Language(part), spell) for part in parts))
    return _graph(language.automaton(), spell)


def _direct(node: Node, spell: Spell) -> Expr:
    match node:
        case Char(charset):
            return spell(charset)
        case Cat(parts):
            return seq(*(_direct(part, spell) for part in parts))
        case Choice(options):
            return alt(*(_direct(option, spell) for option in options))
        case Loop(body, 0, 1):
            return optional(_direct(body, spell))
        case Loop(body, minimum, maximum):
            return Repeat(_direct(body, spell), minimum, maximum)
        case Edge() | Look():
            raise TypeError("assertions are lowered through the automaton")


def _graph(dfa: Dfa, spell: Spell) -> Expr:
    if not dfa.rows:
        return NOTHING
    if len(dfa) == 1:
        return Repeat(spell(dfa.charset(dfa.rows[0][0][0]))) if dfa.rows[0] else EPSILON
    labels: dict[int, Expr] = {}
    edges: list[tuple[int, Expr, int]] = []
    for source, row in enumerate(dfa.rows):
        for mask, target in row:
            label = labels.get(mask)
            if label is None:
                label = labels[mask] = spell(dfa.charset(mask))
            edges.append((source, label, target))
    accepts = tuple(state for state, accepting in enumerate(dfa.accepts) if accepting)
    return Graph(len(dfa), 0, accepts, tuple(edges))


def _trie(members: frozenset[str], spell: Spell) -> Expr:
    """A trie over sorted strings; a node is a range of them and a depth."""
    words = sorted(members)
    if len(words) <= 1:
        return _spelled(words[0], spell) if words else NOTHING
    edges: list[tuple[int, Expr, int]] = []
    accepts: list[int] = []
    nodes = [(0, len(words), 0)]
    for number, (low, high, depth) in enumerate(nodes):  # grows while it is walked
        if len(words[low]) == depth:
            accepts.append(number)
            low += 1
        while low < high:
            end = _same_letter(words, low, high, depth)
            common = _common_prefix(words[low], words[end - 1], depth)
            edges.append((number, _spelled(words[low][depth:common], spell), len(nodes)))
            nodes.append((low, end, common))
            low = end
    return Graph(len(nodes), 0, tuple(accepts), tuple(edges))


def _same_letter(words: list[str], low: int, high: int, depth: int) -> int:
    """The end of the run of words that share the letter at `depth` with the first."""
    letter = words[low][depth]
    end = low + 1
    while end < high and words[end][depth] == letter:
        end += 1
    return end


def _common_prefix(first: str, last: str, depth: int) -> int:
    """Where the first and the last of a sorted run part: there all of them do."""
    end = min(len(first), len(last))
    while depth < end and first[depth] == last[depth]:
        depth += 1
    return depth


def _spelled(text: str, spell: Spell) -> Expr:
    return seq(Literal(b""), *(spell(CharSet.of(character)) for character in text))
