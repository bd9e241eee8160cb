"""The second IR: an LALR(1) parser fed by a lexer, for grammars whose meaning includes how text is cut into tokens.

`grammars/lark/` produces it, `automata/lexed/automaton.py` runs it. Everything is data but the lexer, which makes its
states on demand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

END = 0  # terminal number of the end of the text


class LexingAutomaton(Protocol):
    """States are numbers, 0 is dead. Guard 0 is the one that forbids nothing."""

    def start(self, context: Any, guard: int) -> int:
        """The state before a token in a context, `guard` being what the token before left."""

    def successors(self, number: int) -> list[tuple[int, int]]:
        """(mask of character classes, next state) for every way on."""

    def ends(self, number: int) -> list[tuple[int, int]]:
        """(terminal, guard) of every token that may end here."""

    def may_end(self, number: int) -> bool:
        """Whether the text may end here, before a token."""


@dataclass(frozen=True, slots=True)
class Indentation:
    """How newlines become indentation (Lark's Indenter): terminals by number, `tab` columns a tab."""

    newline: int
    indent: int
    dedent: int
    opens: frozenset[int]
    closes: frozenset[int]
    tab: int


@dataclass(frozen=True, slots=True, eq=False)
class LexedGrammar:
    """LALR tables over terminals 0..t-1 (END = 0) and nonterminals, and the lexer.

    field        meaning
    source       the user's text and options: what identifies the language
    terminals    names by number
    widths       fewest characters of each terminal, 0 for those that are not text
    nonterminals names by number
    shifts       per state: terminal -> next state
    reduces      per state: terminal -> production
    gotos        per state: nonterminal -> next state
    productions  (nonterminal, length)
    start        first state;  final: the state in which END accepts
    contexts     what may be lexed, each for the lexer;  context_of: by LALR state
    ignored      terminals the parser never sees
    symbols      character classes of the lexer
    bytes        byte automaton of one character: grammars/lark/utf8.py
    lexer        makes the automaton that cuts tokens: a new one for every user, since it numbers states as it meets
                 them
    indentation  of languages with significant newlines
    labels       what messages call the terminals, by number; their names if there are none
    recipe       what grammars/lark/stored.py keeps of the grammar
    """

    source: str
    terminals: tuple[str, ...] = field(repr=False)
    widths: tuple[int, ...] = field(repr=False)
    nonterminals: tuple[str, ...] = field(repr=False)
    shifts: tuple[dict[int, int], ...] = field(repr=False)
    reduces: tuple[dict[int, int], ...] = field(repr=False)
    gotos: tuple[dict[int, int], ...] = field(repr=False)
    productions: tuple[tuple[int, int], ...] = field(repr=False)
    start: int = field(repr=False)
    final: int = field(repr=False)
    contexts: tuple[Any, ...] = field(repr=False)
    context_of: tuple[int, ...] = field(repr=False)
    ignored: frozenset[int] = field(repr=False)
    symbols: int = field(repr=False)
    bytes: tuple[tuple[int, ...], ...] = field(repr=False)
    lexer: Callable[[], LexingAutomaton] = field(repr=False)
    indentation: Indentation | None = field(default=None, repr=False)
    labels: tuple[str, ...] = field(default=(), repr=False)
    recipe: dict[str, Any] = field(default_factory=dict, repr=False)
