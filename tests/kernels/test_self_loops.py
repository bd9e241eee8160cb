"""The classes of characters below a node of the trie, against the texts below it."""

from __future__ import annotations

import numpy as np

from structgen.kernels.self_loops import CLASSES, NO_CHARACTER, TWO, classes_below
from tests.automata.test_walks import TRIE


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
