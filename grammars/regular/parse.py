"""Regular expression source to syntax tree, for both dialects (`dialects.py` holds what differs in data).

Recursive descent, linear in the source. Captures are transparent, and lazy loops equal greedy ones: the language is
the same. Backreferences, conditionals and recursion are not regular and are refused by name; atomic groups and
possessive loops are accepted where they provably match the same as plain ones (`ambiguity.py`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from structgen.errors import LimitExceeded
from structgen.grammars.regular.ambiguity import deterministic
from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.dialects import DIALECTS, Dialect, Name
from structgen.grammars.regular.escapes import Reader
from structgen.grammars.regular.syntax import (
    EMPTY,
    Cat,
    Char,
    Edge,
    Look,
    Node,
    cat,
    char,
    choice,
    firsts,
    looks_ahead,
    loop,
    nullable,
)  # fmt: skip

MAX_NESTING = 80
MAX_COUNT = (1 << 31) - 1
_COUNTS = {"ecma": re.compile(r"\{(\d+)(?:(,)(\d*))?\}"), "python": re.compile(r"\{(?!\})(\d*)(?:(,)(\d*))?\}")}
_FLAGS = re.compile(r"([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_GROUP_NAME = re.compile(r"[^\W\d]\w*>")
_BLANK = re.compile(r"(?:\s|#[^\n]*)+")
_COMMENT = re.compile(r"[^)]*\)")
Kind = Literal["plain", "assertion", "atomic"]
_LOOKS = (("=", True, False), ("!", True, True), ("<=", False, False), ("<!", False, True))
_START, _END = Edge(at_end=False), Edge(at_end=True)


@lru_cache(maxsize=1024)
def parse(source: str, dialect: Name) -> Node:
    """The syntax tree of a pattern. Raises RegexError where it cannot be read or is not regular."""
    return _Parser(source, DIALECTS[dialect]).parse()


@lru_cache(maxsize=256)
def _single(character: str) -> Node:
    return char(CharSet.of(character))


class _Parser(Reader):
    """Groups, loops and assertions on top of `Reader`'s characters and classes."""

    def __init__(self, source: str, dialect: Dialect) -> None:
        super().__init__(source, dialect)
        self.depth = 0

    def parse(self) -> Node:
        """The whole source."""
        node = self.alternatives()
        if self.position < len(self.source):
            raise self.error("unbalanced closing parenthesis")
        return node

    def alternatives(self) -> Node:
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return choice(*options) if len(options) > 1 else options[0]

    def sequence(self) -> Node:
        """Atoms with their counts up to `|`, `)` or the end."""
        items: list[Node] = []
        settled: list[tuple[int, int]] = []  # (index, position) of atomic items
        while True:
            self.skip_blank()
            start = self.position
            if self.peek() in ("", "|", ")"):
                break
            item, kind = self.atom()
            self.skip_blank()
            item, possessive = self.counted(item, kind, start)
            if possessive or kind == "atomic":
                settled.append((len(items), start))
            items.append(item)
        for index, start in settled:
            self.check_atomic(items[index], items[index + 1 :], start)
        return cat(*items)

    def check_atomic(self, item: Node, rest: list[Node], start: int) -> None:
        """Refuse an atomic item unless nothing it gives up could have mattered."""
        after = cat(*rest)
        head = after.parts[0] if isinstance(after, Cat) and after.parts else after
        follow = ANY if nullable(after) and self.depth else firsts(after)
        if not deterministic(item, NONE if head == _END else follow):
            raise self.error("atomic groups and possessive loops are supported only where they change nothing", start)

    def skip_blank(self) -> None:
        if "x" in self.flags:
            self.take_match(_BLANK)

    # -------------------------------------------------------------------------------------------------- counts

    def counted(self, item: Node, kind: Kind, start: int) -> tuple[Node, bool]:
        """`item` with the count that follows it, and whether that count is possessive."""
        count = self.count()
        if count is None:
            return item, False
        if kind == "assertion":
            raise self.error("nothing to repeat", start)
        minimum, maximum = count
        if maximum is not None and maximum < minimum:
            raise self.error("the count is out of order", start)
        possessive = self.dialect.name == "python" and self.take("+")
        if not possessive:
            self.take("?")
        self.skip_blank()
        if self.peek() in ("*", "+", "?") or (self.peek() == "{" and self.count() is not None):
            raise self.error("multiple repeat")
        return loop(item, minimum, maximum), possessive

    def count(self) -> tuple[int, int | None] | None:
        """The count at the cursor, stepped over."""
        letter = self.peek()
        if letter in ("*", "+", "?") and letter:
            self.position += 1
            return int(letter == "+"), 1 if letter == "?" else None
        found = self.take_match(_COUNTS[self.dialect.name]) if letter == "{" else None
        if found is None:
            return None
        low, comma, high = found.groups()
        for digits in (low, high):
            if digits and (len(digits) > 10 or int(digits) > MAX_COUNT):
                raise LimitExceeded(f"the count {digits[:20]} is too large", limit="regex_count", allowed=MAX_COUNT)
        minimum = int(low or 0)
        return minimum, (int(high) if high else None) if comma else minimum

    # --------------------------------------------------------------------------------------------------- atoms

    def atom(self) -> tuple[Node, Kind]:
        """The next atom and its kind."""
        letter = self.peek()
        start = self.position
        self.position += 1
        if letter == "(":
            return self.group(start)
        if letter == "[":
            return char(self.bracketed()), "plain"
        if letter == ".":
            return char(ANY if "s" in self.flags else ~self.dialect.line_ends), "plain"
        if letter == "^":
            return self.caret(), "assertion"
        if letter == "$":
            return self.dollar(), "assertion"
        if letter == "\\":
            return self.escape()
        if letter in "*+?":
            raise self.error("nothing to repeat", start)
        return char(self.cased(CharSet.of(letter))) if "i" in self.flags else _single(letter), "plain"

    def caret(self) -> Node:
        if "m" in self.flags:
            return choice(_START, Look(char(self.dialect.line_ends), ahead=False, negative=False))
        return _START

    def dollar(self) -> Node:
        if "m" in self.flags:
            return choice(_END, Look(char(self.dialect.line_ends), ahead=True, negative=False))
        if self.dialect.name == "python":
            return choice(_END, Look(cat(_single("\n"), _END), ahead=True, negative=False))
        return _END

    def escape(self) -> tuple[Node, Kind]:
        """What a backslash begins, the cursor being behind it."""
        letter = self.peek()
        if letter in ("b", "B"):
            self.position += 1
            return _boundary(self.word(), inside=letter == "B"), "assertion"
        if letter in ("A", "Z", "z") and self.dialect.name == "python":
            self.position += 1
            return _START if letter == "A" else _END, "assertion"
        self.position += 1
        named = self.class_escape(letter) if letter else None
        if named is not None:
            return char(named), "plain"
        self.position -= 1
        point = self.character_escape(in_class=False)
        return char(self.cased(CharSet.span(point, point))), "plain"

    # -------------------------------------------------------------------------------------------------- groups

    def group(self, start: int) -> tuple[Node, Kind]:
        """A group, the cursor being behind its parenthesis."""
        before = self.flags
        if not self.take("?"):
            return self.closed(start), "plain"
        for opener, ahead, negative in _LOOKS:
            if self.take(opener):
                body = self.closed(start)
                if not ahead and looks_ahead(body):
                    raise self.error("a lookbehind cannot look ahead", start)
                return Look(body, ahead, negative), "plain"
        if self.take(":"):
            return self.closed(start), "plain"
        if self.take("P=") or self.take("("):
            raise self.error("backreferences and conditionals are not regular", start)
        if self.take("P<") or self.take("<"):
            if self.take_match(_GROUP_NAME) is None:
                raise self.error("bad group name", start)
            return self.closed(start), "plain"
        if self.dialect.name == "python":
            if self.take(">"):
                return self.closed(start), "atomic"
            if self.take("#"):
                if self.take_match(_COMMENT) is None:
                    raise self.error("the comment is not closed", start)
                return EMPTY, "plain"
        if self.inline_flags(start):
            return EMPTY, "plain"
        node = self.closed(start)
        self.flags = before
        return node, "plain"

    def inline_flags(self, start: int) -> bool:
        """Read `(?flags)` (True: for the rest) or `(?flags-flags:` (False: for a group)."""
        found = self.take_match(_FLAGS)
        if found is None or not (found[1] or found[2]):
            raise self.error("unknown kind of group", start)
        added, removed, ending = frozenset(found[1]), frozenset(found[2] or ""), found[3]
        if not (added | removed) <= set(self.dialect.flags):
            raise self.error("unknown flag", start)
        if ending == ")" and (removed or start):
            raise self.error("flags for the whole pattern stand at its beginning", start)
        self.flags = (self.flags | added) - removed
        return ending == ")"

    def closed(self, start: int) -> Node:
        """Alternatives up to the closing parenthesis."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded("groups nest too deeply", limit="regex_nesting", allowed=MAX_NESTING)
        node = self.alternatives()
        self.depth -= 1
        if not self.take(")"):
            raise self.error("the group is not closed", start)
        return node


def _boundary(word: CharSet, *, inside: bool) -> Node:
    """A word boundary, or (inside) the absence of one: does the character before differ from the one after?"""
    sides = [
        cat(Look(Char(word), ahead=False, negative=negative), Look(Char(word), ahead=True, negative=negative == inside))
        for negative in (False, True)
    ]
    return choice(*sides)
