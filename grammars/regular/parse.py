"""ECMA-262 pattern source to syntax tree (`python_re.py` reads Python's).

With the `u` flag (one code point is one character), lenient where JSON Schema documents are: escapes of punctuation
that needs none, a literal `{`, `}` or `]`, a class as the end of a range (`[\\w-.]`), and the unambiguous Python
spellings `(?P<name>...)` and `(?i)` at the beginning. Recursive descent, linear in the source. Captures are
transparent, and lazy loops equal greedy ones: the language is the same. Backreferences are not regular and are refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from structgen.errors import LimitExceeded
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.escapes import Reader
from structgen.grammars.regular.syntax import (
    EMPTY,
    Edge,
    Look,
    Node,
    boundary,
    cat,
    char,
    choice,
    looks_ahead,
    loop,
)  # fmt: skip

MAX_NESTING = 80
MAX_COUNT = (1 << 31) - 1
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_FLAGS = re.compile(r"([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_GROUP_NAME = re.compile(r"[^\W\d]\w*>")
_LINE_ENDS = CharSet.of("\n\r\u2028\u2029")
Kind = Literal["plain", "assertion"]
_LOOKS = (("=", True, False), ("!", True, True), ("<=", False, False), ("<!", False, True))
_START, _END = Edge(at_end=False), Edge(at_end=True)


@lru_cache(maxsize=1024)
def parse(source: str) -> Node:
    """The syntax tree of a pattern. Raises RegexError where it cannot be read or is not regular."""
    return _Parser(source).parse()


@lru_cache(maxsize=256)
def _single(character: str) -> Node:
    return char(CharSet.of(character))


class _Parser(Reader):
    """Groups, loops and assertions on top of `Reader`'s characters and classes."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
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
        while self.peek() not in ("", "|", ")"):
            start = self.position
            item, kind = self.atom()
            items.append(self.counted(item, kind, start))
        return cat(*items)

    # -------------------------------------------------------------------------------------------------- counts

    def counted(self, item: Node, kind: Kind, start: int) -> Node:
        """`item` with the count that follows it."""
        count = self.count()
        if count is None:
            return item
        if kind == "assertion":
            raise self.error("nothing to repeat", start)
        minimum, maximum = count
        if maximum is not None and maximum < minimum:
            raise self.error("the count is out of order", start)
        self.take("?")
        if self.peek() in ("*", "+", "?") or (self.peek() == "{" and self.count() is not None):
            raise self.error("multiple repeat")
        return loop(item, minimum, maximum)

    def count(self) -> tuple[int, int | None] | None:
        """The count at the cursor, stepped over."""
        letter = self.peek()
        if letter in ("*", "+", "?") and letter:
            self.position += 1
            return int(letter == "+"), 1 if letter == "?" else None
        found = self.take_match(_COUNT) if letter == "{" else None
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
            return char(ANY if "s" in self.flags else ~_LINE_ENDS), "plain"
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
            return choice(_START, Look(char(_LINE_ENDS), ahead=False, negative=False))
        return _START

    def dollar(self) -> Node:
        if "m" in self.flags:
            return choice(_END, Look(char(_LINE_ENDS), ahead=True, negative=False))
        return _END

    def escape(self) -> tuple[Node, Kind]:
        """What a backslash begins, the cursor being behind it."""
        letter = self.peek()
        if letter in ("b", "B"):
            self.position += 1
            return boundary(sets.ASCII_WORD, inside=letter == "B"), "assertion"
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
        if not (added | removed) <= set("ims"):
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
