"""Rows that do not depend on the context: which tokens stay inside a rule, and what is left of those that leave it.

A group of items with one rule and one origin behaves the same wherever the rule was called, up to the point where it
returns. So the group is walked once with an origin of its own (an "island"): the tokens that stay inside make a row for
every context, and a token that leaves becomes a suffix to be checked in the context of the call. For the body of a JSON
string over 128,256 tokens that is a few hundred suffixes instead of 270,000 trie nodes.

Rows of small networks that call no rule are kept per vocabulary for the whole process, by what can be reached from the
items (`signature`): the same string body in another grammar finds its row ready. Cost of a row: a full walk, and a pass
over the subtrees below the places of leaving.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.trie import TokenTrie, build_trie
from structgen.kernels import masks
from structgen.kernels.layout import (
    ARC_TO,
    ARCS,
    ARG,
    CALLS,
    CHAIN,
    ENDS,
    KIND,
    OP,
    SET,
    SILENT,
    SILENT_TO,
    WIDE,
    Network,
    Trie,
)  # fmt: skip

MOST_SUFFIXES = 20_000  # beyond that, walking them is no cheaper than a full walk

MOST_SHARED = 1_000  # rows kept per vocabulary
MOST_NODES = 200  # of a network that is compared by what can be reached in it

Items = tuple[tuple[int, int], ...]  # (node, register)


@dataclass(frozen=True, slots=True, eq=False)
class LocalRow:
    """`row` u32 (words,): tokens that stay inside; `suffixes`: what follows the exit, with the tokens that have it."""

    row: NDArray[np.uint32]
    suffixes: Trie


@dataclass(slots=True, eq=False)
class Met:
    """What was met once: a row is worth making the second time."""

    keys: set[object] = field(default_factory=set)

    def first_time(self, key: object) -> bool:
        """Whether `key` is new (or long forgotten); remembers it."""
        if key in self.keys:
            return False
        if len(self.keys) >= 64 * MOST_SHARED:
            self.keys.clear()
        self.keys.add(key)
        return True


@dataclass(slots=True, eq=False)
class SharedRows:
    """A vocabulary's process-wide local rows: `rows` by signature, signatures met once, `heads` of those in rows."""

    rows: dict[object, LocalRow] = field(default_factory=dict)
    met: Met = field(default_factory=Met)
    heads: set[object] = field(default_factory=set)

    def keep(self, key: object, head: object, local: LocalRow) -> None:
        """Add a row; beyond MOST_SHARED (16 kB each at 128k tokens) the oldest goes."""
        if len(self.rows) >= MOST_SHARED:
            del self.rows[next(iter(self.rows))]
        self.rows[key] = local
        self.heads.add(head)


_shared: weakref.WeakKeyDictionary[TokenTrie, SharedRows] = weakref.WeakKeyDictionary()


def shared_rows(trie: TokenTrie) -> SharedRows:
    """The rows of this vocabulary."""
    return _shared.setdefault(trie, SharedRows())


def head(network: Network, items: Items) -> object:
    """A cheap part of the signature: registers, and the byte edges of the first node."""
    here, after = network.nodes[items[0][0]], network.nodes[items[0][0] + 1]
    arcs = network.sets[network.arcs[here[ARCS] : after[ARCS], SET]].tobytes()
    return tuple(attr for _, attr in items), int(here[CHAIN]), arcs


def signature(network: Network, items: Items) -> object:
    """All that decides what items do inside their rule: the nodes they reach, renumbered in the order of reaching.

    Equal signatures mean equal behaviour in any grammar. None when that cannot be said: a call is reached, a register
    numbers a set of this grammar, or there are too many nodes.
    """
    number: dict[int, int] = {}
    for node, _ in items:
        number.setdefault(node, len(number))
    told: list[object] = []
    order = list(number)
    for node in order:
        here, after = network.nodes[node], network.nodes[node + 1]
        if here[CALLS] != after[CALLS] or len(number) > MOST_NODES:
            return None
        edges: list[tuple[object, ...]] = []
        if here[CHAIN] >= 0:
            edges.append((int(here[CHAIN]), node + 1))
        for arc in network.arcs[here[ARCS] : after[ARCS]].tolist():
            edges.append((network.sets[arc[SET]].tobytes(), arc[ARC_TO]))
        for jump in network.silent[here[SILENT] : after[SILENT]].tolist():
            if jump[OP] >= WIDE:
                return None
            edges.append((jump[OP], jump[ARG], jump[SILENT_TO]))
        for edge in edges:
            if edge[-1] not in number:
                number[edge[-1]] = len(number)  # type: ignore[index]
                order.append(edge[-1])  # type: ignore[arg-type]
        told.append((int(here[KIND]) & ENDS, tuple((*edge[:-1], number[edge[-1]]) for edge in edges)))  # type: ignore[index]
    return tuple((number[node], attr) for node, attr in items), tuple(told)


def build_local(configurations: Configurations, trie: TokenTrie, rule: int, items: Items) -> LocalRow | None:
    """The local row of items (node, attr) of one rule; None when too many tokens leave the rule."""
    origin = configurations.island(rule)
    state = configurations.gather([(node, origin, attr) for node, attr in items])
    row = np.zeros(trie.words, np.uint32)
    exits = np.zeros(len(trie.arrays.byte) + 1, np.int32)
    path = np.zeros(trie.longest + 2, np.int64)
    configurations.call(masks.fill_row, trie.arrays, state, row, exits, path)
    leaving = _leaving(trie.arrays, exits[1 : exits[0] + 1].tolist(), row)
    if leaving is None:
        return None
    row.flags.writeable = False
    return LocalRow(row, _suffix_trie(leaving))


def _leaving(trie: Trie, exits: list[int], row: NDArray[np.uint32]) -> list[tuple[bytes, int]] | None:
    """(suffix, token) of every token below an exit that does not stay inside as well."""
    if sum(int(trie.token_start[trie.skip[e]] - trie.token_start[e + 1]) for e in exits) > MOST_SUFFIXES:
        return None
    out = []
    for e in exits:
        above, text = int(trie.depth[e]), bytearray()
        for node in range(e + 1, int(trie.skip[e])):
            del text[int(trie.depth[node]) - above - 1 :]
            text.append(int(trie.byte[node]))
            for token in trie.token[trie.token_start[node] : trie.token_start[node + 1]].tolist():
                if not row[token >> 5] >> np.uint32(token & 31) & np.uint32(1):
                    out.append((bytes(text), token))
    return out


def _suffix_trie(leaving: list[tuple[bytes, int]]) -> Trie:
    texts = [text for text, _ in leaving]
    made = build_trie(b"".join(texts), np.cumsum([0, *map(len, texts)]).astype(np.int64)).arrays
    tokens = np.array([token for _, token in leaving], np.int32)
    return made._replace(token=tokens[made.token])
