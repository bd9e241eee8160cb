"""Which tokens each slot of a canvas may hold where texts nest without bound: a pushdown automaton over slots.

n slots, S states, Q rests, G classes (automata/token_effects.py). The stack at a layer is a *frame* on top, numbered by
the slot that made it and its kind; what stands below it are its `callers`, frames of earlier slots. Frame
64 * width * block + kind is made by slot block - 1, frame 0 is the bottom; sets of frames are rows of width * (n + 1)
words. Forwards: the frames that may be on top in each state, and their callers. Backwards: those with which the slots
behind lead to the end, and the callers to which they are then returned. A frame's kind tells what was read when it was
made, so the frame and one caller of it, useful each, are useful together: masks are exact. Cost: the transitions of a
slot, and the frames that end in it, times the words of a row.
Source: summaries of pushdown automata, Schwoon, "Model-Checking Pushdown Systems", 2002, over layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from structgen.kernels._jit import CANVAS, inner, lowest
from structgen.kernels.layout import FINISHED, I32_1D, I32_2D, I64_1D, START, U8_1D, U8_2D, U64_2D


class Effects(NamedTuple):
    """The arrays of TokenEffects (automata/token_effects.py) that say what classes of tokens do to a stack."""

    transitions: I32_2D
    first: I64_1D
    of_class: I32_1D
    gates: I32_2D
    rests: I32_2D
    landing: I64_1D
    kinds_of: I32_1D
    returns: I32_1D


class Frames(NamedTuple):
    """What the slots before a layer reach.   W words of a row, P rests that take more off

    reach    u64 ((n + 1) * S, W)  the frames on top in state s at layer j are row j * S + s
    callers  u64 (64 * W, W)       of each frame
    popped   u64 (n * gates, W)    what a gate leads to in a slot
    middle   u64 (n * P, W)        the frames on top where one of the first P rests, those that take more off, begins
    landed   u64 (Q, W)            scratch
    active   u8 (T,)               scratch
    """

    reach: U64_2D
    callers: U64_2D
    popped: U64_2D
    middle: U64_2D
    landed: U64_2D
    active: U8_1D


@inner
def _clear(rows, low, high, words):  # type: ignore[no-untyped-def]
    for i in range(low, high):
        for w in range(words):
            rows[i, w] = np.uint64(0)


@inner
def _activate(first, of_class, allowed, is_open, j, active):  # type: ignore[no-untyped-def]
    """Write to `active` u8 (T,) which transitions slot j may take."""
    for t in range(active.shape[0]):
        active[t] = is_open[j]
    if not is_open[j]:
        for g in range(allowed.shape[1]):
            if allowed[j, g]:
                for k in range(first[g], first[g + 1]):
                    active[of_class[k]] = 1


@inner
def _take_off(frames, i, back, returns, width, words, callers, out, o):  # type: ignore[no-untyped-def]
    """Add to out[o] the callers of the frames of frames[i] that return to state `back`."""
    for w in range(words):
        word = frames[i, w]
        while word:
            e = w * 64 + np.int64(lowest(word))
            word &= word - np.uint64(1)
            if returns[e % (64 * width)] == back:
                for x in range(words):
                    out[o, x] |= callers[e, x]


@inner
def _give_back(frames, i, back, returns, width, words, callers, wanted, v, used, out, o):  # type: ignore[no-untyped-def]
    """Add to out[o] the frames of frames[i] that return to `back` in a caller of wanted[v], and those to `used`."""
    for w in range(words):
        word = frames[i, w]
        while word:
            bit = lowest(word)
            e = w * 64 + np.int64(bit)
            word &= word - np.uint64(1)
            if returns[e % (64 * width)] == back:
                found = np.uint64(0)
                for x in range(words):
                    both = callers[e, x] & wanted[v, x]
                    used[e, x] |= both
                    found |= both
                if found:
                    out[o, w] |= np.uint64(1) << bit


@CANVAS.entry
def nest_forward(effects: Effects, allowed: U8_2D, is_open: U8_1D, frames: Frames, low: int, width: int) -> Any:
    """Compute `frames` for slots `low` and following; allowed, is_open as in kernels/canvas.py."""
    transitions, first, of_class, gates, rests, landing, kinds_of, returns = effects
    reach, callers, popped, middle, landed, active = frames
    slots, count, pops = allowed.shape[0], gates.shape[0], middle.shape[0] // allowed.shape[0]
    states, many = reach.shape[0] // (slots + 1), rests.shape[0]
    for j in range(low, slots):
        words, made = (j + 1) * width, 64 * width * (j + 1)
        _clear(reach, (j + 1) * states, (j + 2) * states, reach.shape[1])
        _clear(callers, made, made + returns.shape[0], callers.shape[1])
        _clear(popped, j * count, (j + 1) * count, words)
        _clear(landed, 0, many, words)
        _activate(first, of_class, allowed, is_open, j, active)
        for v in range(count):
            _take_off(
                reach, j * states + gates[v, 0], gates[v, 1], returns, width, words, callers, popped, j * count + v
            )
        for t in range(active.shape[0]):
            if active[t]:
                s, v, q = transitions[t, 0], transitions[t, 1], transitions[t, 2]
                for w in range(words):
                    landed[q, w] |= reach[j * states + s, w] if v < 0 else popped[j * count + v, w]
        for q in range(many):
            if q < pops:
                for w in range(words):
                    middle[j * pops + q, w] = landed[q, w]
                _take_off(landed, q, rests[q, 0], returns, width, words, callers, landed, rests[q, 1])
                continue
            below = np.uint64(0)
            for w in range(words):
                below |= landed[q, w]
            if not below:
                continue
            low_kind, high_kind = landing[rests[q, 3]], landing[rests[q, 3] + 1]
            after = (j + 1) * states + rests[q, 2]
            if low_kind == high_kind:
                for w in range(words):
                    reach[after, w] |= landed[q, w]
                continue
            e = made + kinds_of[low_kind]
            for w in range(words):
                callers[e, w] |= landed[q, w]
            for k in range(low_kind + 1, high_kind):
                above = made + kinds_of[k]
                callers[above, e >> 6] |= np.uint64(1) << np.uint64(e & 63)
                e = above
            reach[after, e >> 6] |= np.uint64(1) << np.uint64(e & 63)


@CANVAS.entry
def nest_backward(
    effects: Effects,
    allowed: U8_2D,
    is_open: U8_1D,
    frames: Frames,
    ends: U64_2D,
    used: U64_2D,
    wanted: U64_2D,
    useful: U8_2D,
    width: int,
) -> Any:
    """Compute what leads to the end from there: `ends` as `reach`, `used` as `callers`, and `useful` u8 (n, G) the
    classes that some valid fill has in each slot. wanted u64 (gates, W) is scratch."""
    transitions, first, of_class, gates, rests, landing, kinds_of, returns = effects
    reach, callers, popped, middle, landed, active = frames
    slots, count, pops = allowed.shape[0], gates.shape[0], middle.shape[0] // allowed.shape[0]
    states, many = reach.shape[0] // (slots + 1), rests.shape[0]
    _clear(ends, 0, ends.shape[0], ends.shape[1])
    _clear(used, 0, used.shape[0], used.shape[1])
    ends[slots * states + FINISHED, 0] = reach[slots * states + FINISHED, 0] & np.uint64(1)
    for j in range(slots - 1, -1, -1):
        words, made = (j + 1) * width, 64 * width * (j + 1)
        _activate(first, of_class, allowed, is_open, j, active)
        for q in range(many - 1, -1, -1):
            if q < pops:
                for w in range(words):
                    landed[q, w] = np.uint64(0)
                i, after = j * pops + q, rests[q, 1]
                _give_back(middle, i, rests[q, 0], returns, width, words, callers, landed, after, used, landed, q)
                continue
            k = landing[rests[q, 3]]
            for w in range(words):
                if k == landing[rests[q, 3] + 1]:
                    landed[q, w] = ends[(j + 1) * states + rests[q, 2], w]
                else:
                    landed[q, w] = used[made + kinds_of[k], w]
        _clear(wanted, 0, count, words)
        for t in range(active.shape[0]):
            if not active[t]:
                continue
            s, v, q = transitions[t, 0], transitions[t, 1], transitions[t, 2]
            found = np.uint64(0)
            for w in range(words):
                if v < 0:
                    both = reach[j * states + s, w] & landed[q, w]
                    ends[j * states + s, w] |= both
                else:
                    both = popped[j * count + v, w] & landed[q, w]
                    wanted[v, w] |= both
                found |= both
            active[t] = 1 if found else 0
        for v in range(count):
            i = j * states + gates[v, 0]
            _give_back(reach, i, gates[v, 1], returns, width, words, callers, wanted, v, used, ends, i)
        for g in range(useful.shape[1]):
            useful[j, g] = 0
            if is_open[j] or allowed[j, g]:
                for k in range(first[g], first[g + 1]):
                    if active[of_class[k]]:
                        useful[j, g] = 1
                        break
    return ends[START, 0] & np.uint64(1)
