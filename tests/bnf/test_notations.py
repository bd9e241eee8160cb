"""A grammar in another notation than its caller said names the one it is in; a mistake in the right one does not."""

from __future__ import annotations

import re

import pytest

import structgen as sg
from structgen.errors import GrammarError
from structgen.grammars.notations import notations

VOCABULARY = sg.Vocabulary.from_bytes([*(bytes([b]) for b in range(256)), b""], eos=[256])

LARK = '?start: x\nx: "a" // no ::= here\n'
BOTH = 'root ::= "a" | "b"'
GBNF_ONLY = "root ::= .  # any"
EBNF_ONLY = 'root ::=\n "a"\n  "b"\n'


@pytest.mark.parametrize(
    ("said", "text", "hint"),
    [
        ("lark", BOTH, "gbnf= or ebnf="),
        ("lark", GBNF_ONLY, "gbnf="),
        ("gbnf", LARK, "lark="),
        ("ebnf", LARK, "lark="),
        ("gbnf", "%import common.INT\nstart: INT", "lark="),
        ("gbnf", EBNF_ONLY, "ebnf="),
        ("ebnf", GBNF_ONLY, "gbnf="),
        ("lark", 'root ::= "a" |', "gbnf="),
    ],
)
def test_the_notation_is_named(said: str, text: str, hint: str) -> None:
    with pytest.raises(GrammarError, match=re.escape(hint)) as caught:
        sg.compile(**{said: text}, vocabulary=VOCABULARY)
    assert caught.value.line == 1 or said != "lark"


@pytest.mark.parametrize(
    ("said", "text"), [("gbnf", 'root ::= ("a"'), ("lark", 'start: "a" b'), ("ebnf", "root ::= x")]
)
def test_a_mistake_is_no_other_notation(said: str, text: str) -> None:
    with pytest.raises(GrammarError) as caught:
        sg.compile(**{said: text}, vocabulary=VOCABULARY)
    assert "looks like" not in str(caught.value)


def test_what_is_none_is_none() -> None:
    assert notations("hello") == [] == notations('"a ::= b"')
