"""BNF text to grammar IR: recursive descent over the characters, linear in the source.

    rule         name ::= alternatives
    alternatives sequence | sequence ...
    item         "text"  [set]  name  ( alternatives )  and in GBNF  .  <special token>
    count        * + ? {m} {m,} {m,n}    after an item

Ambiguity and left recursion need no care from the writer: the engine is an Earley parser. Sources: llama.cpp's GBNF
guide, xgrammar's EBNF.
"""

from __future__ import annotations

import re

from structgen.errors import GrammarError
from structgen.grammars.bnf.dialects import Dialect
from structgen.grammars.ir import EPSILON, Expr, Grammar, Literal, Repeat, alt, optional, seq, special
from structgen.grammars.named_rules import GrammarReport, NamedRules, error_at
from structgen.grammars.regular.charset import ANY, LAST, NONE, CharSet, utf8
from structgen.grammars.regular.unicode_sets import ASCII_DIGIT, ASCII_SPACE, ASCII_WORD

__all__ = ["read"]

MAX_NESTING = 100
MAX_COUNT = (1 << 31) - 1

_BLANK = re.compile(r"(?:[ \t]|#[^\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ASSIGN = re.compile(r"[ \t]*::=")
_COUNT = re.compile(r"\{[ \t]*(\d*)[ \t]*(?:(,)[ \t]*(\d*))?[ \t]*\}")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_SPECIAL = re.compile(r"<([^\s<>\[\]][^<>\n]*)>")
_SHORTHANDS = {"d": ASCII_DIGIT, "s": ASCII_SPACE, "w": ASCII_WORD}
_SHORTHANDS |= {letter.upper(): ~members for letter, members in _SHORTHANDS.items()}
_MACROS = ("TagDispatch", "Token", "ExcludeToken", "TokenTagDispatch")


def read(source: str, dialect: Dialect, root: str = "root") -> tuple[Grammar, GrammarReport]:
    """The grammar a text describes, from rule `root`. Raises GrammarError with line and column."""
    return _Reader(source, dialect).grammar(root)


class _Reader:
    """A cursor over the source. Methods named after the grammar above return IR and leave the cursor behind it."""

    def __init__(self, source: str, dialect: Dialect) -> None:
        self.source, self.dialect = source, dialect
        self.at = 0
        self.depth = 0
        self.rules = NamedRules(source)

    def error(self, reason: str, at: int | None = None) -> GrammarError:
        return error_at(self.source, self.at if at is None else at, reason)

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def take(self, text: str) -> bool:
        found = self.source.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.source, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def skip(self, lines: bool) -> None:
        """Blanks and comments; with `lines` newlines too."""
        self.match(_BLANK_LINES if lines or not self.dialect.line_ends else _BLANK)

    # ---------------------------------------------------------------------------------------------------- structure

    def grammar(self, root: str) -> tuple[Grammar, GrammarReport]:
        self.skip(lines=True)
        if not self.peek():
            raise self.error("the grammar is empty")
        while self.peek():
            self.rule()
            self.skip(lines=True)
        return self.rules.build(root)

    def rule(self) -> None:
        start = self.at
        name = self.match(self.dialect.word)
        if name is None:
            raise self.error("expected the name of a rule")
        if self.peek() == "[":
            raise self.error("attributes of rules are not supported")
        self.skip(lines=False)
        if not self.take("::="):
            raise self.error("expected '::=' after the name of the rule")
        self.skip(lines=True)
        self.rules.define(name[0], start, self.alternatives())
        self.skip(lines=False)
        if self.peek() and not self.begins_rule() and not (self.dialect.line_ends and self.peek() in "\r\n"):
            raise self.error("unbalanced ')'" if self.peek() == ")" else "expected an item, '|' or the end of the rule")

    def begins_rule(self) -> bool:
        """A rule's name and `::=` stand here, first in their line."""
        line = self.source.rfind("\n", 0, self.at) + 1
        name = self.dialect.word.match(self.source, self.at)
        return (
            name is not None
            and not self.source[line : self.at].strip()
            and _ASSIGN.match(self.source, name.end()) is not None
        )

    def alternatives(self) -> Expr:
        options = [self.sequence()]
        while self.take("|"):
            self.skip(lines=True)
            options.append(self.sequence())
        return alt(*options)

    def sequence(self) -> Expr:
        items: list[Expr] = []
        while True:
            self.skip(lines=self.depth > 0)
            if self.peek() in ("", "|", ")", "\r", "\n") or self.begins_rule():
                return seq(*items) if items else EPSILON
            items.append(self.counted(self.item()))

    def counted(self, item: Expr) -> Expr:
        """The item with the counts that follow it."""
        while True:
            self.skip(lines=self.depth > 0)
            start, letter = self.at, self.peek()
            if letter in ("*", "+", "?") and letter:
                self.at += 1
                item = optional(item) if letter == "?" else Repeat(item, int(letter == "+"))
            elif letter == "{":
                found = self.match(_COUNT)
                if found is None or not (found[1] or found[3]):
                    raise self.error("expected a count such as {2}, {2,} or {2,5}", start)
                low = self.number(found[1] or "0", start)
                high = (self.number(found[3], start) if found[3] else None) if found[2] else low
                if high is not None and high < low:
                    raise self.error(f"the count {found[0]} is out of order", start)
                item = Repeat(item, low, high)
            else:
                return item

    def number(self, digits: str, start: int) -> int:
        if len(digits) > 10 or int(digits) > MAX_COUNT:
            raise self.error(f"the count {digits[:20]} is too large", start)
        return int(digits)

    def item(self) -> Expr:
        start, letter = self.at, self.peek()
        if letter == '"':
            return self.string()
        if letter == "[":
            return utf8(self.charset())
        if letter == "(":
            return self.group()
        if letter == "." and self.dialect.dot:
            self.at += 1
            return utf8(ANY)
        if letter in ("<", "!") and self.dialect.line_ends:
            return self.special_token()
        name = self.match(self.dialect.word)
        if name is None:
            what = "nothing to repeat" if letter in "*+?{" else f"unexpected {letter!r}"
            raise self.error(what, start)
        if name[0] in _MACROS and self.peek() == "(":
            raise self.error(
                f"{name[0]} is not supported; a structural tag (structgen.StructuralTag) says the same", start
            )
        return self.rules.use(name[0], start)

    def group(self) -> Expr:
        start = self.at
        self.at += 1
        if self.peek() == "=":
            raise self.error("lookahead assertions are not supported", start)
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(f"groups nest deeper than {MAX_NESTING}", start)
        body = self.alternatives()
        if not self.take(")"):
            raise self.error("the group is not closed", start)
        self.depth -= 1
        return body

    def special_token(self) -> Expr:
        start = self.at
        if self.peek() == "!":
            raise self.error("excluding a token is not supported: leave special tokens out, and no text contains them")
        found = self.match(_SPECIAL)
        if found is None:
            raise self.error("expected a special token such as <|end|>; tokens by number are not supported", start)
        return special(found[0])

    # --------------------------------------------------------------------------------------------------- characters

    def string(self) -> Expr:
        start = self.at
        self.at += 1
        text: list[str] = []
        while not self.take('"'):
            if self.peek() in ("", "\n", "\r"):
                raise self.error("the string is not closed", start)
            text.append(chr(self.character(in_class=False)))
        return Literal("".join(text).encode())

    def charset(self) -> CharSet:
        start = self.at
        self.at += 1
        negated = self.take("^")
        spans: list[tuple[int, int]] = []
        found = NONE
        while not self.take("]"):
            if self.peek() in ("", "\n", "\r"):
                raise self.error("the character set is not closed", start)
            shorthand = self.source[self.at + 1 : self.at + 2] if self.peek() == "\\" else ""
            if shorthand and shorthand in self.dialect.shorthands:
                self.at += 2
                found = found | _SHORTHANDS[shorthand]
                continue
            place = self.at
            low = high = self.character(in_class=True)
            if self.peek() == "-" and self.source[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.character(in_class=True)
            if high < low:
                raise self.error("the range is out of order", place)
            spans.append((low, high))
        found = found | CharSet.spans(spans)
        return ~found if negated else found

    def character(self, in_class: bool) -> int:
        """One code point, plain or escaped."""
        start, letter = self.at, self.peek()
        self.at += 1
        if letter != "\\":
            return self.scalar(ord(letter), start)
        letter = self.peek()
        self.at += 1
        if letter in self.dialect.hex_digits:
            return self.hexadecimal(self.dialect.hex_digits[letter], start)
        if letter in self.dialect.escapes:
            return ord(self.dialect.escapes[letter])
        if in_class and letter and letter in self.dialect.class_only:
            return ord(letter)
        raise self.error(f"unknown escape \\{letter}", start)

    def hexadecimal(self, digits: int | None, start: int) -> int:
        found = self.match(_HEX) if digits is None else _HEX.match(self.source[: self.at + digits], self.at)
        if found is None or (digits is not None and len(found[0]) != digits):
            raise self.error(f"expected {digits or 'some'} hexadecimal digits", start)
        self.at = found.end()
        return self.scalar(int(found[0], 16) if len(found[0]) < 16 else LAST + 1, start)

    def scalar(self, point: int, start: int) -> int:
        if point > LAST or 0xD800 <= point <= 0xDFFF:
            raise self.error("not a Unicode scalar value", start)
        return point
