"""Python's syntax against Python's `re`: each feature, all together at random, real patterns, errors."""

from __future__ import annotations

import itertools
import re
import warnings
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.regex import disagreements, random_pattern
from structgen.api.sources import regex_grammar
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular.language import Language

LETTERS = "aAbBkKsSßẞ\u212a\n 1\u0661\x1c€xyz]"
TEXTS = ["".join(text) for size in range(4) for text in itertools.product(LETTERS, repeat=size)][::3]
TEXTS += ["a\n", "\na\n", "€AA", "aab", "a\nb", "KsẞK", "xa", "az"]
SHORT = ["".join(text) for size in range(6) for text in itertools.product("ab", repeat=size)]

SYNTAX = [
    r"\d\w\s", r"(?i)k[^s]ß", r"(?s)a.b", r"(?m)^a$", r"\Aa\Z", r"a$", "(?x) a  # one\n b +", r"(?a)\d\w", r"(?P<n>a)b",
    r"[]a]", r"a{,2}b", r"\N{EURO SIGN}\101\x41", r"(?#no)a", r"(?i:a)b", r"(?:a|(?-i:B))", r"\b\w+\b \B", r"\B",
    r"(?i)[^a-y]", r"(?ai)k", r"(?i)[\W_]k", r"(?u:\w)(?a:\w)", r"(?:a{1}){2}", r"[a\-z]+",
    r"(?<=a)b|(?=k)\w", r"(?i:(?-i:k)s)", r"(?x: a b )c", r"x*?y??", r"[^\n]", r"\s*\S", r"(?:)", r"(?!)|a", r"(?!)++",
]  # fmt: skip

ATOMIC = [
    "(?>a+)b", "a++b", "a*+", "a*+a", "[ab]?+b", "(?>a|ab)b", "(?>ab|a)b", "(?>a|)b", "(?>|a)b", "(?>a*?)b",
    "(?>a+?)b", "(?>a*b)a", "(?>a*ab)", "(?>(?:a|ab)*)b", "(?>(?:a|ab)*b)", "(?:ab?){2}+", "(?:a|ab){2}+b?",
    "(?:a|ab){2,}+b", "a{2,3}+a", "(?>(?:a|ab){1,2}b)a", "(?>(?:ab|a){,2}?b)", "(?>a(?>b|bb)b)", "(?=(?>a|ab)b)..",
    "(?!(?>a|ab)b)a.", "(?:(?>a|ab)b?)*", "(?>a{1,3}a)b", "(?>a{1,3}?b)a", "(?i)(?>A|ab)b", "(?>(?:a(?>b?))+)a",
    "(?:b(?>a*))+a?", "(?:|a)*+b?", "(?:a?|b)*+b", "(?>(?:a?b?)*)a", "(?:a??){2,}+b",
]  # fmt: skip


def check(pattern: str, texts: list[str]) -> None:
    compiled = re.compile(pattern)
    for search in (True, False):
        language = Language.regex(pattern, "python", search)
        for text in texts:
            expected = (compiled.search if search else compiled.fullmatch)(text) is not None
            assert language.contains(text) == expected, (search, text)


@pytest.mark.parametrize("pattern", SYNTAX)
def test_syntax(pattern: str) -> None:
    check(pattern, TEXTS)


@pytest.mark.parametrize("pattern", ATOMIC)
def test_atomic_groups_and_possessive_loops(pattern: str) -> None:
    check(pattern, SHORT)


@pytest.mark.parametrize(
    "source", ["ſ", "i", "ı", "İ", "µ", "ς", "ᾳ", "K", "é", "Ǆ", "[a-z]", "[α-ω]", r"[\w-]", "[^k]"]
)
def test_ignoring_case_is_pythons(source: str) -> None:
    compiled, language = re.compile(f"(?i){source}"), Language.regex(f"(?i){source}", "python")
    for point in range(0x2200):
        assert language.contains(chr(point)) == (compiled.fullmatch(chr(point)) is not None)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_random_patterns(seed: int) -> None:
    rng = Random(seed)
    pattern = random_pattern(rng)
    try:
        wrong, _ = disagreements(pattern, rng)
    except (RegexError, LimitExceeded) as error:
        assert "can be empty" in error.reason or "complex" in error.reason or "rounds" in error.reason
    else:
        assert not wrong, pattern


@pytest.mark.slow
def test_ten_thousand_random_patterns() -> None:
    rng, refused = Random(7), 0
    for _ in range(10_000):
        pattern = random_pattern(rng)
        try:
            wrong, _ = disagreements(pattern, rng)
        except (RegexError, LimitExceeded):
            refused += 1
        else:
            assert not wrong, pattern
    assert refused < 1_000


def test_patterns_of_real_schemas(patterns: list[str]) -> None:
    rng, refused, compared = Random(3), [], 0
    for pattern in patterns[::6]:
        try:
            re.compile(pattern)
        except re.error:
            with pytest.raises(RegexError):
                Language.regex(pattern, "python")
            continue
        try:
            wrong, _ = disagreements(pattern, rng, 12)
        except LimitExceeded:
            refused.append(pattern)
            continue
        compared += 1
        assert not wrong, pattern
    assert compared > 200 and len(refused) <= 2


@pytest.mark.parametrize(("pattern", "position"), [
    (r"(?P<n>a)(?P=n)", 8), (r"[\1]\\1(a)b\1", 11), (r"(a)?(?(1)b|c)", 4), (r"\q", 0), ("a(", 1), ("a)", 1), ("[a", 0),
    ("*a", 0), ("a**", 2), (r"[\w-a]", 1), ("(?<=a+)b", 0), (r"x(?<=\ba)", 1), ("ab(?>(?:|a)*b)", 2),
    ("b(?:(?:|a)*b)*+", 13), (r"\p{L}", 0), (r"a(?i)b", 1), ("(?x)a # (?P=n)\n(?P<n>b)(?P=n)", 23),
])  # fmt: skip
def test_errors_name_the_place(pattern: str, position: int) -> None:
    with pytest.raises(RegexError) as caught:
        Language.regex(pattern, "python")
    assert caught.value.pattern == pattern
    if "look-behind requires" not in caught.value.reason:  # `re` itself does not say where
        assert caught.value.position == position
    assert "^" in str(caught.value)


def test_a_warning_of_re_is_not_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Language.regex("[[a]", "python").contains("[")


@pytest.mark.parametrize("pattern", ["(" * 5000 + "a" + ")" * 5000, "(?:" * 200 + "a" + ")+" * 200, "a{99999999999}"])
def test_limits_of_the_source(pattern: str) -> None:
    with pytest.raises(LimitExceeded):
        Language.regex(pattern, "python")


@pytest.mark.parametrize(("pattern", "nodes"), [
    ("[a-z]{1,100000}", 12),  # a terminal of its own adds its entry and its exit
    ("|".join(f"word{number}" for number in range(1000)), 200),
    ("(?:(?:" + "|".join(f"{number * 7919:x}" for number in range(1000)) + "),)*", 4000),
    ("(?>[a-z]{1,100000})!", 20),
])  # fmt: skip
def test_large_patterns_stay_small(pattern: str, nodes: int) -> None:
    assert len(build_network(regex_grammar(pattern)).arrays.nodes) < nodes
