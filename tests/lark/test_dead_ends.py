"""No dead ends: every short prefix beside lark itself. What is dead begins no text that lark reads, and what is alive
has a completion that it reads."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import lark
import numpy as np
import pytest
from lark.indenter import Indenter

import structgen as sg
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.bits import ids_of
from structgen.errors import Unsatisfiable
from structgen.grammars.lark import LarkGrammar, compile_lark
from structgen.kinds import automaton_of


class Blocks(Indenter):
    NL_type = "_NL"
    OPEN_PAREN_types = ["LPAR"]  # noqa: RUF012
    CLOSE_PAREN_types = ["RPAR"]  # noqa: RUF012
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 8


@dataclass(frozen=True)
class Case:
    """`letters` are the characters that texts are made of, up to `length` of them."""

    text: str
    letters: str
    length: int
    indenter: Indenter | None = None


CASES = {
    "a terminal shadows another of the same text": Case(
        'start: stmt END\nstmt: note | var\nvar: NAME\nnote: "*" var STOP\nSTOP: ";"\nEND: ";"\nNAME: /[a-b]+/',
        "*;ab",
        7,
    ),
    "names without blanks between": Case('start: (NAME NAME | NAME "!")+ "."\nNAME: /[ab]+/', "ab!.", 7),
    "names with blanks": Case('start: (NAME NAME | NAME "!")+ "."\nNAME: /[ab]+/\n%ignore " "', "ab!. ", 6),
    "a keyword inside a name": Case('start: "if" NAME "do" | NAME "=" NAME\nNAME: /[a-z]+/\n%ignore " "', "ifdo =", 5),
    "a keyword that no name is": Case('start: "if" "." "x" NAME? | NAME "."+\nNAME: /[fix]+/', "ifx.", 6),
    "a priority": Case('start: A B | C "!"\nA.2: /a+/\nB: "a" | "b"\nC: /a+b/', "ab!", 7),
    "a priority that shadows all": Case('start: A "." | B "!"\nA.1: /[ab]+/\nB.2: /[ab]+/', "ab.!", 6),
    "a lookahead": Case("start: (NUM UNIT?)+\nNUM: /[0-9]+(?!\\.)/\nUNIT: /[0-9a]+/", "1a.", 7),
    "a lookahead that must hold": Case("start: A B?\nA: /a+(?=b)/\nB: /b+(?!a)/", "ab", 8),
    "a lookahead inside a lookahead": Case("start: A+ B?\nA: /a(?!b(?!c))/\nB: /bc?/", "abc", 8),
    "a lookahead at the end of the text": Case("start: A+\nA: /a+(?!b)/ | /ab/", "ab", 8),
    "a word boundary": Case('start: A ("-" A)*\nA: /a+\\b/', "a-b", 7),
    "lazy": Case('start: S ("," S)*\nS: /"(.|,)*?"/', '",a', 7),
    "a dangling else": Case('start: s\n?s: "i" s ("e" s)? | "x"', "iex", 8),
    "a conflict resolved by shifting": Case('start: a "c"\na: x | x "b" "b"\nx: "a" "b"?', "abc", 6),
    "a comment that cannot end": Case('start: "a" "b"\nC: /#[a#]*/\n%ignore C', "ab#", 6),
    "a comment that ends": Case('start: "a" "b"\nC: /#[a#]*/\n%ignore C\n%ignore ";"', "ab#;", 6),
    "ignored text that looks ahead": Case('start: "a"+ "b"\nC: /;+(?!b)/\n%ignore C', "ab;", 7),
    "ignored text of two kinds": Case('start: "a" "b" "a"?\nC: /;(?!-)/\nD: /-(?!;)/\n%ignore C\n%ignore D', "ab;-", 6),
    "nested": Case('start: "(" start* ")" | "[" start "]" | WORD\nWORD: /[(a]a+/', "()[a]", 6),
    "a rule of nothing": Case('start: a b "."\na: | "x"\nb: | "y" a', "xy.", 7),
    "a rule of nothing, shadowed": Case('start: a b "."\na: | "x"\nb: | X a\nX.-1: "x"', "x.", 7),
    "unary rules": Case('start: e\ne: t | e "+" t\nt: f | t "*" f\nf: "x" | "(" e ")" | XS "!"\nXS: /x+/', "x+*()!", 6),
    "characters of two bytes": Case("start: A B\nA: /[éa]+(?!é)/\nB: /[êa]/", "éêa", 6),
    "blocks": Case(
        'start: (line | block)+\nline: "a" _NL\nblock: "b" ":" _NL _INDENT (line | block)+ _DEDENT\n'
        "%declare _INDENT _DEDENT\n_NL: /(\\n *)+/",
        "ab:\n ",
        7,
        Blocks(),
    ),
    "blocks whose newlines are single": Case(
        'start: (line | block)+\nline: "a" _NL\nblock: "b" _NL _INDENT line+ _DEDENT\n'
        "%declare _INDENT _DEDENT\n_NL: /\\n */",
        "ab\n ",
        8,
        Blocks(),
    ),
    "blocks and parentheses": Case(
        'start: line+ block?\nline: "a" p? _NL\np: LPAR "a"* p? RPAR\nblock: "b" _NL _INDENT line+ _DEDENT\n'
        'LPAR: "("\nRPAR: ")"\n%declare _INDENT _DEDENT\n_NL: /(\\n *)+/',
        "ab()\n ",
        6,
        Blocks(),
    ),
    "blocks with comments": Case(
        'start: line+\nline: "a" _NL | "b" _NL _INDENT line _DEDENT\n%declare _INDENT _DEDENT\n'
        "_NL: /(\\n *)+/\nC: /#a*/\n%ignore C",
        "ab#\n ",
        7,
        Blocks(),
    ),
}


def reads(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except (lark.exceptions.LarkError, AssertionError, IndexError):  # the last two: its Indenter on wrong input
        return False
    return True


def check(case: Case) -> tuple[int, int]:
    """Compare every text; how many are alive, and how many dead that have a live beginning."""
    parser = lark.Lark(case.text, parser="lalr", postlex=case.indenter, maybe_placeholders=False)
    machine = automaton_of(compile_lark(LarkGrammar(case.text, lexer="contextual", indenter=case.indenter))[0])
    assert isinstance(machine, LexedConfigurations)
    states, alive, dead = {"": 2}, 0, set[str]()
    for size in range(case.length + 1):
        for text in map("".join, itertools.product(case.letters, repeat=size)):
            accepted = reads(parser, text)
            state = machine.advance(states.get(text[:-1], 0), text[-1:].encode()) if text else 2
            assert machine.is_accepting(state) == accepted, text
            if state:
                states[text], alive = state, alive + 1
                whole = text + machine.shortest(state).decode()
                assert reads(parser, whole), f"{text!r} is alive, but lark does not read {whole!r}"
            elif text[:-1] in states:
                dead.add(text)
            else:
                assert not accepted, text
    return alive, len(dead)


@pytest.mark.parametrize("name", CASES)
def test_alive_is_what_can_be_completed(name: str) -> None:
    alive, dead = check(CASES[name])
    assert alive > 5 and dead > 5


def test_a_mask_leads_into_no_dead_end() -> None:
    case = CASES["a terminal shadows another of the same text"]
    tokens = [case.letters.encode()[k : k + 1] for k in range(4)] + [b"*a", b"ab", b"a;", b"b;;", b"*;", b""]
    vocabulary = sg.Vocabulary.from_bytes(tokens, eos=[9])
    constraint = sg.compile(lark=case.text, vocabulary=vocabulary)
    matcher = constraint.matcher()
    assert [tokens[t] for t in ids_of(matcher.mask())] == [b"a", b"b", b"ab", b"a;"], "behind * no STOP is ever cut"
    assert ids_of(matcher.mask()).tolist() == np.flatnonzero(matcher.allows(range(10))).tolist()


def test_a_language_that_lexing_leaves_empty_is_unsatisfiable() -> None:
    with pytest.raises(Unsatisfiable):
        automaton_of(compile_lark(LarkGrammar("start: A A\nA: /a+/", lexer="contextual"))[0])


@pytest.mark.parametrize("text", ["a😀", 'a"', "é"])
def test_a_character_begun_is_completed(text: str) -> None:
    machine = automaton_of(compile_lark('start: S\nS: /"[^"]*"/')[0])
    data = ('"' + text).encode()
    for end in range(1, len(data)):
        state = machine.advance(2, data[:end])
        whole = data[:end] + machine.shortest(state)
        assert machine.is_accepting(machine.advance(2, whole)), whole
        assert machine.distance(state) == len(whole) - end <= 4
