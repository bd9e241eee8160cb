# ruff: noqa: D103 - what each of these does stands at the kernel it names
"""What Python calls: the kernels of an automaton behind its handle (kernels/handles.py).

Each returns what its kernel returns; meaning, shapes and dtypes stand there.
"""

from __future__ import annotations

from structgen.kernels import compose as _compose
from structgen.kernels import distances as _distances
from structgen.kernels import earley as _earley
from structgen.kernels import interning as _interning
from structgen.kernels import masks as _masks
from structgen.kernels import registers as _registers
from structgen.kernels._jit import jit
from structgen.kernels.handles import automaton, shares_of, trie_of

_arrive, _begin, _gather, _step = _earley.arrive, _earley.begin, _earley.gather, _earley.step
_measure, _shortest = _distances.measure, _distances.shortest
_rehash, _rehash_sets = _interning.rehash, _registers.rehash_sets
_fill_row, _fill_below, _survey, _split = _masks.fill_row, _masks.fill_below, _masks.survey, _masks.split
_composed = _compose.compose
ASK, LONG_WALK, ENDLESS, EVERY = _compose.ASK, _masks.LONG_WALK, _compose.ENDLESS, _earley.EVERY


@jit
def begin(h):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _begin(net, memo, work)


@jit
def step(h, config, byte):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _step(net, memo, work, config, byte)


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
def fill_row(h, trie, config, row, root, path, cut):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _fill_row(net, memo, work, trie_of(trie), config, EVERY, 0, row, root, path, 0, cut, ENDLESS)


@jit
def fill_part(h, trie, config, part, chosen, row, root, path, top, cut, limit):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _fill_row(net, memo, work, trie_of(trie), config, part, chosen, row, root, path, top, cut, limit)


@jit
def split(h, span, config, part, groups):  # type: ignore[no-untyped-def]
    _, memo, _ = automaton(h)
    return _split(memo, span, config, part, groups)


@jit
def survey(h, trie, config, top, need, closed, exits, leaves, known, path):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _survey(net, memo, work, trie_of(trie), config, top, need, closed, exits, leaves, known, path)


@jit
def fill_below(h, trie, first, exits, most, least, config, row, path, cut):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _fill_below(net, memo, work, trie_of(trie), first, exits, most, least, config, row, path, cut)


@jit
def compose(h, trie, shares, cut, config, row):  # type: ignore[no-untyped-def]
    net, memo, work = automaton(h)
    return _composed(net, memo, work, trie_of(trie), shares_of(shares), cut, config, row)
