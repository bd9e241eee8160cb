"""Compile every kernel once, by running a small grammar over a small vocabulary through a matcher.

The first run on a machine compiles for some tens of seconds and says so in one line; a lock keeps processes that start
together from doing the same work twice. Afterwards machine code is loaded from disk.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.automata.lexed.masks import LexedMasks
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.terminals.body import place
from structgen.automata.terminals.registry import registry_of
from structgen.automata.terminals.rows import Exits
from structgen.automata.trie import TokenTrie, build_trie
from structgen.grammars.ir import ByteSet, Grammar, Literal, Ref, Repeat, Rule, Terminal, Unordered, alt, seq
from structgen.grammars.ir_lr import END, LexedGrammar
from structgen.kernels import entries, lexed
from structgen.kernels._jit import file_lock, kernel_cache_dir
from structgen.kernels.handles import handle
from structgen.kernels.layout import Words
from structgen.kernels.lr import CLASS
from structgen.kernels.rows import apply_rows
from structgen.kernels.survey import fewest_tokens
from structgen.kernels.tables import pack_rows, walk_tokens

__all__ = ["ensure_compiled"]

_DAY = 86_400.0  # seconds
_UNUSED_DAYS = 30
_log = logging.getLogger("structgen")


@functools.cache
def ensure_compiled() -> None:
    """Make sure the kernels are compiled and loaded, so that no mask waits for one: a quarter of a second, once per
    process. Compiling takes longer and says so on stderr, in one line.

    Where the cache folder cannot be written, kernels are compiled as they are first called, in every process.
    """
    marker = kernel_cache_dir() / "ready"
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return
    if _in_use(marker):
        return
    try:
        with file_lock(marker.parent.parent / "compile.lock"):
            if not _in_use(marker):
                _compile(marker)
            remove_unused(marker.parent.parent)
    except OSError as error:
        _log.warning("kernels are compiled anew by every process: %s; STRUCTGEN_CACHE_DIR names another folder", error)


def _compile(marker: Path) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    sys.stderr.write("structgen: compiling kernels, once on this machine (one to two minutes) ... ")
    sys.stderr.flush()
    run_every_kernel()
    marker.touch()
    sys.stderr.write(f"done in {time.perf_counter() - started:.1f} s\n")


def _in_use(marker: Path) -> bool:
    """Whether the kernels are there; leaves today's date on the marker."""
    try:
        if time.time() - marker.stat().st_mtime > _DAY:
            with contextlib.suppress(PermissionError):  # a cache made by another user can be read all the same
                marker.touch()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove_unused(folder: Path) -> None:
    """Remove machine code of other sources and versions that nobody used for a month; hold the compile lock.

    Processes that have it loaded keep it: they merely could not load more.
    """
    for old in folder.iterdir():
        marker = old / "ready"
        if marker.exists() and time.time() - marker.stat().st_mtime > _UNUSED_DAYS * _DAY:
            shutil.rmtree(old, ignore_errors=True)


def run_every_kernel() -> None:
    """Call every kernel with the argument types it has in earnest."""
    body = seq(Literal(b"["), Repeat(Ref(1), 2, 9), Literal(b"]"), Unordered(((Literal(b"x"), True),), Literal(b",")))
    some = Terminal(seq(Literal(b"l"), Repeat(ByteSet.of(b"ong"), 1, 99)))
    grammar = Grammar((Rule("list", body), Rule("item", alt(ByteSet.of(b"abcdef"), some))))
    configurations = Configurations(build_network(grammar))
    tokens = [b"", b"[", b"a", b"b", b"long", b"]x"]
    offsets = np.cumsum([0, *map(len, tokens)]).astype(np.int64)
    trie = build_trie(b"".join(tokens), offsets)
    MaskTable(configurations, trie, (0,), check=True).row(configurations.advance(2, b"[a"))
    terminal = registry_of(trie).terminal(next(iter(configurations.networks.terminals.values())))
    terminal.bounded(0, 0, 1, 99, True)
    terminal.exact(((0, 0),), True)
    terminal.after(place(b""))
    words = Words(np.frombuffer(b"".join(tokens), np.uint8), np.stack((offsets[:-1], offsets[1:]), axis=1))
    configurations.read(2, handle(words), 1)
    row, scratch = np.zeros(trie.words, np.uint32), trie.scratch()
    exits = Exits(np.zeros(257, np.int64), np.zeros((1, 4), np.int32))
    configurations.call(entries.fill_below, trie.handle, *exits, 99, 0, 2, row, scratch[1], scratch[0].no_cut)
    data = np.frombuffer(configurations.shortest(2), np.uint8)
    fewest_tokens(trie.arrays, data, np.zeros(len(data) + 1, np.int64), np.zeros(len(data), np.int32))
    configurations.arrive(1, 2)
    configurations.call(entries.rehash)
    configurations.call(entries.rehash_sets)
    run_lexed_kernels(trie)
    _run_token_tables(words.data, offsets)


def run_lexed_kernels(trie: TokenTrie) -> None:
    """The kernels of lexed grammars, on `start: "a"` with every character of its own class."""
    chain: tuple[dict[int, int], ...] = ({1: 1}, {}, {})
    grammar = LexedGrammar(
        source="",
        terminals=("$END", "A"),
        widths=(0, 1),
        nonterminals=("start",),
        shifts=chain,
        reduces=({}, {END: 0}, {}),
        gotos=({0: 2}, {}, {}),
        productions=((0, 1),),
        start=0,
        final=2,
        contexts=(None,),
        context_of=(0, 0, 0),
        ignored=frozenset(),
        symbols=1,
        bytes=((CLASS,) * 256,),
        lexer=_OneLetter,
    )
    automaton = LexedConfigurations(grammar)
    LexedMasks(automaton, trie, (0,)).row(2)
    automaton.live_bytes(2)
    automaton.shortest(2)
    lexed.rehash(automaton._memo)


class _OneLetter:
    """A lexer whose only token is one character."""

    def start(self, context: object, guard: int) -> int:
        return 1

    def successors(self, number: int) -> list[tuple[int, int]]:
        return [(1, 2)] if number == 1 else []

    def ends(self, number: int) -> list[tuple[int, int]]:
        return [(1, 0)] if number == 2 else []

    def may_end(self, number: int) -> bool:
        return number == 1


def _run_token_tables(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
    """The kernels over complete token tables and over logits of every width."""
    after, rows = np.zeros((3, len(offsets) - 1), np.int32), np.zeros((3, 1), np.int32)
    walk_tokens(np.zeros((3, 256), np.int32), data.copy(), offsets, after)
    pack_rows(after, rows)
    for width in (np.int16, np.int32, np.int64):
        apply_rows(np.zeros((1, 40), width), rows, np.zeros(1, np.int32), width(-1))
