"""Walks that take live children and looping subtrees at once, against following each token by itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import build_trie
from structgen.bits import ids_of
from structgen.grammars.ir import Grammar, Literal, Rule, Terminal, seq
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.kernels.layout import DEAD, LOOPS, START, UNSET

LETTERS = [*'afnzAFZ09 "\\,\n\x01\x7f_', "é", "߿", "漢", "😀"]
PARTS = (b"\xc3", b"\xe6\xbc", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5", b"\xbf", b"\xf0\x9f\x98")
TOKENS = [b"", *("".join(word).encode() for size in (1, 2, 3) for word in product(LETTERS, repeat=size))]
TOKENS += [start + part for part in PARTS for start in (b"", b"n", b"n\xe6\xbc\xa2")]
TRIE = build_trie(b"".join(TOKENS), np.cumsum([0, *map(len, TOKENS)]).astype(np.int64))
LOOPING = [
    "[a-z]*",
    '[^"]*',
    "n[a-zA-Z0-9 ]*,",
    "([a-z]|漢)*A",
    ".*n.*",
    r"(?:\S+\s+){0,3}\S+",
    "[^a]{0,2}[^😀]*",
    "[a-f]*[n-z]*",
    r"[\u0000-\uffff]*",
]
OTHERS = [r"[^\x00-\x7f]+n", "(na|[^a])*", "[^a]{0,4}"]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("pattern", [*LOOPING, *OTHERS])
def test_every_token_of_every_mask(pattern: str, shared: bool) -> None:
    body = lower(Language.regex(pattern), utf8)
    rule = seq(Literal(b"<"), Terminal(body) if shared else body, Literal(b'">'))
    automaton = Configurations(build_network(Grammar((Rule("start", rule),))))
    masks, looped = MaskTable(automaton, TRIE, ()), False
    for text in ("<", "<n", "<na ", "<nnA", "<f漢n", "<nn,"):
        state = automaton.advance(START, text.encode())
        if state:
            ends = [automaton.advance(state, token) if token else DEAD for token in TOKENS]
            assert ids_of(masks.row(state)).tolist() == [token for token, end in enumerate(ends) if end != DEAD]
            assert masks.ends(state).tolist() == ends
            loops = automaton._memo.live[: len(automaton), LOOPS]
            looped |= bool(((loops != UNSET) & (loops != 0))[START:].any())
    assert looped or shared or pattern in OTHERS
