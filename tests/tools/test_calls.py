"""Every call is valid, in every format, choice, thinking and number of calls; pieces of a stream join to the reply."""

from __future__ import annotations

import json
import re
from itertools import product
from random import Random
from typing import Any

import pytest

import structgen as sg
from structgen.errors import InvariantError, OptionError
from structgen.tools.formats import FORMATS
from structgen.tools.prompt import written_calls
from structgen.tools.reading import Delta, ReplyReader
from structgen.tools.reply import Reply
from tests.tools.kit import TOOLS, compiled, cuts, drawn, encoded, judged, layout, vocabulary

CHOICES = ("auto", "required", "none", "get_weather", "book.room-2")
THINKING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("no", {"thinks": False}),
    ("may", {}),
    ("must", {"thinking": True}),
    ("begun", {"begun": True}),
    ("ended", {"begun": True, "thinking": False}),
)


def read(reader: ReplyReader, pieces: Any) -> tuple[Reply, list[Delta]]:
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += reader.feed(piece)
    deltas += reader.end()
    return reader.reply, deltas


def joined(deltas: list[Delta]) -> tuple[str, str | None, list[tuple[str, str, str]]]:
    """Text, thinking, and calls (name, arguments, id) from the pieces alone."""
    text = "".join(delta.text for delta in deltas if delta.kind == "text")
    thought = [delta.text for delta in deltas if delta.kind == "thinking"]
    calls: list[list[str]] = []
    for delta in deltas:
        if delta.kind == "name":
            assert delta.call == len(calls)
            calls.append([delta.text, "", delta.id or ""])
        elif delta.kind == "arguments":
            assert delta.call is not None
            calls[delta.call][1] += delta.text
    return text, "".join(thought) if thought else None, [(a, b, c) for a, b, c in calls]


@pytest.mark.parametrize("marks", [False, True], ids=["marks as text", "marks as tokens"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_call_is_valid_and_read_back_at_every_cut(format: str, marks: bool) -> None:
    tokens, rng, called, spoken = vocabulary(marks), Random(f"{format}{marks}"), 0, 0
    for choice, (name, thinking), parallel in product(CHOICES, THINKING, (True, False)):
        found = layout(format, choice=choice, parallel=parallel, **thinking)
        constraint = compiled(found, tokens)
        for hostile in (False, True):
            written = drawn(constraint, rng, rng.choice((5, 60, 150)), hostile=hostile)
            reply, deltas = read(ReplyReader(found, tokens, salt="s"), [written])
            for other in ([[token] for token in written], cuts(written, rng)):
                again, pieces = read(ReplyReader(found, tokens, salt="s"), other)
                assert again == reply and [c.id for c in again.calls] == [c.id for c in reply.calls]
                assert joined(pieces) == joined(deltas)
            calls = [(call.name, call.text, call.id) for call in reply.calls]
            thought = reply.thinking or None
            assert joined(deltas) == (reply.text, thought, calls)
            for call in reply.calls:
                judged(call.tool, call.text)
                assert call.is_complete
            if choice == "none":
                assert not reply.calls
            elif choice != "auto":
                assert reply.calls and not reply.text
            if choice in ("get_weather", "book.room-2"):
                assert [call.name for call in reply.calls] == [choice]
            assert len(reply.calls) <= 1 or (parallel and FORMATS[format].between is not None)
            assert (reply.thinking is not None) >= (name in ("must", "begun"))
            called, spoken = called + len(reply.calls), spoken + bool(reply.text)
    assert called > 50 and spoken > 5


# ----------------------------------------------------------------------- the same read by obvious means, as text


def slow(format: str, text: str) -> list[tuple[str, Any]]:
    """The calls of an output that calls at once, by regular expressions."""
    shapes = {
        "hermes": r'<tool_call>\n{"name": "(\S+)", "arguments": (.*?)}\n</tool_call>',
        "llama3-json": r'{"name": "(\S+)", "parameters": (.*)}',
        "mistral-v11": r"\[TOOL_CALLS\](\S+?)\[ARGS\](.*)",
        "deepseek-v3": r"<｜tool▁call▁begin｜>function<｜tool▁sep｜>(\S+)\n```json\n(.*?)\n```<｜tool▁call▁end｜>",
        "deepseek-v3.1": r"<｜tool▁call▁begin｜>(\S+?)<｜tool▁sep｜>(.*?)<｜tool▁call▁end｜>",
        "kimi-k2": r"functions\.(\S+?):[0-9]+<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>",
        "harmony": r"to=functions\.(\S+) <\|constrain\|>json<\|message\|>(.*?)<\|call\|>",
    }
    return [(name, json.loads(arguments)) for name, arguments in re.findall(shapes[format], text, re.DOTALL)]


@pytest.mark.parametrize(
    "format", ["hermes", "llama3-json", "mistral-v11", "deepseek-v3", "deepseek-v3.1", "kimi-k2", "harmony"]
)
def test_against_a_plain_reader_of_the_text(format: str) -> None:
    tokens, rng = vocabulary(False), Random(format)
    found = layout(format, choice="required", parallel=False, thinks=False)
    constraint = compiled(found, tokens)
    for _ in range(25):
        written = drawn(constraint, rng, 80, hostile=False)
        text = tokens.decode(written).decode() + ("<|call|>" if format == "harmony" else "")
        reply, _ = read(ReplyReader(found, tokens), [written])
        assert [(call.name, json.loads(call.text)) for call in reply.calls] == slow(format, text)


PARIS = '{"city": "Paris"}'
CALL, SEP, END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
KIMI, KIMI_ARGUMENTS, KIMI_END = "<|tool_call_begin|>functions.", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
LIST = f'[{{"name": "get_weather", "arguments": {PARIS}}}, {{"name": "get", "arguments": {{}}}}]'
EXAMPLES: dict[str, tuple[str, ...]] = {  # two calls where a format has several, as its models write them
    "hermes": (
        f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>\n',
        '<tool_call>\n{"name": "get", "arguments": {}}\n</tool_call>',
    ),
    "qwen3-coder": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>\n",
        "<tool_call>\n<function=get>\n</function>\n</tool_call>",
    ),
    "glm": (
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>\n",
        "<tool_call>get</tool_call>",
    ),
    "llama3-json": (f'{{"name": "get_weather", "parameters": {PARIS}}}',),
    "mistral-v11": (f"[TOOL_CALLS]get_weather[ARGS]{PARIS}", "[TOOL_CALLS]get[ARGS]{}"),
    "mistral-v3": ("[TOOL_CALLS] ", LIST),
    "granite": ("<|tool_call|>", LIST),
    "deepseek-v3": (
        f"<｜tool▁calls▁begin｜>{CALL}function{SEP}get_weather\n```json\n{PARIS}\n```{END}\n",
        f"{CALL}function{SEP}get\n```json\n{{}}\n```{END}<｜tool▁calls▁end｜>",
    ),
    "deepseek-v3.1": (
        f"<｜tool▁calls▁begin｜>{CALL}get_weather{SEP}{PARIS}{END}",
        f"{CALL}get{SEP}{{}}{END}<｜tool▁calls▁end｜>",
    ),
    "kimi-k2": (
        f"<|tool_calls_section_begin|>{KIMI}get_weather:0{KIMI_ARGUMENTS}{PARIS}{KIMI_END}",
        f"{KIMI}get:1{KIMI_ARGUMENTS}{{}}{KIMI_END}<|tool_calls_section_end|>",
    ),
    "harmony": (
        "<|channel|>analysis<|message|>Paris it is.<|end|><|start|>assistant",
        f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{PARIS}<|call|>",
    ),
}


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_what_models_write_is_allowed_and_read(format: str, marks: bool) -> None:
    tokens = vocabulary(marks)
    found = layout(format, thinks=format == "harmony")
    matcher, written = compiled(found, tokens).matcher(), encoded(tokens, "".join(EXAMPLES[format]))
    assert matcher.accept_all(written) == len(written)
    assert matcher.is_accepting() or matcher.is_finished()
    reply, _ = read(ReplyReader(found, tokens), [written])
    names = ["get_weather"] if FORMATS[format].between is None else ["get_weather", "get"]
    assert [call.name for call in reply.calls] == names
    assert reply.calls[0].arguments == {"city": "Paris"} and reply.text == ""
    assert reply.thinking == ("Paris it is." if format == "harmony" else None)


def test_text_before_a_call_and_none_behind_it() -> None:
    tokens = vocabulary(True)
    found = layout("hermes")
    matcher = compiled(found, tokens).matcher()
    written = encoded(tokens, "<think>\nhm\n</think>\n\nLet me see.\n\n" + "".join(EXAMPLES["hermes"]))
    assert matcher.accept_all(written) == len(written) and not matcher.accept_bytes(b"\nDone")
    reply, _ = read(ReplyReader(found, tokens), cuts(written, Random(0)))
    assert (reply.thinking, reply.text, len(reply.calls)) == ("hm", "Let me see.", 2)


def test_the_model_cannot_leave_a_call_once_it_is_triggered() -> None:
    matcher = compiled(layout("hermes", thinks=False), vocabulary(False)).matcher()
    assert matcher.accept_bytes(b"so <tool_call") and matcher.accept_bytes(b" is text")
    assert matcher.accept_bytes(b"<tool_call>") and matcher.forced_bytes() == b'\n{"name": "'


def test_strings_of_mark_up_are_read_by_the_schema() -> None:
    tokens = vocabulary(False)
    found = layout("qwen3-coder", choice="book.room-2", thinks=False)
    members = {"zip": "\n00123\n", "nights": "\n 3\n", "who": "\nnull\n", "guests": '[{"age": 3.5}]'}
    body = "\n".join(f"<parameter={key}>{value}</parameter>" for key, value in members.items())
    text = f"<tool_call>\n<function=book.room-2>\n{body}\n</function>\n</tool_call>"
    written = encoded(tokens, text)
    assert compiled(found, tokens).matcher().accept_all(written) == len(written)
    reply, deltas = read(ReplyReader(found, tokens), [[token] for token in written])
    assert reply.calls[0].arguments == {"zip": "00123", "nights": 3, "who": None, "guests": [{"age": 3.5}]}
    arguments = [delta.text for delta in deltas if delta.kind == "arguments"]
    assert arguments[:3] == ["{", '"zip": "00123"', ', "nights": 3'], "a member at a time, when it is closed"


def test_a_text_that_may_be_two_values_is_the_one_that_the_whole_schema_takes() -> None:
    schema = {
        "type": "object", "additionalProperties": False, "required": ["a", "b"],
        "properties": {"a": {"type": ["string", "integer"]}, "b": {"type": ["string", "integer"]}},
        "anyOf": [{"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
                  {"properties": {"a": {"type": "integer", "maximum": 5}, "b": {"type": "string"}}}],
    }  # fmt: skip
    tools = sg.Tool.of({"name": "t", "parameters": schema})
    found, tokens = layout("glm", (tools,), choice="t", thinks=False), vocabulary(False)
    cases = (
        ("7", "8", {"a": "7", "b": 8}),
        ("3", "x", {"a": 3, "b": "x"}),
        ("3", "4", {"a": 3, "b": "4"}),
    )
    for a, b, expected in cases:
        members = (f"<arg_key>{key}</arg_key><arg_value>{value}</arg_value>" for key, value in (("a", a), ("b", b)))
        text = f"<tool_call>t{''.join(members)}</tool_call>"
        written = encoded(tokens, text)
        assert compiled(found, tokens).matcher().accept_all(written) == len(written)
        reply, deltas = read(ReplyReader(found, tokens), [[token] for token in written])
        assert reply.calls[0].arguments == expected and json.loads(joined(deltas)[2][0][1]) == expected


def test_a_text_that_looks_like_a_special_token_is_text() -> None:
    tokens = vocabulary(True)
    found = layout("deepseek-v3.1", thinks=False)
    written = [*b"no <\xef\xbd\x9ctool\xe2\x96\x81calls\xe2\x96\x81begin\xef\xbd\x9c> here"]
    assert compiled(found, tokens).matcher().accept_all(written) == len(written)
    reply, _ = read(ReplyReader(found, tokens), [written])
    assert reply.text == "no <｜tool▁calls▁begin｜> here" and not reply.calls


def test_an_answer_instead_of_text() -> None:
    from structgen.api.sources import document_of

    tokens, rng = vocabulary(False), Random(5)
    answer = document_of(list[int], None, None)
    for choice, format in product(("auto", "none", "required"), ("hermes", "harmony", "mistral-v3")):
        found = layout(format, choice=choice, answer=answer, thinks=False)
        constraint = compiled(found, tokens)
        for _ in range(10):
            reply, _ = read(ReplyReader(found, tokens), [drawn(constraint, rng, 40, hostile=True)])
            assert bool(reply.calls) != isinstance(reply.value, list)
            assert (choice == "none") <= (not reply.calls) and (choice == "required") <= bool(reply.calls)


def test_what_is_no_output_is_said() -> None:
    tokens = vocabulary(False)
    with pytest.raises(InvariantError, match="no call begins"):
        read(ReplyReader(layout("hermes", choice="required", thinks=False), tokens), [[*b"nothing"]])


def test_a_choice_that_is_no_tool() -> None:
    with pytest.raises(OptionError, match="did you mean 'get_weather'"):
        layout("hermes", choice="get_wether")


def test_names_of_which_one_begins_another() -> None:
    tokens = vocabulary(False)
    for format in FORMATS:
        found = layout(format, choice="required", parallel=False, thinks=False)
        for name in ("get", "get_weather"):
            matcher = compiled(layout(format, choice=name, thinks=False), tokens).matcher()
            written = matcher.shortest_completion()
            reply, _ = read(ReplyReader(found, tokens), [[token] for token in written])
            assert [call.name for call in reply.calls] == [name]
    assert {tool.name for tool in TOOLS} == {"get_weather", "Search", "book.room-2", "get"}


UNIQUE: dict[str, Any] = {
    "type": "object", "additionalProperties": False, "required": ["tags"],
    "properties": {
        "tags": {"type": "array", "items": {"enum": ["a", "b", "ab"]}, "uniqueItems": True, "minItems": 2},
        "words": {"type": "array", "items": {"type": "string", "maxLength": 3}, "uniqueItems": True, "maxItems": 4},
        "either": {"anyOf": [{"type": "string", "maxLength": 9},
                             {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}]},
    },
}  # fmt: skip


@pytest.mark.parametrize("format", ["hermes", "qwen3-coder", "glm", "kimi-k2", "mistral-v3"])
def test_elements_that_are_compared(format: str) -> None:
    tools, tokens, rng = (sg.Tool.of({"name": "t", "parameters": UNIQUE}),), vocabulary(False), Random(format)
    found = layout(format, tools, choice="required", thinks=False)
    constraint = compiled(found, tokens)
    calls = 0
    for turn in range(16):
        reply, _ = read(ReplyReader(found, tokens), [drawn(constraint, rng, 90, hostile=turn % 2 == 0)])
        for call in reply.calls:
            judged(call.tool, call.text)
            assert len(set(call.arguments["tags"])) == len(call.arguments["tags"]) >= 2
        calls += len(reply.calls)
    assert calls >= 16
    before, arguments = written_calls([("t", {"tags": ["a", "b"]})], found.format), '["a", "b"]'
    assert arguments in before
    again = before.replace(arguments, '["a", "a"]')
    for text, allowed in ((before, True), (again, False)):
        written = encoded(tokens, text)
        assert (constraint.matcher().accept_all(written) == len(written)) == allowed
