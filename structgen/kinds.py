"""Kinds of grammars: which automaton runs one, and which masks go with it. Another kind is one line here.

PLAIN    grammar IR                                   Earley configurations         automata/
UNIQUE   grammar IR, elements of some arrays differ   pairs of those and a trace    unique/
LEXED    a Lark grammar with a lexer                  LALR behind a lexer           automata/lexed/
EMBEDDED grammar IR, Lark grammars for some rules     sets of states of both        embedded/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from structgen.automata.configurations import Configurations
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.automata.lexed.masks import LexedMasks
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import TokenTrie
from structgen.grammars.ir import Grammar
from structgen.grammars.ir_lr import LexedGrammar
from structgen.protocols import LazyAutomaton, MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["AnyGrammar", "Kind", "automaton_of", "kind_of"]

AnyGrammar: TypeAlias = Grammar | LexedGrammar


class Kind(NamedTuple):
    """`automaton`: of a grammar of this kind, before its first byte; raises Unsatisfiable (empty language) or
    LimitExceeded. `masks`: its rows over a vocabulary."""

    automaton: Callable[[Any], LazyAutomaton]
    masks: Callable[[Any, TokenTrie, Vocabulary], MaskSource]


PLAIN = Kind(
    lambda grammar: Configurations(build_network(grammar)),
    lambda automaton, trie, vocabulary: MaskTable(automaton, trie, vocabulary.stop_ids),
)


def _unique_automaton(grammar: Grammar) -> LazyAutomaton:
    from structgen.unique.automaton import unique_automaton  # seven modules, loaded where elements have to differ

    return unique_automaton(grammar)


def _unique_masks(automaton: Any, trie: TokenTrie, vocabulary: Vocabulary) -> MaskSource:
    from structgen.unique.masks import DistinctMasks

    return DistinctMasks(automaton, MaskTable(automaton.plain, trie, vocabulary.stop_ids), vocabulary)


UNIQUE = Kind(_unique_automaton, _unique_masks)
LEXED = Kind(
    LexedConfigurations,
    lambda automaton, trie, vocabulary: LexedMasks(automaton, trie, vocabulary.stop_ids),
)


def _embedded_automaton(grammar: Grammar) -> LazyAutomaton:
    from structgen.embedded.automaton import EmbeddedConfigurations  # loaded where a grammar has such rules
    from structgen.embedded.marks import marked

    outer, marks = marked(grammar)
    return EmbeddedConfigurations(automaton_of(outer), marks)


def _embedded_masks(automaton: Any, trie: TokenTrie, vocabulary: Vocabulary) -> MaskSource:
    from structgen.embedded.masks import EmbeddedMasks

    outer = automaton.outer
    if isinstance(outer, Configurations):
        own = PLAIN.masks(outer, trie, vocabulary)
        return EmbeddedMasks(automaton, own, trie, vocabulary, plain=outer, configuration=int)
    own, pairs = UNIQUE.masks(outer, trie, vocabulary), outer.pairs
    return EmbeddedMasks(
        automaton, own, trie, vocabulary, plain=outer.plain, configuration=lambda state: int(pairs[state][0])
    )


EMBEDDED = Kind(_embedded_automaton, _embedded_masks)


def kind_of(grammar: AnyGrammar) -> Kind:
    """The kind of a grammar."""
    if isinstance(grammar, LexedGrammar):
        return LEXED
    if grammar.embedded:
        return EMBEDDED
    return UNIQUE if grammar.distinct else PLAIN


def automaton_of(grammar: AnyGrammar) -> LazyAutomaton:
    """The automaton of a grammar before its first byte. Raises Unsatisfiable (empty language) or LimitExceeded."""
    return kind_of(grammar).automaton(grammar)
