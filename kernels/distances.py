"""How far it is from a configuration to a complete text: exact byte counts, worked out when somebody asks.

Configurations are measured in the order they were made, up to the one asked for, each once; so a mask never pays for it
(new configurations cost a quarter less). Cost: linear in items and callers. Reference: automata/reference.py.
"""

from __future__ import annotations

from structgen.kernels._jit import inner
from structgen.kernels.analysis import is_required
from structgen.kernels.callers import first_caller
from structgen.kernels.earley import look, step
from structgen.kernels.layout import (
    ATTR,
    BACK_ATTR,
    BACK_FAR,
    BACK_ORIGIN,
    BACK_TO,
    BODY,
    BY_RULE,
    CALLERS,
    COUNTED,
    DISTANCE,
    EXIT,
    EXTRA,
    FAR,
    FINAL,
    ITEMS,
    KIND,
    LEAST,
    LONG,
    MEMBER,
    MEMBERS,
    MINIMUM,
    N_MEASURED,
    NODE,
    ORIGIN,
    RULE,
    SEGMENT,
    SORT,
    WEIGHED,
)
from structgen.kernels.registers import written


@inner
def rest_of_segment(net, memo, node, attr):  # type: ignore[no-untyped-def]
    """Fewest bytes from an item's node to the end of its rule."""
    g = net.nodes[node, SEGMENT]
    if g < 0 or net.segments[g, SORT] == WEIGHED:
        return net.nodes[node, LEAST]
    total = net.nodes[node, LEAST] + net.segments[g, EXIT]
    if net.segments[g, SORT] == COUNTED:
        left = net.segments[g, MINIMUM] - attr - 1
        if left > 0:
            total += min(left, LONG // (net.segments[g, BODY] + 1)) * net.segments[g, BODY]
        return min(total, LONG)
    separators, best = 0, net.segments[g, EXTRA]
    for k in range(net.segments[g + 1, MEMBERS] - net.segments[g, MEMBERS]):
        if not written(net, memo, g, attr, k):
            cost = net.members[net.segments[g, MEMBERS] + k]
            best = min(best, cost)
            if is_required(net, g, k):
                total += cost
                separators += 1
    if net.segments[g, SORT] == MEMBER:
        total += separators * net.segments[g, BODY]
    elif separators == 0:
        total += best
    else:
        total += (separators - 1) * net.segments[g, BODY]
    return min(total, LONG)


@inner
def far_beyond(net, memo, node, origin):  # type: ignore[no-untyped-def]
    """Fewest bytes still to write once the rule of `node`, called in `origin`, is complete."""
    if net.nodes[node, KIND] & FINAL or net.nodes[node, RULE] == 0:
        return 0
    rule, best = net.nodes[node, RULE], FAR
    for e in range(first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        best = min(best, memo.callers[e, BACK_FAR])
    return best


@inner
def _measure_callers(net, memo, config):  # type: ignore[no-untyped-def]
    """Distances of a configuration's callers to a complete text; a fixpoint, since callers may lie here too."""
    base, callers = memo.configs[config, CALLERS], memo.configs[config + 1, CALLERS]
    for e in range(base, callers):
        memo.callers[e, BACK_FAR] = FAR
    changed = True
    while changed:
        changed = False
        for e in range(base, callers):
            to, origin = memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN]
            far = rest_of_segment(net, memo, to, memo.callers[e, BACK_ATTR]) + far_beyond(net, memo, to, origin)
            if far < memo.callers[e, BACK_FAR]:
                memo.callers[e, BACK_FAR] = min(far, LONG)
                changed = True


@inner
def measure(net, memo, config):  # type: ignore[no-untyped-def]
    """Fill DISTANCE and BACK_FAR of every configuration up to `config`; its distance."""
    for c in range(memo.counts[N_MEASURED], config + 1):
        _measure_callers(net, memo, c)
        best = FAR
        for i in range(memo.configs[c, ITEMS], memo.configs[c + 1, ITEMS]):
            node, origin = memo.items[i, NODE], memo.items[i, ORIGIN]
            far = rest_of_segment(net, memo, node, memo.items[i, ATTR]) + far_beyond(net, memo, node, origin)
            best = min(best, far)
        memo.configs[c, DISTANCE] = min(best, LONG)
        memo.counts[N_MEASURED] = c + 1
    return memo.configs[config, DISTANCE]


@inner
def shortest(net, memo, work, config, out):  # type: ignore[no-untyped-def]
    """Write a byte-shortest completion of `config` into u8 array `out`; its length, or GROW / CROWDED.

    Of equally short completions the one with the smallest bytes; `out` must hold distance[config] bytes.
    """
    n = 0
    left = measure(net, memo, config)
    while left > 0:
        for byte in range(256):
            if look(memo, config, byte) == 0:
                continue
            after = step(net, memo, work, config, byte)
            if after < 0:
                return after
            if measure(net, memo, after) == left - 1:
                out[n] = byte
                n += 1
                config, left = after, left - 1
                break
    return n
