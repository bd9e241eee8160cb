# ruff: noqa: D103 - what each of these does stands at the kernel it names
"""What Python calls: the kernels of an automaton behind its handle (kernels/handles.py).

Each returns what its kernel returns; meaning, shapes and dtypes stand there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels import brackets as _brackets
from structgen.kernels import compose as _compose
from structgen.kernels import distances as _distances
from structgen.kernels import earley as _earley
from structgen.kernels import interning as _interning
from structgen.kernels import likely as _likely_ways
from structgen.kernels import places as _places
from structgen.kernels import registers as _registers
from structgen.kernels import similar as _similar
from structgen.kernels import survey as _masks
from structgen.kernels import walks as _walks
from structgen.kernels._jit import MASKS
from structgen.kernels.handles import automaton, radix_of, scratch_of, tables_of, words_of
from structgen.kernels.layout import (
    BOOL_1D,
    F64_1D,
    F64_2D,
    I16_1D,
    I16_2D,
    I32_1D,
    I32_2D,
    I64_1D,
    I64_2D,
    I64_3D,
    U8_1D,
    U8_2D,
    U32_1D,
    U64_2D,
    Handle,
    In,
    Trie,
)

_arrive, _begin, _gather, _step, _explore = _earley.arrive, _earley.begin, _earley.gather, _earley.step, _earley.explore
_read, _likely = _places.read, _likely_ways.likely
_measure, _shortest = _distances.measure, _distances.shortest
_opening = _brackets.opening
_rehash, _rehash_sets, _with_member = _interning.rehash, _registers.rehash_sets, _registers.with_member
_fill_row, _fill_below, _survey, _split = _walks.fill_row, _walks.fill_below, _masks.survey, _masks.split
_nearest, _fill_apart = _walks.nearest, _walks.fill_apart
_composed, _walk_plainly, _similar_nodes = _compose.compose, _walks.walk_plainly, _similar.similar_nodes
ENDLESS, ALL = _walks.ENDLESS, _earley.ALL
CONFIGURATION = _walks.CONFIGURATION


@MASKS.entry
def begin(h: Handle) -> Any:
    net, memo, work = automaton(h)
    return _begin(net, memo, work)


@MASKS.entry
def step(h: Handle, config: int, byte: int) -> Any:
    net, memo, work = automaton(h)
    return _step(net, memo, work, config, byte)


@MASKS.entry
def explore(h: Handle, most: int) -> Any:
    net, memo, work = automaton(h)
    return _explore(net, memo, work, most)


@MASKS.entry
def read(h: Handle, words: Handle, config: int, token: int) -> Any:
    net, memo, work = automaton(h)
    return _read(net, memo, work, words_of(words), config, token)


@MASKS.entry
def opening(h: Handle, words: Handle, config: int, tokens: I64_1D, watched: BOOL_1D, opens: BOOL_1D) -> Any:
    net, memo, work = automaton(h)
    return _opening(net, memo, work, words_of(words), config, tokens, watched, opens)


@MASKS.entry
def likely(
    h: Handle, config: int, last: int, classes: I64_3D, weights: F64_2D, bits: F64_1D, texts: U8_2D, ends: I64_1D
) -> Any:
    net, memo, work = automaton(h)
    return _likely(net, memo, work, config, last, classes, weights, bits, texts, ends)


@MASKS.entry
def gather(h: Handle, items: I64_2D) -> Any:
    net, memo, work = automaton(h)
    return _gather(net, memo, work, items)


@MASKS.entry
def arrive(h: Handle, node: int, origin: int) -> Any:
    net, memo, work = automaton(h)
    return _arrive(net, memo, work, node, origin)


@MASKS.entry
def measure(h: Handle, config: int) -> Any:
    net, memo, _ = automaton(h)
    return _measure(net, memo, config)


@MASKS.entry
def shortest(h: Handle, config: int, out: U8_1D) -> Any:
    net, memo, work = automaton(h)
    return _shortest(net, memo, work, config, out)


@MASKS.entry
def rehash(h: Handle) -> Any:
    _, memo, _ = automaton(h)
    _rehash(memo)
    return 0


@MASKS.entry
def rehash_sets(h: Handle) -> Any:
    _, memo, _ = automaton(h)
    _rehash_sets(memo)
    return 0


@MASKS.entry
def with_member(h: Handle, number: int, bit: int) -> Any:
    _, memo, _ = automaton(h)
    return _with_member(memo, number, bit)


@MASKS.entry
def fill_row(h: Handle, trie: Handle, config: int, row: U32_1D, scratch: Handle, top: int, limit: int) -> Any:
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_row(net, memo, work, radix_of(trie), config, s.part, np.int64(ALL), row, s, top, s.no_cut, limit)


@MASKS.entry
def walk_plainly(h: Handle, trie: Trie, config: int, ends: I32_1D, path: I64_1D) -> Any:
    net, memo, work = automaton(h)
    return _walk_plainly(net, memo, work, trie, config, ends, path)


@MASKS.entry
def fill_part(
    h: Handle,
    trie: Handle,
    config: int,
    part: I64_1D,
    chosen: int,
    row: U32_1D,
    scratch: Handle,
    top: int,
    cut: I64_2D,
    limit: int,
) -> Any:
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_row(net, memo, work, radix_of(trie), config, part, chosen, row, s, top, cut, limit)


@MASKS.entry
def split(h: Handle, span: I32_1D, config: int, part: I64_1D, groups: I64_2D) -> Any:
    _, memo, _ = automaton(h)
    return _split(memo, span, config, part, groups)


@MASKS.entry
def survey(
    h: Handle,
    trie: Handle,
    config: int,
    top: int,
    need: I16_1D,
    closed: BOOL_1D,
    exits: I64_2D,
    leaves: U8_1D,
    known: I16_2D,
    path: U64_2D,
) -> Any:
    net, memo, work = automaton(h)
    return _survey(net, memo, work, radix_of(trie), config, top, need, closed, exits, leaves, known, path)


@MASKS.entry
def fill_below(
    h: Handle,
    trie: Handle,
    first: I64_1D,
    exits: I32_2D,
    most: int,
    least: int,
    config: int,
    row: U32_1D,
    scratch: Handle,
    cut: I64_2D,
) -> Any:
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_below(net, memo, work, radix_of(trie), first, exits, most, least, config, row, s, cut)


@MASKS.entry
def compose(
    h: Handle,
    trie: Handle,
    tables: Handle,
    scratch: Handle,
    cut: I64_2D,
    config: int,
    row: U32_1D,
    limit: int,
    stops: In[U32_1D],
) -> Any:
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _composed(net, memo, work, radix_of(trie), tables_of(tables), s, cut, config, row, limit, stops)


@MASKS.entry
def nearest(h: Handle, trie: Handle, config: int, bases: I64_1D) -> Any:
    net, memo, work = automaton(h)
    return _nearest(net, memo, work, radix_of(trie), config, bases)


@MASKS.entry
def fill_apart(h: Handle, trie: Handle, config: int, base: int, row: U32_1D, scratch: Handle) -> Any:
    net, memo, work = automaton(h)
    return _fill_apart(net, memo, work, radix_of(trie), config, base, row, scratch_of(scratch))


@MASKS.entry(allocates=True)
def similar_nodes(h: Handle, moves: I64_1D, silently: bool, compared: BOOL_1D, names: I32_2D) -> Any:
    net, _, _ = automaton(h)
    return _similar_nodes(net, moves, silently, compared, names)
