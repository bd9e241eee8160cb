"""Compile every kernel once, by running a small grammar over a small vocabulary through a matcher.

The first run on a machine compiles for some tens of seconds and says so in one line; a lock keeps processes that start
together from doing the same work twice. Afterwards machine code is loaded from disk.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Iterator

import numpy as np

from structgen.automata.configurations import Configurations
from structgen.automata.local import build_local
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.trie import build_trie
from structgen.grammars.ir import ByteSet, Grammar, Literal, Ref, Repeat, Rule, Unordered, alt, seq
from structgen.kernels import interning, registers
from structgen.kernels._jit import kernel_cache_dir
from structgen.kernels.masks import change_row, fewest_tokens, find_loop

__all__ = ["ensure_compiled"]


@functools.cache
def ensure_compiled() -> None:
    """Make sure the kernels are compiled; instant when they are. Says so on stderr, in one line, when they are not."""
    marker = kernel_cache_dir() / "ready"
    if marker.exists() or os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return
    with _alone():
        if marker.exists():
            return
        started = time.perf_counter()
        sys.stderr.write("structgen: compiling kernels, once on this machine (about half a minute) ... ")
        sys.stderr.flush()
        run_every_kernel()
        marker.touch()
        sys.stderr.write(f"done in {time.perf_counter() - started:.1f} s\n")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the cache folder's lock; where the platform has no flock, compiling twice is merely wasteful."""
    folder = kernel_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_every_kernel() -> None:
    """Call every kernel with the argument types it has in earnest."""
    body = seq(Literal(b"["), Repeat(Ref(1), 2, 9), Literal(b"]"), Unordered(((Literal(b"x"), True),), Literal(b",")))
    grammar = Grammar((Rule("list", body), Rule("item", alt(ByteSet.of(b"ab"), Literal(b"long")))))
    configurations = Configurations(build_network(grammar))
    tokens = [b"", b"[", b"a", b"b", b"long", b"]x"]
    offsets = np.cumsum([0, *map(len, tokens)]).astype(np.int64)
    trie = build_trie(b"".join(tokens), offsets)
    MaskTable(configurations, trie, (0,)).row(configurations.advance(2, b"[a"))
    build_local(configurations, trie, 2, ((int(configurations.networks.arrays.rules[2, 0]), 0),))
    configurations.resume(2, 2)
    data = np.frombuffer(configurations.shortest(2), np.uint8)
    row, paths = np.zeros(trie.words, np.uint32), np.zeros((2, trie.longest + 2), np.int64)
    configurations.call(change_row, trie.arrays, 2, 2, row, paths)
    configurations.call(find_loop, 2, data, np.zeros(len(data), np.int64))
    fewest_tokens(trie.arrays, data, np.zeros(len(data) + 1, np.int64), np.zeros(len(data), np.int32))
    interning.rehash(configurations._memo)
    registers.rehash_sets(configurations._memo)
