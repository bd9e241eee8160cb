"""Regular languages over Unicode code points as immutable expressions, interned: equal expressions are identical.

A language is a finite set, a regular expression, or a Boolean combination of those. The operators simplify what is
obvious (`simplify.py`) and leave the rest symbolic; an automaton is built when a question needs one, and kept. Code
points are scalar values: a text with a lone surrogate is in no language.

`==` compares expressions, not languages; `a.equivalent(b)` compares languages and may need an automaton.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import ClassVar, Literal, get_args
from weakref import WeakValueDictionary

from structgen.errors import LimitExceeded
from structgen.grammars.ir import Expr
from structgen.grammars.regular import simplify
from structgen.grammars.regular.anchors import whole_text
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.compile import contains, is_empty, machine_of, shortest
from structgen.grammars.regular.dfa import Dfa, distances, explore, longest, members
from structgen.grammars.regular.machine import Budget
from structgen.grammars.regular.parse import parse as parse_ecma
from structgen.grammars.regular.python_re import parse as parse_python
from structgen.grammars.regular.rust_re import parse as parse_rust
from structgen.grammars.regular.syntax import assertions, char, lengths, loop
from structgen.grammars.regular.terms import EVERYTHING, NOTHING, Automaton, Network, Regex, Strings, Term, regex

Dialect = Literal["ecma", "python", "rust"]

DIALECTS = get_args(Dialect)
_PARSERS = {"ecma": parse_ecma, "python": parse_python, "rust": parse_rust}
SEARCHED = 10  # times as many states as an automaton may have are looked at for a text
_FEW = Budget(states=2_000, work=200_000)


class Language:
    """A set of strings. Make one with the static constructors; combine with `&`, `|`, `-` and `~`."""

    __slots__ = ("__weakref__", "_automaton", "lowered", "term")

    _interned: ClassVar[WeakValueDictionary[Term, Language]] = WeakValueDictionary()

    term: Term
    lowered: dict[Callable[[CharSet], Expr], Expr]  # memo of `lower`, by spelling
    _automaton: Dfa | None

    def __new__(cls, term: Term) -> Language:
        """The one language with this term."""
        known = cls._interned.get(term)
        if known is None:
            known = object.__new__(cls)
            known.term, known.lowered, known._automaton = term, {}, None
            known = cls._interned.setdefault(term, known)
        return known

    @property
    def known_automaton(self) -> Dfa | None:
        """The minimal automaton, if a question has needed it."""
        return self._automaton

    def __reduce__(self) -> tuple[type[Language], tuple[Term]]:
        return Language, (self.term,)

    def __repr__(self) -> str:
        return f"Language({self.term})"

    # ------------------------------------------------------------------------------------------------ constructors

    @staticmethod
    def any() -> Language:
        """Every string."""
        return Language(EVERYTHING)

    @staticmethod
    def nothing() -> Language:
        """No string."""
        return Language(NOTHING)

    @staticmethod
    def strings(members: Iterable[str]) -> Language:
        """Exactly these strings; those with lone surrogates are not texts and are left out."""
        texts = frozenset(members)
        if not "".join(texts).isascii():
            texts = frozenset(text for text in texts if not _has_surrogate(text))
        return Language(Strings(texts))

    @staticmethod
    def regex(pattern: str, dialect: Dialect = "ecma", search: bool = False) -> Language:
        """The strings a pattern matches as a whole or, with `search`, in which it is found."""
        return _regex(pattern, dialect, search)

    @staticmethod
    def of_automaton(dfa: Dfa) -> Language:
        """The texts a minimal automaton accepts."""
        if not dfa.rows:
            return Language.nothing()
        return Language(Automaton(dfa, distances(dfa.rows, dfa.accepts)[0], longest(dfa)))

    @staticmethod
    def of_network(network: Network) -> Language:
        """The texts a given automaton accepts."""
        return Language(network)

    @staticmethod
    def chain(parts: Iterable[Language]) -> Language:
        """The strings of the parts, one after the other."""
        return Language(simplify.chain(part.term for part in parts))

    @staticmethod
    def length(minimum: int = 0, maximum: int | None = None) -> Language:
        """The strings of `minimum` to `maximum` code points."""
        return Language.characters(ANY, minimum, maximum)

    @staticmethod
    def characters(charset: CharSet, minimum: int = 0, maximum: int | None = None) -> Language:
        """The strings of `minimum` to `maximum` members of a set."""
        if maximum is not None and maximum < minimum:
            return Language.nothing()
        return Language(regex(loop(char(charset), minimum, maximum)))

    # --------------------------------------------------------------------------------------------------- operators

    def __and__(self, other: Language) -> Language:
        return Language(simplify.meet((self.term, other.term)))

    def __or__(self, other: Language) -> Language:
        return Language(simplify.union((self.term, other.term)))

    def __invert__(self) -> Language:
        return Language(simplify.complement(self.term))

    def __sub__(self, other: Language) -> Language:
        return self & ~other

    def repeated(self, minimum: int = 0, maximum: int | None = None) -> Language:
        """`minimum` to `maximum` strings of this language, one after the other."""
        if maximum is not None and maximum < minimum:
            return Language.nothing()
        return Language(simplify.repeated(self.term, minimum, maximum))

    # --------------------------------------------------------------------------------------------------- questions

    def contains(self, text: str) -> bool:
        """Whether a text is in the language."""
        return contains(self.term, text)

    def is_empty(self) -> bool:
        """Whether no text is. Raises LimitExceeded when that cannot be found out in reasonable time."""
        if self._automaton is not None:
            return not self._automaton.rows
        return is_empty(self.term, _search())

    def is_subset(self, other: Language) -> bool:
        """Whether every text of this language is in the other."""
        return (self - other).is_empty()

    def equivalent(self, other: Language) -> bool:
        """Whether the two languages have the same texts."""
        return self is other or (self.is_subset(other) and other.is_subset(self))

    def shortest(self) -> str:
        """A shortest text, of the lowest code points. Raises ValueError for the empty language."""
        found = shortest(self.term, _search())
        if found is None:
            raise ValueError("the language is empty")
        return found

    def finite(self, limit: int) -> tuple[str, ...] | None:
        """All texts, sorted, if there are at most `limit`; None also where that takes long to find out."""
        if isinstance(self.term, Strings):
            return tuple(sorted(self.term.members)) if len(self.term.members) <= limit else None
        if isinstance(self.term, Regex) and not assertions(self.term.node) and lengths(self.term.node)[1] is None:
            return None
        try:
            found = members(self.automaton(Budget(_FEW.states, _FEW.work)), limit)
        except LimitExceeded:
            return None
        return None if found is None else tuple(sorted(found))

    def automaton(self, budget: Budget | None = None) -> Dfa:
        """The minimal automaton, built once. Raises LimitExceeded beyond the budget."""
        if self._automaton is None and isinstance(self.term, Automaton):
            self._automaton = self.term.dfa
        if self._automaton is None:
            budget = budget or Budget()
            machine, alphabet = machine_of(self.term, budget)
            self._automaton = explore(machine, alphabet, budget)
        return self._automaton


def _search() -> Budget:
    budget = Budget()
    return Budget(SEARCHED * budget.states, budget.work)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


@lru_cache(maxsize=4096)
def _regex(pattern: str, dialect: Dialect, search: bool) -> Language:
    return Language(regex(whole_text(_PARSERS[dialect](pattern), search=search)))
