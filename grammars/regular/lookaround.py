"""Expressions with lookarounds and anchors as a deterministic machine."""

from __future__ import annotations

from structgen.errors import LimitExceeded
from structgen.grammars.regular.alphabet import Alphabet
from structgen.grammars.regular.machine import Budget, Edges, State
from structgen.grammars.regular.syntax import Node


class Threads:
    """An expression with assertions."""

    def __init__(self, node: Node, alphabet: Alphabet, budget: Budget) -> None:
        self.start: State | None = None
        raise LimitExceeded("lookaround", limit="todo", allowed=0)

    def accepts(self, state: State) -> bool:
        """See Machine."""
        return False

    def edges(self, state: State) -> Edges:
        """See Machine."""
        return ()
