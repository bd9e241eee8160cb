"""The law of a canvas whose texts nest without bound: weights of a pushdown automaton over slots, summed or maximised.

n slots, T transitions. A *level* is the reading of one frame's inside: where it began (a layer) and with what (a start,
automata/levels.py). In a level there are cells (in a state at a layer), calls (a level above began at a layer, and will
return here) and pops (within a slot: the level itself is to be left, as something more happens in that slot). Weights
are relative to the level's beginning, so who called it does not matter: one product joins a call and the way through
what was called, each with one point in common. Cost: slots^3 / 6 times the pairs of a call and an end of what it calls
(`joins`), and slots^2 times all other steps, numbers that are zero left out.

Numbers are `value * 2^(512 power)`, a value from 2^-256 to 2^256 or 0.0: products of any number of slots neither
vanish nor overflow, to the precision of float64, and no exponential is taken (Fukushima 2012). `largest`: sums are
maxima, so that the weight is that of the likeliest way.
Source: inside and outside weights (Baker 1979; Goodman 1999) over summaries of a pushdown automaton, kernels/nested.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from structgen.kernels._jit import CANVAS, inlined, inner
from structgen.kernels.layout import F64_2D, I32_1D, I32_2D, I64_1D, U8_1D, U8_2D

UP, DOWN = 2.0**512, 2.0**-512
HIGH, LOW = 2.0**256, 2.0**-256
LOG_RADIX = 512.0 * 0.6931471805599453


class Levels(NamedTuple):
    """What happens in levels.   L starts, T transitions; X columns of cells, then of pops; C calls, N joints

    starts       i32 (L, 2)    the cell in which a level begins and -1, or -1 and the call with which it begins. Start 0
                               is the whole text; those of calls stand behind what these call
    own_first    i64 (L + 1,)  start s has the steps own[own_first[s] : own_first[s + 1]]
    own          i32 (., 3)    (cell, transition, target): below `cells` a cell of the next layer, below X a pop of
                               this slot, else X + a call that begins at the next layer
    call_first   i64 (L + 1,)  start s has the calls call_first[s] to call_first[s + 1] - 1
    callee       i32 (C,)      the start of what is called
    join_first   i64 (C + 1,)  call c has joins[join_first[c] : join_first[c + 1]]
    joins        i32 (., 2)    (cell or pop of what is called, joint): it returns
    back_first   i64 (L + 1,)  start s has the steps back[back_first[s] : back_first[s + 1]]
    back         i32 (., 3)    (joint, transition or -1, target): what follows a return in the same slot; -1: the
                               transition was taken in the level above
    cells, pops, joints  int   how many
    """

    starts: I32_2D
    own_first: I64_1D
    own: I32_2D
    call_first: I64_1D
    callee: I32_1D
    join_first: I64_1D
    joins: I32_2D
    back_first: I64_1D
    back: I32_2D
    cells: int
    pops: int
    joints: int


class Wide(NamedTuple):
    """Numbers of any size: value * 2^(512 power), by row and column."""

    values: F64_2D
    powers: I32_2D


class Inside(NamedTuple):
    """Weights from where a level began.   Row j * (j + 1) / 2 + i: levels that began at layer i, as of layer j

    held    (R, X)  being in a cell at layer j; leaving the level in slot j with more to do in it
    called  (R, C)  having called what begins at layer j
    joined  (R, N)  being returned to in slot j
    """

    held: Wide
    called: Wide
    joined: Wide


@inlined
def _row(j, i):  # type: ignore[no-untyped-def]
    return j * (j + 1) // 2 + i


@inlined
def _add(to, row, k, value, power, largest):  # type: ignore[no-untyped-def]
    """Add a product of two numbers, or of one and 1.0."""
    if value >= HIGH:
        value *= DOWN
        power += 1
    elif value < LOW:
        value *= UP
        power -= 1
    held = to.values[row, k]
    beyond = power - to.powers[row, k]
    if held == 0.0 or beyond > 1:
        to.values[row, k], to.powers[row, k] = value, power
    elif largest:
        if beyond == 1 or (beyond == 0 and value > held):
            to.values[row, k], to.powers[row, k] = value, power
    elif beyond == 0:
        held += value
        if held >= HIGH:
            held *= DOWN
            to.powers[row, k] += 1
        to.values[row, k] = held
    elif beyond == 1:
        to.values[row, k], to.powers[row, k] = held * DOWN + value, power
    elif beyond == -1:
        to.values[row, k] = held + value * DOWN


@CANVAS.entry
def transition_weights(
    first: I64_1D, of_class: I32_1D, logs: F64_2D, values: F64_2D, powers: I32_2D, largest: int
) -> Any:
    """Write the weight of each transition in each slot, (n, T), zeros: of the classes that have it, whose logarithms
    are f64 (n, G). Classes as in TokenEffects."""
    to = Wide(values, powers)
    for j in range(logs.shape[0]):
        for g in range(logs.shape[1]):
            if logs[j, g] == -np.inf:
                continue
            power = np.int64(np.floor(logs[j, g] / LOG_RADIX + 0.5))
            value = np.exp(logs[j, g] - power * LOG_RADIX)
            for k in range(first[g], first[g + 1]):
                _add(to, j, of_class[k], value, power, largest)


@inner
def _begin(levels, inside, begun, j, s):  # type: ignore[no-untyped-def]
    """Begin a level with start `s` at layer j, and those above it with which it begins."""
    while not begun[j, s]:
        begun[j, s] = 1
        cell, call = levels.starts[s, 0], levels.starts[s, 1]
        if cell >= 0:
            inside.held.values[_row(j, j), cell] = 1.0
            break
        inside.called.values[_row(j, j), call] = 1.0
        s = levels.callee[call]


@inlined
def _reach(levels, inside, begun, j, i, target, value, power, largest):  # type: ignore[no-untyped-def]
    """Add a weight to a target of slot j in a level that began at layer i."""
    columns = levels.cells + levels.pops
    if target < levels.cells:
        _add(inside.held, _row(j + 1, i), target, value, power, largest)
    elif target < columns:
        _add(inside.held, _row(j, i), target, value, power, largest)
    else:
        _add(inside.called, _row(j + 1, i), target - columns, value, power, largest)
        _begin(levels, inside, begun, j + 1, levels.callee[target - columns])


@inner
def _wanted(levels, weights, j, wanted, first, joins):  # type: ignore[no-untyped-def]
    """Write to `joins` those after which something may follow in slot j, by call, and to `first` where they begin."""
    for k in range(levels.joints):
        wanted[k] = 0
    for k in range(levels.back.shape[0]):
        t = levels.back[k, 1]
        if t < 0 or weights.values[j, t] != 0.0:
            wanted[levels.back[k, 0]] = 1
    used = 0
    for c in range(levels.callee.shape[0]):
        first[c] = used
        for k in range(levels.join_first[c], levels.join_first[c + 1]):
            if wanted[levels.joins[k, 1]]:
                joins[used, 0], joins[used, 1] = levels.joins[k, 0], levels.joins[k, 1]
                used += 1
    first[levels.callee.shape[0]] = used


@inner
def _join(levels, inside, first, joins, j, i, s, largest):  # type: ignore[no-untyped-def]
    """What is called in a level, and comes to an end in slot j."""
    held, called, here = inside.held, inside.called, _row(j, i)
    for m in range(i, j + 1):
        made, above = _row(m, i), _row(j, m)
        for c in range(levels.call_first[s], levels.call_first[s + 1]):
            x, p = called.values[made, c], called.powers[made, c]
            if x == 0.0:
                continue
            for k in range(first[c], first[c + 1]):
                y = held.values[above, joins[k, 0]]
                if y != 0.0:
                    power = p + held.powers[above, joins[k, 0]]
                    _add(inside.joined, here, joins[k, 1], x * y, power, largest)


@inner
def _step(levels, weights, inside, begun, j, i, s, largest):  # type: ignore[no-untyped-def]
    """What a level does in slot j, behind returns and by itself."""
    held, joined, here = inside.held, inside.joined, _row(j, i)
    for k in range(levels.back_first[s], levels.back_first[s + 1]):
        joint, t, target = levels.back[k, 0], levels.back[k, 1], levels.back[k, 2]
        x, p = joined.values[here, joint], joined.powers[here, joint]
        if x != 0.0 and t >= 0:
            x, p = x * weights.values[j, t], p + weights.powers[j, t]
        if x != 0.0:
            _reach(levels, inside, begun, j, i, target, x, p, largest)
    for k in range(levels.own_first[s], levels.own_first[s + 1]):
        cell, t, target = levels.own[k, 0], levels.own[k, 1], levels.own[k, 2]
        x = held.values[here, cell] * weights.values[j, t]
        if x != 0.0:
            p = held.powers[here, cell] + weights.powers[j, t]
            _reach(levels, inside, begun, j, i, target, x, p, largest)


@CANVAS.entry
def inside_levels(
    levels: Levels,
    weights: Wide,
    inside: Inside,
    begun: U8_2D,
    wanted: U8_1D,
    first: I64_1D,
    joins: I32_2D,
    largest: int,
) -> Any:
    """Compute the weights of all levels, given those of transitions, (n, T). inside, begun u8 (n + 1, L): zeros;
    wanted u8 (N,), first i64 (C + 1,) and joins i32, like that of `levels`, are scratch."""
    _begin(levels, inside, begun, 0, 0)
    for j in range(weights.values.shape[0]):
        _wanted(levels, weights, j, wanted, first, joins)
        for i in range(j, -1, -1):
            for s in range(levels.starts.shape[0]):
                if begun[i, s]:
                    _join(levels, inside, first, joins, j, i, s, largest)
                    _step(levels, weights, inside, begun, j, i, s, largest)


@inlined
def _outside_of(levels, outside, j, i, target):  # type: ignore[no-untyped-def]
    """What a target of slot j is worth, in a level that began at layer i."""
    columns = levels.cells + levels.pops
    if target < columns:
        row = _row(j + 1, i) if target < levels.cells else _row(j, i)
        return outside.held.values[row, target], np.int64(outside.held.powers[row, target])
    row = _row(j + 1, i)
    return outside.called.values[row, target - columns], np.int64(outside.called.powers[row, target - columns])


@CANVAS.entry
def outside_levels(
    levels: Levels,
    weights: Wide,
    inside: Inside,
    begun: U8_2D,
    wanted: U8_1D,
    first: I64_1D,
    joins: I32_2D,
    outside: Inside,
    worth: Wide,
) -> Any:
    """Compute from sums of `inside_levels` what all else weighs: `outside`, like `inside`, whose last row has the ends
    as 1.0 and which is zeros else; `worth` (n, T), zeros, of transitions. With its own weight that is the weight of all
    ways that take a transition in a slot."""
    for j in range(weights.values.shape[0] - 1, -1, -1):
        _wanted(levels, weights, j, wanted, first, joins)
        for i in range(j + 1):
            for s in range(levels.starts.shape[0] - 1, -1, -1):
                if begun[i, s]:
                    _step_backwards(levels, weights, inside, outside, worth, j, i, s)
                    _join_backwards(levels, inside, outside, first, joins, j, i, s)


@inner
def _join_backwards(levels, inside, outside, first, joins, j, i, s):  # type: ignore[no-untyped-def]
    """As `_join`, from what joints are worth to what calls and ends are."""
    held, called, joined, here = inside.held, inside.called, outside.joined, _row(j, i)
    for m in range(i, j + 1):
        made, above = _row(m, i), _row(j, m)
        for c in range(levels.call_first[s], levels.call_first[s + 1]):
            x, p = called.values[made, c], called.powers[made, c]
            if x == 0.0:
                continue
            for k in range(first[c], first[c + 1]):
                z, y = joined.values[here, joins[k, 1]], held.values[above, joins[k, 0]]
                if z != 0.0 and y != 0.0:
                    q, r = joined.powers[here, joins[k, 1]], held.powers[above, joins[k, 0]]
                    _add(outside.called, made, c, z * y, q + r, 0)
                    _add(outside.held, above, joins[k, 0], z * x, q + p, 0)


@inner
def _step_backwards(levels, weights, inside, outside, worth, j, i, s):  # type: ignore[no-untyped-def]
    """As `_step`, from what targets are worth to what steps are."""
    here = _row(j, i)
    for k in range(levels.own_first[s], levels.own_first[s + 1]):
        cell, t, target = levels.own[k, 0], levels.own[k, 1], levels.own[k, 2]
        if inside.held.values[here, cell] * weights.values[j, t] == 0.0:
            continue
        z, q = _outside_of(levels, outside, j, i, target)
        if z != 0.0:
            _add(outside.held, here, cell, z * weights.values[j, t], q + weights.powers[j, t], 0)
            _add(worth, j, t, z * inside.held.values[here, cell], q + inside.held.powers[here, cell], 0)
    for k in range(levels.back_first[s], levels.back_first[s + 1]):
        joint, t, target = levels.back[k, 0], levels.back[k, 1], levels.back[k, 2]
        y = inside.joined.values[here, joint]
        if y == 0.0 or (t >= 0 and weights.values[j, t] == 0.0):
            continue
        z, q = _outside_of(levels, outside, j, i, target)
        if z == 0.0:
            continue
        if t < 0:
            _add(outside.joined, here, joint, z, q, 0)
        else:
            _add(outside.joined, here, joint, z * weights.values[j, t], q + weights.powers[j, t], 0)
            _add(worth, j, t, z * y, q + inside.joined.powers[here, joint], 0)


@CANVAS.entry
def class_worths(first: I64_1D, of_class: I32_1D, worth: Wide, useful: U8_2D, logs: F64_2D, own: Wide) -> Any:
    """Write the logarithm of what each class is worth in each slot, (n, G); -inf where nothing, or it is not useful.
    own (1, 1) is scratch."""
    for j in range(logs.shape[0]):
        for g in range(logs.shape[1]):
            own.values[0, 0], own.powers[0, 0] = 0.0, 0
            if useful[j, g]:
                for k in range(first[g], first[g + 1]):
                    t = of_class[k]
                    if worth.values[j, t] != 0.0:
                        _add(own, 0, 0, worth.values[j, t], worth.powers[j, t], 0)
            logs[j, g] = -np.inf
            if own.values[0, 0] != 0.0:
                logs[j, g] = np.log(own.values[0, 0]) + own.powers[0, 0] * LOG_RADIX
