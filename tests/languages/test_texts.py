"""Spans, insertions, words, lengths, templates: against their definitions, on all short texts and on real ones."""

from __future__ import annotations

import itertools
import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structgen as sg
from structgen.automata.network import build_network
from structgen.errors import GrammarError, LimitExceeded, OptionError, Unsatisfiable

SHORT = ["".join(text) for size in range(7) for text in itertools.product("ab ", repeat=size)]


def same(language: sg.Language, expected: set[str], texts: list[str] = SHORT) -> None:
    """By membership, by the minimal automaton and by the compiled grammar."""
    regular = language.regular
    assert regular is not None
    dfa, grammar = regular.automaton(), sg.Language(language.grammar)
    for text in texts:
        assert (text in language) == dfa.contains(text) == (text in grammar) == (text in expected), text


@settings(max_examples=25, deadline=None)
@given(st.text("ab é", max_size=9))
def test_spans_are_the_substrings(passage: str) -> None:
    every = {passage[i:j] for i in range(len(passage)) for j in range(i + 1, len(passage) + 1)}
    language = sg.span(passage)
    same(language, every, [*every, "", "aab", "x", passage + "a"])
    pieces = re.findall(r"\w+|\W+", passage)
    words = {
        "".join(pieces[i : j + 1])
        for i, j in itertools.combinations_with_replacement(range(len(pieces)), 2)
        if pieces[i][0].isalnum() and pieces[j][0].isalnum()
    }
    same(sg.span(passage, words=True), words, [*every, *words, ""])


@pytest.mark.parametrize("words", [False, True])
def test_spans_of_a_long_passage(words: bool) -> None:
    rng = random.Random(0)
    lexicon = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(3000)]
    passage = " ".join(lexicon[int(3000 * rng.random() ** 2)] for _ in range(17_000))[:100_000]
    started = time.process_time()
    language = sg.span(passage, words=words)
    networks = build_network(language.grammar)
    assert time.process_time() - started < 10  # a second where nothing else runs; never quadratic
    assert len(networks.arrays.nodes) < 2 * len(passage)
    begin, end = passage.index(" ", 50_000) + 1, passage.index(" ", 50_300)
    assert passage[begin:end] in language
    assert (passage[begin + 1 : end] in language) == (not words or passage[begin + 1 : end] in passage.split())
    assert passage[begin:end] + "#" not in language


def test_a_span_that_is_too_long() -> None:
    with pytest.raises(LimitExceeded):
        sg.span("ab" * 200_000)


@pytest.mark.parametrize("words", [["ab"], ["a", "bb"], ["aba", "bab", "ba"], [""], []])
def test_containing_and_avoiding(words: list[str]) -> None:
    if words != []:
        same(sg.containing(*words), {text for text in SHORT if all(word in text for word in words)})
    same(sg.avoiding(*words), {text for text in SHORT if not any(word in text for word in words)})


def test_whole_words_in_any_case() -> None:
    texts = [*SHORT, "A b", "aB", "the cat", "cat", "concat", "Cat.", "a CAT!"]
    both = re.compile(r"\bcat\b", re.IGNORECASE)
    same(sg.containing("cat", whole=True, ignore_case=True), {t for t in texts if both.search(t)}, texts)
    same(sg.avoiding("cat", "b", whole=True), {t for t in texts if not re.search(r"\b(cat|b)\b", t)}, texts)
    same(sg.avoiding("B", ignore_case=True), {t for t in texts if "b" not in t.lower()}, texts)


def test_many_words() -> None:
    words = [f"{number * 7919:x}" for number in range(1000)]
    language = sg.avoiding(*words)
    assert "xyz" in language and f"xx{words[77]}yy" not in language
    assert len(build_network(language.grammar).arrays.nodes) < 10_000


@pytest.mark.parametrize("bounds", [(0, None), (1, None), (2, 3), (0, 0), (0, 1), 2])
def test_lengths(bounds: int | tuple[int, int | None]) -> None:
    low, high = (bounds, bounds) if isinstance(bounds, int) else bounds

    def fits(number: int) -> bool:
        return low <= number and (high is None or number <= high)

    same(sg.length(characters=bounds), {text for text in SHORT if fits(len(text))})
    same(sg.length(words=bounds), {text for text in SHORT if fits(len(text.split()))})
    texts = ["".join(text) for size in range(7) for text in itertools.product("a. ", repeat=size)]
    texts += [
        "One. Two!",
        'He said "no." Then left.',
        "3.5 is a number.",
        "Wait... what?!",
        "ends. ",
        "“A.” B",
        "a\n\nb. c",
    ]
    same(sg.length(sentences=bounds), {text for text in texts if fits(sentences(text))}, texts)


def sentences(text: str) -> int:
    """The definition in another form: cut behind an end with its closers where white space follows."""
    cut = re.sub(r"""(?<!\s)([.!?…]["'”’)\].!?…]*)\s+|((?:^|(?<=\s))[.!?…]["'”’)\].!?…]*)\s+""", r"\1\2\0", text)
    return len([piece for piece in cut.split("\0") if piece.strip()])


def test_insertions() -> None:
    markers = ["*", "_"]
    places = {0: 1, 2: 1, 3: 1, 4: 1}  # before and behind "ab" and "c"
    expected = set()
    for chosen in itertools.product(["", *markers], repeat=len(places)):
        spots = dict(zip(places, chosen, strict=True))
        expected.add("".join(spots.get(i, "") + letter for i, letter in enumerate("ab c")) + spots[4])
    assert len(expected) == 81
    same(sg.insertions("ab c", markers), expected, [*expected, "a*b c", "ab  c", "**ab c", "ab c d"])
    assert "*_ab c" in sg.insertions("ab c", markers, most=2) and "a*b c" in sg.insertions(
        "ab c", markers, at="characters"
    )
    assert "<b>" in sg.insertions("", ["<b>"], at="characters")


def test_labelled_stretches() -> None:
    text, labels = "ab c d", ["X", "Y"]
    words = [(0, 2), (3, 4), (5, 6)]
    expected = set()
    for count in range(4):
        for cuts in itertools.combinations_with_replacement(range(len(words)), 2 * count):
            stretches = list(zip(cuts[::2], cuts[1::2], strict=True))
            if any(one[1] >= two[0] for one, two in itertools.pairwise(stretches)):
                continue
            for names in itertools.product(labels, repeat=count):
                out, at = "", 0
                for (first, last), name in zip(stretches, names, strict=True):
                    begin, end = words[first][0], words[last][1]
                    out += text[at:begin] + f"<{name}>" + text[begin:end] + f"</{name}>"
                    at = end
                expected.add(out + text[at:])
    others = ["<X>ab</Y> c d", "<X></X>ab c d", "a<X>b</X> c d", "<X>ab<Y> c</Y></X> d", "ab c", "<X>ab c d"]
    same(sg.labelled(text, labels), expected, [*expected, *others])
    own = sg.labelled("ab", {"P": ("[", "]")}, at="characters")
    same(own, {"ab", "[a]b", "a[b]", "[ab]", "[a][b]"}, ["ab", "[a]b", "a[b]", "[ab]", "[a][b]", "[]ab", "[a[b]]"])


def test_templates() -> None:
    letter = sg.template("Dear {name},\n{{{sum}}} euros.", name=sg.regex("[A-Z][a-z]*"), sum=["10", "20"])
    assert "Dear Ada,\n{10} euros." in letter and "Dear ada,\n{10} euros." not in letter
    nested = sg.template("<{inner}>", inner=sg.library("json"))
    assert '<{"a": [1]}>' in nested and "<>" not in nested
    for text, holes, line, column in (
        ("a {x", {}, 1, 3), ("a\n }", {}, 2, 2), ("{1}", {}, 1, 1), ("{x}\n{y}", {"x": ["a"]}, 2, 1),
        ("{x} {x}", {"x": ["a"]}, 1, 5),
    ):  # fmt: skip
        with pytest.raises(GrammarError) as caught:
            sg.template(text, **holes)
        assert (caught.value.line, caught.value.column) == (line, column)
        assert str(caught.value).endswith("^")
    with pytest.raises(OptionError):
        sg.template("a", x=["b"])


def test_what_nothing_satisfies_is_named() -> None:
    vocabulary = sg.Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256))], eos=[0])
    nothing = sg.regex("a+") & sg.regex("b+")
    assert nothing.is_empty()
    with pytest.raises(Unsatisfiable, match=r"no text is in \(regex\('a\+'\) & regex\('b\+'\)\)"):
        sg.compile(grammar=nothing, vocabulary=vocabulary)
    with pytest.raises(Unsatisfiable, match=r"no text is in the regex '\(\?!\)'"):
        sg.compile(regex="(?!)", vocabulary=vocabulary)


@pytest.mark.parametrize("wrong", [
    lambda: sg.choices("abc"), lambda: sg.length(words=(3, 1)), lambda: sg.insertions("a", ["b"], at="lines"),
    lambda: sg.labelled("a", {"X": ("", ">")}), lambda: sg.insertions("a", ["b"], most=-1), lambda: sg.span(b"a"),
    lambda: sg.regex("a").repeat(2, 1), lambda: sg.regex("a") & 3,
    lambda: sg.compile(grammar="a", vocabulary=sg.Vocabulary.from_bytes([b"", b"a"], eos=[0])),
])  # fmt: skip
def test_wrong_arguments_are_named(wrong: object) -> None:
    with pytest.raises(OptionError):
        wrong()  # type: ignore[operator]


def test_languages_made_alike_have_one_key() -> None:
    def make(word: str) -> list[sg.Language]:
        plain = sg.regex(word) | sg.choices([word, "b"]) & ~sg.span("abc")
        both = sg.library("json") & plain
        return [plain, word + plain, plain.repeat(1, 2), both, sg.length(words=2), sg.template(word)]

    keys = [[language.key for language in make(word)] for word in ("a", "a", "c")]
    assert keys[0] == keys[1] and len(set(keys[0])) == len(keys[0])
    assert [one == other for one, other in zip(keys[0], keys[2], strict=True)] == [False] * 4 + [True, False]
