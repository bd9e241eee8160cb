"""Languages against Python's `re`: all small expressions on all short texts, larger ones at random; Boolean laws."""

from __future__ import annotations

import itertools
import pickle
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.members import sample

TEXTS = ["".join(letters) for size in range(5) for letters in itertools.product("ab-", repeat=size)]


def check(pattern: str, texts: list[str], *, automaton: bool = True) -> None:
    """`contains` and the minimal automaton agree with `re`, for search and for the whole text."""
    compiled = re.compile(pattern)
    for search in (True, False):
        language = Language.regex(pattern, "ecma", search)
        dfa = language.automaton() if automaton else None
        if dfa is not None:
            dfa.validate()
            assert language.is_empty() == (len(dfa) == 0), pattern
        for text in texts:
            expected = (compiled.search if search else compiled.fullmatch)(text) is not None
            assert language.contains(text) == expected, (pattern, search, text)
            assert dfa is None or dfa.contains(text) == expected, (pattern, search, text)


def small_expressions() -> list[str]:
    atoms = ["a", "b", ".", "[^a]", "^", "$", "(?:)"]
    units = atoms + [f"{atom}{count}" for atom in atoms[:4] for count in ("*", "+?", "?", "{2}", "{1,2}")]
    pairs = [f"{one}{two}" for one in units for two in units] + [f"{one}|{two}" for one in units for two in atoms]
    return units + pairs + [f"(?:{pair}){count}" for pair in pairs[::7] for count in ("*", "{2}", "{0,2}", "+")]


def test_all_small_expressions() -> None:
    texts = [text for text in TEXTS if len(text) <= 3]
    for pattern in small_expressions():
        check(pattern, texts, automaton=False)


ASSERTIONS = [
    "^",
    "$",
    r"\b",
    r"\B",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<!b)",
    "(?=a$)",
    "(?!b.)",
    "(?!^a)",
    "(?=(?!b)a)",
    "(?<=^a)",
]


def random_expression(rng: Random, depth: int) -> str:
    shape = rng.random()
    if depth == 0 or shape < 0.35:
        atom = rng.choice(["a", "b", "[ab]", ".", "-", *ASSERTIONS])
        return atom if atom in ASSERTIONS else atom + rng.choice(["", "*", "+", "?"])
    if shape < 0.6:
        return random_expression(rng, depth - 1) + random_expression(rng, depth - 1)
    if shape < 0.8:
        inner = f"{random_expression(rng, depth - 1)}|{random_expression(rng, depth - 1)}"
        return f"(?:{inner}){rng.choice(['', '*', '+', '?', '{2}', '{1,2}', '{0,3}'])}"
    return f"{rng.choice(['(?:', '(?=', '(?!'])}{random_expression(rng, depth - 1)})"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_random_expressions_with_assertions(seed: int) -> None:
    pattern = random_expression(Random(seed), 3)
    # Before Python 3.14, \B does not match the empty text.
    check(pattern, [text for text in TEXTS if text or r"\B" not in pattern])


@pytest.mark.parametrize("pattern", [
    r"^(?!foo|bar$)\w+$", r"^(?!.*ab).*b$", r"(?=.*a)(?=.*b)^.{3}$", r"a(?=b)", r"^a(?!b)", r"(?<!a)b$", r"\ba+\b",
    r"(^|-)a($|-)", r"(a|^b)+$", r"(?:a$|b)*", r"^^a$$", r"(?:(?=a)\w-?)+$",
])  # fmt: skip
def test_assertions(pattern: str) -> None:
    check(pattern, [*TEXTS, "foo", "bar", "bars", "fo", "-a-", "aab"])


@pytest.mark.parametrize(("pattern", "yes", "no"), [
    (r"\d\w\s", ["1a ", "0_\ufeff"], ["\u0661a ", "1é "]),
    (r"[\w-.]+", ["a-.", "_"], ["", "+"]),
    (r"\u{1F600}|\ud83d\ude01", ["\U0001f600", "\U0001f601"], ["\ud83d"]),
    (r"[^]", ["\n", "a"], ["", "ab"]),
    (r"a[]|b", ["b"], ["a", ""]),
    (r"\p{Lu}\P{L}\p{Nd}", ["É-٣"], ["é-3", "Éa3"]),
    (r"\cJ\x41\0\/\-\@", ["\nA\0/-@"], []),
    (r"x{,3}", ["x{,3}"], ["", "x"]),
    (r"{a}]", ["{a}]"], []),
    (r".", ["a", "\x85"], ["\n", "\r", "\u2028"]),
    (r"(?i)straße", ["STRASSE".replace("SS", "ẞ"), "strAße"], ["strasse"]),
    (r"(?<year>\d{4})", ["2026"], []),
    (r"[\b]", ["\b"], ["b"]),
])  # fmt: skip
def test_ecma_syntax(pattern: str, yes: list[str], no: list[str]) -> None:
    language = Language.regex(pattern, "ecma")
    assert [text for text in yes if not language.contains(text)] == []
    assert [text for text in no if language.contains(text)] == []


@pytest.mark.parametrize(("pattern", "position"), [
    ("a(", 1), ("a)", 1), ("[a", 0),
    ("*a", 0), ("a**", 2), ("a{2,1}", 0),
    (r"(a)\1", 3), (r"(?<n>a)\k<n>", 7),
    (r"\a", 0), (r"[b-a]", 1), (r"\p{Script=Greek}", 0),
    ("a\\", 1), (r"\u{110000}", 0), ("(?z)", 0),
    ("^*", 0), ("(?<=a(?=b))", 0),
])  # fmt: skip
def test_errors_name_the_place(pattern: str, position: int) -> None:
    with pytest.raises(RegexError) as caught:
        Language.regex(pattern, "ecma")
    assert (caught.value.pattern, caught.value.position) == (pattern, position)


LEAVES = st.one_of(
    st.sampled_from(["a*", "^a", "b$", "(a|b){2}", "ab?", "[^b]+", "(?!a)", "a(?=b)", "-.*"]).map(
        lambda pattern: Language.regex(pattern, search=True)
    ),
    st.lists(st.text("ab-", max_size=4), max_size=4).map(Language.strings),
    st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 4))).map(lambda bounds: Language.length(*bounds)),
    st.tuples(st.sampled_from(["a", "ab", "-"]), st.integers(0, 2)).map(
        lambda pair: Language.characters(CharSet.of(pair[0]), pair[1])
    ),
)


@st.composite
def combinations(draw: st.DrawFn) -> tuple[Language, frozenset[str]]:
    """A language and which of TEXTS it holds by definition."""

    def build(depth: int) -> tuple[Language, frozenset[str]]:
        operator = draw(st.sampled_from("&|-~.")) if depth else "."
        if operator == ".":
            leaf = draw(LEAVES)
            return leaf, frozenset(text for text in TEXTS if leaf.contains(text))
        left, ours = build(depth - 1)
        if operator == "~":
            return ~left, frozenset(TEXTS) - ours
        right, theirs = build(depth - 1)
        made = {
            "&": (left & right, ours & theirs),
            "|": (left | right, ours | theirs),
            "-": (left - right, ours - theirs),
        }
        return made[operator]

    return build(3)


@settings(max_examples=100, deadline=None)
@given(combinations())
def test_combinations_mean_what_they_say(case: tuple[Language, frozenset[str]]) -> None:
    language, members = case
    dfa = language.automaton()
    dfa.validate()
    for text in TEXTS:
        assert language.contains(text) == dfa.contains(text) == (text in members), text
    assert language.is_empty() == (len(dfa) == 0)
    if not language.is_empty():
        assert language.contains(language.shortest())
        assert len(language.shortest()) <= min(map(len, members), default=9)
        rng = Random(1)
        assert all(language.contains(sample(language, rng, hint)) for hint in (0, 3, 9))
    few = language.finite(20)
    if few is not None:
        assert members <= set(few) and all(language.contains(text) for text in few)


@settings(max_examples=60, deadline=None)
@given(LEAVES, LEAVES, LEAVES)
def test_boolean_laws(a: Language, b: Language, c: Language) -> None:
    assert ~~a == a
    assert (a & ~a).is_empty() and (~(a | ~a)).is_empty()
    assert (a | b).equivalent(b | a) and (a & b).equivalent(b & a)
    assert (~(a | b)).equivalent(~a & ~b)
    assert (a & (b | c)).equivalent((a & b) | (a & c))
    assert (a - b).is_subset(a) and a.is_subset(a | b)


def test_expressions_are_interned_and_simple() -> None:
    every, none = Language.any(), Language.nothing()
    word = Language.regex("^[a-z]+$", search=True)
    assert every is Language.regex("", search=True) is Language.length() is ~none
    assert Language.regex("^(a|b|cd)$", search=True) is Language.strings(["a", "b", "cd"])
    assert every & word is word and none | word is word and none & word is none and every | word is every
    assert word & Language.length(0, 5) is Language.regex("^[a-z]{1,5}$", search=True)
    assert word & Language.strings(["a", "B", ""]) is Language.strings(["a"])
    assert Language.length(2, 9) & Language.length(4) is Language.length(4, 9)
    assert Language.regex("^x-", search=True) & Language.length(0, 65535) is Language.regex("x-[^]{0,65533}")
    assert pickle.loads(pickle.dumps(word)) is word
    assert Language.strings(["\ud800", "a"]) is Language.strings(["a"])
    assert Language.regex("[ab]{2}").finite(4) == ("aa", "ab", "ba", "bb") and word.finite(10) is None
    with pytest.raises(ValueError, match="empty"):
        none.shortest()


@pytest.mark.parametrize("pattern", ["(" * 100 + "a" + ")" * 100, "a{99999999999}"])
def test_limits_of_the_source(pattern: str) -> None:
    with pytest.raises(LimitExceeded):
        Language.regex(pattern)
