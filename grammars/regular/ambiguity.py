"""Whether one code point of look-ahead always decides how to go on: then a tree can be run as it stands.

The question is LL(1)'s, asked of a regular expression: alternatives begin differently, and a loop's body begins unlike
whatever may follow the loop. Counts that are fixed need no decision. A tree that passes runs in one thread, and an
atomic group or possessive loop around it matches the same as a plain one. Cost: size times depth.
"""

from __future__ import annotations

from structgen.grammars.regular.charset import NONE, CharSet
from structgen.grammars.regular.syntax import Cat, Char, Choice, Edge, Look, Loop, Node, firsts, nullable


def deterministic(node: Node, follow: CharSet) -> bool:
    """Whether `node` can be matched without guessing when what comes next begins with a member of `follow`."""
    match node:
        case Char():
            return True
        case Edge() | Look():
            return False
        case Loop(body, minimum, maximum):
            begins = firsts(body)
            if nullable(body) or (minimum != maximum and not begins.isdisjoint(follow)):
                return False
            return deterministic(body, follow if maximum == 1 else follow | begins)
        case Cat(parts):
            for part in reversed(parts):
                if not deterministic(part, follow):
                    return False
                follow = firsts(part) | (follow if nullable(part) else NONE)
            return True
        case Choice(options):
            return _distinct(options, follow) and all(deterministic(option, follow) for option in options)


def _distinct(options: tuple[Node, ...], follow: CharSet) -> bool:
    empty = sum(nullable(option) for option in options)
    seen = follow if empty else NONE
    for option in options:
        begins = firsts(option)
        if not begins.isdisjoint(seen):
            return False
        seen = seen | begins
    return empty <= 1
