"""Free text up to the first of some triggers: an automaton over characters (Aho and Corasick 1975).

Its states are the beginnings of triggers; every character leads to the longest beginning that the text now ends with.
Where that is a whole trigger, free text is over. So a trigger can never be written without opening its region, and text
that merely begins like one stays free. Cost: linear in the triggers times the characters they hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from structgen.grammars.ir import Expr, Graph
from structgen.grammars.regular.charset import ANY, CharSet, utf8


def free_text(after: Mapping[str, Expr], openers: Mapping[Expr, Expr] | None = None, *, may_end: bool) -> Graph:
    """Free text; behind each trigger of `after` what it leads to, behind each symbol of `openers` likewise.

    With `may_end` only free text without any trigger (what follows them is not used), else only text that ends behind
    one.
    """
    states, trie = [""], {""}
    for trigger in after:
        for end in range(1, len(trigger)):
            if trigger[:end] not in trie:
                trie.add(trigger[:end])
                states.append(trigger[:end])
    numbers = {prefix: k for k, prefix in enumerate(states)}
    letters = sorted({letter for trigger in after for letter in trigger})
    edges: list[tuple[int, Expr, int]] = []
    end = len(states)
    opened: dict[str, int] = {}
    for prefix, number in numbers.items():
        targets: dict[int, list[str]] = {}
        for letter in letters:
            text = prefix + letter
            trigger = next((t for t in after if text.endswith(t)), "")
            if not trigger:
                targets.setdefault(numbers[_longest(text, numbers)], []).append(letter)
            elif not may_end:
                opened.setdefault(trigger, end + 1 + len(opened))
                targets.setdefault(opened[trigger], []).append(letter)
        edges += [(number, utf8(CharSet.of("".join(found))), target) for target, found in targets.items()]
        edges.append((number, utf8(ANY - CharSet.of("".join(letters))), 0))
        if not may_end:
            edges += [(number, symbol, end + 1 + len(after) + k) for k, symbol in enumerate(openers or {})]
    if may_end:
        return Graph.of(len(states), 0, tuple(range(len(states))), edges)
    edges += [(state, after[trigger], end) for trigger, state in opened.items()]
    edges += [(end + 1 + len(after) + k, body, end) for k, body in enumerate((openers or {}).values())]
    return Graph.of(end + 1 + len(after) + len(openers or {}), 0, (end,), edges)


def _longest(text: str, known: Mapping[str, int]) -> str:
    """The longest end of the text that begins a trigger."""
    return next(text[k:] for k in range(len(text) + 1) if text[k:] in known)
