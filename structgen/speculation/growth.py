"""Drafts of many drafters to one tree, best first, as large as it pays.

    most worth first:  node -> every drafter's drafts for it -> its candidates, with the worth of each -> next node

At a node the drafts of all drafters stand in one order, likeliest first; equal tokens keep the better estimate, and
each is worth what the better ones leave: worth(node) * chance * product of (1 - chance of the better ones). So the
worth of a node's children never exceeds its own, and the nodes in the order of their making are the best trees of every
size (DySpec, Xiong et al. 2024). A tree of n nodes is expected to give 1 + sum of worth tokens for one call of
cost(n): the size with the best ratio is read (goodput, Liu et al. 2024). With no node that pays, a call is a plain one.

Cost: for each node made, a call of each drafter and a step of the constraint for each draft.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structgen.kernels.layout import DEAD
from structgen.speculation.drafters.base import Drafter, Place
from structgen.speculation.estimates import Acceptance
from structgen.speculation.tree import Label

__all__ = ["Grown", "grow"]

_LEAST = 0.02  # worth under which nothing is looked at
_WIDE = 4  # most children of a node


@dataclass(slots=True)
class Grown:
    """The candidates of each node that was looked at: (token, label), best first, read or not."""

    candidates: dict[int, list[tuple[int, Label]]] = field(default_factory=dict)

    def count(self, node: int, token: int, acceptance: Acceptance) -> None:
        """The text went on with `token` behind a node: count it for the candidates that were tested by that."""
        for each, label in self.candidates.get(node, ()):
            acceptance.count(label, each == token)
            if each == token:
                return


def grow(
    place: Place, drafters: Sequence[Drafter], acceptance: Acceptance, cost: Callable[[int], float], most: int
) -> Grown:
    """Fill `place.tree`, which has node 0 alone, with at most `most` nodes in all; what else was thought of."""
    tree, grown = place.tree, Grown()
    for drafter in drafters:
        drafter.begin(place)
    waiting: list[tuple[float, int, int, int, Label]] = []  # (-worth, number, parent, token, label)
    tokens, best, best_rate, number = 1.0, 1, 1 / cost(1), 0
    node, worth = 0, 1.0
    while True:
        rest, found = 1.0, _ranked(place, drafters, acceptance, node)
        grown.candidates[node] = [(token, label) for _, token, label in found]
        for chance, token, label in found:
            number += 1
            if worth * rest * chance >= _LEAST:
                heapq.heappush(waiting, (-worth * rest * chance, number, node, token, label))
            rest *= 1 - chance
        if not waiting or len(tree) == most:
            break
        negative, _, parent, token, label = heapq.heappop(waiting)
        worth = -negative
        node = tree.add(parent, token, worth / tree.worth[parent], label)
        tokens += worth
        if tokens / cost(len(tree)) > best_rate:
            best, best_rate = len(tree), tokens / cost(len(tree))
    tree.cut(best)
    return grown


def _ranked(
    place: Place, drafters: Sequence[Drafter], acceptance: Acceptance, node: int
) -> list[tuple[float, int, Label]]:
    """(chance, token, label) of the legal drafts for a node, likeliest first."""
    best: dict[int, tuple[float, Label]] = {}
    for drafter in drafters:
        for token, kind, prior in drafter.drafts(place, node):
            label = (drafter.name, kind)
            chance = acceptance.chance(label, prior)
            if token not in best or chance > best[token][0]:
                best[token] = (chance, label)
    order = sorted(best.items(), key=lambda item: -item[1][0])
    legal = [(chance, token, label) for token, (chance, label) in order if place.tree.after(node, token) != DEAD]
    return legal[:_WIDE]
