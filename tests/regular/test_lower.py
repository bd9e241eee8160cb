"""Lowering against membership, by an independent recogniser over bytes; size, shape and bounded cost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from random import Random

import pytest

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.ir import EPSILON, NOTHING, Alt, Expr, Graph, Literal, Repeat, Seq
from structgen.grammars.regular.charset import ANY, utf8
from structgen.grammars.regular.json_spelling import json_spell
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.grammars.regular.members import sample
from structgen.grammars.regular.syntax import assertions
from structgen.grammars.regular.terms import Regex

Accepts = Callable[[Expr, bytes], bool]


def size(expr: Expr) -> int:
    match expr:
        case Seq(parts) | Alt(parts):
            return 1 + sum(size(part) for part in parts)
        case Repeat(body):
            return 1 + size(body)
        case Graph(edges=edges):
            return 1 + sum(size(label) for _, label, _ in edges)
        case _:
            return 1


def check_graphs(expr: Expr, accepts: Accepts) -> None:
    """Every state of a graph is reached and reaches an accepting one; labels are not nullable, but to shared states."""
    match expr:
        case Seq(parts) | Alt(parts):
            for part in parts:
                check_graphs(part, accepts)
        case Repeat(body):
            check_graphs(body, accepts)
        case Graph(n_states, start, ends, edges=edges):
            forward, backward = {start}, set(ends)
            for _ in range(n_states):
                forward |= {target for source, _, target in edges if source in forward}
                backward |= {source for source, _, target in edges if target in backward}
            assert forward == backward == set(range(n_states))
            assert not any(label == NOTHING or (label != EPSILON and accepts(label, b"")) for _, label, _ in edges)
        case _:
            return


def mutated(text: str, rng: Random) -> str:
    """The text with one character replaced, dropped or doubled."""
    at = rng.randrange(len(text) + 1)
    other = rng.choice(["", "a", "0", " ", "-", "é", "\n", text[at : at + 1] * 2])
    return text[:at] + other + text[at + 1 :]


LANGUAGES = {
    "strings": Language.strings(["", "a", "ab", "abc", "b", "é", "\u20ac", "日本", 'q"', "tab\t"]),
    "one": Language.strings(["straße"]),
    "every": Language.any(),
    "short": Language.length(0, 3),
    "direct": Language.regex(r"[a-z]{2,3}(-\d{1,2})?"),
    "ambiguous": Language.regex(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
    "found": Language.regex("ab|é", search=True),
    "ahead": Language.regex(r"^(?!no$|never).+", search=True),
    "boundary": Language.regex(r"\bcat\b", search=True),
    "meet": Language.regex("^a", search=True) & Language.regex("z$", search=True) & Language.length(2, 5),
    "complement": ~Language.regex("^[ab]*$", search=True),
    "without": Language.regex("^[ab]{1,2}é*$", search=True) - Language.strings(["a", "bb", "abé"]),
    "union": Language.regex("(?!a).b") | Language.strings(["\\", "ab"]),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_lowered_languages_are_the_same(name: str, accepts: Accepts) -> None:
    language, rng = LANGUAGES[name], Random(name)
    plain, canonical = lower(language, utf8), lower(language, json_spell())
    anyhow = lower(language, json_spell("any", ascii_only=True))
    for expr in (plain, canonical, anyhow):
        check_graphs(expr, accepts)
    members = [sample(language, rng, hint) for hint in (0, 1, 3, 6) for _ in range(8)]
    for text in members + [mutated(text, rng) for text in members for _ in range(4)]:
        expected = language.contains(text)
        assert accepts(plain, text.encode()) == expected, text
        assert accepts(canonical, json.dumps(text, ensure_ascii=False)[1:-1].encode()) == expected, text
        assert accepts(anyhow, json.dumps(text)[1:-1].encode()) == expected, text
        escaped = "".join(f"\\u{unit:04X}" for unit in memoryview(text.encode("utf-16-le")).cast("H"))
        assert accepts(anyhow, escaped.encode()) == expected, text


def test_shapes() -> None:
    assert lower(Language.any(), utf8) == Repeat(utf8(ANY))
    assert lower(Language.nothing(), utf8) == NOTHING
    assert lower(Language.strings([""]), utf8) == EPSILON
    assert lower(Language.strings(["é"]), utf8) == Literal("é".encode())
    assert lower(Language.regex(".*", search=True), utf8) == Repeat(utf8(ANY))
    assert size(lower(Language.regex("[a-z]{1,100000}"), utf8)) == 2
    assert lower(Language.regex("[a-z]+"), utf8) is lower(Language.regex("[a-z]+"), utf8)
    counted = Language.regex("^[a-z][a-z0-9]*$", search=True) & Language.length(0, 65535)
    assert size(lower(counted, utf8)) == 4
    both = lower(Language.strings(["interest", "interesting", "internal"]), utf8)
    assert isinstance(both, Graph) and [label for source, label, _ in both.edges if source == 0] == [Literal(b"inter")]


HOSTILE = {
    "nested loops": "(((a|a)*)*|(b*)*)*c",
    "nested counts": "((a{1,100}){1,100}){1,100}",
    "counts of counts": "((a{2,100}b?){1,100}){1,100}",
    "long count": "^[a-z]{1,100000}$",
    "alternatives": "|".join(f"word{number}" for number in range(1000)),
    "classes": "|".join(chr(0x4E00 + number) + "x" for number in range(1000)),
    "exponential": "^(a|b)*a(a|b){30}$",
    "search of a window": "a[ab]{200}b",
    "optional chain": "(a?){1000}(b?a?){500}",
    "deep": "(a|b" * 60 + ")*" * 60,
    "looks": "(?=.*a{50})(?!.*b{60}).*c{70}",
    "many looks": "".join(f"(?=.*{chr(97 + number)})" for number in range(14)),
    "look in a loop": "(?:(?=a{1,40}b)a|b){1,200}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_patterns_are_exact_or_refused_soon(name: str, accepts: Accepts) -> None:
    begun = time.process_time()
    try:
        language = Language.regex(HOSTILE[name], search=name not in ("nested counts", "counts of counts"))
        expr = lower(language, utf8)
    except LimitExceeded as error:
        assert error.limit in ("regex_work", "regex_states", "regex_positions") and "look" in name
    else:
        check_graphs(expr, accepts) if size(expr) < 3000 else None
        if name == "exponential":
            assert accepts(expr, b"b" * 9 + b"a" + b"b" * 30) and not accepts(expr, b"b" * 40)
        if name == "nested counts":
            assert size(expr) == 2
        if name == "alternatives":
            assert language.contains("xxword999xx") and not language.contains("word")
    assert time.process_time() - begun < 15


@pytest.mark.parametrize(("name", "members", "others"), [
    ("long count", ["a", "z" * 150], ["", "A", "a" * 100 + "-"]),
    ("nested counts", ["a", "a" * 150], ["", "ab"]),
    ("counts of counts", ["aa", "aab", "aab" * 50], ["", "a", "b", "aabb", "aaba"]),
    ("optional chain", ["", "a" * 150, "ab" * 60, "b" * 500], ["b" * 501, "c"]),
    ("search of a window", ["a" * 201 + "b"], ["a" * 200 + "b", "a" * 202]),
])  # fmt: skip
def test_membership_needs_no_small_automaton(name: str, members: list[str], others: list[str]) -> None:
    language = Language.regex(HOSTILE[name])
    assert [text for text in members if not language.contains(text)] == []
    assert [text for text in others if language.contains(text)] == []


def test_products_that_explode_are_refused() -> None:
    bad = Language.regex("^(a|b)*a(a|b){30}$", search=True) & Language.regex("^(a|b)*b(a|b){29}$", search=True)
    assert not bad.is_empty() and bad.contains("a" + "b" * 30)
    with pytest.raises(LimitExceeded):
        lower(bad & ~Language.regex("^(ab|ba)*$", search=True), utf8)


def test_patterns_of_real_schemas(patterns: list[str], accepts: Accepts) -> None:
    """Every pattern is read, and sampled and mutated texts are told apart as `re.search` does where dialects agree."""
    rng, spell = Random(11), json_spell()
    for pattern in patterns:
        language = Language.regex(pattern, search=True)
        if not _is_common(pattern):
            continue
        compiled = re.compile(pattern, re.ASCII)
        wild = isinstance(language.term, Regex) and assertions(language.term.node)
        members = [] if wild or language.is_empty() else [sample(language, rng, hint) for hint in (1, 8)]
        for text in [*members, *(mutated(text, rng) for text in members), "", "a", "foo", "12"]:
            if text.isascii() and not set(text) & set("\n\r\x1c\x1d\x1e\x1f"):
                assert language.contains(text) == (compiled.search(text) is not None), (pattern, text)
        if not wild and members and rng.random() < 0.1:
            written = lower(language, spell)
            assert accepts(written, json.dumps(members[0], ensure_ascii=False)[1:-1].encode())


def _is_common(pattern: str) -> bool:
    """Whether Python reads the pattern, and ECMA 262 does not mean something else."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return "{," not in pattern and r"\Z" not in pattern


def test_python_only_syntax_is_refused_in_ecma() -> None:
    for pattern in (r"a\Z", r"\Aa", "(?>a)", "a++"):
        with pytest.raises(RegexError):
            Language.regex(pattern)
