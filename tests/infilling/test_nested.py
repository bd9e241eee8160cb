"""Canvases of texts that nest without bound. Their masks are judged with all others: tests/infilling/judges.py."""

from __future__ import annotations

import time

import numpy as np
import pytest

import structgen as sg
from benchmarks.canvas_check import all_fills, masks_of
from structgen.bits import ids_of
from structgen.errors import LimitExceeded, UnsupportedCombination
from structgen.infilling import nested
from structgen.infilling.canvas import Canvas
from structgen.infilling.tables import effects_of

BYTES = sg.Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256)), b"[[", b"]]", b'],"', b"}]}"], eos=0)
LETTERS = sg.Vocabulary.from_bytes([b"", b"(", b")", b"a", b"(a", b"))", b"((("], eos=0)


def test_nesting_is_bounded_by_the_slots_alone() -> None:
    constraint = sg.compile(vocabulary=BYTES, schema=True, style=sg.JsonStyle("compact", max_digits=3))
    canvas = Canvas(constraint, 41)
    assert canvas.exact and canvas.depth is None
    for slot in range(20):
        canvas.fix(slot, 1 + ord("["))
    (middle,) = {tuple(ids_of(row).tolist()) for row in canvas.masks()[20:21]}
    assert 1 + ord("7") in middle and 1 + ord("[") in middle and 1 + ord("}") not in middle
    canvas.fix(20, 1 + ord("["))  # one too many, but for tokens of two brackets
    assert ids_of(canvas.masks()[40]).tolist() == [0, 1 + ord("]"), BYTES.size - 3]
    for slot in range(21, 30):
        canvas.fix(slot, BYTES.size - 3)
    canvas.fix(30, BYTES.size - 3)
    canvas.fix(31, 1 + ord("]"))
    for slot in range(32, 41):
        canvas.fix(slot, 0)
    assert canvas.text() == "[" * 21 + "]" * 21


def test_short_texts_are_those_of_the_unrolled_grammar() -> None:
    """Six tokens of at most three bytes nest nine levels deep."""
    constraint = sg.compile(vocabulary=LETTERS, gbnf='root ::= "(" root* ")" | "a"')
    exact, flat = Canvas(constraint, 6), Canvas(constraint, 6, depth=9)
    assert exact.exact and not flat.exact
    assert np.array_equal(exact.masks(), flat.masks())
    for slot, token in ((3, 2), (0, 6), (4, 5)):
        exact.fix(slot, token)
        flat.fix(slot, token)
        assert np.array_equal(exact.masks(), flat.masks())


def test_a_text_may_go_on_behind_what_nests() -> None:
    constraint = sg.compile(vocabulary=LETTERS, gbnf='root ::= nest "a"*\nnest ::= "(" nest ")" | "()"')
    canvas = Canvas(constraint, 3)
    assert canvas.exact
    assert np.array_equal(canvas.masks(), masks_of(all_fills(constraint, 3), LETTERS.size))


def test_the_shortest_text_is_found() -> None:
    constraint = sg.compile(vocabulary=LETTERS, gbnf='root ::= "(" (root | "aaa" | "(a))") ")"')
    canvas = Canvas(constraint, 2)
    assert not canvas.feasible()
    assert canvas.least_slots() == 4  # ( (a )) ) or ((( is none: "((a)))"
    assert Canvas(constraint, 4).feasible() and not Canvas(constraint, 3).feasible()
    for depth in (None, 9):
        block = Canvas(constraint, 2, later=6, depth=depth)
        block.fix(0, 1)
        block.fix(1, 6)
        assert block.following(5).least_slots() == 4  # "((((" and "(a", "))", "))", "))"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('root ::= root "a" | "(" root ")" | "a"', "left recursion"),
        ('root ::= "(" root ")" | "a" root "a"? | "a"', "may end behind a part"),
    ],
)
def test_other_recursion_is_unrolled(source: str, reason: str) -> None:
    constraint = sg.compile(vocabulary=LETTERS, gbnf=source)
    with pytest.raises(UnsupportedCombination, match=reason):
        effects_of(constraint, 3, (), 1000)
    canvas = Canvas(constraint, 3)
    assert not canvas.exact and canvas.depth == 4


def test_a_canvas_that_takes_too_much_is_unrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    constraint = sg.compile(vocabulary=LETTERS, gbnf='root ::= "(" root* ")" | "a"')
    monkeypatch.setattr(nested, "MOST_BYTES", 1 << 18)
    with pytest.raises(LimitExceeded, match="depth=4"):
        nested.NestedSlots(effects_of(constraint, 500, (), 1000), 500, 0)
    assert not Canvas(constraint, 500).exact


def test_grammars_of_many_calls_end_soon() -> None:
    """Each rule begins with either of two others: a first byte puts any of 2^30 rows of return states on the stack."""
    rules = [f'r{i} ::= r{i + 1} "a" | r{i + 2} ")" | "(" r{i} ")"' for i in range(60)]
    source = "\n".join(["root ::= r0", *rules, 'r60 ::= "a" | "(" r0 ")"', 'r61 ::= "a" | "(" r1 ")"'])
    constraint = sg.compile(vocabulary=LETTERS, gbnf=source)
    started = time.process_time()
    with pytest.raises((LimitExceeded, UnsupportedCombination)):
        effects_of(constraint, 3, (), 1000)
    assert time.process_time() - started < 2


def test_a_symbol_of_the_grammar_that_ends_texts_is_unrolled() -> None:
    vocabulary = sg.Vocabulary.from_bytes([b"", b"(", b")", b""], eos=3, special=[0, 3], names={"<x>": 0, "<end>": 3})
    constraint = sg.compile(vocabulary=vocabulary, lark=sg.LarkGrammar('start: "(" start ")" | <x>', lexer="dynamic"))
    canvas = Canvas(constraint, 3)
    assert canvas.exact
    assert [ids_of(row).tolist() for row in canvas.masks()] == [[0, 1], [0, 3], [2, 3]]
    ending = sg.compile(vocabulary=vocabulary, lark=sg.LarkGrammar('start: "(" start ")" | <end>', lexer="dynamic"))
    assert not Canvas(ending, 3).exact
