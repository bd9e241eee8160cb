"""Masks of canvases against every fill, and the laws between canvases."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

import structgen as sg
from benchmarks.canvas_check import all_fills, masks_of, random_case, random_changes
from structgen.bits import ids_of
from structgen.errors import LimitExceeded, OptionError, Unsatisfiable, UnsupportedCombination
from structgen.infilling.canvas import Canvas
from tests.infilling.judges import check_masks

LETTERS = sg.Vocabulary.from_bytes([b"", b"a", b"b", b"ab", b"ba", b""], eos=0, special=[5])
BYTES = sg.Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256)), b'{"', b'":', b'", "', b"12"], eos=0)


def test_masks_are_those_of_all_fills() -> None:
    check_masks(range(60), steps=25)


@pytest.mark.slow
def test_masks_are_those_of_all_fills_at_length() -> None:
    check_masks(range(1000, 2000), steps=100)


def test_an_open_canvas_of_letters() -> None:
    canvas = Canvas(sg.compile(vocabulary=LETTERS, regex="(ab)*a?"), 3)
    assert canvas.feasible()
    assert canvas.least_slots() == 0
    assert [ids_of(row).tolist() for row in canvas.masks()] == [[0, 1, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    canvas.fix(1, 2)
    assert [ids_of(row).tolist() for row in canvas.masks()] == [[1], [2], [0, 1, 3]]
    canvas.fix(0, 1)
    canvas.fix(2, 0)
    assert canvas.text() == "ab"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_fixed_in_another_order_or_at_once_is_the_same(seed: int) -> None:
    """Layers that were brought up to date step by step are those computed from the beginning, bit for bit."""
    case, chance = random_case(seed), random.Random(seed)
    for _ in random_changes(case, chance, 12):
        case.canvas.feasible()
    slots = [(slot, token) for slot, token in enumerate(case.canvas.tokens) if token is not None]
    chance.shuffle(slots)
    other = Canvas(case.canvas.constraint, case.canvas.slots, depth=case.canvas.depth)
    for slot, tokens in case.canvas._chosen.items():
        other.allow(slot, tokens)
    for slot, token in slots:
        other.fix(slot, token)
    assert np.array_equal(other.masks(), case.canvas.masks())
    for name in ("_forward", "_backward", "_reach", "_callers", "_ends", "_used"):
        if hasattr(case.canvas._layers, name):
            assert np.array_equal(getattr(other._layers, name), getattr(case.canvas._layers, name)), name


@pytest.mark.parametrize("seed", range(40))
def test_the_first_open_slot_is_the_matcher_mask_cut_to_what_fits(seed: int) -> None:
    canvas = random_case(seed).canvas
    matcher, vocabulary = canvas.constraint.matcher(), canvas.constraint.vocabulary
    for slot in range(canvas.slots):
        if not canvas.feasible() or matcher.is_finished():
            break
        allowed = set(ids_of(canvas.masks()[slot]).tolist())
        assert allowed <= set(ids_of(matcher.mask()).tolist())
        for token in range(vocabulary.size):
            fork = canvas.fork()
            fork.fix(slot, token)
            assert fork.feasible() == (token in allowed)
        if not allowed:
            break
        token = random.Random(seed + slot).choice(sorted(allowed))
        canvas.fix(slot, token)
        assert matcher.accept(token)


@pytest.mark.parametrize("seed", range(30))
def test_blocks_make_the_texts_of_one_canvas(seed: int) -> None:
    case, chance = random_case(seed), random.Random(seed)
    if case.canvas.slots < 2 or not len(case.fills):
        return
    first = chance.randrange(1, case.canvas.slots)
    rest = case.canvas.slots - first
    block = Canvas(case.canvas.constraint, first, depth=case.canvas.depth, later=rest)
    size = case.canvas.constraint.vocabulary.size
    # a text that is complete early needs no more slots: the rest of it is stop tokens, which `fills` has
    assert np.array_equal(block.masks(), masks_of(case.fills[:, :first], size))
    tokens = case.fills[chance.randrange(len(case.fills))]
    for slot in range(first):
        block.fix(slot, int(tokens[slot]))
    left = case.fills[(case.fills[:, :first] == tokens[:first]).all(axis=1)]
    assert np.array_equal(block.following(rest).masks(), masks_of(left[:, first:], size))


def test_a_text_may_not_end_later_than_there_are_slots() -> None:
    constraint = sg.compile(vocabulary=LETTERS, regex="(ab){4}")
    assert not Canvas(constraint, 3).feasible()
    assert Canvas(constraint, 4).feasible()
    assert Canvas(constraint, 3, later=1).feasible()
    assert not Canvas(constraint, 2, later=1).feasible()
    assert Canvas(constraint, 2).least_slots() == 4


def test_pads_stand_behind_stop_tokens_alone() -> None:
    constraint = sg.compile(vocabulary=LETTERS, regex="ab")
    canvas = Canvas(constraint, 4, pad_ids=5)
    assert [ids_of(row).tolist() for row in canvas.masks()] == [[1, 3], [0, 2], [0, 5], [0, 5]]
    for slot, token in enumerate((3, 0, 5, 5)):
        canvas.fix(slot, token)
    assert canvas.text() == "ab"


def test_named_tokens_and_a_leading_blank_are_read_as_matchers_do() -> None:
    tokens = [b"", b" a", b"a", b" ", b"b", b"<x>", b" <", b"", b"<", b"x>"]
    names = {"<x>": 5, "<end>": 7}
    vocabulary = sg.Vocabulary.from_bytes(tokens, eos=[0, 7], special=[7], names=names, leading_blank=True)
    for lark in ('start: "a" <x> "b"', 'start: ("a" | " a")+ <end>?', 'start: " "* "<x>" "b"'):
        constraint = sg.compile(vocabulary=vocabulary, lark=sg.LarkGrammar(lark, lexer="dynamic"))
        fills = [
            tokens
            for tokens in itertools.product(range(vocabulary.size), repeat=3)
            if is_fill(constraint.matcher(), tokens, vocabulary.stop_ids)
        ]
        assert fills
        assert np.array_equal(Canvas(constraint, 3).masks(), masks_of(np.array(fills), vocabulary.size)), lark


def is_fill(matcher: sg.Matcher, tokens: tuple[int, ...], stops: tuple[int, ...]) -> bool:
    """Whether a matcher takes the tokens, and stop tokens behind the end."""
    for token in tokens:
        if not (token in stops if matcher.is_finished() else matcher.accept(token)):
            return False
    return matcher.is_finished() or matcher.is_accepting()


def test_depth_bounds_nesting_and_says_so() -> None:
    constraint = sg.compile(vocabulary=BYTES, schema=True, style=sg.JsonStyle("compact", max_digits=3))
    for depth in (0, 1, 2):
        canvas = Canvas(constraint, 12, depth=depth)
        assert not canvas.exact
        for nesting in range(5):
            text = "[" * nesting + "7" + "]" * nesting
            fork = canvas.fork()
            for slot in range(12):
                fork.fix(slot, text.encode()[slot] + 1 if slot < len(text) else 0)
            assert fork.feasible() == (nesting <= depth)
    assert Canvas(sg.compile(vocabulary=LETTERS, regex="a*"), 2).exact


def test_recursion_at_the_end_alone_is_not_unrolled() -> None:
    constraint = sg.compile(vocabulary=LETTERS, gbnf='root ::= "ab" root | "b"')
    canvas = Canvas(constraint, 6, depth=0)
    assert canvas.exact
    assert np.array_equal(canvas.masks(), masks_of(all_fills(constraint, 6), LETTERS.size))


def test_what_has_no_table_is_refused_with_a_reason() -> None:
    unique = sg.compile(vocabulary=BYTES, schema={"type": "array", "uniqueItems": True, "items": {"type": "string"}})
    with pytest.raises(UnsupportedCombination, match="uniqueItems"):
        Canvas(unique, 8)
    lexed = sg.compile(vocabulary=BYTES, lark='start: "a" NAME\nNAME: /[a-z]+/\n%ignore " "')
    with pytest.raises(UnsupportedCombination, match="lexer"):
        Canvas(lexed, 8)
    with pytest.raises(LimitExceeded, match="json_dumps"):
        Canvas(sg.compile(vocabulary=BYTES, schema=True), 8, depth=4, most_states=1000)


def test_wrong_arguments_and_questions_asked_too_early() -> None:
    constraint = sg.compile(vocabulary=LETTERS, regex="ab?")
    canvas = Canvas(constraint, 2)
    for call in (
        lambda: Canvas(constraint, 0),
        lambda: Canvas(constraint, 2, depth=-1),
        lambda: canvas.fix(2, 1),
        lambda: canvas.fix(0, 6),
        lambda: canvas.allow(0, [-1]),
        lambda: canvas.following(1),
        canvas.text,
    ):
        with pytest.raises(OptionError):
            call()
    canvas.fix(0, 2)
    canvas.fix(1, 0)
    for call in (canvas.text, lambda: canvas.law(np.zeros((2, 6)))):
        with pytest.raises(Unsatisfiable):
            call()
    canvas.unfix(0)
    assert canvas.feasible()


def test_a_vocabulary_that_spells_some_characters_alone_has_canvases_of_them() -> None:
    """Characters that are tokens and bytes that are none: the grammar is met with what the tokens spell."""
    tokens = [b"", b"[", b"]", b"a", "é".encode(), "éé".encode(), b"[["]
    vocabulary = sg.Vocabulary.from_bytes(tokens, eos=0)
    constraint = sg.compile(vocabulary=vocabulary, gbnf='root ::= "[" root "]" | [a-zà-ü]')
    canvas = Canvas(constraint, 4, depth=12)
    assert not canvas.exact
    assert np.array_equal(canvas.masks(), masks_of(all_fills(constraint, 4), vocabulary.size))
