"""Atomic groups and possessive loops as expressions with lookaheads.

An atomic group takes the first match in the order in which a backtracking matcher tries, and never another. "First" is
regular: an alternative is taken only where none before it leads to a match of the group, a greedy loop ends only where
no further round does, a lazy one goes on only where ending does not. Each "no ... does" is a negative lookahead for
what would have come, up to the end of the group:

    (?>a|ab)      a | (?!a)ab              (?>x*y)      x*(?!xx*y)y            x*+     x*(?!x)

Works on the tree of `re._parser`, where the order of alternatives and the greed of loops still stand. Counts over
bodies that can match in several ways are written out. Quadratic in the group. See Berglund et al., "On the semantics of
atomic subgroups in practical regular expressions" (CIAA 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from typing import Any, Protocol, TypeAlias

from structgen.errors import LimitExceeded
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
    nullable,
)  # fmt: skip

Item: TypeAlias = tuple[Any, Any]

MAX_ROUNDS = 60  # counted rounds that are written out
_ONE_WAY = (
    ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN, ops.AT, ops.ASSERT, ops.ASSERT_NOT, ops.FAILURE,
    ops.ATOMIC_GROUP, ops.POSSESSIVE_REPEAT,
)  # fmt: skip


class EmptyRound(Exception):
    """A loop inside the group may go round without taking a character, and what that means depends on the round."""


class Translator(Protocol):
    """What is needed of `python_re`."""

    def item(self, item: Item, flags: int) -> Node:
        """The plain meaning of one item."""

    def sequence(self, items: Iterable[Item], flags: int) -> Node:
        """The plain meaning of several."""

    def scoped(self, flags: int, added: int, removed: int) -> int:
        """The flags inside a group that changes them."""


def is_greedy(items: Iterable[Item]) -> bool:
    """Whether the longest way is always tried first: no lazy loop, no alternative behind one that can be empty."""
    for operation, argument in items:
        if operation is ops.MIN_REPEAT:
            return False
        if operation is ops.BRANCH:
            options = argument[1]
            if any(option.getwidth()[0] == 0 for option in options[:-1]) or not all(map(is_greedy, options)):
                return False
        inner = {ops.SUBPATTERN: 3, ops.MAX_REPEAT: 2}.get(operation)
        if inner is not None and not is_greedy(argument[inner]):
            return False
    return True


def first_match(items: Sequence[Item], flags: int, translator: Translator) -> Node:
    """The first match of a sequence, in the order of a backtracking matcher."""
    return _Order(translator).sequence(items, flags, EMPTY)


def possessive(items: Sequence[Item], minimum: int, maximum: int | None, flags: int, translator: Translator) -> Node:
    """A possessive loop: each round takes its first match, and rounds are given back never."""
    body = first_match(list(items), flags, translator)
    return cat(loop(body, minimum, minimum), _as_often(body, None if maximum is None else maximum - minimum))


def _as_often(body: Node, most: int | None) -> Node:
    """Rounds, up to `most`, until one takes nothing or there is none."""
    some = nonempty(body)
    if most is None:
        return cat(loop(some, 0, None), _unless(some))
    return choice(loop(some, most, most), cat(loop(some, 0, most - 1), _unless(some))) if most else EMPTY


def nonempty(node: Node) -> Node:
    """What an expression matches but for the empty string. Raises EmptyRound where that is hard to say."""
    match node:
        case Char():
            return node
        case Edge() | Look():
            return VOID
        case Choice(options):
            return choice(*map(nonempty, options))
        case Cat(parts):
            found: list[Node] = []
            before: Node = EMPTY
            for at, part in enumerate(parts):
                found.append(cat(before, nonempty(part), *parts[at + 1 :]))
                before = cat(before, _empty(part))
            return choice(*found)
        case Loop(body, minimum, maximum):
            some = nonempty(body)
            if some == body:
                return loop(body, max(minimum, 1), maximum)
            if minimum > 1 or _empty(body) != EMPTY:
                raise EmptyRound
            return loop(some, 1, maximum)


def _empty(node: Node) -> Node:
    """When an expression matches the empty string: EMPTY, VOID, or an assertion."""
    match node:
        case Char():
            return VOID
        case Edge() | Look():
            return node
        case Choice(options):
            return choice(*map(_empty, options))
        case Cat(parts):
            return cat(*map(_empty, parts))
        case Loop(body, minimum):
            return _empty(body) if minimum else EMPTY


def _unless(node: Node) -> Node:
    return Look(node, ahead=True, negative=True)


class _Order:
    """Writes what a part matches, given `after`: what follows it up to the end of the group."""

    def __init__(self, translator: Translator) -> None:
        self.plain = translator

    def sequence(self, items: Sequence[Item], flags: int, after: Node) -> Node:
        """Each part knows what follows it."""
        items = list(items)
        written: list[Node] = []
        for item in reversed(items):
            written.insert(0, self.item(item, flags, after))
            after = cat(self.plain.item(item, flags), after)
        return cat(*written)

    def item(self, item: Item, flags: int, after: Node) -> Node:
        """One part."""
        operation, argument = item
        if operation is ops.SUBPATTERN:
            _, added, removed, body = argument
            return self.sequence(body, self.plain.scoped(flags, added, removed), after)
        if operation is ops.BRANCH:
            return self.branches(argument[1], flags, after)
        if operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            minimum, maximum, body = argument
            rounds = None if maximum is ops.MAXREPEAT else maximum - minimum
            return self.rounds(list(body), minimum, rounds, flags, after, lazy=operation is ops.MIN_REPEAT)
        return self.plain.item(item, flags)

    def branches(self, options: Iterable[Sequence[Item]], flags: int, after: Node) -> Node:
        """An alternative is taken where no earlier one leads to the end of the group."""
        found: list[Node] = []
        barred: Node = EMPTY
        for option in options:
            found.append(cat(barred, self.sequence(option, flags, after)))
            barred = cat(barred, _unless(cat(self.plain.sequence(option, flags), after)))
        return choice(*found)

    def rounds(self, body: list[Item], minimum: int, more: int | None, flags: int, after: Node, *, lazy: bool) -> Node:
        """A loop: `minimum` rounds, then `more` (None: any number of) optional ones."""
        one = self.plain.sequence(body, flags)
        if lengths(one)[0] == 0:
            if after != EMPTY or lazy or not nullable(one):
                raise EmptyRound
            first = self.sequence(body, flags, EMPTY)
            return cat(loop(first, minimum, minimum), _as_often(first, more))
        if _has_one_way(body):
            return cat(loop(one, minimum, minimum), self.optional(one, one, more, after, lazy=lazy))
        if max(minimum, more or 0) > MAX_ROUNDS:
            raise LimitExceeded("too many rounds in an atomic group", limit="regex_rounds", allowed=MAX_ROUNDS)
        written: Node = EMPTY
        if more is None:
            written = self.optional(
                one, self.sequence(body, flags, cat(loop(one, 0, None), after)), None, after, lazy=lazy
            )
        for left in range(more or 0):  # from the last round to the first
            goes_on = cat(self.sequence(body, flags, cat(loop(one, 0, left), after)), written)
            written = self.either(goes_on, cat(one, loop(one, 0, left), after), after, lazy=lazy)
        rest = cat(loop(one, 0, more), after)
        for left in range(minimum):
            written = cat(self.sequence(body, flags, cat(loop(one, left, left), rest)), written)
        return written

    @staticmethod
    def either(goes_on: Node, going: Node, ending: Node, *, lazy: bool) -> Node:
        """Another round or none, whichever is tried first and leads to the end of the group."""
        if lazy:
            return choice(EMPTY, cat(_unless(ending), goes_on))
        return choice(goes_on, _unless(going))

    @staticmethod
    def optional(one: Node, ordered: Node, more: int | None, after: Node, *, lazy: bool) -> Node:
        """Rounds whose own match does not depend on how many are left."""
        if more == 0:
            return EMPTY
        if lazy:
            return EMPTY if after == EMPTY else loop(cat(_unless(after), ordered), 0, more)
        if more is None:
            return cat(loop(ordered, 0, None), _unless(cat(one, loop(one, 0, None), after)))
        if after == EMPTY:
            return choice(loop(ordered, more, more), cat(loop(ordered, 0, more - 1), _unless(one)))
        if more > MAX_ROUNDS:
            raise LimitExceeded("too many rounds in an atomic group", limit="regex_rounds", allowed=MAX_ROUNDS)
        written: Node = EMPTY
        for left in range(more):
            written = choice(cat(ordered, written), _unless(cat(one, loop(one, 0, left), after)))
        return written


def _has_one_way(body: Sequence[Item]) -> bool:
    """Whether a sequence can match at a place in one way at most."""
    for operation, argument in body:
        if operation is ops.SUBPATTERN:
            if not _has_one_way(argument[3]):
                return False
        elif operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            minimum, maximum, inner = argument
            if minimum != maximum or not _has_one_way(inner):
                return False
        elif operation not in _ONE_WAY:
            return False
    return True
