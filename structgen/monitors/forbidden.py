"""Forbidden: names that a program must not use, whatever a server knows of them: `constraint & Forbidden(["eval"])`.

Which names stand in a text is regular: the lexer without its brackets, and the letters of the name that is being
written. So nothing is watched while texts are generated: the grammar is met with that language once, and the result is
a constraint like any other, without dead ends and with masks of the same cost. A text that can only be written with
such a name is Unsatisfiable.

Cost: some ten thousand steps of the lexer for each set of names, once; the product with the grammar.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from structgen.errors import OptionError
from structgen.grammars.combine.automaton import ByteAutomaton
from structgen.grammars.combine.nets import Net, Nets
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import Grammar
from structgen.matcher import Constraint
from structgen.monitors.lexical.python import PREFIXES, Python, Spot
from structgen.monitors.monitored import Monitored
from structgen.options import Limits

__all__ = ["Forbidden"]

ENDED = -1  # in place of a beginning: the word that is being written is none of the names, whatever follows
State = tuple[Spot, int]


class Forbidden:
    """Names that no text may hold in code: not as a variable, a member, a keyword or in an import; in strings and
    comments they may. Python alone.

    names   what is forbidden, whole names: `eval` forbids neither `evaluate` nor `retrieval`
    before  the text up to the cursor

    Raises OptionError for what is no name. `constraint & Forbidden(...)` raises Unsatisfiable where nothing is left,
    OptionError for constraints that have no such product (grammars with a lexer, samplers' functions on top).
    """

    def __init__(self, names: Iterable[str], *, before: str = "") -> None:
        self.names, self.before, self.lexer = frozenset(names), before.encode(), Python()
        for name in self.names:
            if not name.isidentifier():
                raise OptionError(f"{name!r} is no name", option="names")

    def __repr__(self) -> str:
        return f"Forbidden({', '.join(sorted(self.names))})"

    def __rand__(self, constraint: Any) -> Any:
        if isinstance(constraint, Monitored):
            return Monitored(constraint.base & self, constraint.monitor)
        if not isinstance(constraint, Constraint) or not isinstance(constraint.grammar, Grammar):
            raise OptionError("names are forbidden in a constraint of a plain grammar, schema or regex", option="names")
        limit = Limits().product_states
        grammar = meet(constraint.grammar, ByteAutomaton(self._net, Nets(Grammar(()), limit)), limit)
        return Constraint(grammar, constraint.vocabulary, constraint.trie, constraint.target)

    @cached_property
    def _beginnings(self) -> list[bytes]:
        """What names begin with, the empty one first."""
        return sorted({name[:size] for name in self._names for size in range(len(name) + 1)} | {b""})

    @cached_property
    def _names(self) -> frozenset[bytes]:
        return frozenset(name.encode() for name in self.names)

    @cached_property
    def _net(self) -> Net:
        """The texts without these names, as an automaton over bytes."""
        numbers, pending, net = dict[State, int](), list[State](), Net()

        def number(state: State) -> int:
            if state not in numbers:
                numbers[state] = len(numbers)
                pending.append(state)
                net.scans.append([])
                net.calls.append([])
            return numbers[state]

        number(self._start())
        while pending:
            state = pending.pop()
            if self._word(state) not in self._names:
                net.accepts.add(numbers[state])
            targets = dict[int, int]()
            for byte in range(256):
                after = self._after(state, byte)
                if after is not None:
                    target = number(after)
                    targets[target] = targets.get(target, 0) | 1 << byte
            net.scans[numbers[state]] = [(mask, target) for target, mask in targets.items()]
        return net

    def _start(self) -> State:
        lexical, word = self.lexer.start(), b""
        for byte in self.before:
            lexical = self.lexer.after(lexical, byte)
            word = word + bytes((byte,)) if byte in self.lexer.letters.all and self.lexer.in_code(lexical) else b""
        return self.lexer.shallow(lexical), self._at(word)

    def _at(self, word: bytes) -> int:
        return self._beginnings.index(word) if word in self._beginnings else ENDED

    def _word(self, state: State) -> bytes:
        return b"~" if state[1] == ENDED else self._beginnings[state[1]]

    def _after(self, state: State, byte: int) -> State | None:
        """The state behind a byte; None where it ends a forbidden name."""
        after, word = self.lexer.after(state[0], byte), self._word(state)
        if byte in self.lexer.letters.all and self.lexer.in_code(after):
            return self.lexer.shallow(after), self._at(word + bytes((byte,)))
        is_prefix = byte in b"\"'" and word.lower() in PREFIXES
        return None if word in self._names and not is_prefix else (self.lexer.shallow(after), 0)
