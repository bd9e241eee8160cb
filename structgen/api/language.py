"""`Language`: a set of texts that users hold and combine with `&`, `|`, `-`, `~`, `+` and `repeat`.

Inside it is a regular language over code points (`grammars/regular`), whose combinations stay symbolic until they are
compiled, or a grammar over bytes. Union, concatenation and repetition work on anything. A meet needs one side that is
regular, a complement needs a regular language; grammars without recursion count as regular. What cannot be computed
exactly raises UnsupportedCombination, what would be too large LimitExceeded (`Limits.product_states`).
"""

from __future__ import annotations

import hashlib
from functools import cached_property

from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.errors import OptionError, Unsatisfiable, UnsupportedCombination
from structgen.grammars.combine import automaton as automata
from structgen.grammars.combine import join
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import Grammar, GrammarBuilder
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language as Regular
from structgen.grammars.regular.lower import lower
from structgen.grammars.storage import write_grammar
from structgen.kernels.layout import START
from structgen.options import Limits

__all__ = ["Language", "in_turn"]

SHORT = 120  # characters of a description


class Language:
    """A set of texts. Made by `regex`, `choices`, `template`, `span`, `length`, `library`, `language` and others.

    a & b, a | b, a - b   in both, in either, in `a` only
    ~a                    every other text
    a + b                 a text of `a`, then one of `b`; a plain string stands for itself
    a.repeat(m, n)        m to n texts of `a`, one after the other; n None = no bound
    "text" in a           membership
    """

    def __init__(
        self,
        meaning: Regular | Grammar,
        name: str = "language",
        *,
        within: Regular | None = None,
        origin: tuple[object, ...] = (),
    ) -> None:
        self.meaning, self.name, self.within = meaning, name, within
        # worked out here and not when asked for: languages may be combined thousands of times
        self._text = _described(*origin) if origin else name
        parts = [part.key if isinstance(part, Language) else part for part in origin]
        self._key = _digest(repr(parts)) if origin else ""

    def __repr__(self) -> str:
        return f"<Language {self}>"

    @property
    def regular(self) -> Regular | None:
        """The regular language over code points, where it is kept as one."""
        return self.meaning if isinstance(self.meaning, Regular) else None

    def __str__(self) -> str:
        return self._text

    @cached_property
    def key(self) -> str:
        """Equal for languages made in the same way: by it compiled constraints are remembered, here and in files."""
        return self._key or _digest(write_grammar(self.grammar))

    @cached_property
    def grammar(self) -> Grammar:
        """As grammar IR; here a grammar and the conditions on it are multiplied. Raises LimitExceeded."""
        if isinstance(self.meaning, Regular):
            builder = GrammarBuilder()
            return builder.build(builder.rule(self.name, lower(self.meaning, utf8)))
        if self.within is None:
            return self.meaning
        limit = Limits().product_states
        return meet(self.meaning, automata.of_language(self.within, limit), limit)

    # --------------------------------------------------------------------------------------------------- operators

    def __or__(self, other: Language | str) -> Language:
        right = _language(other)
        if self.regular is not None and right.regular is not None:
            return Language(self.regular | right.regular, origin=("|", self, right))
        return Language(join.alternatives([self.grammar, right.grammar]), origin=("|", self, right))

    def __and__(self, other: Language | str) -> Language:
        right = _language(other)
        origin = ("&", self, right)
        if self.regular is not None and right.regular is not None:
            return Language(self.regular & right.regular, origin=origin)
        for one, another in ((self, right), (right, self)):
            if another.regular is not None:  # conditions are gathered, so that one product serves them all
                within = another.regular if one.within is None else one.within & another.regular
                return Language(one.meaning, one.name, within=within, origin=origin)
        limit = Limits().product_states
        for one, another in ((self, right), (right, self)):
            if automata.recursive_rule(another.grammar) is None:
                both = meet(one.grammar, automata.of_grammar(another.grammar, limit), limit)
                return Language(both, self.name, origin=origin)
        names = " and ".join(repr(automata.recursive_rule(each.grammar)) for each in (self, right))
        raise UnsupportedCombination(f"both sides are recursive grammars (rules {names})", operation="&")

    def __invert__(self) -> Language:
        if self.regular is not None:
            return Language(~self.regular, origin=("~", self))
        rule = automata.recursive_rule(self.grammar)
        if rule is not None:
            raise UnsupportedCombination(f"the complement of a recursive grammar (rule {rule!r})", operation="~")
        other = automata.complement(automata.of_grammar(self.grammar, Limits().product_states))
        return Language(other, origin=("~", self))

    def __sub__(self, other: Language | str) -> Language:
        return self & ~_language(other)

    def __add__(self, other: Language | str) -> Language:
        return in_turn([self, _language(other)])

    def __radd__(self, other: str) -> Language:
        return in_turn([_language(other), self])

    def __ror__(self, other: str) -> Language:
        return _language(other) | self

    def __rand__(self, other: str) -> Language:
        return _language(other) & self

    def repeat(self, minimum: int = 0, maximum: int | None = None) -> Language:
        """`minimum` to `maximum` texts of this language, one after the other; None is no bound."""
        if minimum < 0 or (maximum is not None and maximum < minimum):
            raise OptionError(f"repeat needs 0 <= minimum <= maximum, not {minimum}, {maximum}", option="maximum")
        if self.regular is not None:
            return Language(self.regular.repeated(minimum, maximum), origin=("repeat", self, minimum, maximum))
        return Language(join.repeated(self.grammar, minimum, maximum), origin=("repeat", self, minimum, maximum))

    def optional(self) -> Language:
        """A text of this language or nothing."""
        return self.repeat(0, 1)

    # --------------------------------------------------------------------------------------------------- questions

    def __contains__(self, text: str) -> bool:
        if self.regular is not None:
            return self.regular.contains(text)
        if self.within is not None:
            return self.within.contains(text) and text in Language(self.meaning)
        configurations = self._configurations
        if configurations is None:
            return False
        return configurations.is_accepting(configurations.advance(START, text.encode("utf-8", "surrogatepass")))

    def is_empty(self) -> bool:
        """Whether no text is in the language. Raises LimitExceeded where that takes too long to find out."""
        return self.regular.is_empty() if self.regular is not None else self._configurations is None

    @cached_property
    def _configurations(self) -> Configurations | None:
        try:
            return Configurations(build_network(self.grammar))
        except Unsatisfiable:
            return None


def in_turn(parts: list[Language]) -> Language:
    """One after the other."""
    regulars = [part.regular for part in parts]
    origin = ("+", *parts)
    if None not in regulars:
        return Language(Regular.chain(regular for regular in regulars if regular is not None), origin=origin)
    return Language(join.in_turn(part.grammar for part in parts), origin=origin)


def _language(value: Language | str) -> Language:
    if isinstance(value, Language):
        return value
    if isinstance(value, str):
        return Language(Regular.strings([value]), "text", origin=("text", value))
    raise OptionError(f"a Language or a string is needed, not {type(value).__name__}", option="language")


def _described(operation: object, *parts: object) -> str:
    """How a language was made, shortened."""
    if operation in ("&", "|", "+"):
        return _short(f"({f' {operation} '.join(map(str, parts))})")
    if operation == "~":
        return _short(f"~{parts[0]}")
    if operation == "repeat":
        return _short(f"{parts[0]}.repeat({parts[1]}, {parts[2]})")
    return _short(f"{operation}({', '.join(_short(repr(part)) for part in parts)})")


def _short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
