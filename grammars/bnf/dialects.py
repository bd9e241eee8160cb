"""What differs between the dialects of BNF, as data.

gbnf   llama.cpp: `root ::= ...` ends with its line unless inside parentheses or after `|`; `.` is any character;
       `<text>` is a special token
ebnf   xgrammar: a rule ends where the next `name ::=` begins a line; names may hold `.`; classes know \\d \\s \\w
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write BNF.

    field         meaning
    name          what messages call it
    word          a rule's name
    line_ends     a newline ends the rule, except in parentheses and after `|`
    dot           `.` is any character
    escapes       what a letter after a backslash stands for, in strings and classes
    class_only    further escapes inside classes: the letter stands for itself
    shorthands    escapes inside classes that stand for a set (Python `re` classes, ASCII)
    hex_digits    digits after \\x, \\u, \\U; None = one or more
    """

    name: str
    word: re.Pattern[str]
    line_ends: bool
    dot: bool
    escapes: dict[str, str]
    class_only: str = ""
    shorthands: str = ""
    hex_digits: dict[str, int | None] = field(default_factory=dict)


_COMMON = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}

GBNF = Dialect(
    "GBNF",
    re.compile(r"[A-Za-z0-9_-]+"),
    line_ends=True,
    dot=True,
    escapes={**_COMMON, "[": "[", "]": "]"},
    hex_digits={"x": 2, "u": 4, "U": 8},
)

EBNF = Dialect(
    "EBNF",
    re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*"),
    line_ends=False,
    dot=False,
    escapes={**_COMMON, "'": "'", "?": "?", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "e": "\x1b"},
    class_only="^$.*+?()[]{}|/-",
    shorthands="dDsSwW",
    hex_digits={"x": None, "u": 4, "U": 8},
)
