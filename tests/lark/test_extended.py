"""llguidance's additions to Lark: each against a plain description of its texts, and against llguidance where it is."""

from __future__ import annotations

import json
import random
import re

import pytest

import structgen as sg
from structgen.errors import GrammarError, OptionError
from structgen.grammars.lark.extended import is_extended

VOCABULARY = sg.Vocabulary.from_bytes(
    [*(bytes([b]) for b in range(256)), b"", b"", b""],
    eos=[256],
    special=[257, 258],
    names={"<|a|>": 257, "<|b|>": 258},
)


def constraint(source: str) -> sg.Constraint:
    return sg.compile(lark=source, vocabulary=VOCABULARY)


def test_json_inside_a_grammar() -> None:
    found = constraint('start: TEXT | call\nTEXT: /[^{](.|\\n)*/\ncall: %json { "const": {"a": [1, "}"]} } "!"')
    assert found.accepts("none {") and found.accepts(json.dumps({"a": [1, "}"]}) + "!")
    assert not found.accepts('{"a": [1]}!')


def test_special_tokens() -> None:
    matcher = constraint('start: <|a|> "x" (<|b|> "y")*').matcher()
    assert matcher.accept(257) and not matcher.accept(258) and matcher.accept(ord("x"))
    assert matcher.is_accepting() and matcher.accept(258) and not matcher.is_accepting()


@pytest.mark.parametrize(
    ("value", "chunks"),
    [
        ({"substring_chunks": ["abc", "de", "fg"]}, ["abc", "de", "fg"]),
        ({"substring_chars": "abca"}, list("abca")),
        ({"substring_words": "ab c. ab"}, ["ab", " ", "c", ".", " ", "ab"]),
    ],
)
def test_parts_of_a_sequence(value: dict[str, object], chunks: list[str]) -> None:
    found = constraint(
        f"start: PART\nPART: %regex {json.dumps(value)}".replace("PART: ", "part: ").replace(
            "start: PART", "start: part"
        )
    )
    good = {"".join(chunks[i:j]) for i in range(len(chunks) + 1) for j in range(i, len(chunks) + 1)}
    rng = random.Random(0)
    texts = good | {"".join(rng.choices("abcdefg .", k=rng.randrange(6))) for _ in range(200)}
    assert {text for text in texts if found.accepts(text)} == good


def test_lazy_rules_stop_at_once() -> None:
    found = constraint('start: head "=" /[0-9]+/\nhead[lazy]: /(.|\\n)*/ "<f"')
    for text in ["a<f=1", "<<f=12", "<f=1<f=1", "a<f<f=1", "<f=", "x=1"]:
        expected = re.fullmatch(r"(?s:(?!.*<f.*<f).*<f)=[0-9]+", text) is not None
        assert found.accepts(text) == expected, text
    assert constraint("start: d\nd[lazy]: /[0-9]+/").accepts("1") and not constraint(
        "start: d\nd[lazy]: /[0-9]+/"
    ).accepts("12")


def test_suffix_and_stop() -> None:
    suffix = constraint('start: a "."\na[suffix="</t>"]: /.*/')
    stop = constraint('start: a "."\na[capture, stop="</t>"]: /.*/')
    for text in ["x</t>.", "</t>.", "x</t></t>.", "x.", "x</.", "</t>x."]:
        assert suffix.accepts(text) == (text.count("</t>") == 1 and text.endswith("</t>.")), text
        assert stop.accepts(text) == ("</t>" not in text), text


def test_counts() -> None:
    found = constraint('start: "a"{2,3} "b"{2} "c"{1,} "d"{,1} %json {"const": 1}')
    assert [t for t in ("aabbc1", "aaabbccd1", "abbc1", "aabc1", "aabb1", "aabbcdd1") if found.accepts(t)] == [
        "aabbc1",
        "aaabbccd1",
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("start: b\nb[max_tokens=5]: /x+/", "'max_tokens=5' is not supported"),
        ("start: b\nb[temperature=0.5]: /x+/", "'temperature=0.5' is not supported"),
        ("start: b\nb[capture, max_tokens=5]: /x+/", "max_tokens"),
        ("start: <[12-14]>", "by number"),
        ("start: %lark { start: /a/ }", "inside another"),
    ],
)
def test_an_addition_alone_is_recognised(source: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason):
        constraint(source)


@pytest.mark.parametrize("count", ["{2,3}", "{2}", "{,2}", "{ 1 , }"])
def test_a_count_alone_is_recognised(count: str) -> None:
    found = constraint(f'start: "a"{count} "b"')
    least, most = {"{2,3}": (2, 3), "{2}": (2, 2), "{,2}": (0, 2), "{ 1 , }": (1, 9)}[count]
    assert [n for n in range(10) if found.accepts("a" * n + "b")] == list(range(least, most + 1))


def test_templates_are_no_counts() -> None:
    assert not is_extended('start: _list{item}\n_list{x}: x ("," x)*\nitem: "{2,3}" | /a{2}/')


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("start: <[12]>\nx: <|a|>", "by number"),
        ("start[max_tokens=3]: /a/\nx[lazy]: /a/", "not supported"),
        ("start: %json {", "not JSON"),
        ('start: %regex {"nope": 1}', "%regex takes"),
        ("start: <|a|> nope", "not defined"),
        ('%llguidance {"no_forcing": true}\nstart: "a"', "options"),
    ],
)
def test_errors(source: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason):
        constraint(source)


def test_no_lexer() -> None:
    with pytest.raises(OptionError, match="dynamic"):
        sg.compile(lark=sg.LarkGrammar("start: <|a|>", lexer="contextual"), vocabulary=VOCABULARY)


@pytest.mark.peers
def test_against_llguidance() -> None:
    """Lazy rules, suffixes and parts, on the texts of the tests above."""
    llguidance = pytest.importorskip("llguidance")
    sources = [
        'start: head "=" /[0-9]+/\nhead[lazy]: /(.|\\n)*/ "<f"',
        'start: a "."\na[suffix="</t>"]: /.*/',
        'start: PART "!"\nPART: %regex {"substring_chunks": ["abc", "de", "fg"]}',
    ]
    tokenizer = llguidance.LLTokenizer("byte")
    rng = random.Random(0)
    for source in sources:
        grammar = llguidance.LLMatcher.grammar_from_lark(source)
        ours = constraint(source.replace("PART", "part"))
        for _ in range(200):
            text = "".join(
                rng.choices(["<f", "=", "1", "x", "</t>", ".", "abc", "de", "fg", "!"], k=rng.randrange(1, 5))
            )
            matcher = llguidance.LLMatcher(tokenizer, grammar)
            theirs = all(matcher.consume_token(byte) for byte in text.encode()) and matcher.is_accepting()
            assert ours.accepts(text) == theirs, (source, text)
