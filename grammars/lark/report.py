"""What is worth knowing of a Lark grammar that compiles: what nothing uses, and terminals that match the same texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular.language import Language

__all__ = ["LarkReport"]


@dataclass(frozen=True)
class LarkReport:
    """`loaded` is the grammar as lark compiled it; `contexts` the terminals that are tried at one place, by name and in
    lark's order (none without a lexer).
    """

    loaded: Any = field(repr=False)
    contexts: tuple[tuple[str, ...], ...] = field(default=(), repr=False)

    @cached_property
    def unused(self) -> tuple[str, ...]:
        """Rules of the source that the start rule does not reach, and terminals that nothing names."""
        source, used = self.loaded.source, {str(rule.origin.name) for rule in self.loaded.rules}
        used |= {symbol.name for rule in self.loaded.rules for symbol in rule.expansion} | set(self.loaded.ignored)
        found = re.findall(r"(?m)^[ \t]*[?!]*([A-Za-z_]\w*)(?:\.-?\d+)?[ \t]*:", source)
        rules = [name for name in dict.fromkeys(found) if name not in used and name == name.lower()]
        return (*rules, *(n for n in dict.fromkeys(found) if n not in used and n == n.upper() and _once(n, source)))

    @cached_property
    def ambiguous(self) -> tuple[tuple[str, str, str], ...]:
        """(winner, loser, shortest text) for patterns of one priority, tried at one place, that match the same text.

        lark decides by the order of its lexer: longest possible match, longest pattern, name. Strings are left out,
        being meant as keywords, and so are patterns that no automaton stands for alone (lookarounds).
        """
        terminals = {t.name: t for t in self.loaded.terminals if t.pattern.type == "re"}
        languages = {name: _language(t.pattern.to_regexp()) for name, t in terminals.items()}
        found: dict[tuple[str, str], str] = {}
        for context in self.contexts:
            names = [name for name in context if languages.get(name) is not None]
            for place, winner in enumerate(names):
                for loser in names[place + 1 :]:
                    if (winner, loser) not in found and terminals[winner].priority == terminals[loser].priority:
                        found[winner, loser] = _common(languages[winner], languages[loser])
        return tuple((*pair, text) for pair, text in found.items() if text)


def _once(name: str, source: str) -> bool:
    return len(re.findall(rf"\b{name}\b", source)) == 1


def _language(pattern: str) -> Language | None:
    try:
        return Language.regex(pattern, "python")
    except (RegexError, LimitExceeded):  # what has no automaton of its own is not compared
        return None


def _common(one: Language | None, two: Language | None) -> str:
    """A shortest text of both, "" if there is none."""
    if one is None or two is None:
        return ""
    try:
        both = one & two
        return "" if both.is_empty() else both.shortest()
    except LimitExceeded:
        return ""
