"""Strings: a string shape is a language of code points; and the keywords about strings.

Meet, union and complement are those of `structgen.grammars.regular`. `minLength` counts code points, `pattern`
searches.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from structgen.errors import RegexError, SchemaError, UnsupportedSchema
from structgen.grammars.json_schema.keywords import NATURAL, STRING, keyword
from structgen.grammars.regular import formats
from structgen.grammars.regular.language import Language

if TYPE_CHECKING:
    from structgen.grammars.json_schema.algebra import Scope

__all__ = ["ALL_STRINGS", "NO_STRINGS", "complement", "literal_strings", "meet", "pattern_language", "union"]

ALL_STRINGS = Language.any()
NO_STRINGS = Language.nothing()


def meet(left: Language, right: Language) -> Language:
    """What is in both; an empty result is NO_STRINGS itself."""
    if left is ALL_STRINGS or left is right:
        return right
    if right is ALL_STRINGS:
        return left
    if left is NO_STRINGS or right is NO_STRINGS:
        return NO_STRINGS
    both = left & right
    return NO_STRINGS if both.is_empty() else both


def union(left: Language, right: Language) -> Language:
    """What is in either."""
    if left is NO_STRINGS or left is right or right is ALL_STRINGS:
        return right
    if right is NO_STRINGS or left is ALL_STRINGS:
        return left
    return left | right


def complement(language: Language) -> Language:
    """Every other string."""
    if language is ALL_STRINGS:
        return NO_STRINGS
    if language is NO_STRINGS:
        return ALL_STRINGS
    rest = ~language
    return NO_STRINGS if rest.is_empty() else rest


@lru_cache(maxsize=4096)
def literal_strings(texts: frozenset[str]) -> Language:
    """Exactly these strings."""
    return Language.strings(sorted(texts))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Language:
    language = Language.regex(pattern, dialect="ecma", search=True)
    if language.is_empty():
        return NO_STRINGS
    return ALL_STRINGS if language == ALL_STRINGS else language


def pattern_language(pattern: str, pointer: str, name: str) -> Language:
    """The strings in which an ECMA 262 pattern is found."""
    try:
        return _compiled(pattern)
    except RegexError as error:
        raise SchemaError(f"not a regular expression: {error.reason}", pointer=pointer, keyword=name) from error
    except UnsupportedSchema as error:
        raise UnsupportedSchema(error.reason, pointer=pointer, keyword=name) from error


@lru_cache(maxsize=1024)
def _lengths(least: int, most: int | None) -> Language:
    return Language.length(least, most)


@keyword("minLength", on="string", form=NATURAL)
def _min_length(value: int, scope: Scope) -> Language:
    return ALL_STRINGS if value == 0 else _lengths(int(value), None)


@keyword("maxLength", on="string", form=NATURAL)
def _max_length(value: int, scope: Scope) -> Language:
    return _lengths(0, int(value))


@keyword("pattern", on="string", form=STRING)
def _pattern(value: str, scope: Scope) -> Language:
    return pattern_language(value, scope.at("pattern"), "pattern")


@keyword("format", on="string", form=STRING)
def _format(value: str, scope: Scope) -> Language:
    language = formats.get(value)
    return ALL_STRINGS if language is None else language
