"""A byte-shortest completion of a lexed configuration: A* over configurations, by what the parser's tables say is still
needed.

The bound leaves out look-ahead and how tokens touch, so it never exceeds the truth, and it is nearly the truth: the
search goes straight to the end in all but contrived grammars. `Needs` holds, per LALR state, the fewest bytes until
that state is popped, by the production that pops it (the summaries of a pushdown system: Bouajjani, Esparza and Maler
1997).

Cost: Needs once per grammar and only when a completion is asked for; the bound of a stack is linear in its depth.
"""

from __future__ import annotations

import heapq
from collections import deque

from structgen.grammars.ir_lr import LexedGrammar

FAR = 1 << 40

Popped = tuple[int, int]  # (production that is being reduced, states it still pops)


class Needs:
    """Fewest bytes from a stack to the end of the text, by the tables alone."""

    def __init__(self, grammar: LexedGrammar) -> None:
        self.grammar = grammar
        self._pushed: list[dict[int, int]] = [self._first_pushed(state) for state in range(len(grammar.shifts))]
        self._popped: list[dict[Popped, int]] = [{} for _ in grammar.shifts]
        self._settle()

    def _first_pushed(self, state: int) -> dict[int, int]:
        """What may be pushed on a state at once: the target of a shift, or of a reduction of nothing."""
        grammar = self.grammar
        found: dict[int, int] = {}
        for terminal, target in grammar.shifts[state].items():
            found[target] = min(found.get(target, FAR), grammar.widths[terminal])
        for production in set(grammar.reduces[state].values()):
            nonterminal, length = grammar.productions[production]
            if length == 0:
                found[grammar.gotos[state][nonterminal]] = 0
        return found

    def _settle(self) -> None:
        """Fixpoint over the states: when the summary of one changes, those it can be pushed on are looked at again."""
        below: list[set[int]] = [set() for _ in self._popped]
        queue = deque(range(len(self._popped) - 1, -1, -1))
        queued = set(queue)
        while queue:
            state = queue.popleft()
            queued.discard(state)
            found = self._summary(state, below)
            if found != self._popped[state]:
                self._popped[state] = found
                fresh = below[state] - queued
                queue.extend(fresh)
                queued |= fresh

    def _summary(self, state: int, below: list[set[int]]) -> dict[Popped, int]:
        grammar = self.grammar
        found: dict[Popped, int] = {}
        for production in set(grammar.reduces[state].values()):
            length = grammar.productions[production][1]
            if length:
                found[production, length - 1] = 0
        above, _ = self._above(state, self._pushed[state], below)
        for popped, cost in above.items():
            found[popped] = min(found.get(popped, FAR), cost)
        return found

    def _above(
        self, state: int, pushed: dict[int, int], below: list[set[int]] | None = None
    ) -> tuple[dict[Popped, int], int]:
        """How `state` is popped when these states are pushed on it at these costs; and the cost of the text's end."""
        found: dict[Popped, int] = {}
        heap = [(cost, target) for target, cost in pushed.items()]
        heapq.heapify(heap)
        done: set[int] = set()
        end = FAR
        while heap:
            cost, top = heapq.heappop(heap)
            if top in done:
                continue
            done.add(top)
            if below is not None:
                below[top].add(state)
            if top == self.grammar.final:
                end = min(end, cost)
            for (production, left), more in self._popped[top].items():
                if left:
                    key = production, left - 1
                    found[key] = min(found.get(key, FAR), cost + more)
                else:
                    target = self.grammar.gotos[state].get(self.grammar.productions[production][0])
                    if target is not None:
                        heapq.heappush(heap, (cost + more, target))
        return found, end

    def of(self, stack: list[int]) -> int:
        """Fewest bytes to the end of the text for a stack of LALR states, the top last; FAR if there is no end."""
        popped, best = dict(self._popped[stack[-1]]), FAR
        for state in reversed(stack[:-1]):
            after: dict[Popped, int] = {}
            pushed: dict[int, int] = {}
            for (production, left), cost in popped.items():
                if left:
                    after[production, left - 1] = cost
                else:
                    target = self.grammar.gotos[state].get(self.grammar.productions[production][0])
                    if target is not None:
                        pushed[target] = min(pushed.get(target, FAR), cost)
            above, end = self._above(state, pushed)
            best = min(best, end)
            for key, cost in above.items():
                after[key] = min(after.get(key, FAR), cost)
            popped = after
        if len(stack) == 1:
            _, best = self._above(stack[0], self._pushed[stack[0]])
        return best
