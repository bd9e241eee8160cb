"""The return addresses of an Earley item set: which item waits for which rule.

The rows of one set are sorted by the rule they wait for, so that completing a rule scans one run of rows. An item whose
rule ends right after its call (a tail call) is not recorded itself; the addresses *it* would return to are copied
instead (Leo 1991): closing a right recursion of depth d costs O(1), not O(d).
"""

from __future__ import annotations

from structgen.kernels._jit import inlined
from structgen.kernels.agenda import push
from structgen.kernels.codes import GROW
from structgen.kernels.layout import BACK_ATTR, BACK_ORIGIN, BACK_TO, BY_RULE, CALLERS, KIND, RULE, TAIL


@inlined
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


@inlined
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


@inlined
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


@inlined
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
