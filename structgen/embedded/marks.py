"""A grammar that embeds others with a lexer -> a plain one, in which a mark stands for each text of theirs.

A mark begins with the byte FD, which neither texts nor names of special tokens hold, as UTF-8 has none. It is as long
as a shortest text of what it stands for, so that the distances of the plain grammar are those of the whole; where that
is the empty text, the mark may be left out. (Of several embedded grammars marks have two bytes at least, as they are
told apart by the second.)

Cost: the automaton of each embedded grammar and a shortest text of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.errors import LimitExceeded
from structgen.grammars.ir import Expr, Grammar, Literal, Rule, optional
from structgen.grammars.ir_lr import LexedGrammar
from structgen.kernels.layout import MARK, START

__all__ = ["Embedded", "marked"]

MOST_EMBEDDED = 128


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedded grammar: the mark in the grammar around it, its automaton, a shortest text of it, and what
    `expected` of the plain automaton calls the mark."""

    mark: bytes
    automaton: LexedConfigurations
    text: bytes
    words: frozenset[str]


def marked(grammar: Grammar) -> tuple[Grammar, tuple[Embedded, ...]]:
    """The plain grammar and what its marks stand for. Raises Unsatisfiable if an embedded grammar has no text,
    LimitExceeded if there are more than 128 of them."""
    names: dict[LexedGrammar, list[str]] = {}
    for rule, lexed in grammar.embedded:
        names.setdefault(lexed, []).append(grammar.rules[rule].name)
    if len(names) > MOST_EMBEDDED:
        reason = f"{len(names)} grammars with a lexer in one"
        raise LimitExceeded(reason, limit="embedded_grammars", allowed=MOST_EMBEDDED)
    found: dict[LexedGrammar, Embedded] = {}
    for number, (lexed, called) in enumerate(names.items()):
        automaton = LexedConfigurations(lexed)
        text = automaton.shortest(START)
        mark = _mark(number, len(text), alone=len(names) == 1)
        words = (repr(mark.decode("utf-8", "replace")), *(f"{name}: byte 0xfd" for name in called))
        found[lexed] = Embedded(mark, automaton, text, frozenset(words))
    bodies = {rule: _body(found[lexed]) for rule, lexed in grammar.embedded}
    rules = [Rule(rule.name, bodies[at]) if at in bodies else rule for at, rule in enumerate(grammar.rules)]
    return replace(grammar, rules=tuple(rules), embedded=()), tuple(found.values())


def _mark(number: int, length: int, *, alone: bool) -> bytes:
    """No mark begins another: the second bytes differ, and none is FD."""
    byte = bytes([MARK])
    return byte * max(length, 1) if alone else byte + bytes([number]) + byte * (length - 2)


def _body(embedded: Embedded) -> Expr:
    mark = Literal(embedded.mark)
    return mark if embedded.text else optional(mark)
