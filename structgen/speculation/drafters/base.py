"""What a drafter is: an object that proposes the next token of a path, and learns from what the model found likely.

A draft may be wrong or illegal: the tree drops what the constraint forbids, and a wrong token costs a node of a call.
It must not depend on the random numbers of the draws it is verified by. One that draws its tokens from a law of its own
says so (`Place.proposals`): then more of them are taken, under the same law of what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import torch

from structgen.engines.sampling import Proposal
from structgen.kernels.layout import DEAD
from structgen.matcher import Constraint
from structgen.speculation.tree import DraftTree
from structgen.vocabulary import Vocabulary

__all__ = ["SHARE_PRIORS", "Draft", "Drafter", "Place", "Rests", "Seen", "endings", "rest_behind", "share_of_eighths"]

SHARE_PRIORS = (0.02, 0.06, 0.12, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9)  # of what a model says with such a share

Rests: TypeAlias = dict[int, tuple[list[int], int]]  # by node of the tree: the tokens drafted behind it, and their kind


class Draft(NamedTuple):
    """A token that may come next. `kind` is what the drafter knows about its chances, as a small number: acceptance is
    counted by drafter and kind. `prior`: the chance it is given before anything was counted."""

    token: int
    kind: int
    prior: float


@dataclass(slots=True)
class Place:
    """Where drafts are asked for.

    tokens      of the prompt and the output so far; the last of them is node 0 of the tree
    start       how many of them are the prompt
    text        the bytes of the output so far
    tree        what was drafted so far: legal tokens alone
    proposals   by node: tokens that a drafter drew there, and of what law (engines/sampling.py); the loop draws with it
    state       (H,) the model's last state where the last token was drawn, None where it is not known
    """

    tokens: Sequence[int]
    start: int
    text: bytes
    tree: DraftTree
    constraint: Constraint | None
    vocabulary: Vocabulary
    state: torch.Tensor | None = None
    proposals: dict[int, Proposal] = field(default_factory=dict)
    _tails: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def tail(self, node: int) -> tuple[int, ...]:
        """The last tokens of the text that ends with a node, sixteen or more where there are so many."""
        known = self._tails.get(node)
        if known is None:
            parent = self.tree.parents[node]
            known = (*self.tail(parent)[-15:], self.tree.tokens[node]) if node else tuple(self.tokens[-16:])
            self._tails[node] = known
        return known

    def allows(self, node: int, token: int) -> bool:
        """Whether a token may come after a node."""
        return self.tree.after(node, token) != DEAD


class Seen(NamedTuple):
    """What the model said behind a text that was read, whether or not the text went on so.

    tail     its last tokens, sixteen or more where there are so many
    state    the constraint's state there, START without one
    likely   the likeliest tokens, the likeliest first
    chances  their probabilities among themselves
    """

    tail: tuple[int, ...]
    state: int
    likely: Sequence[int]
    chances: Sequence[float]


class Drafter(Protocol):
    """Proposes tokens.

    >>> class Nines:
    ...     name = "nines"
    ...     def begin(self, place):
    ...         pass
    ...     def drafts(self, place, node):
    ...         return [Draft(place.vocabulary.size - 1, kind=0, prior=0.5)]
    ...     def observe(self, seen):
    ...         pass
    """

    name: str

    def begin(self, place: Place) -> None:
        """The text has grown to `place`; a new tree begins."""
        ...

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """What may come after a node of the tree."""
        ...

    def observe(self, seen: Seen) -> None:
        """Learn from a node that was read."""
        ...


def rest_behind(rests: Rests, tree: DraftTree, node: int) -> tuple[list[int], int]:
    """What is left, behind a node, of the text drafted behind its parent; ([], 0) where the node is no part of it."""
    rest, kind = rests.get(tree.parents[node], ([], 0))
    return (rest[1:], kind) if rest and rest[0] == tree.tokens[node] else ([], 0)


def endings(tokens: Sequence[int], end: int, longest: int) -> Iterator[tuple[int, ...]]:
    """The n-grams of at most `longest` tokens that end ahead of tokens[end], the shortest first."""
    return (tuple(tokens[end - size : end]) for size in range(1, min(longest, end) + 1))


def share_of_eighths(chance: float) -> int:
    """A probability as one of 0 to 8, finer where it is near 0 or 1: what a drafter counts chances by."""
    for eighth, limit in enumerate((0.04, 0.1, 0.2, 0.35, 0.55, 0.75, 0.9, 0.97)):
        if chance < limit:
            return eighth
    return 8
