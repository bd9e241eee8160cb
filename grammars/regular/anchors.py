"""Removing `^` and `$` from an expression, and turning "found in the text" into "is the whole text".

An expression with anchors is a union of at most four expressions without: those that must, or need not, begin at the
start and those that must, or need not, end at the end. Concatenation and repetition combine these four; what must
be at the start allows nothing but the empty string before it. Linear in the expression for all but counted loops over
anchors, which are left to the general machine (`lookaround.py`), as are lookarounds.
"""

from __future__ import annotations

from structgen.grammars.regular.syntax import (
    ANYTHING,
    EMPTY,
    VOID,
    Cat,
    Char,
    Choice,
    Edge,
    Look,
    Loop,
    Node,
    assertions,
    cat,
    choice,
    loop,
    nullable,
)  # fmt: skip

Split = dict[tuple[bool, bool], Node]  # (at the start, at the end) -> expression without anchors


def whole_text(node: Node, *, search: bool) -> Node:
    """The texts in which `node` is found (search), or which it matches from start to end. Anchors go where possible."""
    around = ANYTHING if search else EMPTY
    if not assertions(node):
        return cat(around, node, around)
    split = _split(node)
    if split is None:
        return cat(around, node, around)
    return choice(*(
        cat(EMPTY if start else around, inner, EMPTY if end else around) for (start, end), inner in split.items()
    ))  # fmt: skip


def _split(node: Node) -> Split | None:
    if not assertions(node):
        return {(False, False): node}
    match node:
        case Edge(at_end):
            return {(not at_end, at_end): EMPTY}
        case Cat(parts):
            return _concatenated(parts)
        case Choice(options):
            found: Split = {}
            for option in options:
                split = _split(option)
                if split is None:
                    return None
                for key, inner in split.items():
                    found[key] = choice(found[key], inner) if key in found else inner
            return found
        case Loop(body, minimum, maximum):
            return _repeated(body, minimum, maximum)
        case Char() | Look():
            return None


def _concatenated(parts: tuple[Node, ...]) -> Split | None:
    total: Split = {(False, False): EMPTY}
    for part in parts:
        split = _split(part)
        if split is None:
            return None
        combined: Split = {}
        for (start, end), left in total.items():
            for (starts, ends), right in split.items():
                before = (EMPTY if nullable(left) else VOID) if starts else left
                behind = (EMPTY if nullable(right) else VOID) if end else right
                key = (start or starts, end or ends)
                both = cat(before, behind)
                if both != VOID:
                    combined[key] = choice(combined[key], both) if key in combined else both
        total = combined
    return total


def _repeated(body: Node, minimum: int, maximum: int | None) -> Split | None:
    """Only the first round can need the start and only the last can need the end."""
    if (minimum, maximum) == (0, 1):
        split = _split(body)
        return None if split is None else _with_empty(split)
    if maximum is not None or minimum > 1:
        return None
    split = _split(body)
    if split is None:
        return None
    plain = loop(split.get((False, False), VOID), 0, None)
    found: Split = {}
    for (start, end), inner in split.items():
        pieces = cat(EMPTY if start else plain, inner, EMPTY if end else plain)
        found[start, end] = choice(found.get((start, end), VOID), pieces)
    first, last = split.get((True, False)), split.get((False, True))
    if first is not None and last is not None:
        found[True, True] = choice(found.get((True, True), VOID), cat(first, plain, last))
    if first is not None:
        found[True, False] = cat(first, plain)
    if last is not None:
        found[False, True] = cat(plain, last)
    return found if minimum else _with_empty(found)


def _with_empty(split: Split) -> Split:
    return {**split, (False, False): choice(split.get((False, False), VOID), EMPTY)}
