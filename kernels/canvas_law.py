"""The law of a canvas: the product of its slots' laws, given that the text is valid.   n slots, S states, G classes

Log-probabilities of tokens become those of classes: the likeliest token of each, and the sum. Over layers of states
then the likeliest path, or log-sums backwards (how much mass leads from a state to an end) and, given those, the exact
marginals forwards. One token sequence is one path, because the automaton is deterministic. Cost: the edges between
states that are alive, once a slot; an exponential each for sums.
Source: Viterbi 1967; Baum 1972; over slots of a denoiser: Suresh et al., "DINGO", 2025.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import CANVAS
from structgen.kernels.layout import F32_2D, F64_1D, F64_2D, I32_1D, I32_2D, I64_1D, I64_2D, U8_2D

IMPOSSIBLE = -1.0e6  # log-probability of a token that the model gives none: worse than any that it gives some
NEGLIGIBLE = -50.0  # terms of a log-sum below its largest: 128k of them are less than rounding


@CANVAS.entry(variants=({"scores": F32_2D}, {"scores": F64_2D}))
def class_scores(
    scores: F32_2D,
    slots: I32_1D,
    cls: I32_1D,
    useful: U8_2D,
    norm: F64_1D,
    floor: F64_1D,
    top: F64_2D,
    likeliest: I64_2D,
    total: F64_2D,
) -> Any:
    """Write, for each of `slots`, norm f64 (n,) log-sum of its row of `scores` (n, >= V), and for classes that are
    useful, f64 (n, G), of their tokens `top` the largest score, `likeliest` which that is, `total` the log-sum; -inf for the others. Scores
    below `floor` f64 (n,), IMPOSSIBLE under their row's largest, count as that.
    -1, or a slot whose row has NaN or +inf."""
    tokens, classes = cls.shape[0], useful.shape[1]
    for at in range(slots.shape[0]):
        i = slots[at]
        highest, sound = -np.inf, True
        for t in range(tokens):
            x = np.float64(scores[i, t])
            sound = sound and x < np.inf
            if x > highest:
                highest = x
        if not sound:
            return np.int64(i)
        if highest == -np.inf:  # nothing is possible: all tokens alike
            highest = -IMPOSSIBLE
        floor[i] = highest + IMPOSSIBLE
        for g in range(classes):
            top[i, g], total[i, g], likeliest[i, g] = -np.inf, 0.0, -1
        for t in range(tokens):
            x, g = max(np.float64(scores[i, t]), floor[i]), cls[t]
            if x > top[i, g]:
                top[i, g], likeliest[i, g] = x, t
        for t in range(tokens):
            x, g = max(np.float64(scores[i, t]), floor[i]) - top[i, cls[t]], cls[t]
            if x > NEGLIGIBLE:
                total[i, g] += np.exp(x)
        whole = 0.0
        for g in range(classes):
            if total[i, g] > 0.0:
                total[i, g] = top[i, g] + np.log(total[i, g])
                whole += np.exp(total[i, g] - highest)
        norm[i] = highest + np.log(whole)
        for g in range(classes):
            if g == 0 or not useful[i, g]:
                top[i, g], total[i, g] = -np.inf, -np.inf
    return np.int64(-1)


@CANVAS.entry
def best_paths(
    edge_first: I64_1D, edges: I32_2D, weights: F64_2D, forward: U8_2D, backward: U8_2D, best: F64_2D
) -> Any:
    """Write to `best` f64 (n+1, S), whose last row is given, the largest weight of a path from a state to an end.

    State s has the rows edge_first[s] to edge_first[s + 1] of `edges` i32 (., 2), (class, next state); weights f64
    (n, G). States that are not alive (u8 (n+1, S), kernels/canvas.py) have -inf.
    """
    for i in range(weights.shape[0] - 1, -1, -1):
        for s in range(best.shape[1]):
            highest = -np.inf
            if forward[i, s] and backward[i, s]:
                for k in range(edge_first[s], edge_first[s + 1]):
                    x = weights[i, edges[k, 0]] + best[i + 1, edges[k, 1]]
                    highest = max(highest, x)
            best[i, s] = highest


@CANVAS.entry
def follow_best(
    edge_first: I64_1D, edges: I32_2D, weights: F64_2D, best: F64_2D, start: int, classes: I32_1D
) -> Any:
    """Write to `classes` i32 (n,) the path of largest weight from state `start`; the first such class of each slot."""
    s = start
    for i in range(weights.shape[0]):
        for k in range(edge_first[s], edge_first[s + 1]):
            if weights[i, edges[k, 0]] + best[i + 1, edges[k, 1]] == best[i, s]:
                classes[i] = edges[k, 0]
                s = np.int64(edges[k, 1])
                break


@CANVAS.entry
def sum_paths(edge_first: I64_1D, edges: I32_2D, weights: F64_2D, forward: U8_2D, backward: U8_2D, mass: F64_2D) -> Any:
    """As `best_paths`, with the log-sum of all paths in place of the largest."""
    for i in range(weights.shape[0] - 1, -1, -1):
        for s in range(mass.shape[1]):
            highest, whole = -np.inf, 0.0
            if forward[i, s] and backward[i, s]:
                for k in range(edge_first[s], edge_first[s + 1]):
                    highest = max(highest, weights[i, edges[k, 0]] + mass[i + 1, edges[k, 1]])
                if highest > -np.inf:
                    for k in range(edge_first[s], edge_first[s + 1]):
                        x = weights[i, edges[k, 0]] + mass[i + 1, edges[k, 1]] - highest
                        if x > NEGLIGIBLE:
                            whole += np.exp(x)
            mass[i, s] = highest + np.log(whole) if whole > 0.0 else -np.inf


@CANVAS.entry
def class_marginals(
    edge_first: I64_1D, edges: I32_2D, weights: F64_2D, mass: F64_2D, chance: F64_2D, marginal: F64_2D
) -> Any:
    """Add to `marginal` f64 (n, G), zeros, the probability of each class in each slot under the law whose `sum_paths`
    are `mass`. chance f64 (n+1, S), row 0 given and zeros, becomes that of passing through a state."""
    for i in range(weights.shape[0]):
        for s in range(mass.shape[1]):
            if chance[i, s] <= 0.0:
                continue
            for k in range(edge_first[s], edge_first[s + 1]):
                g, after = edges[k, 0], edges[k, 1]
                x = weights[i, g] + mass[i + 1, after] - mass[i, s]
                if x > -700.0:
                    p = chance[i, s] * np.exp(x)
                    marginal[i, g] += p
                    chance[i + 1, after] += p


@CANVAS.entry(variants=({"scores": F32_2D, "out": F32_2D}, {"scores": F64_2D, "out": F64_2D}))
def spread_shifts(scores: F32_2D, slots: I32_1D, cls: I32_1D, shift: F64_2D, floor: F64_1D, out: F32_2D) -> Any:
    """Write to rows `slots` of `out` (n, V) the score of each token, at least floor f64 (n,), plus the shift of its class, f64 (n, G):
    -inf for classes whose shift is. In float64 until it is stored."""
    for at in range(slots.shape[0]):
        i = slots[at]
        for t in range(cls.shape[0]):
            out[i, t] = max(np.float64(scores[i, t]), floor[i]) + shift[i, cls[t]]
