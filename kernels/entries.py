# ruff: noqa: D103 - what each of these does stands at the kernel it names
"""What Python calls: the kernels of an automaton behind its handle (kernels/handles.py).

Each returns what its kernel returns; meaning, shapes and dtypes stand there.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels import compose as _compose
from structgen.kernels import distances as _distances
from structgen.kernels import earley as _earley
from structgen.kernels import interning as _interning
from structgen.kernels import registers as _registers
from structgen.kernels import survey as _masks
from structgen.kernels import walks as _walks
from structgen.kernels._jit import jit
from structgen.kernels.handles import automaton, radix_of, scratch_of, shares_of, words_of

_arrive, _begin, _gather, _step, _read = _earley.arrive, _earley.begin, _earley.gather, _earley.step, _earley.read
_measure, _shortest = _distances.measure, _distances.shortest
_rehash, _rehash_sets = _interning.rehash, _registers.rehash_sets
_fill_row, _fill_below, _survey, _split = _walks.fill_row, _walks.fill_below, _masks.survey, _masks.split
_composed, _walk_plainly = _compose.compose, _walks.walk_plainly
ASK, LONG_WALK, ENDLESS, ALL = _compose.ASK, _walks.LONG_WALK, _walks.ENDLESS, _earley.ALL
CONFIGURATION = _walks.CONFIGURATION
ODD = _earley.ODD


@jit
def begin(h):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _begin(net, memo, work)


@jit
def step(h, config, byte):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _step(net, memo, work, config, byte)


@jit
def read(h, words, config, token):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _read(net, memo, work, words_of(words), config, token)


@jit
def gather(h, items):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _gather(net, memo, work, items)


@jit
def arrive(h, node, origin):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _arrive(net, memo, work, node, origin)


@jit
def measure(h, config):  # type: ignore[no-untyped-def]
    net, memo, _ = automaton(h)
    return _measure(net, memo, config)


@jit
def shortest(h, config, out):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _shortest(net, memo, work, config, out)


@jit
def rehash(h):  # type: ignore[no-untyped-def]
    _, memo, _ = automaton(h)
    _rehash(memo)
    return 0


@jit
def rehash_sets(h):  # type: ignore[no-untyped-def]
    _, memo, _ = automaton(h)
    _rehash_sets(memo)
    return 0


@jit
def fill_row(h, trie, config, row, scratch, top, limit):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_row(net, memo, work, radix_of(trie), config, s.part, np.int64(ALL), row, s, top, s.no_cut, limit)


@jit
def walk_plainly(h, trie, config, row, path):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _walk_plainly(net, memo, work, trie, config, row, path)


@jit
def fill_part(h, trie, config, part, chosen, row, scratch, top, cut, limit):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_row(net, memo, work, radix_of(trie), config, part, chosen, row, s, top, cut, limit)


@jit
def split(h, span, config, part, groups):  # type: ignore[no-untyped-def]
    _, memo, _ = automaton(h)
    return _split(memo, span, config, part, groups)


@jit
def survey(h, trie, config, top, need, closed, exits, leaves, known, path):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _survey(net, memo, work, radix_of(trie), config, top, need, closed, exits, leaves, known, path)


@jit
def fill_below(h, trie, first, exits, most, least, config, row, scratch, cut):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    s = scratch_of(scratch)
    return _fill_below(net, memo, work, radix_of(trie), first, exits, most, least, config, row, s, cut)


@jit
def compose(h, trie, shares, scratch, cut, config, row):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _composed(net, memo, work, radix_of(trie), shares_of(shares), scratch_of(scratch), cut, config, row)
