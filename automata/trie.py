"""From the bytes of a vocabulary to its byte trie (layout.Trie), built in one pass over the sorted tokens.

Cost: sorting n tokens, then linear in their bytes (128,256 tokens: about 0.1 s, 11 MB).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.kept_rows import KeptRows
from structgen.bits import words_for
from structgen.errors import InvariantError, VocabularyError
from structgen.kernels.handles import handle
from structgen.kernels.layout import BRANCH, PATH, THE_END, Radix, Scratch, Trie
from structgen.kernels.self_loops import classes_below
from structgen.kernels.trie import build_radix, part_longer
from structgen.kernels.trie import build_trie as fill_trie

NO_CUT = np.zeros((1, 2), np.int64)  # see kernels/walks.py, fill_row
MOST_GROUPS = 32
MOST_ITEMS = 256  # of a state whose mask a kernel puts together by itself


@dataclass(frozen=True, eq=False)
class TokenTrie:
    """The trie's arrays, the length of the longest token and the size of the vocabulary (bits in a mask).

    `radix` is the same trie as walks read it, and `handle` how kernels reach that (kernels/handles.py); `nodes` i64
    (t,) the node at which each token of arrays.token ends.

    Invariants (validate() checks them):
        T1  byte, depth, skip have n entries, token_start n + 1
        T2  depth[0] = 0, every other depth is at most one more than its predecessor's
        T3  i < skip[i] <= n, and everything in between is deeper
        T4  token_start ascends; token ids are below `size`
    """

    arrays: Trie
    longest: int
    size: int

    @property
    def words(self) -> int:
        """uint32 words of a mask row."""
        return words_for(self.size)

    @cached_property
    def radix(self) -> Radix:
        """The children of each node by byte; 5 ms and 6 MB for 128,256 tokens."""
        n = len(self.arrays.byte)
        below, own = np.empty(n, np.uint64), np.empty(n, np.uint64)
        classes_below(self.arrays, own, below, np.zeros((2, self.longest + 2), np.int64))
        nodes, kids = np.empty((n, 4), np.int32), np.empty(n, np.int32)
        branches = np.empty((n // 2 + 258, 6), np.uint64)
        used, children = build_radix(self.arrays, below, nodes, branches, kids)
        return Radix(nodes, branches[:used].copy(), kids[:children].copy(), self.arrays.token_start, self.arrays.token)

    @cached_property
    def handle(self) -> Any:
        """`radix` by address."""
        return handle(self.radix)

    def branch(self, node: int) -> int:
        """The number of the root or one of its children in `radix`."""
        return int(self.radix.nodes[node, BRANCH])

    def scratch(self) -> tuple[Scratch, Any]:
        """Room for one mask at a time and its handle, the calling thread's own."""
        own = self._own
        try:
            return own.scratch  # type: ignore[no-any-return]
        except AttributeError:
            part, chosen = np.zeros((2, MOST_ITEMS), np.int64)
            scratch = Scratch(
                part=part,
                chosen=chosen,
                groups=np.zeros((MOST_GROUPS, 3), np.int64),
                root=np.zeros(256, np.int32),
                seeds=np.zeros((256, 2), np.int64),
                path=np.zeros((self.longest + 2, PATH), np.uint64),
                no_cut=NO_CUT,
                noted=np.zeros(0, np.int64),
                awaited=np.full(1, THE_END, np.int64),
            )
            own.scratch = scratch, handle(scratch)
            return own.scratch  # type: ignore[no-any-return]

    @cached_property
    def rows(self) -> KeptRows:
        """The rows of the vocabulary, each once."""
        return KeptRows(self.words)

    @cached_property
    def _own(self) -> threading.local:
        return threading.local()

    @cached_property
    def nodes(self) -> NDArray[np.int64]:
        """The node at which each token of arrays.token ends."""
        return np.repeat(np.arange(len(self.arrays.byte)), np.diff(self.arrays.token_start))

    @cached_property
    def counted(self) -> NDArray[np.int32]:
        """0, 1, 2, ... up to the number of tokens with a text."""
        return np.arange(len(self.arrays.token) + 1, dtype=np.int32)

    def longer(self, most: int) -> tuple[NDArray[np.uint32], TokenTrie]:
        """The bits of the tokens of up to `most` bytes, u32 (words,), and a trie of all others; made once."""
        with self._guard:
            if most not in self._longer:
                short = np.zeros(self.words, np.uint32)
                left = Trie(*map(np.empty_like, self.arrays))
                scratch = np.empty((2, len(left.byte) + 1), np.int32)
                n, tokens = part_longer(self.arrays, most, short, left, scratch)
                starts, ids = left.token_start[: n + 1].copy(), left.token[:tokens].copy()
                left = Trie(left.byte[:n].copy(), left.depth[:n].copy(), left.skip[:n].copy(), starts, ids)
                self._longer[most] = short, TokenTrie(left, self.longest, self.size)
            return self._longer[most]

    @cached_property
    def _longer(self) -> dict[int, tuple[NDArray[np.uint32], TokenTrie]]:
        return {}

    @cached_property
    def _guard(self) -> threading.Lock:
        return threading.Lock()

    def sections(self, size: int) -> tuple[int, ...]:
        """The children of the root below which more than `size` nodes lie, such as that of the byte ' '."""
        found, node, skip = [], 1, self.arrays.skip
        while node < len(skip):
            if skip[node] - node > size:
                found.append(node)
            node = int(skip[node])
        return tuple(found)

    def validate(self) -> None:
        """Raise InvariantError if the arrays break their contract (always called on load)."""
        a, n = self.arrays, len(self.arrays.byte)
        if not (len(a.depth) == len(a.skip) == n and len(a.token_start) == n + 1):
            raise InvariantError("T1", "lengths")
        depth = a.depth.astype(np.int64)
        if depth[0] != 0 or (depth[1:] < 1).any() or (np.diff(depth) > 1).any():
            raise InvariantError("T2", "depths")
        ids = np.arange(n)
        if (a.skip <= ids).any() or (a.skip > n).any():
            raise InvariantError("T3", "subtree ends")
        ends = a.skip[a.skip < n]
        if (depth[ends] > depth[ids[a.skip < n]]).any():
            raise InvariantError("T3", "a subtree ends inside itself")
        if a.token_start[0] != 0 or a.token_start[-1] != len(a.token) or (np.diff(a.token_start) < 0).any():
            raise InvariantError("T4", "token lists")
        if len(a.token) and not (a.token.min() >= 0 and a.token.max() < self.size):
            raise InvariantError("T4", "token ids")


def build_trie(data: bytes, offsets: NDArray[np.int64], skip_ids: frozenset[int] = frozenset()) -> TokenTrie:
    """Trie of the tokens `data[offsets[t]:offsets[t + 1]]`; ids in `skip_ids` and tokens without bytes stay out."""
    size = len(offsets) - 1
    bounds = offsets.tolist()
    tokens = [data[a:b] for a, b in pairwise(bounds)]
    order = sorted((t for t in range(size) if tokens[t] and t not in skip_ids), key=tokens.__getitem__)
    longest = max((len(tokens[t]) for t in order), default=0)
    if longest > 60_000:
        raise VocabularyError(f"a token of {longest} bytes; at most 60,000 are supported")
    room = int(sum(len(tokens[t]) for t in order)) + 1
    byte, depth = np.zeros(room, np.uint8), np.zeros(room, np.uint16)
    skip, token_start = np.zeros(room, np.int32), np.zeros(room + 1, np.int32)
    ids = np.array(order, np.int32)
    raw = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    path = np.zeros(longest + 1, np.int64)
    n = fill_trie(raw, offsets.astype(np.int64), ids, byte, depth, skip, token_start, path)
    arrays = Trie(byte[:n].copy(), depth[:n].copy(), skip[:n].copy(), token_start[: n + 1].copy(), ids)
    return TokenTrie(arrays, longest, size)
