"""From tokens that may come next to those that open what is watched: a `[` or `{` that begins a rule of some kind.

Outside arrays of distinct elements such a token is the only one that could go wrong; almost none is one, in a string
above all, where brackets are text. Cost: reading the tokens, 0.1 us each where their bytes were read before.
Twin: DistinctConfigurations.advance (structgen/unique/automaton.py), which follows what was opened.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import inner
from structgen.kernels.earley import ALL
from structgen.kernels.layout import ITEMS, NODE, RULE
from structgen.kernels.places import LIGHT, NODES, reach


@inner
def opening(net, memo, work, words, config, tokens, watched, opens):  # type: ignore[no-untyped-def]
    """Write into bool `opens` (n,) which of i64 `tokens` (n,), all of them texts that may come after `config`, hold a
    bracket behind which one of the rules in bool `watched` (rules,) is at work; 0, or GROW / CROWDED (call again)."""
    for k in range(len(tokens)):
        place, opens[k] = np.int64(config), False
        for at in range(words.spans[tokens[k], 0], words.spans[tokens[k], 1]):
            byte = np.int64(words.data[at])
            place = reach(net, memo, work, place, byte, work.clock, np.int64(ALL))
            if place < 0:
                return place
            if (byte == 0x5B or byte == 0x7B) and _at_work(net, memo, place, watched):
                opens[k] = True
                break
    return np.int64(0)


@inner
def _at_work(net, memo, place, watched):  # type: ignore[no-untyped-def]
    """Whether one of the items that a place is made of belongs to a watched rule."""
    if place >= LIGHT:
        return watched[net.nodes[place & NODES, RULE]]
    for i in range(memo.configs[place, ITEMS], memo.configs[place + 1, ITEMS]):
        if watched[net.nodes[memo.items[i, NODE], RULE]]:
            return True
    return False
