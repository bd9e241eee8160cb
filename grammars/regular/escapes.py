"""Reading characters, escapes and bracketed classes of an ECMA-262 pattern: source text to `CharSet`.

`Cursor` is a place in a source and the flags in force there, `Reader` reads from it; `parse.Parser` adds groups, loops
and assertions on top. `rust_re.py` reads another syntax from the same cursor.
"""

from __future__ import annotations

import re

from structgen.errors import RegexError
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.charset import CharSet

_HEX = {"x": re.compile(r"[0-9a-fA-F]{2}"), "u": re.compile(r"[0-9a-fA-F]{4}")}
_BRACED = re.compile(r"\{([0-9a-fA-F]{1,10})\}")
_LOW_SURROGATE = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_PROPERTY = re.compile(r"\{([A-Za-z0-9_=]+)\}")
_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_SHORTHAND = {"d": sets.ASCII_DIGIT, "w": sets.ASCII_WORD, "s": sets.ECMA_SPACE}


class Cursor:
    """A place in the source. `flags` holds the letters of the inline flags in force."""

    def __init__(self, source: str) -> None:
        """Start at the beginning with no flags."""
        self.source = source
        self.position = 0
        self.flags: frozenset[str] = frozenset()

    def error(self, reason: str, position: int | None = None) -> RegexError:
        """The error to raise for the construct at `position` (the cursor by default)."""
        return RegexError(reason, pattern=self.source, position=self.position if position is None else position)

    def peek(self) -> str:
        """The character at the cursor, "" at the end."""
        return self.source[self.position : self.position + 1]

    def take(self, text: str) -> bool:
        """Step over `text` if it is next."""
        if self.source.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def take_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over a match of `pattern` if there is one at the cursor."""
        found = pattern.match(self.source, self.position)
        if found is not None:
            self.position = found.end()
        return found


class Reader(Cursor):
    """Characters, escapes and classes of ECMA-262."""

    def cased(self, charset: CharSet) -> CharSet:
        """The set as the flag `i` widens it."""
        return sets.ignore_case_ecma(charset) if "i" in self.flags else charset

    def class_escape(self, letter: str) -> CharSet | None:
        """The set that `\\letter` names, the cursor being behind the letter; None if it names no set."""
        kind = letter.lower()
        found = self._property() if kind == "p" else _SHORTHAND.get(kind)
        return ~found if found is not None and letter.isupper() else found

    def _property(self) -> CharSet:
        start = self.position - 2
        name = self.take_match(_PROPERTY)
        if name is None:
            raise self.error("a property escape needs a name in braces", start)
        found = sets.prop(name[1])
        if found is None:
            raise self.error(f"the Unicode property {name[1]!r} is not supported (general categories are)", start)
        return found

    def character_escape(self, *, in_class: bool) -> int:
        """The code point of an escaped character, the cursor being behind the backslash; it may be a lone surrogate."""
        start = self.position - 1
        letter = self.peek()
        if not letter:
            raise self.error("the pattern ends in a backslash", start)
        if letter.isascii() and letter.isdigit():
            return self._numeric_escape(start, in_class=in_class)
        self.position += 1
        if letter == "b" and in_class:
            return 0x08
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if not (letter.isascii() and letter.isalpha()):
            return ord(letter)
        return self._named_escape(letter, start)

    def _named_escape(self, letter: str, start: int) -> int:
        if letter in "xu":
            return self._hex_escape(letter, start)
        if letter == "c" and self.peek().isascii() and self.peek().isalpha():
            self.position += 1
            return ord(self.source[self.position - 1]) % 32
        if letter == "k":
            raise self.error("backreferences are not regular", start)
        raise self.error(f"\\{letter} has no meaning in ECMA-262", start)

    def _hex_escape(self, letter: str, start: int) -> int:
        if letter == "u" and (braced := self.take_match(_BRACED)):
            return self._point(int(braced[1], 16), start)
        digits = self.take_match(_HEX[letter])
        if digits is None:
            raise self.error(f"\\{letter} needs hexadecimal digits", start)
        point = int(digits[0], 16)
        if 0xD800 <= point <= 0xDBFF and letter == "u" and (low := self.take_match(_LOW_SURROGATE)):
            point = 0x10000 + ((point - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        return self._point(point, start)

    def _point(self, point: int, start: int) -> int:
        if point > 0x10FFFF:
            raise self.error("no such code point", start)
        return point

    def _numeric_escape(self, start: int, *, in_class: bool) -> int:
        if self.take("0") and not self.peek().isdigit():
            return 0
        raise self.error("no such escape in a class" if in_class else "backreferences are not regular", start)

    def bracketed(self) -> CharSet:
        """A class, the cursor being behind the opening bracket."""
        start = self.position - 1
        negated = self.take("^")
        members: list[tuple[int, int]] = []
        while not self.take("]"):
            if not self.peek():
                raise self.error("the class is not closed", start)
            members.extend(self._class_item().ranges)
        found = self.cased(CharSet.spans(members))
        return ~found if negated else found

    def _class_item(self) -> CharSet:
        """One member of a class: a character, a range or a named set."""
        start = self.position
        low = self._class_atom()
        if self.peek() != "-" or self.source[self.position + 1 : self.position + 2] in ("]", ""):
            return _as_set(low)
        self.position += 1
        high = self._class_atom()
        if isinstance(low, CharSet) or isinstance(high, CharSet):
            return _as_set(low) | CharSet.of("-") | _as_set(high)
        if low > high:
            raise self.error("the range is out of order", start)
        return CharSet.span(low, high)

    def _class_atom(self) -> int | CharSet:
        letter = self.peek()
        self.position += 1
        if letter != "\\":
            return ord(letter)
        escaped = self.peek()
        self.position += 1
        named = self.class_escape(escaped) if escaped else None
        if named is not None:
            return named
        self.position -= 1
        return self.character_escape(in_class=True)


def _as_set(member: int | CharSet) -> CharSet:
    return member if isinstance(member, CharSet) else CharSet.span(member, member)
