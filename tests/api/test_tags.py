"""Structural tags against a plain reader of the same layout: scan for the first trigger, check the region, go on."""

from __future__ import annotations

import json
import random
import re

import numpy as np
import pytest

import structgen as sg
from structgen.bits import ids_of
from structgen.errors import OptionError

TEXTS = [
    "<call>",
    "<c",
    "all>",
    "</call>",
    "</",
    "call>",
    "a",
    "b",
    "<",
    "1",
    "2",
    "{",
    "}",
    '"x"',
    ":",
    "é",
    " ",
    *"/cl>",
]
VOCABULARY = sg.Vocabulary.from_bytes(
    [*(text.encode() for text in TEXTS), b"", b"", b"", b""],
    eos=[len(TEXTS)],
    special=[len(TEXTS) + 1, len(TEXTS) + 2, len(TEXTS) + 3],
    names={"<think>": len(TEXTS) + 1, "</think>": len(TEXTS) + 2, "<tool>": len(TEXTS) + 3},
)
EOS, THINK, END_THINK, TOOL = (len(TEXTS) + k for k in range(4))


def read(text: str, at_least: int = 0, at_most: int | None = None, stop: bool = False) -> bool:
    """Calls are `<call>`, digits, `</call>`; everything else is free."""
    calls = 0
    while (at := text.find("<call>")) >= 0:
        found = re.compile(r"<call>[12]+</call>").match(text, at)
        if found is None or (stop and calls):
            return False
        calls, text = calls + 1, text[found.end() :]
    return at_least <= calls <= (len(text) + calls if at_most is None else at_most) and not (stop and calls and text)


LAYOUTS = [
    {},
    {"at_least": 1},
    {"at_least": 1, "at_most": 2},
    {"at_most": 1},
    {"stop": True},
    {"stop": True, "at_least": 1},
]


PIECES = ["<call>12</call>", "<call>", "</call>", "1", "<", "a<c", "<call>1</call>"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_language(layout: dict[str, int]) -> None:
    options = {**{k: v for k, v in layout.items() if k != "stop"}, "stop_after_first": bool(layout.get("stop"))}
    tag = sg.StructuralTag([sg.Tag("<call>", "</call>", regex="[12]+")], **options)
    constraint = sg.compile(tag=tag, vocabulary=VOCABULARY)
    rng, seen = random.Random(0), {True: 0, False: 0}
    for _ in range(600):
        text = "".join(rng.choices(PIECES, k=rng.randrange(5)))
        assert constraint.accepts(text) == read(text, **layout), text
        seen[read(text, **layout)] += 1
    assert min(seen.values()) > 20


def test_masks_and_steps_agree_and_walks_end() -> None:
    tag = sg.StructuralTag([sg.Tag("<call>", "</call>", regex="[12]+")], at_least=1)
    constraint = sg.compile(tag=tag, vocabulary=VOCABULARY)
    rng = random.Random(1)
    for _ in range(20):
        matcher, text = constraint.matcher(), ""
        for _ in range(rng.randrange(1, 20)):
            allowed = ids_of(matcher.mask()).tolist()
            assert allowed == np.flatnonzero(matcher.allows(range(len(VOCABULARY)))).tolist()
            token = rng.choice(allowed)
            if token == EOS:
                break
            matcher.accept(token)
            text += TEXTS[token]
        for token in matcher.shortest_completion() if not matcher.is_finished() else []:
            matcher.accept(token)
            text += TEXTS[token]
        assert read(text, at_least=1), text


def test_a_trigger_is_shared_by_tags() -> None:
    tags = [
        sg.Tag("<call=a>", "</call>", trigger="<call", regex="1"),
        sg.Tag("<call=b>", "</call>", trigger="<call", regex="2"),
    ]
    constraint = sg.compile(tag=sg.StructuralTag(tags), vocabulary=VOCABULARY)
    assert constraint.accepts("x<call=a>1</call><cal<call=b>2</call>")
    assert not constraint.accepts("<call=a>2</call>") and not constraint.accepts("<call") and constraint.accepts("<cal")


def test_special_tokens_open_regions_and_close_thinking() -> None:
    tag = sg.StructuralTag([sg.Tag(sg.Special("<tool>"), schema=int)], thinking=sg.Thinking(), stop_after_first=True)
    matcher = sg.compile(tag=tag, vocabulary=VOCABULARY).matcher()
    allowed = lambda: np.flatnonzero(matcher.allows(range(len(VOCABULARY)))).tolist()  # noqa: E731
    assert allowed() == [THINK]
    assert matcher.accept(THINK) and matcher.accept(0) and TOOL not in allowed() and END_THINK in allowed()
    assert matcher.accept(END_THINK) and matcher.accept(0) and {EOS, TOOL} <= set(allowed())
    assert matcher.accept(TOOL) and allowed() == [9, 10]
    assert matcher.accept(9) and EOS in allowed()
    matcher.rollback(2)
    assert {EOS, TOOL} <= set(allowed())


def test_an_answer_behind_thinking() -> None:
    tag = sg.StructuralTag(thinking=sg.Thinking(None, "</think>"), answer={"schema": {"const": {"a": 1}}})
    every = sg.Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), b""], eos=[256])
    constraint = sg.compile(tag=tag, vocabulary=every)
    assert constraint.accepts("I think {<</think</think>" + json.dumps({"a": 1}))
    assert not constraint.accepts('{"a": 1}') and not constraint.accepts("</think>x")


def test_calls_without_text() -> None:
    tag = sg.StructuralTag([sg.Tag("<call>", "</call>", regex="[12]+")], between=False, at_least=1)
    constraint = sg.compile(tag=tag, vocabulary=VOCABULARY)
    assert constraint.accepts("<call>1</call><call>2</call>")
    assert not constraint.accepts("<call>1</call> <call>2</call>") and not constraint.accepts("")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "tags or an answer"),
        ({"tags": [sg.Tag("a", regex="b")], "at_least": 2, "at_most": 1}, "leave no number"),
        ({"tags": [sg.Tag("a", regex="b")], "stop_after_first": True, "at_most": 2}, "one call"),
        ({"tags": [sg.Tag("a", regex="b"), sg.Tag("ba", regex="b")]}, "never reached"),
    ],
)
def test_contradictions_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        sg.StructuralTag(**options)  # type: ignore[arg-type]


def test_regions_refuse_what_they_cannot_hold() -> None:
    with pytest.raises(OptionError, match="trigger"):
        sg.Tag("<call>", trigger="x", regex="a")


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: sg.Tag(["<a>", "<b>"], "</a>", regex="x"), "begin"),  # type: ignore[arg-type]
        (lambda: sg.Tag(3, "</a>", regex="x"), "begin"),  # type: ignore[arg-type]
        (lambda: sg.Tag("<a>", [], regex="x"), "end"),
        (lambda: sg.Tag("<a>", ["</a>", 3], regex="x"), "end"),  # type: ignore[list-item]
        (lambda: sg.Tag("<a>", None, regex="x"), "end"),  # type: ignore[arg-type]
        (lambda: sg.Thinking(end=["</think>", ""]), "end"),
        (lambda: sg.Thinking(begin=["<think>"]), "begin"),  # type: ignore[arg-type]
        (lambda: sg.StructuralTag("<a>"), "tags"),  # type: ignore[arg-type]
    ],
)
def test_marks_are_texts_or_special_tokens(make: object, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.option == option


def test_a_region_has_several_ends() -> None:
    tag = sg.Tag("<call>", ["</call>", "1", sg.Special("<tool>")], regex="[ab]+")
    thinking = sg.Thinking(None, ["2", sg.Special("</think>")])
    constraint = sg.compile(tag=sg.StructuralTag([tag], thinking=thinking, between=False), vocabulary=VOCABULARY)
    for end, good in (("</call>", True), ("1", True), ("<tool>", False), ("2", False)):
        assert constraint.accepts(f"a2<call>ab{end}") is good
    matcher = constraint.matcher()
    call, a = TEXTS.index("<call>"), TEXTS.index("a")
    assert matcher.accept_all([a, END_THINK, call, a]) == 4
    allowed = set(ids_of(matcher.mask()).tolist())
    assert {a, TEXTS.index("1"), TEXTS.index("</call>"), TEXTS.index("<"), TOOL} <= allowed and THINK not in allowed


WRITTEN = [
    {},
    {"at_least": 1},
    {"at_least": 1, "at_most": 2},
    {"at_most": 1},
    {"stop_after_first": True},
    {"stop_after_first": True, "at_least": 1},
    {"between": False, "at_most": 2},
    {"between": False, "stop_after_first": True},
    {"thinking": sg.Thinking("<c", "a"), "at_least": 1},
    {"thinking": sg.Thinking(None, ["all>", "é"])},
]


@pytest.mark.parametrize("options", WRITTEN, ids=str)
def test_written_as_json_it_is_the_same_language(options: dict[str, object]) -> None:
    tags = [
        sg.Tag("<call>", ["</call>", "}"], regex="[12]+"),
        sg.Tag("b{", "}", trigger="b", schema={"enum": ["x", 1]}),
        sg.Tag("{{", "}", choices=["a", "bé"]),
    ]
    tag = sg.StructuralTag(tags, **options)  # type: ignore[arg-type]
    text = json.dumps(tag.to_json())
    one, two = sg.compile(tag=tag, vocabulary=VOCABULARY), sg.compile(tag=text, vocabulary=VOCABULARY)
    rng, seen = random.Random(2), {True: 0, False: 0}
    pieces = [*PIECES, "b{", '"x"', "{{", "}", "bé", "<c", "all>", "<call>12}", "b{1}"]
    for _ in range(500):
        written = "".join(rng.choices(pieces, k=rng.randrange(6)))
        assert one.accepts(written) == two.accepts(written), written
        seen[one.accepts(written)] += 1
    assert min(seen.values()) > 2


def test_written_special_tokens_are_tokens() -> None:
    tag = sg.StructuralTag([sg.Tag(sg.Special("<tool>"), "}", ebnf='root ::= "1"+')], thinking=sg.Thinking())
    matcher = sg.compile(tag=tag.to_json(), vocabulary=VOCABULARY).matcher()
    assert matcher.accept_all([THINK, 0, END_THINK, 0, TOOL, 9]) == 6 and not matcher.accept(TOOL)


@pytest.mark.parametrize(
    "content", [{"gbnf": 'root ::= "a"'}, {"lark": 'start: "a"'}, {"regex": r"\d"}, {"schema": int, "strict": True}]
)
def test_what_json_has_no_form_for(content: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="no form"):
        sg.StructuralTag([sg.Tag("<", ">", **content)]).to_json()
