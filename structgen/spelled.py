"""A grammar and a vocabulary -> the texts of the grammar that the vocabulary's tokens can spell.

Where every byte is a token of its own, or every byte that the grammar has, that is all of them, and nothing is done.
Where the other bytes stand in no token at all, and each byte set of the grammar has others, they are taken out of its
sets: every rule keeps a text, and the grammar its counters and terminals (`_without`). Receipt: SmolLM2 has no token
with F1 or F2; by the product below 6 of 96 real schemas were too large, and others took half a second to compile.

Elsewhere the spelled texts are the sequences of *atoms*: the single bytes there are, and tokens that hold other bytes
and are not put together from shorter ones (the characters of a vocabulary without byte fallback). They are met with
the grammar before it is compiled (Bar-Hillel, Perles and Shamir 1961), so masks need not know of it.

Exact where no atom begins another: then what is left of a spelled text behind some of its tokens is spelled, too
(a submonoid with a prefix code as its base is right unitary: Berstel and Perrin 1985). Other vocabularies are refused,
with a character that the grammar needs and they do not have. Arrays whose elements are compared (uniqueItems) are not
restricted by a product, and grammars with a lexer inside others are refused where one would be needed. Cost: nothing
for byte-level vocabularies; else a walk of the expressions, or a product of the rules that hold such bytes.
"""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from structgen.errors import VocabularyError
from structgen.grammars.ir import (
    SPECIAL,
    SPECIAL_END,
    ByteSet,
    Expr,
    Grammar,
    Graph,
    Literal,
    Rule,
    Terminal,
    children,
    rebuilt,
    walk,
)
from structgen.grammars.ir_lr import LexedGrammar
from structgen.kernels.lr import CLASS
from structgen.memory import Bounded, register
from structgen.options import Limits
from structgen.vocabulary import Vocabulary

if TYPE_CHECKING:
    from structgen.grammars.combine.automaton import ByteAutomaton

__all__ = ["spelled_part", "unspelled"]

_OF_SYMBOLS = 1 << SPECIAL | 1 << SPECIAL_END
_SYMBOL = re.compile(rb"\xff[^\xfe]*\xfe")
_CHARACTERS = sum(1 << byte for byte in range(0xF5) if byte not in (0xC0, 0xC1))


def spelled_part(grammar: Grammar | LexedGrammar, vocabulary: Vocabulary) -> Grammar | LexedGrammar:
    """The grammar restricted to what can be spelled; itself where that is all of it. Raises VocabularyError."""
    atoms = _atoms(vocabulary)
    if atoms is None:
        return grammar
    missing = sum(1 << byte for byte in range(256) if bytes([byte]) not in atoms)
    if isinstance(grammar, LexedGrammar):
        return _lexed_part(grammar, atoms, missing)
    missing &= ~_OF_SYMBOLS
    if all(len(atom) == 1 for atom in atoms) and _keeps_texts(grammar, missing):
        inner = {lexed: _lexed_part(lexed, atoms, missing) for _, lexed in grammar.embedded}
        embedded = tuple((rule, inner[lexed]) for rule, lexed in grammar.embedded)
        return dataclasses.replace(grammar, rules=_narrowed(grammar, missing), embedded=embedded)
    if grammar.embedded:
        reason = "a grammar with a lexer inside another needs a vocabulary that has its bytes; lexer='dynamic' does not"
        raise VocabularyError(reason)
    from structgen.grammars.combine.nets import Nets  # combinations are loaded where one is made
    from structgen.grammars.combine.product import meet

    limit = Limits().product_states
    if grammar.distinct or not Nets(grammar, limit).alphabet(grammar.start) & missing:
        return grammar
    return meet(grammar, _automaton(atoms, limit), limit)


def _lexed_part(grammar: LexedGrammar, atoms: frozenset[bytes], missing: int) -> LexedGrammar:
    return _restricted(grammar, atoms) if _needed(grammar) & missing else grammar


def _keeps_texts(grammar: Grammar, missing: int) -> bool:
    """Whether every literal and every byte set of a grammar can do without these bytes. Then every path through it has
    a text without them, so nothing that is begun without them lacks an end."""
    absent = bytes(byte for byte in range(256) if missing >> byte & 1)
    for expr in (part for rule in grammar.rules for part in walk(rule.body)):
        if isinstance(expr, ByteSet) and not expr.mask & ~missing:
            return False
        if isinstance(expr, Literal) and not set(absent).isdisjoint(_SYMBOL.sub(b"", expr.value)):
            return False
    return True


_known_rules: Bounded[tuple[int, int], tuple[Rule, Rule]] = Bounded(256)  # the common ones: the same objects again
register("spelled.rules", _known_rules.held, _known_rules.clear)


def _narrowed(grammar: Grammar, missing: int) -> tuple[Rule, ...]:
    """The rules of a grammar without some bytes; those that have none of them are the same objects."""
    known, found = dict[int, Expr](), list[Rule]()
    for number, rule in enumerate(grammar.rules):
        if (id(rule), missing) in _known_rules:
            found.append(_known_rules[id(rule), missing][1])
            continue
        body = _without(rule.body, missing, known)
        found.append(rule if body is rule.body else Rule(rule.name, body))
        if number < grammar.common:
            _known_rules.remember((id(rule), missing), (rule, found[-1]))
    return tuple(found)


def _without(expr: Expr, missing: int, known: dict[int, Expr]) -> Expr:
    """An expression without some bytes in its sets."""
    if id(expr) not in known:
        if isinstance(expr, ByteSet):
            known[id(expr)] = ByteSet(expr.mask & ~missing) if expr.mask & missing else expr
        else:
            made = rebuilt(expr, [_without(part, missing, known) for part in children(expr)])
            if isinstance(made, Graph) and made.equivalent is not None and made is not expr:
                made = dataclasses.replace(made, equivalent=_promise(made.equivalent, missing, known))
            known[id(expr)] = made
    return known[id(expr)]


def _promise(
    equivalent: tuple[Terminal, tuple[bytes | None, ...]], missing: int, known: dict[int, Expr]
) -> tuple[Terminal, tuple[bytes | None, ...]] | None:
    """What a graph promises of a terminal (`Graph.equivalent`), of both without some bytes."""
    terminal, prefixes = equivalent
    if not _keeps_texts(Grammar((Rule("", terminal),)), missing):
        return None
    narrow = _without(terminal, missing, known)
    assert isinstance(narrow, Terminal)
    absent = {byte for byte in range(256) if missing >> byte & 1}
    return narrow, tuple(None if text is None or not absent.isdisjoint(text) else text for text in prefixes)


def unspelled(text: str, vocabulary: Vocabulary) -> str:
    """The characters of a text that tokens do not spell one by one."""
    atoms = _atoms(vocabulary)
    return "" if atoms is None else "".join(letter for letter in text if not _is_made_of(letter.encode(), set(atoms)))


@lru_cache(maxsize=16)
def _atoms(vocabulary: Vocabulary) -> frozenset[bytes] | None:
    """The atoms of a vocabulary; None where the single bytes spell every UTF-8 text."""
    lone = np.flatnonzero(np.diff(vocabulary.offsets) == 1).tolist()
    single = {vocabulary.token_bytes(token) for token in lone}
    missing = {byte for byte in range(256) if _CHARACTERS >> byte & 1} - {text[0] for text in single}
    if not missing:
        return None
    texts = {text for text in map(vocabulary.token_bytes, range(vocabulary.size)) if text and _plain(text)}
    atoms = set(single)
    for text in sorted((text for text in texts if not missing.isdisjoint(text)), key=len):
        if not _is_made_of(text, atoms):
            atoms.add(text)
    return frozenset(atoms)


def _plain(text: bytes) -> bool:
    """Whether a text has none of the bytes that spell symbols: no constraint allows one that has."""
    return SPECIAL not in text and SPECIAL_END not in text


def _is_made_of(text: bytes, atoms: set[bytes]) -> bool:
    reached = [True] + [False] * len(text)
    for end in range(1, len(text) + 1):
        reached[end] = any(reached[start] and text[start:end] in atoms for start in range(end))
    return reached[-1]


def _tree(atoms: frozenset[bytes]) -> list[dict[int, int]]:
    """The atoms as a tree: per node, byte -> node; 0 is the root, to which the last byte of an atom leads back."""
    tree: list[dict[int, int]] = [{}]
    for atom in sorted(atoms):
        node = 0
        for byte in atom[:-1]:
            if tree[node].setdefault(byte, len(tree)) == len(tree):
                tree.append({})
            node = tree[node][byte]
            if not node:
                raise VocabularyError(
                    f"some bytes are no tokens of their own, and the token {atom!r} begins with another: what such a "
                    "vocabulary can spell is not followed; one with all 256 bytes needs no care"
                )
        if tree[node].setdefault(atom[-1], 0):
            raise VocabularyError(f"some bytes are no tokens of their own, and the token {atom!r} begins another")
    return tree


def _automaton(atoms: frozenset[bytes], limit: int) -> ByteAutomaton:
    """The sequences of atoms, and of the symbols of special tokens, which no vocabulary spells byte by byte."""
    from structgen.grammars.combine.automaton import ByteAutomaton
    from structgen.grammars.combine.nets import Net, Nets

    net = Net([], [], {0})
    for row in _tree(atoms):
        by_target: dict[int, int] = {}
        for byte, target in row.items():
            by_target[target] = by_target.get(target, 0) | 1 << byte
        net.scans.append([(mask, target) for target, mask in by_target.items()])
        net.calls.append([])
    inside = len(net.scans)
    net.scans[0].append((1 << SPECIAL, inside))
    net.scans.append([(1 << SPECIAL_END, 0), ((1 << 256) - 1 & ~_OF_SYMBOLS, inside)])
    net.calls.append([])
    return ByteAutomaton(net, Nets(Grammar(()), limit))


def _needed(grammar: LexedGrammar) -> int:
    """The bytes of the characters that terminals tell apart; the others are one class, which any of them stands for."""
    return sum({1 << byte for row in grammar.bytes for byte, entry in enumerate(row) if entry >= 0})


def _restricted(grammar: LexedGrammar, atoms: frozenset[bytes]) -> LexedGrammar:
    """The same lexer, reading the characters alone that can be spelled."""
    tree, known = _tree(atoms), dict[tuple[int, int], int]()
    rows: list[tuple[int, ...]] = [()]

    def row(at: int, node: int) -> tuple[int, ...]:
        """Where a byte leads in both; a row's own targets are made before it."""
        found = [-1] * 256
        for byte, target in tree[node].items():
            entry = grammar.bytes[at][byte]
            if entry >= CLASS and target:
                raise VocabularyError("a token holds several characters that are no tokens of their own")
            if entry >= CLASS:
                found[byte] = entry
            elif entry > 0:
                if (entry, target) not in known:
                    inner = row(entry, target)
                    known[entry, target] = len(rows)
                    rows.append(inner)
                found[byte] = known[entry, target] if max(rows[known[entry, target]]) >= 0 else -1
        return tuple(found)

    rows[0] = row(0, 0)
    return dataclasses.replace(grammar, bytes=tuple(rows))
