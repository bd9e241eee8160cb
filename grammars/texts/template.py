"""Templates with named holes: `"Dear {name}, you owe {amount}."` to its literal stretches and holes. Linear."""

from __future__ import annotations

import re
from dataclasses import dataclass

from structgen.errors import GrammarError

__all__ = ["Hole", "place", "read"]

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole and where it stands (character offset)."""

    name: str
    position: int


def read(template: str) -> list[str | Hole]:
    """Stretches of text and holes, in order. Raises GrammarError where braces do not match or a name is none."""
    parts: list[str | Hole] = []
    literal, begun = [], 0
    for token in _TOKEN.finditer(template):
        literal.append(template[begun : token.start()])
        begun = token.end()
        if token[0] in ("{{", "}}"):
            literal.append(token[0][0])
        elif token[1] is None:
            raise _error(f"single {token[0]!r}; double it to mean the character", template, token.start())
        elif not token[1].isidentifier():
            raise _error(f"{token[1]!r} is not the name of a hole", template, token.start())
        else:
            parts += ["".join(literal), Hole(token[1], token.start())]
            literal = []
    parts.append("".join([*literal, template[begun:]]))
    return [part for part in parts if part]


def place(template: str, position: int) -> tuple[int, int, str]:
    """Line and column, from 1, and the line."""
    start = template.rfind("\n", 0, position) + 1
    line = template[start:].split("\n", 1)[0]
    return template.count("\n", 0, position) + 1, position - start + 1, line


def _error(reason: str, template: str, position: int) -> GrammarError:
    line, column, excerpt = place(template, position)
    return GrammarError(reason, line=line, column=column, excerpt=excerpt)
