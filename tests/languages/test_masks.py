"""Masks of every kind of language over a real vocabulary: rows against the full walk, bits against accept."""

from __future__ import annotations

from random import Random

import pytest

import structgen as sg
from structgen.api.language import Language
from structgen.api.models import vocabulary_at
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.bits import ids_of
from structgen.compiler import trie_of
from structgen.kernels.layout import DEAD, START

PASSAGE = "Maria Sanchez, 34, moved to Rome in 2020 and then, in 2021, to the sea; the café “Luna” is hers. " * 30

LANGUAGES = {
    "span": lambda: sg.span(PASSAGE),
    "words": lambda: sg.span(PASSAGE, words=True),
    "labels": lambda: sg.labelled(PASSAGE[:99], ["A", "B"]),
    "avoiding": lambda: sg.avoiding("the", "and", "ing") & sg.length(words=(2, 5), sentences=(1, 2)),
    "product": lambda: sg.library("json") & sg.containing('"id"') & sg.avoiding("null"),
    "in turn": lambda: sg.regex("(?!ab)[a-c]+") + sg.regex(r"\b\w+").repeat(1, 3),
    "atomic": lambda: sg.regex(r"(?>a|ab|\w+)(?:x++|y)*!"),
    "smiles": lambda: sg.library("smiles"),
    "python": lambda: sg.library("python"),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_masks_are_exact(name: str) -> None:
    language: Language = LANGUAGES[name]()
    vocabulary, rng = vocabulary_at(None), Random(name)
    automaton = Configurations(build_network(language.grammar))
    table = MaskTable(automaton, trie_of(vocabulary), vocabulary.stop_ids, check=True)
    plain = [t for t in range(vocabulary.size) if vocabulary.token_bytes(t) and t not in vocabulary.special_ids]
    for _ in range(3):
        state = START
        for _ in range(15):
            row = table.row(state)
            allowed = sorted(set(plain).intersection(ids_of(row).tolist()))
            for token in rng.sample(plain, 40):
                assert (token in allowed) == (automaton.advance(state, vocabulary.token_bytes(token)) != DEAD)
            if not allowed:
                assert automaton.is_accepting(state)
                break
            state = automaton.advance(state, vocabulary.token_bytes(rng.choice(allowed)))


def test_generation_quotes_the_passage() -> None:
    pytest.importorskip("torch")
    quote = sg.generate(
        prompt="Maria Sanchez is 34 years old.", grammar=sg.span(PASSAGE, words=True) & sg.length(words=(2, 4)), seed=1
    )
    assert quote in PASSAGE and 2 <= len(quote.split()) <= 4
