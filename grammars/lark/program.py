"""Python `re` patterns to programs that keep what a set of strings forgets: which match is preferred.

A lexer does not ask whether a pattern matches but what it matches first: greedy loops try another round first, lazy
ones leave first, alternatives are tried in order. The program is a Pike machine (Thompson 1968, Pike 1987, Cox 2009):

    CHAR mask        one character of these classes, then the next instruction
    SPLIT first, second   both, the first preferred
    JUMP target
    LOOK sign, body  the body matches from here (or, sign False, it does not)
    BEHIND sign, options   the last characters are one of these sequences of class masks
    MATCH

All patterns of a grammar share one program and one alphabet of character classes. Cost: linear in the patterns written
out, counts included; beyond MAX_PROGRAM it is LimitExceeded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.alphabet import Alphabet, alphabet_of
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.python_re import characters, scoped

CHAR, SPLIT, JUMP, LOOK, BEHIND, MATCH = range(6)
MAX_PROGRAM = 200_000
MAX_BEHIND = 255

Tree = list[tuple[Any, Any]]


@dataclass(slots=True)
class Program:
    """Instructions in columns, and where each pattern begins.

    field     meaning
    op        CHAR ... MATCH
    left      CHAR: number of its character set; SPLIT: preferred target; JUMP: target; LOOK: first instruction of the
              body; BEHIND: number of its options
    right     SPLIT: other target; LOOK, BEHIND: 1 = must match, 0 = must not
    mask      classes of a CHAR, as an integer with a bit per class; 0 for others
    behind    alternatives of a BEHIND, each a sequence of class masks
    starts    first instruction of each pattern
    widths    the longest lookbehind of each pattern
    owner     pattern by instruction
    """

    op: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    behind: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)


def compile_patterns(patterns: list[tuple[str, int]]) -> tuple[Program, Alphabet]:
    """One program for all (pattern, flags). Raises RegexError for what `re` refuses or what no automaton can do."""
    writer = _Writer()
    for source, flags in patterns:
        writer.pattern(source, flags)
    alphabet = alphabet_of([*writer.sets, *(member for option in writer.options for word in option for member in word)])
    program = writer.program
    by_number = [alphabet.masks[charset] for charset in writer.sets]
    program.mask = [by_number[left] if op == CHAR else 0 for op, left in zip(program.op, program.left, strict=True)]
    program.behind = [
        tuple(tuple(alphabet.masks[member] for member in word) for word in option) for option in writer.options
    ]
    return program, alphabet


class _Writer:
    """Appends instructions. A method per construct writes code that falls through to what comes next."""

    def __init__(self) -> None:
        self.program = Program()
        self.sets: dict[CharSet, int] = {}
        self.options: list[tuple[tuple[CharSet, ...], ...]] = []
        self.source = ""

    def pattern(self, source: str, flags: int) -> None:
        self.source = source
        try:
            re.compile(source, flags)
            tree = parser.parse(source, flags)
        except re.error as error:
            raise RegexError(error.msg, pattern=source, position=error.pos or 0) from None
        program = self.program
        first = len(program.op)
        program.starts.append(first)
        program.widths.append(0)
        self.sequence(list(tree), tree.state.flags)
        self.emit(MATCH)
        program.owner += [len(program.starts) - 1] * (len(program.op) - first)

    def refused(self, what: str) -> RegexError:
        return RegexError(f"{what} are not supported in terminals", pattern=self.source)

    def emit(self, op: int, left: int = 0, right: int = 0) -> int:
        if len(self.program.op) >= MAX_PROGRAM:
            raise LimitExceeded("the terminals are too large", limit="lexer_program", allowed=MAX_PROGRAM)
        self.program.op.append(op)
        self.program.left.append(left)
        self.program.right.append(right)
        return len(self.program.op) - 1

    def here(self) -> int:
        return len(self.program.op)

    def sequence(self, items: Tree, flags: int) -> None:
        for operation, argument in items:
            self.item(operation, argument, flags)

    def item(self, operation: Any, argument: Any, flags: int) -> None:
        if operation in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            charset = characters((operation, argument), flags)
            self.emit(CHAR, self.sets.setdefault(charset, len(self.sets)))
        elif operation is ops.SUBPATTERN:
            _, added, removed, body = argument
            self.sequence(list(body), scoped(flags, added, removed))
        elif operation is ops.BRANCH:
            self.branches([list(body) for body in argument[1]], flags)
        elif operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            self.repeat(*argument, greedy=operation is ops.MAX_REPEAT, flags=flags)
        elif operation in (ops.ASSERT, ops.ASSERT_NOT):
            self.look(argument[0], list(argument[1]), operation is ops.ASSERT, flags)
        elif operation is ops.AT:
            self.place(argument, flags)
        else:
            raise self.refused(_NAMES.get(operation, f"constructs such as {operation}"))

    def branches(self, options: list[Tree], flags: int) -> None:
        jumps = []
        for option in options[:-1]:
            split = self.emit(SPLIT)
            self.program.left[split] = self.here()
            self.sequence(option, flags)
            jumps.append(self.emit(JUMP))
            self.program.right[split] = self.here()
        self.sequence(options[-1], flags)
        for jump in jumps:
            self.program.left[jump] = self.here()

    def repeat(self, minimum: int, maximum: Any, body: Tree, *, greedy: bool, flags: int) -> None:
        for _ in range(minimum):
            self.sequence(list(body), flags)
        if maximum is ops.MAXREPEAT:
            split = self.emit(SPLIT)
            self.sequence(list(body), flags)
            self.emit(JUMP, split)
            self.leave(split, greedy)
            return
        splits = []
        for _ in range(maximum - minimum):
            splits.append(self.emit(SPLIT))
            self.sequence(list(body), flags)
        for split in splits:
            self.leave(split, greedy)

    def leave(self, split: int, greedy: bool) -> None:
        """Close an optional part: its body follows the split, what comes after it is here."""
        body, after = split + 1, self.here()
        self.program.left[split], self.program.right[split] = (body, after) if greedy else (after, body)

    def look(self, direction: int, body: Tree, positive: bool, flags: int) -> None:
        if direction < 0:
            self.behind(tuple(self.words(body, flags)), positive)
            return
        look, jump = self.emit(LOOK, 0, int(positive)), self.emit(JUMP)
        self.program.left[look] = self.here()
        self.sequence(body, flags)
        self.emit(MATCH)
        self.program.left[jump] = self.here()

    def behind(self, words: tuple[tuple[CharSet, ...], ...], positive: bool) -> None:
        self.options.append(words)
        self.emit(BEHIND, len(self.options) - 1, int(positive))
        self.program.widths[-1] = max(self.program.widths[-1], *map(len, words), 0)

    def words(self, items: Tree, flags: int) -> list[tuple[CharSet, ...]]:
        """The fixed-width sequences a lookbehind is made of."""
        found: list[tuple[CharSet, ...]] = [()]
        for operation, argument in items:
            if operation in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
                after: list[tuple[CharSet, ...]] = [(characters((operation, argument), flags),)]
            elif operation is ops.SUBPATTERN:
                after = self.words(list(argument[3]), scoped(flags, argument[1], argument[2]))
            elif operation is ops.BRANCH:
                after = [word for body in argument[1] for word in self.words(list(body), flags)]
            elif operation is ops.MAX_REPEAT and argument[0] == argument[1]:
                after = self.words(list(argument[2]) * argument[0], flags)
            else:
                raise self.refused("lookbehinds of this kind")
            found = [word + more for word in found for more in after]
            if len(found) > MAX_BEHIND or max(map(len, found)) > MAX_BEHIND:
                raise self.refused("lookbehinds of this size")
        return found

    def place(self, at: Any, flags: int) -> None:
        """A word boundary is a pair of looks; the ends of the text are unknown to a lexer that has not seen them."""
        if at not in (ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY):
            raise self.refused("anchors (^, $, \\A, \\Z)")
        split = self.emit(SPLIT)
        self.program.left[split] = self.here()
        self.side(True, at is ops.AT_NON_BOUNDARY, flags)
        jump = self.emit(JUMP)
        self.program.right[split] = self.here()
        self.side(False, at is ops.AT_BOUNDARY, flags)
        self.program.left[jump] = self.here()

    def side(self, before: bool, after: bool, flags: int) -> None:
        """A word character stands before, or none; one follows, or none."""
        word = sets.ASCII_WORD if flags & re.ASCII else sets.python_class(r"\w")
        self.behind(((word,),), before)
        look, jump = self.emit(LOOK, 0, int(after)), self.emit(JUMP)
        self.program.left[look] = self.here()
        self.emit(CHAR, self.sets.setdefault(word, len(self.sets)))
        self.emit(MATCH)
        self.program.left[jump] = self.here()


_NAMES = {
    ops.GROUPREF: "backreferences",
    ops.GROUPREF_EXISTS: "conditionals",
    ops.ATOMIC_GROUP: "atomic groups",
    ops.POSSESSIVE_REPEAT: "possessive loops",
    ops.FAILURE: "patterns that never match",
}
