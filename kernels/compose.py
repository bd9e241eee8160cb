"""The mask row of a state composed in one call, where the terminal rows of all its groups are known.

An item set is a disjunction: its mask is the union of the masks of its groups. A group is the items of one terminal,
whose row is known; tokens that leave the terminal, and items of no terminal, are walked in the context.

Cost: a comparison per item and record, an OR of the row per group, and the walks. Twin: MaskTable._compose_slowly,
which also learns what is not known. Receipt: docs/adr/0017, mean per token as a ratio to llguidance 0.49 -> 0.43.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inlined, inner
from structgen.kernels.codes import NO_ROW
from structgen.kernels.earley import ALL, arrive
from structgen.kernels.handles import ints_at, longs_at, radix_at, words_at
from structgen.kernels.layout import (
    ACCEPTING,
    ATTR,
    BOUNDED,
    DUE,
    EQUIVALENT,
    EXACT,
    EXITS_AT,
    FIRST_AT,
    HEADS_AT,
    LEAVING_AT,
    LEFT,
    MOST,
    N_EXITS,
    N_HEADS,
    N_PAIRS,
    N_RECORDS,
    NEXT_RECORD,
    NODE,
    ORIGIN,
    PAIRS,
    RECORD,
    RECORDS_AT,
    ROW_AT,
    SCANS,
    SPAN_AFTER,
    SPAN_FIRST,
    SPAN_HIGH,
    SPAN_LOW,
    SPAN_SORT,
)
from structgen.kernels.survey import split
from structgen.kernels.walks import ENDLESS, fill_below, fill_row

REST = -1  # the group of items that are walked


@inlined
def _bounded(tables, span, records, r, attr):  # type: ignore[no-untyped-def]
    """The record of an item of a counted expression, from record r on; or -1."""
    low, high = tables.spans[span, SPAN_LOW], tables.spans[span, SPAN_HIGH]
    while r >= 0:
        most = records[r, MOST]
        left = most if high < 0 else min(high - attr, most)
        due = min(max(low - attr, np.int64(0)), most + 1)
        if records[r, LEFT] == left and records[r, DUE] == due:
            return r
        r = records[r, NEXT_RECORD]
    return r


@inlined
def _exact(memo, scratch, records, r, first, n, group, base):  # type: ignore[no-untyped-def]
    """The record of all items of a group, from record r on, or -1; nodes count from `base`."""
    while r >= 0:
        pairs = longs_at(records[r, PAIRS], records[r, N_PAIRS], 2)
        k, same = 0, records[r, N_PAIRS] == scratch.groups[group, 2]
        for i in range(n):
            if same and scratch.part[i] == group:
                same = memo.scans[first + i, NODE] - base == pairs[k, 0] and memo.scans[first + i, ATTR] == pairs[k, 1]
                k += 1
        if same:
            return r
        r = records[r, NEXT_RECORD]
    return r


@allocating
def _records(tables, span):  # type: ignore[no-untyped-def]
    table = tables.table[span]
    return longs_at(tables.tables[table, RECORDS_AT], tables.tables[table, N_RECORDS], RECORD)


@inlined
def _choose(memo, tables, scratch, config, n, found):  # type: ignore[no-untyped-def]
    """Write the record of each item, once per row and group; how many items are left to be walked, or NO_ROW."""
    first, rest = memo.configs[config, SCANS], np.int64(0)
    for i in range(n):
        scratch.chosen[i] = -1
        group = scratch.part[i]
        if group == REST:
            rest += 1
            continue
        span, node, again = scratch.groups[group, 0], memo.scans[first + i, NODE], False
        sort, base = tables.spans[span, SPAN_SORT], tables.spans[span, SPAN_FIRST]
        for j in range(i):
            again |= sort == EXACT and scratch.part[j] == group
        number = tables.equivalent[node] if sort == EQUIVALENT else node - base
        if again or number < 0:
            continue
        table = tables.table[span]
        if number >= tables.tables[table, N_HEADS]:
            return np.int64(NO_ROW)
        r = np.int64(ints_at(tables.tables[table, HEADS_AT], tables.tables[table, N_HEADS])[number])
        if r >= tables.tables[table, N_RECORDS]:  # the index has grown, the table tells where it was
            return np.int64(NO_ROW)
        if sort == EXACT:
            r = _exact(memo, scratch, _records(tables, span), r, first, n, group, base)
        elif sort == BOUNDED:
            r = _bounded(tables, span, _records(tables, span), r, memo.scans[first + i, ATTR])
        if r < 0:
            return np.int64(NO_ROW)
        found -= scratch.groups[group, 2] > 0
        scratch.groups[group, 2] = 0  # its row is found
        if _records(tables, span)[r, ROW_AT] == 0:  # of an EXACT group
            for j in range(i, n):
                if scratch.part[j] == group:
                    scratch.part[j] = REST
            rest += 1
            continue
        for j in range(i):
            again |= scratch.part[j] == group and scratch.chosen[j] == r
        if not again:
            scratch.chosen[i] = r
    return rest if found == 0 else np.int64(NO_ROW)


@inlined
def _add(net, memo, work, radix, tables, scratch, cut, config, i, row):  # type: ignore[no-untyped-def]
    """Walk in this context the tokens that leave the expression of item i; nodes visited, or GROW / CROWDED."""
    r, group = scratch.chosen[i], scratch.part[i]
    records, part = _records(tables, scratch.groups[group, 0]), scratch.part
    if records[r, LEAVING_AT]:
        leaving = radix_at(records[r, LEAVING_AT])
        return fill_row(net, memo, work, leaving, config, part, group, row, scratch, 0, scratch.no_cut, ENDLESS)
    if records[r, FIRST_AT] == 0:
        return np.int64(0)
    origin = memo.scans[memo.configs[config, SCANS] + i, ORIGIN]
    after = arrive(net, memo, work, tables.spans[scratch.groups[group, 0], SPAN_AFTER], origin)
    if after < 0:
        return after
    first = longs_at(records[r, FIRST_AT], 1, 257)[0]
    exits = ints_at(records[r, EXITS_AT], 4 * records[r, N_EXITS]).reshape((records[r, N_EXITS], 4))
    most, least = records[r, LEFT], records[r, DUE]
    return fill_below(net, memo, work, radix, first, exits, most, least, after, row, scratch, cut)


@inlined
def _walked(cut, found):  # type: ignore[no-untyped-def]
    """What a walk gave, or NO_ROW if it stopped at a section: what is behind it takes another mask."""
    if cut[0, 1] == 0:
        return found
    cut[:, 1] = 0
    return np.int64(NO_ROW)


@inner
def compose(net, memo, work, radix, tables, scratch, cut, config, row, limit, stops):  # type: ignore[no-untyped-def]
    """Write the mask of `config` into u32 `row`, u32 `stops` included where it accepts; 0, NO_ROW, TOO_LONG where items
    of no terminal take a walk beyond `limit`, or GROW / CROWDED (call again)."""
    found = _united(net, memo, work, radix, tables, scratch, cut, config, row, limit)
    if found >= 0 and memo.configs[config, ACCEPTING]:
        for k in range(row.shape[0]):
            row[k] |= stops[k]
    return min(found, np.int64(0))


@inner
def _united(net, memo, work, radix, tables, scratch, cut, config, row, limit):  # type: ignore[no-untyped-def]
    """As `compose`, without the stop tokens."""
    n = memo.configs[config + 1, SCANS] - memo.configs[config, SCANS]
    if n > scratch.part.shape[0]:
        return np.int64(NO_ROW)
    part = scratch.part
    found = split(memo, tables.span, config, part, scratch.groups)
    if found == 0:
        row[:] = 0
        return _walked(cut, fill_row(net, memo, work, radix, config, part, np.int64(ALL), row, scratch, 0, cut, limit))
    rest = _choose(memo, tables, scratch, config, n, found)
    if rest == NO_ROW:
        return rest
    if rest == n:
        row[:] = 0
    begun = False
    for i in range(n):
        if scratch.chosen[i] < 0:
            continue
        records = _records(tables, scratch.groups[part[i], 0])
        local = words_at(records[scratch.chosen[i], ROW_AT], row.shape[0])
        if begun:
            for k in range(row.shape[0]):
                row[k] |= local[k]
        else:  # by a loop: Numba's assignment of arrays checks for broadcasting at every word
            for k in range(row.shape[0]):
                row[k] = local[k]
            begun = True
        walked = _walked(cut, _add(net, memo, work, radix, tables, scratch, cut, config, i, row))
        if walked < 0:
            return walked
    if rest:
        return _walked(cut, fill_row(net, memo, work, radix, config, part, REST, row, scratch, 0, cut, limit))
    return np.int64(0)
