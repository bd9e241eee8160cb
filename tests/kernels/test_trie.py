"""The trie against a dictionary of prefixes; damaged files are rebuilt."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from structgen.automata.trie import TokenTrie, build_trie
from structgen.disk_cache import load_trie, save_trie
from structgen.errors import InvariantError
from structgen.kernels.layout import BRANCH, BYTE, CHAINED, KIDS, LEAF, NO_TOKEN, SEVERAL, TOKEN


def trie_of(tokens: list[bytes]) -> TokenTrie:
    return build_trie(b"".join(tokens), np.cumsum([0, *map(len, tokens)]).astype(np.int64))


def spelled(trie: TokenTrie) -> dict[bytes, list[int]]:
    """Walk the arrays: the text of every node with the tokens that end there."""
    a, out, path = trie.arrays, {}, bytearray()
    for node in range(len(a.byte)):
        del path[max(int(a.depth[node]) - 1, 0) :]
        if node:
            path.append(int(a.byte[node]))
        out[bytes(path)] = sorted(a.token[a.token_start[node] : a.token_start[node + 1]].tolist())
    return out


@pytest.mark.parametrize("seed", range(20))
def test_against_prefixes(seed: int) -> None:
    rng = random.Random(seed)
    tokens = [bytes(rng.choices(b"ab\xff\x00", k=rng.randint(0, 5))) for _ in range(rng.randint(0, 60))]
    trie = trie_of(tokens)
    trie.validate()
    expected: dict[bytes, list[int]] = {b"": []}
    for number, token in enumerate(tokens):
        for end in range(1, len(token) + 1):
            expected.setdefault(token[:end], [])
        if token:
            expected[token].append(number)
    assert spelled(trie) == expected


def children(trie: TokenTrie, node: int) -> dict[int, int]:
    """The children of a node by byte, as the radix trie has them."""
    radix, branch = trie.radix, int(trie.radix.nodes[node, BRANCH])
    if branch == LEAF:
        return {}
    if branch == CHAINED:
        return {int(radix.nodes[node + 1, BYTE]) & 255: node + 1}
    words, at = radix.branches[branch, :4].tolist(), int(radix.branches[branch, KIDS])
    members = [byte for byte in range(256) if words[byte >> 6] >> (byte & 63) & 1]
    return dict(zip(members, radix.kids[at : at + len(members)].tolist(), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_the_radix_trie_has_the_same_children_and_tokens(seed: int) -> None:
    rng = random.Random(seed)
    tokens = [bytes(rng.choices(b"ab\xff\x00", k=rng.randint(0, 5))) for _ in range(rng.randint(0, 60))]
    trie = trie_of(tokens)
    a, expected = trie.arrays, [dict[int, int]() for _ in trie.arrays.byte]
    path = [0]
    for node in range(1, len(a.byte)):
        del path[int(a.depth[node]) :]
        expected[path[-1]][int(a.byte[node])] = node
        path.append(node)
    assert [children(trie, node) for node in range(len(a.byte))] == expected
    ends = np.diff(a.token_start)
    kinds = np.where(ends > 1, SEVERAL, NO_TOKEN)
    single = ends == 1
    kinds[single] = a.token[a.token_start[:-1][single]]
    assert (trie.radix.nodes[:, TOKEN] == kinds).all()
    assert all(trie.branch(node) >= 0 for node in (0, *children(trie, 0).values()) if children(trie, node) or not node)


def test_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("STRUCTGEN_CACHE_DIR", str(tmp_path))
    trie = trie_of([b"a", b"ab", b"b"])
    assert load_trie("x") is None
    save_trie("x", trie)
    loaded = load_trie("x")
    assert loaded is not None and spelled(loaded) == spelled(trie) and loaded.size == trie.size
    (tmp_path / "tries" / "x.npz").write_bytes(b"not a trie")
    assert load_trie("x") is None and "damaged" in caplog.text


def test_validate_notices_damage() -> None:
    trie = trie_of([b"a", b"ab", b"b"])
    trie.arrays.skip[1] = 0
    with pytest.raises(InvariantError, match="T3"):
        trie.validate()
