"""Length bounds pushed into an expression, so that no automaton has to count.

`bounded` writes "x, of m to n code points" as one expression where at most one part of each alternative has a variable
length, which covers prefixes, suffixes and single loops; `clipped` only forgets what is longer than n.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from structgen.grammars.regular.syntax import (
    EMPTY,
    VOID,
    Cat,
    Char,
    Choice,
    Edge,
    Look,
    Loop,
    Node,
    cat,
    choice,
    lengths,
    loop,
)  # fmt: skip

MOST_WAYS = 64  # of taking parts of several possible lengths


def implied(node: Node, minimum: int, maximum: int | None) -> bool:
    """Whether every match has between `minimum` and `maximum` code points anyway."""
    low, high = lengths(node)
    return low >= minimum and (maximum is None or (high is not None and high <= maximum))


def bounded(node: Node, minimum: int, maximum: int | None) -> Node | None:
    """The matches of `node` within the bounds as an expression, or None where that needs counting in several places."""
    low, high = lengths(node)
    if (maximum is not None and low > maximum) or (high is not None and high < minimum):
        return VOID
    if implied(node, minimum, maximum):
        return node
    match node:
        case Choice(options):
            found = [bounded(option, minimum, maximum) for option in options]
            return None if None in found else choice(*(option for option in found if option is not None))
        case Loop(body, least, most) if size := _fixed(body):
            fewest = max(least, -(-minimum // size))
            largest = most if maximum is None else maximum // size if most is None else min(most, maximum // size)
            return VOID if largest is not None and fewest > largest else loop(body, fewest, largest)
        case Loop(body, 0, 1):
            inside = bounded(body, minimum, maximum)
            return None if inside is None else choice(inside, EMPTY) if minimum == 0 else inside
        case Cat(parts):
            return _bounded_parts(parts, minimum, maximum)
    return None


def _bounded_parts(parts: tuple[Node, ...], minimum: int, maximum: int | None) -> Node | None:
    variable = [at for at, part in enumerate(parts) if _fixed(part) is None]
    if len(variable) > 1:
        return _split_parts(parts, minimum, maximum)
    if not variable:
        return None
    at = variable[0]
    rest = sum(_fixed(part) or 0 for part in parts)
    inside = bounded(parts[at], max(minimum - rest, 0), None if maximum is None else maximum - rest)
    return None if inside is None else cat(*parts[:at], inside, *parts[at + 1 :])


def _split_parts(parts: tuple[Node, ...], minimum: int, maximum: int | None) -> Node | None:
    """Alternatives of different fixed lengths, taken length by length: then one part of variable length may be left."""
    split = [list(_by_length(part)) for part in parts]
    if prod(map(len, split)) > MOST_WAYS or sum(len(ways) == 1 and _fixed(ways[0]) is None for ways in split) > 1:
        return None
    found = [bounded(cat(*chosen), minimum, maximum) for chosen in product(*split)]
    return None if None in found else choice(*(way for way in found if way is not None))


def _by_length(node: Node) -> Iterator[Node]:
    """The node as alternatives of one length each, where it is a choice of such; else itself."""
    options = node.options if isinstance(node, Choice) else (node,)
    if isinstance(node, Loop) and (node.minimum, node.maximum) == (0, 1):
        options = (EMPTY, *(node.body.options if isinstance(node.body, Choice) else (node.body,)))
    if len(options) == 1 or any(_fixed(option) is None for option in options):
        yield node
        return
    lengths_met = dict.fromkeys(_fixed(option) for option in options)
    for size in lengths_met:
        yield choice(*(option for option in options if _fixed(option) == size))


def _fixed(node: Node) -> int | None:
    """The length of every match, if there is only one."""
    low, high = lengths(node)
    return low if low == high else None


def clipped(node: Node, longest: int) -> Node:
    """An expression that agrees with `node` on texts of at most `longest` code points, without larger counts."""
    match node:
        case Char():
            return node if longest > 0 else VOID
        case Cat(parts):
            least = sum(lengths(part)[0] for part in parts)
            if least > longest:
                return VOID
            return cat(*(clipped(part, longest - least + lengths(part)[0]) for part in parts))
        case Choice(options):
            return choice(*(clipped(option, longest) for option in options))
        case Loop(body, minimum, maximum):
            size = max(lengths(body)[0], 1)
            if minimum * lengths(body)[0] > longest:
                return VOID
            most = max(minimum, longest // size)
            return loop(clipped(body, longest), minimum, most if maximum is None else min(maximum, most))
        case Edge() | Look():
            return node
