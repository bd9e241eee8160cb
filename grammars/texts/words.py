"""Texts that contain given words, or none of them: the automaton of Aho and Corasick (1975), linear in the words.

A state is the longest beginning of a word that the text ends with. Ignoring case and whole words are left to the
algebra of regular languages, which has them from Python's `re`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.texts.network import NetworkBuilder

__all__ = ["avoiding", "containing"]


def containing(words: Iterable[str], limit: int, *, whole: bool = False, ignore_case: bool = False) -> Language:
    """The texts in which at least one of the words occurs. Raises LimitExceeded."""
    if whole or ignore_case:
        return _pattern(words, whole=whole, ignore_case=ignore_case)
    return _automaton(list(words), limit, avoid=False)


def avoiding(words: Iterable[str], limit: int, *, whole: bool = False, ignore_case: bool = False) -> Language:
    """The texts in which none of the words occurs. Raises LimitExceeded."""
    if whole or ignore_case:
        return ~_pattern(words, whole=whole, ignore_case=ignore_case)
    return _automaton(list(words), limit, avoid=True)


def _pattern(words: Iterable[str], *, whole: bool, ignore_case: bool) -> Language:
    options = "|".join(map(re.escape, words)) or "(?!)"
    edge = r"\b" if whole else ""
    flags = "(?si)" if ignore_case else "(?s)"
    return Language.regex(f"{flags}.*{edge}(?:{options}){edge}.*", "python")


def _automaton(words: list[str], limit: int, *, avoid: bool) -> Language:
    if "" in words:
        return Language.nothing() if avoid else Language.any()
    if not words:
        return Language.any() if avoid else Language.nothing()
    children, found = _trie(words)
    fails = _failures(children, found)
    builder = NetworkBuilder(limit, accepts=avoid)
    numbers = {0: 0}
    for state in range(1, len(children)):
        if not found[state]:
            numbers[state] = builder.state(accepts=avoid)
    done = None if avoid else builder.state(accepts=True)
    if done is not None:
        builder.edge(done, ANY, done)
    for state, number in numbers.items():
        moves = _moves(children, fails, state)
        by_target: dict[int, CharSet] = {}
        taken = NONE
        for letter, target in moves.items():
            charset = CharSet.of(letter)
            taken = taken | charset
            if not found[target]:
                by_target[numbers[target]] = by_target.get(numbers[target], NONE) | charset
            elif done is not None:
                by_target[done] = by_target.get(done, NONE) | charset
        by_target[0] = by_target.get(0, NONE) | ~taken
        for following, charset in by_target.items():
            builder.edge(number, charset, following)
    return builder.language()


def _trie(words: list[str]) -> tuple[list[dict[str, int]], list[bool]]:
    """Children by letter, and in which nodes a word ends."""
    children: list[dict[str, int]] = [{}]
    found = [False]
    for word in words:
        node = 0
        for letter in word:
            if letter not in children[node]:
                children[node][letter] = len(children)
                children.append({})
                found.append(False)
            node = children[node][letter]
        found[node] = True
    return children, found


def _failures(children: list[dict[str, int]], found: list[bool]) -> list[int]:
    """Per node the longest other suffix that begins a word; `found` spreads along these."""
    fails = [0] * len(children)
    queue = deque(children[0].values())
    while queue:
        node = queue.popleft()
        found[node] |= found[fails[node]]
        for letter, child in children[node].items():
            other = fails[node]
            while other and letter not in children[other]:
                other = fails[other]
            fails[child] = children[other].get(letter, 0)
            queue.append(child)
    return fails


def _moves(children: list[dict[str, int]], fails: list[int], state: int) -> dict[str, int]:
    """Where letters lead; all others lead to the start."""
    moves: dict[str, int] = {}
    while True:
        for letter, target in children[state].items():
            moves.setdefault(letter, target)
        if not state:
            return moves
        state = fails[state]
