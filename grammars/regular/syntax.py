"""The syntax tree of a regular expression, and the constructors that keep it in a normal form.

    Char(set)               one code point of the set
    Cat(parts)              one after the other; Cat(()) is the empty string
    Choice(options)         either; Choice(()) matches nothing
    Loop(body, m, n)        m to n times, n None = no bound
    Edge(at_end)            the start or the end of the text (zero-width)
    Look(body, ahead, negative)   what follows (ahead) or precedes is, or is not, in the body (zero-width)

Build with `cat`, `choice`, `loop`: they flatten, merge single characters, join loops over the same body and make
alternatives to the empty string a Loop(x, 0, 1). Trees are as deep as the source nests, which the parser bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from structgen.grammars.regular.charset import ANY, NONE, CharSet

Node: TypeAlias = "Char | Cat | Choice | Loop | Edge | Look"


@dataclass(frozen=True, slots=True)
class Char:
    """One code point of a set."""

    set: CharSet


@dataclass(frozen=True, slots=True)
class Cat:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`minimum` to `maximum` times; None is no bound."""

    body: Node
    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Edge:
    """The start or the end of the text."""

    at_end: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What follows, or precedes, is or is not in the body."""

    body: Node
    ahead: bool
    negative: bool


EMPTY = Cat(())
VOID = Choice(())
ANYTHING = Loop(Char(ANY), 0, None)


def char(charset: CharSet) -> Node:
    """One code point of a set; VOID for the empty set."""
    return Char(charset) if charset else VOID


def text(value: str) -> Node:
    """Exactly this string."""
    return cat(*(char(CharSet.of(c)) for c in value))


def cat(*parts: Node) -> Node:
    """Concatenation."""
    flat: list[Node] = []
    for part in parts:
        for item in part.parts if isinstance(part, Cat) else (part,):
            if item == VOID:
                return VOID
            joined = _join(flat[-1], item) if flat else None
            if joined is None:
                flat.append(item)
            else:
                flat[-1] = joined
    return flat[0] if len(flat) == 1 else Cat(tuple(flat))


def _join(left: Node, right: Node) -> Node | None:
    """`x{a,b}x{c,d}` is `x{a+c,b+d}`, and a bare x beside a loop over x counts as x{1,1}."""
    if not isinstance(left, Loop) and not isinstance(right, Loop):
        return None
    one = left if isinstance(left, Loop) else Loop(left, 1, 1)
    two = right if isinstance(right, Loop) else Loop(right, 1, 1)
    if one.body != two.body:
        return None
    unbounded = one.maximum is None or two.maximum is None
    return loop(one.body, one.minimum + two.minimum, None if unbounded else (one.maximum or 0) + (two.maximum or 0))


def choice(*options: Node) -> Node:
    """Union."""
    flat: dict[Node, None] = {}
    single, empty = NONE, False
    for option in options:
        for item in option.options if isinstance(option, Choice) else (option,):
            if isinstance(item, Char):
                single = single | item.set
            elif item == EMPTY:
                empty = True
            else:
                flat[item] = None
    members = ([Char(single)] if single else []) + list(flat)
    body = members[0] if len(members) == 1 else Choice(tuple(members))
    return loop(body, 0, 1) if empty and not nullable(body) else body


SHARED_DEPTH = 30  # how deep `one_of` may nest: the other passes recurse over trees


def one_of(words: Iterable[Sequence[CharSet]], depth: int = SHARED_DEPTH) -> Node:
    """Any of several sequences of character sets; what they begin with alike is written once."""
    below: dict[CharSet, list[Sequence[CharSet]]] = {}
    empty = False
    for word in words:
        if word:
            below.setdefault(word[0], []).append(word[1:])
        else:
            empty = True
    options = [cat(char(first), _tails(rests, depth)) for first, rests in below.items()]
    return choice(*options, EMPTY) if empty else choice(*options)


def _tails(rests: list[Sequence[CharSet]], depth: int) -> Node:
    if len(rests) == 1 or not depth:
        return choice(*(cat(*map(char, rest)) for rest in rests))
    common = 0
    while all(len(rest) > common and rest[common] == rests[0][common] for rest in rests):
        common += 1
    return cat(*map(char, rests[0][:common]), one_of((rest[common:] for rest in rests), depth - 1))


def boundary(word: CharSet, *, inside: bool) -> Node:
    """A word boundary, or (inside) the absence of one: does the character before differ from the one after?"""
    sides = [
        cat(Look(Char(word), ahead=False, negative=negative), Look(Char(word), ahead=True, negative=negative == inside))
        for negative in (False, True)
    ]
    return choice(*sides)


def loop(body: Node, minimum: int, maximum: int | None) -> Node:
    """Repetition. Nested counts are multiplied out where no count in between is missed."""
    if body == EMPTY or maximum == 0:
        return EMPTY
    if body == VOID:
        return VOID if minimum else EMPTY
    if (minimum, maximum) == (1, 1):
        return body
    if isinstance(body, Loop) and _contiguous(body, minimum, maximum):
        outer = None if body.maximum is None or maximum is None else body.maximum * maximum
        return loop(body.body, body.minimum * minimum, outer)
    return Loop(body, 0 if minimum and nullable(body) else minimum, maximum)


def _contiguous(inner: Loop, minimum: int, maximum: int | None) -> bool:
    """Whether (x{a,b}){c,d} reaches every count from a*c to b*d: the widest gap follows the smallest outer count."""
    if minimum == maximum or (inner.maximum is None and minimum):
        return True
    reach = 0 if minimum == 0 else minimum * (inner.maximum or 0)
    return reach + 1 >= (minimum + 1) * inner.minimum


def nullable(node: Node) -> bool:
    """Whether the empty string matches wherever it stands; assertions count as not nullable."""
    match node:
        case Cat(parts):
            return all(nullable(part) for part in parts)
        case Choice(options):
            return any(nullable(option) for option in options)
        case Loop(body, minimum):
            return minimum == 0 or nullable(body)
        case _:
            return False


def lengths(node: Node) -> tuple[int, int | None]:
    """Bounds on the number of code points; exact for trees without assertions, never too tight otherwise."""
    match node:
        case Char():
            return 1, 1
        case Cat(parts):
            bounds = [lengths(part) for part in parts]
            return sum(low for low, _ in bounds), _total([high for _, high in bounds])
        case Choice(options):
            bounds = [lengths(option) for option in options]
            highs = [high for _, high in bounds]
            longest = None if None in highs else max((high for high in highs if high is not None), default=0)
            return min((low for low, _ in bounds), default=0), longest
        case Loop(body, minimum, maximum):
            low, high = lengths(body)
            return low * minimum, None if high is None or maximum is None else high * maximum
        case Edge() | Look():
            return 0, 0


def _total(values: list[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def assertions(node: Node) -> bool:
    """Whether an Edge or a Look occurs anywhere."""
    match node:
        case Char():
            return False
        case Cat(parts) | Choice(parts):
            return any(assertions(part) for part in parts)
        case Loop(body):
            return assertions(body)
        case Edge() | Look():
            return True


def looks_ahead(node: Node) -> bool:
    """Whether a match depends on what follows."""
    match node:
        case Char():
            return False
        case Cat(parts) | Choice(parts):
            return any(looks_ahead(part) for part in parts)
        case Loop(body):
            return looks_ahead(body)
        case Edge(at_end):
            return at_end
        case Look(body, ahead):
            return ahead or looks_ahead(body)


def positions(node: Node) -> int:
    """How many single characters the expression has when its counts are written out."""
    match node:
        case Char():
            return 1
        case Cat(parts) | Choice(parts):
            return sum(positions(part) for part in parts)
        case Loop(body, minimum, maximum):
            return positions(body) * max(minimum if maximum is None else maximum, 1)
        case Edge() | Look():
            return 0


def firsts(node: Node) -> CharSet:
    """The code points a match can begin with; ANY where an assertion makes that hard to say."""
    match node:
        case Char(charset):
            return charset
        case Cat(parts):
            found = NONE
            for part in parts:
                found = found | firsts(part)
                if not nullable(part):
                    break
            return found
        case Choice(options):
            found = NONE
            for option in options:
                found = found | firsts(option)
            return found
        case Loop(body):
            return firsts(body)
        case Edge() | Look():
            return ANY
