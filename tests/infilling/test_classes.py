"""Small automata, classes of tokens and unrolled grammars against their slow, obvious twins."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structgen as sg
from benchmarks.canvas_check import LETTERS, random_nest, random_regex, random_vocabulary
from structgen.automata.configurations import Configurations
from structgen.automata.minimal import minimal_table
from structgen.automata.network import build_network
from structgen.automata.token_classes import token_classes
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded, Unsatisfiable
from structgen.grammars.ir import ByteSet, Grammar, Literal, Repeat, Rule, seq
from structgen.grammars.unroll import only_reached, reachable_counts, unrolled
from structgen.infilling import tables
from structgen.kernels.layout import DEAD, FINISHED, START
from tests.strategies import all_texts, grammars


def table_of(grammar: Grammar) -> tuple[Configurations, object]:
    automaton = Configurations(build_network(grammar))
    return automaton, minimal_table(automaton, most_states=10_000)


@pytest.mark.parametrize("seed", range(40))
def test_a_minimal_table_reads_what_the_automaton_reads_and_no_two_states_behave_alike(seed: int) -> None:
    vocabulary = random_vocabulary(random.Random(seed), 1)
    constraint = sg.compile(vocabulary=vocabulary, regex=random_regex(random.Random(seed), 4))
    automaton = Configurations(build_network(constraint.grammar))
    table = minimal_table(automaton, most_states=10_000)
    alphabet = sorted(set(b"".join(LETTERS)))
    pairs, waiting = {(START, START)}, [(START, START)]
    for state, own in waiting:  # grows meanwhile
        assert bool(table.accepting[own]) == automaton.is_accepting(state)
        for byte in alphabet:
            after = automaton.advance(state, bytes([byte]))
            label = table.labels[byte]
            own_after = int(table.trans[own, label]) if label >= 0 else DEAD
            assert (after == DEAD) == (own_after == DEAD)
            if after != DEAD and (after, own_after) not in pairs:
                pairs.add((after, own_after))
                waiting.append((after, own_after))
    # Moore 1956: refine by acceptance, then by the blocks of next states
    block = table.accepting.astype(int).tolist()
    block[0] = block[1] = -1
    while True:
        rows = [(b, *(block[t] for t in row)) for b, row in zip(block, table.trans.tolist(), strict=True)]
        finer = [sorted(set(rows)).index(row) for row in rows]
        if len(set(finer)) == len(set(block)):
            break
        block = finer
    assert len(set(block[2:])) == len(table.trans) - 2


def walk_classes(constraint: sg.Constraint, states: dict[int, int], token: int) -> list[tuple[int, int]]:
    """Where a token leads from every state, token by token."""
    found = [(own, constraint.step(state, token)) for own, state in states.items()]
    return [(own, after) for own, after in found if after != DEAD]


@pytest.mark.parametrize("seed", range(40))
def test_classes_are_where_every_token_leads_from_every_state(seed: int) -> None:
    chance = random.Random(seed)
    vocabulary = random_vocabulary(chance, chance.choice([1, 2]))
    constraint = sg.compile(vocabulary=vocabulary, regex=random_regex(chance, 4))
    table = minimal_table(Configurations(build_network(constraint.grammar)), most_states=10_000)
    classes = token_classes(table, vocabulary, constraint.trie)
    like = {START: START, FINISHED: FINISHED}  # a state of the constraint that behaves like each of the table's
    waiting = [START]
    for own in waiting:  # grows meanwhile
        for token in range(vocabulary.size):
            after, own_after = constraint.step(like[own], token), classes.step(own, token)
            assert (after == DEAD) == (own_after == DEAD)
            if own_after != DEAD and own_after not in like:
                like[own_after] = after
                waiting.append(own_after)
    for token in range(vocabulary.size):
        g = classes.cls[token]
        pairs = classes.pairs[classes.first[g] : classes.first[g + 1]].tolist() if g else []
        assert [own for own, _ in pairs if own in like and own != FINISHED] == [
            own for own, _ in walk_classes(constraint, {o: s for o, s in sorted(like.items()) if o != FINISHED}, token)
        ]
        assert any((own == FINISHED) for own, _ in pairs) == (token in vocabulary.stop_ids)
        row = classes.packed[classes.wide[g]] if classes.wide[g] >= 0 else None
        tokens = classes.tokens[classes.token_first[g] : classes.token_first[g + 1]]
        assert token in tokens
        assert row is None or ids_of(row).tolist() == tokens.tolist()
    columns = {tuple(map(tuple, classes.pairs[a:b].tolist())) for a, b in itertools.pairwise(classes.first[1:])}
    assert len(columns) == classes.classes - 1 - (len(classes.first) < 2)


@settings(max_examples=40)
@given(grammars(), st.integers(0, 2))
def test_unrolled_grammars_grow_into_the_grammar(grammar: Grammar, depth: int) -> None:
    """Texts of a depth are texts of the next one and of the grammar; without heads they are all of it; level by level
    is the same as at once."""

    def texts(of: Grammar) -> set[bytes]:
        try:
            automaton = Configurations(build_network(of))
        except Unsatisfiable:
            return set()
        return {text for text in all_texts(5) if automaton.is_accepting(automaton.advance(START, text))}

    flat, deeper = unrolled(grammar, depth), unrolled(grammar, depth + 1)
    assert texts(flat.grammar) <= texts(deeper.grammar) <= texts(grammar)
    assert texts(only_reached(flat.grammar)) == texts(flat.grammar)
    if not flat.heads:
        assert texts(flat.grammar) == texts(grammar)
    try:
        table = tables._level_by_level(flat.grammar, flat.heads, 3000, False)
    except (Unsatisfiable, LimitExceeded):
        return
    found = set()
    for text in all_texts(5):
        state = START
        for byte in text:
            label = table.labels[byte]
            state = int(table.trans[state, label]) if label >= 0 else DEAD
        if table.accepting[state]:
            found.add(text)
    assert found == texts(flat.grammar)


def test_enough_depth_is_exact_for_short_texts() -> None:
    for seed in range(20):
        grammar = random_nest(random.Random(seed))
        whole, flat = (
            Configurations(build_network(grammar)),
            Configurations(build_network(unrolled(grammar, 4).grammar)),
        )
        for n in range(7):
            for text in map(b"".join, itertools.product(LETTERS, repeat=n)):
                assert whole.is_accepting(whole.advance(START, text)) == flat.is_accepting(flat.advance(START, text))


def test_counts_that_no_text_of_a_canvas_reaches_are_dropped_and_others_stay() -> None:
    digits = ByteSet.of(b"0123456789")
    body = seq(Literal(b"a"), Repeat(digits, 2, 40), Repeat(seq(digits, Literal(b"x")), 0, 40), Repeat(digits, 0, 9))
    grammar = Grammar((Rule("s", body),))
    kept = reachable_counts(grammar, lambda mask: 1000)
    assert kept.rules[0].body == body
    asked = list[int]()
    lifted = reachable_counts(grammar, lambda mask: asked.append(mask) or 39)  # type: ignore[func-returns-value]
    assert lifted.rules[0].body == seq(
        Literal(b"a"), Repeat(digits, 2), Repeat(seq(digits, Literal(b"x")), 0), Repeat(digits, 0, 9)
    )
    assert set(asked) == {digits.mask, digits.mask | 1 << ord("x")}
    assert reachable_counts(grammar, lambda mask: 40).rules[0].body.parts[1] == Repeat(digits, 2, 40)  # type: ignore[union-attr]


def test_the_longest_run_of_bytes_in_a_token() -> None:
    rng = random.Random(0)
    for _ in range(50):
        tokens = [b"", *(bytes(rng.choices(b"ab1", k=rng.randint(1, 6))) for _ in range(rng.randint(1, 8)))]
        vocabulary = sg.Vocabulary.from_bytes(list(tokens), eos=0)
        runs = [max(map(len, token.replace(b"a", b" ").replace(b"b", b" ").split(b" "))) for token in tokens]
        assert tables._most_bytes(vocabulary, 7, ByteSet.of(b"1").mask) == 7 * max(runs)


def test_a_long_count_is_exact_on_a_canvas_that_reaches_it() -> None:
    """With tokens of ten bytes 64 slots hold more than 40: the bound stays."""
    vocabulary = sg.Vocabulary.from_bytes([b"", b"a", b"a" * 10, b"b"], eos=0)
    constraint = compile_grammar(Grammar((Rule("s", seq(Repeat(Literal(b"a"), 0, 40), Literal(b"b"))),)), vocabulary)
    canvas = sg.Canvas(constraint, 6)
    for slot in range(4):
        canvas.fix(slot, 2)
    assert [ids_of(row).tolist() for row in canvas.masks()][4:] == [[3], [0]]
    assert np.array_equal(canvas.masks()[:4], np.full((4, 1), 4, np.uint32))
