"""Which lexer states and parser stacks can still reach the end of a text: exactly those.

Behind the lexer, an LALR parser is a pushdown system. Its stack symbols are LALR states; its control is what the last
token left: a guard for the lexer and, in languages with indentation, whether parentheses are open. A *pending* token
(terminal, control after it) is one that the lexer can cut in the context of the stack's top: what another terminal
shadows there is never pending, and neither is what the parser's table would reduce for but no text can bring.
The configurations from which such a system reaches its end are a regular set of stacks (pre* of Bouajjani, Esparza
and Maler 1997), found in two steps:

    summaries   for (state, pending tokens): by which reductions may the state be popped, and with which token pending
                then; a least fixpoint over the states, once per grammar
    classes     the automaton that reads a stack from the bottom: a class says which pending tokens lead to the end.
                It is deterministic and made on demand, for stacks are interned node by node

A reduction that still pops is an *exit* (nonterminal, states left to pop) with the tokens it may be waiting for, as
bits. Classes are states of the canonical LR(1) parser (Knuth 1965), with those look-aheads that can be.

INDENT and DEDENT tokens may come wherever a newline was, as often as blocks may be open; where a grammar does not
close every block it opens within the rule that opened it, the class forgets how many there are. The same holds for
parentheses behind a closing one. There, and only there, a class may call a stack live that is not.

Cost: 2 ms (JSON), 0.2 s (C) to 1.5 s (lark's Python) per grammar; a class 0.1 to 1 ms. Reference: lark itself on every
short text, in tests/lark/test_dead_ends.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from structgen.automata.lexed.lexing import LexTable, bits_of, members
from structgen.errors import LimitExceeded
from structgen.grammars.ir_lr import END, Indentation, LexedGrammar
from structgen.kernels.codes import UNKNOWN

MAX_CLASSES = 1 << 16

PLAIN, LINE, BLOCK, OVER = range(4)  # stages: between tokens; behind a newline; behind a DEDENT; behind the text
ENDS = 1  # the bit of the end of the text among pending tokens
_NOWHERE = Indentation(-1, -1, -1, frozenset(), frozenset(), 0)

Exit = tuple[int, int]  # (nonterminal, states left to pop); FINAL for the end of the text
Exits = dict[Exit, int]  # with the pending tokens, as bits
Node = tuple[Any, ...]
FINAL: Exit = (-1, 0)


class Control(NamedTuple):
    """What the parser's stack does not know: the lexer's guard, 1 inside parentheses, the stage of a new line."""

    guard: int
    inside: int = 0
    stage: int = PLAIN


class Class(NamedTuple):
    """What may be pending on a stack.

    field   meaning
    state   the LALR state on top
    popped  exit -> tokens that lead to the end if that many states are popped from here, the top first
    pushed  nonterminal -> the same if nothing more is popped
    """

    state: int
    popped: Exits
    pushed: dict[int, int]


class Pending:
    """The tokens that may come, by number, and which of them the lexer can cut where."""

    def __init__(self, grammar: LexedGrammar, lex: LexTable) -> None:
        self.grammar, self.lex = grammar, lex
        self.blocks = grammar.indentation or _NOWHERE
        self.modes = (0, 1) if self.blocks.opens else (0,)
        self.tokens: list[tuple[int, Control]] = [(END, Control(0, 0, OVER))]
        self.of_pair: dict[tuple[int, int], int] = {}  # (pair, inside) -> tokens, as bits
        self.of_terminal = [0] * len(grammar.terminals)
        self._numbers: dict[tuple[int, Control], int] = {self.tokens[0]: 0}
        self._offered: dict[tuple[int, Control], int] = {}
        for pair, (terminal, guard) in enumerate(lex.pairs):
            for inside in self.modes if pair else ():
                if not self.skipped(terminal, inside):
                    self.of_pair[pair, inside] = self._cut(terminal, guard, inside)
        for number, (terminal, _) in enumerate(self.tokens):
            self.of_terminal[terminal] |= 1 << number

    def skipped(self, terminal: int, inside: int) -> bool:
        """Whether the parser does not see a token: it is ignored, or a newline inside parentheses."""
        return terminal in self.grammar.ignored or (bool(inside) and terminal == self.blocks.newline)

    def _cut(self, terminal: int, guard: int, inside: int) -> int:
        """The tokens that an end (terminal, guard) may be."""
        blocks = self.blocks
        if terminal == blocks.newline:
            return self._bit(terminal, Control(guard, 0, LINE))
        if terminal in blocks.opens:
            return self._bit(terminal, Control(guard, 1))
        if terminal in blocks.closes:
            return (self._bit(terminal, Control(guard, 0)) | self._bit(terminal, Control(guard, 1))) if inside else 0
        return self._bit(terminal, Control(guard, inside))

    def _bit(self, terminal: int, control: Control) -> int:
        number = self._numbers.get((terminal, control))
        if number is None:
            number = self._numbers[terminal, control] = len(self.tokens)
            self.tokens.append((terminal, control))
            if control.stage == LINE:  # what a newline may become
                self._bit(self.blocks.indent, Control(control.guard))
                self._bit(self.blocks.dedent, Control(control.guard, 0, BLOCK))
                self._bit(self.blocks.dedent, Control(0, 0, OVER))
        return 1 << number

    def offered(self, context: int, control: Control) -> int:
        """The tokens that may come in a context, past any that the parser does not see."""
        key = (context, control)
        if key not in self._offered:
            self._offered[key] = self._offer(context, control)
        return self._offered[key]

    def _offer(self, context: int, control: Control) -> int:
        blocks, (guard, inside, stage) = self.blocks, control
        found = 0
        if stage in (LINE, BLOCK):
            found |= self._bit(blocks.dedent, Control(guard, 0, BLOCK))
        if stage == LINE:
            found |= self._bit(blocks.indent, Control(guard))
        if stage == OVER:
            return found | self._at_end()
        guards, pending = {guard}, [guard]
        while pending:
            guard = pending.pop()
            if (context, guard) not in self.lex.starts:
                continue  # a pair of lexer states that no text leads to
            if self.lex.may_end(context, guard):
                found |= self._at_end()
            for pair in members(self.lex.ends[self.lex.starts[context, guard]]):
                terminal, left = self.lex.pairs[pair]
                found |= self.of_pair.get((pair, inside), 0)
                if self.skipped(terminal, inside) and left not in guards:
                    guards.add(left)
                    pending.append(left)
        return found

    def _at_end(self) -> int:
        closing = (self.blocks.dedent, Control(0, 0, OVER))
        return ENDS | (1 << self._numbers[closing] if closing in self._numbers else 0)


class Liveness:
    """The classes of stacks, made as `enter` asks for them; `next` and `live` are class_next and class_live of
    kernels/lr.py, LexMemo."""

    def __init__(self, grammar: LexedGrammar, lex: LexTable) -> None:
        self.grammar, self.lex = grammar, lex
        self.pending = Pending(grammar, lex)
        self._reduces = [self._reductions(state) for state in range(len(grammar.shifts))]
        self._shifts = [self._pushes(state) for state in range(len(grammar.shifts))]
        self._direct = [[(m, (a, n - 1)) for a, n, m in reduces if n] for reduces in self._reduces]
        self._items = _items(grammar)
        self._nodes: dict[Node, int] = {}
        self._named: list[Node] = []
        self._solution: list[Exits | None] = []
        self._asking: list[set[int]] = []
        self._dirty: dict[int, None] = {}
        self._called: list[list[tuple[int, int]] | None] = [None] * len(grammar.shifts)
        self._words = (len(lex.pairs) + 63) // 64
        self._classes: list[Class] = []
        self._known: dict[tuple[int, tuple[tuple[Exit, int], ...]], int] = {}
        self.next = np.full((16, len(grammar.shifts)), UNKNOWN, np.int32)
        self.live = np.zeros((32, self._words), np.uint64)
        self._number(-1, {})

    # ------------------------------------------------------------------------------------------------------- tables

    def _reductions(self, state: int) -> list[tuple[int, int, int]]:
        """(nonterminal, length, tokens) of every reduction with `state` on top."""
        found: dict[tuple[int, int], int] = {}
        for terminal, production in self.grammar.reduces[state].items():
            key = self.grammar.productions[production]
            found[key] = found.get(key, 0) | self.pending.of_terminal[terminal]
        return [(*key, mask) for key, mask in found.items() if mask]

    def _pushes(self, state: int) -> list[tuple[int, int, int]]:
        """(state that is shifted to, what may be pending there, tokens) of every shift with `state` on top."""
        found: dict[tuple[int, int], int] = {}
        for terminal, target in self.grammar.shifts[state].items():
            for number in members(self.pending.of_terminal[terminal]) if terminal != END else ():
                key = (target, self._offered(target, self.pending.tokens[number][1]))
                found[key] = found.get(key, 0) | 1 << number
        return [(*key, mask) for key, mask in found.items()]

    def _offered(self, state: int, control: Control) -> int:
        """The tokens that may be pending with `state` on top, those only that the parser's table knows there."""
        acting = 0
        for terminal in (*self.grammar.shifts[state], *self.grammar.reduces[state]):
            acting |= self.pending.of_terminal[terminal]
        return self.pending.offered(self.grammar.context_of[state], control) & acting

    # ---------------------------------------------------------------------------------------------------- summaries

    def _node(self, *node: Any) -> int:
        """The number of a node of the system: ("top", state, tokens), ("shift", state, target, tokens) or
        ("empty", state, nonterminal, token)."""
        number = self._nodes.get(node)
        if number is None:
            number = self._nodes[node] = len(self._solution)
            self._named.append(node)
            self._solution.append(None)
            self._asking.append(set())
        return number

    def _calls(self, state: int) -> list[tuple[int, int]]:
        """(tokens, node) of what is pushed on `state`: by a shift, or by a reduction of nothing."""
        found = self._called[state]
        if found is None:
            found = [(mask, self._node("shift", state, *push)) for *push, mask in self._shifts[state]]
            for nonterminal, length, mask in self._reduces[state]:
                found += [(1 << t, self._node("empty", state, nonterminal, t)) for t in members(mask) if not length]
            self._called[state] = found
        return found

    def exits(self, node: int) -> Exits:
        """The solution of one node, with all that it depends on: first come, first improved."""
        if self._solution[node] is None:
            self._ask(node)
            while self._dirty:
                asked = next(iter(self._dirty))
                del self._dirty[asked]
                self._improve(asked)
        found = self._solution[node]
        assert found is not None
        return found

    def _ask(self, node: int) -> Exits:
        found = self._solution[node]
        if found is None:
            found = self._solution[node] = {}
            self._dirty[node] = None
        return found

    def _improve(self, node: int) -> None:
        """Compute a node anew from what is known of the others; those that asked for it follow where it grew."""
        kind, state, *rest = self._named[node]
        if kind == "top":
            found, asked = self._of_top(state, *rest)
        elif kind == "shift":
            top = self._node("top", *rest)
            found, asked = self._of_pushed(state, self._ask(top))
            asked.add(top)
        else:
            found, asked = self._of_pushed(state, {(rest[0], 0): 1 << rest[1]})
        for other in asked:
            self._asking[other].add(node)
        if found != self._solution[node]:
            self._solution[node] = found
            self._dirty |= dict.fromkeys(self._asking[node])

    def _of_top(self, state: int, tokens: int) -> tuple[Exits, set[int]]:
        """How `state`, one of these tokens being pending, is popped, and the nodes that this depends on."""
        found: Exits = {FINAL: ENDS} if state == self.grammar.final and tokens & ENDS else {}
        for mask, exit_ in self._direct[state]:
            if mask & tokens:
                _add(found, exit_, mask & tokens)
        asked = {node for mask, node in self._calls(state) if mask & tokens}
        for node in asked:
            for exit_, waiting in self._ask(node).items():
                _add(found, exit_, waiting)
        return found, asked

    def _of_pushed(self, state: int, exits: Exits) -> tuple[Exits, set[int]]:
        """The same for a state on which another was pushed that is popped by `exits`: a goto may push one more."""
        found: Exits = {}
        asked: set[int] = set()
        gotos, pushed = self.grammar.gotos[state], dict[int, int]()
        queue = list(exits.items())
        while queue:
            exit_, waiting = queue.pop()
            nonterminal, left = exit_
            if exit_ == FINAL or left:
                _add(found, exit_ if exit_ == FINAL else (nonterminal, left - 1), waiting)
                continue
            top = gotos.get(nonterminal)
            fresh = 0 if top is None else waiting & ~pushed.get(top, 0)
            if top is None or not fresh:
                continue
            pushed[top] = pushed.get(top, 0) | fresh
            if top == self.grammar.final and fresh & ENDS:
                found[FINAL] = ENDS
            queue += [(then, mask & fresh) for mask, then in self._direct[top] if mask & fresh]
            for mask, node in self._calls(top):
                if mask & fresh and node not in asked:
                    asked.add(node)
                    queue += self._ask(node).items()
        return found, asked

    # ------------------------------------------------------------------------------------------------------ classes

    def enter(self, below: int, state: int) -> None:
        """Find the class of a stack of class `below` with `state` on it, and write it into the arrays."""
        under = self._classes[below]
        popped = {
            (nonterminal, left): under.popped.get((nonterminal, left - 1), 0)
            if left > 1
            else under.pushed.get(nonterminal, 0)
            for nonterminal, left in self._items[state]
        }
        number = self._number(state, {exit_: waiting for exit_, waiting in popped.items() if waiting})
        self.next[below, state] = number

    def _number(self, state: int, popped: Exits) -> int:
        key = (state, tuple(sorted(popped.items())))
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self._classes)
            if number >= MAX_CLASSES:
                raise LimitExceeded("too many kinds of parser stacks", limit="stack_classes", allowed=MAX_CLASSES)
            pushed = self._settled(state, popped) if state >= 0 else {}
            self._classes.append(Class(state, popped, pushed))
            self._widen(number)
            for inside in self.pending.modes if state >= 0 else ():
                self.live[2 * number + inside] = bits_of(self._live(self._classes[number], inside), self._words)
        return number

    def _settled(self, state: int, popped: Exits) -> dict[int, int]:
        """`pushed` of a class: a least fixpoint, as what is pushed may be popped for another push."""
        pushed = dict.fromkeys(self.grammar.gotos[state], 0)
        grew = True
        while grew:
            grew = False
            for nonterminal, goto in self.grammar.gotos[state].items():
                found = self._good(goto, lambda exit_: popped.get(exit_, 0) if exit_[1] else pushed.get(exit_[0], 0))
                grew |= found != pushed[nonterminal]
                pushed[nonterminal] = found
        return pushed

    def _good(self, top: int, after: Callable[[Exit], int]) -> int:
        """The tokens that lead to the end with `top` on a stack; `after` says which do once `top` is popped."""
        found = ENDS if top == self.grammar.final else 0
        for mask, exit_ in self._direct[top]:
            found |= mask & after(exit_)
        for mask, node in self._calls(top):
            if mask & ~found and any(e == FINAL or waiting & after(e) for e, waiting in self.exits(node).items()):
                found |= mask
        return found

    def _live(self, stack: Class, inside: int) -> int:
        """The pairs (lexing.py) a token may end with, the stack being of this class."""
        good = self._good(stack.state, lambda exit_: stack.popped.get((exit_[0], exit_[1] + 1), 0))
        context, found = self.grammar.context_of[stack.state], good & ENDS
        for pair, (terminal, guard) in enumerate(self.lex.pairs):
            if pair and self.pending.skipped(terminal, inside):
                known = (context, guard) in self.lex.starts
                tokens = self.pending.offered(context, Control(guard, inside)) if known else 0
            else:
                tokens = self.pending.of_pair.get((pair, inside), 0)
            found |= (tokens & good != 0) << pair
        return found

    def _widen(self, number: int) -> None:
        if number == len(self.next):
            self.next = np.concatenate([self.next, np.full_like(self.next, UNKNOWN)])
            self.live = np.concatenate([self.live, np.zeros_like(self.live)])


def _add(exits: Exits, exit_: Exit, waiting: int) -> None:
    exits[exit_] = exits.get(exit_, 0) | waiting


def _items(grammar: LexedGrammar) -> list[list[Exit]]:
    """Per state, the reductions that may pop it, with the states that are popped from it on, itself counted."""
    before: list[set[int]] = [set() for _ in grammar.shifts]
    for state, (shifts, gotos) in enumerate(zip(grammar.shifts, grammar.gotos, strict=True)):
        for target in (*shifts.values(), *gotos.values()):
            before[target].add(state)
    found: list[set[Exit]] = [set() for _ in grammar.shifts]
    for state, reduces in enumerate(grammar.reduces):
        for production in set(reduces.values()):
            nonterminal, length = grammar.productions[production]
            states = {state}
            for left in range(length, 0, -1):
                for each in states:
                    found[each].add((nonterminal, left))
                states = {below for each in states for below in before[each]}
    return [sorted(each) for each in found]
