"""Strings: a string shape is a language of code points; and the keywords about strings.

Meet, union and complement are those of `structgen.grammars.regular`. `minLength` counts code points, `pattern`
searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce

from structgen.errors import RegexError, SchemaError, UnsupportedSchema
from structgen.grammars.json_schema.keywords import NATURAL, STRING, Context, Form, keyword
from structgen.grammars.regular import formats
from structgen.grammars.regular.language import DIALECTS, Dialect, Language
from structgen.grammars.regular.terms import Strings

__all__ = [
    "ALL_STRINGS",
    "ANY_STRING",
    "DIALECT",
    "NO_STRING",
    "NO_STRINGS",
    "SHOWN_FORMAT",
    "StringSet",
    "complement",
    "complement_set",
    "exact",
    "literal_strings",
    "meet",
    "meet_sets",
    "pattern_language",
    "union",
    "union_sets",
]

# Keywords of ours, of schemas made from Python types; no user sees them. The first says what `pattern` is written in,
# the second what people and models are shown as `format`.
DIALECT, SHOWN_FORMAT = "structgen:dialect", "structgen:format"
_DIALECTS = Form(lambda value: None if value in DIALECTS else f"must be one of {', '.join(DIALECTS)}")

ALL_STRINGS = Language.any()
NO_STRINGS = Language.nothing()


@lru_cache(maxsize=4096)
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


@lru_cache(maxsize=4096)
def union(left: Language, right: Language) -> Language:
    """What is in either."""
    if left is NO_STRINGS or left is right or right is ALL_STRINGS:
        return right
    if right is NO_STRINGS or left is ALL_STRINGS:
        return left
    return left | right


@lru_cache(maxsize=4096)
def complement(language: Language) -> Language:
    """Every other string."""
    if language is ALL_STRINGS:
        return NO_STRINGS
    if language is NO_STRINGS:
        return ALL_STRINGS
    rest = ~language
    return NO_STRINGS if rest.is_empty() else rest


@dataclass(frozen=True, slots=True)
class StringSet:
    """A set of strings between two languages: `inner` is what is written, `outer` what may be valid.

    They differ only under formats that are not regular. The complement of a set lies between the complements of `outer`
    and `inner`, so that what is written is valid under `not` and `oneOf` as well.
    """

    inner: Language
    outer: Language


ANY_STRING = StringSet(ALL_STRINGS, ALL_STRINGS)
NO_STRING = StringSet(NO_STRINGS, NO_STRINGS)


def exact(language: Language) -> StringSet:
    """A set known exactly."""
    return _of(language, language)


def _of(inner: Language, outer: Language) -> StringSet:
    """NO_STRING and ANY_STRING are one object each."""
    if outer is NO_STRINGS:
        return NO_STRING
    return ANY_STRING if inner is ALL_STRINGS else StringSet(inner, outer)


def meet_sets(left: StringSet, right: StringSet) -> StringSet:
    """What is in both."""
    if left is right or right is ANY_STRING or left is NO_STRING:
        return left
    if left is ANY_STRING or right is NO_STRING:
        return right
    return _of(meet(left.inner, right.inner), meet(left.outer, right.outer))


def union_sets(*sets: StringSet) -> StringSet:
    """What is in any. Finite ones are joined at once."""
    if ANY_STRING in sets:
        return ANY_STRING
    some = list(dict.fromkeys(strings for strings in sets if strings is not NO_STRING))
    if len(some) < 2:
        return some[0] if some else NO_STRING
    inner, outer = [strings.inner for strings in some], [strings.outer for strings in some]
    joined = _union_all(inner)
    return _of(joined, joined if inner == outer else _union_all(outer))


def _union_all(languages: list[Language]) -> Language:
    members = [language.term.members for language in languages if isinstance(language.term, Strings)]
    others = [language for language in languages if not isinstance(language.term, Strings)]
    if len(members) < 2:
        return reduce(union, languages, NO_STRINGS)
    return reduce(union, others, literal_strings(frozenset().union(*members)))


def complement_set(strings: StringSet) -> StringSet:
    """Every other string: what surely is none of them is written."""
    return _of(complement(strings.outer), complement(strings.inner))


@lru_cache(maxsize=4096)
def literal_strings(texts: frozenset[str]) -> Language:
    """Exactly these strings."""
    return Language.strings(texts)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, dialect: Dialect = "ecma") -> Language:
    language = Language.regex(pattern, dialect, search=True)
    if language.is_empty():
        return NO_STRINGS
    return ALL_STRINGS if language == ALL_STRINGS else language


def pattern_language(pattern: str, pointer: str, name: str, dialect: Dialect = "ecma") -> Language:
    """The strings in which a pattern is found."""
    try:
        return _compiled(pattern, dialect)
    except RegexError as error:
        raise SchemaError(f"not a regular expression: {error.reason}", pointer=pointer, keyword=name) from error
    except UnsupportedSchema as error:
        raise UnsupportedSchema(error.reason, pointer=pointer, keyword=name) from error


@lru_cache(maxsize=1024)
def _lengths(least: int, most: int | None) -> Language:
    return Language.length(least, most)


@keyword("minLength", on="string", form=NATURAL)
def _min_length(value: int, scope: Context) -> StringSet:
    return ANY_STRING if value == 0 else exact(_lengths(int(value), None))


@keyword("maxLength", on="string", form=NATURAL)
def _max_length(value: int, scope: Context) -> StringSet:
    return exact(_lengths(0, int(value)))


@keyword("pattern", on="string", form=STRING)
def _pattern(value: str, scope: Context) -> StringSet:
    dialect = scope.schema.get(DIALECT, "ecma")
    return exact(pattern_language(value, scope.at("pattern"), "pattern", dialect))


@keyword(DIALECT, on="string", form=_DIALECTS)
def _dialect(value: Dialect, scope: Context) -> StringSet:
    """What `pattern` is written in; of itself it restricts nothing."""
    return ANY_STRING


@keyword(SHOWN_FORMAT, on="string", form=STRING)
def _shown_format(value: str, scope: Context) -> StringSet:
    """Nothing that is enforced: the pattern beside it says more."""
    return ANY_STRING


# Languages that hold every text of a format that `formats.get` knows only from inside; of the others, every string.
OUTER = {
    "date-time": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d",
    "time": r"^\d\d:\d\d:\d\d",
    "email": "@",
    "idn-email": "@",
    "hostname": r"^[A-Za-z0-9.-]+$",
}
# Patterns of all that a format has beyond `formats.get`.
BEYOND = {
    "date": r"^0000-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d)|(?:0[13-9]|1[0-2])-30|(?:0[13578]|1[02])-31)$",
}


@keyword("format", on="string", form=STRING)
def _format(value: str, scope: Context) -> StringSet:
    inner = formats.get(value)
    if inner is None:
        return ANY_STRING
    if value not in formats.NARROWER:
        return exact(inner)
    if value in BEYOND:
        return StringSet(inner, union(inner, _compiled(BEYOND[value])))
    return StringSet(inner, _compiled(OUTER[value]) if value in OUTER else ALL_STRINGS)
