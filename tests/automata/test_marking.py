"""Terminals that are found in grammars by hand: the language stays, rows equal full walks."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.reference import Reference
from structgen.automata.terminals.mark import with_terminals
from structgen.automata.terminals.registry import registry_of
from structgen.automata.trie import build_trie
from structgen.bits import ids_of
from structgen.grammars.bnf import compile_gbnf
from structgen.grammars.ir import Ref, Seq, Terminal
from structgen.kernels.layout import DEAD, START

GRAMMARS = {
    "blanks that meet": 'root ::= "a" ws (root ("b" ws root)*)? ws "b"\nws ::= "c"*',
    "texts anywhere": 'root ::= content*\ncontent ::= text | element\ntext ::= "b"+\nelement ::= "a" content* "c"',
    "a loop of rules": 'root ::= "a" (letter | pair)* "a" root?\nletter ::= [bc]\npair ::= "c" letter',
    "a rule that may be empty, called twice": 'root ::= (x x "b" | "c" root)*\nx ::= "a"?',
    "a choice of itself": 'root ::= one*\none ::= two | "b"\ntwo ::= one | "a" one "c" | "c"',
    "an empty loop": 'root ::= (e | "a" root "b")*\ne ::= "c"*',
    "left recursion": 'root ::= root name | name\nname ::= "a" [bc]*',
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_language_is_the_same(name: str) -> None:
    grammar, _ = compile_gbnf(GRAMMARS[name])
    oracle, automaton = Reference(grammar), Configurations(build_network(grammar))
    for length in range(7):
        for letters in itertools.product(b"abc", repeat=length):
            text = bytes(letters)
            state = automaton.advance(START, text)
            assert (state != DEAD) == oracle.is_prefix(text), text
            assert automaton.is_accepting(state) == oracle.accepts(text), text


@pytest.mark.parametrize(("name", "start", "run"), [("blanks that meet", b"a", b"c"), ("texts anywhere", b"ab", b"b")])
def test_a_run_does_not_make_states_grow(name: str, start: bytes, run: bytes) -> None:
    automaton = Configurations(build_network(compile_gbnf(GRAMMARS[name])[0]))
    state = automaton.advance(START, start + run * 3)
    assert automaton.advance(state, run * 50) == state


def test_a_name_is_one_terminal_for_all_who_call_it() -> None:
    grammar, _ = compile_gbnf('root ::= name "(" name ")"\nname ::= [a-z]+')
    marked = with_terminals(grammar)
    bodies = {rule.name: rule.body for rule in marked.rules}
    assert isinstance(bodies["name"], Terminal)
    assert isinstance(bodies["root"], Seq)
    assert isinstance(bodies["root"].parts[0], Ref)


CODE = r"""
root ::= statement*
statement ::= name " = " sum "\n" | "if (" sum ") {" ws statement* ws "}\n"
sum ::= term ((" + " | " * ") term)*
term ::= name | number | string | "(" sum ")" | name "(" (sum (", " sum)*)? ")" | term "." name
name ::= [A-Za-z_] [A-Za-z0-9_]*
number ::= [0-9]+ ("." [0-9]+)?
string ::= "\"" ([^"\\] | "\\" [^\n])* "\""
ws ::= [ \n]*
"""
WORDS = [
    "=",
    "+",
    "*",
    "(",
    ")",
    ", ",
    "{",
    "}",
    ".",
    '"',
    "\n",
    " ",
    "  ",
    "   ",
    " =",
    " +",
    " (",
    " if",
    "if",
    "if (",
]
WORDS += [
    " name",
    "name",
    " a",
    "a",
    "b",
    "_x",
    ".b",
    ".name",
    "(b",
    "(name",
    "a(",
    "a.b",
    "12",
    " 12",
    ".5",
    "\\",
    '\\"',
]
WORDS += [
    ' "',
    '"a',
    'a"',
    ' b"',
    "é",
    "\n}",
    "\n\n",
    "\n ",
    " a =",
    "a = b",
    ") {",
    ") {\n",
    "= (",
    ".b.",
    ".b = ",
    " é",
]
BYTES = [b"", *(word.encode() for word in WORDS), b"\xc3", b"\xa9"]


@pytest.mark.parametrize("learn", [False, True])
def test_every_row_equals_its_full_walk(learn: bool) -> None:
    tokens = build_trie(b"".join(BYTES), np.cumsum([0, *map(len, BYTES)]).astype(np.int64))
    assert {int(tokens.arrays.byte[node]) for node in tokens.sections(3)} >= set(b" .")
    automaton = Configurations(build_network(compile_gbnf(CODE)[0]))
    policy = WalkPolicy(long=-1, section=3, below=0 if learn else 4)
    table = MaskTable(automaton, tokens, (0,), check=True, policy=policy)
    rng = random.Random(1)
    for _ in range(60):
        state = START
        for _ in range(30):
            row = table.row(state)
            good = [t for t in ids_of(row).tolist() if t]
            assert good == [t for t in range(1, len(BYTES)) if automaton.advance(state, BYTES[t])]
            state = automaton.advance(state, BYTES[rng.choice(good)])
    below = [t for found in registry_of(tokens)._terminals.values() for t in found._below.values()]
    assert any(terminal._rows for terminal in below)
