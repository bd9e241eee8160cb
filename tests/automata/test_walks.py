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
from structgen.kernels.layout import LOOPS, START, UNSET
from structgen.kernels.self_loops import CLASSES, NO_CHARACTER, TWO, classes_below

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
            steps = [t for t, token in enumerate(TOKENS) if token and automaton.advance(state, token) != 0]
            assert ids_of(masks.row(state)).tolist() == steps
            loops = automaton._memo.live[: len(automaton), LOOPS]
            looped |= bool(((loops != UNSET) & (loops != 0))[START:].any())
    assert looped or shared or pattern in OTHERS


def test_the_classes_below_a_node() -> None:
    arrays = TRIE.arrays
    n = len(arrays.byte)
    below, own = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    classes_below(arrays, own, below, np.zeros((2, TRIE.longest + 2), np.int64))
    texts, path = [b""], bytearray()
    for node in range(1, n):
        del path[int(arrays.depth[node]) - 1 :]
        path.append(int(arrays.byte[node]))
        texts.append(bytes(path))
    for node in range(n):
        start = texts[node]
        rests = [texts[inner][len(start) :] for inner in range(node + 1, int(arrays.skip[node]))]
        expected = [int(NO_CHARACTER)] if classes_of(start, cut=0) is None else [classes_of(rest) for rest in rests]
        union = 0
        for classes in expected:
            union |= int(NO_CHARACTER) if classes is None else classes
        got = int(below[node])
        assert got == union or got & union & int(NO_CHARACTER)


def classes_of(data: bytes, cut: int = 3) -> int | None:
    """The classes of a text's characters, the last of which may lack up to `cut` bytes; None if it is none."""
    found, at = 0, 0
    while at < len(data):
        ends = [at + size for size in (1, 2, 3, 4) if at + size <= len(data)]
        character = next((c for end in ends if (c := decoded(data[at:end]))), None)
        if character is None:
            whole = [
                data[at:] + tail for tail in (b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xbf", b"\xbf\xbf", b"\xbf" * 3)
            ]
            character = next((c for text in whole if cut and (c := decoded(text))), None)
            if character is None:
                return None
        size = len(character.encode())
        found |= 1 << (int(CLASSES[ord(character)]) if size == 1 else TWO + size - 2)
        at += size
    return found


def decoded(data: bytes) -> str:
    """The character these bytes spell, or nothing."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return text if len(text) == 1 else ""
