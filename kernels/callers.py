"""Who called a rule where, and how far it is from there to the end of the text.

Callers of a configuration are sorted by rule. A tail call hands down the callers of its own rule (Leo 1991), so closing
a right recursion of depth d costs O(1), not O(d). Distances are exact byte counts, known when a configuration is made.
"""

from __future__ import annotations

from structgen.kernels._jit import jit
from structgen.kernels.agenda import push
from structgen.kernels.analysis import is_required
from structgen.kernels.layout import (
    BACK_ATTR,
    BACK_FAR,
    BACK_ORIGIN,
    BACK_TO,
    BODY,
    BY_RULE,
    CALLERS,
    COUNTED,
    EXIT,
    EXTRA,
    FAR,
    FINAL,
    GROW,
    KIND,
    LEAST,
    LONG,
    MEMBER,
    MEMBERS,
    MINIMUM,
    RULE,
    SEGMENT,
    SORT,
    TAIL,
)
from structgen.kernels.registers import written


@jit
def first_caller(memo, config, rule):  # type: ignore[no-untyped-def]
    """Index of the first caller of `rule` in `config` (callers are sorted by rule)."""
    low, high = memo.configs[config, CALLERS], memo.configs[config + 1, CALLERS]
    while low < high:
        middle = (low + high) // 2
        if memo.callers[middle, BY_RULE] < rule:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def complete(net, memo, work, n, node, origin):  # type: ignore[no-untyped-def]
    """Push the returns of everyone who called this node's rule in `origin`."""
    rule = net.nodes[node, RULE]
    for e in range(first_caller(memo, origin, rule), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != rule:
            break
        n = push(work, n, memo.callers[e, BACK_TO], memo.callers[e, BACK_ORIGIN], memo.callers[e, BACK_ATTR])
        if n < 0:
            return n
    return n


@jit
def add_caller(net, memo, at, base, rule, to, origin, attr):  # type: ignore[no-untyped-def]
    """Insert a caller keeping [base, at) sorted by rule and free of duplicates; returns the new end, GROW when full."""
    if at >= memo.callers.shape[0]:
        return GROW
    place = at
    while place > base and memo.callers[place - 1, BY_RULE] > rule:
        place -= 1
    i = place
    while i > base and memo.callers[i - 1, BY_RULE] == rule:
        i -= 1
        if (
            memo.callers[i, BACK_TO] == to
            and memo.callers[i, BACK_ORIGIN] == origin
            and memo.callers[i, BACK_ATTR] == attr
        ):
            return at
    for i in range(at, place, -1):
        memo.callers[i, BY_RULE], memo.callers[i, BACK_TO] = memo.callers[i - 1, BY_RULE], memo.callers[i - 1, BACK_TO]
        memo.callers[i, BACK_ORIGIN], memo.callers[i, BACK_ATTR] = (
            memo.callers[i - 1, BACK_ORIGIN],
            memo.callers[i - 1, BACK_ATTR],
        )
    memo.callers[place, BY_RULE], memo.callers[place, BACK_TO] = rule, to
    memo.callers[place, BACK_ORIGIN], memo.callers[place, BACK_ATTR] = origin, attr
    return at + 1


@jit
def record_call(net, memo, config, at, base, rule, to, origin, attr):  # type: ignore[no-untyped-def]
    """Add a caller; a tail call hands down the callers of its own rule instead (Leo 1991)."""
    if not (net.nodes[to, KIND] & TAIL) or origin == config or net.nodes[to, RULE] == 0:
        return add_caller(net, memo, at, base, rule, to, origin, attr)
    outer = net.nodes[to, RULE]
    for e in range(first_caller(memo, origin, outer), memo.configs[origin + 1, CALLERS]):
        if memo.callers[e, BY_RULE] != outer:
            break
        at = add_caller(
            net,
            memo,
            at,
            base,
            rule,
            memo.callers[e, BACK_TO],
            memo.callers[e, BACK_ORIGIN],
            memo.callers[e, BACK_ATTR],
        )
        if at < 0:
            return at
    return at


@jit
def rest_of_segment(net, memo, node, attr):  # type: ignore[no-untyped-def]
    """Fewest bytes from an item's node to the end of its rule."""
    g = net.nodes[node, SEGMENT]
    if g < 0:
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


@jit
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


@jit
def measure(net, memo, config, base, callers):  # type: ignore[no-untyped-def]
    """Distances of a new configuration's callers to a complete text; a fixpoint, since callers may lie here too."""
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
