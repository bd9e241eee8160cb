"""Python `re` patterns for `str` to syntax trees, through Python's own parser.

`re` itself says what is a pattern and what it means: `re.compile` refuses what it refuses, `re._parser` gives the tree.
So every escape, flag and quirk is that of the running Python; only the translation of the tree is ours. Captures are
transparent and lazy loops equal greedy ones: the language of whole matches is the same. Backreferences and
conditionals are refused by name. Atomic groups and possessive loops change the language; `atomic.py` writes what they
mean with lookaheads. Linear in the pattern but for those. The choice of parser is ADR 0012.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, TypeAlias

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular import atomic
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.ambiguity import deterministic
from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.syntax import (
    EMPTY,
    Cat,
    Char,
    Edge,
    Look,
    Loop,
    Node,
    boundary,
    cat,
    char,
    choice,
    firsts,
    looks_ahead,
    loop,
    nullable,
    one_of,
)  # fmt: skip

Item: TypeAlias = tuple[Any, Any]  # (operation, its arguments), as re._parser writes it

MAX_NESTING = 80
_NEWLINE = CharSet.of("\n")
_TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE
_START, _END = Edge(at_end=False), Edge(at_end=True)
_ANY_SIDE = (Look(Char(ANY), ahead=True, negative=False), Look(Char(ANY), ahead=False, negative=False))
_EMPTY_HAS_NO_BOUNDARY = re.fullmatch(r"\B", "") is not None  # False before Python 3.14
_SHORTHAND = {"DIGIT": r"\d", "WORD": r"\w", "SPACE": r"\s"}
_PLACES = (  # constructs that may be refused, by name, and what must be stepped over to find them
    r"\\(?P<ref>[1-9])|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)"
    r"|(?P<named>\(\?P=)|(?P<conditional>\(\?\()|(?P<behind>\(\?<[=!])|(?P<atomic>\(\?>)|[*+?}](?P<possessive>\+)"
)


@lru_cache(maxsize=1024)
def parse(source: str) -> Node:
    """The syntax tree of a pattern. Raises RegexError where `re` does or where it is not regular."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what `re` warns of may change one day; today it has this meaning
            re.compile(source)
            tree = parser.parse(source)
    except re.error as error:
        raise RegexError(error.msg, pattern=source, position=error.pos or 0) from None
    except OverflowError:
        raise LimitExceeded("a count is too large", limit="regex_count", allowed=int(ops.MAXREPEAT) - 1) from None
    except RecursionError:
        raise LimitExceeded("groups nest too deeply", limit="regex_nesting", allowed=MAX_NESTING) from None
    return _Translator(source, verbose=bool(tree.state.flags & re.VERBOSE)).sequence(
        tree, tree.state.flags, at_end=True
    )


def scoped(flags: int, added: int, removed: int) -> int:
    """The flags inside a group that changes them."""
    if added & _TYPE_FLAGS:
        flags &= ~_TYPE_FLAGS
    return int((flags | added) & ~removed)


def characters(item: Item, flags: int) -> CharSet:
    """The set of an operation that matches one character."""
    operation, argument = item
    if operation is ops.ANY:
        return ANY if flags & re.DOTALL else ~_NEWLINE
    members = argument if operation is ops.IN else [(ops.LITERAL, argument)]
    negated = operation is ops.NOT_LITERAL or (operation is ops.IN and members[0][0] is ops.NEGATE)
    found = _class_of(tuple((kind, value) for kind, value in members if kind is not ops.NEGATE), _kept(flags))
    return ~found if negated else found


class _Translator:
    """From `re`'s tree to ours. A sequence is a list of items under the flags in force."""

    def __init__(self, source: str, *, verbose: bool) -> None:
        self.source, self.verbose = source, verbose
        self.depth = 0

    def refused(self, reason: str, *kinds: str) -> RegexError:
        """The error for the first construct of these kinds in the source."""
        syntax = _PLACES + (r"|#[^\n]*" if self.verbose else "")
        found = re.finditer(syntax, self.source, re.DOTALL)
        places = (match.start() for match in found if match.lastgroup in kinds)
        return RegexError(reason, pattern=self.source, position=next(places, 0))

    def sequence(self, items: Iterable[Item], flags: int, *, at_end: bool = False) -> Node:
        """One item after the other; `at_end`: the text ends where the sequence does."""
        self.depth += 1
        if self.depth > 2 * MAX_NESTING:
            raise LimitExceeded("groups nest too deeply", limit="regex_nesting", allowed=MAX_NESTING)
        nodes: list[Node] = []
        for item in reversed(list(items)):
            after = cat(*nodes)
            if item[0] in (ops.ATOMIC_GROUP, ops.POSSESSIVE_REPEAT):
                nodes.insert(0, self.settled(item, flags, _follow(after, at_end=at_end)))
            else:
                nodes.insert(0, self.item(item, flags))
        self.depth -= 1
        return cat(*nodes)

    def item(self, item: Item, flags: int) -> Node:
        """What one operation of `re` matches."""
        operation, argument = item
        if operation in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            return char(characters(item, flags))
        if operation is ops.SUBPATTERN:
            _, added, removed, body = argument
            return self.sequence(body, scoped(flags, added, removed))
        if operation is ops.BRANCH:
            return self.branches([list(body) for body in argument[1]], flags)
        if operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            minimum, maximum, body = argument
            return loop(self.sequence(body, flags), minimum, None if maximum is ops.MAXREPEAT else maximum)
        if operation is ops.AT:
            return self.place(argument, flags)
        if operation in (ops.ASSERT, ops.ASSERT_NOT):
            return self.look(argument, flags, negative=operation is ops.ASSERT_NOT)
        if operation in (ops.ATOMIC_GROUP, ops.POSSESSIVE_REPEAT):
            return self.settled(item, flags, ANY)
        if operation is ops.FAILURE:
            return choice()
        if operation is ops.GROUPREF_EXISTS:
            raise self.refused("conditionals are not regular", "conditional")
        raise self.refused("backreferences are not regular", "ref", "named")

    scoped = staticmethod(scoped)

    def branches(self, options: Sequence[list[Item]], flags: int) -> Node:
        """Alternatives; plain words share their beginnings, so that a long list of them stays easy to follow."""
        words = [[characters(item, flags) for item in option] if _is_word(option) else None for option in options]
        plain = one_of(word for word in words if word is not None)
        others = (self.sequence(option, flags) for option, word in zip(options, words, strict=True) if word is None)
        return choice(plain, *others)

    def look(self, argument: tuple[int, Any], flags: int, *, negative: bool) -> Node:
        """A lookahead or lookbehind."""
        direction, items = argument
        body = self.sequence(items, flags)
        if direction < 0 and looks_ahead(body):
            raise self.refused("a lookbehind cannot look ahead", "behind")
        if body == EMPTY:  # is always there, so `(?!)` matches nothing
            return choice() if negative else EMPTY
        return Look(body, direction > 0, negative)

    def settled(self, item: Item, flags: int, follow: CharSet) -> Node:
        """An atomic group or possessive loop: a plain one where that is the same, else written with lookaheads."""
        operation, argument = item
        minimum, maximum, body = (1, 1, argument) if operation is ops.ATOMIC_GROUP else argument
        maximum = None if maximum is ops.MAXREPEAT else maximum
        one = self.sequence(body, flags)
        # as it is written: each round of a possessive loop is settled for itself, which `loop` may lose sight of
        written = one if operation is ops.ATOMIC_GROUP else Loop(one, minimum, maximum)
        if deterministic(written, follow) and atomic.is_greedy(body):
            return loop(one, minimum, maximum)
        try:
            if operation is ops.ATOMIC_GROUP:
                return atomic.first_match(body, flags, self)
            return atomic.possessive(body, minimum, maximum, flags, self)
        except atomic.EmptyRound:
            raise self.refused(
                "a loop whose body can be empty is not supported in an atomic group", "atomic", "possessive"
            ) from None

    def place(self, at: Any, flags: int) -> Node:
        """A zero-width position."""
        after_break = Look(Char(_NEWLINE), ahead=False, negative=False)
        before_break = Look(Char(_NEWLINE), ahead=True, negative=False)
        if at in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
            lines = flags & re.MULTILINE and at is ops.AT_BEGINNING
            return choice(_START, after_break) if lines else _START
        if at is ops.AT_END:
            last = Look(cat(Char(_NEWLINE), _END), ahead=True, negative=False)
            return choice(_END, before_break if flags & re.MULTILINE else last)
        if at is ops.AT_END_STRING:
            return _END
        word = sets.ASCII_WORD if flags & re.ASCII else sets.python_class(r"\w")
        if at is ops.AT_BOUNDARY:
            return boundary(word, inside=False)
        inside = boundary(word, inside=True)
        return inside if _EMPTY_HAS_NO_BOUNDARY else choice(*(cat(side, inside) for side in _ANY_SIDE))


def _follow(after: Node, *, at_end: bool) -> CharSet:
    """What the text can go on with behind an item that `after` follows."""
    head = after.parts[0] if isinstance(after, Cat) and after.parts else after
    if head == _END or (after == EMPTY and at_end):
        return NONE
    return ANY if nullable(after) and not at_end else firsts(after)


def _is_word(option: Sequence[Item]) -> bool:
    return all(operation in (ops.LITERAL, ops.IN, ops.NOT_LITERAL, ops.ANY) for operation, _ in option)


def _kept(flags: int) -> int:
    """The flags that decide what a class means."""
    return int(flags & (re.IGNORECASE | re.ASCII))


@lru_cache(maxsize=4096)
def _class_of(members: tuple[Item, ...], flags: int) -> CharSet:
    """The set of class members, without negation."""
    found = NONE
    for kind, value in members:
        if kind is ops.LITERAL:
            found = found | CharSet.span(value, value)
        elif kind is ops.RANGE:
            found = found | CharSet.span(*value)
        else:
            found = found | _category(value, flags)
    if not flags & re.IGNORECASE:
        return found
    source = "".join(_written(kind, value) for kind, value in members)
    cased = sets.cased()
    return (found - cased) | sets.matching(f"(?{'a' if flags & re.ASCII else ''}i)[{source}]", cased)


def _category(value: Any, flags: int) -> CharSet:
    """What a shorthand such as `\\w` stands for."""
    name = str(value).removeprefix("CATEGORY_")
    source = _SHORTHAND[name.removeprefix("NOT_")]
    found = sets.python_class(("(?a)" if flags & re.ASCII else "") + source)
    return ~found if name.startswith("NOT_") else found


def _written(kind: Any, value: Any) -> str:
    """A class member as source, to ask `re` about it."""
    if kind is ops.LITERAL:
        return f"\\U{value:08x}"
    if kind is ops.RANGE:
        return f"\\U{value[0]:08x}-\\U{value[1]:08x}"
    name = str(value).removeprefix("CATEGORY_")
    short = _SHORTHAND[name.removeprefix("NOT_")]
    return short.upper() if name.startswith("NOT_") else short
