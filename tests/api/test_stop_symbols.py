"""Stop tokens that a tag or a grammar asks for by name: symbols, and the end where nothing is missing."""

from __future__ import annotations

import pytest

import structgen as sg
from structgen.bits import ids_of
from structgen.kernels.layout import START
from structgen.testing import check_mask_laws, check_matcher_laws
from tests.tables import check_table

EOT, EOM, CALL = 256, 257, 258
VOCABULARY = sg.Vocabulary.from_bytes(
    [*(bytes([b]) for b in range(256)), b"", b"", b""],
    eos=[EOT, EOM],
    special=[CALL],
    names={"<|eot|>": EOT, "<|eom|>": EOM, "<|call|>": CALL},
)


def tagged(**options: object) -> sg.Constraint:
    tag = sg.Tag(sg.Special("<|call|>"), sg.Special("<|eom|>"), regex="x+")
    return sg.compile(tag=sg.StructuralTag([tag], **options), vocabulary=VOCABULARY)  # type: ignore[arg-type]


def after(constraint: sg.Constraint, tokens: list[int]) -> sg.Matcher:
    matcher = constraint.matcher()
    assert matcher.accept_all(tokens) == len(tokens)
    return matcher


def test_a_region_may_end_with_a_stop_token_and_so_may_the_output() -> None:
    constraint = tagged(at_least=1)
    assert constraint.stop_symbols == ("<|eom|>",)
    matcher = after(constraint, [CALL, ord("x")])
    assert set(ids_of(matcher.mask()).tolist()) == {ord("x"), EOM}, "the text is not complete: no other stop token"
    assert matcher.accept(EOM) and matcher.is_finished() and not matcher.mask().any()


def test_where_more_must_come_it_is_a_symbol() -> None:
    constraint = tagged(at_least=2, between=False, at_most=2)
    matcher = after(constraint, [CALL, ord("x"), EOM])
    assert not matcher.is_finished() and ids_of(matcher.mask()).tolist() == [CALL]
    assert matcher.accept_all([CALL, ord("x"), EOM]) == 3 and matcher.is_finished()


def test_behind_a_complete_text_it_stops_as_ever() -> None:
    matcher = after(tagged(), [ord("a")])
    assert {EOT, EOM} <= set(ids_of(matcher.mask()).tolist())
    assert matcher.accept(EOM) and matcher.is_finished()


@pytest.mark.parametrize("options", [{}, {"at_least": 1}, {"at_least": 2}, {"stop_after_first": True}])
def test_the_laws_hold(options: dict[str, object]) -> None:
    constraint = tagged(**options)
    check_matcher_laws(constraint)
    states = {START, *(constraint.automaton.advance(START, t) for t in (b"\xff<|call|>\xfe", b"\xff<|call|>\xfex"))}
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, states)


def test_a_table_on_a_device_reads_it_the_same_way() -> None:
    constraint = tagged(at_least=1, at_most=2, between=False)
    check_table(constraint, walks=20)


def test_grammars_as_text_may_name_one_too() -> None:
    constraint = sg.compile(gbnf='root ::= "a" <|eom|>', vocabulary=VOCABULARY)
    matcher = after(constraint, [ord("a")])
    assert ids_of(matcher.mask()).tolist() == [EOM]
