"""From a grammar of either IR to its lazy automaton, its masks and its words for what may come."""

from __future__ import annotations

from typing import TypeAlias

from structgen.automata.configurations import Configurations
from structgen.automata.describe import expected_at
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.automata.lexed.masks import LexedMasks
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import TokenTrie
from structgen.grammars.ir import Grammar
from structgen.grammars.ir_lr import LexedGrammar

__all__ = ["AnyGrammar", "Automaton", "automaton_of", "expected", "masks_of", "sizes"]

AnyGrammar: TypeAlias = Grammar | LexedGrammar
Automaton: TypeAlias = Configurations | LexedConfigurations


def automaton_of(grammar: AnyGrammar) -> Automaton:
    """The automaton before its first byte. Raises Unsatisfiable (empty language) or LimitExceeded."""
    if isinstance(grammar, LexedGrammar):
        return LexedConfigurations(grammar)
    return Configurations(build_network(grammar))


def masks_of(automaton: Automaton, trie: TokenTrie, stop_ids: tuple[int, ...]) -> MaskTable | LexedMasks:
    """The mask rows of an automaton over a vocabulary."""
    if isinstance(automaton, LexedConfigurations):
        return LexedMasks(automaton, trie, stop_ids)
    return MaskTable(automaton, trie, stop_ids)


def expected(automaton: Automaton, state: int) -> tuple[str, ...]:
    """What may come next, in words."""
    return automaton.expected(state) if isinstance(automaton, LexedConfigurations) else expected_at(automaton, state)


def sizes(automaton: Automaton) -> dict[str, int]:
    """How large the automaton is before it runs, by what it is made of."""
    if isinstance(automaton, LexedConfigurations):
        grammar = automaton.grammar
        parts = {"terminals": grammar.terminals, "productions": grammar.productions, "states": grammar.shifts}
        return {name: len(part) for name, part in parts.items()}
    return {"rules": len(automaton.networks.names), "nodes": len(automaton.networks.arrays.nodes) - 1}
