"""Draft tokens as a trie: what may come after the last token that was written, legal under the constraint.

Node 0 stands for that last token. A token the constraint forbids is not added, nor is a stop token, behind which
nothing is read; equal drafts share a node, which keeps the better estimate. Cost: a step of the constraint per node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from structgen.errors import InvariantError
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.matcher import Constraint

__all__ = ["NOWHERE", "NO_LABEL", "DraftTree", "Label"]

Label: TypeAlias = tuple[str, int]  # a drafter's name, and what it knew (drafters/base.Draft.kind)

NOWHERE = -1  # no node
NO_LABEL: Label = ("", -1)


class DraftTree:
    """Nodes in the order of their making, so that parents come before children; lists of equal length:

    tokens    the token of each node
    parents   its parent, NOWHERE of node 0
    depths    0 for node 0
    states    the constraint's state behind the node (structgen.Constraint); START throughout without one
    worth     estimated probability that the node is reached, 1.0 for node 0
    sources   whose estimate that is (`Label`), NO_LABEL of node 0
    """

    def __init__(self, token: int, state: int, constraint: Constraint | None, stop_ids: Sequence[int] = ()) -> None:
        self._constraint, self._stops = constraint, frozenset(stop_ids)
        self.tokens, self.parents, self.depths = [token], [NOWHERE], [0]
        self.states, self.worth, self.sources = [state], [1.0], [NO_LABEL]
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def child(self, node: int, token: int) -> int:
        """The node of `token` after `node`, or NOWHERE."""
        return self._children.get((node, token), NOWHERE)

    def children(self, node: int) -> list[int]:
        """The children of a node, in the order of their making."""
        return [child for child in range(node + 1, len(self)) if self.parents[child] == node]

    def after(self, node: int, token: int) -> int:
        """The constraint's state behind `token` after `node`; DEAD where it is forbidden or ends the text."""
        if token in self._stops:
            return DEAD
        state = self._step(self.states[node], token)
        return DEAD if state == FINISHED else state

    def add(self, parent: int, token: int, chance: float, source: Label) -> int:
        """The node of `token` after `parent`, made if it is legal and not there yet; NOWHERE if it is not legal.

        `chance`: the estimated probability of the token where the parent is reached.
        """
        worth = self.worth[parent] * chance
        node = self.child(parent, token)
        if node != NOWHERE:
            if worth > self.worth[node]:
                self.worth[node], self.sources[node] = worth, source
            return node
        state = self.after(parent, token)
        if state == DEAD:
            return NOWHERE
        node = self._children[parent, token] = len(self.tokens)
        self.tokens.append(token)
        self.parents.append(parent)
        self.depths.append(self.depths[parent] + 1)
        self.states.append(state)
        self.worth.append(worth)
        self.sources.append(source)
        return node

    def _step(self, state: int, token: int) -> int:
        return START if self._constraint is None else self._constraint.step(state, token)

    def path(self, node: int) -> list[int]:
        """The nodes from node 0 to `node`, both included."""
        found = [node]
        while self.parents[found[-1]] != NOWHERE:
            found.append(self.parents[found[-1]])
        return found[::-1]

    def cut(self, count: int) -> None:
        """Drop all but the first `count` nodes, at least node 0; parents come first, so a tree is left."""
        for node in range(count, len(self)):
            del self._children[self.parents[node], self.tokens[node]]
        for column in (self.tokens, self.parents, self.depths, self.states, self.worth, self.sources):
            del column[count:]

    def attention(self) -> NDArray[np.bool_]:
        """(n, n): row i is true at node i and its ancestors, which is what it may look at."""
        size = len(self.tokens)
        seen = np.eye(size, dtype=np.bool_)
        for node in range(1, size):
            seen[node] |= seen[self.parents[node]]
        return seen

    def validate(self) -> None:
        """Raise InvariantError where parents, children, depths or states disagree."""
        if len({len(column) for column in (self.tokens, self.parents, self.depths, self.states, self.worth)}) != 1:
            raise InvariantError("TREE", "columns of different lengths")
        if len(self._children) != len(self) - 1:
            raise InvariantError("TREE", "children that are no nodes")
        for node in range(1, len(self)):
            parent = self.parents[node]
            if not 0 <= parent < node or self.child(parent, self.tokens[node]) != node:
                raise InvariantError("TREE", f"the parent of node {node}")
            if self.depths[node] != self.depths[parent] + 1 or self.worth[node] > self.worth[parent]:
                raise InvariantError("TREE", f"depth or worth of node {node}")
            if self._step(self.states[parent], self.tokens[node]) != self.states[node]:
                raise InvariantError("TREE", f"the state of node {node}")
