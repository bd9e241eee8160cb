"""The law of a canvas: the product of its slots' laws, given that the text is valid.   n slots, S states, G classes

Log-probabilities of tokens become those of classes: the likeliest token of each, and the sum; and those of bundles, the
classes that lead from a state to the same next one. Over layers of states then the likeliest path, or log-sums
backwards (how much mass leads from a state to an end) and, given those, the exact marginals forwards. One token
sequence is one path, because the automaton is deterministic. Cost: the links of states that are alive, once a slot.
Receipt: any JSON to nesting 4 has 8,744 links of 213 bundles in place of 37,720 pairs of a state and a class.
Source: Viterbi 1967; Baum 1972; over slots of a denoiser: Suresh et al., "DINGO", 2025.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen.kernels._jit import CANVAS, inner
from structgen.kernels.layout import F32_1D, F32_2D, F64_1D, F64_2D, I32_1D, I32_2D, I64_1D, I64_2D, U8_2D

IMPOSSIBLE = -1.0e6  # log-probability of a token that the model gives none: worse than any that it gives some
SMALL = 1.0e-250  # a sum of products above it has lost nothing that counts to underflow
LOST = 1.0e-25  # a sum of float32 exponentials above it has lost nothing that counts
NEGLIGIBLE = -50.0  # terms of a log-sum below its largest: 128k of them are less than rounding


@CANVAS.entry(variants=({"scores": F32_2D, "weights": F32_1D}, {"scores": F64_2D, "weights": F64_1D}))
def class_scores(
    scores: F32_2D,
    weights: F32_1D,
    i: int,
    highest: float,
    low: float,
    cls: I32_1D,
    token_first: I64_1D,
    tokens: I32_1D,
    useful: U8_2D,
    top: F64_2D,
    likeliest: I64_2D,
    total: F64_2D,
) -> Any:
    """Write, for slot `i` and each class that is useful there, what its tokens score, f64 (n, G): `top` the largest,
    `likeliest` which that is, `total` the log-sum; -inf for all other classes. scores (n, >= V); those below `low`
    count as that. weights (V,): the exponentials of the scores over `highest`; classes of which they lost something
    are summed by themselves. Tokens by class as in `mask_rows`."""
    for g in range(useful.shape[1]):
        top[i, g], total[i, g], likeliest[i, g] = -np.inf, 0.0, -1
    for t in range(cls.shape[0]):
        g = cls[t]
        if useful[i, g]:
            given = np.float64(scores[i, t])
            x = given if given > low else low
            if x > top[i, g]:
                top[i, g], likeliest[i, g] = x, t
            total[i, g] += np.float64(weights[t])
    for g in range(useful.shape[1]):
        if not useful[i, g]:
            total[i, g] = -np.inf
        elif total[i, g] > LOST:
            total[i, g] = highest + np.log(total[i, g])
        else:
            whole = 0.0
            for k in range(token_first[g], token_first[g + 1]):
                x = max(np.float64(scores[i, tokens[k]]), low) - top[i, g]
                if x > NEGLIGIBLE:
                    whole += np.exp(x)
            total[i, g] = top[i, g] + np.log(whole)


@CANVAS.entry
def bundle_weights(first: I64_1D, bundles: I32_1D, weights: F64_2D, best: F64_2D, total: F64_2D) -> Any:
    """Write the largest weight in each bundle, and the log-sum, f64 (n, B), of classes that weigh f64 (n, G). Bundle b
    has the classes bundles[first[b] : first[b + 1]]."""
    for i in range(weights.shape[0]):
        for b in range(best.shape[1]):
            highest, whole = -np.inf, 0.0
            for k in range(first[b], first[b + 1]):
                highest = max(highest, weights[i, bundles[k]])
            best[i, b] = total[i, b] = highest
            if highest > -np.inf:
                for k in range(first[b], first[b + 1]):
                    x = weights[i, bundles[k]] - highest
                    if x > NEGLIGIBLE:
                        whole += np.exp(x)
                total[i, b] += np.log(whole)


@CANVAS.entry
def bundle_shifts(
    first: I64_1D, bundles: I32_1D, chances: F64_2D, total: F64_2D, weights: F64_2D, by_class: F64_1D, out: F64_2D
) -> Any:
    """Write by how much the log-probability of each class exceeds its weight, f64 (n, G): -inf where it has none. Of
    bundles f64 (n, B) their probability and log-sum; by_class f64 (G,) is scratch."""
    for i in range(weights.shape[0]):
        for g in range(weights.shape[1]):
            out[i, g], by_class[g] = -np.inf, 0.0
        for summing in range(2):
            for b in range(chances.shape[1]):
                if chances[i, b] <= 0.0:
                    continue
                x = np.log(chances[i, b]) - total[i, b]
                for k in range(first[b], first[b + 1]):
                    g = bundles[k]
                    if weights[i, g] > -np.inf:
                        if summing:
                            by_class[g] += np.exp(x - out[i, g])
                        else:
                            out[i, g] = max(out[i, g], x)
        for g in range(weights.shape[1]):
            if by_class[g] > 0.0:
                out[i, g] += np.log(by_class[g])


@CANVAS.entry
def best_paths(
    link_first: I64_1D, links: I32_2D, weights: F64_2D, forward: U8_2D, backward: U8_2D, best: F64_2D
) -> Any:
    """Write to `best` f64 (n+1, S), whose last row is given, the largest weight of a path from a state to an end.

    State s has the rows link_first[s] to link_first[s + 1] of `links` i32 (., 2), (bundle, next state); weights f64
    (n, B). States that are not alive (u8 (n+1, S), kernels/canvas.py) have -inf.
    """
    for i in range(weights.shape[0] - 1, -1, -1):
        for s in range(best.shape[1]):
            highest = -np.inf
            if forward[i, s] and backward[i, s]:
                for k in range(link_first[s], link_first[s + 1]):
                    x = weights[i, links[k, 0]] + best[i + 1, links[k, 1]]
                    highest = max(highest, x)
            best[i, s] = highest


@CANVAS.entry
def follow_best(link_first: I64_1D, links: I32_2D, weights: F64_2D, best: F64_2D, start: int, bundles: I32_1D) -> Any:
    """Write to `bundles` i32 (n,) the path of largest weight from state `start`; the first such link of each slot."""
    s = np.int64(start)
    for i in range(weights.shape[0]):
        for k in range(link_first[s], link_first[s + 1]):
            if weights[i, links[k, 0]] + best[i + 1, links[k, 1]] == best[i, s]:
                bundles[i] = links[k, 0]
                s = np.int64(links[k, 1])
                break


@inner
def _scaled(logs, i, out):  # type: ignore[no-untyped-def]
    """Write to `out` the exponentials of a row over its largest, which is returned; 0.0 for a row of -inf."""
    highest = -np.inf
    for k in range(out.shape[0]):
        highest = max(highest, logs[i, k])
    if highest == -np.inf:
        highest = 0.0
    for k in range(out.shape[0]):
        out[k] = np.exp(logs[i, k] - highest)
    return highest


@CANVAS.entry
def sum_paths(
    link_first: I64_1D,
    links: I32_2D,
    weights: F64_2D,
    forward: U8_2D,
    backward: U8_2D,
    mass: F64_2D,
    by_bundle: F64_1D,
    by_state: F64_1D,
) -> Any:
    """As `best_paths`, with the log-sum of all paths in place of the largest. by_bundle f64 (B,) and by_state f64 (S,)
    are scratch: a layer takes an exponential for each of them, and for an edge only where that would be too small."""
    for i in range(weights.shape[0] - 1, -1, -1):
        scale = _scaled(weights, i, by_bundle) + _scaled(mass, i + 1, by_state)
        for s in range(mass.shape[1]):
            mass[i, s] = -np.inf
            if not forward[i, s] or not backward[i, s]:
                continue
            whole = 0.0
            for k in range(link_first[s], link_first[s + 1]):
                whole += by_bundle[links[k, 0]] * by_state[links[k, 1]]
            if whole > SMALL:
                mass[i, s] = scale + np.log(whole)
                continue
            highest = -np.inf
            for k in range(link_first[s], link_first[s + 1]):
                highest = max(highest, weights[i, links[k, 0]] + mass[i + 1, links[k, 1]])
            whole = 0.0
            for k in range(link_first[s], link_first[s + 1]):
                x = weights[i, links[k, 0]] + mass[i + 1, links[k, 1]] - highest
                if x > NEGLIGIBLE:
                    whole += np.exp(x)
            if whole > 0.0:
                mass[i, s] = highest + np.log(whole)


@CANVAS.entry
def bundle_marginals(
    link_first: I64_1D,
    links: I32_2D,
    weights: F64_2D,
    mass: F64_2D,
    chance: F64_2D,
    marginal: F64_2D,
    by_bundle: F64_1D,
    by_state: F64_1D,
) -> Any:
    """Add to `marginal` f64 (n, B), zeros, the probability of each bundle in each slot under the law whose `sum_paths`
    are `mass`. chance f64 (n+1, S), row 0 given and zeros, becomes that of passing through a state."""
    for i in range(weights.shape[0]):
        scale = _scaled(weights, i, by_bundle) + _scaled(mass, i + 1, by_state)
        for s in range(mass.shape[1]):
            if chance[i, s] <= 0.0:
                continue
            whole = np.exp(mass[i, s] - scale)
            share = chance[i, s] / whole if whole > SMALL else 0.0
            for k in range(link_first[s], link_first[s + 1]):
                g, after = links[k, 0], links[k, 1]
                if whole > SMALL:
                    p = share * by_bundle[g] * by_state[after]
                else:
                    p = chance[i, s] * np.exp(weights[i, g] + mass[i + 1, after] - mass[i, s])
                marginal[i, g] += p
                chance[i + 1, after] += p


@CANVAS.entry(variants=({"scores": F32_2D, "out": F32_2D}, {"scores": F64_2D, "out": F64_2D}))
def spread_shifts(scores: F32_2D, slots: I32_1D, cls: I32_1D, shift: F64_2D, floor: F64_1D, out: F32_2D) -> Any:
    """Write to rows `slots` of `out` (n, V) the score of each token, at least floor f64 (n,), plus the shift of its
    class, f64 (n, G): -inf for classes whose shift is. In float64 until it is stored."""
    for at in range(slots.shape[0]):
        i = slots[at]
        low = floor[i]
        for t in range(cls.shape[0]):
            x = np.float64(scores[i, t])
            out[i, t] = (x if x > low else low) + shift[i, cls[t]]
