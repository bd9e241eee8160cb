"""Structural-tag JSON: what each format means, and the languages of xgrammar's own model formats."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

import structgen as sg
from structgen.api.sources import FRONT_ENDS
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import SchemaError, UnsupportedSchema
from structgen.grammars.tags.formats import read_formats
from structgen.grammars.tags.markup import MARKUPS
from structgen.testing import check_matcher_laws

CALL, END, THINK, EOS = 256, 257, 258, 259
VOCABULARY = sg.Vocabulary.from_bytes(
    [*(bytes([byte]) for byte in range(256)), b"", b"", b"", b""],
    eos=[EOS],
    special=[CALL, END, THINK],
    names={"<call>": CALL, "<end>": END, "<think>": THINK, "<eos>": EOS},
)
BYTES = sg.Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), b""], eos=[256])


def compiled(format: Any, vocabulary: sg.Vocabulary = BYTES) -> sg.Constraint:
    return sg.compile(tag={"type": "structural_tag", "format": format}, vocabulary=vocabulary)


def kind(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": type, **fields}


A = kind("regex", pattern="a+")
TAG = kind("tag", begin="<t>", content=A, end="</t>")
TEXTS = ["", "x", "<t>a</t>", "<t>a</t>y", "x<t>a</t>", "<t>a</t><t>a</t>", "<t>a</t>y<t>a</t>", "<t", "<tno", "no"]
MEANINGS: dict[str, tuple[Any, str]] = {  # format, and of TEXTS those that it allows, by place
    "const_string": (kind("const_string", value="x"), "1"),
    "any_text": (kind("any_text"), "0123456789"),
    "any_text without": (kind("any_text", excludes=["<t"]), "019"),
    "any_text of few characters": (kind("any_text", max_chars=2), "0179"),
    "regex": (kind("regex", pattern="<t>a</t>|no?"), "29"),
    "grammar": (kind("grammar", grammar='root ::= "x" | "no"'), "19"),
    "lark": (kind("grammar", grammar='start: "x" | "no"', syntax="lark"), "19"),
    "sequence": (kind("sequence", elements=[kind("const_string", value="x"), TAG]), "4"),
    "or": (kind("or", elements=[kind("const_string", value="x"), TAG]), "12"),
    "optional": (kind("optional", content=TAG), "02"),
    "star": (kind("star", content=TAG), "025"),
    "plus": (kind("plus", content=TAG), "25"),
    "repeat": (kind("repeat", min=2, max=3, content=TAG), "5"),
    "repeat without end": (kind("repeat", min=1, max=-1, content=TAG), "25"),
    "tags_with_separator": (kind("tags_with_separator", tags=[TAG], separator="y"), "026"),
    "one of them": (
        kind("tags_with_separator", tags=[TAG], separator="y", at_least_one=True, stop_after_first=True), "2",
    ),
    "triggered": (kind("triggered_tags", triggers=["<t"], tags=[TAG]), "01234569"),
    "triggered, at least one": (kind("triggered_tags", triggers=["<t"], tags=[TAG], at_least_one=True), "2356"),
    "triggered, one": (kind("triggered_tags", triggers=["<t"], tags=[TAG], stop_after_first=True), "01249"),
    "triggered, without": (kind("triggered_tags", triggers=["<t"], tags=[TAG], excludes=["no", "y"]), "01245"),
    "dispatch": (kind("dispatch", rules=[["<t>", kind("const_string", value="a</t>")]]), "0123456789"),
    "dispatch once": (kind("dispatch", rules=[["<t>", kind("const_string", value="a</t>")]], loop=False), "0124789"),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANINGS)
def test_the_meaning(name: str) -> None:
    format, allowed = MEANINGS[name]
    constraint = compiled(format)
    assert [text for text in TEXTS if constraint.accepts(text)] == [TEXTS[int(place)] for place in allowed]


def test_the_older_form() -> None:
    tag = {"structures": [{"begin": "<t>", "schema": '{"type": "integer"}', "end": "</t>"}], "triggers": ["<t"]}
    constraint = sg.compile(tag=json.dumps(tag), vocabulary=BYTES)
    assert constraint.accepts("one <t>12</t> two") and not constraint.accepts("<t>a</t>")


def test_text_in_a_tag_ends_at_the_first_end_mark_also_where_it_comes_last() -> None:
    content = kind("sequence", elements=[kind("const_string", value="("), kind("any_text")])
    constraint = compiled(kind("tag", begin="[", content=content, end=["]", "}}"]))
    assert constraint.accepts("[(a]") and constraint.accepts("[(a}}}"[:-1])
    assert not constraint.accepts("[(a]]") and not constraint.accepts("[(a]b}}")


def test_what_is_excluded_may_stand_in_the_end_mark() -> None:
    text = kind("any_text", excludes=["x]", "]y"])
    constraint = compiled(kind("tag", begin="[", content=text, end="]yz"))
    assert constraint.accepts("[x]yz") and not constraint.accepts("[x]]yz") and constraint.accepts("[]]yz")


def test_marks_that_spell_special_tokens_are_those_tokens() -> None:
    tag = kind("triggered_tags", triggers=["<call>"], tags=[kind("tag", begin="<call>f", content=A, end="<end>")])
    matcher = compiled(tag, VOCABULARY).matcher()
    assert matcher.accept_all([*b"<call>"]) == 6, "these characters are free text, which means nothing"
    assert matcher.accept_all([CALL, *b"fa", END, *b"x", CALL]) == 6 and not matcher.accept(CALL)
    assert compiled(tag).accepts("<call>fa<end>") and not compiled(tag).accepts("<call>x"), "without them it is text"


def test_a_special_token_behind_text_is_a_trigger_there_alone() -> None:
    tag = kind("triggered_tags", triggers=["to <call>"], tags=[kind("tag", begin="to <call>", content=A, end="<end>")])
    matcher = compiled(tag, VOCABULARY).matcher()
    assert not matcher.accept(CALL) and matcher.accept_all([*b"tto ", CALL, *b"a", END]) == 7


def test_tokens_by_name_and_by_number() -> None:
    for token in ("<call>", CALL):
        tag = kind("tag", begin=kind("token", token=token), content=A, end=kind("token", token=END))
        matcher = compiled(tag, VOCABULARY).matcher()
        assert matcher.accept_all([CALL, *b"a", END, EOS]) == 4
    found = compiled(kind("any_tokens", exclude_tokens=["<end>"]), VOCABULARY).matcher()
    assert found.accept_all([*b"a", CALL, THINK, *b"b"]) == 4 and not found.accept(END)
    rules = kind("token_dispatch", rules=[["<call>", A]], exclude_tokens=[THINK], loop=False)
    matcher = compiled(rules, VOCABULARY).matcher()
    assert matcher.accept_all([*b"x", END, CALL, *b"a"]) == 4 and matcher.is_accepting() and not matcher.accept(END)
    tag = kind("tag", begin=kind("token", token=CALL), content=A, end=";")
    tags = kind("token_triggered_tags", trigger_tokens=[CALL], tags=[tag])
    matcher = compiled(tags, VOCABULARY).matcher()
    assert matcher.accept_all([*b"x", THINK, CALL, *b"a;x", END]) == 7


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "tokens of a region": (kind("any_text", max_tokens=3), UnsupportedSchema, "max_tokens"),
    "any token": (kind("exclude_token", exclude_tokens=["<call>"]), UnsupportedSchema, "exclude_token"),
    "by number": (kind("token", token=3), UnsupportedSchema, "without a vocabulary"),
    "no format": (kind("sometimes"), SchemaError, "there are"),
    "a misspelled field": (kind("any_text", exclude=["a"]), SchemaError, "did you mean 'excludes'"),
    "what is missing": (kind("tag", begin="a", content=A), SchemaError, "'end' is missing"),
    "no trigger": (kind("triggered_tags", triggers=["<u"], tags=[TAG]), SchemaError, "0 of the triggers"),
    "two triggers": (kind("triggered_tags", triggers=["<", "<t"], tags=[TAG]), SchemaError, "2 of the triggers"),
    "a style": (kind("json_schema", json_schema={}, style="yaml"), SchemaError, "not a style"),
    "no number": (kind("repeat", min=2, max=1, content=A), SchemaError, "no number"),
    "keys compared in mark-up": (
        kind("json_schema", json_schema={"type": "object", "minProperties": 3}, style="qwen_xml"),
        UnsupportedSchema,
        "minProperties",
    ),
    "a name that cannot be written": (
        kind("json_schema", json_schema={"properties": {"a>b": {}}}, style="qwen_xml"), UnsupportedSchema, "a>b",
    ),
    "what JSON spells in several ways": (
        kind("json_schema", json_schema={"type": "string"}, excludes=['"']), UnsupportedSchema, "excludes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    format, error, words = REFUSED[name]
    with pytest.raises(error, match=re.escape(words)):
        compiled(format)


def test_equal_tags_are_compiled_once() -> None:
    assert compiled(TAG) is compiled(dict(TAG)) and compiled(TAG) is not compiled(A)


# --------------------------------------------------------------------------------------------------------- mark-up

STRINGS = {"type": "object", "additionalProperties": False, "required": ["v"], "properties": {"v": {"type": "string"}}}


def value(schema: Any) -> dict[str, Any]:
    return {**STRINGS, "properties": {"v": schema}}


def between(style: str, text: str, type: str = "string") -> str:
    """One member in a style of `MARKUPS`."""
    found = MARKUPS[style]
    opening = found.open.format(key="v", type=found.types[type], gap="")
    return f"{opening}{text}{found.close.format(key='v')}"


@pytest.mark.parametrize("style", MARKUPS)
def test_strings_are_raw_and_their_languages_are_kept(style: str) -> None:
    def accepts(schema: Any, text: str) -> bool:
        content = kind("json_schema", json_schema=value(schema), style=style)
        return compiled(content).accepts(between(style, text))

    closing = MARKUPS[style].close.format(key="v")
    assert accepts({"type": "string"}, 'a "b" <c> \\n &amp;\n') and not accepts({"type": "string"}, f"a{closing}b")
    assert accepts({"type": "string", "pattern": "^[a-c]+$"}, "abc")
    assert not accepts({"type": "string", "pattern": "^[a-c]+$"}, "abd")
    assert accepts({"type": "string", "maxLength": 3}, "abc") and not accepts(
        {"type": "string", "maxLength": 3}, "abcd"
    )
    assert not accepts({"type": "string", "maxLength": 300}, f"a{closing}b"), "nor can a bounded one hold the mark"
    assert accepts({"enum": ["p", closing, 3]}, "p") and not accepts({"enum": ["p", closing, 3]}, "q")
    assert accepts({"type": "string", "format": "date"}, "2026-11-30")


def test_a_line_break_on_either_side_is_not_part_of_a_qwen_string() -> None:
    content = kind("json_schema", json_schema=value({"type": "string", "pattern": "^\\n?x$"}), style="qwen_xml")
    texts = ["x", "\nx", "x\n", "\nx\n", "\n\nx", "\n\nx\n", "\n\n\nx", "x\n\n"]
    allowed = [text for text in texts if compiled(content).accepts(between("qwen_xml", text))]
    assert allowed == texts[:6], "read without them, each of these fits the pattern"


def test_marks_say_the_type_of_each_value() -> None:
    content = kind("json_schema", json_schema=value({"type": ["string", "integer"]}), style="deepseek_xml")
    constraint = compiled(content)
    assert constraint.accepts(between("deepseek_xml", "12", "number"))
    assert constraint.accepts(between("deepseek_xml", "ab"))
    assert not constraint.accepts(between("deepseek_xml", "ab", "number"))


def test_unknown_names_where_they_can_be_read_back() -> None:
    open_object = {"type": "object", "properties": {"v": {"type": "integer"}}}
    constraint = compiled(kind("json_schema", json_schema=open_object, style="qwen_xml"))
    assert constraint.accepts("<parameter=v>1</parameter>\n<parameter=other>x</parameter>")
    assert not constraint.accepts("<parameter=v>x</parameter>") and not constraint.accepts(
        "<parameter=a>b>x</parameter>"[:-1]
    )


def test_blanks_are_bounded_unless_the_tag_says_otherwise() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert not compiled(kind("json_schema", json_schema=schema)).accepts("[1,\n\n2]")
    assert compiled(kind("json_schema", json_schema=schema, max_whitespace_cnt=2)).accepts("[ \t1,\n\n2]")
    assert not compiled(kind("json_schema", json_schema=schema, max_whitespace_cnt=1)).accepts("[1,\n\n2]")


def test_any_order_still_asks_for_what_is_required() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
    constraint = compiled(kind("json_schema", json_schema=schema, any_order=True))
    assert constraint.accepts('{"b":2,"a":1}') and not constraint.accepts('{"b":2}')


# ------------------------------------------------------------------------------------ elements that are compared

NAMES = kind("json_schema", json_schema={"type": "array", "items": {"type": "string"}, "uniqueItems": True})
SCARCE = kind(
    "json_schema",
    json_schema={"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True, "minItems": 2,
                 "maxItems": 2, "items": {"type": "integer", "minimum": 1, "maximum": 2}}}, "required": ["a"],
                 "additionalProperties": False},
)  # fmt: skip
LISTS = kind("triggered_tags", triggers=["<t>"], tags=[kind("tag", begin="<t>", content=NAMES, end="</t>")])


def lists(text: str) -> bool:
    """The slow reader of LISTS: free text, and arrays of distinct strings between their marks."""
    while (at := text.find("<t>")) >= 0:
        end = text.find("</t>", at)
        if end < 0:
            return False
        try:
            found = json.loads(text[at + 3 : end])
        except ValueError:
            return False
        if (
            not isinstance(found, list)
            or not all(isinstance(each, str) for each in found)
            or len(set(found)) < len(found)
        ):
            return False
        text = text[end + 4 :]
    return True


def test_distinct_elements_in_a_region_whatever_is_around() -> None:
    constraint, rng, seen = compiled(LISTS), Random(0), Counter[bool]()
    pieces = [
        "<t>",
        "</t>",
        '["a","b"]',
        '["a","a"]',
        '["b"]',
        '"',
        "[",
        '["',
        "a",
        "x",
        "{",
        '<t>["a","b"]</t>',
        '<t>["b"]</t>',
    ]
    for _ in range(3_000):
        text = "".join(rng.choices(pieces, k=rng.randrange(1, 7)))
        assert constraint.accepts(text) == lists(text), text
        seen[lists(text)] += 1
    assert min(seen.values()) > 100


def test_masks_in_such_a_region_end_well() -> None:
    constraint, rng = compiled(LISTS), Random(1)
    for _ in range(30):
        matcher, text = constraint.matcher(), b'so "['
        assert matcher.accept_bytes(text + b'<t>["a')
        text += b'<t>["a'
        for _ in range(rng.randrange(40)):
            allowed = ids_of(matcher.mask()).tolist()
            assert allowed == [t for t in range(BYTES.size) if matcher.allows([t])[0]]
            token = rng.choice([t for t in allowed if t < 256 and chr(t) in '",ab]<'] or allowed)
            if token == 256:
                break
            assert matcher.accept(token)
            text += bytes([token])
        text += matcher.shortest_bytes()
        assert lists(text.decode("utf-8", "replace")), text


def test_values_that_run_out_in_a_region() -> None:
    matcher = compiled(kind("tag", begin="call ", content=SCARCE, end=";")).matcher()
    assert matcher.accept_bytes(b'call {"a":[1,')
    assert [token for token in ids_of(matcher.mask()).tolist() if chr(token) in "12"] == [ord("2")]


def test_the_laws_hold_in_such_regions() -> None:
    either = kind("or", elements=[NAMES, kind("any_text", excludes=["!"])])
    for format in (LISTS, kind("tag", begin="<", content=either, end=">")):
        check_matcher_laws(compiled(format))


def test_text_that_began_like_an_array_and_is_none() -> None:
    either = kind("or", elements=[NAMES, kind("any_text", excludes=["!"])])
    constraint = compiled(kind("tag", begin="<", content=either, end=">"))
    for text in ('<["a","a"]>', '<["a","a",>', "<[x,x]>", '<["a" "a","a">', '<["a","b"]>', '<{"a":["b","b"]>'):
        assert constraint.accepts(text), text
    assert not constraint.accepts('<["a","a"]!>')


# ------------------------------------------------------------------------------------------------------- the peer

F = {"type": "object", "properties": {"s": {"type": "string"}, "n": {"type": "integer"}}, "required": ["s"],
     "additionalProperties": False}  # fmt: skip
G = {
    "type": "object", "required": ["a"], "additionalProperties": False,
    "properties": {
        "a": {"type": "array", "items": {"type": "string"}}, "e": {"enum": ["p", "q"]}, "b": {"type": "boolean"},
        "o": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"],
              "additionalProperties": False},
    },
}  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": name, "parameters": p}} for name, p in (("f", F), ("g", G))]
NAMED = {"type": "function", "function": {"name": "f"}}
PIECES = [b"<think>", b"</think>", b"\n", b" ", b"{", b"}", b'"s"', b"<tool_call>", b"x", b"", b"f", b"1", b"\n\n"]
WIDE = sg.JsonStyle(whitespace=999)  # blanks as xgrammar has them, but for a bound that no text of these tests meets
M3 = "]<]minimax[>["


def settled(model: str, text: str, ours: bool) -> bool:
    """Whether a disagreement is one that is known and meant.

    1  xgrammar spells strings in JSON with every escape that JSON has; JsonStyle() with the one of json.dumps, and
       JsonStyle(escapes="any") with all.
    2  Its numbers are "-0" and "1e5" as well; ours where JsonStyle(numbers="any") says so.
    3  In an empty array of minimax_m3_xml we allow blanks, as both do in an empty object.
    4  Where a kimi_k3_xml value may have several types, it allows any word for the type before any of them.
    """
    if not ours:
        return "\\" in text or re.search(r"-0|\d[eE]|\d\.", text) is not None
    return model == "minimax_m3" and re.search(rf">\s+{re.escape(M3)}</a>", text) is not None


@pytest.mark.peers
def test_the_languages_of_all_model_formats() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    builtin = pytest.importorskip("xgrammar.builtin_structural_tag")
    known = list(builtin._structural_tag_registry)
    assert len(known) >= 18
    info = xgrammar.TokenizerInfo(
        [*(bytes([byte]) for byte in range(256)), b"</s>"], vocab_type=xgrammar.VocabType.RAW, stop_token_ids=[256]
    )
    compiler, disagreements = xgrammar.GrammarCompiler(info), []
    for model in known:
        seen = Counter[tuple[bool, bool]]()
        for options in _options():
            try:
                tag = builtin.get_model_structural_tag(model, TOOLS, **options).model_dump(mode="json")
            except ValueError:  # a choice that the model's format does not have
                continue
            peer = xgrammar.GrammarMatcher(compiler.compile_structural_tag(tag))
            content = lambda syntax, text: FRONT_ENDS[syntax](text).lower().grammar  # noqa: E731
            ours = compile_grammar(read_formats(tag, content=content, style=WIDE), BYTES)
            for text in _texts(ours, peer, Random(f"{model}{options}")):
                verdicts = (ours.accepts(text), _accepts(peer, text))
                seen[verdicts] += 1
                if verdicts[0] != verdicts[1] and not settled(model, text.decode(), verdicts[0]):
                    disagreements.append((model, options, text, verdicts))
        assert seen[True, True] > 200 and seen[False, False] > 100, model
    assert not disagreements, disagreements[:3]


def _options() -> list[dict[str, Any]]:
    return [
        {"tool_choice": choice, "reasoning": reasoning, "parallel_tool_calls": parallel}
        for choice in ("auto", "required", NAMED, "none")
        for reasoning in ("enabled", "disabled", "auto")
        for parallel in (True, False)
    ]


def _accepts(peer: Any, text: bytes) -> bool:
    peer.reset()
    return bool(peer.accept_string(text) and peer.accept_token(256))


def _texts(ours: sg.Constraint, peer: Any, rng: Random) -> list[bytes]:
    """Texts grown from our automaton, from the peer's masks (and ended by ours), and what mutations make of them."""
    grown = [_grown(ours, rng) for _ in range(12)] + [_peers_own(ours, peer, rng) for _ in range(4)]
    found = [*grown, *(_mutated(text, rng) for text in grown), *(_mutated(text, rng) for text in grown)]
    return [text for text in found if text.decode("utf-8", "ignore").encode() == text]


def _grown(ours: sg.Constraint, rng: Random) -> bytes:
    matcher, text = ours.matcher(), b""
    for _ in range(rng.randrange(160)):
        allowed = [token for token in ids_of(matcher.mask()).tolist() if 0 < token < 127]
        shortest = matcher.shortest_bytes()
        token = shortest[0] if shortest and rng.random() < 0.45 else rng.choice(allowed or [0])
        if not allowed or not matcher.accept(token):
            break
        text += bytes([token])
    return text + matcher.shortest_bytes()


def _peers_own(ours: sg.Constraint, peer: Any, rng: Random) -> bytes:
    """A text along the peer's masks, as far as we follow it: what it writes that we do not is found by `_accepts`."""
    import xgrammar

    peer.reset()
    bitmask, matcher, text = xgrammar.allocate_token_bitmask(1, 257), ours.matcher(), b""
    for _ in range(rng.randrange(1, 160)):
        peer.fill_next_token_bitmask(bitmask)
        allowed = [token for token in ids_of(bitmask[0].numpy().view("u4")).tolist() if 0 < token < 127]
        shortest = matcher.shortest_bytes()
        token = shortest[0] if shortest and rng.random() < 0.5 else rng.choice(allowed or [0])
        if not allowed or not peer.accept_token(token):
            break
        text += bytes([token])
        if not matcher.accept(token):
            break
    return text + matcher.shortest_bytes()


def _mutated(text: bytes, rng: Random) -> bytes:
    at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    end = min(end, at + 12)
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: text[:at] + text[end:],
        lambda: text[:at] + rng.choice(PIECES) + text[at:],
        lambda: text[:at] + rng.choice(PIECES) + text[end:],
        lambda: text[:end] + text[at:],
    )
    return rng.choice(changes)()
