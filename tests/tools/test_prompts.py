"""Detection, and what chat templates make of tools, past calls and results: on templates of published models."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from structgen.errors import OptionError
from structgen.tools.detect import detect_format
from structgen.tools.formats import FORMATS, format_named
from structgen.tools.prompt import chat_of, inside_thinking, system_text, written_calls
from structgen.tools.reading import ReplyReader
from structgen.tools.reply import Reply, ToolCall
from tests.tools.kit import TOOLS, compiled, encoded, layout, vocabulary

FOLDER = Path(__file__).with_name("templates")
FORMAT_OF = {
    "qwen2.5-instruct": "hermes", "qwen3": "hermes", "qwen3-thinking-2507": "hermes", "hermes-3": "hermes",
    "smollm2": "hermes", "smollm3": "hermes", "granite-4": "hermes", "qwen3-coder": "qwen3-coder", "glm-4.5": "glm",
    "glm-4.7": "glm", "llama-3.1": "llama3-json", "llama-3.3": "llama3-json", "mistral-7b-v0.3": "mistral-v3",
    "mistral-nemo": "mistral-v3", "devstral-small-2": "mistral-v11", "granite-3.3": "granite",
    "deepseek-r1-distill": "deepseek-v3", "deepseek-v3.1": "deepseek-v3.1", "kimi-k2": "kimi-k2",
    "kimi-k2-0905": "kimi-k2", "gpt-oss": "harmony",
}  # fmt: skip
TOKENS = {"kimi-k2": ["<|tool_calls_section_begin|>"]}  # of a model whose template writes no calls


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8").rstrip("\n")


@cache
def environment() -> Any:
    """Templates as transformers runs them."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refused(message: str) -> None:
        raise ValueError(message)

    found = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    found.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    found.globals["raise_exception"] = refused
    return found


def rendered(name: str, messages: Any, tools: Any = TOOLS, *, more: bool = True, thinking: bool | None = None) -> str:
    template = text_of(name)
    chat, variables = chat_of(messages, tools, FORMATS[FORMAT_OF[name]], template, thinking=thinking)
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    return environment().from_string(template).render(messages=chat, add_generation_prompt=more, **marks, **variables)


def test_there_are_enough_of_them() -> None:
    assert {path.stem for path in FOLDER.glob("*.jinja")} == set(FORMAT_OF) and len(FORMAT_OF) >= 15
    assert set(FORMAT_OF.values()) == set(FORMATS), "every format is some model's"


@pytest.mark.parametrize("name", FORMAT_OF)
def test_the_format_is_told_from_the_template(name: str) -> None:
    assert detect_format(text_of(name), TOKENS.get(name, [])).name == FORMAT_OF[name]


def test_the_vocabulary_tells_where_no_template_does() -> None:
    assert detect_format(None, ["<|channel|>", "<|call|>"]).name == "harmony"
    assert detect_format(None, ["[TOOL_CALLS]", "[ARGS]"]).name == "mistral-v11"
    assert detect_format(None, []).name == detect_format("{{ messages }}", []).name == "hermes"


def test_a_template_that_reads_tools_in_an_unknown_way_is_refused() -> None:
    with pytest.raises(OptionError, match="one of hermes, qwen3-coder"):
        detect_format("{% for tool in tools %}{{ tool }}{% endfor %}", [])
    with pytest.raises(OptionError, match="did you mean 'hermes'"):
        format_named("herms")


def calls_for(name: str) -> Reply:
    """What a model said, as the reader of its format makes it."""
    found = layout(FORMAT_OF[name], thinks=False)
    called: list[tuple[str, Any]] = [("get_weather", {"city": "Paris", "days": 2}), ("get", {})]
    if found.format.between is None or found.format.name == "harmony":
        called = called[:1]
    reader = ReplyReader(found, vocabulary(False), salt="a")
    reader.feed(encoded(vocabulary(False), written_calls(called, found.format)))
    return reader.finish()


@pytest.mark.parametrize("name", FORMAT_OF)
def test_a_conversation_goes_round(name: str) -> None:
    reply = calls_for(name)
    assert [call.name for call in reply.calls][:1] == ["get_weather"] and reply.calls[0].arguments["days"] == 2
    user = {"role": "user", "content": "How is Paris?"}
    prompt = rendered(name, [user])
    assert "How is Paris?" in prompt
    for tool in TOOLS:
        assert tool.name in prompt and "Book a room" in prompt
    results = [call.answer({"sky": f"sunny {number}"}) for number, call in enumerate(reply.calls)]
    messages = [user, reply.message, *results]
    again = rendered(name, messages)
    for result in results:
        assert re.sub(r"\\", "", result["content"]) in re.sub(r"\\", "", again)
    past = rendered(name, [user, reply.message], more=False)
    assert read_back(name, past.split("How is Paris?")[1], reply) == [(call.name, call.text) for call in reply.calls]


def read_back(name: str, text: str, reply: Reply) -> list[tuple[str, str]]:
    """The calls in what a template wrote, as an output of the model: our grammar takes them, our reader reads them."""
    found = layout(FORMAT_OF[name], thinks=False, choice="required")
    text = re.sub(r', "id": "[a-z0-9]{9}"\}', "}", text)  # which Mistral's templates add and models do not write
    text = text[text.index(found.format.trigger) :]
    tokens = vocabulary(False)
    matcher, written, whole = compiled(found, tokens).matcher(), encoded(tokens, text), 0
    for at, token in enumerate(written):
        if not matcher.accept(token):
            break
        whole = at + 1 if matcher.is_accepting() or matcher.is_finished() else whole
    assert whole, f"{name}: {text[:200]!r}, then {matcher.expected()}"
    reader = ReplyReader(found, tokens)
    reader.feed(written[:whole])
    return [(call.name, call.text) for call in reader.finish().calls]


@pytest.mark.parametrize("name", FORMAT_OF)
def test_a_second_turn_is_a_prompt_too(name: str) -> None:
    reply = calls_for(name)
    results = [call.answer("sunny") for call in reply.calls]
    said = Reply(text="It is sunny.")
    messages = [
        {"role": "user", "content": "Hi"},
        reply.message,
        *results,
        said.message,
        {"role": "user", "content": "And?"},
    ]
    prompt = rendered(name, messages)
    assert prompt.index("Hi") < prompt.index("sunny") < prompt.rindex("It is sunny.") < prompt.rindex("And?")


def test_where_a_prompt_ends_inside_thinking() -> None:
    hermes = FORMATS["hermes"]
    user = [{"role": "user", "content": "Hi"}]
    assert inside_thinking(rendered("qwen3-thinking-2507", user), hermes)
    assert inside_thinking(rendered("deepseek-v3.1", user, thinking=True), FORMATS["deepseek-v3.1"])
    assert not inside_thinking(rendered("deepseek-v3.1", user), FORMATS["deepseek-v3.1"])
    assert not inside_thinking(rendered("qwen3", user), hermes)
    assert rendered("qwen3", user, thinking=False).endswith("</think>\n\n")
    assert rendered("glm-4.5", user, thinking=False).endswith("<think></think>")


def test_tools_that_a_template_does_not_know_stand_in_the_system_message() -> None:
    shown = system_text(TOOLS, FORMATS["deepseek-v3.1"])
    assert "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{...}" in shown and '"get_weather"' in shown
    chat, variables = chat_of(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        TOOLS, FORMATS["hermes"], text_of("smollm2"),
    )  # fmt: skip
    assert chat[0]["content"].startswith("Be brief.\n\n") and "<tool_call>" in chat[0]["content"] and not variables


def test_calls_in_messages_that_are_none() -> None:
    for call in ({"function": {}}, {"function": {"name": "f", "arguments": "{"}}, {"name": "f", "arguments": "[1]"}):
        with pytest.raises(OptionError):
            chat_of([{"role": "assistant", "tool_calls": [call]}], TOOLS, FORMATS["hermes"], text_of("qwen3"))


def test_ids_are_what_templates_take() -> None:
    assert re.fullmatch("[a-z0-9]{9}", calls_for("mistral-7b-v0.3").calls[0].id)
    assert [call.id for call in calls_for("kimi-k2").calls] == ["functions.get_weather:0", "functions.get:1"]
    assert re.fullmatch("call_[0-9a-f]{24}", calls_for("qwen3").calls[0].id)


def test_a_call_is_run_when_the_caller_says_so() -> None:
    call = calls_for("qwen3").calls[0]
    assert call.run() == "2 days of sun in Paris" and call.answer(call.run())["content"] == "2 days of sun in Paris"
    assert call.answer([1, None])["content"] == "[1,null]"
    bare = ToolCall("get", {}, TOOLS[3], "x", "{}")
    with pytest.raises(OptionError, match="has no function"):
        bare.run()
    with pytest.raises(OptionError, match="still being written"):
        ToolCall("get_weather", {}, TOOLS[0], "x", "{", is_complete=False).run()
