"""Patterns of Rust's `regex` crate to syntax trees: what `pattern=` means to pydantic.

The crate, which pydantic-core carries, says what is a pattern: it refuses what it refuses (lookaround, backreferences,
what could match half a character), and the parser behind it reads valid patterns only. It also says what its classes
hold and which letters are alike (`rust_sets.py`). The syntax in between is that of its documentation: flags and their
scopes, classes inside classes with `&&`, `--` and `~~` from left to right, word edges, `$` at the end of a text.
Captures are transparent and lazy loops equal greedy ones: the language is the same. Linear in the pattern.
"""

from __future__ import annotations

import re
from functools import lru_cache

from structgen.errors import LimitExceeded
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.escapes import Cursor
from structgen.grammars.regular.rust_sets import class_of, folded, is_match
from structgen.grammars.regular.syntax import EMPTY, Edge, Look, Node, boundary, cat, char, choice, loop

__all__ = ["parse"]

MAX_NESTING = 80
_BLANK = re.compile(r"(?:\s|#[^\n]*(?:\n|$))*")  # under the flag x
_COUNT = re.compile(r"\{\s*(\d+)\s*(,?)\s*(\d*)\s*\}")
_FLAGS = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_NAME = re.compile(r"\?P?<[^>]*>")
_HEX = re.compile(r"\s*\{\s*([0-9A-Fa-f]+)\s*\}|\s*([0-9A-Fa-f]+)")
_PROPERTY = re.compile(r"\s*(?:\{[^}]*\}|[A-Za-z])")
_ASCII_CLASS = re.compile(
    r"\[:(\^?)(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
)
_WORD_EDGE = re.compile(r"\{(start|end|start-half|end-half)\}")
_DIGITS = {"x": 2, "u": 4, "U": 8}
_CONTROLS = {"a": 0x07, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_ASCII = {"d": sets.ASCII_DIGIT, "w": sets.ASCII_WORD, "s": sets.ASCII_SPACE}  # under (?-u)
_OPERATORS = ("&&", "--", "~~")
_BYTES = CharSet.span(0, 0xFF)  # what a class may hold under (?-u); what is left of it in the end is ASCII
_START, _END = Edge(at_end=False), Edge(at_end=True)
_RETURN, _FEED = CharSet.of("\r"), CharSet.of("\n")


@lru_cache(maxsize=1024)
def parse(source: str) -> Node:
    """The syntax tree of a pattern. Raises RegexError where the crate refuses it."""
    is_match(source)
    return _Parser(source).alternatives()


def _beside(charset: CharSet, *, ahead: bool, negative: bool = False) -> Node:
    return Look(char(charset), ahead, negative)


class _Parser(Cursor):
    """Reads a pattern that the crate has accepted."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.flags = frozenset("u")
        self.depth = 0

    def blank(self) -> None:
        """Step over blanks and comments where they mean nothing."""
        if "x" in self.flags:
            self.take_match(_BLANK)

    def alternatives(self) -> Node:
        """Up to the end of the group or of the pattern; flags that are set hold until there."""
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return choice(*options)

    def sequence(self) -> Node:
        """Atoms with their counts."""
        items: list[Node] = []
        self.blank()
        while self.peek() not in ("", "|", ")"):
            items.append(self.counted(self.atom()))
        return cat(*items)

    def counted(self, item: Node) -> Node:
        """`item` under all the counts that follow it."""
        while True:
            self.blank()
            if found := self.take_match(_COUNT):
                least, most = int(found[1]), None if found[2] and not found[3] else int(found[3] or found[1])
                self.blank()  # the crate skips blanks before a lazy `?` here, and nowhere else
            elif self.peek() and self.peek() in "*+?":
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.peek()]
                self.position += 1
            else:
                return item
            self.take("?")
            item = loop(item, least, most)

    def atom(self) -> Node:
        """One character, class, group or place."""
        letter = self.peek()
        self.position += 1
        match letter:
            case "(":
                return self.group()
            case "[":
                return char(self.bracketed())
            case ".":
                ends = _FEED | _RETURN if "R" in self.flags else _FEED
                return char(ANY if "s" in self.flags else ~ends)
            case "^":
                return self.line_start() if "m" in self.flags else _START
            case "$":
                return self.line_end() if "m" in self.flags else _END
            case "\\":
                return self.place() or char(self.as_set(self.escaped(), fold=True))
            case _:
                return char(self.as_set(ord(letter), fold=True))

    def group(self) -> Node:
        """A group or a change of flags, the cursor being behind the parenthesis."""
        self.blank()
        before, found = self.flags, None
        if not self.take_match(_NAME) and (found := self.take_match(_FLAGS)):
            self.flags = (self.flags | frozenset(found[1])) - frozenset(found[2] or "")
            if found[3] == ")":
                return EMPTY
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded("groups nest too deeply", limit="regex_nesting", allowed=MAX_NESTING)
        body = self.alternatives()
        self.depth -= 1
        self.position += 1
        self.flags = before
        return body

    # -------------------------------------------------------------------------------------------------- places

    def line_start(self) -> Node:
        """`^` under the flag m; under R a line also ends at a carriage return, with the feed behind it if there is."""
        behind_feed = _beside(_FEED, ahead=False)
        if "R" not in self.flags:
            return choice(_START, behind_feed)
        alone = cat(_beside(_RETURN, ahead=False), _beside(_FEED, ahead=True, negative=True))
        return choice(_START, behind_feed, alone)

    def line_end(self) -> Node:
        """`$` under the flag m."""
        before_feed = _beside(_FEED, ahead=True)
        if "R" not in self.flags:
            return choice(_END, before_feed)
        alone = cat(_beside(_RETURN, ahead=False, negative=True), before_feed)
        return choice(_END, _beside(_RETURN, ahead=True), alone)

    def place(self) -> Node | None:
        """An escape of no width, the cursor being behind the backslash."""
        word = class_of(r"\w") if "u" in self.flags else sets.ASCII_WORD
        letter = self.peek()
        if letter not in tuple("AzbB<>"):
            return None
        self.position += 1
        if letter in "Az":
            return _START if letter == "A" else _END
        edge = {"<": "start", ">": "end"}.get(letter)
        if letter == "b" and (found := self.take_match(_WORD_EDGE)):
            edge = found[1]
        if edge is None:
            return boundary(word, inside=letter == "B")
        ahead = edge.startswith("end")
        outside = _beside(word, ahead=ahead, negative=True)
        return outside if edge.endswith("half") else cat(outside, _beside(word, ahead=not ahead))

    # ----------------------------------------------------------------------------------------------- characters

    def escaped(self) -> int | CharSet:
        """A character or a named set, the cursor being behind the backslash."""
        letter = self.peek()
        self.position += 1
        if letter in _DIGITS:
            return self.hexadecimal(_DIGITS[letter])
        if letter in "pP":
            self.take_match(_PROPERTY)
            name = re.sub(r"\s", "", self.source[: self.position][self.source.rindex("\\", 0, self.position) + 2 :])
            return class_of(f"(?i)\\{letter}{name}" if "i" in self.flags else f"\\{letter}{name}")
        kind = letter.lower()
        if kind in _ASCII:
            found = class_of(rf"\{kind}") if "u" in self.flags else _ASCII[kind]
            return found if letter == kind else self.others(found)
        return _CONTROLS.get(letter, ord(letter))

    def hexadecimal(self, digits: int) -> int:
        """The code point behind `\\x`, `\\u` or `\\U`: as many digits, or any number in braces."""
        start = self.position
        found = self.take_match(_HEX)
        if found is None:
            raise self.error("hexadecimal digits are missing", start)
        if found[1]:
            return int(found[1], 16)
        self.position = found.start(2) + digits
        return int(found[2][:digits], 16)

    def others(self, charset: CharSet) -> CharSet:
        """The complement of a class."""
        return ~charset if "u" in self.flags else _BYTES - charset

    def as_set(self, member: int | CharSet, *, fold: bool) -> CharSet:
        """A character as a set; under the flag `i` with its other cases. Named sets are folded inside classes alone."""
        if isinstance(member, CharSet):
            return member
        found = CharSet.span(member, member)
        return self.fold(found) if fold else found

    def fold(self, charset: CharSet) -> CharSet:
        """The set as the flag `i` widens it."""
        if "i" not in self.flags:
            return charset
        return folded(charset) if "u" in self.flags else sets.ignore_case_ascii(charset)

    # ------------------------------------------------------------------------------------------------- classes

    def bracketed(self) -> CharSet:
        """A class, the cursor being behind its bracket. What stands first may be a `-` or a `]` for itself."""
        self.blank()
        negated = self.take("^")
        self.blank()
        left, operator, union = NONE, "", NONE
        while self.take("-"):
            union = CharSet.of("-")
            self.blank()
        if not union and self.take("]"):
            union = CharSet.of("]")
        while True:
            self.blank()
            if self.take("]"):
                break
            if found := next((each for each in _OPERATORS if self.take(each)), None):
                left, operator, union = self.combined(left, operator, union), found, NONE
            else:
                union = union | self.member()
        whole = self.fold(self.combined(left, operator, union))
        return self.others(whole) if negated else whole

    def combined(self, left: CharSet, operator: str, right: CharSet) -> CharSet:
        """Both sides of an operator between sets; without one, the right side."""
        if not operator:
            return right
        left, right = self.fold(left), self.fold(right)
        if operator == "&&":
            return left & right
        return left - right if operator == "--" else (left - right) | (right - left)

    def member(self) -> CharSet:
        """One member of a class: a class, a character, a range or a named set."""
        if found := self.take_match(_ASCII_CLASS):
            named = self.fold(class_of(f"[[:{found[2]}:]]"))
            return self.others(named) if found[1] else named
        if self.take("["):
            return self.bracketed()
        low = self.class_atom()
        self.blank()
        if self.peek() != "-" or self.ends_range():
            return self.as_set(low, fold=False)
        self.position += 1
        self.blank()
        high = self.class_atom()
        if isinstance(low, CharSet) or isinstance(high, CharSet):
            raise self.error("a range between sets")
        return CharSet.span(low, high)

    def ends_range(self) -> bool:
        """Whether the `-` at the cursor stands for itself, or begins `--`."""
        at = self.position
        self.position += 1
        self.blank()
        following = self.peek()
        self.position = at
        return following in ("]", "-")

    def class_atom(self) -> int | CharSet:
        """A character or a named set."""
        if self.take("\\"):
            return self.escaped()
        self.position += 1
        return ord(self.source[self.position - 1])
