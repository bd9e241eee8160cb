"""Rust's regex syntax against the crate itself, which pydantic carries: each feature, all at random, errors."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular import unicode_sets
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.rust_sets import class_of, folded, is_match
from tests.regular.rust_patterns import TEXT, random_pattern, random_text

TEXTS = [random_text(Random(seed)) for seed in range(300)] + list(TEXT)

SYNTAX = [
    r"^\w+$", r"^\W$", r"[^\w]", r"\D", r"^a\b.$", r"^\s$", "[[:alpha:]]", "[a-z&&[^b]]", "(?x) a  # one\n b +",
    r"\Aa\z", r"^k", r"a$", r"(?m)^a$", r"(?mR)^$", r"(?R).", r"(?s)a.", r"(?i)k[^s]ß", r"(?i:k)s", r"a(?i)b|K",
    r"(?-u)\w", r"(?-u:\b)é", r"(?i-u)k", r"\p{Greek}\p{script!=Greek}|\pL\PL", r"(?i)\p{Lu}", r"(?i)\P{Lu}",
    r"[]a]", "[^]a]", "[-]", "[a&&]", "[&&a]", r"[\w--\d--[a-k]]", "[a-k~~k-s]", "(?x)[ a - k ]", r"(?i)[a-z--k]",
    r"(?x)a{2} ?", "(?x)a+ ?", "a**", "^*a", r"\b{start}k", r"\<k\>", r"\x{4B}|\u{6b}|\U00000061",
    "(?P<n>a)(?<m>b)", "a|", "()", "(?U)a*?", r"\B", "[~&-]",
]  # fmt: skip


def check(pattern: str, texts: list[str]) -> None:
    expected, language = is_match(pattern), Language.regex(pattern, "rust", search=True)
    for text in texts:
        assert language.contains(text) == expected(text), text


@pytest.mark.parametrize("pattern", SYNTAX)
def test_every_construct_means_what_the_crate_says(pattern: str) -> None:
    check(pattern, TEXTS)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**40))
def test_random_patterns_mean_what_the_crate_says(seed: int) -> None:
    random = Random(seed)
    pattern = random_pattern(random)
    try:
        is_match(pattern)
    except RegexError:
        with pytest.raises(RegexError):
            Language.regex(pattern, "rust", search=True)
        return
    check(pattern, [random_text(random) for _ in range(20)])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**40), st.text(max_size=4))
def test_any_text_is_judged_as_the_crate_judges_it(seed: int, text: str) -> None:
    pattern = rf"^[\w\S--{Random(seed).choice(TEXT[:8])}]*\b"
    check(pattern, [text])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**40))
def test_the_crate_finds_the_pattern_in_a_shortest_text(seed: int) -> None:
    pattern = random_pattern(Random(seed))
    try:
        language = Language.regex(pattern, "rust", search=True)
        if language.is_empty():
            return
    except (RegexError, LimitExceeded):
        return
    assert is_match(pattern)(language.shortest())


@pytest.mark.parametrize("source", [r"\w", r"\d", r"\s", r"\p{Greek}", "[[:punct:]]"])
def test_a_class_holds_what_the_crate_matches_and_nothing_else(source: str) -> None:
    matches, found = is_match(source), class_of(source)
    assert found == CharSet.spans((point, point) for point in ANY if matches(chr(point)))


def test_tables_of_python_and_of_the_crate_differ_only_where_unicode_grew_or_words_are_defined_otherwise() -> None:
    numbers = class_of(r"[\p{No}\p{Nl}\p{Pc}\p{M}\p{Cf}\p{So}]")
    grown = class_of(r"[^\p{age=14.0}]")  # age=14.0: whatever was assigned by then
    python, crate = unicode_sets.python_class(r"\w"), class_of(r"\w")
    assert (python - crate) | (crate - python)
    assert not (((python - crate) | (crate - python)) - numbers - grown)


def test_letters_that_are_alike_are_those_of_the_crate() -> None:
    assert folded(CharSet.of("k")) == CharSet.of("kK\u212a")
    assert folded(CharSet.of("ß")) == CharSet.of("ßẞ")
    everything = CharSet.spans((point, point) for point in range(0x250, 0x2FF))
    matches = is_match(r"(?i)[\u{250}-\u{2fe}]")
    assert all((point in folded(everything)) == matches(chr(point)) for point in range(0x3000) if point < 0xD800)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a{", "unclosed counted repetition"),
        (r"\Z", "unrecognized escape"),
        (r"(?-u:\W)", "invalid UTF-8"),
        ("(", "unclosed group"),
    ],
)
def test_what_the_crate_refuses_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(RegexError, match=reason) as caught:
        Language.regex(pattern, "rust")
    assert caught.value.pattern == pattern


def test_deep_nesting_is_a_limit() -> None:
    with pytest.raises(LimitExceeded, match="nest"):
        Language.regex("(" * 100 + ")" * 100, "rust")
