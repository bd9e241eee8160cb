"""Special tokens as single symbols: masks, steps and completions, and that no text is ever taken for one."""

from __future__ import annotations

import pytest

import structgen as sg
from structgen.bits import ids_of
from structgen.errors import VocabularyError

TOKENS = [b"", b"", b"<call>", b"a", b"b", b"<", b"call>", b"\xff", b"\xfe", b"\xff<call>\xfe", b"", b"\xff<"]
EOS, CALL, ADDED, END = 0, 1, 2, 10


def vocabulary() -> sg.Vocabulary:
    return sg.Vocabulary.from_bytes(
        TOKENS, eos=[EOS], special=[CALL, END], names={"<call>": CALL, "<think>": ADDED, "<end>": END, "</s>": EOS}
    )


def allowed(matcher: sg.Matcher) -> list[int]:
    found = ids_of(matcher.mask()).tolist()
    assert [t for t in range(len(TOKENS)) if matcher.allows([t])[0]] == found, "mask and accept agree"
    return found


def test_a_special_token_is_one_symbol() -> None:
    constraint = sg.compile(gbnf='root ::= "a"* <call> [ab] <end>', vocabulary=vocabulary())
    matcher = constraint.matcher()
    assert allowed(matcher) == [CALL, 3]
    assert matcher.accept(3) and matcher.accept(CALL) and allowed(matcher) == [3, 4]
    assert matcher.shortest_completion() == [3, END]
    assert matcher.accept(4) and matcher.accept(END) and allowed(matcher) == [EOS]
    matcher.rollback(3)
    assert allowed(matcher) == [CALL, 3]


def test_text_is_no_special_token() -> None:
    constraint = sg.compile(gbnf='root ::= "<call>" [ab]', vocabulary=vocabulary())
    assert allowed(constraint.matcher()) == [ADDED, 5]


def test_a_token_that_is_both() -> None:
    constraint = sg.compile(gbnf='root ::= <think> "a" | "<call>" "b"', vocabulary=vocabulary())
    matcher = constraint.matcher()
    assert allowed(matcher) == [ADDED, 5]
    assert matcher.accept(ADDED) and allowed(matcher) == [3]  # where it may be either, the symbol it is


def test_any_character_is_no_special_token() -> None:
    constraint = sg.compile(gbnf="root ::= .*", vocabulary=vocabulary())
    assert allowed(constraint.matcher()) == [EOS, ADDED, 3, 4, 5, 6]


@pytest.mark.parametrize(("name", "reason"), [("<nope>", "is not one token")])
def test_unknown_special_tokens_are_refused(name: str, reason: str) -> None:
    with pytest.raises(VocabularyError, match=reason):
        sg.compile(gbnf=f"root ::= {name}", vocabulary=vocabulary())
    with pytest.raises(VocabularyError, match=reason):
        sg.compile(gbnf=f'root ::= "ab" {name} "ab"', vocabulary=vocabulary())
